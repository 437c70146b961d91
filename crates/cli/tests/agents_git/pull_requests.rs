//! Pull requests, by a program `gh` that notes its arguments.

use octopoid_domain::run::Kind;

use crate::{
    machine::{Machine, said},
    program::World,
};

const WORKS: &str = "echo $OCTOPOID_ATTEMPT >> new.txt; git add .; git commit -q -m new";

/// A program `gh` that does this after it has noted its arguments.
fn gh(machine: &Machine<'_>, then: &str) {
    machine.script(
        "gh",
        &format!(
            "for word in \"$@\"; do echo \"$word\"; done >> ~/gh.log\n\
        env | grep OCTOPOID_ >> ~/gh.log || true\n{then}"
        ),
    );
}

#[test]
fn a_pull_request_is_opened_for_work_that_is_submitted() {
    let world = World::new();
    let machine = Machine::new(&world);
    let bare = machine.publish();
    gh(&machine, "cat >> ~/gh.log; echo 'Creating pull request'; echo https://example.org/pull/7");
    machine.add("t1", "-c 'Do it.'");
    said(&machine.agent("--push --pr", WORKS), "submitted");
    assert_eq!(machine.result("t1")["pr_url"], "https://example.org/pull/7");
    assert_eq!(
        std::fs::read_to_string(machine.home.join("gh.log")).unwrap(),
        "pr\ncreate\n--head\nagent/t1\n--base\nmain\n--title\nTask t1\n--body-file\n-\nDo it.\n\nTask t1\n"
    );
    // It is pushed before.
    assert_eq!(machine.git_in(&bare, "show agent/t1:new.txt"), "1");
    let ended = machine.run("agent run --pr --once -- true");
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

#[test]
fn a_pull_request_that_is_open_already_is_the_one() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.publish();
    gh(
        &machine,
        "if [ $2 = view ]; then echo https://example.org/pull/8; exit 0; fi
        echo 'a pull request for branch \"agent/t1\" already exists' >&2; exit 1",
    );
    machine.add("t1", "");
    said(&machine.agent("--push --pr", WORKS), "submitted");
    assert_eq!(machine.result("t1")["pr_url"], "https://example.org/pull/8");
}

#[test]
fn work_without_its_pull_request_is_not_submitted() {
    let world = World::new();
    let machine = Machine::new(&world);
    let bare = machine.publish();
    gh(&machine, "echo 'gh: not logged in' >&2; exit 4");
    machine.add("t1", "");
    said(&machine.agent("--push --pr", WORKS), "failed");
    let (reason, message) = machine.failure("t1", Kind::Work);
    assert_eq!(reason, "worktree_error");
    assert!(message.contains("gh pr: gh: not logged in"), "{message}");
    assert_eq!(machine.git_in(&bare, "show agent/t1:new.txt"), "1", "the work is kept");
    // The next attempt finds the work there, and has only to look at it.
    gh(&machine, "echo https://example.org/pull/9");
    machine.at_once("t1");
    said(&machine.agent("--push --pr", WORKS), "submitted");
    assert_eq!(machine.result("t1")["pr_url"], "https://example.org/pull/9");
}

#[test]
fn work_that_changes_nothing_has_no_branch_and_no_pull_request() {
    let world = World::new();
    let machine = Machine::new(&world);
    let bare = machine.publish();
    gh(&machine, "exit 1");
    machine.add("t1", "");
    let says = "echo no_change > $OCTOPOID_OUTCOME_FILE";
    said(&machine.agent("--push --pr", says), "submitted");
    assert!(!machine.home.join("gh.log").exists());
    assert_eq!(machine.git_in(&bare, "branch --list agent/*"), "");
    machine.ok("task accept t1");
    said(&machine.merge("--push"), "merged");
    assert_eq!(machine.queue("t1"), "done");
}
