//! Rate limits, as clients meet them.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use axum::{body::Body, http::Request};
use common::{ADMIN, Answer, TestApp};
use octopoid_api::{AuthMode, Settings, rate_limit::Peer};
use serde_json::json;

const TASKS: &str = "/api/v1/tasks";

fn settings(per_key: Option<u32>, per_address: Option<u32>) -> Settings {
    let auth = AuthMode::Required;
    let admin_key_hash = Some(octopoid_api::auth::hash(ADMIN));
    let (key_rate_max, address_rate_max) = (per_key, per_address);
    Settings { auth, admin_key_hash, key_rate_max, address_rate_max, ..Settings::default() }
}

/// A request from an address.
async fn from(app: &TestApp, address: &str, method: &str, path: &str, key: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if !key.is_empty() {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let mut request = request.body(Body::from(r#"{"code":"oct_guess"}"#)).unwrap();
    request.extensions_mut().insert(Peer(address.parse().unwrap()));
    app.send(request).await
}

fn header(answer: &Answer, name: &str) -> Option<String> {
    answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_key_may_send_so_many_requests_in_a_minute() {
    let app = TestApp::with(settings(Some(2), None)).await;
    let admin = app.holding(ADMIN);
    let (mine, other) = (admin.holder("s").await, admin.holder("s").await);
    let first = mine.get(TASKS).await;
    assert_eq!(first.status, 200);
    assert_eq!(header(&first, "ratelimit-policy").as_deref(), Some("\"key\";q=2;w=60"));
    assert_eq!(header(&first, "ratelimit").as_deref(), Some("\"key\";r=1;t=31"));
    // What is not found was asked for as well.
    assert_eq!(mine.get("/api/v1/tasks/none").await.status, 404);
    let refused = mine.post(TASKS, json!({ "id": "a", "file_path": "a", "branch": "main" })).await;
    assert_eq!(
        refused.error(429),
        "Too many requests with this key: at most 2 a minute. Retry in 31 seconds"
    );
    assert_eq!(refused.json()["code"], "rate_limited");
    assert_eq!(header(&refused, "retry-after").as_deref(), Some("31"));
    assert_eq!(header(&refused, "ratelimit").as_deref(), Some("\"key\";r=0;t=61"));
    assert_eq!(other.get(TASKS).await.status, 200, "another key of the same scope");
    app.passes(31_000);
    assert_eq!(mine.get(TASKS).await.expect(200)["total"], 0, "the refused one has done nothing");
}

#[tokio::test]
async fn the_administrator_is_not_limited() {
    let app = TestApp::with(settings(Some(1), Some(1))).await;
    for _ in 0..3 {
        let answer = from(&app, "192.0.2.1", "GET", "/api/v1/scopes", ADMIN).await;
        assert_eq!((answer.status.as_u16(), header(&answer, "ratelimit")), (200, None));
    }
}

/// The answer to a right guess of the administrator's token is that to a wrong one.
#[tokio::test]
async fn an_address_with_too_many_guesses_is_no_administrator_for_a_while() {
    let app = TestApp::with(settings(None, Some(2))).await;
    for _ in 0..2 {
        assert_eq!(from(&app, "192.0.2.1", "GET", TASKS, "oct_guess").await.status, 401);
    }
    for key in ["guess", ADMIN] {
        let refused = from(&app, "192.0.2.1", "GET", "/api/v1/scopes", key).await;
        assert!(refused.error(429).contains("without a valid key from this address"));
    }
    assert_eq!(from(&app, "192.0.2.2", "GET", "/api/v1/scopes", ADMIN).await.status, 200);
    app.passes(60_000);
    assert_eq!(from(&app, "192.0.2.1", "GET", "/api/v1/scopes", ADMIN).await.status, 200);
}

#[tokio::test]
async fn an_address_may_guess_so_many_keys_and_codes_in_a_minute() {
    let app = TestApp::with(settings(None, Some(3))).await;
    let key = app.holding(ADMIN).post("/api/v1/admin/keys", json!({ "scope": "s" })).await;
    let key = key.expect(201)["api_key"].as_str().unwrap().to_owned();
    let guesses = [("GET", TASKS, "oct_guess"), ("GET", TASKS, ""), ("POST", "/login", "")];
    for (method, path, key) in guesses {
        let answer = from(&app, "192.0.2.1", method, path, key).await;
        assert!([401, 403].contains(&answer.status.as_u16()), "{}", answer.text);
    }
    for (method, path, key) in guesses {
        let refused = from(&app, "192.0.2.1", method, path, key).await;
        assert!(refused.error(429).contains("without a valid key from this address"));
    }
    assert_eq!(from(&app, "192.0.2.1", "GET", TASKS, &key).await.status, 200, "with a valid key");
    assert_eq!(from(&app, "192.0.2.2", "GET", TASKS, "").await.status, 401, "another address");
    for _ in 0..5 {
        let answer = from(&app, "127.0.0.1", "GET", TASKS, "oct_guess").await;
        assert_eq!(answer.status, 401, "programs of the same machine, and a proxy's clients");
    }
}

#[tokio::test]
async fn without_limits_nothing_is_said_of_them() {
    let app = TestApp::with(settings(None, None)).await;
    let answer = app.holding(ADMIN).holder("s").await.get(TASKS).await;
    assert_eq!((answer.status.as_u16(), header(&answer, "ratelimit-policy")), (200, None));
}
