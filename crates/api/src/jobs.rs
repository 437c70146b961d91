//! The scheduled jobs, as the native server's timer, the edge's cron and the administrator run
//! them. They take no input and may run anywhere, at any time, twice.

use octopoid_domain::Millis;
use octopoid_store::{EngineError, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::{App, SILENCE_MS_MAX},
    audit,
};

/// Leases taken back in one batch, so that the writer is not held for long.
const PAGE: i64 = 100;

/// What a run of the jobs did.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct Done {
    /// Tasks taken back from agents whose lease had ended.
    pub tasks_released: usize,
    /// Orchestrators marked offline because they had gone silent.
    pub orchestrators_offline: usize,
}

/// Takes back what dead agents hold and marks silent orchestrators offline.
pub async fn run_jobs(app: &App) -> Result<Done, StoreError> {
    let mut done = Done::default();
    let mut limit = PAGE;
    // A server that is told to stop does not wait for all pages; the next one goes on.
    loop {
        let stamp = app.stamp();
        let ended_before = Millis(stamp.now.0.saturating_sub(app.settings.lease_grace_ms));
        let page = match app.store.release_lapsed(ended_before, limit, stamp).await {
            // Tasks with long contents are taken back one by one, rather than never.
            Err(StoreError::Engine(EngineError::TooLarge)) if limit > 1 => {
                limit = 1;
                continue;
            }
            page => page?,
        };
        for task in &page {
            audit::released(task);
        }
        done.tasks_released += page.len();
        // After a full page there may be more.
        let is_last = i64::try_from(page.len()).is_ok_and(|released| released < limit);
        if is_last || app.is_stopping() {
            break;
        }
    }
    let silent_since = Millis(app.now().0.saturating_sub(SILENCE_MS_MAX));
    let offline = app.store.mark_offline(silent_since).await?;
    for id in &offline {
        tracing::info!(target: audit::TARGET, event = "orchestrator.offline", id);
    }
    done.orchestrators_offline = offline.len();
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use octopoid_domain::Millis;
    use octopoid_store::{
        Engine, EngineError, Store,
        engine::{Statement, Value},
    };
    use octopoid_store_sqlite::{Location, Sqlite};

    use super::{App, run_jobs};
    use crate::{Host, Settings};

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
        let engine = Arc::new(Sqlite::open(&Location::Memory).unwrap());
        let store = Store::new(Arc::<Sqlite>::clone(&engine));
        store.migrate(Millis(0)).await.unwrap();
        let parameters = vec![Value::Int(content / 2)];
        let insert: Result<_, EngineError> =
            engine.write(vec![Statement { sql: LAPSED.into(), parameters }]).await;
        insert.unwrap();
        App::new(store, Arc::new(Still), Settings::default())
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
}
