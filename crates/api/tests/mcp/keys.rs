//! Who may call which tool.

use octopoid_api::{AuthMode, Settings};
use serde_json::{Value, json};

use crate::{
    common::{Answer, TestApp},
    request, send,
};

async fn post(app: &TestApp, name: &str, arguments: Value) -> (String, bool) {
    let params = json!({"name": name, "arguments": arguments});
    let body = app.post("/mcp", request("tools/call", params)).await.expect(200);
    let text = body["result"]["content"][0]["text"].as_str().unwrap().to_owned();
    (text, body["result"]["isError"] == true)
}

/// A refusal of the transport, with the challenge that makes no client look for OAuth.
fn assert_unauthorized(answer: &Answer) {
    assert_eq!(answer.headers["www-authenticate"], "Bearer", "{}", answer.text);
    assert_eq!(answer.expect(401)["code"], "unauthorized");
}

#[tokio::test]
async fn a_key_is_needed_where_keys_are_needed() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let list = request("tools/list", json!({}));
    assert_unauthorized(&app.post("/mcp", list.clone()).await);
    assert_unauthorized(&app.holding("oct_wrong").post("/mcp", list.clone()).await);
    assert_unauthorized(&app.holding("wrong").get("/mcp").await);
    app.holder("s").await.post("/mcp", list).await.expect(200);
}

#[tokio::test]
async fn a_key_has_its_scope_and_no_other() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let (own, foreign) = (app.holder("s").await, app.holder("t").await);
    let (created, _) = post(&own, "task_create", json!({"tasks": [{"title": "x"}]})).await;
    let id = created.split_whitespace().nth(2).unwrap();
    let (text, is_error) = post(&foreign, "task_get", json!({"task_id": id})).await;
    assert!(is_error && text.starts_with("Task not found"), "{text}");
    assert!(post(&foreign, "board", json!({})).await.0.contains("Tasks by queue: none"));
    let answer = foreign.post("/mcp?scope=s", request("tools/list", json!({}))).await;
    assert_eq!(answer.expect(403)["code"], "scope_mismatch");
}

#[tokio::test]
async fn a_key_for_reading_reads() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let reader = app.permitted("s", "read").await;
    let task = json!({"id": "a", "file_path": "a", "branch": "b"});
    app.holder("s").await.post("/api/v1/tasks", task).await.expect(201);
    assert!(!post(&reader, "board", json!({})).await.1);
    for (tool, arguments) in [
        ("task_create", json!({"tasks": [{"title": "x"}]})),
        ("task_next", json!({})),
        ("message", json!({"task_id": "a", "text": "x"})),
        ("task_finish", json!({"task_id": "a", "outcome": "accept"})),
    ] {
        let (text, is_error) = post(&reader, tool, arguments).await;
        assert!(is_error && text.contains("permission"), "{tool}: {text}");
    }
}

#[tokio::test]
async fn a_key_for_work_judges_only_with_the_token_of_a_review() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let worker = app.permitted("s", "work").await;
    post(&worker, "task_create", json!({"tasks": [{"title": "x"}]})).await;
    let (claimed, _) = post(&worker, "task_next", json!({})).await;
    let token = octopoid_testbed::conversation::word_after(&claimed, "lease_token: ").unwrap();
    let id = claimed.split_whitespace().next().unwrap();
    let submit = json!({"task_id": id, "lease_token": token, "outcome": "submit"});
    assert!(!post(&worker, "task_finish", submit).await.1);
    let accept = json!({"task_id": id, "outcome": "accept"});
    let (text, is_error) = post(&worker, "task_finish", accept.clone()).await;
    assert!(is_error && text.contains("lease_token of a claim"), "{text}");
    // A person with a key that manages needs none.
    let (text, _) = post(&app.holder("s").await, "task_finish", accept).await;
    assert!(text.contains("is in done now"), "{text}");
}

#[tokio::test]
async fn the_agent_of_a_run_sees_its_own_task() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let runner = app.permitted("s", "work").await;
    for id in ["a", "b"] {
        let task = json!({"id": id, "file_path": id, "branch": "b"});
        runner.post("/api/v1/tasks", task).await.expect(201);
    }
    let body = json!({"orchestrator_id": "o", "agent_name": "x", "run_key": true});
    let claim = runner.post("/api/v1/tasks/claim", body).await.expect(200);
    let agent = app.holding(claim["run_key"].as_str().unwrap());
    assert!(!post(&agent, "task_get", json!({"task_id": "a"})).await.1);
    assert!(!post(&agent, "message", json!({"task_id": "a", "text": "x"})).await.1);
    for (tool, arguments) in [
        ("task_get", json!({"task_id": "b"})),
        ("message", json!({"task_id": "b", "text": "x"})),
        ("board", json!({})),
        ("task_next", json!({})),
        ("task_create", json!({"tasks": [{"title": "x"}]})),
    ] {
        let (text, is_error) = post(&agent, tool, arguments).await;
        assert!(is_error && text.contains("a run key can read its own task"), "{tool}: {text}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_and_other_hosts_are_kept_out() {
    let app = TestApp::new().await;
    let origin = [("origin", "https://evil.example".to_owned())];
    let list = request("tools/list", json!({}));
    assert_eq!(send(&app, &list, &origin).await.expect(403)["code"], "foreign_origin");
    let host = "octopoid.example".parse().unwrap();
    let settings = Settings { allowed_hosts: Some(vec![host]), ..Settings::default() };
    let app = TestApp::with(settings).await;
    let host = [("host", "rebound.example".to_owned())];
    assert_eq!(send(&app, &list, &host).await.status.as_u16(), 403);
}

#[tokio::test]
async fn each_change_counts_for_the_limit_of_its_key() {
    let auth = AuthMode::Required;
    let admin_key_hash = Some(octopoid_api::auth::hash(crate::common::ADMIN));
    let settings = Settings { auth, admin_key_hash, key_rate_max: Some(4), ..Settings::default() };
    let app = TestApp::with(settings).await.holder("s").await;
    let tasks: Vec<_> = (0..9).map(|number| json!({"title": format!("t{number}")})).collect();
    let (text, is_error) = post(&app, "task_create", json!({"tasks": tasks})).await;
    assert!(is_error && text.contains("Too many requests"), "{text}");
    assert_eq!(text.matches("\n* ").count(), 4, "{text}");
    app.post("/mcp", request("tools/list", json!({}))).await.expect(429);
}

#[tokio::test]
async fn without_a_scope_the_remedy_is_told() {
    let app = TestApp::new().await;
    for (tool, arguments) in
        [("board", json!({})), ("task_create", json!({"tasks": [{"title": "x"}]}))]
    {
        let (text, is_error) = post(&app, tool, arguments).await;
        assert!(is_error && text.contains("/mcp?scope=NAME"), "{text}");
    }
}
