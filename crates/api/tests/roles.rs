//! Registering, listing and reading roles.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::TestApp;
use serde_json::{Value, json};

const REGISTER: &str = "/api/v1/roles/register";

/// Registers `c-<machine>` in a scope and returns the app as the holder of its first key sees it.
async fn machine(app: &TestApp, machine: &str, scope: &str) -> TestApp {
    let body = json!({"cluster": "c", "machine_id": machine, "scope": scope});
    let registered = app.post("/api/v1/orchestrators/register", body).await.expect(201);
    app.holding(registered["api_key"].as_str().unwrap())
}

async fn register(app: &TestApp, orchestrator: &str, roles: Value) -> Value {
    app.post(REGISTER, json!({"orchestrator_id": orchestrator, "roles": roles})).await.expect(200)
}

fn names(body: &Value) -> Vec<&str> {
    body["roles"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn registering_answers_the_roles_of_the_orchestrator() {
    let app = TestApp::new().await;
    machine(&app, "m", "s").await;
    let roles = json!([{"name": "review", "claims_from": "provisional",
        "description": "Code review"}, {"name": "implement"}, {"description": "nameless"}]);
    let registered = register(&app, "c-m", roles).await;
    let expected = json!({"roles": [
        {"name": "implement", "description": null, "claims_from": "incoming",
            "orchestrator_id": "c-m", "created_at": "2026-11-21 20:58:58", "scope": "s"},
        {"name": "review", "description": "Code review", "claims_from": "provisional",
            "orchestrator_id": "c-m", "created_at": "2026-11-21 20:58:58", "scope": "s"},
    ]});
    assert_eq!(registered, expected);
    let more = register(&app, "c-m", json!([{"name": "test"}])).await;
    assert_eq!(names(&more), ["implement", "review", "test"]);
    assert_eq!(app.get("/api/v1/roles/review").await.expect(200), expected["roles"][1]);
}

#[tokio::test]
async fn registering_a_role_again_resets_when_it_was_created() {
    let app = TestApp::new().await;
    machine(&app, "m", "s").await;
    register(&app, "c-m", json!([{"name": "a", "claims_from": "x"}])).await;
    app.passes(2_000);
    let again = register(&app, "c-m", json!([{"name": "a"}])).await;
    assert_eq!(again["roles"][0]["created_at"], "2026-11-21 20:59:00");
    assert_eq!(again["roles"][0]["claims_from"], "incoming");
}

#[tokio::test]
async fn registering_asks_for_an_orchestrator_and_a_list() {
    let app = TestApp::new().await;
    for body in [
        json!({}),
        json!({"orchestrator_id": "c-m"}),
        json!({"roles": []}),
        json!({"orchestrator_id": "c-m", "roles": {"name": "a"}}),
        json!({"orchestrator_id": "", "roles": []}),
    ] {
        assert_eq!(
            app.post(REGISTER, body).await.error(400),
            "Missing required fields: orchestrator_id, roles"
        );
    }
    assert_eq!(app.raw("POST", REGISTER, "null").await.error(400), "Invalid JSON body");
    let body = json!({"orchestrator_id": "c-m", "roles": [{"name": "a", "claims_from": 5}]});
    let refused = app.post(REGISTER, body).await.error(400);
    assert!(refused.starts_with("Invalid value for roles[0].claims_from: "), "{refused}");
    let body = json!({"orchestrator_id": "c-m", "roles": vec![json!({}); 1001]});
    assert_eq!(app.post(REGISTER, body).await.error(400), "Too many roles: at most 1000");
}

#[tokio::test]
async fn an_unknown_orchestrator_is_400() {
    let app = TestApp::new().await;
    let body = json!({"orchestrator_id": "nobody", "roles": [{"name": "a"}]});
    assert_eq!(app.post(REGISTER, body).await.error(400), "Orchestrator 'nobody' not found");
    let mine = machine(&app, "m", "a").await;
    machine(&app, "n", "b").await;
    let body = json!({"orchestrator_id": "c-n", "roles": [{"name": "a"}]});
    assert_eq!(mine.post(REGISTER, body).await.error(400), "Orchestrator 'c-n' not found");
    let listed = app.get("/api/v1/roles").await.expect(200);
    assert_eq!(listed, json!({"roles": [], "next_cursor": null}));
}

#[tokio::test]
async fn roles_are_listed_by_name_for_one_scope_or_all() {
    let app = TestApp::new().await;
    let mine = machine(&app, "m", "a").await;
    machine(&app, "n", "b").await;
    register(&app, "c-m", json!([{"name": "z"}, {"name": "k"}])).await;
    register(&app, "c-n", json!([{"name": "other"}])).await;
    assert_eq!(names(&app.get("/api/v1/roles").await.expect(200)), ["k", "other", "z"]);
    assert_eq!(names(&app.get("/api/v1/roles?scope=b").await.expect(200)), ["other"]);
    assert_eq!(names(&mine.get("/api/v1/roles").await.expect(200)), ["k", "z"]);
    assert_eq!(
        mine.get("/api/v1/roles?scope=b").await.error(403),
        "Scope mismatch: authenticated as \"a\" but requested \"b\""
    );
}

#[tokio::test]
async fn a_role_is_its_own_scopes_or_else_the_one_registered_last() {
    let app = TestApp::new().await;
    let mine = machine(&app, "m", "a").await;
    let other = machine(&app, "n", "b").await;
    register(&app, "c-m", json!([{"name": "review", "claims_from": "from-a"}])).await;
    app.passes(1);
    register(&app, "c-n", json!([{"name": "review", "claims_from": "from-b"}])).await;
    let path = "/api/v1/roles/review";
    for (caller, query, from) in [
        (&mine, "", "from-a"),
        (&other, "", "from-b"),
        (&app, "", "from-b"),
        (&app, "?scope=a", "from-a"),
        (&app, "?scope=elsewhere", "from-b"),
    ] {
        let role = caller.get(&format!("{path}{query}")).await.expect(200);
        assert_eq!(role["claims_from"], from, "{query}");
    }
    assert_eq!(app.get("/api/v1/roles/banana").await.error(404), "Role not found");
}

#[tokio::test]
async fn an_unknown_role_is_refused_only_where_roles_are_registered() {
    let app = TestApp::new().await;
    machine(&app, "m", "s").await;
    register(&app, "c-m", json!([{"name": "review"}, {"name": "implement"}])).await;
    let task = json!({"id": "t", "file_path": "f", "branch": "main", "role": "banana"});
    let body = |scope: &str| {
        let mut body = task.clone();
        body["scope"] = scope.into();
        body
    };
    assert_eq!(
        app.post("/api/v1/tasks", body("s")).await.error(400),
        "Unknown role 'banana'. Registered roles: implement, review"
    );
    app.post("/api/v1/tasks", body("elsewhere")).await.expect(201);
}
