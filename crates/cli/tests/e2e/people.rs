//! What needs a person: status, messages, questions and proposals.

use octopoid_domain::action::NewAction;
use serde_json::json;

use crate::program::{World, wait};

#[test]
fn status_shows_who_does_what_what_waits_and_what_needs_a_person() {
    let world = World::new();
    let empty = world.ok("status");
    assert!(empty.contains("no task yet: octopoid add"), "{empty}");
    let review = world.id("add Reviewed -q");
    world.ok("task claim");
    world.ok("task submit");
    let question = world.id("add Asked -q");
    world.ok("task claim");
    world.ok("task fail --reason needs_input --message 'Which port?'");
    let running = world.id("add Running --priority P0 -q");
    world.ok("task claim --agent bot --orchestrator laptop");
    world.ok("task renew --message Testing --percent 65");
    let waiting = world.id(&format!("add Waiting --after {running} -q"));

    let status = world.ok("status");
    let headline = status.lines().next().unwrap();
    let expected = "demo   waiting 2   running 1   in review 1   needs you 2   done 0 in 24 h";
    assert_eq!(headline, expected);
    let line = |id: &str, what: &str| {
        let found = status.lines().find(|line| line.contains(id) && line.contains(what));
        assert!(found.is_some(), "{id} {what}: {status}");
    };
    line(&review, "review");
    line(&question, "Which port?");
    line(&running, "Testing 65 %");
    line(&waiting, "It waits for task");
    for heading in ["\nNEEDS YOU\n", "\nRUNNING\n", "\nWAITING\n"] {
        assert!(status.contains(heading), "{status}");
    }
    let status = world.json("status -o json");
    assert_eq!(status["running"][0]["task_id"], running);
    assert_eq!(status["reviews"][0]["id"], review);
    assert_eq!(status["actions"][0]["entity_id"], question);
    assert_eq!(status["summary"]["queues"]["provisional"], 1);
    let fields = world.json("status --json machines");
    assert_eq!(fields, json!({ "machines": [] }));
}

#[test]
fn status_counts_what_it_does_not_show() {
    let world = World::new();
    world.write("plan.md", &"- Work\n".repeat(103));
    world.ok("add -f plan.md");
    world.ok("add -f plan.md --queue provisional");
    let status = world.ok("status");
    let counts = "waiting 103   running 0   in review 103   needs you 103 ";
    assert!(status.starts_with(&format!("demo   {counts}")), "{status}");
    assert_eq!(status.matches("  … and 91 more\n").count(), 2, "{status}");
}

#[test]
fn a_question_is_answered() {
    let world = World::new();
    let id = world.id("add Asked -q");
    world.ok("task claim");
    world.ok("task fail --reason needs_input --message 'Which port?'");
    assert!(world.ok(&format!("task why {id}")).contains("awaiting_input"));
    let listed = world.ok(&format!("action list --task {id}"));
    assert!(listed.contains("question") && listed.contains("Which port?"), "{listed}");
    let action = world.id("action list --limit 1 -q");
    let error = world.fails(2, &format!("action approve {action}"));
    assert!(error.contains("is a question") && error.contains("--answer"), "{error}");
    world.ok(&format!("action approve {action} --answer 8080 --by bob"));
    let claimed = world.ok("task claim");
    assert!(claimed.contains("answer by bob:\n8080"), "{claimed}");
    assert_eq!(world.ok("action list"), "nothing waits for a decision\n");
    assert!(world.ok("action list --status completed").contains(&action));
    assert!(world.ok("action list --all").contains(&action));

    // A question that is denied is answered with the reason, as it was written.
    world.ok("task fail --reason needs_input --message 'Which host?'");
    let action = world.id("action list --limit 1 -q");
    world.ok(&format!("action deny {action} --reason 'Choose one' --by bob"));
    let claimed = world.ok("task claim");
    assert!(claimed.contains("answer by bob:\nChoose one\n"), "{claimed}");
}

#[test]
fn proposals_are_approved_or_denied() {
    let world = World::new();
    let id = world.id("add Work -q");
    let propose = || {
        let new = NewAction {
            entity_type: "task".into(),
            entity_id: (&*id).into(),
            label: "Delete the branch".into(),
            proposed_by: "bot".into(),
            ..NewAction::default()
        };
        wait(world.client().create_action(&new)).unwrap().id
    };
    let (first, second) = (propose(), propose());
    let error = world.fails(2, &format!("action approve {first} --answer Yes"));
    assert!(error.contains("is no question"), "{error}");
    let approved = world.json(&format!("action approve {first} -o json"));
    assert_eq!(approved["status"], "execute_requested");
    world.fails(2, &format!("action approve {first} --answer Yes"));
    let denied =
        world.json(&format!("action deny {second} --reason 'Still needed' --by bob -o json"));
    assert_eq!(denied["status"], "failed");
    assert!(denied["result"].as_str().unwrap().contains("Still needed"), "{denied}");
    world.fails(3, "action deny none --reason x");
}

#[test]
fn messages_are_sent_and_listed() {
    let world = World::new();
    let id = world.id("add Work -q");
    let first = world.id(&format!("message send {id} 'Use port 1' -q"));
    let line = format!(
        "message send {id} 'Why?' --to alice --from bot --type question --reply-to {first}"
    );
    assert!(world.ok(&line).ends_with(" to alice\n"));
    let all = world.json(&format!("message list --task {id} --json from_actor,to_actor,type"));
    let expected = json!([
        { "from_actor": "alice", "to_actor": "agent", "type": "comment" },
        { "from_actor": "bot", "to_actor": "alice", "type": "question" },
    ]);
    assert_eq!(all, expected);
    assert_eq!(world.ok("message list --to alice --type question -q").lines().count(), 1);
    assert_eq!(world.ok("message list --unreplied --limit 9 -q").lines().count(), 1);
    assert!(world.ok("message list").contains("Use port 1"));
}
