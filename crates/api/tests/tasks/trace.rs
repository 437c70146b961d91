//! The trace in which a task was created.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::{TASKS, common::TestApp, read};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Creates a task with these headers `traceparent`, and returns what was kept.
async fn kept(app: &TestApp, id: &str, headers: &[&[u8]]) -> Value {
    let body = json!({"id": id, "file_path": id, "branch": "main", "scope": "s"});
    let mut request = Request::builder().method("POST").uri(TASKS);
    for value in headers {
        request = request.header("traceparent", *value);
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    let created = app.send(request).await.expect(201);
    assert_eq!(read(app, id).await, created);
    created["traceparent"].clone()
}

#[tokio::test]
async fn the_trace_is_kept_from_creation_to_claim() {
    let app = TestApp::new().await;
    assert_eq!(kept(&app, "a", &[TRACE.as_bytes()]).await, TRACE);
    let listed = app.get(&format!("{TASKS}?scope=s")).await.expect(200);
    assert_eq!(listed["tasks"][0]["traceparent"], TRACE);
    assert_eq!(app.claim(json!({})).await.expect(200)["traceparent"], TRACE);
}

#[tokio::test]
async fn a_trace_of_a_later_version_is_kept_as_what_is_known_of_it() {
    let app = TestApp::new().await;
    let later = format!("{}-more", TRACE.replacen("00", "cc", 1));
    assert_eq!(kept(&app, "a", &[later.as_bytes()]).await, TRACE);
}

#[tokio::test]
async fn what_is_no_trace_is_ignored() {
    let app = TestApp::new().await;
    let upper = TRACE.to_uppercase();
    let bad: [&[&[u8]]; 6] = [
        &[],
        &[b""],
        &[b"nonsense"],
        &[b"\xff"],
        &[upper.as_bytes()],
        &[TRACE.as_bytes(), TRACE.as_bytes()],
    ];
    for (number, headers) in bad.into_iter().enumerate() {
        assert_eq!(kept(&app, &format!("t{number}"), headers).await, Value::Null, "{headers:?}");
    }
}

#[tokio::test]
async fn the_trace_is_not_a_field_that_clients_set() {
    let app = TestApp::new().await;
    let created = app.task("a", json!({"traceparent": TRACE})).await;
    assert_eq!(created["traceparent"], Value::Null);
    let change = json!({"traceparent": TRACE, "priority": "P1"});
    let changed = app.patch(&format!("{TASKS}/a"), change).await.expect(200);
    assert_eq!((&changed["priority"], &changed["traceparent"]), (&json!("P1"), &Value::Null));
}
