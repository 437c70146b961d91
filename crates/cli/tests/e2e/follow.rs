//! Following: logs, tasks and the journal.

use std::thread;

use octopoid_domain::{
    input::PatchCount,
    lease::{LeaseToken, Token},
    log::{Append, LogText},
};

use crate::program::{World, wait};

/// Appends to the log of a run, as an agent does.
fn append(world: &World, id: &str, token: &str, offset: usize, text: &str) {
    let body = Append {
        lease_token: Token(LeaseToken::parse(token)),
        offset: PatchCount::from(i64::try_from(offset).unwrap()),
        text: LogText(Some(text.to_owned())),
    };
    wait(world.client().append_log(id, &body)).unwrap();
}

#[test]
fn a_log_is_printed_and_followed_until_its_run_ends() {
    let world = World::new();
    let id = world.id("add Work -q");
    assert!(world.fails(3, &format!("task log {id}")).contains("no agent has claimed"));
    let token = world.json("task claim --json lease_token");
    let token = token["lease_token"].as_str().unwrap();
    append(&world, &id, token, 0, "first\n");
    assert_eq!(world.ok(&format!("task log {id}")), "first\n");
    let mut follow = world.start(&format!("task log {id} --run 1 --follow"));
    assert_eq!(follow.line(), "first\n");
    append(&world, &id, token, 6, "second\n");
    assert_eq!(follow.line(), "second\n");
    world.ok("task submit");
    assert_eq!(follow.code(), Some(0));
    let parts = world.ok(&format!("task log {id} -f -o ndjson"));
    assert!(parts.contains(r#""text":"first\nsecond\n""#), "{parts}");
}

#[test]
fn a_task_is_watched_until_it_is_over() {
    let world = World::new();
    let id = world.id("add Work -q");
    world.ok("task claim");
    world.ok("task submit");
    let watch = world.start(&format!("task watch {id}"));
    world.ok(&format!("task accept {id}"));
    assert_eq!(watch.code(), Some(0));
    // It is over already.
    assert_eq!(world.ok(&format!("task watch {id}")), "");

    let other = world.id("add Other -q");
    let watch = world.start(&format!("task watch {other}"));
    world.ok(&format!("task cancel {other} --reason 'Not wanted'"));
    assert_eq!(watch.code(), Some(1));
    let error = world.fails(1, &format!("task watch {other}"));
    assert!(error.contains("is cancelled"), "{error}");

    let gone = world.id("add Gone -q");
    let mut watch = world.start(&format!("task watch {gone}"));
    thread::scope(|scope| {
        let first = scope.spawn(|| watch.line());
        // It has begun to watch once it prints something.
        while !first.is_finished() {
            world.ok(&format!("task move {gone} backlog --reason Later"));
            world.ok(&format!("task move {gone} incoming --reason Now"));
        }
    });
    wait(world.client().delete_task(&gone)).unwrap();
    assert_eq!(watch.code(), Some(3));
}

#[test]
fn the_journal_is_read_and_followed() {
    let world = World::new();
    let id = world.id("add Work -q");
    let mut tail = world.start("events tail --since 0");
    assert!(tail.line().contains("task.created"));
    world.ok("draft create Idea");
    assert!(tail.line().contains("draft.created"));

    let types = |line: &str| -> Vec<String> {
        let lines = world.ok(line);
        let events =
            lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        events.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    };
    let all = types("events tail --since 0 --no-follow -o ndjson");
    assert_eq!(all, ["task.created", "draft.created"]);
    let some = types("events tail --since 0 --type draft.* --no-follow --json type");
    assert_eq!(some, ["draft.created"]);
    let some = types(&format!("events tail --since 0 --task {id} --no-follow --json type"));
    assert_eq!(some, ["task.created"]);
    let last = world.ok("events tail --since 0 --no-follow -q");
    let last = last.lines().last().unwrap();
    assert_eq!(world.ok(&format!("events tail --since {last} --no-follow")), "");
    world.fails(1, "events tail --since nonsense");
}
