//! The scheduled jobs over more tasks than one page holds.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap as well")]

use std::sync::Arc;

use octopoid_api::{App, Host, Settings, jobs::run_jobs};
use octopoid_domain::Millis;
use octopoid_store::{
    Engine, EngineError, Store,
    engine::{Statement, Value},
};
use octopoid_store_sqlite::{Location, Sqlite};

const LAPSED: &str = "WITH RECURSIVE numbers (n) AS \
    (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 150) \
    INSERT INTO tasks (id, file_path, queue, branch, scope, content, lease_expires_at, \
        has_plan, auto_accept, needs_rebase, created_at, updated_at, version, \
        needs_breakdown, needs_intervention, write_id, events, is_awaited) \
    SELECT 't' || n, 't' || n, 'claimed', 'main', 's', hex(zeroblob(?1)), 1, \
        0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0 FROM numbers";

struct Still;

impl Host for Still {
    fn now(&self) -> Millis {
        Millis(1 << 40)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// An app with 150 tasks whose leases ended long ago, each with a content of so many bytes.
async fn with_lapsed(content: i64) -> App {
    with_lapsed_and(content, Settings::default()).await
}

async fn with_lapsed_and(content: i64, settings: Settings) -> App {
    let engine = Arc::new(Sqlite::open(&Location::Memory).unwrap());
    let store = Store::new(Arc::<Sqlite>::clone(&engine));
    store.migrate(Millis(0)).await.unwrap();
    let parameters = vec![Value::Int(content / 2)];
    let insert: Result<_, EngineError> =
        engine.write(vec![Statement { sql: LAPSED.into(), parameters }]).await;
    insert.unwrap();
    App::new(store, Arc::new(Still), settings)
}

#[tokio::test]
async fn all_pages_are_taken_back_unless_the_server_is_told_to_stop() {
    let app = with_lapsed(0).await;
    app.stop_claiming();
    assert_eq!(run_jobs(&app).await.unwrap().tasks_released, 100);
    let app = with_lapsed(0).await;
    assert_eq!(run_jobs(&app).await.unwrap().tasks_released, 150);
}

#[tokio::test]
async fn tasks_too_long_to_be_read_together_are_taken_back_as_well() {
    let app = with_lapsed(1 << 20).await;
    assert_eq!(run_jobs(&app).await.unwrap().tasks_released, 150);
}

#[tokio::test]
async fn a_run_that_is_bounded_leaves_the_rest_to_the_next() {
    for (most, expected) in [(60, [60, 60, 30]), (120, [120, 30, 0])] {
        let settings = Settings { releases_max: Some(most), ..Settings::default() };
        let app = with_lapsed_and(0, settings).await;
        for released in expected {
            assert_eq!(run_jobs(&app).await.unwrap().tasks_released, released);
        }
    }
}
