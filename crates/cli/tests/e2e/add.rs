//! `octopoid add`, and `task create`, which is the same.

use std::{io::Write as _, process::Stdio};

use serde_json::json;

use crate::program::World;

#[test]
fn a_title_is_enough_for_a_task() {
    let world = World::new();
    let printed = world.ok("add 'Fix the flaky login test'");
    let id = printed.split_whitespace().nth(1).unwrap();
    assert_eq!(printed, format!("added {id}  Fix the flaky login test\n"));
    assert!(id.len() == 8 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
    let task = world.json(&format!("task get {id} -o json"));
    assert_eq!(task["file_path"], format!("tasks/{id}.md"));
    assert_eq!((&task["branch"], &task["priority"]), (&json!("main"), &json!("P2")));
    assert_eq!((&task["scope"], &task["queue"]), (&json!("demo"), &json!("incoming")));
}

#[test]
fn the_branch_is_the_one_that_is_checked_out() {
    let world = World::new();
    std::fs::create_dir(world.home().join(".git")).unwrap();
    world.write(".git/HEAD", "ref: refs/heads/feature/login\n");
    let id = world.id("add 'On a branch' -q");
    assert_eq!(world.json(&format!("task get {id} --json branch"))["branch"], "feature/login");
}

#[test]
fn every_field_can_be_given() {
    let world = World::new();
    world.ok("project create p1 Parser");
    let first = world.id("add first -q");
    let line = format!(
        "add 'The second' --content Text --priority p0 --role coder --type bug --complexity S \
         --after {first} --flow special --queue backlog --branch dev --id t2 --file-path a/t2.md \
         --not-before 2030-01-01T00:00:00Z --max-attempts 5 --auto-accept -o json"
    );
    let task = world.json(&line);
    for (field, value) in [
        ("id", json!("t2")),
        ("title", json!("The second")),
        ("content", json!("Text")),
        ("priority", json!("P0")),
        ("role", json!("coder")),
        ("type", json!("bug")),
        ("complexity", json!("S")),
        ("blocked_by", json!(first)),
        ("flow", json!("special")),
        ("queue", json!("backlog")),
        ("branch", json!("dev")),
        ("file_path", json!("a/t2.md")),
        ("not_before", json!("2030-01-01T00:00:00.000Z")),
        ("max_attempts", json!(5)),
        ("auto_accept", json!(1)),
    ] {
        assert_eq!(task[field], value, "{field}");
    }
    let task = world.json("task create 'In a project' --project p1 -o json");
    assert_eq!(task["project_id"], "p1");
    let error = world.fails(4, "add again --id t2");
    assert!(error.contains("already_exists") && error.contains("choose another id"), "{error}");
}

#[test]
fn a_file_is_a_list_of_tasks() {
    let world = World::new();
    world
        .write("plan.md", "# Plan\n\n## P1: Port the parser\n\nTo winnow.\n\n## Cut the release\n");
    let added = world.ok("add --file plan.md --in-order");
    let ids: Vec<_> = added.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let [first, second] = ids[..] else { panic!("{added}") };
    assert!(added.lines().nth(1).unwrap().ends_with(&format!("Cut the release  after {first}")));
    let task = world.json(&format!("task get {first} -o json"));
    assert_eq!((&task["priority"], &task["content"]), (&json!("P1"), &json!("To winnow.")));
    let task = world.json(&format!("task get {second} -o json"));
    assert_eq!((&task["blocked_by"], &task["content"]), (&json!(first), &json!(null)));

    let tasks = world.json("task create --file plan.md --json title,blocked_by");
    let expected = json!([
        { "title": "Port the parser", "blocked_by": null },
        { "title": "Cut the release", "blocked_by": null },
    ]);
    assert_eq!(tasks, expected);
    let error = world.fails(2, "add -f other.md");
    assert!(error.contains("cannot read other.md"), "{error}");
    world.write("empty.md", "Nothing.\n");
    assert!(world.fails(2, "add -f empty.md").contains("there are no tasks in empty.md"));
}

#[test]
fn content_and_lists_are_read_from_the_standard_input() {
    let world = World::new();
    for (line, text) in [("add Title -c - -q", "From a pipe"), ("add -f - -q", "* Title\n")] {
        let mut command = world.command(line);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(child.wait_with_output().unwrap().status.success(), "{line}");
    }
    let tasks = world.json("task list --json title,content");
    let expected = json!([
        { "title": "Title", "content": null },
        { "title": "Title", "content": "From a pipe" },
    ]);
    assert_eq!(tasks, expected);
}

#[test]
fn what_was_added_before_a_refusal_is_told() {
    let world = World::new();
    let long = "x".repeat(5_000);
    world.write("plan.md", &format!("- One\n- {long}\n"));
    let error = world.fails(1, "add -f plan.md");
    assert!(error.contains("title is too long"), "{error}");
    assert!(error.contains("1 of 2 tasks were added before: "), "{error}");
    let error = world.fails(2, "add");
    assert!(error.contains("TITLE"), "{error}");
}

#[test]
fn a_blank_title_and_an_empty_page_are_refused() {
    let world = World::new();
    for line in ["add ''", "add '  '", "task create ' '"] {
        assert!(world.fails(2, line).contains("the title is blank"), "{line}");
    }
    world.ok("add Work");
    world.fails(2, "task list --limit 0");
    assert_eq!(world.ok("task list --limit 1 -q").lines().count(), 1);
}

#[test]
fn the_trace_of_the_caller_is_kept_with_its_tasks() {
    let world = World::new();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (value, kept) in [(trace, json!(trace)), ("nonsense", json!(null))] {
        let output =
            world.command("add Traced -o json").env("TRACEPARENT", value).output().unwrap();
        let task: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(task["traceparent"], kept);
    }
}
