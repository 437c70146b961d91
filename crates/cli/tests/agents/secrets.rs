//! What agents must not get, and what must not be shown.

use std::{fs, path::Path};

use octopoid_client::Client;
use octopoid_domain::task::{ClaimRequest, NewTask};

use crate::{
    program::{finish, wait},
    site::{ADMINISTRATOR, Site, WORK, until},
};

const TOKEN: &str = "ghp_0123456789abcdef";

/// A site whose server wants keys, with a task for whom there is a key for everything.
fn locked() -> Site {
    let mut site = Site::serving("--auth required");
    let mut issue = site.command("key issue --permission manage --scope demo --json api_key");
    let issued = finish(issue.env("OCTOPOID_KEY", ADMINISTRATOR));
    let issued: serde_json::Value = serde_json::from_str(&issued.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", issued.stdout, issued.stderr));
    site.key = Some(issued["api_key"].as_str().unwrap().to_owned());
    site
}

/// All texts below a folder.
fn texts(folder: &Path) -> Vec<(std::path::PathBuf, String)> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            texts.extend(self::texts(&path));
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            texts.push((path, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    texts
}

/// An agent that looks for secrets, and tells them wherever it can.
const PRYING: &str = "env > \"$HOME/environment\"
        tr '\\0' '\\n' < /proc/$PPID/environ > \"$HOME/parents\" 2> /dev/null || :
        cp \"$OCTOPOID_TASK_FILE\" \"$HOME/task\"
        echo \"the token is $GITHUB_TOKEN\"
        echo \"again: $GITHUB_TOKEN\" >&2
        echo \"the key is $OCTOPOID_KEY\"
        echo \"what I found: $(cat \"$HOME/found\")\"
        echo \"reading $GITHUB_TOKEN\" > \"$OCTOPOID_PROGRESS_FILE\"
        echo \"{\\\"token\\\":\\\"$GITHUB_TOKEN\\\"}\" > \"$OCTOPOID_CHECKPOINT_FILE\"
        hooks=\"$(git rev-parse --git-common-dir)/hooks\"
        mkdir -p \"$hooks\"
        printf '#!/bin/sh\\nenv > \"$HOME/hook\"\\n' > \"$hooks/pre-commit\"
        chmod +x \"$hooks/pre-commit\"
        echo work > work.txt
        printf 'done\\nI used %s.\\n' \"$GITHUB_TOKEN\" > \"$OCTOPOID_OUTCOME_FILE\"
        touch \"$HOME/ready\"
        until [ -e \"$HOME/go\" ]; do sleep 0.05; done";

#[test]
fn secrets_of_the_runner_stay_with_it() {
    let mut site = locked();
    let key = site.key.clone().unwrap();
    site.variables = vec![
        ("API_SECRET_KEY".to_owned(), ADMINISTRATOR.to_owned()),
        ("GITHUB_TOKEN".to_owned(), TOKEN.to_owned()),
    ];
    // An agent may read what the user can read.
    fs::write(site.home().join("found"), &key).unwrap();
    let id = site.add("Work");
    let mut runner = site.start("--once --keep-worktrees all --lease 15s", PRYING);
    until("the agent", || site.home().join("ready").exists().then_some(()));
    let run = site.reported(&id);
    assert_eq!(run.run.progress.unwrap().message.as_deref(), Some("reading [redacted]"));
    assert_eq!(run.checkpoint, serde_json::json!({ "token": "[redacted]" }));
    let record = site.run_record();
    let lease = record["token"].as_str().unwrap().to_owned();
    assert!(lease.starts_with("olt_"), "{record}");
    fs::write(site.home().join("go"), "").unwrap();
    runner.ends_well();
    assert_eq!(site.task(&id).queue, "provisional");

    let environment = site.file("environment");
    let run_key = environment.lines().find_map(|line| line.strip_prefix("OCTOPOID_KEY="));
    let run_key = run_key.unwrap().to_owned();
    assert_ne!(run_key, key);
    assert!(environment.contains(TOKEN) && !environment.contains("API_SECRET_KEY"));
    let mut seen = texts(&site.tree(&id));
    // A hook of git that the agent has made is run by the runner's commit.
    assert!(site.file("hook").contains("PATH="));
    for name in ["environment", "task", "hook", "parents"] {
        let text = fs::read_to_string(site.home().join(name)).unwrap_or_default();
        seen.push((name.into(), text));
    }
    // The guard, from which an agent can read as well.
    assert!(cfg!(not(target_os = "linux")) || seen[seen.len() - 1].1.contains("PATH="));
    let log = site.log(&id);
    assert!(log.contains("the token is [redacted]\n"), "{log}");
    assert!(log.contains("again: [redacted]\n"), "{log}");
    assert!(log.contains("the key is [redacted]\n"), "{log}");
    let run = serde_json::to_string(&site.last_run(&id).result).unwrap();
    seen.extend([("log".into(), log.clone()), ("result".into(), run.clone())]);
    seen.push(("notices".into(), runner.printed()));
    for (path, text) in &seen {
        for secret in [&*key, ADMINISTRATOR, &*lease] {
            assert!(!text.contains(secret), "{secret} is in {}", path.display());
        }
    }
    for (what, text) in [("log", &log), ("result", &run)] {
        assert!(!text.contains(TOKEN) && !text.contains(&run_key), "the {what}: {text}");
    }
    // The token of the lease is not kept for longer than the run.
    for (path, text) in texts(&site.home().join(".local/state")) {
        assert!(!text.contains(&lease), "{}", path.display());
    }
}

#[test]
fn the_key_of_a_run_opens_its_task_and_dies_with_it() {
    let site = locked();
    let id = site.add("Work --priority P0");
    let other = site.add("Other");
    let agent = format!(
        "printf %s \"$OCTOPOID_KEY\" > \"$HOME/run-key.new\"
        mv \"$HOME/run-key.new\" \"$HOME/run-key\"
        until [ -e \"$HOME/go\" ]; do sleep 0.05; done
        {WORK}"
    );
    let mut runner = site.start("--once", &agent);
    let key = site.file("run-key");
    let client = Client::new(&site.url()).unwrap().with_key(key).with_scope("demo");
    assert_eq!(wait(client.get_task(&id)).unwrap().id, id);
    let status = |error: octopoid_client::Error| error.status().unwrap();
    assert_eq!(status(wait(client.get_task(&other)).unwrap_err()), 403);
    assert_eq!(status(wait(client.create_task(&NewTask::default())).unwrap_err()), 403);
    assert_eq!(status(wait(client.claim_task(&ClaimRequest::default())).unwrap_err()), 403);
    assert_eq!(status(wait(client.list_keys(&[])).unwrap_err()), 403);
    fs::write(site.home().join("go"), "").unwrap();
    runner.ends_well();
    assert_eq!(status(wait(client.get_task(&id)).unwrap_err()), 401);
}

#[test]
fn an_agent_can_do_what_the_guide_says() {
    let site = locked();
    let id = site.add("Work");
    let agent = format!(
        "octopoid() {{ '{}' \"$@\"; }}
        octopoid draft create 'A follow-up'
        octopoid message send --to people \"$OCTOPOID_TASK_ID\" 'Half is done'
        octopoid task get \"$OCTOPOID_TASK_ID\" > /dev/null
        {WORK}",
        env!("CARGO_BIN_EXE_octopoid")
    );
    let mut runner = site.start("--once", &agent);
    runner.ends_well();
    assert_eq!(site.task(&id).queue, "provisional", "{}", site.log(&id));
    assert_eq!(site.json("draft list --json title")[0]["title"], "A follow-up");
    let messages = site.json(&format!("message list --task {id} --json content,from_actor"));
    assert_eq!(messages[0]["content"], "Half is done");
    assert_eq!(messages[0]["from_actor"], site.runs(&id)[0].agent.clone().unwrap());
}
