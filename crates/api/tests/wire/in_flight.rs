//! The budget of bytes in flight: what is charged, what is refused, and what never is.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode},
    response::Response,
};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use octopoid_api::{AuthMode, Settings};
use serde_json::json;
use tower::ServiceExt;

use crate::common::{ADMIN, TestApp};

/// What bodies may hold, and what answers may.
const HALF: usize = 100_000;

async fn app() -> TestApp {
    let settings = Settings {
        auth: AuthMode::Open,
        admin_key_hash: Some(octopoid_api::auth::hash(ADMIN)),
        in_flight_bytes_max: 2 * HALF,
        ..Settings::default()
    };
    TestApp::with(settings).await
}

/// An answer of which nothing has been read.
async fn unread(app: &TestApp, path: &str) -> Response {
    let request = Request::get(path).body(Body::empty()).unwrap();
    octopoid_api::router(app.app.clone()).oneshot(request).await.unwrap()
}

fn retry_after(headers: &HeaderMap) -> &str {
    headers["retry-after"].to_str().unwrap()
}

#[tokio::test]
async fn answers_that_nobody_reads_use_the_budget_up() {
    let app = app().await;
    app.task("a", json!({"content": "x".repeat(60_000)})).await;
    app.task("small", json!({})).await;
    assert_eq!(app.app.in_flight_bytes(), 0);

    let first = unread(&app, "/api/v1/tasks/a").await;
    let held = app.app.in_flight_bytes();
    assert!(held > 60_000, "{held}");
    // The last that finds something left may go beyond the budget.
    let last = unread(&app, "/api/v1/tasks?scope=s").await;
    assert_eq!(last.status(), StatusCode::OK);
    assert!(app.app.in_flight_bytes() > HALF);
    for path in ["/api/v1/tasks/a", "/api/v1/tasks?scope=s", "/openapi.json"] {
        let refused = app.get(path).await;
        let expected = json!({
            "error": "Service Unavailable", "code": "overloaded",
            "message":
                "The server has too many bytes of requests and answers in flight; try again",
            "timestamp": "2026-11-21T20:58:58.605Z",
        });
        assert_eq!(refused.expect(503), expected, "{path}");
        assert_eq!(retry_after(&refused.headers), "1", "{path}");
    }
    // What is small passes, and so does the answer of what was done.
    app.get("/api/health").await.expect(200);
    app.get("/api/v1/tasks/small").await.expect(200);
    app.claim(json!({})).await.expect(200);
    let patched = app.patch("/api/v1/tasks/a", json!({"title": "t"})).await.expect(200);
    assert_eq!(patched["title"], "t");

    // What has been sent, or will not be, is given back.
    let whole = first.into_body().collect().await.unwrap().to_bytes();
    drop(whole);
    assert!(app.app.in_flight_bytes() < HALF);
    app.get("/api/v1/tasks/a").await.expect(200);
    drop(last);
    assert_eq!(app.app.in_flight_bytes(), 0);
}

/// A body of which so much comes, and then nothing more.
fn unfinished(length: usize) -> Body {
    let begin = stream::iter([Ok::<_, String>(Bytes::from(" ".repeat(length)))]);
    Body::from_stream(begin.chain(stream::pending()))
}

#[tokio::test]
async fn bodies_that_do_not_end_use_the_budget_up() {
    let app = app().await;
    let holder = app.holder("s").await;
    let large = json!({
        "id": "large", "file_path": "large.md", "branch": "main", "scope": "s",
        "content": "x".repeat(20_000),
    });
    for caller in [&app, &holder] {
        let (waiting, body) = (caller.clone(), unfinished(2 * HALF));
        let unfinished =
            tokio::spawn(async move { waiting.raw("POST", "/api/v1/tasks", body).await });
        while app.app.in_flight_bytes() <= HALF {
            tokio::task::yield_now().await;
        }
        let refused = caller.post("/api/v1/tasks", large.clone()).await;
        assert_eq!(refused.expect(503)["code"], "overloaded");
        assert_eq!(retry_after(&refused.headers), "1");
        caller.get("/api/v1/tasks/large").await.expect(404);
        caller.task("small", json!({})).await;
        caller.delete("/api/v1/tasks/small").await.expect(200);

        unfinished.abort();
        while app.app.in_flight_bytes() > 0 {
            tokio::task::yield_now().await;
        }
        caller.post("/api/v1/tasks", large.clone()).await.expect(201);
        assert_eq!(app.app.in_flight_bytes(), 0);
        caller.delete("/api/v1/tasks/large").await.expect(200);
    }
}

#[tokio::test]
async fn bodies_and_answers_do_not_use_up_what_the_others_may() {
    let app = app().await;
    let large = |id: &str| {
        json!({
            "id": id, "file_path": format!("{id}.md"), "branch": "main", "scope": "s",
            "content": "x".repeat(60_000),
        })
    };
    app.post("/api/v1/tasks", large("a")).await.expect(201);
    let unread = [unread(&app, "/api/v1/tasks/a").await, unread(&app, "/api/v1/tasks/a").await];
    app.get("/api/v1/tasks/a").await.expect(503);
    app.post("/api/v1/tasks", large("b")).await.expect(201);
    drop(unread);

    let (waiting, body) = (app.clone(), unfinished(2 * HALF));
    let unfinished = tokio::spawn(async move { waiting.raw("POST", "/api/v1/tasks", body).await });
    while app.app.in_flight_bytes() <= HALF {
        tokio::task::yield_now().await;
    }
    app.post("/api/v1/tasks", large("c")).await.expect(503);
    app.get("/api/v1/tasks/b").await.expect(200);
    unfinished.abort();
}

#[tokio::test]
async fn a_long_list_is_given_back_as_it_is_read() {
    let app = app().await;
    for id in ["a", "b", "c"] {
        app.task(id, json!({"content": "x".repeat(70_000)})).await;
    }
    let mut body = unread(&app, "/api/v1/tasks?scope=s").await.into_body();
    let length = axum::body::HttpBody::size_hint(&body).exact().unwrap();
    let whole = app.app.in_flight_bytes();
    assert_eq!(u64::try_from(whole).unwrap(), length);
    let (mut text, mut before) = (Vec::new(), whole);
    while let Some(piece) = body.frame().await {
        text.extend(piece.unwrap().into_data().unwrap());
        let after = app.app.in_flight_bytes();
        assert!(after < before, "{after} of {before} after a piece");
        before = after;
    }
    assert_eq!((before, u64::try_from(text.len()).unwrap()), (0, length));
    let list: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((list["tasks"].as_array().unwrap().len(), &list["total"]), (3, &json!(3)));
}
