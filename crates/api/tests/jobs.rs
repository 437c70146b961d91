//! The scheduled jobs over more tasks than one page holds.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap as well")]

use std::sync::Arc;

use octopoid_api::{App, Host, Settings, jobs::run_jobs};
use octopoid_domain::{Millis, availability::Availability};
use octopoid_store::{Sql, Store, engine::Statement};
use octopoid_testbed::database::Database;

/// `?1` is how long their content is.
macro_rules! lapsed {
    ($content:literal) => {
        concat!(
            "WITH RECURSIVE numbers (n) AS \
             (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 150) \
             INSERT INTO tasks (id, file_path, queue, branch, scope, content, lease_expires_at, \
             has_plan, auto_accept, needs_rebase, created_at, updated_at, version, \
             needs_breakdown, needs_intervention, write_id, events, is_awaited) \
             SELECT 't' || n, 't' || n, 'claimed', 'main', 's', ",
            $content,
            ", 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0 FROM numbers"
        )
    };
}

const LAPSED: Sql = Sql::Differs {
    sqlite: lapsed!("substr(hex(zeroblob(?1 / 2 + 1)), 1, ?1)"),
    postgres: lapsed!("repeat('0', ?1::integer)"),
};

struct Still;

impl Host for Still {
    fn now(&self) -> Millis {
        Millis(1 << 40)
    }

    fn elapsed_ms(&self) -> i64 {
        0
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// An app with 150 tasks whose leases ended long ago, each with a content of so many bytes; and its
/// database.
async fn with_lapsed(content: i64) -> (App, Database) {
    with_lapsed_and(content, Settings::default()).await
}

async fn with_lapsed_and(content: i64, settings: Settings) -> (App, Database) {
    let database = Database::fresh().await;
    let store = Store::new(Arc::clone(&database.engine));
    store.migrate(Millis(0)).await.unwrap();
    let insert = Statement { sql: LAPSED, parameters: vec![content.into()] };
    database.engine.write(vec![insert]).await.unwrap();
    // The jobs ran yesterday, when those leases had ended already.
    let yesterday = Availability::new(Still.now().plus(-86_400_000), "[]");
    store.note_availability(&Availability::default(), &yesterday).await.unwrap();
    (App::new(store, Arc::new(Still), settings), database)
}

#[tokio::test]
async fn all_pages_are_taken_back_unless_the_server_is_told_to_stop() {
    let (app, _database) = with_lapsed(0).await;
    app.stop_claiming();
    assert_eq!(run_jobs(&app).await.unwrap().tasks_released, 100);
    let (app, _database) = with_lapsed(0).await;
    assert_eq!(run_jobs(&app).await.unwrap().tasks_released, 150);
}

#[tokio::test]
async fn tasks_too_long_to_be_read_together_are_taken_back_as_well() {
    let (app, _database) = with_lapsed(1 << 20).await;
    assert_eq!(run_jobs(&app).await.unwrap().tasks_released, 150);
}

#[tokio::test]
async fn a_run_that_is_bounded_leaves_the_rest_to_the_next() {
    for (most, expected) in [(60, [60, 60, 30]), (120, [120, 30, 0])] {
        let settings = Settings { releases_max: Some(most), ..Settings::default() };
        let (app, _database) = with_lapsed_and(0, settings).await;
        for released in expected {
            assert_eq!(run_jobs(&app).await.unwrap().tasks_released, released);
        }
    }
}
