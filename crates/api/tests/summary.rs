//! The summary of a scope.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{body::Body, http::Request};
use common::{Answer, TestApp};
use futures_util::{FutureExt, future::BoxFuture};
use octopoid_api::{AuthMode, Settings};
use octopoid_store::{
    Engine, EngineError,
    engine::{Rows, Statement},
};
use octopoid_testbed::database::Database;
use serde_json::json;
use tokio::sync::Semaphore;

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
        "oldest": {"claimed": "2026-11-21T20:58:58.605Z", "incoming": "2026-11-21T20:58:58.605Z"},
        "roles": {"": 3}, "priorities": {"P2": 3},
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

/// A database that counts the summaries that it has read, and returns them when it is let to.
struct Slow {
    database: Database,
    read: AtomicUsize,
    turns: Semaphore,
}

impl Engine for Slow {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        Box::pin(async move {
            let is_summary = batch.len() > 5;
            let answer = self.database.engine.read(batch).await;
            if is_summary {
                self.read.fetch_add(1, Ordering::SeqCst);
                self.turns.acquire().await.unwrap().forget();
            }
            answer
        })
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.database.engine.write(batch)
    }
}

async fn slow_app() -> (TestApp, Arc<Slow>) {
    let (read, turns) = (AtomicUsize::new(0), Semaphore::new(0));
    let engine = Arc::new(Slow { database: Database::fresh().await, read, turns });
    let app = TestApp::over(Arc::clone(&engine) as Arc<dyn Engine>, Settings::default());
    app.app.store.migrate(app.app.now()).await.unwrap();
    app.host.waits.store(true, Ordering::SeqCst);
    (app, engine)
}

async fn summary(app: TestApp, cache_control: &'static str) -> Answer {
    let request = Request::get(format!("{SUMMARY}?scope=s")).header("cache-control", cache_control);
    app.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn requests_that_wait_share_the_next_summary_and_see_what_was_written_before() {
    let (app, engine) = slow_app().await;
    let first = tokio::spawn(summary(app.clone(), ""));
    while engine.read.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    app.task("a", json!({})).await;
    let mut waiting: Vec<_> = (0..50).map(|_| Box::pin(summary(app.clone(), ""))).collect();
    for request in &mut waiting {
        assert!(request.now_or_never().is_none(), "it waits for the one that is computed");
    }
    // One that gives up leaves the computation to the others.
    drop(waiting.remove(0));
    engine.turns.add_permits(50);
    assert_eq!(first.await.unwrap().expect(200)["queues"], json!({}));
    for request in waiting {
        assert_eq!(request.await.expect(200)["queues"], json!({"incoming": 1}));
    }
    assert_eq!(engine.read.load(Ordering::SeqCst), 2, "one for all that have waited");
    app.task("b", json!({})).await;
    let next = summary(app.clone(), "").await.expect(200);
    assert_eq!(next["queues"], json!({"incoming": 2}), "nothing is kept unasked");
}

#[tokio::test]
async fn a_summary_may_be_as_old_as_the_request_says() {
    let (app, engine) = slow_app().await;
    engine.turns.add_permits(50);
    let count = async |cache_control| {
        summary(app.clone(), cache_control).await.expect(200);
        engine.read.load(Ordering::SeqCst)
    };
    assert_eq!(count("max-age=1").await, 1);
    app.passes(999);
    assert_eq!(count("no-transform, Max-Age=1").await, 1);
    app.passes(1);
    assert_eq!(count("max-age=1").await, 2);
    for (number, strict) in (3..).zip(["", "no-cache", "max-age=0", "max-age=x", "max-age=-5"]) {
        assert_eq!(count(strict).await, number, "{strict}");
        assert_eq!(count("max-age=1").await, number);
    }
    app.passes(9_999);
    assert_eq!(count("max-age=3600").await, 7);
    app.passes(1);
    assert_eq!(count("max-age=3600").await, 8, "no summary is older than ten seconds");
}
