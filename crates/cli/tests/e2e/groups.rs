//! Projects, drafts, machines, pauses, flows and keys.

use octopoid_domain::orchestrator::Registration;
use serde_json::json;

use crate::program::{World, wait};

#[test]
fn projects_group_tasks() {
    let world = World::new();
    assert!(world.ok("project list").contains("octopoid project create"));
    let line = "project create p1 'The parser' --branch parser --base-branch dev --description Text \
                --status active --flow special --auto-accept -o json";
    let project = world.json(line);
    for (field, value) in [
        ("title", json!("The parser")),
        ("branch", json!("parser")),
        ("base_branch", json!("dev")),
        ("description", json!("Text")),
        ("status", json!("active")),
        ("flow", json!("special")),
        ("auto_accept", json!(true)),
        ("created_by", json!("alice")),
    ] {
        assert_eq!(project[field], value, "{field}");
    }
    let list = "project list --status active --created-by alice --limit 1 -q";
    assert_eq!(world.id(list), "p1");
    assert_eq!(world.id("project list --status done -q"), "");
    let line = "project update p1 --title Parser --status done --description '' --branch b \
                --pr-url https://a.example/1 -o json";
    let project = world.json(line);
    assert_eq!((&project["title"], &project["description"]), (&json!("Parser"), &json!(null)));
    assert!(world.fails(2, "project update p1").contains("--pr-url"));
    assert!(world.ok("project get p1").contains("https://a.example/1"));
    world.ok("project create p2 Other");
    let id = world.id("add Work --project p2 -q");
    assert_eq!(world.id("project tasks p2 --limit 5 -q"), id);
    assert!(world.fails(4, "project delete p2").contains("project_in_use"));
    assert_eq!(world.ok("project delete p1"), "deleted project p1\n");
    world.fails(3, "project get p1");
}

#[test]
fn drafts_become_tasks_and_projects() {
    let world = World::new();
    let line = "draft create 'An idea' --author bob --status draft --domain cli --file-path a.md \
                --tag one --tag two -o json";
    let draft = world.json(line);
    assert_eq!((&draft["author"], &draft["tags"]), (&json!("bob"), &json!(r#"["one","two"]"#)));
    let list = "draft list --status draft,idea --author bob --domain cli --limit 3 -q";
    assert_eq!(world.id(list), "1");
    let line = "draft update 1 --title 'A good idea' --status review --domain '' --file-path b.md";
    assert_eq!(world.ok(line), "changed draft 1\n");
    assert!(world.ok("draft get 1").contains("A good idea"));
    let promoted = world.json("draft promote 1 --new-id t1 --priority P0 --branch dev -o json");
    assert_eq!(promoted["task"]["title"], "A good idea");
    assert_eq!(
        (&promoted["task"]["id"], &promoted["task"]["priority"]),
        (&json!("t1"), &json!("P0"))
    );
    assert_eq!(
        (&promoted["task"]["file_path"], &promoted["task"]["branch"]),
        (&json!("b.md"), &json!("dev"))
    );
    world.fails(4, "draft promote 1");

    world.ok("draft create Big");
    let promoted = world.ok("draft promote 2 --to project");
    assert_eq!(promoted, "draft 2 is project draft-2 now\n");
    world.ok("draft create Third");
    world.ok("draft promote 3 --file-path c.md");
    assert_eq!(world.json("task get draft-3 --json file_path")["file_path"], "c.md");
    world.ok("draft create Gone");
    assert_eq!(world.ok("draft delete 4"), "deleted draft 4\n");
    world.fails(3, "draft get 4");
}

#[test]
fn machines_are_listed_drained_and_resumed() {
    let world = World::new();
    assert_eq!(world.ok("orch list"), "no machine has registered\n");
    let body = Registration {
        cluster: "home".into(),
        machine_id: "laptop".into(),
        repo_url: "r".into(),
        ..Registration::default()
    };
    wait(world.client().register_orchestrator(&body)).unwrap();
    assert_eq!(world.id("orch list --cluster home --status active --limit 2 -q"), "home-laptop");
    assert!(world.ok("orch drain home-laptop").contains("gets no more work"));
    assert!(world.ok("orch list").contains("draining"));
    world.ok("add Work");
    world.fails(5, "task claim --orchestrator home-laptop");
    world.ok("orch resume home-laptop");
    world.ok("task claim --orchestrator home-laptop");
    assert!(world.ok("status").contains("MACHINES"));
    world.fails(3, "orch drain none");
}

#[test]
fn work_is_paused_and_goes_on() {
    let world = World::new();
    world.ok("add Work");
    assert_eq!(world.ok("pause list"), "nothing is paused\n");
    let added = world.ok("pause add queue:incoming --reason Lunch --until 1h --by bob");
    assert!(added.starts_with("paused queue:incoming, ends "), "{added}");
    let pause = world.json("pause list --limit 1 --json target,reason,by");
    assert_eq!(pause, json!([{ "target": "queue:incoming", "reason": "Lunch", "by": "bob" }]));
    assert!(world.fails(5, "task claim").contains("octopoid pause list"));
    assert_eq!(world.ok("pause remove queue:incoming"), "deleted pause queue:incoming\n");
    world.ok("task claim");
    assert!(world.fails(1, "pause add nonsense -r x").contains("queue:NAME"));
    world.fails(2, "pause add scope -r x --until never");
}

#[test]
fn flows_are_checked_applied_and_shown() {
    let world = World::new();
    let states = r#"["incoming","claimed","provisional","done","failed"]"#;
    let json = format!(r#"{{"name":"f","states":{states},"transitions":[],"description":"D"}}"#);
    world.write("f.json", &json);
    world.write(
        "g.toml",
        &format!("name = 'g'\nstates = {states}\n[[transitions]]\nfrom = 'a'\nto = 'b'\n"),
    );
    world.write("bad.json", r#"{"name":"f","states":["incoming"],"transitions":[]}"#);
    assert_eq!(World::alone().run("flow validate none.json").code, Some(2));
    assert_eq!(world.ok("flow validate f.json"), "flow f is valid: 5 queues, 0 steps\n");
    assert!(world.fails(2, "flow validate bad.json").contains("built-in state \"claimed\""));
    world.fails(2, "flow apply bad.json");
    assert_eq!(world.ok("flow apply f.json"), "applied flow f\n");
    world.ok("flow apply g.toml");
    assert_eq!(world.ok("flow list --limit 5 -q"), "f\ng\n");
    assert_eq!(world.json("flow get f -o json")["description"], "D");
    assert!(world.ok("flow get g").contains("transitions"));
    world.fails(3, "flow get none");
}

#[test]
fn keys_are_issued_used_rotated_and_revoked() {
    const ADMINISTRATOR: &str = "an-administrators-token";
    let world = World::serving(|serve| {
        serve.args(["--auth", "required"]).env("API_SECRET_KEY", ADMINISTRATOR);
    });
    let error = world.fails(6, "task list");
    assert!(error.contains("unauthorized") && error.contains("OCTOPOID_KEY"), "{error}");
    let with = |key: &str, line: &str| {
        crate::program::finish(world.command(line).env("OCTOPOID_KEY", key))
    };
    let issue = "key issue --permission manage --label laptop --expires 2h --json api_key";
    let issued = with(ADMINISTRATOR, issue).stdout;
    let issued: serde_json::Value = serde_json::from_str(&issued).unwrap();
    let key = issued["api_key"].as_str().unwrap();
    assert_eq!(with(key, "add Work").code, Some(0));
    let listed = with(key, "key list --limit 5");
    assert!(listed.stdout.contains("laptop") && listed.stdout.contains("manage"), "{listed:?}");

    world.write("work.key", "");
    let issued = with(key, "key issue --permission read");
    assert!(issued.stderr.ends_with("; it is not shown again\n"), "{issued:?}");
    world.write("read.key", &issued.stdout);
    assert!(world.ok("task list --key-file read.key").contains("Work"));
    let error = world.fails(6, "add More --key-file read.key");
    assert!(error.contains("forbidden"), "{error}");
    let ended = with(key, "task list --scope other");
    assert_eq!(ended.code, Some(6));
    assert!(ended.stderr.contains("leave --scope out"), "{ended:?}");

    let rotated = with(key, "key rotate --overlap 1h");
    let about = "the old one works for another 1h; it is not shown again\n";
    assert_eq!(rotated.stderr, about, "{rotated:?}");
    world.write("rotated.key", &rotated.stdout);
    world.ok("task list --key-file rotated.key");
    assert_eq!(with(key, "task list").code, Some(0));
    let rotated = with(key, "key rotate --json api_key").stdout;
    let rotated: serde_json::Value = serde_json::from_str(&rotated).unwrap();
    assert_eq!(with(key, "task list").code, Some(6));
    let key = rotated["api_key"].as_str().unwrap();
    let ids = with(key, "key list -q").stdout;
    for id in ids.lines() {
        let revoked = with(ADMINISTRATOR, &format!("key revoke {id}"));
        assert_eq!(revoked.stdout, format!("revoked key {id}\n"), "{revoked:?}");
    }
    assert_eq!(with(key, "task list").code, Some(6));
}
