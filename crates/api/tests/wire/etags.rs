//! `ETag` and `If-Match`.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::{
    common::{Answer, TestApp},
    values, with_headers,
};

const TASK: &str = "/api/v1/tasks/a";

async fn send(app: &TestApp, method: &str, path: &str, tag: &str, body: &Value) -> Answer {
    let request = Request::builder().method(method).uri(path).header("if-match", tag);
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn every_answer_that_is_a_task_has_its_version() {
    let app = TestApp::new().await;
    let body = json!({"id": "a", "file_path": "a.md", "branch": "main", "scope": "s"});
    let created = app.post("/api/v1/tasks", body).await;
    assert_eq!(values(&created, "etag"), ["\"v1\""]);
    assert_eq!(values(&app.get(TASK).await, "etag"), ["\"v1\""]);
    assert_eq!(values(&app.claim(json!({})).await, "etag"), ["\"v2\""]);
    assert_eq!(values(&app.patch(TASK, json!({"title": "t"})).await, "etag"), ["\"v3\""]);
    let report = json!({"commits_count": 1, "turns_used": 2});
    let submitted = app.post(&format!("{TASK}/submit"), report).await;
    assert_eq!(values(&submitted, "etag"), ["\"v4\""]);
    for path in ["/api/v1/tasks/b", "/api/v1/tasks?scope=s", "/api/v1/tasks/a/history"] {
        assert!(app.get(path).await.headers.get("etag").is_none(), "{path}");
    }
    assert!(app.claim(json!({})).await.headers.get("etag").is_none(), "nothing has no version");
    // It is never compared with what a cache has.
    let answer = with_headers(&app, "GET", TASK, &[("if-none-match", "\"v4\"")]).await;
    assert_eq!(answer.expect(200)["version"], 4);
}

/// What each step needs to be possible, and its body.
fn steps() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("claimed", "submit", json!({"commits_count": 1, "turns_used": 2})),
        ("claimed", "fail", json!({"reason": "crash", "message": "m"})),
        ("claimed", "requeue", json!({})),
        ("provisional", "accept", json!({"accepted_by": "human"})),
        ("provisional", "reject", json!({"reason": "r", "rejected_by": "human"})),
        ("incoming", "cancel", json!({"by": "human", "reason": "r"})),
        ("failed", "retry", json!({"by": "human"})),
        ("incoming", "force-queue", json!({"queue": "failed", "reason": "r"})),
        ("incoming", "hooks/lint/complete", json!({"status": "passed"})),
    ]
}

#[tokio::test]
async fn a_step_is_taken_from_the_version_that_is_named() {
    for (queue, verb, body) in steps() {
        let app = TestApp::new().await;
        let hooks = json!([{"name": "lint"}]);
        if queue == "claimed" {
            app.task("a", json!({"hooks": hooks})).await;
            app.claim(json!({})).await.expect(200);
        } else {
            app.task("a", json!({"hooks": hooks, "queue": queue})).await;
            app.patch(TASK, json!({"title": "t"})).await.expect(200);
        }
        let before = app.get(TASK).await.expect(200);
        let path = format!("{TASK}/{verb}");
        for other in ["\"v1\"", "\"v3\", \"v1\"", "W/\"v2\"", "\"2\""] {
            let answer = send(&app, "POST", &path, other, &body).await;
            let text = "The task has version 2, which If-Match does not name";
            assert_eq!(answer.error(412), text, "{verb} {other}");
            assert_eq!(answer.json()["code"], "precondition_failed");
        }
        for malformed in ["2", "v2", "\"v2", "*, \"v2\"", ""] {
            let answer = send(&app, "POST", &path, malformed, &body).await;
            let text = "Invalid If-Match: send the ETag of the task, such as \"v3\" with its \
                        quotes, or *";
            assert_eq!(answer.error(400), text, "{verb} {malformed}");
        }
        assert_eq!(app.get(TASK).await.expect(200), before, "{verb}");
        let answer = send(&app, "POST", &path, "\"v1\", \"v2\"", &body).await;
        assert_eq!(answer.expect(200)["version"], 3, "{verb}");
    }
}

#[tokio::test]
async fn a_patch_and_a_deletion_go_by_the_version_too() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for (method, body) in [("PATCH", json!({"title": "t"})), ("DELETE", json!({}))] {
        let answer = send(&app, method, TASK, "\"v7\"", &body).await;
        assert_eq!(answer.expect(412)["code"], "precondition_failed", "{method}");
        send(&app, method, TASK, "v1", &body).await.expect(400);
    }
    // The version in the body is compared as before.
    let answer = send(&app, "PATCH", TASK, "\"v1\"", &json!({"title": "t", "version": 7})).await;
    assert_eq!(answer.expect(409)["code"], "version_conflict");
    assert_eq!(send(&app, "PATCH", TASK, "\"v1\"", &json!({"title": "t"})).await.status, 200);
    assert_eq!(send(&app, "PATCH", TASK, "*", &json!({"title": "u"})).await.status, 200);
    send(&app, "DELETE", TASK, "\"v3\"", &json!({})).await.expect(200);
}

#[tokio::test]
async fn what_is_not_there_is_404_whatever_the_version() {
    let app = TestApp::new().await;
    for tag in ["*", "\"v1\""] {
        for (method, path) in [("PATCH", TASK.to_owned()), ("POST", format!("{TASK}/requeue"))] {
            send(&app, method, &path, tag, &json!({"title": "t"})).await.expect(404);
        }
        send(&app, "DELETE", TASK, tag, &json!({})).await.expect(404);
    }
    // The operations on the task with this id, of which only the claim is not one.
    send(&app, "DELETE", "/api/v1/tasks/claim", "\"v1\"", &json!({})).await.expect(404);
}

/// The answer was lost, and by now the task has the version after.
#[tokio::test]
async fn a_step_with_a_key_is_repeated_with_the_same_version() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for is_replayed in [false, true] {
        let request = Request::post(format!("{TASK}/cancel"))
            .header("if-match", "\"v1\"")
            .header("idempotency-key", "0123456789abcdef");
        let body = json!({"by": "human", "reason": "r"}).to_string();
        let answer = app.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.expect(200)["version"], 2);
        assert_eq!(answer.headers.contains_key("idempotency-replayed"), is_replayed);
    }
}
