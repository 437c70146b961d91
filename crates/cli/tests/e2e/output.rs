//! The forms of the output, and exit codes.

use serde_json::{Value, json};

use crate::program::{World, finish};

#[test]
fn alone_it_shows_what_people_need_first() {
    let help = World::alone().ok("");
    for command in ["up", "add", "status", "task accept", "serve"] {
        assert!(help.contains(&format!("  octopoid {command}")), "{help}");
    }
    assert!(help.lines().count() < 12, "{help}");
}

#[test]
fn json_has_the_version_of_its_schema_and_a_name_for_its_list() {
    let world = World::new();
    let id = world.id("add Work -q");
    let list = world.json("task list -o json");
    let keys: Vec<_> = list.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["schema_version", "tasks", "next_cursor"]);
    assert_eq!((&list["schema_version"], &list["next_cursor"]), (&json!(1), &json!(null)));
    assert_eq!(list["tasks"][0]["id"], id);
    let task = world.json(&format!("task get {id} --output json"));
    assert_eq!(task.as_object().unwrap().keys().next().unwrap(), "schema_version");
    world.ok("add More");
    let lines = world.ok("task list -o ndjson");
    assert_eq!(lines.lines().count(), 2);
    for line in lines.lines() {
        let task: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(task["schema_version"], 1);
    }
}

#[test]
fn wanted_fields_are_printed_alone_and_unknown_ones_refused_before_anything_is_done() {
    let world = World::new();
    let id = world.id("add Work -q");
    assert_eq!(
        world.ok("task list --json title,id"),
        format!("[{{\"title\":\"Work\",\"id\":\"{id}\"}}]\n")
    );
    assert_eq!(world.ok(&format!("task get {id} --json queue")), "{\"queue\":\"incoming\"}\n");
    assert_eq!(world.ok("task list --json id -o ndjson"), format!("{{\"id\":\"{id}\"}}\n"));
    for line in [
        "task claim --json nonsense",
        "add More --json id,nonsense",
        "project create p1 P --json nonsense",
        "draft create D --json nonsense",
        "status --json nonsense",
    ] {
        let error: serde_json::Value = serde_json::from_str(&world.fails(2, line)).unwrap();
        assert_eq!(error["error"], "there is no field \"nonsense\"", "{line}");
        assert!(error["remedies"][0].as_str().unwrap().starts_with("known fields: "), "{error}");
    }
    assert_eq!(world.ok("task list --queue incoming -q").lines().count(), 1);
}

#[test]
fn where_nobody_looks_there_are_no_colours_and_times_are_exact() {
    let world = World::new();
    let id = world.id("add 'A \u{1b}[31mred\u{1b}[0m title' -q");
    for line in ["task list", "task list --no-color", "status"] {
        let printed = world.ok(line);
        assert!(!printed.contains('\u{1b}'), "{printed:?}");
        assert!(printed.contains("A red title"), "{printed:?}");
    }
    let printed = world.ok(&format!("task history {id}"));
    assert!(printed.lines().nth(1).unwrap().starts_with("20"), "{printed}");
}

#[test]
fn each_kind_of_failure_has_its_exit_code_and_says_what_to_do() {
    let world = World::new();
    world.fails(2, "task nonsense");
    assert!(world.fails(3, "task get none").contains("octopoid task list"));
    assert!(world.fails(5, "task claim").contains("--wait"));
    let error = world.fails(7, "task list --server http://127.0.0.1:1");
    assert!(error.contains("cannot reach http://127.0.0.1:1: "), "{error}");
    assert!(error.contains("octopoid serve"), "{error}");
    let error = world.fails(2, "task list --server 127.0.0.1:1");
    assert!(error.contains("it comes from: flag --server"), "{error}");
    let error = finish(world.command("add Work").env_remove("OCTOPOID_SCOPE")).stderr;
    assert!(error.contains("--scope NAME"), "{error}");
}

#[test]
fn programs_read_errors_as_json() {
    let world = World::new();
    for line in ["task get none -o json", "task get none --json id", "task get none -o ndjson"] {
        let error: serde_json::Value = serde_json::from_str(&world.fails(3, line)).unwrap();
        assert_eq!((&error["schema_version"], &error["exit_code"]), (&json!(1), &json!(3)));
        assert_eq!(error["code"], "task_not_found");
        assert_eq!(error["error"], "Task not found (task_not_found)");
        assert!(error["remedies"][0].as_str().unwrap().contains("octopoid task list"), "{error}");
    }
    let error: serde_json::Value =
        serde_json::from_str(&world.fails(5, "task claim -o json")).unwrap();
    assert_eq!((&error["code"], &error["exit_code"]), (&json!(null), &json!(5)));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    use std::process::Stdio;

    let world = World::new();
    world.ok("add Work");
    let mut list = world.command("task list");
    let mut child = list.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
}

#[test]
fn errors_of_the_command_line_are_json_too() {
    let world = World::new();
    for line in ["task get -o json", "task get --json id", "-o ndjson task get", "--output=json x"]
    {
        let error: Value = serde_json::from_str(&world.fails(2, line)).unwrap();
        assert_eq!((&error["exit_code"], &error["code"]), (&json!(2), &json!(null)), "{line}");
        assert!(!error["error"].as_str().unwrap().contains('\n'), "{line}");
    }
    assert!(world.fails(2, "task get").starts_with("error: the following required"));
    let id = world.id("-q add Work");
    assert_eq!(world.json(&format!("-o json task get {id}"))["id"], id);
    // The server has options of its own.
    world.fails(2, "--server http://127.0.0.1:1 serve");
}

#[test]
fn a_missing_scope_is_an_error_of_the_configuration() {
    let world = World::new();
    for line in ["task list", "status", "add Work", "task claim", "pause list", "events tail"] {
        let ended = finish(world.command(line).env_remove("OCTOPOID_SCOPE"));
        assert_eq!(ended.code, Some(2), "{line}: {ended:?}");
        assert!(ended.stderr.contains("--scope NAME"), "{line}: {ended:?}");
    }
}
