//! What keys of each permission may do, and what the others are told.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::{ADMIN, TestApp};
use octopoid_api::AuthMode;
use serde_json::{Value, json};

const KEYS: &str = "/api/v1/admin/keys";
const ROTATION: &str = "/api/v1/orchestrators/scopes/s/rotate-key";

/// A text that says which permission is needed, and which the key has.
fn text(needed: &str, has: &str) -> String {
    format!("This needs a key with the permission {needed}; the key has \"{has}\"")
}

/// The keys that a caller sees, newest last, as scope, label and permission.
async fn keys(caller: &TestApp) -> Vec<[Value; 3]> {
    let listed = caller.get(KEYS).await.expect(200);
    let fields = |key: &Value| ["scope", "label", "permission"].map(|name| key[name].clone());
    listed["keys"].as_array().unwrap().iter().map(fields).collect()
}

async fn server() -> TestApp {
    TestApp::guarded(AuthMode::Required).await
}

#[tokio::test]
async fn a_key_is_issued_with_a_permission() {
    let admin = server().await.holding(ADMIN);
    for (body, permission) in [
        (json!({"scope": "s"}), "manage"),
        (json!({"scope": "s", "permission": null}), "manage"),
        (json!({"scope": "s", "permission": "read"}), "read"),
        (json!({"scope": "s", "permission": "work"}), "work"),
        (json!({"scope": "s", "permission": "manage"}), "manage"),
    ] {
        assert_eq!(admin.post(KEYS, body).await.expect(201)["permission"], permission);
    }
    let unknown = admin.post(KEYS, json!({"scope": "s", "permission": "admin"})).await;
    assert_eq!(
        unknown.error(400),
        "Invalid permission \"admin\". Valid permissions: login, read, work, manage"
    );
    let wrong = admin.post(KEYS, json!({"scope": "s", "permission": ["read"]})).await.error(400);
    assert!(wrong.starts_with("Invalid value for permission"), "{wrong}");
    assert_eq!(keys(&admin).await.len(), 5);
}

#[tokio::test]
async fn a_scopes_first_key_manages_it() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let body = json!({"cluster": "c", "machine_id": "m", "scope": "s"});
    let registered = app.post("/api/v1/orchestrators/register", body).await.expect(201);
    let first = app.holding(registered["api_key"].as_str().unwrap());
    assert_eq!(keys(&first).await, [[json!("s"), Value::Null, json!("manage")]]);
}

#[tokio::test]
async fn a_key_for_reading_is_told_what_it_would_need() {
    let app = server().await;
    let reader = app.permitted("s", "read").await;
    reader.get("/api/v1/tasks").await.expect(200);
    for (answer, needed) in [
        (reader.post("/api/v1/tasks", json!({})).await, "\"work\""),
        (reader.claim(json!({})).await, "\"work\""),
        (reader.post("/api/v1/tasks/t/submit", json!({})).await, "\"work\""),
        (
            reader.post("/api/v1/tasks/t/accept", json!({"lease_token": "x"})).await,
            "\"work\" and the lease_token of a claim",
        ),
        (reader.patch("/api/v1/tasks/t", json!({})).await, "\"manage\""),
        (reader.post("/api/v1/projects", json!({})).await, "\"manage\""),
        (reader.get(KEYS).await, "\"manage\""),
    ] {
        let expected = json!({"error": text(needed, "read"), "code": "forbidden"});
        assert_eq!(answer.expect(403), expected);
    }
}

#[tokio::test]
async fn a_key_for_work_does_the_work_of_agents() {
    let app = server().await;
    let worker = app.permitted("s", "work").await;
    worker.task("t", json!({})).await;
    let machine = json!({"cluster": "c", "machine_id": "m"});
    worker.post("/api/v1/orchestrators/register", machine).await.expect(201);
    worker.post("/api/v1/orchestrators/c-m/heartbeat", json!({})).await.expect(200);
    worker.claim(json!({})).await.expect(200);
    let message = json!({"task_id": "t", "from_actor": "a", "type": "comment", "content": "c"});
    worker.post("/api/v1/messages", message).await.expect(201);
    let action = json!({"entity_type": "task", "entity_id": "t", "label": "l", "proposed_by": "a"});
    worker.post("/api/v1/actions", action).await.expect(201);
    worker.post("/api/v1/drafts", json!({"title": "d", "author": "a"})).await.expect(201);
    let work = json!({"commits_count": 1, "turns_used": 1});
    worker.post("/api/v1/tasks/t/submit", work).await.expect(200);
    for answer in [
        worker.patch("/api/v1/tasks/t", json!({"queue": "failed"})).await,
        worker.post("/api/v1/tasks/t/force-queue", json!({})).await,
        worker.delete("/api/v1/tasks/t").await,
        worker.post(KEYS, json!({"scope": "s"})).await,
    ] {
        assert_eq!(answer.error(403), text("\"manage\"", "work"));
    }
}

#[tokio::test]
async fn a_key_for_work_needs_a_lease_token_to_end_what_is_held() {
    let app = server().await;
    let (worker, manager) = (app.permitted("s", "work").await, app.holder("s").await);
    worker.task("t", json!({})).await;
    worker.claim(json!({})).await.expect(200);
    let expected = text("\"manage\", or the lease_token of a claim in the body", "work");
    for step in ["requeue", "accept", "reject"] {
        let path = format!("/api/v1/tasks/t/{step}");
        for body in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"reason":"r","accepted_by":"a","rejected_by":"a"}"#,
            r#"{"lease_token":null}"#,
            r#"{"lease_token":""}"#,
            r#"{"lease_token":0}"#,
            r#"{"lease_token":["x"]}"#,
        ] {
            let answer = worker.raw("POST", &path, body).await;
            assert_eq!(answer.error(403), expected, "{step} {body}");
        }
    }
    assert_eq!(app.holding(ADMIN).get("/api/v1/tasks/t").await.expect(200)["queue"], "claimed");
    manager.raw("POST", "/api/v1/tasks/t/requeue", "").await.expect(200);
}

#[tokio::test]
async fn a_path_that_is_also_an_id_is_closed_like_the_others() {
    let app = server().await;
    let worker = app.permitted("s", "work").await;
    worker.task("claim", json!({})).await;
    worker.get("/api/v1/tasks/claim").await.expect(200);
    let expected = text("\"manage\"", "work");
    assert_eq!(worker.patch("/api/v1/tasks/claim", json!({})).await.error(403), expected);
    assert_eq!(worker.delete("/api/v1/tasks/claim").await.error(403), expected);
    worker.get("/api/v1/roles/register").await.expect(404);
    let reader = app.permitted("s", "read").await;
    assert_eq!(reader.raw("HEAD", "/api/v1/tasks/claim", "").await.status, 200);
    assert_eq!(reader.raw("HEAD", KEYS, "").await.status, 403);
}

#[tokio::test]
async fn what_does_not_exist_is_no_question_of_permission() {
    let reader = server().await.permitted("s", "read").await;
    for answer in [
        reader.post("/api/v1/nothing", json!({})).await,
        reader.put("/api/v1/tasks", json!({})).await,
        reader.delete("/api/v1/scheduler/poll").await,
    ] {
        assert_eq!(answer.error(404), "Not Found");
    }
}

#[tokio::test]
async fn another_scope_is_a_mismatch_whatever_the_permission() {
    let reader = server().await.permitted("s", "read").await;
    let answer = reader.post("/api/v1/tasks", json!({"scope": "theirs"})).await;
    assert_eq!(answer.expect(403)["code"], "scope_mismatch");
}

#[tokio::test]
async fn routes_that_the_host_adds_are_the_administrators() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let app = app.mounting(|routes| {
        let route = axum::routing::get(async || "\"here\"");
        routes.route("/api/v1/own", route.clone()).route("/own", route)
    });
    assert_eq!(app.holding(ADMIN).get("/api/v1/own").await.status, 200);
    for caller in [app.clone(), app.holder("s").await] {
        let answer = caller.get("/api/v1/own").await;
        assert_eq!(answer.error(403), "Only the holder of API_SECRET_KEY may do this");
        assert_eq!(caller.get("/own").await.status, 200);
    }
}

#[tokio::test]
async fn a_key_that_manages_keeps_the_keys_of_its_scope() {
    let app = server().await;
    let (mine, admin) = (app.holder("mine").await, app.holding(ADMIN));
    app.holder("theirs").await;
    let body = json!({"label": "agents", "permission": "work"});
    let issued = mine.post(KEYS, body).await.expect(201);
    assert_eq!((&issued["scope"], &issued["permission"]), (&json!("mine"), &json!("work")));
    let worker = app.holding(issued["api_key"].as_str().unwrap());
    worker.get("/api/v1/tasks").await.expect(200);
    let mut seen = keys(&mine).await;
    seen.sort_by_key(|[_, label, _]| label.to_string());
    let key = |label, permission| [json!("mine"), json!(label), json!(permission)];
    assert_eq!(seen, [key("agents", "work"), key("test", "manage")]);
    assert_eq!(keys(&admin).await.len(), 3);
    let path = format!("{KEYS}/{}", issued["id"].as_str().unwrap());
    mine.delete(&path).await.expect(200);
    assert_eq!(worker.get("/api/v1/tasks").await.error(401), "Invalid API key");
}

#[tokio::test]
async fn a_key_that_manages_does_not_reach_the_keys_of_other_scopes() {
    let app = server().await;
    let (mine, theirs) = (app.holder("mine").await, app.holder("theirs").await);
    let their_id = theirs.get(KEYS).await.expect(200)["keys"][0]["id"].clone();
    let path = format!("{KEYS}/{}", their_id.as_str().unwrap());
    assert_eq!(mine.delete(&path).await.error(404), "API key not found");
    for answer in [
        mine.post(KEYS, json!({"scope": "theirs"})).await,
        mine.get(&format!("{KEYS}?scope=theirs")).await,
        mine.delete(&format!("{path}?scope=theirs")).await,
    ] {
        assert_eq!(answer.expect(403)["code"], "scope_mismatch");
    }
    theirs.get("/api/v1/tasks").await.expect(200);
    assert_eq!(keys(&theirs).await.len(), 1);
}

#[tokio::test]
async fn without_an_administrator_a_key_that_manages_keeps_its_keys_all_the_same() {
    let app = TestApp::new().await;
    let body = json!({"cluster": "c", "machine_id": "m", "scope": "s"});
    let registered = app.post("/api/v1/orchestrators/register", body).await.expect(201);
    let first = app.holding(registered["api_key"].as_str().unwrap());
    let issued = first.post(KEYS, json!({"permission": "read"})).await.expect(201);
    let reader = app.holding(issued["api_key"].as_str().unwrap());
    reader.get("/api/v1/tasks").await.expect(200);
    assert_eq!(reader.get(KEYS).await.error(403), text("\"manage\"", "read"));
    // Without a key there is more to do than with one that may only read.
    app.task("t", json!({})).await;
}

#[tokio::test]
async fn rotating_keeps_the_permission() {
    let app = server().await;
    for permission in ["read", "work", "manage"] {
        let old = app.permitted("s", permission).await;
        let rotated = old.post(ROTATION, json!({})).await.expect(200);
        let new = app.holding(rotated["api_key"].as_str().unwrap());
        new.get("/api/v1/tasks").await.expect(200);
        old.get("/api/v1/tasks").await.expect(401);
        let allowed = new.post("/api/v1/projects", json!({})).await.status;
        assert_eq!(allowed, if permission == "manage" { 400 } else { 403 }, "{permission}");
    }
}

#[tokio::test]
async fn the_key_that_replaces_all_others_has_the_highest_permission() {
    let app = server().await;
    let admin = app.holding(ADMIN);
    for (label, permission) in [("old", "manage"), ("agents", "work"), ("board", "read")] {
        app.passes(1);
        let body = json!({"scope": "s", "label": label, "permission": permission});
        admin.post(KEYS, body).await.expect(201);
    }
    app.passes(1);
    let rotated = admin.post(ROTATION, json!({})).await.expect(200);
    let new = app.holding(rotated["api_key"].as_str().unwrap());
    let listed = new.get(KEYS).await.expect(200);
    let living: Vec<_> = listed["keys"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["revoked_at"].is_null())
        .collect();
    assert_eq!(living.len(), 1);
    assert_eq!((&living[0]["label"], &living[0]["permission"]), (&json!("old"), &json!("manage")));
}
