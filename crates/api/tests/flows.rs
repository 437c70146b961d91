//! Registering, reading and deleting flows.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::TestApp;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/flows/f";

fn flow(fields: Value) -> Value {
    let mut body = json!({
        "scope": "s",
        "states": ["incoming", "claimed", "done", "failed", "provisional"],
        "transitions": [{"from": "claimed", "to": "provisional", "agent": "r", "runs": [1]}],
    });
    if let Value::Object(fields) = fields {
        body.as_object_mut().unwrap().extend(fields);
    }
    body
}

/// The app as the holder of a scope's first key sees it.
async fn holder(app: &TestApp, scope: &str) -> TestApp {
    let body = json!({"cluster": "c", "machine_id": scope, "scope": scope});
    let registered = app.post("/api/v1/orchestrators/register", body).await.expect(201);
    app.holding(registered["api_key"].as_str().unwrap())
}

#[tokio::test]
async fn a_flow_is_stored_as_text_and_returned_whole() {
    let app = TestApp::new().await;
    let child = json!({"transitions": {"incoming -> claimed": {}}});
    let body = flow(json!({"description": "d", "child_flow": child}));
    let put = app.put(PATH, body).await.expect(200);
    let expected = json!({
        "name": "f", "scope": "s",
        "states": "[\"incoming\",\"claimed\",\"done\",\"failed\",\"provisional\"]",
        "transitions": "[{\"from\":\"claimed\",\"to\":\"provisional\",\"agent\":\"r\",\"runs\":[1]}]",
        "registered_at": "2026-11-21 20:58:58", "updated_at": "2026-11-21 20:58:58",
        "description": "d", "child_flow": child,
    });
    assert_eq!(put, expected);
    assert_eq!(app.get(&format!("{PATH}?scope=s")).await.expect(200), expected);
    let listed = app.get("/api/v1/flows?scope=s").await.expect(200);
    assert_eq!(listed, json!({"flows": [expected], "next_cursor": null}));
}

#[tokio::test]
async fn putting_a_flow_again_keeps_when_it_was_registered() {
    let app = TestApp::new().await;
    app.put(PATH, flow(json!({"description": "d", "child_flow": "project"}))).await.expect(200);
    app.passes(2_000);
    let again = app.put(PATH, flow(json!({"transitions": []}))).await.expect(200);
    assert_eq!(again["registered_at"], "2026-11-21 20:58:58");
    assert_eq!(again["updated_at"], "2026-11-21 20:59:00");
    assert_eq!((&again["description"], &again["child_flow"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_child_flow_may_be_a_name() {
    let app = TestApp::new().await;
    let put = app.put(PATH, flow(json!({"child_flow": "project"}))).await.expect(200);
    assert_eq!(put["child_flow"], "project");
}

#[tokio::test]
async fn registering_checks_scope_states_and_transitions_in_this_order() {
    let app = TestApp::new().await;
    let states = json!(["incoming", "claimed", "done", "failed"]);
    for (body, text) in [
        (json!({}), "Missing required field: scope"),
        (json!({"scope": "s"}), "Missing required field: states (array)"),
        (json!({"scope": "s", "states": "incoming"}), "Missing required field: states (array)"),
        (json!({"scope": "s", "states": states}), "Missing required field: transitions (array)"),
        (
            flow(json!({"states": ["incoming", "claimed", "failed", "x"]})),
            "Flow states must include built-in state \"done\". Got: incoming, claimed, failed, x",
        ),
        (
            flow(json!({"states": []})),
            "Flow states must include built-in state \"incoming\". Got: ",
        ),
        (flow(json!({"states": ["incoming", 5]})), "Flow states must be texts"),
        (
            flow(json!({"transitions": [null]})),
            "Flow transitions must have texts \"from\" and \"to\"",
        ),
    ] {
        assert_eq!(app.put(PATH, body).await.error(400), text);
    }
    assert_eq!(app.raw("PUT", PATH, "").await.error(400), "Invalid JSON body");
    let refused = app.put(PATH, flow(json!({"description": 5}))).await.error(400);
    assert!(refused.starts_with("Invalid value for description: "), "{refused}");
    app.get(&format!("{PATH}?scope=s")).await.expect(404);
}

#[tokio::test]
async fn reading_asks_for_a_scope() {
    let app = TestApp::new().await;
    assert_eq!(
        app.get("/api/v1/flows").await.error(400),
        "Missing required query parameter: scope. Cannot list flows across all scopes."
    );
    let text = "Missing required query parameter: scope";
    assert_eq!(app.get(PATH).await.error(400), text);
    assert_eq!(app.delete(PATH).await.error(400), text);
}

#[tokio::test]
async fn an_unknown_flow_is_404() {
    let app = TestApp::new().await;
    app.put(PATH, flow(json!({"scope": "other"}))).await.expect(200);
    let path = format!("{PATH}?scope=s");
    assert_eq!(app.get(&path).await.error(404), "Flow not found");
    assert_eq!(app.delete(&path).await.error(404), "Flow not found");
    assert_eq!(
        app.get("/api/v1/flows?scope=s").await.expect(200),
        json!({"flows": [], "next_cursor": null})
    );
}

#[tokio::test]
async fn a_deleted_flow_binds_no_longer() {
    let app = TestApp::new().await;
    app.put("/api/v1/flows/default", flow(json!({}))).await.expect(200);
    app.task("t", json!({})).await;
    let patch = json!({"queue": "elsewhere"});
    app.patch("/api/v1/tasks/t", patch.clone()).await.expect(400);
    let deleted = app.delete("/api/v1/flows/default?scope=s").await.expect(200);
    assert_eq!(deleted, json!({"message": "Flow deleted", "name": "default", "scope": "s"}));
    app.patch("/api/v1/tasks/t", patch).await.expect(200);
}

#[tokio::test]
async fn a_key_names_the_scope_where_the_request_does_not() {
    let app = TestApp::new().await;
    let mine = holder(&app, "mine").await;
    let body = flow(json!({ "scope": null }));
    assert_eq!(mine.put(PATH, body).await.expect(200)["scope"], "mine");
    assert_eq!(mine.get(PATH).await.expect(200)["scope"], "mine");
    assert_eq!(mine.get("/api/v1/flows").await.expect(200)["flows"][0]["name"], "f");
    mine.delete(PATH).await.expect(200);
    mine.get(PATH).await.expect(404);
}

#[tokio::test]
async fn a_holder_does_not_reach_the_flows_of_others() {
    let app = TestApp::new().await;
    let mine = holder(&app, "mine").await;
    app.put(PATH, flow(json!({}))).await.expect(200);
    let text = "Scope mismatch: authenticated as \"mine\" but requested \"s\"";
    assert_eq!(mine.put(PATH, flow(json!({}))).await.error(403), text);
    let path = format!("{PATH}?scope=s");
    assert_eq!(mine.get(&path).await.error(403), text);
    assert_eq!(mine.delete(&path).await.error(403), text);
    assert_eq!(mine.get("/api/v1/flows?scope=s").await.error(403), text);
    assert_eq!(mine.get(PATH).await.error(404), "Flow not found");
    assert_eq!(mine.delete(PATH).await.error(404), "Flow not found");
}

#[tokio::test]
async fn a_name_may_hold_anything_but_nul() {
    let app = TestApp::new().await;
    let path = "/api/v1/flows/a%2Fb%20%C3%BC";
    assert_eq!(app.put(path, flow(json!({}))).await.expect(200)["name"], "a/b ü");
    app.get(&format!("{path}?scope=s")).await.expect(200);
    app.put("/api/v1/flows/a%00", flow(json!({}))).await.expect(400);
}
