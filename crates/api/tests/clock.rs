//! What the server makes of a clock that is set.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap as well")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use axum::{body::Body, http::Request};
use futures_util::future::BoxFuture;
use octopoid_api::{App, Host, Settings, jobs::run_jobs, router};
use octopoid_domain::Millis;
use octopoid_store::{
    Engine, EngineError, Store,
    engine::{Rows, SharedEngine, Statement},
};
use octopoid_testbed::database::{Database, is_postgres};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::common::{START, TestApp};

/// A host on which a pause takes no time but on its clocks. During a wait, its clock is set
/// back an hour.
#[derive(Default)]
struct Restless {
    elapsed: AtomicI64,
    looks: AtomicI64,
}

impl Host for Restless {
    fn now(&self) -> Millis {
        let was_set_back = self.elapsed_ms() > 0;
        Millis(START + self.elapsed_ms() - if was_set_back { 3_600_000 } else { 0 })
    }

    fn elapsed_ms(&self) -> i64 {
        self.elapsed.load(Ordering::Relaxed)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn pause(&self, ms: u64) -> Option<BoxFuture<'static, ()>> {
        let looks = self.looks.fetch_add(1, Ordering::Relaxed);
        assert!(looks < 100, "it waits for an hour");
        self.elapsed.fetch_add(i64::try_from(ms).unwrap(), Ordering::Relaxed);
        Some(Box::pin(std::future::ready(())))
    }
}

#[tokio::test]
async fn a_claim_waits_as_long_as_it_says_however_the_clock_is_set_meanwhile() {
    let database = Database::fresh().await;
    let store = Store::new(Arc::clone(&database.engine));
    store.migrate(Millis(START)).await.unwrap();
    let host = Arc::new(Restless::default());
    let app = App::new(store, Arc::clone(&host) as Arc<dyn Host>, Settings::default());
    let body = r#"{"orchestrator_id":"o","agent_name":"a","scope":"s"}"#;
    let request = Request::post("/api/v1/tasks/claim").header("prefer", "wait=30");
    let answer = router(app).oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 404);
    let waited = host.elapsed_ms();
    assert!((30_000..40_000).contains(&waited), "{waited} ms");
    // The first call asks whether the host can pause. No hint led to nothing, so no other is a rest.
    assert_eq!(host.looks.load(Ordering::Relaxed), 1 + waited / 5_000);
}

/// A database with a clock of its own, as one that many servers share.
struct Clocked {
    inner: SharedEngine,
    now: AtomicI64,
}

impl Engine for Clocked {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        let is_clock = |statement: &Statement| {
            statement.sql.postgres().is_some_and(|text| text.contains("clock_timestamp"))
        };
        if batch.iter().any(is_clock) {
            let now = self.now.load(Ordering::Relaxed);
            return Box::pin(async move { Ok(vec![vec![vec![now.into()]]]) });
        }
        self.inner.read(batch)
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.inner.write(batch)
    }
}

fn shared() -> Settings {
    Settings { shares_database: true, ..Settings::default() }
}

/// Two servers on one database, of which the second's clock is wrong by so much.
async fn two_servers(wrong_by: i64) -> (Arc<Clocked>, TestApp, TestApp, Database) {
    let database = Database::fresh().await;
    let now = AtomicI64::new(START);
    let engine = Arc::new(Clocked { inner: Arc::clone(&database.engine), now });
    let server = || TestApp::over(Arc::clone(&engine) as SharedEngine, shared());
    let (right, wrong) = (server(), server());
    wrong.sets_clock(wrong_by);
    right.app.store.migrate(Millis(START)).await.unwrap();
    (engine, right, wrong, database)
}

fn end(task: &Value) -> Millis {
    Millis::parse(task["lease_expires_at"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_server_whose_clock_is_wrong_goes_by_its_databases() {
    for wrong_by in [300_000, -300_000, 1_500] {
        let (engine, right, wrong, _database) = two_servers(wrong_by).await;
        let for_a_minute = json!({"lease_duration_seconds": 60});
        let mut taken = 0;
        for id in ["a", "b"] {
            let server = if id == "a" { &right } else { &wrong };
            server.task(id, json!({})).await;
            let claimed = server.claim(for_a_minute.clone()).await.expect(200);
            assert_eq!(end(&claimed), Millis(START + 60_000), "{id}, wrong by {wrong_by}");
        }
        // Neither takes back what the other has given, until the database says that it is over.
        for passed in (0..=190).map(|step| step * 1_000) {
            if passed <= 180_000 {
                assert_eq!(taken, 0, "after {passed} ms, wrong by {wrong_by}");
            }
            for server in [&wrong, &right] {
                server.passes(1_000);
                engine.now.store(START + passed, Ordering::Relaxed);
                taken += run_jobs(&server.app).await.unwrap().tasks_released;
            }
        }
        assert_eq!(taken, 2, "wrong by {wrong_by}");
    }
}

#[tokio::test]
async fn a_clock_that_jumps_is_compared_again_before_the_next_request() {
    let (_engine, server, _, _database) = two_servers(0).await;
    for jump in [-3_600_000, 7_200_000, 0] {
        server.sets_clock(jump);
        server.task("a", json!({})).await;
        let claimed = server.claim(json!({"lease_duration_seconds": 60})).await.expect(200);
        assert_eq!(end(&claimed), Millis(START + 60_000), "after a jump of {jump} ms");
        server.delete("/api/v1/tasks/a").await.expect(200);
    }
}

#[tokio::test]
async fn small_differences_are_left_alone() {
    let (_engine, _, server, _database) = two_servers(90).await;
    run_jobs(&server.app).await.unwrap();
    assert_eq!(server.app.now(), Millis(START + 90));
}

#[tokio::test]
async fn a_server_that_is_alone_goes_by_its_own_clock() {
    let app = TestApp::new().await;
    app.sets_clock(3_600_000);
    app.task("a", json!({})).await;
    let claimed = app.claim(json!({"lease_duration_seconds": 60})).await.expect(200);
    assert_eq!(end(&claimed), Millis(START + 3_600_000 + 60_000));
}

#[tokio::test]
async fn postgresql_tells_its_time() {
    let database = Database::fresh().await;
    let app = TestApp::over(Arc::clone(&database.engine), shared());
    app.app.store.migrate(Millis(START)).await.unwrap();
    let before = app.app.store.clock().await.unwrap();
    assert_eq!(before.is_some(), is_postgres());
    run_jobs(&app.app).await.unwrap();
    let Some(before) = before else { return };
    let (now, after) = (app.app.now(), app.app.store.clock().await.unwrap().unwrap());
    assert!(before <= now && now <= after, "{before:?} {now:?} {after:?}");
}
