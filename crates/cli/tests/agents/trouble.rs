//! Agents that make trouble.

use std::fs;

use octopoid_domain::run::Outcome;
use rustix::process::Signal;

use crate::site::{Site, WORK, until};

/// Bytes of a log that the server keeps.
const LOG_BYTES_MAX: usize = 1 << 20;

#[test]
fn an_agent_that_ignores_sigterm_is_dead_before_its_end_is_reported() {
    let site = Site::new();
    let id = site.add("Work");
    let agent = "trap '' TERM
        setsid sh -c 'trap \"\" TERM; touch child; while :; do sleep 1; done' &
        setsid setsid sh -c 'while :; do sleep 1; done' > /dev/null 2>&1 < /dev/null &
        while :; do sleep 1; done";
    let mut runner = site.start("--once --grace 1s --lease 15s", agent);
    until("the child", || site.tree_of(&id)?.join("child").exists().then_some(()));
    site.ok(&format!("task cancel {id} --reason 'Not wanted'"));
    site.reaches(&id, "cancelled");
    assert_eq!(site.processes_but_guards(), [""; 0]);
    runner.ends_well();
    let run = site.last_run(&id).run;
    assert_eq!((run.outcome, run.reason.as_deref()), (Outcome::Cancelled, Some("cancelled")));
    assert!(site.tree(&id).exists());
}

#[test]
fn an_agent_that_prints_200_mb_is_read_and_little_of_it_is_kept() {
    let site = Site::new();
    let line = "head -c 100000 /dev/zero | tr '\\0' x";
    let agent = format!("yes \"$({line})\" | head -c 200000000\necho\necho the end\n{WORK}");
    let (task, _) = site.once("--log-max 1MiB", &agent);
    assert_eq!(task.queue, "provisional");
    let log = site.log(&task.id);
    assert!(log.contains("bytes left out]") && log.contains("the end\n"), "{}", &log[..200]);
    assert!(log.len() <= 2 * LOG_BYTES_MAX, "{}", log.len());
    let kept = site.ok(&format!("agent logs {}", task.id));
    let end = "\n[the rest is not kept]\n";
    assert_eq!(kept.len(), (1 << 20) + end.len());
    assert!(kept.ends_with(end));
}

#[test]
fn a_line_of_40_mb_does_no_harm() {
    let site = Site::new();
    let agent = format!("head -c 40000000 /dev/zero | tr '\\0' x\necho\necho the end\n{WORK}");
    let (task, run) = site.once("", &agent);
    assert_eq!(task.queue, "provisional");
    let log = site.log(&task.id);
    assert!(log.contains("the end\n") && log.len() < 100_000, "{}", log.len());
    assert!(run.run.summary.unwrap().len() < 10_000);
}

#[test]
fn an_end_without_work_is_a_failure() {
    let site = Site::new();
    let (task, run) = site.once("", "exit 0");
    assert_eq!((&*task.queue, task.failure_count), ("incoming", 1));
    assert_eq!(run.run.reason.as_deref(), Some("empty_output"));
    let (task, run) = site.again(&task.id, "", "echo All done, all tests pass.");
    assert_eq!((&*task.queue, task.failure_count), ("incoming", 2));
    assert_eq!(run.run.reason.as_deref(), Some("no_change"));
    assert!(run.run.message.unwrap().contains("It said: All done, all tests pass."));
    // So does one that claims in the outcome file to be done.
    let agent = "printf 'done\\nI did it.\\n' > \"$OCTOPOID_OUTCOME_FILE\"";
    let (task, run) = site.again(&task.id, "", agent);
    assert_eq!((&*task.queue, run.run.reason.as_deref()), ("failed", Some("empty_output")));
}

#[test]
fn work_that_is_not_committed_is_committed_or_kept() {
    let site = Site::new();
    let agent = "echo work > new.txt; echo more >> README.md; echo Done.";
    let (task, run) = site.once("", agent);
    assert_eq!(task.queue, "provisional");
    assert_eq!(site.commits(&task.id).len(), 1);
    assert_eq!((&run.result["files_changed"], &run.result["insertions"]), (&2.into(), &2.into()));
    assert_eq!(site.git(&format!("show agent/{}:new.txt", task.id)), "work\n");

    let (task, run) = site.once("--on-dirty keep", agent);
    assert_eq!(task.queue, "incoming");
    assert_eq!(run.run.reason.as_deref(), Some("no_change"));
    let message = run.run.message.unwrap();
    assert!(message.contains("README.md") && message.contains("new.txt"), "{message}");
    assert_eq!(fs::read_to_string(site.tree(&task.id).join("new.txt")).unwrap(), "work\n");
    assert!(site.commits(&task.id).is_empty());
}

#[test]
fn a_disk_that_gets_full_stops_the_agent() {
    let site = Site::new();
    let (task, run) = site.once("--min-free 1000000GiB", "while :; do sleep 1; done");
    assert_eq!(task.queue, "incoming");
    let message = run.run.message.unwrap();
    assert!(message.starts_with("The disk of the work tree has "), "{message}");
    assert!(message.ends_with("less than 1024000000 MiB"), "{message}");
    site.is_empty();
}

#[test]
fn an_agent_whose_child_goes_on_has_ended() {
    let site = Site::new();
    let agent = format!("setsid sh -c 'while :; do sleep 1; done' &\n{WORK}");
    let (task, _) = site.once("--grace 1s", &agent);
    assert_eq!(task.queue, "provisional");
    assert_eq!(site.processes_but_guards(), [""; 0]);
}

#[test]
fn an_agent_that_is_killed_has_crashed() {
    let site = Site::new();
    let (task, run) = site.once("", "kill -s SEGV $$");
    assert_eq!((&*task.queue, run.run.reason.as_deref()), ("incoming", Some("crash")));
    assert!(run.run.message.unwrap().contains(&format!("signal {}", Signal::SEGV.as_raw())));
    let (_, run) = site.again(&task.id, "", "kill -s KILL $$");
    assert_eq!(run.run.reason.as_deref(), Some("oom"));
}
