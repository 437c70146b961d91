//! What streams show and the journal does not keep.

use serde_json::{Value, json};

use crate::{
    EVENTS,
    common::{START, TestApp},
    lines,
    streams::{Stream, open},
    waiting_app,
};

const UNTIL: &str = "2026-11-21T21:03:58.605Z";

/// An app with a task that is held, and its lease token.
async fn with_lease() -> (TestApp, Value) {
    let app = waiting_app().await;
    app.task("a", json!({})).await;
    let token = app.claim(json!({})).await.expect(200)["lease_token"].clone();
    (app, token)
}

async fn renew(app: &TestApp, token: &Value, fields: Value) {
    let mut body = json!({"lease_token": token});
    for (key, value) in fields.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    app.post("/api/v1/tasks/a/renew", body).await.expect(200);
}

async fn watch(app: &TestApp, query: &str) -> Stream {
    let mut stream = open(app, query).await;
    stream.start().await;
    stream
}

/// The type, the subject and the details of the next message, which has no cursor.
async fn shown(stream: &mut Stream) -> (String, Value) {
    let block = stream.block().await.unwrap();
    let mut shown: Value = serde_json::from_str(block.strip_prefix("data: ").unwrap()).unwrap();
    (crate::line(&shown), shown["details"].take())
}

#[tokio::test]
async fn what_is_shown_in_passing_has_no_cursor_and_is_not_kept() {
    let (app, token) = with_lease().await;
    renew(&app, &token, json!({})).await;
    let mut stream = watch(&app, "scope=s&types=task.*&task_id=a").await;
    renew(&app, &token, json!({})).await;
    let expected = format!(
        "data: {{\"type\":\"task.renewed\",\"at\":\"2026-11-21T20:58:58.605Z\",\
         \"scope\":\"s\",\"subject\":{{\"kind\":\"task\",\"id\":\"a\"}},\
         \"details\":{{\"run\":1,\"lease_expires_at\":\"{UNTIL}\"}}}}"
    );
    assert_eq!(stream.block().await.unwrap(), expected);
    app.patch("/api/v1/tasks/a", json!({"title": "new"})).await.expect(200);
    assert_eq!(stream.line().await, "task.edited a", "the place in the journal is the same");
    let page = app.get(&format!("{EVENTS}?scope=s&cursor=0")).await.expect(200);
    assert_eq!(lines(&page), ["task.created a", "task.claimed a", "task.edited a"]);
}

#[tokio::test]
async fn progress_and_usage_are_shown_with_the_renewal() {
    let (app, token) = with_lease().await;
    let mut stream = watch(&app, "scope=s&task_id=a").await;
    let usage = json!({"turns": 7, "cost_usd": "0.5"});
    let progress = json!({"message": "x".repeat(600), "percent": 12.5});
    renew(&app, &token, json!({"progress": progress, "usage": usage})).await;
    let usage = json!({"input_tokens": null, "cached_tokens": null, "output_tokens": null,
        "cost_usd": "0.5", "turns": 7, "model": null, "wall_seconds": null});
    let details = json!({"run": 1, "message": "x".repeat(500), "percent": 12.5,
        "lease_expires_at": UNTIL, "usage": usage});
    assert_eq!(shown(&mut stream).await, ("task.progress a".to_owned(), details));
    renew(&app, &token, json!({"usage": usage, "lease_duration_seconds": 60})).await;
    let details = json!({"run": 1, "lease_expires_at": "2026-11-21T20:59:58.605Z", "usage": usage});
    assert_eq!(shown(&mut stream).await, ("task.renewed a".to_owned(), details));
}

#[tokio::test]
async fn heartbeats_are_shown_with_the_leases_that_they_renew() {
    let (app, token) = with_lease().await;
    let machine = json!({"cluster": "c", "machine_id": "m", "scope": "s"});
    app.post("/api/v1/orchestrators/register", machine).await.expect(201);
    app.task("b", json!({"scope": "t"})).await;
    let theirs = app.claim(json!({"scope": "t"})).await.expect(200)["lease_token"].clone();
    let mut all = watch(&app, "scope=s").await;
    let mut machines = watch(&app, "scope=s&types=orchestrator.*").await;
    let mut of_task = watch(&app, "scope=s&task_id=a&types=task.renewed").await;
    let mut other = watch(&app, "scope=t").await;
    let lost = json!({"task_id": "a", "lease_token": theirs});
    let leases = [("a", &token), ("b", &theirs)]
        .map(|(id, token)| json!({"task_id": id, "lease_token": token}));
    let body = json!({"slots": 4, "busy": 2, "leases": [lost, leases[0], leases[1]]});
    app.post("/api/v1/orchestrators/c-m/heartbeat", body).await.expect(200);
    let beat = json!({"status": "active", "slots": 4, "busy": 2,
        "last_heartbeat": octopoid_domain::Millis(START).to_iso()});
    let beat = ("orchestrator.heartbeat c-m".to_owned(), beat);
    let renewed = json!({"run": 1, "lease_expires_at": UNTIL});
    let renewed_of = |id: &str| (format!("task.renewed {id}"), renewed.clone());
    assert_eq!(shown(&mut all).await, beat);
    assert_eq!(shown(&mut all).await, renewed_of("a"));
    assert_eq!(shown(&mut machines).await, beat);
    assert_eq!(shown(&mut of_task).await, renewed_of("a"));
    assert_eq!(shown(&mut other).await, renewed_of("b"));
    app.post("/api/v1/orchestrators/c-m/heartbeat", json!({})).await.expect(200);
    assert_eq!(shown(&mut machines).await, beat, "what the machine has said before");
    let page = app.get(&format!("{EVENTS}?scope=s&cursor=0&types=orchestrator.*")).await;
    assert_eq!(lines(&page.expect(200)), ["orchestrator.registered c-m"]);
}
