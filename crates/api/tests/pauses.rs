//! Pausing scopes, queues, roles and pools.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::TestApp;
use octopoid_api::AuthMode;
use serde_json::{Value, json};

const PAUSES: &str = "/api/v1/pauses";

fn body(fields: Value) -> Value {
    let mut body = json!({"scope": "s", "reason": "lunch", "by": "ann"});
    if let Value::Object(fields) = fields {
        body.as_object_mut().unwrap().extend(fields);
    }
    body
}

#[tokio::test]
async fn a_pause_is_put_listed_and_deleted() {
    let app = TestApp::new().await;
    let until = json!({"until": "2026-11-21T21:00:00Z"});
    let put = app.put(&format!("{PAUSES}/role%3Areview"), body(until)).await.expect(200);
    let expected = json!({
        "scope": "s", "target": "role:review", "until": "2026-11-21T21:00:00.000Z",
        "reason": "lunch", "by": "ann", "is_automatic": false,
        "created_at": "2026-11-21T20:58:58.605Z",
    });
    assert_eq!(put, expected);
    let forever = app.put(&format!("{PAUSES}/scope"), body(json!({}))).await.expect(200);
    assert_eq!(forever["until"], Value::Null);
    let listed = app.get(&format!("{PAUSES}?scope=s")).await.expect(200);
    assert_eq!(listed, json!({"pauses": [expected, forever], "next_cursor": null}));
    let first = app.get(&format!("{PAUSES}?scope=s&limit=1")).await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("{PAUSES}?scope=s&cursor={cursor}")).await.expect(200);
    assert_eq!(second["pauses"], json!([forever]));
    let deleted = app.delete(&format!("{PAUSES}/scope?scope=s")).await.expect(200);
    assert_eq!(deleted, json!({"message": "Pause deleted", "target": "scope", "scope": "s"}));
    assert_eq!(app.delete(&format!("{PAUSES}/scope?scope=s")).await.error(404), "Pause not found");
}

#[tokio::test]
async fn a_target_is_one_segment_of_the_path() {
    let app = TestApp::new().await;
    let path = format!("{PAUSES}/queue%3Aa%2Fb%20%C3%BC");
    assert_eq!(app.put(&path, body(json!({}))).await.expect(200)["target"], "queue:a/b ü");
    app.delete(&format!("{path}?scope=s")).await.expect(200);
}

#[tokio::test]
async fn what_is_wrong_with_a_pause_is_told() {
    let app = TestApp::new().await;
    let put = async |target: &str, body: Value| {
        app.put(&format!("{PAUSES}/{target}"), body).await.error(400)
    };
    let target =
        "Invalid target \"task:x\". Valid targets: scope, queue:NAME, role:NAME, pool:NAME";
    assert_eq!(put("task:x", body(json!({}))).await, target);
    assert_eq!(app.delete(&format!("{PAUSES}/task:x?scope=s")).await.error(400), target);
    assert_eq!(
        put("scope", json!({"reason": "r", "by": "b"})).await,
        "Missing required field: scope"
    );
    for missing in [json!({"reason": null}), json!({"by": ""})] {
        let text = put("scope", body(missing)).await;
        assert_eq!(text, "Missing required fields: reason, by");
    }
    let text = put("scope", body(json!({"until": "2026-11-21T20:58:58.605Z"}))).await;
    let past = "until is in the past: name a later instant, or leave it out to pause until the \
                pause is deleted";
    assert_eq!(text, past);
    let text = put("scope", body(json!({"until": 5}))).await;
    assert!(text.starts_with("Invalid value for until: "), "{text}");
    let text = put("scope", body(json!({"reason": "r".repeat(5_000)}))).await;
    assert_eq!(text, "reason is too long: at most 4096 bytes");
    let text = "Missing required query parameter: scope";
    assert_eq!(app.get(PAUSES).await.error(400), text);
    assert_eq!(app.delete(&format!("{PAUSES}/scope")).await.error(400), text);
    let listed = app.get(&format!("{PAUSES}?scope=s")).await.expect(200);
    assert_eq!(listed["pauses"], json!([]), "nothing was paused");
}

#[tokio::test]
async fn a_key_names_the_scope_where_the_request_does_not() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let mine = app.holder("mine").await;
    let new = body(json!({"scope": null}));
    assert_eq!(mine.put(&format!("{PAUSES}/scope"), new).await.expect(200)["scope"], "mine");
    assert_eq!(mine.get(PAUSES).await.expect(200)["pauses"][0]["target"], "scope");
    mine.put(&format!("{PAUSES}/scope"), body(json!({}))).await.expect(403);
    mine.put(&format!("{PAUSES}/scope?scope=s"), body(json!({"scope": null}))).await.expect(403);
    mine.get(&format!("{PAUSES}?scope=s")).await.expect(403);
    mine.delete(&format!("{PAUSES}/scope?scope=s")).await.expect(403);
    mine.delete(&format!("{PAUSES}/scope")).await.expect(200);
}
