//! Requests that wait for events.

use axum::{body::Body, http::Request};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::{
    EVENTS,
    common::{Answer, TestApp},
    cursor, lines, waiting_app,
};

/// A request that waits at most 50 seconds.
fn waits(app: &TestApp, query: &str) -> JoinHandle<Answer> {
    let uri = format!("{EVENTS}?{query}");
    let request = Request::get(uri).header("prefer", "wait=50").body(Body::empty()).unwrap();
    let app = app.clone();
    tokio::spawn(async move { app.send(request).await })
}

#[tokio::test]
async fn a_request_at_the_end_of_the_journal_waits_for_the_next_event() {
    let app = waiting_app().await;
    let start = app.get(&format!("{EVENTS}?scope=s")).await.expect(200);
    let waiting = waits(&app, &format!("scope=s&cursor={}&types=task.claimed", cursor(&start)));
    // Neither of these is waited for.
    app.task("theirs", json!({"scope": "other"})).await;
    app.task("a", json!({})).await;
    app.claim(json!({})).await.expect(200);
    let answer = waiting.await.unwrap();
    assert_eq!(answer.headers["preference-applied"], "wait=50");
    assert_eq!(lines(&answer.expect(200)), ["task.claimed a"]);
}

#[tokio::test]
async fn a_request_that_has_missed_something_does_not_wait() {
    let app = waiting_app().await;
    app.task("a", json!({})).await;
    let answer = waits(&app, "scope=s&cursor=0").await.unwrap();
    assert_eq!(lines(&answer.expect(200)), ["task.created a"]);
}

#[tokio::test]
async fn waiting_ends_with_the_server() {
    let app = waiting_app().await;
    let waiting: Vec<_> = (0..3).map(|_| waits(&app, "scope=s")).collect();
    // Whether it has begun to wait or not.
    assert_eq!(app.get("/livez").await.status, 200);
    app.app.stop_claiming();
    for waiting in waiting {
        let answer = waiting.await.unwrap();
        assert!([200, 503].contains(&answer.status.as_u16()), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_host_that_cannot_wait_answers_at_once() {
    let app = TestApp::new().await;
    let answer = waits(&app, "scope=s").await.unwrap();
    assert!(answer.headers.get("preference-applied").is_none());
    assert_eq!(lines(&answer.expect(200)), [""; 0]);
}
