//! Repositories and tasks of all kinds, and how work gets into the base branch.

use std::{fs, path::Path};

use octopoid_domain::run::Outcome;
use serde_json::json;

use rustix::process::Signal;

use crate::site::{Site, WORK, until};

/// Writes the name of the task into one file, so that any two tasks conflict.
const CONFLICT: &str = "\
echo \"$OCTOPOID_TASK_ID\" > README.md
git commit --quiet --all -m \"$OCTOPOID_TASK_TITLE\"
";

/// Accepts or rejects by what is in the change.
const REVIEWER: &str = "\
cat > \"$HOME/review\"
if grep -q '+bad' \"$HOME/review\"
then printf 'reject\\nIt is bad.\\n' > \"$OCTOPOID_OUTCOME_FILE\"
else printf 'accept\\n' > \"$OCTOPOID_OUTCOME_FILE\"
fi
";

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

fn accept(site: &Site, id: &str) {
    site.ok(&format!("task accept {id}"));
    assert_eq!(site.task(id).queue, "approved");
}

#[test]
fn work_is_reviewed_rejected_approved_and_merged() {
    let site = Site::new();
    apply_flow(&site);
    let id = site.add("Work --flow merging");
    site.again(&id, "", "echo bad > new.txt; echo I tried.");
    site.start("--review --once", REVIEWER).ends_well();
    let task = site.task(&id);
    assert_eq!((&*task.queue, task.rejection_count), ("incoming", Some(1)));
    assert_eq!(site.last_run(&id).run.outcome, Outcome::Rejected);
    let agent = "cat > \"$HOME/prompt\"; echo good > new.txt; echo Better.";
    site.again(&id, "", agent);
    assert!(site.file("prompt").contains("rejected the work: It is bad."));
    site.start("--review --once", REVIEWER).ends_well();
    assert!(site.file("review").contains("+good"));
    assert_eq!(site.task(&id).queue, "approved");
    // A merge advances what is checked out.
    site.start_command("--merge --once").ends_well();
    assert_eq!(site.task(&id).queue, "done");
    assert_eq!(fs::read_to_string(site.repository.join("new.txt")).unwrap(), "good\n");
    assert_eq!(site.git("status --porcelain"), "");
}

#[test]
fn of_two_tasks_that_conflict_the_second_is_done_again() {
    let site = Site::new();
    apply_flow(&site);
    let ids = [0, 1].map(|_| site.add("Work --flow merging"));
    for id in &ids {
        site.again(id, "", CONFLICT);
    }
    for id in &ids {
        accept(&site, id);
    }
    site.start_command("--merge --max-tasks 2").ends_well();
    let queues = ids.each_ref().map(|id| site.task(id).queue);
    let second = match queues.each_ref().map(|queue| &**queue) {
        ["done", "incoming"] => &ids[1],
        ["incoming", "done"] => &ids[0],
        _ => panic!("{queues:?}"),
    };
    let agent = "cat > \"$HOME/prompt\"
        git rebase --quiet main > /dev/null 2>&1 || { git checkout --quiet --theirs README.md
        git add README.md; GIT_EDITOR=true git rebase --continue > /dev/null; }";
    site.again(second, "", agent);
    let prompt = site.file("prompt");
    assert!(prompt.contains("The work conflicts with main in README.md."), "{prompt}");
    accept(&site, second);
    site.start_command("--merge --once").ends_well();
    assert_eq!(site.task(second).queue, "done");
    let text = fs::read_to_string(site.repository.join("README.md")).unwrap();
    assert_eq!(text, format!("{second}\n"));
}

#[test]
fn a_base_that_moves_is_followed_and_checked_again() {
    let site = Site::new();
    apply_flow(&site);
    let add = || site.add("Work --flow merging");
    let (good, bad) = (add(), add());
    for id in [&good, &bad] {
        site.again(id, "", WORK);
        accept(&site, id);
    }
    fs::write(site.repository.join("moved.txt"), "moved\n").unwrap();
    site.git("add moved.txt");
    site.git("commit --quiet -m Move");
    // Both changes together pass, or do not.
    let check = format!("test -e moved.txt && {{ test ! -e {bad}.txt || exit 4; }}");
    site.start_command(&format!("--merge --max-tasks 2 --check '{check}'")).ends_well();
    assert_eq!(site.task(&good).queue, "done");
    assert_eq!(site.git("log --format=%s"), "Work\nMove\nBegin\n");
    let task = site.task(&bad);
    assert_eq!((&*task.queue, task.rejection_count), ("incoming", Some(1)));
    site.again(&bad, "", "cat > \"$HOME/prompt\"; touch more.txt");
    let prompt = site.file("prompt");
    assert!(prompt.contains("After a rebase onto main, a check fails."), "{prompt}");
}

#[test]
fn local_changes_that_are_in_the_way_of_a_merge_are_a_question() {
    let site = Site::new();
    apply_flow(&site);
    let id = site.add("Work --flow merging");
    site.again(&id, "", CONFLICT);
    accept(&site, &id);
    fs::write(site.repository.join("README.md"), "Mine\n").unwrap();
    site.start_command("--merge --once").ends_well();
    assert_eq!(site.task(&id).queue, "approved");
    let questions = site.json(&format!("action list --task {id} --json id,label"));
    assert_eq!(questions.as_array().unwrap().len(), 1, "{questions}");
    let label = questions[0]["label"].as_str().unwrap();
    assert!(label.contains(&site.repository.display().to_string()), "{label}");
    assert_eq!(fs::read_to_string(site.repository.join("README.md")).unwrap(), "Mine\n");
    site.git("checkout --quiet README.md");
    let question = questions[0]["id"].as_str().unwrap();
    site.ok(&format!("action approve {question} --answer Done"));
    site.start_command("--merge --once").ends_well();
    assert_eq!(site.task(&id).queue, "done");
}

#[test]
fn names_may_have_any_characters() {
    let mut site = Site::new();
    let folder = site.home().join("Über uns/my repo's");
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    fs::rename(&site.repository, &folder).unwrap();
    site.repository = folder;
    let title = "Say \"hi\" to 'all' 🐙\nand $(touch pwned) `more` {{id}}";
    let mut add = site.command("add -q");
    let ended = crate::program::finish(add.args(["--id", "Ünique id/../x", title]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let id = ended.stdout.trim_end();
    let agent = "cat > \"$HOME/prompt\"
        printf %s \"$OCTOPOID_TASK_TITLE\" > title.txt";
    let (task, run) = site.again(id, "", agent);
    assert_eq!(task.queue, "provisional");
    let branch = run.result["branch"].as_str().unwrap();
    assert_eq!(site.git(&format!("show {branch}:title.txt")), title);
    let message = site.git(&format!("log -1 --format=%B {branch}"));
    assert!(message.starts_with("Say \"hi\" to 'all' 🐙"), "{message}");
    let prompt = site.file("prompt");
    let heading = "# Say \"hi\" to 'all' 🐙 and $(touch pwned) `more` {{id}}\n";
    assert!(prompt.contains(heading), "{prompt}");
    assert!(!site.repository.join("pwned").exists());
}

#[test]
fn submodules_are_there() {
    let site = Site::new();
    let part = site.home().join("part");
    let git = |folder: &Path, arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        let git = git.env("HOME", site.home()).current_dir(folder).args(arguments);
        let ended = crate::program::finish(git);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    };
    // By default git takes no submodules from folders.
    git(site.home(), &["config", "--global", "protocol.file.allow", "always"]);
    git(site.home(), &["config", "--global", "user.name", "Tester"]);
    git(site.home(), &["config", "--global", "user.email", "tester@example.com"]);
    git(site.home(), &["init", "--quiet", "part"]);
    fs::write(part.join("part.txt"), "part\n").unwrap();
    git(&part, &["add", "part.txt"]);
    git(&part, &["commit", "--quiet", "-m", "Part"]);
    git(&site.repository, &["submodule", "--quiet", "add", &part.display().to_string(), "sub"]);
    git(&site.repository, &["commit", "--quiet", "-m", "Add a submodule"]);
    for isolation in ["worktree", "clone"] {
        let agent = format!("grep -q part sub/part.txt\n{WORK}");
        let (task, run) = site.once(&format!("--isolation {isolation}"), &agent);
        assert_eq!(task.queue, "provisional", "{isolation}: {:?}", run.run.message);
        assert_eq!(run.result["files_changed"], 1);
    }
}

#[test]
fn branches_are_pushed_before_work_is_submitted() {
    let site = Site::new();
    let remote = site.home().join("remote.git");
    site.git(&format!("clone --quiet --bare . {}", remote.display()));
    site.git(&format!("remote add upstream {}", remote.display()));
    let (task, run) = site.once("--push=upstream", WORK);
    assert_eq!(task.queue, "provisional");
    let listed = site.git(&format!("ls-remote upstream refs/heads/agent/{}", task.id));
    assert!(listed.starts_with(run.result["head_sha"].as_str().unwrap()), "{listed}");
    // What is on a remote is not lost with its work tree.
    assert!(site.tree_of(&task.id).is_none());

    fs::remove_dir_all(&remote).unwrap();
    let (task, run) = site.once("--push=upstream", WORK);
    assert_eq!(task.queue, "incoming");
    assert_eq!(run.run.reason.as_deref(), Some("worktree_error"));
    assert!(run.run.message.unwrap().contains("remote.git"));
    assert!(site.tree(&task.id).exists());
}

#[test]
fn other_folders_and_lists_may_be_named() {
    let site = Site::new();
    fs::write(site.repository.join(".git/info/exclude"), "*.env\n").unwrap();
    for name in ["one.env", "two.env"] {
        fs::write(site.repository.join(name), "A=1\n").unwrap();
    }
    fs::write(site.repository.join("mine"), "one.env\n").unwrap();
    let id = site.add("Work");
    let agent = site.script("agent", &format!("test -e one.env; test ! -e two.env\n{WORK}"));
    let line =
        format!("agent run --once --repo {} --include mine -- {agent}", site.repository.display());
    let mut runner = site.command(&line);
    let ended = crate::program::finish(runner.current_dir(site.home()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(site.task(&id).queue, "provisional", "{}", ended.stdout);
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
    accept(&site, &id);
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

#[test]
fn a_pull_request_is_opened_for_what_was_pushed() {
    let mut site = Site::new();
    site.variables = vec![("API_SECRET_KEY".to_owned(), "secret".to_owned())];
    let remote = site.home().join("remote.git");
    site.git(&format!("clone --quiet --bare . {}", remote.display()));
    site.git(&format!("remote add origin {}", remote.display()));
    site.script(
        "gh",
        "echo \"$@\" >> \"$HOME/gh\"; env > \"$HOME/gh-env\"; echo https://example.com/pull/7",
    );
    let (task, run) = site.once("--push --pr", WORK);
    assert_eq!(task.queue, "provisional", "{:?}", run.run.message);
    assert_eq!(run.result["pr_url"], "https://example.com/pull/7");
    let asked = site.file("gh");
    assert!(asked.contains(&format!("agent/{}", task.id)), "{asked}");
    let environment = site.file("gh-env");
    assert!(!environment.contains("OCTOPOID_") && !environment.contains("API_SECRET_KEY"));
    assert_eq!(site.run("agent run --pr -- true").code, Some(2));
}
