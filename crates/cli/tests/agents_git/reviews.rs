//! Reviews by agents: what they are given, and what follows from their verdicts.

use std::fs;

use octopoid_domain::run::Kind;

use crate::{
    machine::{Machine, said},
    program::World,
};

/// An agent that commits one line, and keeps its prompt.
const WORKS: &str = "cat > ~/work.md; echo new >> new.txt; git add .; git commit -q -m new";

/// A reviewer that keeps its prompt, looks at its folder, and then does this.
fn reviewer(then: &str) -> String {
    format!("cat > ~/review.md; cat new.txt > ~/seen.txt\n{then}")
}

/// Works on a new task.
fn submitted(machine: &Machine<'_>, id: &str, more: &str) {
    machine.add(id, more);
    said(&machine.agent("", WORKS), "submitted");
}

#[test]
fn a_reviewer_is_given_the_task_and_the_change() {
    let world = World::new();
    let machine = Machine::new(&world);
    submitted(&machine, "t1", "-c 'Add a line.\n\n## Acceptance\n\nThe line is new.'");
    let accepts = "printf 'accept\\nIt does what it should\\n' > $OCTOPOID_OUTCOME_FILE";
    let notices = machine.agent("--review", &reviewer(accepts));
    assert_eq!(said(&notices, "approved"), "It does what it should");
    assert_eq!(machine.queue("t1"), "approved");
    let prompt = fs::read_to_string(machine.home.join("review.md")).unwrap();
    for part in ["# Task t1", "Add a line.", "The line is new.", "```diff\n", "+new\n", "main at "]
    {
        assert!(prompt.contains(part), "{part}: {prompt}");
    }
    assert_eq!(fs::read_to_string(machine.home.join("seen.txt")).unwrap(), "new\n");
    let trees = machine.trees();
    assert!(trees.iter().all(|tree| tree.ends_with("t1")), "the review's is gone: {trees:?}");
    assert_eq!(machine.last_run("t1", Kind::Review).run.outcome.as_str(), "accepted");
}

#[test]
fn work_whose_flow_has_no_merge_is_done_when_it_is_accepted() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.ok("add --id t1 Work");
    machine.agent("", WORKS);
    said(&machine.agent("--review", "echo 'Looks good.'; echo 'VERDICT: accept'"), "accepted");
    assert_eq!(machine.queue("t1"), "done");
}

#[test]
fn what_a_reviewer_rejects_is_given_to_the_next_attempt() {
    let world = World::new();
    let machine = Machine::new(&world);
    submitted(&machine, "t1", "");
    let by_file = "printf 'reject\\nUse ``old`` instead.\\nTwice.\\n' > $OCTOPOID_OUTCOME_FILE";
    let notices = machine.agent("--review", &reviewer(by_file));
    assert_eq!(said(&notices, "rejected"), "Use ``old`` instead.");
    assert_eq!(machine.queue("t1"), "incoming");
    machine.agent("", WORKS);
    let prompt = || fs::read_to_string(machine.home.join("work.md")).unwrap();
    assert!(prompt().contains("rejected the work: Use ``old`` instead.\nTwice."), "{}", prompt());
    let by_line = "echo 'The second line is missing.'; echo '**VERDICT: reject**'";
    said(&machine.agent("--review", &reviewer(by_line)), "rejected");
    machine.agent("", WORKS);
    let prompt = prompt();
    assert!(prompt.contains("The second line is missing."), "{prompt}");
    assert!(prompt.contains("Use ``old``") && !prompt.contains("VERDICT"), "{prompt}");
    assert_eq!(machine.queue("t1"), "provisional");
}

#[test]
fn without_a_verdict_the_work_stays_in_review_and_the_reviewer_pauses() {
    let world = World::new();
    let machine = Machine::new(&world);
    submitted(&machine, "t1", "");
    // Without the pause, it would claim the same task again and again until it has had nothing to do
    // for a second.
    let script = machine.script("reviewer", "echo 'Interesting work'");
    let mut command = machine.command("agent run --review --idle-exit 1s -o ndjson --");
    let ended = crate::program::finish(command.arg(&script));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.matches("\"kind\":\"reviewing\"").count(), 1, "{}", ended.stdout);
    assert_eq!(machine.queue("t1"), "provisional");
    let (reason, message) = machine.failure("t1", Kind::Review);
    assert_eq!((&*reason, &*message), ("empty_output", "The reviewer gave no verdict"));
    // A reviewer whose program fails has given no verdict, even if the outcome file has one.
    let fails = "echo accept > $OCTOPOID_OUTCOME_FILE; exit 1";
    said(&machine.agent("--review", fails), "failed");
    assert_eq!(
        (&*machine.queue("t1"), &*machine.failure("t1", Kind::Review).0),
        ("provisional", "other")
    );
    assert_eq!(machine.task("t1").rejection_count.unwrap_or_default(), 0);
}

#[test]
fn a_reviewer_changes_nothing_of_the_work() {
    let world = World::new();
    let machine = Machine::new(&world);
    submitted(&machine, "t1", "");
    let head = machine.git("rev-parse agent/t1");
    let changes = "echo changed > new.txt; git commit -q -a -m changed; echo more > more.txt
        echo accept > $OCTOPOID_OUTCOME_FILE";
    said(&machine.agent("--review", &reviewer(changes)), "approved");
    assert_eq!(machine.git("rev-parse agent/t1"), head);
    said(&machine.merge(""), "merged");
    assert_eq!(machine.read("new.txt"), "new\n");
}

#[test]
fn a_long_change_is_cut_and_its_fence_holds() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.add("t1", "");
    machine.agent(
        "",
        "echo '````' > new.txt; seq 1 30000 >> new.txt; git add .; git commit -q -m new",
    );
    let accepts = "cat > ~/review.md; echo accept > $OCTOPOID_OUTCOME_FILE";
    said(&machine.agent("--review", accepts), "approved");
    let prompt = fs::read_to_string(machine.home.join("review.md")).unwrap();
    assert!(prompt.len() < 80 << 10, "{}", prompt.len());
    let (_, rest) = prompt.split_once("\n`````diff\n").unwrap();
    let (change, rest) = rest.split_once("\n`````\n").unwrap();
    assert!(change.contains("+````\n") && !change.contains("+30000"), "{rest}");
    assert!(rest.contains("The rest is left out: `git diff "), "{rest}");
}
