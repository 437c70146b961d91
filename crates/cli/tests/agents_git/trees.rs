//! Work trees: how they are kept apart, where they are, and repositories and tasks with unusual names.

use std::{fs, path::Path};

use octopoid_domain::run::Kind;

use crate::{
    machine::{Machine, said},
    program::World,
};

const WORKS: &str = "echo new > new.txt; git add .; git commit -q -m new";

/// Accepts a task and merges it.
fn bring_in(machine: &Machine<'_>, id: &str, flags: &str) {
    machine.ok(&format!("task accept '{id}'"));
    said(&machine.merge(flags), "merged");
    assert_eq!(machine.queue(id), "done");
}

#[test]
fn clones_are_repositories_of_their_own() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.add("t1", "");
    let works = format!("git rev-parse --git-common-dir > ~/git; pwd >> ~/git; {WORKS}");
    said(&machine.agent("--isolation clone", &works), "submitted");
    let git = fs::read_to_string(machine.home.join("git")).unwrap();
    assert!(git.starts_with(".git\n"), "{git}");
    assert_eq!(machine.git("log --format=%s%n%an main..agent/t1"), "new\nAlice");
    assert!(machine.trees().is_empty());
    machine.ok("task reject t1 --reason More");
    let more = "echo more >> new.txt; git commit -q -a -m more";
    said(&machine.agent("--isolation clone", more), "submitted");
    bring_in(&machine, "t1", "--isolation clone");
    assert_eq!(machine.read("new.txt"), "new\nmore\n");
}

#[test]
fn work_starts_from_the_base_that_is_named() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.git("checkout --quiet -b dev");
    machine.commit("dev.txt", "dev\n");
    machine.git("checkout --quiet main");
    machine.add("t1", "");
    said(&machine.agent("--base dev", WORKS), "submitted");
    assert_eq!(machine.result("t1")["base"], "dev");
    bring_in(&machine, "t1", "--base dev");
    assert_eq!(machine.git("log --format=%s dev"), "new\ndev.txt\nREADME.md");
    assert_eq!(machine.git("log --format=%s main"), "README.md");
    // The branch of the task, where none is named.
    machine.add("t2", "--branch dev");
    said(&machine.agent("", "cat new.txt > two.txt"), "submitted");
    bring_in(&machine, "t2", "");
    assert_eq!(machine.git("show dev:two.txt"), "new");
    let ended = machine.run("agent run --base nowhere -- true");
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("`nowhere` is neither a branch nor a commit"), "{ended:?}");
}

#[test]
fn trees_are_where_the_user_wants_them() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.add("t1", "");
    let root = machine.repo.join("trees of agents");
    let works = format!("pwd > ~/pwd; {WORKS}");
    said(&machine.agent(&format!("--worktree-root '{}'", root.display()), &works), "submitted");
    let folder = fs::read_to_string(machine.home.join("pwd")).unwrap();
    assert_eq!(Path::new(folder.trim()), root.join("t1"));
    assert_eq!(machine.git("status --porcelain"), "", "the repository does not see them");
    machine.add("t2", "");
    said(&machine.agent("", &works), "submitted");
    let folder = fs::read_to_string(machine.home.join("pwd")).unwrap();
    let data = machine.home.join(".local/share/octopoid/worktrees");
    assert!(Path::new(folder.trim()).starts_with(data), "{folder}");
}

#[test]
fn what_git_ignores_is_brought_along_where_it_is_listed() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.commit(".gitignore", ".env*\n");
    machine.write(".env", "PORT=1\n");
    machine.write(".env.local", "PORT=2\n");
    machine.commit(".worktreeinclude", ".env\n");
    machine.commit("other.include", ".env.local\n");
    let works = format!("ls -A > ~/ls; {WORKS}");
    for (id, flags, there, missing) in
        [("t1", "", ".env", ".env.local"), ("t2", "--include other.include", ".env.local", ".env")]
    {
        machine.add(id, "");
        said(&machine.agent(flags, &works), "submitted");
        let listed = fs::read_to_string(machine.home.join("ls")).unwrap();
        let has = |name| listed.lines().any(|line| line == name);
        assert!(has(there) && !has(missing), "{listed}");
        assert_eq!(machine.git(&format!("diff --name-only main agent/{id}")), "new.txt");
    }
}

#[test]
fn trees_are_kept_or_deleted() {
    let world = World::new();
    let machine = Machine::new(&world);
    let count = |id: &str| machine.trees().iter().filter(|tree| tree.ends_with(id)).count();
    for (id, flag, script, kept) in [
        ("fails", "failed", "exit 1", 1),
        ("fails-too", "none", "exit 1", 0),
        ("changes-nothing", "failed", "echo no_change > $OCTOPOID_OUTCOME_FILE", 0),
        ("changes-nothing-too", "all", "echo no_change > $OCTOPOID_OUTCOME_FILE", 1),
        ("leaves-changes", "none", "echo new > new.txt; exit 1", 1),
        ("commits", "none", WORKS, 1),
    ] {
        machine.add(id, "");
        machine.agent(&format!("--keep-worktrees {flag}"), script);
        assert_eq!(count(id), kept, "{id}");
    }
    let branches = machine.git("branch --list agent/changes-nothing agent/fails-too");
    assert_eq!(branches, "", "they hold nothing");
}

#[test]
fn a_setup_command_prepares_the_tree() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.add("t1", "");
    let works =
        "test -f made.txt; test -n \"$OCTOPOID_WORKTREE\"; echo done > $OCTOPOID_OUTCOME_FILE";
    let notices = machine.agent("--setup 'echo made > made.txt'", works);
    assert!(
        said(&notices, "failed").starts_with("empty_output: "),
        "setup is no work: {notices:?}"
    );
    machine.add("t2", "");
    said(&machine.agent("--setup 'echo broken; exit 3'", "touch ~/ran"), "failed");
    let (reason, message) = machine.failure("t2", Kind::Work);
    assert_eq!(reason, "setup_failed");
    assert!(message.contains("ended with 3:\nbroken"), "{message}");
    assert!(!machine.home.join("ran").exists());
}

#[test]
fn a_repository_may_have_any_path() {
    let world = World::new();
    let machine = Machine::at(&world, "Größe des \"Projekts\" 🐙");
    machine.add("t1", "");
    said(&machine.agent("", WORKS), "submitted");
    said(&machine.agent("--review", "cat new.txt; echo 'VERDICT: accept'"), "approved");
    said(&machine.merge(""), "merged");
    assert_eq!(machine.read("new.txt"), "new\n");
    machine.add("t2", "");
    said(&machine.agent("--isolation clone", "echo two >> new.txt"), "submitted");
    bring_in(&machine, "t2", "");
    assert_eq!(machine.read("new.txt"), "new\ntwo\n");
}

#[test]
fn a_repository_may_have_submodules() {
    let world = World::new();
    let machine = Machine::new(&world);
    let library = machine.home.join("library");
    fs::create_dir(&library).unwrap();
    machine.git_in(&library, "init --quiet");
    fs::write(library.join("lib.txt"), "one\n").unwrap();
    machine.git_in(&library, "add .");
    machine.git_in(&library, "commit --quiet -m one");
    machine.git(&format!("submodule --quiet add {} lib", library.display()));
    machine.git("commit --quiet -m submodule");
    fs::write(library.join("lib.txt"), "two\n").unwrap();
    machine.git_in(&library, "commit --quiet -a -m two");
    let updates = "test -f lib/lib.txt; git -C lib pull -q origin main; git commit -q -a -m update";
    for (id, flags) in [("t1", ""), ("t2", "--isolation clone")] {
        machine.add(id, "");
        said(&machine.agent(flags, updates), "submitted");
        let change = machine.git(&format!("diff main agent/{id} --submodule=log"));
        assert!(change.starts_with("Submodule lib "), "{change}");
    }
    said(&machine.agent("--review", "cat lib/lib.txt > ~/lib; echo 'VERDICT: accept'"), "approved");
    assert_eq!(fs::read_to_string(machine.home.join("lib")).unwrap(), "two\n");
    said(&machine.merge("--check 'test -f lib/lib.txt'"), "merged");
    assert_eq!(machine.git("log --format=%s -n 1 main"), "update");
}

#[test]
fn titles_and_ids_may_be_awkward() {
    let world = World::new();
    let machine = Machine::new(&world);
    machine.add("any", "");
    machine.ok("task cancel any --reason 'only its flow is needed'");
    let title = "Say \"hi\" to $(touch ~/broken) `x`\nand 🐙; -- \\ %s {{title}}";
    for id in ["../../escape", "-rf", "Größe 🐙", "a/b", "HEAD", "x.lock", "t@{1}~^:?*["] {
        let mut add = machine.command("add --flow octopoid");
        let ended = crate::program::finish(add.arg(format!("--id={id}")).arg("--").arg(title));
        assert_eq!(ended.code, Some(0), "{id}: {}", ended.stderr);
        let script = "cat > ~/prompt.md; printf %s \"$OCTOPOID_TASK_TITLE\" > ~/title
            printf %s \"$OCTOPOID_TASK_ID\" > id.txt; git add .";
        said(&machine.agent("", script), "submitted");
        assert_eq!(fs::read_to_string(machine.home.join("title")).unwrap(), title);
        let prompt = fs::read_to_string(machine.home.join("prompt.md")).unwrap();
        assert!(
            prompt.contains("Say \"hi\" to $(touch ~/broken) `x` and 🐙; -- \\ %s {{title}}"),
            "{prompt}"
        );
        said(&machine.agent("--review", "echo 'VERDICT: accept'"), "approved");
        said(&machine.merge(""), "merged");
        assert_eq!((&*machine.queue(id), &*machine.read("id.txt")), ("done", id));
        assert_eq!(machine.git("log --format=%B -n 1"), title);
    }
    assert!(!machine.home.join("broken").exists());
    let root = machine.home.join(".local/share/octopoid/worktrees");
    for tree in machine.trees() {
        assert!(tree.starts_with(&root), "{}", tree.display());
    }
}
