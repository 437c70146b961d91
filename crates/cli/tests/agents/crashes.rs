//! Runners and servers that are killed.

use std::fs;

use octopoid_domain::run::Outcome;
use rustix::process::Signal;

use crate::site::{Site, WORK, now, until};

/// The file on which the agents of a test wait, as a part of a script.
fn waiting_for(site: &Site, name: &str) -> String {
    let path = site.home().join(name);
    format!("until [ -e '{}' ]; do sleep 0.05; done\n", path.display())
}

fn let_go(site: &Site, name: &str) {
    fs::write(site.home().join(name), "").unwrap();
}

#[test]
fn a_runner_that_is_killed_leaves_no_process_and_its_tasks_are_done_by_the_next() {
    let site = Site::new();
    let ids: Vec<_> = (0..3).map(|_| site.add("Work")).collect();
    // The first attempt leaves a file and a child in a session of its own, and never ends.
    let agent = format!(
        "if [ -e started ]; then rm started; {WORK} exit 0; fi
        touch started
        setsid sh -c 'trap \"\" TERM; touch child; while :; do sleep 1; done' &
        while :; do sleep 1; done"
    );
    let command = site.script("agent", &agent);
    let runner = site.start_command(&format!("--slots 3 --name laptop -- {command}"));
    for id in &ids {
        until("an agent with a child", || site.tree_of(id)?.join("child").exists().then_some(()));
    }
    assert!(site.processes().len() >= 6, "{:?}", site.processes());
    runner.kill();
    site.is_empty();
    for id in &ids {
        assert_eq!(site.task(id).queue, "claimed");
        fs::remove_file(site.tree(id).join("child")).unwrap();
    }

    let mut runner = site.start_command(&format!("--slots 3 --name laptop -- {command}"));
    for id in &ids {
        site.reaches(id, "provisional");
        let ends: Vec<_> = site.runs(id).into_iter().map(|run| (run.outcome, run.reason)).collect();
        let expected =
            [(Outcome::Released, Some("drained".to_owned())), (Outcome::Submitted, None)];
        assert_eq!(ends, expected);
        assert_eq!(site.commits(id), ["Work"]);
        assert_eq!(site.task(id).failure_count, 0);
    }
    runner.drain();
}

#[test]
fn a_result_that_the_server_does_not_have_is_handed_in_by_the_next_runner() {
    let mut site = Site::new();
    let id = site.add("Work");
    let agent = format!("{}{WORK}", waiting_for(&site, "go"));
    let runner = site.start("", &agent);
    site.reaches(&id, "claimed");
    runner.prints("claimed");
    until("the agent's tree", || site.tree_of(&id));
    site.kill_server();
    let_go(&site, "go");
    runner.prints("the result is kept and sent again");
    runner.kill();
    site.start_server();
    assert_eq!(site.task(&id).queue, "claimed");

    let mut runner = site.start("", "exit 1");
    runner.prints("handed in");
    assert_eq!(site.task(&id).queue, "provisional");
    let runs = site.runs(&id);
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].outcome, Outcome::Submitted);
    assert_eq!(site.commits(&id), ["Work"]);
    runner.drain();
    assert!(site.task(&id).claimed_by.is_none());
}

#[test]
fn a_server_that_is_away_for_longer_than_the_lease_gets_the_result_once() {
    let mut site = Site::serving("--lease-grace 0s");
    let id = site.add("Work");
    let agent = format!("{}{WORK}", waiting_for(&site, "go"));
    let mut runner = site.start("--once --lease 15s", &agent);
    until("the agent's tree", || site.tree_of(&id));
    // The first renewal makes the lease as short as the user wants it.
    let end = until("the first renewal", || {
        let task = site.task(&id);
        let left = task.lease_expires_at?.0 - task.claimed_at?.0;
        (left < 40_000).then_some(task.lease_expires_at?)
    });
    site.kill_server();
    let_go(&site, "go");
    runner.prints("the result is kept and sent again");
    until("the end of the lease", || (now() > end).then_some(()));
    site.start_server();
    runner.ends_well();
    assert_eq!(site.task(&id).queue, "provisional");
    let runs = site.runs(&id);
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0].outcome, Outcome::Submitted);
    assert_eq!(site.commits(&id), ["Work"]);
}

#[test]
fn a_result_that_the_server_has_is_not_handed_in_twice() {
    let site = Site::new();
    let id = site.add("Work");
    let agent = format!("{}{WORK}", waiting_for(&site, "go"));
    let mut runner = site.start("--once", &agent);
    until("the agent's tree", || site.tree_of(&id));
    let folder = site.run_folder();
    let begun = fs::read(folder.join("run.json")).unwrap();
    let_go(&site, "go");
    runner.ends_well();
    let version = site.task(&id).version;
    // As if the runner had been killed between the answer and its note: it gives the task back.
    fs::rename(folder.join("ended.json"), site.home().join("ended.json")).unwrap();
    fs::write(folder.join("run.json"), begun).unwrap();
    let mut runner = site.start("--idle-exit 1s", "exit 1");
    runner.ends_well();
    assert!(runner.printed().contains("recovered"), "{}", runner.printed());
    let task = site.task(&id);
    assert_eq!((&*task.queue, task.version), ("provisional", version));
    assert_eq!(site.runs(&id).len(), 1);
    assert!(!folder.join("run.json").exists());
}

#[test]
fn a_machine_that_slept_lets_go_of_what_another_has_done() {
    let site = Site::serving("--lease-grace 0s");
    let id = site.add("Work");
    let agent = format!("{WORK}touch begun; while :; do sleep 1; done");
    let mut runner = site.start("--once --lease 15s", &agent);
    until("the agent", || site.tree_of(&id)?.join("begun").exists().then_some(()));
    runner.signal(Signal::STOP);
    site.reaches(&id, "incoming");
    site.ok("task claim --agent other");
    site.ok("task submit --commits 1");
    let version = site.task(&id).version;
    runner.signal(Signal::CONT);
    runner.ends_well();
    assert!(runner.printed().contains("\"lost\""), "{}", runner.printed());
    let task = site.task(&id);
    assert_eq!((&*task.queue, task.version), ("provisional", version));
    let ends: Vec<_> = site.runs(&id).into_iter().map(|run| (run.outcome, run.agent)).collect();
    assert_eq!(ends[0].0, Outcome::Lapsed);
    assert_eq!(ends[1..], [(Outcome::Submitted, Some("other".to_owned()))]);
    assert_eq!(site.processes_but_guards(), [""; 0]);
    // Nothing is lost: a person may want it.
    assert!(site.tree(&id).join("begun").exists());
    assert_eq!(site.commits(&id), ["Work"]);
}

#[test]
fn a_task_that_is_taken_away_is_let_go_of_before_it_is_done_again() {
    let site = Site::new();
    let id = site.add("Work");
    // Two agents at once in one tree would find each other.
    let agent = format!(
        "if [ -e begun ]; then rm begun; {WORK} exit 0; fi
        touch begun; trap '' TERM
        while :; do sleep 0.1; test -e begun || touch \"$HOME/both\"; done"
    );
    let mut runner = site.start("--lease 15s --grace 1s", &agent);
    until("the agent", || site.tree_of(&id)?.join("begun").exists().then_some(()));
    site.ok(&format!("task requeue {id} --reason 'Not now'"));
    site.reaches(&id, "provisional");
    let ends: Vec<_> = site.runs(&id).into_iter().map(|run| run.outcome).collect();
    assert_eq!(ends, [Outcome::Released, Outcome::Submitted]);
    assert!(!site.home().join("both").exists());
    assert!(runner.printed().contains("\"lost\""), "{}", runner.printed());
    runner.drain();
}
