//! Reviews and merges that are ended before they have come to a verdict.

use std::fs;

use octopoid_domain::run::Outcome;
use rustix::process::Signal;
use serde_json::json;

use crate::site::{Site, WORK, until};

/// A flow in which work is reviewed, approved and merged.
fn apply_flow(site: &Site) {
    let steps = [
        ("incoming", "claimed"),
        ("claimed", "provisional"),
        ("claimed", "incoming"),
        ("provisional", "approved"),
        ("provisional", "incoming"),
        ("approved", "done"),
        ("approved", "incoming"),
    ];
    let steps: Vec<_> = steps.map(|(from, to)| json!({ "from": from, "to": to })).into();
    let states = ["incoming", "claimed", "provisional", "approved", "done", "failed"];
    let flow = json!({ "name": "merging", "states": states, "transitions": steps });
    let path = site.home().join("flow.json");
    fs::write(&path, flow.to_string()).unwrap();
    site.ok(&format!("flow apply {}", path.display()));
}

#[test]
fn a_review_that_comes_to_nothing_leaves_the_work_as_it_is() {
    let site = Site::new();
    let (task, _) = site.once("", WORK);
    let id = task.id;
    let is_free = || {
        let task = site.task(&id);
        assert_eq!((&*task.queue, task.claimed_by), ("provisional", None));
    };
    site.start("--review --once", "echo It looks good to me.").ends_well();
    is_free();
    let run = site.last_run(&id).run;
    assert_eq!(run.message.as_deref(), Some("The reviewer gave no verdict"));

    let begun = site.home().join("begun");
    let forever = "touch \"$HOME/begun\"; while :; do sleep 1; done";
    let mut runner = site.start("--review --grace 1s", forever);
    until("the reviewer", || begun.exists().then_some(()));
    for _ in 0..2 {
        runner.signal(Signal::TERM);
        runner.prints("draining");
    }
    runner.ends_well();
    is_free();
    assert_eq!(site.last_run(&id).run.reason.as_deref(), Some("drained"));

    fs::remove_file(&begun).unwrap();
    let runner = site.start("--review", forever);
    until("the reviewer", || begun.exists().then_some(()));
    runner.kill();
    site.is_empty();
    let verdict = "printf 'It is right.\\n\\nVERDICT: accept\\n'";
    site.start("--review --once", verdict).ends_well();
    assert_eq!(site.task(&id).queue, "done");
    let ends: Vec<_> = site.runs(&id).into_iter().map(|run| run.outcome).collect();
    let (failed, released) = (Outcome::Failed, Outcome::Released);
    assert_eq!(ends, [Outcome::Submitted, failed, released, released, Outcome::Accepted]);
}

#[test]
fn a_merge_that_is_killed_is_done_by_the_next_runner() {
    let site = Site::new();
    apply_flow(&site);
    let id = site.add("Work --flow merging");
    site.again(&id, "", WORK);
    site.ok(&format!("task accept {id}"));
    let begun = site.home().join("begun");
    let check = "--check 'if [ ! -e \"$HOME/begun\" ]; then touch \"$HOME/begun\"; sleep 300; fi'";
    let runner = site.start_command(&format!("--merge {check}"));
    until("the check", || begun.exists().then_some(()));
    runner.kill();
    site.is_empty();
    assert_eq!(site.task(&id).queue, "approved");
    site.start_command(&format!("--merge --once {check}")).ends_well();
    assert_eq!(site.task(&id).queue, "done");
    assert_eq!(site.git("log --format=%s"), "Work\nBegin\n");
}
