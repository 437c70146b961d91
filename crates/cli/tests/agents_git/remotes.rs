//! Work on one machine, a review or a merge on another: by a remote, or by the patch.

use octopoid_domain::run::Kind;

use crate::{
    machine::{Machine, said},
    program::World,
};

const WORKS: &str = "echo new > new.txt; git add .; git commit -q -m new";
const ACCEPTS: &str = "cat new.txt > ~/seen.txt; echo accept > $OCTOPOID_OUTCOME_FILE";

#[test]
fn pushed_work_is_reviewed_and_merged_on_another_machine() {
    let world = World::new();
    let alice = Machine::new(&world);
    let bare = alice.publish();
    let bob = Machine::cloning(&world, "bob", &bare);
    alice.add("t1", "");
    said(&alice.agent("--push", WORKS), "submitted");
    let head = alice.result("t1")["head_sha"].clone();
    assert_eq!(alice.git_in(&bare, "rev-parse agent/t1"), head);
    assert_eq!(alice.git_in(&bare, "log --format=%s main"), "README.md");
    said(&bob.agent("--review --push", ACCEPTS), "approved");
    assert_eq!(std::fs::read_to_string(bob.home.join("seen.txt")).unwrap(), "new\n");
    said(&bob.merge("--push"), "merged");
    assert_eq!(bob.queue("t1"), "done");
    assert_eq!(bob.git("rev-parse main"), head, "there was nothing to rebase");
    assert_eq!(alice.git_in(&bare, "rev-parse main"), head);
    assert_eq!(bob.read("new.txt"), "new\n");
    assert_eq!(bob.git("status --porcelain"), "");
    // The next work starts from there, on the first machine too.
    alice.add("t2", "");
    said(
        &alice.agent("--push", "cat new.txt > two.txt; git add .; git commit -q -m two"),
        "submitted",
    );
    assert_eq!(alice.result("t2")["base_sha"], head);
}

#[test]
fn an_attempt_on_another_machine_goes_on_where_the_first_was_pushed() {
    let world = World::new();
    let alice = Machine::new(&world);
    let bare = alice.publish();
    let bob = Machine::cloning(&world, "bob", &bare);
    alice.add("t1", "");
    said(&alice.agent("--push=origin", WORKS), "submitted");
    alice.ok("task reject t1 --reason More");
    said(&bob.agent("--push", "echo more >> new.txt; git commit -q -a -m more"), "submitted");
    assert_eq!(alice.git_in(&bare, "log --format=%s agent/t1"), "more\nnew\nREADME.md");
    alice.ok("task reject t1 --reason 'Even more'");
    said(&alice.agent("--push", "echo even >> new.txt; git commit -q -a -m even"), "submitted");
    assert_eq!(alice.git_in(&bare, "show agent/t1:new.txt"), "new\nmore\neven");
}

#[test]
fn without_the_branch_the_patch_is_applied() {
    let world = World::new();
    let alice = Machine::new(&world);
    let bob = Machine::cloning(&world, "bob", &alice.repo);
    alice.add("t1", "");
    let works = "printf 'binary\\0\\377' > logo.bin; mv README.md READ.md; echo new > new.txt
        git add -A; git commit -q -m new";
    said(&alice.agent("", works), "submitted");
    said(&bob.agent("--review", ACCEPTS), "approved");
    said(&bob.merge(""), "merged");
    assert_eq!(bob.queue("t1"), "done");
    assert_eq!(bob.git("log --format=%s main"), "Work on task t1\nREADME.md");
    let of = |machine: &Machine<'_>, branch| machine.git(&format!("rev-parse {branch}^{{tree}}"));
    assert_eq!(of(&bob, "main"), of(&alice, "agent/t1"));
}

#[test]
fn a_patch_that_is_not_complete_is_not_applied() {
    let world = World::new();
    let alice = Machine::new(&world);
    let bob = Machine::cloning(&world, "bob", &alice.repo);
    alice.add("t1", "");
    said(&alice.agent("", "seq 1 120000 > new.txt; git add .; git commit -q -m long"), "submitted");
    assert_eq!(alice.result("t1")["patch_truncated"], true);
    let notices = bob.agent("--review", ACCEPTS);
    assert!(said(&notices, "failed").starts_with("setup_failed: "), "{notices:?}");
    let (reason, message) = bob.failure("t1", Kind::Review);
    assert_eq!(reason, "setup_failed");
    for part in ["does not have commit", "is not complete", "--push"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(bob.queue("t1"), "provisional");
    // Where the commit is, nothing is missing.
    said(&alice.agent("--review", ACCEPTS), "approved");
    said(&bob.merge(""), "failed");
    assert_eq!(bob.queue("t1"), "approved");
    assert_eq!(bob.git("log --format=%s main"), "README.md");
}

#[test]
fn a_base_that_moves_on_the_remote_is_never_overwritten() {
    let world = World::new();
    let alice = Machine::new(&world);
    let bare = alice.publish();
    let carol = Machine::cloning(&world, "carol", &bare);
    alice.add("t1", "");
    said(&alice.agent("--push", WORKS), "submitted");
    alice.ok("task accept t1");
    let check = format!(
        "ls >> ~/checked
        if [ ! -e ~/moved ]; then
            touch ~/moved; cd {}; echo x > meanwhile.txt; git add .
            git -c user.name=Carol -c user.email=carol@example.org commit -q -m meanwhile
            git push -q origin HEAD:main
        fi",
        carol.repo.display()
    );
    alice.script("check", &check);
    said(&alice.merge("--push --check check"), "merged");
    let checked = std::fs::read_to_string(alice.home.join("checked")).unwrap();
    assert_eq!(checked, "README.md\nnew.txt\nREADME.md\nmeanwhile.txt\nnew.txt\n");
    let log = "new\nmeanwhile\nREADME.md";
    assert_eq!(alice.git_in(&bare, "log --format=%s main"), log);
    assert_eq!(alice.git("log --format=%s main"), log);
}

#[test]
fn a_remote_that_takes_no_branch_fails_the_attempt_with_what_it_says() {
    let world = World::new();
    let machine = Machine::new(&world);
    let bare = machine.publish();
    let hook = machine.script("hook", "echo 'branches of agents are not wanted' >&2; exit 1");
    std::fs::rename(hook, bare.join("hooks/pre-receive")).unwrap();
    machine.add("t1", "");
    said(&machine.agent("--push", WORKS), "failed");
    let (reason, message) = machine.failure("t1", Kind::Work);
    assert_eq!(reason, "worktree_error");
    assert!(message.contains("branches of agents are not wanted"), "{message}");
    assert_eq!(machine.git("log --format=%s main..agent/t1"), "new", "the work is kept");
    let ended = machine.run("agent run --push=upstream --once -- true");
    assert_eq!(ended.code, Some(2), "{}", ended.stdout);
    assert!(ended.stderr.contains("has no remote `upstream`; it has origin"), "{}", ended.stderr);
}

#[test]
fn a_branch_whose_commits_are_rewritten_is_replaced() {
    let world = World::new();
    let alice = Machine::new(&world);
    let bare = alice.publish();
    alice.add("t1", "");
    said(&alice.agent("--push", WORKS), "submitted");
    alice.ok("task reject t1 --reason 'Say more'");
    said(&alice.agent("--push", "git commit -q --amend -m better"), "submitted");
    assert_eq!(alice.git_in(&bare, "log --format=%s agent/t1"), "better\nREADME.md");
    // Commits of others on it are not.
    alice.ok("task reject t1 --reason 'Say even more'");
    let carol = Machine::cloning(&world, "carol", &bare);
    let meanwhile = format!(
        "(cd {}; git checkout -q agent/t1; echo x > x.txt; git add .
        git -c user.name=Carol -c user.email=carol@example.org commit -q -m carol; git push -q)
        git commit -q --amend -m best",
        carol.repo.display()
    );
    said(&alice.agent("--push", &meanwhile), "failed");
    let (reason, message) = alice.failure("t1", Kind::Work);
    assert_eq!(reason, "worktree_error");
    assert!(message.contains("they are not overwritten"), "{message}");
    assert_eq!(alice.git_in(&bare, "log --format=%s agent/t1"), "carol\nbetter\nREADME.md");
}

#[test]
fn bases_that_have_parted_are_asked_about() {
    let world = World::new();
    let alice = Machine::new(&world);
    let bare = alice.publish();
    alice.add("t1", "");
    said(&alice.agent("--push", WORKS), "submitted");
    alice.ok("task accept t1");
    let carol = Machine::cloning(&world, "carol", &bare);
    carol.commit("hers.txt", "hers\n");
    carol.git("push --quiet origin main");
    alice.commit("mine.txt", "mine\n");
    said(&alice.merge("--push"), "asks");
    let questions = alice.questions();
    assert!(questions[0].1.contains("git pull --rebase origin main"), "{questions:?}");
    assert_eq!(alice.queue("t1"), "approved");
    alice.git("pull --quiet --rebase origin main");
    alice.ok(&format!("action approve {} --answer Done", questions[0].0));
    said(&alice.merge("--push"), "merged");
    let log = "new\nmine.txt\nhers.txt\nREADME.md";
    assert_eq!(alice.git_in(&bare, "log --format=%s main"), log);
    assert_eq!(alice.git("log --format=%s main"), log);
}

#[test]
fn a_remote_that_protects_the_base_is_asked_about() {
    let world = World::new();
    let alice = Machine::new(&world);
    let bare = alice.publish();
    alice.add("t1", "");
    said(&alice.agent("--push", WORKS), "submitted");
    alice.ok("task accept t1");
    let protects = "while read old new name; do
        [ $name != refs/heads/main ] || { echo 'main is protected' >&2; exit 1; }; done";
    let hook = bare.join("hooks/pre-receive");
    std::fs::rename(alice.script("hook", protects), &hook).unwrap();
    said(&alice.merge("--push"), "asks");
    let questions = alice.questions();
    assert_eq!(questions.len(), 1, "{questions:?}");
    assert!(questions[0].1.contains("main is protected"), "{questions:?}");
    assert_eq!(
        (&*alice.queue("t1"), &*alice.git("log --format=%s main")),
        ("approved", "README.md")
    );
    std::fs::remove_file(hook).unwrap();
    alice.ok(&format!("action approve {} --answer Done", questions[0].0));
    said(&alice.merge("--push"), "merged");
    assert_eq!(alice.git_in(&bare, "log --format=%s main"), "new\nREADME.md");
}
