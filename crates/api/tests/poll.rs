//! What a scheduler learns from a poll.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::TestApp;
use serde_json::{Value, json};

const POLL: &str = "/api/v1/scheduler/poll";
const MISSING: &str = "Missing scope. Provide orchestrator_id (with registered scope) or scope \
                       query parameter.";

/// Registers `c-<machine>` in a scope and returns the app as the holder of its first key sees it.
async fn machine(app: &TestApp, machine: &str, scope: &str) -> TestApp {
    let body = json!({"cluster": "c", "machine_id": machine, "scope": scope});
    let registered = app.post("/api/v1/orchestrators/register", body).await.expect(201);
    app.holding(registered["api_key"].as_str().unwrap())
}

async fn put_flow(app: &TestApp, name: &str, scope: &str) {
    let states = json!(["incoming", "claimed", "done", "failed", "provisional"]);
    let body = json!({"scope": scope, "states": states, "transitions": []});
    app.put(&format!("/api/v1/flows/{name}"), body).await.expect(200);
}

async fn poll(app: &TestApp, query: &str) -> Value {
    app.get(&format!("{POLL}{query}")).await.expect(200)
}

#[tokio::test]
async fn a_poll_has_exactly_the_shape_that_schedulers_read() {
    let app = TestApp::new().await;
    machine(&app, "m", "s").await;
    put_flow(&app, "default", "s").await;
    for (id, queue) in [("1", "incoming"), ("2", "incoming"), ("3", "done"), ("4", "provisional")] {
        app.task(id, json!({"queue": queue, "hooks": "[]"})).await;
    }
    app.claim(json!({})).await.expect(200);
    let expected = json!({
        "queue_counts": {"incoming": 1, "claimed": 1, "provisional": 1},
        "provisional_tasks": [{"id": "4", "hooks": "[]", "pr_number": null, "claimed_by": null}],
        "orchestrator_registered": true,
        "scope": "s",
        "flows": {"default": {"states": ["incoming", "claimed", "done", "failed", "provisional"]}},
    });
    assert_eq!(poll(&app, "?orchestrator_id=c-m").await, expected);
    app.claim(json!({"queue": "provisional", "agent_name": "reviewer"})).await.expect(200);
    app.patch("/api/v1/tasks/4", json!({"pr_number": 17})).await.expect(200);
    let reviewed = &poll(&app, "?scope=s").await["provisional_tasks"];
    let expected = json!([{"id": "4", "hooks": "[]", "pr_number": 17, "claimed_by": "reviewer"}]);
    assert_eq!(*reviewed, expected);
}

#[tokio::test]
async fn a_poll_of_nothing_is_all_zeros() {
    let app = TestApp::new().await;
    let expected = json!({
        "queue_counts": {"incoming": 0, "claimed": 0, "provisional": 0},
        "provisional_tasks": [], "orchestrator_registered": false, "scope": "empty", "flows": {},
    });
    assert_eq!(poll(&app, "?scope=empty").await, expected);
}

#[tokio::test]
async fn blocked_tasks_count_and_show_too() {
    let app = TestApp::new().await;
    app.task("1", json!({"blocked_by": "awaiting-approval"})).await;
    app.task("2", json!({"blocked_by": "awaiting-approval", "queue": "provisional"})).await;
    let polled = poll(&app, "?scope=s").await;
    assert_eq!(polled["queue_counts"], json!({"incoming": 1, "claimed": 0, "provisional": 1}));
    assert_eq!(polled["provisional_tasks"][0]["id"], "2");
}

#[tokio::test]
async fn the_scope_is_the_one_named_or_else_the_orchestrators() {
    let app = TestApp::new().await;
    machine(&app, "m", "a").await;
    put_flow(&app, "default", "a").await;
    put_flow(&app, "other", "b").await;
    let own = poll(&app, "?orchestrator_id=c-m").await;
    assert_eq!((&own["scope"], &own["orchestrator_registered"]), (&json!("a"), &json!(true)));
    assert!(own["flows"].get("default").is_some() && own["flows"].get("other").is_none());
    let named = poll(&app, "?orchestrator_id=c-m&scope=b").await;
    assert_eq!((&named["scope"], &named["orchestrator_registered"]), (&json!("b"), &json!(true)));
    assert!(named["flows"].get("other").is_some());
    let unknown = poll(&app, "?orchestrator_id=nobody&scope=b").await;
    assert_eq!(unknown["orchestrator_registered"], false);
}

#[tokio::test]
async fn without_any_scope_a_poll_is_400() {
    let app = TestApp::new().await;
    for query in ["", "?scope=", "?orchestrator_id=nobody", "?orchestrator_id=nobody&scope="] {
        assert_eq!(app.get(&format!("{POLL}{query}")).await.error(400), MISSING, "{query}");
    }
}

#[tokio::test]
async fn a_holder_polls_its_own_scope_only() {
    let app = TestApp::new().await;
    let mine = machine(&app, "m", "a").await;
    machine(&app, "n", "b").await;
    let own = poll(&mine, "").await;
    assert_eq!((&own["scope"], &own["orchestrator_registered"]), (&json!("a"), &json!(false)));
    assert_eq!(poll(&mine, "?orchestrator_id=c-m").await["orchestrator_registered"], true);
    // The other scope's orchestrator lends neither its scope nor the knowledge that it exists.
    let foreign = poll(&mine, "?orchestrator_id=c-n").await;
    assert_eq!(foreign["scope"], "a");
    assert_eq!(foreign["orchestrator_registered"], false);
    assert_eq!(
        mine.get(&format!("{POLL}?scope=b")).await.error(403),
        "Scope mismatch: authenticated as \"a\" but requested \"b\""
    );
}
