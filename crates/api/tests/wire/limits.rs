//! Every field that is kept has a limit, the same on every engine. What is as long as it may be can be
//! stored, however little it can be compressed; what is a byte longer is 400 and changes nothing.

use octopoid_api::AuthMode;
use serde_json::{Value, json};

use crate::common::{ADMIN, TestApp};

const KEY: usize = 512;
const PATH: usize = 1024;
const URL: usize = 2048;
const TITLE: usize = 4096;
const NOTE: usize = 65_536;

/// An operation, a body it takes, and the fields of it with their limits.
type Limited = (&'static str, &'static str, Value, &'static [(&'static str, usize)]);

/// Text that no database compresses, different for each seed.
fn noise(bytes: usize, seed: u64) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut digit = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(DIGITS[usize::try_from(state >> 58).unwrap()])
    };
    (0..bytes).map(|_| digit()).collect()
}

/// A value of so many bytes.
fn long(field: &str, bytes: usize, seed: u64) -> Value {
    match field {
        "tags" => json!([noise(bytes - 4, seed)]),
        "capabilities" => json!({ "a": noise(bytes - 8, seed) }),
        _ => noise(bytes, seed).into(),
    }
}

fn creations() -> Vec<Limited> {
    [creations_of_work(), creations_of_talk()].concat()
}

fn creations_of_work() -> Vec<Limited> {
    vec![
        (
            "POST",
            "/api/v1/tasks",
            json!({"id": "i", "file_path": "p", "branch": "b", "scope": "s"}),
            &[
                ("id", KEY),
                ("file_path", PATH),
                ("branch", KEY),
                ("scope", KEY),
                ("queue", KEY),
                ("priority", KEY),
                ("complexity", KEY),
                ("role", KEY),
                ("type", KEY),
                ("flow", KEY),
                ("title", TITLE),
                ("blocked_by", KEY),
            ],
        ),
        (
            "POST",
            "/api/v1/projects",
            json!({"id": "i", "title": "t", "branch": "b"}),
            &[
                ("id", KEY),
                ("title", TITLE),
                ("branch", KEY),
                ("description", NOTE),
                ("status", KEY),
                ("base_branch", KEY),
                ("created_by", KEY),
                ("scope", KEY),
                ("pr_url", URL),
                ("flow", KEY),
            ],
        ),
        (
            "POST",
            "/api/v1/drafts",
            json!({"title": "t", "author": "a"}),
            &[
                ("title", TITLE),
                ("author", KEY),
                ("status", KEY),
                ("domain", KEY),
                ("file_path", PATH),
                ("linked_task_id", KEY),
                ("linked_project_id", KEY),
                ("tags", NOTE),
                ("scope", KEY),
            ],
        ),
    ]
}

fn creations_of_talk() -> Vec<Limited> {
    let states = json!(["incoming", "claimed", "provisional", "done", "failed"]);
    vec![
        (
            "POST",
            "/api/v1/messages",
            json!({"task_id": "t", "from_actor": "f", "type": "y", "content": "c", "scope": "s"}),
            &[
                ("task_id", KEY),
                ("from_actor", KEY),
                ("type", KEY),
                ("scope", KEY),
                ("to_actor", KEY),
            ],
        ),
        (
            "POST",
            "/api/v1/actions",
            json!({"entity_type": "t", "entity_id": "e", "label": "l", "proposed_by": "p",
                "scope": "s"}),
            &[
                ("entity_type", KEY),
                ("entity_id", KEY),
                ("action_type", KEY),
                ("label", TITLE),
                ("description", NOTE),
                ("proposed_by", KEY),
                ("scope", KEY),
            ],
        ),
        (
            "POST",
            "/api/v1/orchestrators/register",
            json!({"cluster": "c", "machine_id": "m", "scope": "s"}),
            &[
                ("hostname", KEY),
                ("version", KEY),
                ("repo_url", URL),
                ("capabilities", NOTE),
                ("scope", KEY),
            ],
        ),
        (
            "PUT",
            "/api/v1/flows/f",
            json!({"scope": "s", "states": states, "transitions": []}),
            &[("scope", KEY), ("description", NOTE)],
        ),
        ("POST", "/api/v1/admin/keys", json!({"scope": "s"}), &[("scope", KEY), ("label", TITLE)]),
    ]
}

/// Operations on a task that is held by `g` on `m`, in the order in which all of them can be done.
fn changes() -> Vec<Limited> {
    vec![
        (
            "PATCH",
            "/api/v1/tasks/a",
            json!({}),
            &[
                ("branch", KEY),
                ("priority", KEY),
                ("complexity", KEY),
                ("role", KEY),
                ("type", KEY),
                ("claimed_by", KEY),
                ("plan_id", KEY),
                ("last_rebase_attempt_at", KEY),
                ("flow", KEY),
                ("title", TITLE),
                ("pr_url", URL),
                ("staging_url", URL),
            ],
        ),
        (
            "POST",
            "/api/v1/tasks/a/force-queue",
            json!({"queue": "x", "reason": "r"}),
            &[("queue", KEY), ("reason", NOTE)],
        ),
        ("PATCH", "/api/v1/tasks/a", json!({"queue": "provisional"}), &[]),
        (
            "POST",
            "/api/v1/tasks/a/reject",
            json!({"reason": "r", "rejected_by": "r"}),
            &[("reason", NOTE), ("rejected_by", KEY)],
        ),
        ("PATCH", "/api/v1/tasks/a", json!({"queue": "provisional"}), &[]),
        ("POST", "/api/v1/tasks/a/accept", json!({"accepted_by": "r"}), &[("accepted_by", KEY)]),
        (
            "PATCH",
            "/api/v1/drafts/1",
            json!({}),
            &[
                ("title", TITLE),
                ("author", KEY),
                ("status", KEY),
                ("domain", KEY),
                ("file_path", PATH),
                ("linked_task_id", KEY),
                ("linked_project_id", KEY),
                ("tags", NOTE),
            ],
        ),
        (
            "PATCH",
            "/api/v1/projects/p",
            json!({}),
            &[
                ("title", TITLE),
                ("description", NOTE),
                ("status", KEY),
                ("branch", KEY),
                ("base_branch", KEY),
                ("pr_url", URL),
                ("flow", KEY),
            ],
        ),
    ]
}

async fn check(app: &TestApp, (method, path, body, fields): Limited) {
    let mut full = body.clone();
    for (seed, (field, max)) in (1..).zip(fields) {
        let mut over = body.clone();
        over[field] = long(field, max + 1, seed);
        let text = app.raw(method, path, over.to_string()).await.error(400);
        let expected = format!("{field} is too long: at most {max} bytes");
        assert_eq!(text, expected, "{method} {path}");
        full[field] = long(field, *max, seed);
    }
    let answer = app.raw(method, path, full.to_string()).await;
    assert!(answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.text);
    for (field, _) in fields {
        let shown = &answer.json()[field];
        if let (Value::String(sent), Value::String(shown)) = (&full[field], shown) {
            assert_eq!(shown, sent, "{method} {path}: {field}");
        }
    }
}

async fn administered() -> TestApp {
    TestApp::guarded(AuthMode::Open).await.holding(ADMIN)
}

#[tokio::test]
async fn every_field_of_what_is_created_has_a_limit() {
    let app = administered().await;
    for limited in creations() {
        check(&app, limited).await;
    }
}

#[tokio::test]
async fn every_field_of_what_is_changed_has_a_limit() {
    let app = administered().await;
    app.task("a", json!({})).await;
    let draft = json!({"title": "t", "author": "a"});
    assert_eq!(app.post("/api/v1/drafts", draft).await.expect(201)["id"], 1);
    let project = json!({"id": "p", "title": "t", "branch": "b"});
    app.post("/api/v1/projects", project).await.expect(201);
    app.claim(json!({"agent_name": "g", "orchestrator_id": "m"})).await.expect(200);
    for limited in changes() {
        check(&app, limited).await;
    }
}

#[tokio::test]
async fn machines_roles_and_claims_have_limits_as_well() {
    let app = administered().await;
    let register = async |cluster: &str, machine: &str| {
        let body = json!({"cluster": cluster, "machine_id": machine, "scope": "s"});
        app.post("/api/v1/orchestrators/register", body).await
    };
    let text = register(&noise(256, 1), &noise(256, 2)).await.error(400);
    assert_eq!(text, "cluster and machine_id is too long: at most 512 bytes");
    let machine = register(&noise(256, 1), &noise(255, 2)).await.expect(201);
    let id = machine["orchestrator_id"].clone();
    for (field, max) in [("name", KEY), ("claims_from", KEY), ("description", NOTE)] {
        let mut role = json!({"name": "r"});
        role[field] = noise(max + 1, 3).into();
        let body = json!({"orchestrator_id": id, "roles": [role]});
        let text = app.post("/api/v1/roles/register", body).await.error(400);
        assert_eq!(text, format!("roles[0].{field} is too long: at most {max} bytes"));
    }
    let role = json!({"name": noise(KEY, 3), "claims_from": noise(KEY, 4),
        "description": noise(NOTE, 5)});
    let body = json!({"orchestrator_id": id, "roles": [role]});
    app.post("/api/v1/roles/register", body).await.expect(200);
    let path = format!("/api/v1/flows/{}", noise(KEY + 1, 6));
    let flow = json!({"scope": noise(KEY, 7), "transitions": [],
        "states": ["incoming", "claimed", "done", "failed", noise(KEY, 8)]});
    let text = app.put(&path, flow.clone()).await.error(400);
    assert_eq!(text, "name is too long: at most 512 bytes");
    app.put(&format!("/api/v1/flows/{}", noise(KEY, 6)), flow).await.expect(200);
    for field in ["role_filter", "type_filter"] {
        let text = app.claim(json!({field: vec!["x"; 101]})).await.error(400);
        assert_eq!(text, format!("Too many entries in {field}: at most 100"));
        let text = app.claim(json!({field: [noise(KEY + 1, 9)]})).await.error(400);
        assert_eq!(text, format!("{field} is too long: at most 512 bytes"));
        app.claim(json!({field: vec![noise(KEY, 9); 100], "scope": "none"})).await.expect(404);
    }
}

#[tokio::test]
async fn an_error_does_not_grow_with_what_was_sent_or_what_is_there() {
    let app = administered().await;
    let machine = json!({"cluster": "c", "machine_id": "m", "scope": "s"});
    app.post("/api/v1/orchestrators/register", machine).await.expect(201);
    let roles: Vec<_> = (0..1_000).map(|number| json!({"name": noise(KEY, number + 1)})).collect();
    let body = json!({"orchestrator_id": "c-m", "roles": roles});
    app.post("/api/v1/roles/register", body).await.expect(200);
    let mut states = vec!["incoming".to_owned(), "claimed".into(), "done".into(), "failed".into()];
    states.extend((0..96).map(|number| noise(KEY, number + 1)));
    let flow = json!({"scope": "s", "states": states, "transitions": []});
    app.put("/api/v1/flows/default", flow).await.expect(200);
    let long = noise(3_000, 1);
    let task = |field: &str, value: &str| {
        let mut body = json!({"id": "x", "file_path": "x", "branch": "b", "scope": "s"});
        body[field] = value.into();
        body.to_string()
    };
    let name = noise(KEY, 2_000);
    let query = format!("/api/v1/tasks/nobody?scope={long}");
    let holder = app.holder("s").await;
    for (who, method, path, body) in [
        (&app, "POST", "/api/v1/tasks", task("role", &name)),
        (&app, "POST", "/api/v1/tasks", task("queue", &name)),
        (&app, "POST", "/api/v1/tasks", task("project_id", &name)),
        (
            &app,
            "POST",
            "/api/v1/tasks/claim",
            json!({"orchestrator_id": "m", "agent_name": "a",
            "scope": "s", "role_filter": [name]})
            .to_string(),
        ),
        (&app, "PATCH", "/api/v1/orchestrators/c-m", json!({"status": long}).to_string()),
        (&app, "PATCH", "/api/v1/actions/x", json!({"status": long}).to_string()),
        (
            &app,
            "POST",
            "/api/v1/roles/register",
            json!({"orchestrator_id": "none", "roles": []}).to_string(),
        ),
        (
            &app,
            "PUT",
            "/api/v1/flows/g",
            json!({"scope": "s", "states": states[1..], "transitions": []}).to_string(),
        ),
        (&app, "GET", &*format!("/api/v1/tasks/{long}"), String::new()),
        (&app, "GET", &*format!("/api/v1/drafts/{}", "9".repeat(3_000)), String::new()),
        (&app, "GET", &*format!("/api/v1/projects/{long}"), String::new()),
        (&app, "GET", &*format!("/api/v1/tasks?scope=s&{long}=%00"), String::new()),
        (&holder, "GET", &*query, String::new()),
        (&holder, "POST", "/api/v1/tasks", task("scope", &long)),
    ] {
        let answer = who.raw(method, path, body).await;
        assert!(answer.status.is_client_error(), "{method} {path}: {}", answer.status);
        assert!(answer.text.len() < 4_000, "{method} {path}: {} bytes", answer.text.len());
    }
    // Where one text is shown, its beginning is.
    let rotate = format!("/api/v1/orchestrators/scopes/{long}/rotate-key");
    for answer in [
        holder.get(&query).await,
        holder.raw("POST", "/api/v1/tasks", task("scope", &long)).await,
        holder.raw("POST", &rotate, "").await,
        app.get(&format!("/api/v1/projects/{long}")).await,
    ] {
        let text = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(text.contains(&long[..100]) && text.contains('…'), "{text}");
        assert!(!text.contains(&long[..101]), "{text}");
    }
}

#[tokio::test]
async fn a_scope_has_a_hundred_flows_and_a_queue_a_thousand_pairs_of_role_and_type() {
    let app = administered().await;
    let flow = json!({"scope": "s", "transitions": [],
        "states": ["incoming", "claimed", "provisional", "done", "failed"]});
    for number in 0..100 {
        app.put(&format!("/api/v1/flows/f{number}"), flow.clone()).await.expect(200);
    }
    let text = app.put("/api/v1/flows/more", flow.clone()).await.error(400);
    let expected = "Too many flows in this scope: at most 100. Delete one that is not used";
    assert_eq!(text, expected);
    app.put("/api/v1/flows/f7", flow.clone()).await.expect(200);
    app.delete("/api/v1/flows/f7?scope=s").await.expect(200);
    app.put("/api/v1/flows/more", flow).await.expect(200);

    for number in 0..1_000 {
        app.task(&format!("t{number}"), json!({"type": format!("k{number}")})).await;
    }
    let body = |kind: &str| json!({"id": kind, "file_path": kind, "branch": "b", "scope": "s", "type": kind});
    let expected = "Too many pairs of role and type wait in queue \"incoming\": at most 1000. \
        Use a type that is there already, or none";
    assert_eq!(app.post("/api/v1/tasks", body("one-more")).await.error(400), expected);
    app.post("/api/v1/tasks", body("k3")).await.expect(201);
    let text = app.patch("/api/v1/tasks/t5", json!({"type": "other"})).await.error(400);
    assert_eq!(text, expected);
    app.patch("/api/v1/tasks/t5", json!({"type": "k6"})).await.expect(200);
    app.post("/api/v1/tasks", body("one-more")).await.expect(201);
}
