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
