//! Limits of time, exit codes, and pools that a provider's limit pauses.

use octopoid_domain::run::Outcome;

use crate::site::{Site, WORK};

const FOREVER: &str = "echo begun; while :; do sleep 1; done";

#[test]
fn a_run_may_take_so_long_and_be_silent_so_long() {
    let site = Site::new();
    let (task, run) = site.once("--timeout 1s --grace 1s", FOREVER);
    assert_eq!((&*task.queue, task.failure_count), ("incoming", 1));
    assert_eq!(run.run.reason.as_deref(), Some("timeout"));
    let message = run.run.message.unwrap();
    assert_eq!(message, "The agent was stopped after 1 seconds (--timeout)");

    let (_, run) = site.once("--stall 2s --grace 1s", FOREVER);
    assert_eq!(run.run.reason.as_deref(), Some("stalled"));
    assert_eq!(run.run.message.unwrap(), "The agent printed nothing for 2 seconds (--stall)");
    // Silence that is shorter, again and again, is none.
    let patient = format!("for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done\n{WORK}");
    let (task, _) = site.once("--stall 2s", &patient);
    assert_eq!(task.queue, "provisional");
}

#[test]
fn exit_codes_of_a_command_say_why_it_failed() {
    let site = Site::new();
    let agent = "eval \"$OCTOPOID_TASK_TITLE\"";
    let cases = [
        ("exit 75", "", "setup_failed"),
        ("exit 77", "", "provider_auth"),
        ("exit 78", "", "bad_config"),
        ("exit 127", "", "missing_tool"),
        ("exit 1", "", "other"),
        ("exit 1", "--exit-map 1=network --exit-map 2=oom", "network"),
        ("exit 2", "--exit-map 1=network --exit-map 2=oom", "oom"),
    ];
    for (title, flags, reason) in cases {
        let id = site.add(&format!("'{title}'"));
        let (_, run) = site.again(&id, flags, agent);
        assert_eq!(run.run.reason.as_deref(), Some(reason), "{title} {flags}");
        assert_eq!(run.run.outcome, Outcome::Failed);
        assert!(run.run.message.unwrap().contains(&title.replace("exit", "exit code")));
        site.ok(&format!("task cancel {id} --reason Seen"));
    }
    let id = site.add("'exit 65'");
    let (task, _) = site.again(&id, "", agent);
    assert_eq!((&*task.queue, task.failure_count), ("failed", 0));

    for command in ["no-such-program", "./no-such-program", "/etc/passwd"] {
        let ended = site.run(&format!("agent run --once -- {command}"));
        assert_eq!(ended.code, Some(2));
        let said = format!("the command {command} is not an executable file");
        assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    }
    let ended = site.run("agent run --exit-map 3=nonsense -- true");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("the known ones are: drained, "), "{}", ended.stderr);
}

#[test]
fn a_limit_of_the_provider_pauses_the_pool_for_all_machines() {
    let site = Site::new();
    let flags = "--exit-map 3=provider_limit --pool acme";
    let (task, run) = site.once(flags, "exit 3");
    assert_eq!(run.run.reason.as_deref(), Some("provider_limit"));
    assert_eq!((&*task.queue, task.failure_count), ("incoming", 0));
    let pauses = site.json("pause list --json target,reason");
    assert_eq!(pauses[0]["target"], "pool:acme");
    assert_eq!(pauses[0]["reason"], "provider_limit");

    // Another machine with the same account gets nothing, and one with another account does.
    site.ok(&format!("task cancel {} --reason Seen", task.id));
    let id = site.add("Other");
    site.start("--name other --pool acme --idle-exit 2s", WORK).ends_well();
    assert!(site.runs(&id).is_empty());
    site.start("--name third --pool else --once", WORK).ends_well();
    assert_eq!(site.task(&id).queue, "provisional");
}
