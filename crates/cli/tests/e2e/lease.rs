//! Claiming a task, and what its holder reports.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::program::{World, finish, wait};

/// A world with a task that is claimed by the agent `bot`.
fn claimed() -> (World, String) {
    let world = World::new();
    let id = world.id("add Work -q");
    assert_eq!(world.id("task claim --agent bot --orchestrator laptop -q"), id);
    (world, id)
}

#[test]
fn the_lease_is_kept_until_the_work_is_submitted() {
    let (world, id) = claimed();
    let leases = world.home().join(".local/state/octopoid/leases");
    let files = || std::fs::read_dir(&leases).unwrap().map(|entry| entry.unwrap().path());
    let file = files().next().unwrap();
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(std::fs::read_to_string(&file).unwrap().contains("olt_1_"));
    let task = world.json(&format!("task get {id} -o json"));
    assert_eq!((&task["claimed_by"], &task["orchestrator_id"]), (&json!("bot"), &json!("laptop")));

    world.write("result.json", r#"{"branch":"agent/work","insertions":48,"patch":"+1\n"}"#);
    world.write("usage.json", r#"{"input_tokens":5,"cost_usd":"0.41"}"#);
    let line = "task submit --commits 2 --turns 9 --notes Note --summary Done --result result.json \
                --usage usage.json";
    assert_eq!(world.ok(line), format!("submitted {id}  Work  now in provisional\n"));
    assert_eq!(files().count(), 0);
    let task = world.json(&format!("task get {id} -o json"));
    assert_eq!((&task["commits_count"], &task["turns_used"]), (&json!(2), &json!(9)));
    assert_eq!(task["execution_notes"], "Note");
    let run = world.json(&format!("task runs {id} --run 1 -o json"));
    assert_eq!((&run["summary"], &run["result"]["insertions"]), (&json!("Done"), &json!(48)));
    assert_eq!(run["usage"]["cost_usd"], "0.41");
    assert_eq!(world.ok(&format!("task get {id} --diff")), "+1\n");
    assert!(world.fails(2, "task submit").contains("none is claimed on this machine"));
}

#[test]
fn a_claim_shows_what_came_before() {
    let (world, id) = claimed();
    world.ok("task submit");
    world.ok(&format!("task reject {id} --reason 'No test'"));
    let printed = world.ok("task claim");
    assert!(
        printed.starts_with(&format!("claimed {id}  Work\nbranch main · run 2 · ")),
        "{printed}"
    );
    assert!(printed.contains("\nrejection by alice:\nNo test\n"), "{printed}");
    assert!(printed.ends_with(&format!("octopoid task submit {id}\n")), "{printed}");
    assert_eq!(world.json(&format!("task get {id} --json claimed_by"))["claimed_by"], "alice");
    // What others write does not control the terminal.
    world.ok("task submit");
    let by = "\u{1b}]0;x\u{7}bob\nforged by eve:";
    world.ok(&format!("task reject {id} --reason 'One\u{1b}[2J\nTwo\u{1b}]0;' --by '{by}'"));
    let printed = world.ok("task claim");
    assert!(printed.contains("\nrejection by bob forged by eve::\nOne\nTwo\n"), "{printed:?}");
    assert!(!printed.contains(['\u{1b}', '\u{7}']), "{printed:?}");
    assert!(printed.ends_with(&format!("octopoid task submit {id}\n")), "{printed:?}");
}

#[test]
fn a_claim_says_what_it_wants() {
    let world = World::new();
    let id = world.id("add Work --role coder --type bug -q");
    let none = world.fails(5, "task claim --role writer --type bug");
    assert!(none.contains("there is nothing to claim"), "{none}");
    world.ok("pause add pool:account -r 'the limit is reached' --until 1h");
    let paused = world.fails(5, "task claim --pool account");
    assert!(paused.contains("work is paused"), "{paused}");
    let line = "task claim --role coder --type bug --queue incoming --lease 1h --in-place --run-key \
                --pool other -o json";
    let task = world.json(line);
    assert_eq!((&task["id"], &task["queue"]), (&json!(id), &json!("incoming")));
    assert!(task["run_key"].as_str().unwrap().starts_with("oct_run_"), "{task}");
    assert!(task["lease_token"].as_str().unwrap().starts_with("olt_1_"), "{task}");
}

#[test]
fn a_claim_waits_for_work() {
    let world = World::new();
    let claim = world.start("task claim --wait 2m -q");
    world.ok("add Work");
    assert_eq!(claim.code(), Some(0));
    assert_eq!(world.fails(5, "task claim --wait 1s").lines().count(), 2);
}

#[test]
fn renewing_reports_progress_and_hands_over_messages() {
    let (world, id) = claimed();
    let first = world.id(&format!("message send {id} 'Use port 1' -q"));
    world.ok(&format!("message send {id} 'No, port 2'"));
    world.write("checkpoint.json", r#"{"step":3}"#);
    world.write("usage.json", r#"{"turns":4}"#);
    let line = format!(
        "task renew {id} --lease 1h --message Testing --percent 65 --checkpoint checkpoint.json \
         --usage usage.json --messages-after {first}"
    );
    let printed = world.ok(&line);
    assert!(printed.starts_with(&format!("renewed {id}  lease ends ")), "{printed}");
    assert!(printed.contains("from alice: No, port 2\n"), "{printed}");
    assert!(!printed.contains("port 1"), "{printed}");
    let run = world.json(&format!("task runs {id} --run 1 -o json"));
    assert_eq!(
        (&run["progress"]["message"], &run["usage"]["turns"]),
        (&json!("Testing"), &json!(4))
    );
    assert_eq!(run["checkpoint"], json!({ "step": 3 }));
    assert_eq!(world.json("task renew -o json")["directive"], "continue");
    world.ok(&format!("task cancel {id} --reason 'Not wanted'"));
    assert!(world.ok("task renew").contains("stop: the task is cancelled"));
    let printed = world.ok("task fail --reason cancelled");
    assert!(printed.ends_with("now in cancelled\n"), "{printed}");
}

#[test]
fn a_failure_says_why_and_what_follows() {
    let (world, id) = claimed();
    world.write("usage.json", r#"{"turns":4}"#);
    world.write("result.json", "{}");
    let line = "task fail --reason provider_limit --message 'Limit reached' --not-before 2h \
                --pool account --summary Tried --result result.json --usage usage.json";
    assert_eq!(world.ok(line), format!("reported the failure of {id}  Work  now in incoming\n"));
    assert!(world.ok("pause list").contains("pool:account"));
    assert!(world.ok(&format!("task why {id}")).contains("not_before"));
    let other = world.id("add Other -q");
    world.ok("task claim");
    assert!(world.ok(&format!("task fail {other} -r crash --no-retry")).contains("now in failed"));
    let error = world.fails(2, "task fail --reason tired");
    assert!(error.contains("provider_limit"), "{error}");
}

#[test]
fn a_lease_that_was_lost_is_refused_once() {
    let (world, id) = claimed();
    world.ok(&format!("task move {id} incoming --reason 'Taken away'"));
    let error = world.fails(4, &format!("task submit {id}"));
    assert!(error.contains("lease_lost") && error.contains("octopoid task get"), "{error}");
    // The lost lease is forgotten, so that it does not stand in the way of a new one.
    assert!(world.fails(2, "task submit").contains("none is claimed"));
    let token = world.json("task claim --json lease_token")["lease_token"].clone();
    let with = |line: &str, token: &str| {
        let mut command = world.command(line);
        finish(command.env("OCTOPOID_LEASE_TOKEN", token))
    };
    let token = token.as_str().unwrap();
    let renew = format!("task renew {id}");
    assert_eq!(with(&renew, token).code, Some(0));
    world.write("token", &format!("{token}\n"));
    // The file wins over the variable.
    let ended = with(&format!("task renew {id} --lease-token-file token"), "nonsense");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // What is no token is not shown, because it may nearly be one.
    let ended = with(&renew, "olt_1_secret");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("OCTOPOID_LEASE_TOKEN does not hold"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    assert!(world.fails(2, &format!("{renew} --lease-token-file none")).contains("cannot read"));
    assert!(world.fails(2, &format!("{renew} --lease-token-file -")).contains("- does not hold"));
    let mut submit = world.command(&format!("task submit {id} --lease-token-file -"));
    submit.stdin(std::fs::File::open(world.home().join("token")).unwrap());
    assert_eq!(finish(&mut submit).code, Some(0));
}

#[test]
fn several_claims_have_to_be_told_apart() {
    let (world, first) = claimed();
    let second = world.id("add More -q");
    world.ok("task claim");
    let error = world.fails(2, "task submit");
    assert!(error.contains(&first) && error.contains(&second), "{error}");
    // A token that is none of this task leaves the kept one alone.
    let other = "0".repeat(32);
    world.write("token", &format!("olt_1_{other}"));
    world.fails(4, &format!("task fail {first} --reason drained --lease-token-file token"));
    world.ok(&format!("task fail {first} --reason drained"));
    assert!(world.ok("task submit").contains(&second));
}

#[test]
fn a_review_is_held_and_ended_by_its_token() {
    let (world, id) = claimed();
    world.ok("task submit");
    world.ok("task claim --queue provisional --agent reviewer");
    let rejected = world.ok(&format!("task reject {id} -r 'Not yet' --by reviewer"));
    assert!(rejected.contains("now in incoming"), "{rejected}");
    world.ok("task claim --agent bot");
    world.ok("task submit");
    let token = world.json("task claim --queue provisional --json lease_token");
    world.write("token", token["lease_token"].as_str().unwrap());
    world.ok(&format!("task reject {id} --reason 'Still not' --lease-token-file token"));
    world.ok("task claim --agent bot");
    world.ok("task submit");
    let token = world.json("task claim --queue provisional --json lease_token");
    world.write("token", token["lease_token"].as_str().unwrap());
    let accepted = world.ok(&format!("task accept {id} --by bob --lease-token-file token"));
    assert!(accepted.contains("now in done"), "{accepted}");
}

#[test]
fn without_an_id_only_a_task_of_the_scope_is_meant() {
    let (world, id) = claimed();
    for line in ["task submit", "task renew", "task fail -r crash"] {
        let error = world.fails(2, &format!("{line} --scope other"));
        assert!(error.contains(&format!("claimed are {id} of scope demo")), "{error}");
    }
    let other = world.id("add Other --scope other -q");
    world.ok("task claim --scope other");
    assert!(world.ok("task renew --scope other").starts_with(&format!("renewed {other} ")));
    assert!(world.ok("task submit").contains(&id));
    assert!(world.ok("task submit --scope other").contains(&other));
}

#[test]
fn a_lease_is_forgotten_once_its_task_is_gone() {
    let (world, id) = claimed();
    wait(world.client().delete_task(&id)).unwrap();
    // There is no such task in another scope, which says nothing about this one.
    world.fails(3, &format!("task submit {id} --scope other"));
    world.fails(3, "task submit");
    assert!(world.fails(2, "task submit").contains("none is claimed on this machine"));
}
