//! The summary of a scope.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::TestApp;
use octopoid_api::AuthMode;
use serde_json::json;

const SUMMARY: &str = "/api/v1/summary";

#[tokio::test]
async fn a_summary_has_what_a_board_shows_first() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app.claim(json!({})).await.expect(200);
    app.task("b", json!({"blocked_by": "a"})).await;
    app.task("c", json!({})).await;
    app.task("d", json!({"queue": "provisional"})).await;
    app.post("/api/v1/tasks/d/accept", json!({"accepted_by": "ann"})).await.expect(200);
    let mut summary = app.get(&format!("{SUMMARY}?scope=s")).await.expect(200);
    let hours = summary["hours"].take();
    let expected = json!({
        "scope": "s", "at": "2026-11-21T20:58:58.605Z",
        "queues": {"claimed": 1, "done": 1, "incoming": 2},
        "claimable": 1, "waiting": {"waits_for": 1}, "is_partial": false,
        "running": {"work": 1, "review": 0},
        "needs_person": {"questions": 0, "actions": 0, "interventions": 0, "provisional": 0},
        "hours": null,
    });
    assert_eq!(summary, expected);
    let hours = hours.as_array().unwrap();
    assert_eq!(hours.len(), 24);
    let last = json!({
        "hour": "2026-11-21T20:00:00.000Z", "done": 1, "failed": 0, "cost_usd": "0",
    });
    assert_eq!(hours[23], last);
}

#[tokio::test]
async fn a_summary_is_that_of_a_scope() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let text = "Missing required query parameter: scope. Cannot summarize all scopes.";
    assert_eq!(app.get(SUMMARY).await.error(400), text);
    let mine = app.holder("mine").await;
    assert_eq!(mine.get(SUMMARY).await.expect(200)["scope"], "mine");
    mine.get(&format!("{SUMMARY}?scope=s")).await.expect(403);
}
