//! Runners that come to their end.

use std::fs;

use octopoid_domain::run::Outcome;
use rustix::process::Signal;

use crate::site::{Site, WORK, until};

/// Waits for a file in the home folder, then works.
fn patient() -> String {
    format!("until [ -e \"$HOME/go\" ]; do sleep 0.05; done\n{WORK}")
}

#[test]
fn the_first_signal_lets_the_agent_finish() {
    let site = Site::new();
    let first = site.add("First --priority P0");
    let second = site.add("Second");
    let mut runner = site.start("", &patient());
    until("the agent's tree", || site.tree_of(&first));
    runner.signal(Signal::INT);
    runner.prints("draining: no more tasks");
    fs::write(site.home().join("go"), "").unwrap();
    runner.ends_well();
    assert_eq!(site.task(&first).queue, "provisional");
    assert!(site.runs(&second).is_empty());
}

#[test]
fn the_second_signal_gives_the_task_back() {
    let site = Site::new();
    let id = site.add("Work");
    let agent = "echo half > half.txt; while :; do sleep 1; done";
    let mut runner = site.start("--grace 1s", agent);
    until("the agent's work", || site.tree_of(&id)?.join("half.txt").exists().then_some(()));
    runner.signal(Signal::TERM);
    runner.prints("draining");
    runner.signal(Signal::TERM);
    runner.ends_well();
    let task = site.task(&id);
    assert_eq!((&*task.queue, task.failure_count, task.not_before), ("incoming", 0, None));
    let run = site.last_run(&id).run;
    assert_eq!((run.outcome, run.reason.as_deref()), (Outcome::Released, Some("drained")));
    assert_eq!(site.processes_but_guards(), [""; 0]);
    // What was done is there for the next attempt.
    let (task, _) = site.again(&id, "", "test -e half.txt; echo whole > half.txt");
    assert_eq!(task.queue, "provisional");
}

#[test]
fn a_machine_that_the_server_drains_claims_nothing() {
    let site = Site::new();
    let mut runner = site.start("--name laptop", WORK);
    let machine = until("the machine", || {
        let machines = site.json("orch list --json id");
        Some(machines[0]["id"].as_str()?.to_owned())
    });
    site.ok(&format!("orch drain {machine}"));
    let id = site.add("Work");
    runner.prints("by the server: no more tasks");
    assert!(site.runs(&id).is_empty());
    assert_eq!(site.task(&id).queue, "incoming");
    site.ok(&format!("orch resume {machine}"));
    site.reaches(&id, "provisional");
    runner.drain();
}

#[test]
fn a_running_agent_is_told_when_its_machine_is_drained() {
    let site = Site::new();
    let id = site.add("Work");
    let agent = format!(
        "touch begun
        until grep -q wrap_up \"$OCTOPOID_MESSAGES_FILE\"; do sleep 0.1; done 2> /dev/null
        rm begun
        {WORK}"
    );
    let mut runner = site.start("--once --lease 15s", &agent);
    until("the agent", || site.tree_of(&id)?.join("begun").exists().then_some(()));
    let machine = site.task(&id).orchestrator_id.unwrap();
    site.ok(&format!("orch drain {machine}"));
    runner.ends_well();
    assert_eq!(site.task(&id).queue, "provisional");
    assert!(site.log(&id).contains("the agent was told to come to an end"));
}

#[test]
fn a_setup_and_a_check_are_stopped_like_an_agent() {
    let site = Site::new();
    for flags in ["--setup", "--check"] {
        let id = site.add("Work");
        let command = "'touch begun; while :; do sleep 1; done'";
        let mut runner = site.start(&format!("--grace 1s {flags} {command}"), WORK);
        until("the command", || site.tree_of(&id)?.join("begun").exists().then_some(()));
        runner.signal(Signal::INT);
        runner.prints("draining");
        runner.signal(Signal::INT);
        runner.ends_well();
        let run = site.last_run(&id).run;
        assert_eq!((run.outcome, run.reason.as_deref()), (Outcome::Released, Some("drained")));
        assert_eq!(site.processes_but_guards(), [""; 0]);
        site.ok(&format!("task cancel {id} --reason Seen"));
    }
}
