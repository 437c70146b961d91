//! What a caller is told when others keep changing the task under its hands.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures_util::future::BoxFuture;
use octopoid_api::Settings;
use octopoid_store::{
    Engine, EngineError,
    engine::{Rows, Statement},
};
use octopoid_testbed::database::Database;
use serde_json::{Value, json};

use crate::{TASKS, claimed, common::TestApp, event, events, read, step, submit};

/// A database on which somebody else changes every task just before each write.
struct Contended {
    database: Database,
    interferes: AtomicBool,
    writes: AtomicUsize,
}

impl Engine for Contended {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.database.engine.read(batch)
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        Box::pin(async {
            if self.interferes.load(Ordering::Relaxed) {
                self.writes.fetch_add(1, Ordering::Relaxed);
                let sql = "UPDATE tasks SET version = version + 1".into();
                self.database.engine.write(vec![Statement { sql, parameters: vec![] }]).await?;
            }
            self.database.engine.write(batch).await
        })
    }
}

async fn app() -> (TestApp, Arc<Contended>) {
    let engine = Arc::new(Contended {
        database: Database::fresh().await,
        interferes: AtomicBool::new(false),
        writes: AtomicUsize::new(0),
    });
    let app = TestApp::over(Arc::clone(&engine) as Arc<dyn Engine>, Settings::default());
    app.app.store.migrate(app.app.now()).await.unwrap();
    (app, engine)
}

#[tokio::test]
async fn a_change_that_always_comes_too_late_is_given_up_without_a_trace() {
    let (app, engine) = app().await;
    claimed(&app, "a").await;
    engine.interferes.store(true, Ordering::Relaxed);
    let update = json!({"title": "t"});
    for (answer, text) in [
        (
            submit(&app, "a", json!({"commits_count": 1, "turns_used": 1})).await,
            "Failed to submit task (race or wrong state)",
        ),
        (
            step(&app, "a", "accept", json!({"accepted_by": "h"})).await,
            "Failed to accept task (race or wrong state)",
        ),
        (
            step(&app, "a", "reject", json!({"reason": "r", "rejected_by": "h"})).await,
            "Failed to reject task (race or wrong state)",
        ),
        (
            step(&app, "a", "requeue", json!({})).await,
            "Failed to requeue task (race or wrong state)",
        ),
        (
            step(&app, "a", "force-queue", json!({"queue": "done", "reason": "r"})).await,
            "Failed to force-queue task (race condition)",
        ),
        (
            app.patch(&format!("{TASKS}/a"), update).await,
            "Failed to update task (race or wrong state)",
        ),
    ] {
        assert_eq!(answer.expect(409), json!({"error": text, "code": "race"}));
    }
    engine.interferes.store(false, Ordering::Relaxed);
    let task = read(&app, "a").await;
    assert_eq!((&task["queue"], &task["title"]), (&json!("claimed"), &json!("a")));
    let story =
        [event("created", Value::Null, Value::Null), event("claimed", "agent-1", Value::Null)];
    assert_eq!(events(&app, "a").await, story);
    let messages = app.get(&format!("{TASKS}/a/messages?scope=s")).await.expect(200);
    assert_eq!(messages["total"], 0);
    assert_eq!(engine.writes.load(Ordering::Relaxed), 6 * 32, "each is tried again and again");
}

#[tokio::test]
async fn a_claim_is_one_statement_and_comes_never_too_late() {
    let (app, engine) = app().await;
    app.task("a", json!({})).await;
    engine.interferes.store(true, Ordering::Relaxed);
    assert_eq!(app.claim(json!({})).await.expect(200)["id"], "a");
    app.claim(json!({})).await.expect(404);
}
