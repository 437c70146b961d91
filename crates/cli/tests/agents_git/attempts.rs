//! Several attempts at a task: what the next one finds, and what counts as its work.

use octopoid_domain::run::Kind;

use crate::{
    machine::{Machine, said},
    program::World,
};

/// An agent that commits its first file, and in a later attempt its second.
const GOES_ON: &str = "if [ -f first.txt ]; then name=second; else name=first; fi
echo $name > $name.txt; git add .; git commit -q -m $name";

#[test]
fn a_second_attempt_goes_on_where_the_first_has_ended() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.add("t1", "");
    let base = machine.git("rev-parse main");
    said(&machine.agent("", GOES_ON), "submitted");
    assert_eq!(machine.queue("t1"), "provisional");
    let first = machine.result("t1");
    assert_eq!(
        (first["branch"].as_str(), first["base"].as_str()),
        (Some("agent/t1"), Some("main"))
    );
    assert_eq!(first["base_sha"], base);
    assert_eq!(first["files_changed"], 1);
    machine.ok("task reject t1 --reason 'The second file is missing'");
    assert_eq!(machine.queue("t1"), "incoming");
    said(&machine.agent("", GOES_ON), "submitted");
    let second = machine.result("t1");
    assert_eq!((second["base_sha"].as_str(), &second["files_changed"]), (Some(&*base), &2.into()));
    assert_eq!(machine.git("log --format=%s main..agent/t1"), "second\nfirst");
    assert_eq!(machine.git("rev-parse agent/t1"), second["head_sha"]);
    assert_eq!(machine.task("t1").commits_count, Some(1), "the second attempt has made one");
}

#[test]
fn an_attempt_that_does_nothing_after_a_rejection_is_not_submitted_again() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.add("t1", "");
    machine.agent("", GOES_ON);
    machine.ok("task reject t1 --reason 'Try again'");
    let notices = machine.agent("", "echo 'I think it is fine as it is'");
    assert!(said(&notices, "failed").starts_with("no_change: "), "{notices:?}");
    assert_eq!(machine.queue("t1"), "incoming");
    // What it says about the end changes nothing.
    machine.at_once("t1");
    let notices = machine.agent("", "echo done > $OCTOPOID_OUTCOME_FILE");
    assert!(said(&notices, "failed").starts_with("empty_output: "), "{notices:?}");
    assert_eq!(machine.git("log --format=%s main..agent/t1"), "first");
}

#[test]
fn what_an_earlier_attempt_left_is_no_evidence_of_work() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.add("t1", "");
    let leaves =
        "echo half > new.txt; echo more >> README.md; git rm -q --cached README.md; exit 1";
    said(&machine.agent("", leaves), "failed");
    let tree = machine.trees().pop().unwrap();
    for script in ["echo 'Nothing to do'", "echo done > $OCTOPOID_OUTCOME_FILE", "touch new.txt"] {
        machine.at_once("t1");
        let notices = machine.agent("", script);
        let failed = said(&notices, "failed");
        assert!(
            failed.starts_with("no_change: ") || failed.starts_with("empty_output: "),
            "{script}: {failed}"
        );
        assert_eq!(machine.git("log --format=%s main..agent/t1"), "", "{script}");
        assert_eq!(std::fs::read_to_string(tree.join("new.txt")).unwrap(), "half\n");
        // Three attempts would be the last.
        if machine.queue("t1") == "failed" {
            machine.ok("task retry t1");
        }
    }
    // An attempt that adds to them is work, with all that is there.
    machine.at_once("t1");
    said(&machine.agent("", "echo whole >> new.txt"), "submitted");
    assert_eq!(machine.git("show agent/t1:new.txt"), "half\nwhole");
    assert_eq!(machine.git("show agent/t1:README.md"), "A project.\nmore");
}

#[test]
fn committing_what_was_left_is_work() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.add("t1", "");
    said(&machine.agent("", "echo half > new.txt; exit 1"), "failed");
    machine.at_once("t1");
    said(&machine.agent("", "git add .; git commit -q -m 'It was complete'"), "submitted");
    assert_eq!(machine.git("log --format=%s main..agent/t1"), "It was complete");
    assert_eq!(machine.last_run("t1", Kind::Work).result["files_changed"], 1);
}

#[test]
fn changes_are_committed_or_kept() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.add("t1", "");
    let changes = "echo new > new.txt";
    let notices = machine.agent("--on-dirty keep", changes);
    assert!(said(&notices, "failed").starts_with("no_change: "), "{notices:?}");
    assert!(machine.failure("t1", Kind::Work).1.contains("new.txt"));
    let tree = machine.trees().pop().unwrap();
    assert!(tree.join("new.txt").exists());
    machine.add("t2", "");
    said(&machine.agent("", changes), "submitted");
    assert_eq!(machine.git("log --format=%s%n%an main..agent/t2"), "Task t2\nAlice");
}

#[test]
fn a_hook_that_refuses_the_changes_is_a_check_that_fails() {
    let world = World::new();
    let machine = Machine::new(&world);
    let hook =
        machine.script("hook", "grep -q bad new.txt || exit 0; echo 'bad is bad' >&2; exit 1");
    std::fs::rename(hook, machine.repo.join(".git/hooks/pre-commit")).unwrap();
    machine.add("t1", "");
    said(&machine.agent("", "echo bad > new.txt"), "failed");
    let (reason, message) = machine.failure("t1", Kind::Work);
    assert_eq!(reason, "check_failed");
    assert!(message.starts_with("The changes cannot be committed: `git commit` in "), "{message}");
    machine.at_once("t1");
    said(&machine.agent("", "cat > ~/prompt.md; echo good > new.txt"), "submitted");
    let prompt = std::fs::read_to_string(machine.home.join("prompt.md")).unwrap();
    assert!(prompt.contains("bad is bad"), "{prompt}");
    assert_eq!(machine.git("show agent/t1:new.txt"), "good");
}

#[test]
fn a_conflict_that_an_attempt_leaves_is_cleared_for_the_next() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.add("t1", "");
    machine.agent("", "echo one > same.txt; git add .; git commit -q -m one");
    machine.ok("task reject t1 --reason Rebase");
    machine.commit("same.txt", "two\n");
    said(&machine.agent("", "git rebase -q main || true"), "failed");
    let (reason, message) = machine.failure("t1", Kind::Work);
    assert_eq!(reason, "other");
    assert!(message.contains("has conflicts that are not resolved, in same.txt"), "{message}");
    machine.at_once("t1");
    let resolves = "test -z \"$(git status --porcelain)\"; git log --format=%s > ~/log
        git rebase -q main || { echo both > same.txt; git add .; GIT_EDITOR=true git rebase --continue; }";
    said(&machine.agent("", resolves), "submitted");
    let log = std::fs::read_to_string(machine.home.join("log")).unwrap();
    assert_eq!(log, "one\nREADME.md\n");
    assert_eq!(machine.git("show agent/t1:same.txt"), "both");
    assert_eq!(machine.result("t1")["files_changed"], 1);
}

#[test]
fn commits_count_wherever_the_agent_has_made_them() {
    let world = World::new();
    let machine = Machine::new(&world);
    let commits = "echo new > new.txt; git add .; git commit -q -m new";
    for (id, elsewhere) in [("t1", "git checkout -q -b mine"), ("t2", "git checkout -q --detach")] {
        machine.add(id, "");
        said(&machine.agent("", &format!("{elsewhere}; {commits}")), "submitted");
        let result = machine.result(id);
        assert_eq!(result["branch"], format!("agent/{id}"));
        assert_eq!(machine.git(&format!("rev-parse agent/{id}")), result["head_sha"]);
        assert_eq!(machine.git(&format!("log --format=%s main..agent/{id}")), "new");
    }
}

#[test]
fn an_agent_that_deletes_its_work_tree_fails_and_the_next_gets_a_new_one() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.add("t1", "");
    let deletes =
        "echo new > new.txt; git add .; git commit -q -m new; rm -rf \"$OCTOPOID_WORKTREE\"";
    said(&machine.agent("", deletes), "failed");
    assert_eq!(machine.failure("t1", Kind::Work).0, "worktree_error");
    machine.at_once("t1");
    said(&machine.agent("", "test -f new.txt; echo more >> new.txt"), "submitted");
    assert_eq!(machine.git("show agent/t1:new.txt"), "new\nmore");
}
