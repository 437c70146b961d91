//! Merges: conflicts, bases that move, checks, and what is in the way.

use octopoid_domain::run::Kind;

use crate::{
    machine::{Machine, said},
    program::World,
};

/// Works on a task with this script, and accepts it.
fn approved(machine: &Machine<'_>, id: &str, script: &str) {
    machine.add(id, "");
    said(&machine.agent("", script), "submitted");
    machine.ok(&format!("task accept {id}"));
    assert_eq!(machine.queue(id), "approved");
}

/// An agent that commits this text to a file.
fn writes(name: &str, text: &str) -> String {
    format!("echo '{text}' > {name}; git add .; git commit -q -m '{text}'")
}

#[test]
fn of_two_tasks_that_conflict_the_second_is_done_again() {
    let world = World::new();
    let machine = Machine::new(&world);
    approved(&machine, "t1", &writes("same.txt", "one"));
    approved(&machine, "t2", &writes("same.txt", "two"));
    said(&machine.merge(""), "merged");
    assert_eq!((&*machine.queue("t1"), &*machine.read("same.txt")), ("done", "one\n"));
    said(&machine.merge(""), "rejected");
    assert_eq!(machine.queue("t2"), "incoming");
    assert_eq!(machine.git("status --porcelain"), "");
    let resolves = "cat > ~/prompt.md
        git rebase -q main || { printf 'one\\ntwo\\n' > same.txt; git add .; \
        GIT_EDITOR=true git rebase --continue; }";
    said(&machine.agent("", resolves), "submitted");
    let prompt = std::fs::read_to_string(machine.home.join("prompt.md")).unwrap();
    assert!(prompt.contains("The work conflicts with main in same.txt"), "{prompt}");
    assert!(prompt.contains("+one") && prompt.contains("+ two"), "{prompt}");
    machine.ok("task accept t2");
    said(&machine.merge(""), "merged");
    assert_eq!((&*machine.queue("t2"), &*machine.read("same.txt")), ("done", "one\ntwo\n"));
    assert_eq!(machine.git("log --format=%s main"), "two\none\nREADME.md");
    assert_eq!(machine.git("rev-parse main"), machine.git("rev-parse HEAD"));
}

#[test]
fn work_is_checked_again_if_its_base_has_moved_meanwhile() {
    let world = World::new();
    let machine = Machine::new(&world);
    approved(&machine, "t1", &writes("new.txt", "new"));
    machine.commit("before.txt", "moved before the merge\n");
    let check = "ls >> ~/checked
        if [ ! -e ~/moved ]; then
            touch ~/moved; cd ~/project; echo x > meanwhile.txt
            git add .; git commit -q -m meanwhile
        fi";
    machine.script("check", check);
    said(&machine.merge("--check check"), "merged");
    let checked = std::fs::read_to_string(machine.home.join("checked")).unwrap();
    let files = "README.md\nbefore.txt\nmeanwhile.txt\nnew.txt\n";
    assert_eq!(checked, format!("{}{files}", files.replace("meanwhile.txt\n", "")));
    assert_eq!(machine.git("log --format=%s main"), "new\nmeanwhile\nbefore.txt\nREADME.md");
    assert_eq!(machine.git("status --porcelain"), "");
}

#[test]
fn a_check_that_fails_after_the_rebase_rejects() {
    let world = World::new();
    let machine = Machine::new(&world);
    approved(&machine, "t1", &writes("new.txt", "new"));
    machine.commit("old.txt", "old\n");
    let check = "--check 'test ! -e old.txt || test ! -e new.txt'";
    let base = machine.git("rev-parse main");
    let notices = machine.merge(check);
    assert!(said(&notices, "rejected").starts_with("After a rebase onto main, a check fails."));
    assert_eq!((machine.queue("t1"), machine.git("rev-parse main")), ("incoming".into(), base));
    let notices = machine.agent("", "cat > ~/prompt.md; git rm -q new.txt; git commit -q -m less");
    said(&notices, "submitted");
    let prompt = std::fs::read_to_string(machine.home.join("prompt.md")).unwrap();
    assert!(prompt.contains("`test ! -e old.txt || test ! -e new.txt` ended with 1"), "{prompt}");
    machine.ok("task accept t1");
    said(&machine.merge(check), "merged");
    assert_eq!(machine.git("log --format=%s -n 3 main"), "less\nnew\nold.txt");
}

#[test]
fn local_changes_in_the_way_are_asked_about_once() {
    let world = World::new();
    let machine = Machine::new(&world);
    approved(&machine, "t1", "echo theirs >> README.md; git commit -q -a -m theirs");
    approved(&machine, "t2", &writes("new.txt", "new"));
    machine.write("README.md", "mine\n");
    let notices = machine.merge("");
    assert!(said(&notices, "asks").starts_with("blocked: "), "{notices:?}");
    assert_eq!((&*machine.queue("t1"), &*machine.read("README.md")), ("approved", "mine\n"));
    let questions = machine.questions();
    assert_eq!(questions.len(), 1, "{questions:?}");
    let path = machine.repo.to_str().unwrap();
    for part in [path, "README.md", "commit or stash", "Cannot merge into main", "answer"] {
        assert!(questions[0].1.contains(part), "{part}: {questions:?}");
    }
    // It is not tried again before there is an answer, and holds nothing else up.
    let merges = machine.ok("agent run --merge --max-tasks 2 --idle-exit 1s");
    assert!(merges.contains("t2") && !merges.contains("t1"), "{merges}");
    assert_eq!((&*machine.queue("t2"), machine.questions().len()), ("done", 1));
    // An answer without the deed leads to the same question.
    machine.ok(&format!("action approve {} --answer Soon", questions[0].0));
    said(&machine.merge(""), "asks");
    let questions = machine.questions();
    assert_eq!(questions.len(), 1, "{questions:?}");
    machine.git("stash --quiet");
    machine.ok(&format!("action approve {} --answer Stashed", questions[0].0));
    said(&machine.merge(""), "merged");
    assert_eq!(machine.queue("t1"), "done");
    assert_eq!(machine.read("README.md"), "A project.\ntheirs\n");
    assert!(machine.questions().is_empty());
    assert_eq!(machine.git("stash list").lines().count(), 1);
}

#[test]
fn local_changes_elsewhere_are_not_in_the_way() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.commit("other.txt", "other\n");
    approved(&machine, "t1", &writes("new.txt", "new"));
    machine.write("other.txt", "mine\n");
    machine.write("untracked.txt", "mine\n");
    said(&machine.merge(""), "merged");
    assert_eq!(machine.read("new.txt"), "new\n");
    assert_eq!(machine.git("status --porcelain"), " M other.txt\n?? untracked.txt");
}

#[test]
fn a_file_that_git_does_not_know_is_not_overwritten() {
    let world = World::new();
    let machine = Machine::new(&world);
    approved(&machine, "t1", &writes("new.txt", "new"));
    machine.write("new.txt", "mine\n");
    said(&machine.merge(""), "asks");
    assert!(machine.questions()[0].1.contains("would be overwritten: new.txt"));
    assert_eq!((&*machine.queue("t1"), &*machine.read("new.txt")), ("approved", "mine\n"));
}

#[test]
fn a_base_that_is_not_checked_out_is_moved() {
    let world = World::new();
    let machine = Machine::new(&world);
    approved(&machine, "t1", &writes("new.txt", "new"));
    machine.git("checkout --quiet -b mine");
    machine.commit("mine.txt", "mine\n");
    said(&machine.merge(""), "merged");
    assert_eq!(machine.git("log --format=%s main"), "new\nREADME.md");
    assert!(!machine.repo.join("new.txt").exists() && machine.repo.join("mine.txt").exists());
}

#[test]
fn work_without_a_commit_is_accepted_with_nothing_to_merge() {
    let world = World::new();
    let machine = Machine::new(&world);
    // An attempt that has failed leaves commits, which are not what is handed in.
    machine.add("t1", "");
    let script = writes("new.txt", "new");
    said(&machine.agent("--check false", &script), "failed");
    machine.at_once("t1");
    machine.ok("task claim --agent alice");
    machine.ok("task submit t1 --summary 'Done elsewhere'");
    machine.ok("task accept t1");
    let notices = machine.merge("");
    assert!(said(&notices, "accepted").contains("no run has submitted a commit"), "{notices:?}");
    assert_eq!(machine.queue("t1"), "done");
    assert_eq!(machine.git("log --format=%s main"), "README.md");
}

#[test]
fn work_that_changes_nothing_is_done() {
    let world = World::new();
    let machine = Machine::new(&world);
    approved(
        &machine,
        "t1",
        "printf 'no_change\\nIt is fixed already\\n' > $OCTOPOID_OUTCOME_FILE",
    );
    assert_eq!(machine.result("t1")["summary"], "It is fixed already");
    said(&machine.merge(""), "merged");
    assert_eq!((&*machine.queue("t1"), &*machine.git("log --format=%s")), ("done", "README.md"));
    machine.add("t2", "");
    let says = "echo no_change > $OCTOPOID_OUTCOME_FILE";
    said(&machine.agent("--no-change fail", says), "failed");
    assert_eq!(machine.failure("t2", Kind::Work).0, "no_change");
}

#[test]
fn a_conflict_may_be_resolved_by_a_merge() {
    let world = World::new();
    let machine = Machine::new(&world);
    approved(&machine, "t1", &writes("same.txt", "one"));
    approved(&machine, "t2", &writes("same.txt", "two"));
    said(&machine.merge(""), "merged");
    said(&machine.merge(""), "rejected");
    let merges = "git merge -q main || { printf 'one\\ntwo\\n' > same.txt; git add .; \
        git commit -q -m resolved; }";
    said(&machine.agent("", merges), "submitted");
    machine.ok("task accept t2");
    // A rebase onto this would have to resolve the conflict once more.
    machine.commit("later.txt", "later\n");
    said(&machine.merge(""), "merged");
    assert_eq!((&*machine.queue("t2"), &*machine.read("same.txt")), ("done", "one\ntwo\n"));
    assert_eq!(machine.read("later.txt"), "later\n");
    // One that is on top of the base already stays as it is.
    approved(&machine, "t3", &writes("three.txt", "three"));
    machine.commit("last.txt", "last\n");
    machine.ok("task reject t3 --reason 'Bring it up to date'");
    said(&machine.agent("", "git merge -q --no-edit main"), "submitted");
    machine.ok("task accept t3");
    said(&machine.merge(""), "merged");
    assert_eq!(machine.git("rev-parse main"), machine.result("t3")["head_sha"]);
}

#[test]
fn a_merge_that_conflicts_leaves_nothing_behind() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.git("branch side");
    machine.commit("main.txt", "main\n");
    let merges = "echo mine > mine.txt; git add .; git commit -q -m mine
        git reset -q --hard $OCTOPOID_BASE_SHA~1; echo side > side.txt; git add .
        git commit -q -m side; git merge -q --no-edit main";
    approved(&machine, "t1", merges);
    machine.commit("side.txt", "other\n");
    let notices = machine.merge("");
    assert!(said(&notices, "rejected").starts_with("The work conflicts with main in side.txt."));
    assert_eq!(
        (machine.queue("t1"), machine.read("side.txt")),
        ("incoming".into(), "other\n".into())
    );
    assert!(machine.trees().iter().all(|tree| tree.ends_with("t1")), "{:?}", machine.trees());
}

#[test]
fn accepting_twice_does_not_pass_over_the_merge() {
    let world = World::new();
    let machine = Machine::new(&world);
    approved(&machine, "t1", &writes("new.txt", "new"));
    let again = machine.ok("task accept t1");
    assert_eq!(again, "accepted t1  Task t1  now in approved\n");
    assert_eq!(machine.queue("t1"), "approved");
    said(&machine.merge(""), "merged");
    // A person who has merged it by hand says so.
    approved(&machine, "t2", &writes("two.txt", "two"));
    machine.ok("task accept t2 --queue done");
    assert_eq!(machine.queue("t2"), "done");
    // As does a program that has claimed it to merge it.
    approved(&machine, "t3", &writes("three.txt", "three"));
    machine.ok("task claim --queue approved --in-place --agent merger");
    machine.ok("task accept t3");
    assert_eq!(machine.queue("t3"), "done");
}

#[test]
fn a_base_that_is_no_branch_is_asked_about() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.git("tag v1");
    machine.add("t1", "");
    said(&machine.agent("--base v1", &writes("new.txt", "new")), "submitted");
    machine.ok("task accept t1");
    said(&machine.merge("--base v1"), "asks");
    let questions = machine.questions();
    assert!(questions[0].1.contains("the base `v1` is not a branch"), "{questions:?}");
    machine.git("tag --delete v1");
    machine.git("branch v1");
    machine.ok(&format!("action approve {} --answer 'It is one now'", questions[0].0));
    said(&machine.merge("--base v1"), "merged");
    assert_eq!(machine.git("log --format=%s v1"), "new\nREADME.md");
}
