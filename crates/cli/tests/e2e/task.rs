//! Looking at tasks, and the steps that a person takes.

use serde_json::json;

use crate::program::World;

/// A task that was submitted.
fn submitted(world: &World) -> String {
    let id = world.id("add Work -q");
    world.ok("task claim --agent bot");
    world.ok("task submit --summary Done");
    id
}

#[test]
fn lists_are_filtered_and_sorted() {
    let world = World::new();
    world.ok("project create p1 Parser");
    world.ok("add late --id late --priority P3 --role writer");
    world.ok("add urgent --id urgent --priority P0 --role coder --project p1");
    world.ok("add waits --id waits --after late");
    let ids = |line: &str| world.ok(&format!("{line} -q")).lines().map(str::to_owned).collect();
    let all: Vec<String> = ids("task list");
    assert_eq!(all, ["waits", "urgent", "late"]);
    let ids = |line: &str| -> Vec<String> {
        world.ok(&format!("{line} -q")).lines().map(str::to_owned).collect()
    };
    assert_eq!(ids("task list --by-priority"), ["urgent", "waits", "late"]);
    assert_eq!(ids("task list --priority P0,P3"), ["urgent", "late"]);
    assert_eq!(ids("task list --role writer --role coder"), ["urgent", "late"]);
    assert_eq!(ids("task list --project p1"), ["urgent"]);
    assert_eq!(ids("task list --claimable"), ["urgent", "late"]);
    assert_eq!(ids("task list --waiting"), ["waits"]);
    assert_eq!(ids("task list --limit 2"), ["waits", "urgent"]);
    assert!(ids("task list --needs-intervention").is_empty());
    world.ok("task claim --agent bot");
    assert_eq!(ids("task list --held-by bot"), ["urgent"]);
    assert_eq!(ids("task list --queue claimed"), ["urgent"]);
    let why = world.ok("task list --why --queue incoming");
    assert!(why.contains("It waits for task late, which is in queue \"incoming\""), "{why}");
    assert!(why.contains("nothing: next in line"), "{why}");
    world.fails(2, "task list --claimable --waiting");
}

#[test]
fn a_task_is_shown_with_what_happens_next() {
    let world = World::new();
    assert!(world.ok("task list").contains("octopoid add"));
    let id = world.id("add 'Work well' -c 'Two\nlines' -q");
    let shown = world.ok(&format!("task get {id}"));
    assert!(shown.starts_with(&format!("id                {id}\ntitle             Work well\n")));
    assert!(shown.contains("\ncontent:\nTwo\nlines\n"), "{shown}");
    assert!(shown.ends_with("waiting for an agent: a claim that fits gets it\n"), "{shown}");
    world.ok("task claim");
    assert!(world.ok(&format!("task get {id}")).contains("alice"));
    world.ok("task submit --summary Done");
    let shown = world.ok(&format!("task get {id}"));
    assert!(shown.contains(&format!("in review: octopoid task accept {id}")), "{shown}");
    assert!(shown.contains("submitted  Done"), "{shown}");
    let none = world.fails(3, &format!("task get {id} --diff"));
    assert!(none.contains("handed in a patch"), "{none}");
}

#[test]
fn verdicts_move_a_task_on() {
    let world = World::new();
    let id = submitted(&world);
    let rejected = world.ok(&format!("task reject {id} --reason 'No test' --by bob"));
    assert_eq!(rejected, format!("rejected {id}  Work  now in incoming\n"));
    world.ok("task claim");
    world.ok("task submit");
    let accepted = world.ok(&format!("task accept {id}"));
    assert_eq!(accepted, format!("accepted {id}  Work  now in done\n"));
    let history = world.ok(&format!("task history {id}"));
    for what in ["rejected", "bob", "accepted", "alice"] {
        assert!(history.contains(what), "{history}");
    }
    let events = world.json(&format!("task history {id} --limit 2 -o json"));
    assert_eq!(events["events"].as_array().unwrap().len(), 2);
    assert!(events["next_cursor"].is_string(), "{events}");
    let error = world.fails(4, &format!("task accept {id}"));
    assert!(error.contains("wrong_state"), "{error}");
    world.fails(2, &format!("task reject {id}"));
}

#[test]
fn work_is_accepted_into_another_queue_of_the_flow() {
    let world = World::new();
    world.write(
        "flow.json",
        r#"{"name":"merging","states":["incoming","claimed","provisional","approved","done","failed"],
        "transitions":[{"from":"incoming","to":"claimed"},{"from":"claimed","to":"provisional"},
        {"from":"provisional","to":"approved"},{"from":"approved","to":"done"}]}"#,
    );
    world.ok("flow apply flow.json");
    let id = world.id("add Work --flow merging -q");
    world.ok("task claim");
    world.ok("task submit");
    let accepted = world.ok(&format!("task accept {id} --queue approved"));
    assert!(accepted.ends_with("now in approved\n"), "{accepted}");
}

#[test]
fn tasks_are_put_back_cancelled_taken_up_and_moved() {
    let world = World::new();
    let id = world.id("add Work -q");
    world.ok("task claim --agent bot");
    let requeued = world.ok(&format!("task requeue {id} --reason 'Machine is gone'"));
    assert_eq!(requeued, format!("requeued {id}  Work  now in incoming\n"));
    let token = world.json("task claim --json lease_token");
    let token = token["lease_token"].as_str().unwrap();
    world.write("token", token);
    world.ok(&format!("task requeue {id} --lease-token-file token"));
    let cancelled = world.ok(&format!("task cancel {id} --reason 'Not wanted' --by bob"));
    assert_eq!(cancelled, format!("cancelled {id}  Work  now in cancelled\n"));
    let shown = world.ok(&format!("task get {id}"));
    assert!(shown.contains(&format!("octopoid task retry {id} takes it up again")), "{shown}");
    let retried = world.ok(&format!("task retry {id} --reason 'Wanted again' --by bob"));
    assert_eq!(retried, format!("took up {id}  Work  now in incoming\n"));
    let moved = world.ok(&format!("task move {id} backlog --reason Later"));
    assert_eq!(moved, format!("moved {id}  Work  now in backlog\n"));
    world.ok(&format!("task move {id} incoming --reason Now"));
    world.ok("task claim");
    let asked = world.ok(&format!("task cancel {id} --reason Stop"));
    assert!(asked.starts_with("asked to stop "), "{asked}");
}

#[test]
fn a_task_says_why_it_waits() {
    let world = World::new();
    let first = world.id("add First -q");
    let second = world.id(&format!("add Second --after {first} -q"));
    let why = world.ok(&format!("task why {first}"));
    assert!(why.starts_with("nothing keeps it from being claimed\n"), "{why}");
    let why = world.json(&format!("task why {second} -o json"));
    assert_eq!((&why["schema_version"], &why["claimable"]), (&json!(1), &json!(false)));
    assert_eq!(why["reasons"][0]["code"], "waits_for");
    let why = world.json(&format!("task why {second} --json code,task_id"));
    let expected = json!([
        { "code": "waits_for", "task_id": first },
        { "code": "no_machine", "task_id": null },
    ]);
    assert_eq!(why, expected);
}

#[test]
fn runs_are_listed_and_shown() {
    let world = World::new();
    let id = world.id("add Work -q");
    assert_eq!(world.ok(&format!("task runs {id}")), "no agent has claimed it yet\n");
    for _ in 0..2 {
        world.ok("task claim --agent bot");
        world.ok("task fail --reason drained --message 'Going home'");
    }
    let runs = world.ok(&format!("task runs {id}"));
    assert_eq!(runs.lines().count(), 3, "{runs}");
    assert!(runs.contains("Going home"), "{runs}");
    let runs = world.json(&format!("task runs {id} --limit 1 --json run,outcome"));
    assert_eq!(runs, json!([{ "run": 2, "outcome": "released" }]));
    assert!(world.ok(&format!("task runs {id} --run 1")).contains("Going home"));
    world.fails(3, &format!("task runs {id} --run 9"));
}

#[test]
fn a_short_id_does_as_long_as_it_is_unique() {
    let world = World::new();
    world.ok("add one --id 4f1c2a9b-one");
    world.ok("add two --id 4f1c2a9b-two");
    for short in ["4f1c2a9b-o", "b-one"] {
        let task = world.json(&format!("task get {short} --json id"));
        assert_eq!(task["id"], "4f1c2a9b-one", "{short}");
    }
    let error = world.fails(3, "task get 4f1c2a9b");
    assert!(
        error.contains("stands for several tasks") && error.contains("4f1c2a9b-two"),
        "{error}"
    );
    let error = world.fails(3, "task get one");
    assert!(error.contains("task_not_found"), "{error}");
    // What is over is named in full.
    world.ok("task cancel 4f1c2a9b-two --reason Done");
    assert_eq!(world.json("task get 4f1c2a9b --json id")["id"], "4f1c2a9b-one");
    world.fails(3, "task get 9b-two");
}
