//! What people see of the runs on a machine.

use std::{fs, io::Read as _, process::Stdio};

use crate::site::{Site, WORK, until};

#[test]
fn runs_are_listed_followed_and_attached_to() {
    let site = Site::new();
    assert!(site.ok("agent status").contains("octopoid agent run -- COMMAND"));
    let id = site.add("'Fix it'");
    let agent = format!(
        "echo first
        touch begun
        until [ -e \"$HOME/go\" ]; do sleep 0.05; done
        rm begun
        echo last >&2
        {WORK}"
    );
    let mut runner = site.start("--name box --keep-worktrees all", &agent);
    until("the agent", || site.tree_of(&id)?.join("begun").exists().then_some(()));
    let runs = site.json("agent status --json task_id,title,agent,worktree,branch,run");
    let run = &runs[0];
    assert_eq!((&run["task_id"], &run["title"]), (&id.as_str().into(), &"Fix it".into()));
    assert_eq!((&run["run"], &run["branch"]), (&1.into(), &format!("agent/{id}").into()));
    let tree = site.tree(&id);
    assert_eq!(run["worktree"], tree.display().to_string());
    let listed = site.ok("agent status");
    assert!(listed.contains("Fix it") && listed.contains("box-"), "{listed}");

    assert_eq!(site.ok(&format!("agent attach {}", &id[..5])), format!("cd {}\n", tree.display()));
    until("output", || (site.ok(&format!("agent logs {id}")) == "first\n").then_some(()));
    let mut follow =
        site.command(&format!("agent logs {id} --follow")).stdout(Stdio::piped()).spawn().unwrap();
    fs::write(site.home().join("go"), "").unwrap();
    let mut text = String::new();
    follow.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(follow.wait().unwrap().success());
    assert_eq!(text, "first\nlast\n");
    site.reaches(&id, "provisional");
    runner.drain();
    assert!(site.ok("agent status").contains("no agent runs here"));
    assert_eq!(site.ok(&format!("agent logs {id}")), "first\nlast\n");

    let ended = site.run("agent logs none");
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("octopoid agent status lists"), "{}", ended.stderr);
}

#[test]
fn a_session_is_resumed_by_the_program_that_has_it() {
    let site = Site::new();
    let event = r#"{"type":"system","subtype":"init","session_id":"session-1"}"#;
    site.script("claude", &format!("echo '{event}'\n{WORK}exit 1\n"));
    let id = site.add("Work");
    site.start_command("--once -- claude -p").ends_well();
    let attach = site.json(&format!("agent attach {id} -o json"));
    assert!(attach["resume"].as_str().unwrap().contains("session-1"), "{attach}");
    assert!(attach["resume"].as_str().unwrap().starts_with("claude "), "{attach}");
    fs::remove_dir_all(site.tree(&id)).unwrap();
    let ended = site.run(&format!("agent attach {id}"));
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("git branch --list"), "{}", ended.stderr);
}

#[test]
fn what_is_merged_is_deleted_and_nothing_else() {
    let site = Site::new();
    let (merged, _) = site.once("--keep-worktrees all", WORK);
    let (open, _) = site.once("--keep-worktrees all", WORK);
    site.git(&format!("merge --quiet --ff-only agent/{}", merged.id));
    let root = site.tree(&open.id).parent().unwrap().display().to_string();
    let repository = site.repository.display();
    let line = format!("agent gc --older-than 0s --repo {repository} --worktree-root {root}");
    let said = site.json("agent gc --dry-run --older-than 0s -o json");
    assert_eq!((&said["dry_run"], &said["outputs"]), (&true.into(), &2.into()));
    assert!(site.tree(&merged.id).exists() && site.tree(&open.id).exists());
    let printed = site.ok(&format!("{line} --dry-run"));
    assert!(
        printed.contains("would delete 1 of 2 work trees, and the output of 2 runs"),
        "{printed}"
    );
    assert!(site.ok("agent gc").contains("deleted 0 of "), "they are young");
    let printed = site.ok(&line);
    assert!(printed.contains("deleted 1 of 2 work trees, and the output of 2 runs"), "{printed}");
    assert!(site.tree_of(&merged.id).is_none() && site.tree(&open.id).exists());
    assert_eq!(site.run(&format!("agent logs {}", open.id)).code, Some(3));
}

#[test]
fn the_doctor_says_what_is_wrong() {
    let mut site = Site::new();
    let printed = site.ok("agent doctor -- sh");
    for line in ["ok       server ", "ok       repository ", "ok       command ", "ok       disk "]
    {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    site.script("claude", "echo 9.9.9");
    let printed = site.ok("agent doctor -- claude -p");
    assert!(printed.contains("warning  permissions  claude -p may not be permitted"), "{printed}");
    assert!(printed.contains("ok       command      claude 9.9.9"), "{printed}");
    assert!(printed.contains("command  claude -p --output-format stream-json"), "{printed}");
    let printed = site.ok("agent doctor -- claude -p --permission-mode acceptEdits");
    assert!(!printed.contains("warning"), "{printed}");

    let ended = site.run("agent doctor --min-free 1000000GiB -o json -- no-such-program");
    assert_eq!(ended.code, Some(1));
    let said: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let states: Vec<_> =
        said["findings"].as_array().unwrap().iter().map(|of| &of["state"]).collect();
    assert_eq!(states, ["ok", "ok", "failed", "failed"]);
    let mut elsewhere = site.command("agent doctor -- sh");
    let ended = crate::program::finish(elsewhere.current_dir(site.home()));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("is not in a git repository"), "{}", ended.stderr);
    site.kill_server();
    let ended = site.run("agent doctor -- sh");
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("failed   server "), "{}", ended.stdout);
}

#[test]
fn the_guide_is_short_enough_for_a_prompt() {
    let site = Site::new();
    let guide = site.ok("agent guide");
    assert!(guide.len() < 4_000, "{}", guide.len());
    for name in ["OUTCOME", "PROGRESS", "CHECKPOINT", "MESSAGES", "TASK"] {
        assert!(guide.contains(&format!("$OCTOPOID_{name}_FILE")), "{name}");
    }
    for word in ["needs_input", "blocked", "no_change", "draft create"] {
        assert!(guide.contains(word), "{word}");
    }
}
