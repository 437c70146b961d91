//! Webhooks over HTTP: their statuses and texts. What is sent, `store-testkit` and the servers test.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use std::sync::Mutex;

use common::TestApp;
use octopoid_api::{
    AuthMode,
    webhooks::{Courier, Request},
};
use octopoid_domain::webhook::Attempt;
use serde_json::{Value, json};

const WEBHOOKS: &str = "/api/v1/webhooks";

async fn created(app: &TestApp, fields: Value) -> Value {
    let mut body = json!({"url": "https://example.com/hook", "scope": "s"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app.post(WEBHOOKS, body).await.expect(201)
}

fn path(webhook: &Value) -> String {
    format!("{WEBHOOKS}/{}", webhook["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_webhook_is_created_listed_changed_and_deleted() {
    let app = TestApp::new().await;
    let mut made = created(&app, json!({"types": ["task.*"]})).await;
    let secret = made.as_object_mut().unwrap().remove("secret").unwrap();
    assert!(secret.as_str().unwrap().starts_with("whsec_"), "{secret}");
    let expected = json!({
        "id": made["id"], "scope": "s", "url": "https://example.com/hook", "format": "standard",
        "types": ["task.*"], "is_enabled": true, "disabled_reason": null,
        "created_at": "2026-11-21T20:58:58.605Z", "old_secret_until": null, "failing_since": null,
        "attempts": 0, "retry_at": null,
    });
    assert_eq!(made, expected);
    assert_eq!(app.get(&path(&made)).await.expect(200), expected, "the secret is shown once");
    let listed = app.get(&format!("{WEBHOOKS}?scope=s")).await.expect(200);
    assert_eq!(listed, json!({"webhooks": [expected], "next_cursor": null}));
    let changed = app.patch(&path(&made), json!({"is_enabled": false})).await.expect(200);
    assert_eq!((&changed["is_enabled"], &changed["types"]), (&json!(false), &json!(["task.*"])));
    let deleted = app.delete(&path(&made)).await.expect(200);
    assert_eq!(deleted, json!({"message": "Webhook deleted", "id": made["id"]}));
    let text = format!("Webhook {} not found", made["id"].as_str().unwrap());
    assert_eq!(app.get(&path(&made)).await.error(404), text);
    assert_eq!(app.delete(&path(&made)).await.error(404), text);
}

#[tokio::test]
async fn what_is_wrong_with_a_webhook_is_told() {
    let app = TestApp::new().await;
    let refused = async |fields: Value| {
        let mut body = json!({"url": "https://example.com/hook", "scope": "s"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        app.post(WEBHOOKS, body).await.error(400)
    };
    assert_eq!(refused(json!({"url": null})).await, "Missing required field: url");
    assert_eq!(refused(json!({"scope": null})).await, "Missing required field: scope");
    let inside = "url must not lead inside: its address is loopback. The administrator can allow \
                  it with --webhook-allow-private";
    assert_eq!(refused(json!({"url": "http://127.0.0.1:9/x"})).await, inside);
    let format = "Invalid format \"xml\". Valid formats: standard, ntfy, slack, discord";
    assert_eq!(refused(json!({"format": "xml"})).await, format);
    let secret =
        "secret must be whsec_ and 24 to 64 bytes as base64: leave it out for a random one";
    assert_eq!(refused(json!({"secret": "hush"})).await, secret);
    let listed = app.get(WEBHOOKS).await.error(400);
    assert_eq!(listed, "Missing required query parameter: scope");
    let listed = app.get(&format!("{WEBHOOKS}?scope=s")).await.expect(200);
    assert_eq!(listed["webhooks"], json!([]), "nothing was changed");
    let made = created(&app, json!({})).await;
    assert_eq!(app.patch(&path(&made), json!({})).await.error(400), "No fields to update");
    let null = app.patch(&path(&made), json!({"url": null})).await.error(400);
    assert_eq!(null, "url must not be null");
}

#[tokio::test]
async fn a_secret_is_rotated_with_an_overlap() {
    let app = TestApp::new().await;
    let made = created(&app, json!({})).await;
    let rotate = format!("{}/rotate-secret", path(&made));
    let rotated = app.raw("POST", &rotate, "").await.expect(200);
    assert_ne!(rotated["secret"], made["secret"]);
    assert_eq!(rotated["old_secret_until"], "2026-11-22T20:58:58.605Z");
    let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let rotated = app.post(&rotate, json!({"secret": own, "overlap_seconds": 0})).await.expect(200);
    assert_eq!((&rotated["secret"], &rotated["old_secret_until"]), (&json!(own), &Value::Null));
    let text = "overlap_seconds must be from 0 to 604800, which is a week";
    assert_eq!(app.post(&rotate, json!({"overlap_seconds": 604_801})).await.error(400), text);
    let form = app.raw("POST", &rotate, "overlap_seconds=60").await;
    assert_eq!(form.error(400), "Invalid JSON body");
}

#[tokio::test]
async fn only_a_key_that_manages_sees_webhooks() {
    let app = TestApp::guarded(AuthMode::Required).await;
    let owner = app.permitted("s", "manage").await;
    let made = created(&owner, json!({"scope": null})).await;
    assert_eq!(made["scope"], "s");
    for permission in ["read", "work"] {
        let holder = app.permitted("s", permission).await;
        for path in [WEBHOOKS.to_owned(), path(&made), format!("{}/deliveries", path(&made))] {
            holder.get(&path).await.error(403);
        }
    }
    let stranger = app.permitted("other", "manage").await;
    stranger.get(&path(&made)).await.error(404);
    stranger.post(&format!("{}/test", path(&made)), json!({})).await.error(404);
}

/// Takes what is posted, and answers with a status.
struct Receiver {
    status: i64,
    requests: Mutex<Vec<Request>>,
}

impl Courier for Receiver {
    async fn post(&self, request: Request) -> Attempt {
        self.requests.lock().unwrap().push(request);
        Attempt { status: Some(self.status), duration_ms: 7, ..Attempt::default() }
    }
}

/// Sends everything that is due.
async fn send(app: &TestApp, status: i64) -> Vec<Request> {
    let receiver = Receiver { status, requests: Mutex::default() };
    octopoid_api::webhooks::notice(&app.app, 9).await.unwrap();
    for due in octopoid_api::webhooks::lease(&app.app, 9).await.unwrap() {
        octopoid_api::webhooks::send_all(&app.app, &receiver, due, 100, |_| {}).await.unwrap();
    }
    receiver.requests.into_inner().unwrap()
}

#[tokio::test]
async fn a_test_is_sent_and_its_outcome_listed() {
    let app = TestApp::new().await;
    let made = created(&app, json!({"types": ["never.happens"]})).await;
    let asked = app.post(&format!("{}/test", path(&made)), json!({})).await.expect(202);
    assert_eq!(asked["message"], "Test requested");
    let requests = send(&app, 500).await;
    let [request] = &requests[..] else { panic!("{requests:?}") };
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(
        (&body["type"], &body["data"]["subject"]["id"]),
        (&json!("webhook.tested"), &made["id"])
    );
    let names: Vec<_> = request.headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["webhook-id", "webhook-timestamp", "webhook-signature", "content-type"]);
    let deliveries = format!("{}/deliveries", path(&made));
    let listed = app.get(&deliveries).await.expect(200);
    let expected = json!({"deliveries": [{
        "id": request.headers[0].1, "webhook_id": made["id"], "type": "webhook.tested",
        "event_at": asked["requested_at"], "attempts": 1,
        "attempted_at": "2026-11-21T20:58:58.605Z", "duration_ms": 7, "result": "failed",
        "status": 500, "error": "The response has the status 500",
    }], "next_cursor": null});
    assert_eq!(listed, expected);
    assert_eq!(send(&app, 200).await.len(), 0, "it is not due yet");
    app.passes(5_000);
    assert_eq!(send(&app, 200).await[0].headers[0], request.headers[0], "the same message");
    let listed = app.get(&deliveries).await.expect(200);
    let delivery = &listed["deliveries"][0];
    assert_eq!((&delivery["result"], &delivery["attempts"]), (&json!("delivered"), &json!(2)));
    app.patch(&path(&made), json!({"is_enabled": false})).await.expect(200);
    let text = "The webhook is disabled: enable it, then test it";
    assert_eq!(app.post(&format!("{}/test", path(&made)), json!({})).await.error(400), text);
}

#[tokio::test]
async fn what_there_is_is_sent_in_order_with_both_signatures_while_a_secret_is_rotated() {
    let app = TestApp::new().await;
    let made = created(&app, json!({"types": ["task.created"]})).await;
    app.post(&format!("{}/rotate-secret", path(&made)), json!({})).await.expect(200);
    for id in ["a", "b", "c"] {
        app.task(id, json!({})).await;
    }
    let requests = send(&app, 204).await;
    let subjects: Vec<_> = requests
        .iter()
        .map(|request| {
            serde_json::from_str::<Value>(&request.body).unwrap()["data"]["subject"]["id"].clone()
        })
        .collect();
    assert_eq!(subjects, ["a", "b", "c"]);
    assert!(requests.iter().all(|request| request.headers[2].1.split(' ').count() == 2));
    assert_eq!(send(&app, 204).await.len(), 0);
}
