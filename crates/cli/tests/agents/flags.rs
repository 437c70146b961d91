//! The flags of `agent run`.

use std::fs;

use serde_json::json;

use crate::site::{Site, WORK};

/// Notes the environment for the test, then works.
fn noting() -> String {
    format!("env | sort > \"$HOME/environment\"\n{WORK}")
}

/// How many of these tasks are in `provisional`.
fn done(site: &Site, ids: &[String]) -> usize {
    ids.iter().filter(|id| site.task(id).queue == "provisional").count()
}

#[test]
fn a_runner_ends_after_so_many_tasks_or_without_any() {
    let site = Site::new();
    let ids: Vec<_> = (0..5).map(|_| site.add("Work")).collect();
    site.start("--once", WORK).ends_well();
    assert_eq!(done(&site, &ids), 1);
    site.start("--max-tasks 3 --slots 2", WORK).ends_well();
    assert_eq!(done(&site, &ids), 4);
    let mut runner = site.start("--idle-exit 1s", WORK);
    runner.ends_well();
    assert_eq!(done(&site, &ids), 5);
    assert_eq!(site.run("agent run --once --max-tasks 2 -- true").code, Some(2));
    assert_eq!(site.run("agent run").code, Some(2));
}

#[test]
fn a_runner_takes_the_tasks_that_it_is_for() {
    let site = Site::new();
    let plain = site.add("Plain --priority P0");
    let role = site.add("Role --role tester");
    let kind = site.add("Type --type docs");
    let queue = site.add("Queue --queue backlog");
    for (flags, id) in
        [("--role tester", &role), ("--type docs", &kind), ("--queue backlog", &queue)]
    {
        site.start(&format!("{flags} --idle-exit 1s --name box"), WORK).ends_well();
        assert_eq!(site.task(id).queue, "provisional", "{flags}");
        let agent = site.runs(id)[0].agent.clone().unwrap();
        assert!(agent.starts_with("box-"), "{agent}");
        assert!(site.runs(&plain).is_empty(), "{flags}");
    }
    let machine = site.runs(&role)[0].orchestrator_id.clone().unwrap();
    assert!(site.ok("orch list -q").lines().any(|line| line == machine && line.contains("box")));
}

#[test]
fn slots_work_at_the_same_time() {
    let site = Site::new();
    let ids: Vec<_> = (0..3).map(|_| site.add("Work")).collect();
    // Each waits until all have begun.
    let agent = format!(
        "mkdir -p \"$HOME/slots\"
        env > \"$HOME/slots/$OCTOPOID_SLOT\"
        until [ \"$(ls \"$HOME/slots\" | wc -l)\" -eq 3 ]; do sleep 0.05; done
        {WORK}"
    );
    site.start("--slots 3 --max-tasks 3", &agent).ends_well();
    assert_eq!(done(&site, &ids), 3);
    let mut ports: Vec<_> = (1..=3)
        .map(|slot| {
            let text = fs::read_to_string(site.home().join(format!("slots/{slot}"))).unwrap();
            let line = text.lines().find(|line| line.starts_with("OCTOPOID_PORT_BASE=")).unwrap();
            line.to_owned()
        })
        .collect();
    ports.dedup();
    assert_eq!(ports.len(), 3);
}

#[test]
fn agents_get_the_variables_that_are_permitted() {
    let mut site = Site::new();
    site.variables = ["GOOD_ONE", "GOOD_TWO", "BAD_ONE", "OTHER"]
        .map(|name| (name.to_owned(), "value".to_owned()))
        .into();
    let names = |flags: &str| {
        let _ = fs::remove_file(site.home().join("environment"));
        site.once(flags, &noting());
        let text = site.file("environment");
        let names = text.lines().filter_map(|line| Some(line.strip_suffix("=value")?.to_owned()));
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(""), ["BAD_ONE", "GOOD_ONE", "GOOD_TWO", "OTHER"]);
    assert_eq!(names("--env-allow GOOD_* --env-deny *_TWO"), ["GOOD_ONE"]);
    assert_eq!(names("--env-deny BAD_ONE"), ["GOOD_ONE", "GOOD_TWO", "OTHER"]);
    let text = site.file("environment");
    for name in ["PATH", "HOME", "OCTOPOID_BRANCH", "OCTOPOID_BASE_SHA", "OCTOPOID_WORKTREE"] {
        assert!(text.lines().any(|line| line.starts_with(&format!("{name}="))), "{name}");
    }
}

#[test]
fn an_agent_works_in_the_trace_of_its_task() {
    let mut site = Site::new();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let traces = |site: &Site| {
        site.start("--once", &noting()).ends_well();
        let text = site.file("environment");
        let traces = text.lines().filter_map(|line| line.strip_prefix("TRACEPARENT="));
        traces.map(str::to_owned).collect::<Vec<_>>()
    };
    site.variables = vec![("TRACEPARENT".to_owned(), trace.to_owned())];
    site.add("Traced");
    site.variables = vec![("TRACEPARENT".to_owned(), trace.replace("-b7", "-c8"))];
    assert_eq!(traces(&site), [trace], "not the runner's own");
    site.variables.clear();
    site.add("Untraced");
    site.variables = vec![("TRACEPARENT".to_owned(), trace.to_owned())];
    assert!(traces(&site).is_empty());
}

/// An agent named `claude` that has cost 0.75 US dollars.
fn claude(site: &Site) {
    let result = json!({
        "type": "result", "subtype": "success", "is_error": false, "result": "I did it.",
        "session_id": "session-1", "num_turns": 3, "total_cost_usd": 0.75,
        "usage": { "input_tokens": 100, "output_tokens": 20 }, "permission_denials": [],
    });
    let agent = format!("echo \"$*\" > \"$HOME/arguments\"\n{WORK}echo '{result}'\n");
    site.script("claude", &agent);
}

#[test]
fn no_task_is_begun_once_the_day_has_cost_too_much() {
    let site = Site::new();
    claude(&site);
    let ids: Vec<_> = (0..3).map(|_| site.add("Work")).collect();
    let flags = "--max-cost-per-day 1.50 --name laptop";
    let mut runner = site.start_command(&format!("{flags} -- claude -p --verbose"));
    runner.prints("the cost limit of the day is reached");
    assert_eq!(done(&site, &ids), 2);
    let run = site.last_run(ids.iter().find(|id| site.task(id).queue == "provisional").unwrap());
    assert_eq!(run.run.usage.unwrap().cost_usd.as_deref(), Some("0.75"));
    assert_eq!(run.run.summary.as_deref(), Some("I did it."));
    assert_eq!(run.result["session_ref"], "session-1");
    assert_eq!(site.file("arguments"), "-p --verbose --output-format stream-json\n");
    runner.drain();
    // Another runner on this machine knows of it.
    let mut runner = site.start_command(&format!("{flags} -- claude -p --verbose"));
    runner.prints("the cost limit of the day is reached");
    runner.drain();
    assert_eq!(done(&site, &ids), 2);
    // A slot that waits for midnight does not keep a runner that has nothing to do.
    site.start_command(&format!("{flags} --idle-exit 1s -- claude -p")).ends_well();
    site.start_command("--once --max-cost-per-day 9 -- claude -p").ends_well();
    assert_eq!(done(&site, &ids), 3);
}

#[test]
fn the_adapter_may_be_chosen() {
    let site = Site::new();
    claude(&site);
    let id = site.add("Work");
    site.start_command("--once --adapter plain -- claude -p").ends_well();
    assert_eq!(site.file("arguments"), "-p\n");
    let run = site.last_run(&id);
    assert_eq!(
        (&run.result["adapter"], &run.result["session_ref"]),
        (&json!("plain"), &json!(null))
    );
    fs::rename(site.home().join("bin/claude"), site.home().join("bin/mine")).unwrap();
    let id = site.add("Work");
    site.start_command("--once --adapter claude -- mine").ends_well();
    let run = site.last_run(&id);
    assert_eq!(
        (&run.result["adapter"], run.run.summary.as_deref()),
        (&json!("claude"), Some("I did it."))
    );
}

#[test]
fn the_prompt_may_be_ones_own() {
    let site = Site::new();
    let path = site.home().join("prompt.txt");
    fs::write(&path, "Do {{title}} on {{branch}}, attempt {{attempt}}.").unwrap();
    let flags = format!("--prompt-file {}", path.display());
    let id = site.add("'Say {{id}} \"twice\"'");
    site.again(&id, &flags, &format!("cat > \"$HOME/prompt\"\n{WORK}"));
    let prompt = site.file("prompt");
    assert_eq!(prompt.trim_end(), format!("Do Say {{{{id}}}} \"twice\" on agent/{id}, attempt 1."));
    fs::write(&path, "Do {{titel}}.").unwrap();
    let ended = site.run(&format!("agent run {flags} -- true"));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("{{titel}}: the variables are id, title, "), "{}", ended.stderr);
}

#[test]
fn a_work_tree_that_cannot_be_prepared_is_not_worked_in() {
    let site = Site::new();
    let (task, run) =
        site.once("--setup 'echo made > made.txt' --setup 'echo no network >&2; exit 3'", WORK);
    assert_eq!((&*task.queue, task.failure_count), ("incoming", 0));
    assert_eq!(run.run.reason.as_deref(), Some("setup_failed"));
    let message = run.run.message.unwrap();
    assert!(
        message.starts_with("The setup command `echo no network >&2; exit 3` ended with 3:\n"),
        "{message}"
    );
    assert!(message.ends_with("no network"), "{message}");
    assert!(site.commits(&task.id).is_empty());
    let (task, _) = site.again(
        &task.id,
        "--setup 'echo made > made.txt'",
        "test -e made.txt; rm made.txt; touch new.txt",
    );
    assert_eq!(task.queue, "provisional");
}

#[test]
fn work_must_pass_the_checks() {
    let site = Site::new();
    let check = "--check true --check 'test -e fixed.txt || { echo 3 tests failed; exit 9; }'";
    let (task, run) = site.once(check, WORK);
    assert_eq!((&*task.queue, task.failure_count), ("incoming", 1));
    assert_eq!(run.run.reason.as_deref(), Some("check_failed"));
    let results = run.result["checks"].as_array().unwrap();
    let codes: Vec<_> = results.iter().map(|check| check["exit_code"].as_i64().unwrap()).collect();
    assert_eq!(codes, [0, 9]);
    let agent = "cat > \"$HOME/prompt\"; touch fixed.txt";
    let (task, run) = site.again(&task.id, check, agent);
    assert_eq!(task.queue, "provisional");
    assert_eq!(run.result["checks"][1]["exit_code"], 0);
    let prompt = site.file("prompt");
    assert!(prompt.contains("(check_failed): `test -e fixed.txt"), "{prompt}");
    assert!(
        prompt.contains("3 tests failed\n") && prompt.contains("Checks that failed: test -e"),
        "{prompt}"
    );

    let (_, run) = site.once("--hook-timeout 1s --grace 1s --check 'echo begun; sleep 300'", WORK);
    assert_eq!(run.run.reason.as_deref(), Some("check_failed"));
    assert_eq!(run.result["checks"][0]["exit_code"], 124);
    assert_eq!(run.result["checks"][0]["tail"], "begun\n");
    assert!(run.run.message.unwrap().starts_with("`echo begun; sleep 300` ended with 124:\n"));
    site.is_empty();
}

#[test]
fn nothing_to_change_is_reviewed_or_fails() {
    let site = Site::new();
    let agent = "printf 'no_change\\nIt is right already.\\n' > \"$OCTOPOID_OUTCOME_FILE\"";
    let (task, run) = site.once("", agent);
    assert_eq!((&*task.queue, task.commits_count), ("provisional", Some(0)));
    assert_eq!(run.run.summary.as_deref(), Some("It is right already."));
    let (task, run) = site.once("--no-change fail", agent);
    assert_eq!((&*task.queue, run.run.reason.as_deref()), ("incoming", Some("no_change")));
    assert_eq!(run.run.message.as_deref(), Some("It is right already."));
}

#[test]
fn processes_have_so_long_to_end() {
    let site = Site::new();
    // It needs a second to end. What it starts for that is told to end as well.
    let agent = "trap 'trap \"\" TERM; sleep 1; touch tidied; exit 0' TERM
        while :; do sleep 0.1; done";
    let (task, _) = site.once("--timeout 1s --grace 30s", agent);
    assert!(site.tree(&task.id).join("tidied").exists());
    let (task, _) = site.once("--timeout 1s --grace 100ms", agent);
    assert!(!site.tree(&task.id).join("tidied").exists());
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
fn two_runners_on_one_machine_keep_apart() {
    let site = Site::new();
    let ids: Vec<_> = (0..2).map(|_| site.add("Work")).collect();
    // Each agent waits until both have begun.
    let agent = format!(
        "mkdir -p \"$HOME/slots\"
        touch \"$HOME/slots/$OCTOPOID_SLOT\"
        until [ \"$(ls \"$HOME/slots\" | wc -l)\" -eq 2 ]; do sleep 0.05; done
        {WORK}"
    );
    let mut runners = [(); 2].map(|()| site.start("--name box --once", &agent));
    for runner in &mut runners {
        runner.ends_well();
    }
    assert_eq!(done(&site, &ids), 2);
    let mut runs: Vec<_> = ids.iter().flat_map(|id| site.runs(id)).collect();
    runs.sort_by(|a, b| a.agent.cmp(&b.agent));
    assert_eq!(runs.len(), 2);
    assert_ne!(runs[0].agent, runs[1].agent);
    assert_ne!(runs[0].orchestrator_id, runs[1].orchestrator_id);
}
