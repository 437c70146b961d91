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
    let mut left = app.settings.releases_max.unwrap_or(i64::MAX);
    let mut page_max = PAGE;
    // A server that is told to stop does not wait for all pages; the next one goes on.
    while left > 0 {
        let limit = page_max.min(left);
        let stamp = app.stamp();
        let ended_before = Millis(stamp.now.0.saturating_sub(app.settings.lease_grace_ms));
        let page = match app.store.release_lapsed(ended_before, limit, stamp).await {
            // Tasks with long contents are taken back one by one, rather than never.
            Err(StoreError::Engine(EngineError::TooLarge)) if limit > 1 => {
                page_max = 1;
                continue;
            }
            page => page?,
        };
        for task in &page {
            audit::released(task);
        }
        done.tasks_released += page.len();
        let released = i64::try_from(page.len()).unwrap_or(i64::MAX);
        left -= released;
        // After a full page there may be more.
        if released < limit || app.is_stopping() {
            break;
        }
    }
    let silent_since = Millis(app.now().0.saturating_sub(SILENCE_MS_MAX));
    let offline = app.store.mark_offline(silent_since).await?;
    for id in &offline {
        tracing::info!(target: audit::TARGET, event = "orchestrator.offline", id);
    }
    done.orchestrators_offline = offline.len();
    app.refusals.log(app.now());
    Ok(done)
}
