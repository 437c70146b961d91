//! What clients see when the database is in trouble.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures_util::future::{BoxFuture, pending};
use octopoid_api::Settings;
use octopoid_store::{
    Engine, EngineError,
    engine::{Rows, SharedEngine, Statement},
};
use octopoid_testbed::database::Database;
use serde_json::json;

use crate::{
    common::{ADMIN, TestApp},
    values,
};

/// A database that fails in one way.
struct Broken(EngineError);

impl Engine for Broken {
    fn read(&self, _: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        Box::pin(async { Err(self.0.clone()) })
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.read(batch)
    }
}

fn app(error: EngineError) -> TestApp {
    TestApp::over(Arc::new(Broken(error)), Settings::default())
}

#[tokio::test]
async fn a_database_that_is_away_is_unhealthy_and_not_ready_but_the_process_lives() {
    let app = app(EngineError::Unavailable("disk on fire".to_owned()));
    assert_eq!(
        app.get("/api/health").await.expect(503),
        json!({
            "status": "unhealthy", "version": "2.0.0",
            "server_version": octopoid_api::SERVER_VERSION,
            "timestamp": "2026-11-21T20:58:58.605Z", "database": "disconnected",
        })
    );
    let answer = app.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.text, "the database is not available");
    assert_eq!(app.get("/livez").await.status, 200);
}

#[tokio::test]
async fn a_request_meets_a_database_that_is_away_with_a_503_and_is_told_to_try_again() {
    let app = app(EngineError::Unavailable("disk on fire".to_owned()));
    for answer in [
        app.get("/api/v1/tasks?scope=s").await,
        app.claim(json!({})).await,
        app.delete("/api/v1/tasks/a").await,
    ] {
        assert_eq!(
            answer.expect(503),
            json!({
                "error": "Service Unavailable", "code": "unavailable",
                "message": "The database is not available; try again",
                "timestamp": "2026-11-21T20:58:58.605Z",
            })
        );
        assert_eq!(values(&answer, "retry-after"), ["1"]);
    }
}

#[tokio::test]
async fn a_fault_of_the_server_is_a_500_that_does_not_show_its_cause() {
    for error in [
        EngineError::Constraint("tasks.id".to_owned()),
        EngineError::Statement("near \"SELEC\": syntax error".to_owned()),
    ] {
        assert_eq!(
            app(error).get("/api/v1/tasks/a").await.expect(500),
            json!({
                "error": "Internal Server Error", "code": "internal",
                "message": "The server failed to handle the request",
                "timestamp": "2026-11-21T20:58:58.605Z",
            })
        );
    }
}

#[tokio::test]
async fn only_a_list_that_takes_too_long_is_the_callers_to_change() {
    let app = app(EngineError::TooSlow);
    assert_eq!(app.get("/api/v1/tasks?scope=s").await.expect(400)["code"], "answer_too_slow");
    for answer in [
        app.get("/api/v1/tasks/a").await,
        app.patch("/api/v1/tasks/a", json!({"title": "t"})).await,
        app.post("/api/v1/tasks/a/submit", json!({"commits_count": 1, "turns_used": 1})).await,
    ] {
        assert_eq!(answer.expect(503)["code"], "unavailable");
    }
}

#[tokio::test]
async fn a_request_that_is_wrong_in_itself_is_told_so_whatever_the_database_does() {
    let app = app(EngineError::Unavailable("disk on fire".to_owned()));
    app.get("/api/v1/tasks").await.expect(400);
    app.claim(json!({"agent_name": ""})).await.expect(400);
    app.patch("/api/v1/tasks/a", json!({})).await.expect(400);
}

/// A database that can be filled up: then it takes what writes nothing, and nothing else.
struct Disk {
    engine: SharedEngine,
    is_full: AtomicBool,
}

impl Engine for Disk {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.engine.read(batch)
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        if self.is_full.load(Ordering::Relaxed) && !batch.is_empty() {
            return Box::pin(async { Err(EngineError::Unavailable("no room".to_owned())) });
        }
        self.engine.write(batch)
    }
}

#[tokio::test]
async fn a_full_disk_shows_in_the_health_and_fails_no_read_with_a_key() {
    let database = Database::fresh().await;
    let engine = SharedEngine::clone(&database.engine);
    let disk = Arc::new(Disk { engine, is_full: AtomicBool::new(false) });
    let admin_key_hash = Some(octopoid_api::auth::hash(ADMIN));
    let settings = Settings { admin_key_hash, ..Settings::default() };
    let app = TestApp::over(Arc::clone(&disk) as SharedEngine, settings);
    app.app.store.migrate(app.app.now()).await.unwrap();
    let holder = app.holder("s").await;
    assert_eq!(app.get("/readyz").await.status, 200);

    disk.is_full.store(true, Ordering::Relaxed);
    // That its use cannot be noted does not make the key a bad one.
    assert_eq!(holder.get("/api/v1/tasks").await.expect(200)["total"], 0);
    for _ in 0..2 {
        assert_eq!(app.get("/readyz").await.status, 503);
        assert_eq!(app.get("/api/health").await.expect(503)["database"], "disconnected");
    }

    disk.is_full.store(false, Ordering::Relaxed);
    assert_eq!(app.get("/readyz").await.status, 200);
    app.get("/api/health").await.expect(200);
    holder.get("/api/v1/tasks").await.expect(200);
}

/// A database whose writes never end once it is stuck.
struct Stuck {
    engine: SharedEngine,
    hangs: AtomicBool,
    tries: AtomicUsize,
}

impl Engine for Stuck {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.engine.read(batch)
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        if self.hangs.load(Ordering::Relaxed) {
            self.tries.fetch_add(1, Ordering::Relaxed);
            return Box::pin(pending());
        }
        self.engine.write(batch)
    }
}

#[tokio::test]
async fn a_read_with_a_key_does_not_wait_until_the_keys_use_is_noted() {
    let database = Database::fresh().await;
    let engine = SharedEngine::clone(&database.engine);
    let stuck =
        Arc::new(Stuck { engine, hangs: AtomicBool::new(false), tries: AtomicUsize::new(0) });
    let admin_key_hash = Some(octopoid_api::auth::hash(ADMIN));
    let settings = Settings { admin_key_hash, ..Settings::default() };
    let app = TestApp::over(Arc::clone(&stuck) as SharedEngine, settings);
    app.app.store.migrate(app.app.now()).await.unwrap();
    let holder = app.holder("s").await;
    app.host.runs_aside.store(true, Ordering::Relaxed);
    stuck.hangs.store(true, Ordering::Relaxed);
    for minute in 1..3 {
        for _ in 0..3 {
            holder.get("/api/v1/tasks").await.expect(200);
        }
        while stuck.tries.load(Ordering::Relaxed) < minute {
            tokio::task::yield_now().await;
        }
        assert_eq!(stuck.tries.load(Ordering::Relaxed), minute, "tries after {minute} minutes");
        app.passes(60_000);
    }
}

#[tokio::test]
async fn a_damaged_page_is_not_shown_as_a_fault_of_the_request() {
    let app = app(EngineError::Damaged("database disk image is malformed".to_owned()));
    let answer = app.get("/api/v1/tasks/a").await.expect(503);
    assert_eq!(answer["code"], "unavailable");
    assert_eq!(app.get("/readyz").await.status, 503);
}
