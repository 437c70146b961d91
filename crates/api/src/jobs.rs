//! The scheduled jobs, as the native server's timer, the edge's cron and the administrator run
//! them. They take no input and may run anywhere, at any time, twice.

use octopoid_domain::{Millis, availability::Availability, orchestrator::SILENCE_MS_MAX};
use octopoid_store::{EngineError, KEPT_MS, StoreError, lapses::Lapses};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::{App, Settings},
    audit,
};

/// Leases taken back in one batch, so that the writer is not held for long.
const PAGE: i64 = 100;

/// Delays or pauses ended in one batch: a few rows each, which may be on D1 as well.
const DELAYS: i64 = 500;

/// Requests forgotten in one batch.
const REQUESTS: i64 = 500;

/// Logs looked at in one batch, each of which may have as many rows as texts were appended.
const LOGS: i64 = 20;

/// Old tasks deleted in one batch, each of which may have many rows of logs.
const EXPIRED: usize = 50;

/// After so many batches of them the run ends; the next one continues.
const EXPIRED_PAGES_MAX: u32 = 100;

/// Old tasks deleted in a run where runs are bounded: on D1, each row that is deleted is paid for.
const EXPIRED_SHORT: usize = 3;

/// A run that is late by less than half of this is not late: machines are busy at times.
const PERIOD_MS_MIN: i64 = 1_000;

/// The result of a run of the jobs.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
pub struct Done {
    /// The number of tasks with expired leases that were taken back.
    pub tasks_released: usize,
    /// The number of silent orchestrators that were marked offline.
    pub orchestrators_offline: usize,
    /// The number of finished tasks that were deleted because of their age.
    pub tasks_deleted: usize,
}

/// After so many steps of the retention the run ends; the next one continues.
const PRUNES_MAX: u32 = 500;

/// Takes back what dead agents hold, marks silent orchestrators offline, and deletes what is old. What
/// counts of agents and orchestrators is the time in which they could reach the server.
pub async fn run_jobs(app: &App) -> Result<Done, StoreError> {
    app.check_clock().await?;
    let availability = note_run(app).await?;
    let ended_before = availability.available_for(app.settings.lease_grace_ms);
    let tasks_released = take_back(app, ended_before).await?;
    end_delays(app).await?;
    app.store.end_pauses(DELAYS, app.stamp()).await?;
    app.store.prune_hourly_counts(app.now()).await?;
    forget_requests(app).await?;
    let silent_since = availability.available_for(SILENCE_MS_MAX);
    let offline = app.store.mark_offline(silent_since, app.stamp()).await?;
    for id in &offline {
        tracing::info!(target: audit::TARGET, event = "orchestrator.offline", id);
    }
    prune_events(app).await?;
    forget_logs(app).await?;
    let tasks_deleted = delete_expired(app, tasks_released).await?;
    app.refusals.log(app.now());
    Ok(Done { tasks_released, orchestrators_offline: offline.len(), tasks_deleted })
}

/// Records the run of the jobs, and returns the resulting availability.
async fn note_run(app: &App) -> Result<Availability, StoreError> {
    let Settings { lease_grace_ms, jobs_period_ms, .. } = app.settings;
    let was = app.store.availability().await?;
    let mut is = was.clone();
    is.note(app.now(), jobs_period_ms.max(PERIOD_MS_MIN), lease_grace_ms.max(SILENCE_MS_MAX));
    app.store.note_availability(&was, &is).await?;
    // A process that has just started cannot tell how long there was none. Only what was over when
    // the jobs ran last is over for certain.
    Ok(if app.is_first_run() { was } else { is })
}

/// How many more pages one run of a job takes.
struct Pages {
    left: u32,
}

impl Pages {
    /// Where a run is bounded, one page is a job's share.
    fn of(app: &App) -> Self {
        Self { left: if app.settings.releases_max.is_some() { 1 } else { u32::MAX } }
    }

    /// Whether to go on after a page. The next run of the jobs takes what is left, also during
    /// shutdown.
    fn go_on(&mut self, app: &App, has_more: bool) -> bool {
        self.left = self.left.saturating_sub(1);
        has_more && self.left > 0 && !app.is_stopping()
    }
}

/// Deletes events that are older than they are kept.
async fn prune_events(app: &App) -> Result<(), StoreError> {
    let before = app.now().plus(-app.settings.retain_events_ms);
    let mut pages = Pages { left: app.settings.prunes_max.unwrap_or(PRUNES_MAX) };
    while pages.go_on(app, app.store.prune_events(before).await?) {}
    Ok(())
}

/// Makes tasks claimable whose delay has ended.
async fn end_delays(app: &App) -> Result<(), StoreError> {
    let mut pages = Pages::of(app);
    while pages.go_on(app, app.store.end_delays(DELAYS, app.stamp()).await? == DELAYS) {}
    Ok(())
}

/// Forgets what requests with an idempotency key did a day ago.
async fn forget_requests(app: &App) -> Result<(), StoreError> {
    let before = app.now().plus(-KEPT_MS);
    let mut pages = Pages::of(app);
    while pages.go_on(app, app.store.forget_requests(before, REQUESTS).await? == REQUESTS) {}
    Ok(())
}

/// Forgets the logs of tasks that have been over for long enough.
async fn forget_logs(app: &App) -> Result<(), StoreError> {
    let ended_before = app.now().plus(-app.settings.retain_logs_ms);
    let mut pages = Pages::of(app);
    while pages.go_on(app, app.store.forget_logs(ended_before, LOGS, app.stamp()).await?.1) {}
    Ok(())
}

/// Deletes tasks that are over for longer than they are kept.
async fn delete_expired(app: &App, tasks_released: usize) -> Result<usize, StoreError> {
    let Some(kept_ms) = app.settings.retain_done_ms else { return Ok(0) };
    let is_short = app.settings.releases_max.is_some();
    // A short run may not have enough statements for both.
    if is_short && tasks_released > 0 {
        return Ok(0);
    }
    let before = app.now().plus(-kept_ms);
    let (limit, left) = if is_short { (EXPIRED_SHORT, 1) } else { (EXPIRED, EXPIRED_PAGES_MAX) };
    let mut pages = Pages { left };
    let mut deleted = 0;
    loop {
        let expired = app.store.delete_expired(before, limit, app.stamp()).await?;
        for task in &expired {
            audit::expired(task);
        }
        deleted += expired.len();
        if !pages.go_on(app, !expired.is_empty()) {
            return Ok(deleted);
        }
    }
}

/// Takes back the claims whose lease ended before an instant.
async fn take_back(app: &App, ended_before: Millis) -> Result<usize, StoreError> {
    let mut taken = 0;
    let mut left = app.settings.releases_max.unwrap_or(i64::MAX);
    let mut page_max = PAGE;
    let mut lapses = Lapses::before(ended_before);
    while left > 0 {
        let page =
            match app.store.release_lapsed(&mut lapses, page_max.min(left), app.stamp()).await {
                // Tasks with long contents are taken back one by one, rather than never.
                Err(StoreError::Engine(EngineError::TooLarge)) if page_max > 1 => {
                    page_max = 1;
                    continue;
                }
                page => page?,
            };
        for task in &page.tasks {
            audit::released(task);
        }
        for (id, error) in &page.refused {
            tracing::warn!(task_id = id, %error, "cannot take back a lapsed lease, leaving it out");
        }
        taken += page.tasks.len();
        let looked_at = page.tasks.len() + page.refused.len();
        left -= i64::try_from(looked_at).unwrap_or(i64::MAX);
        // During shutdown the server does not process all pages; the next run continues.
        if page.is_last || app.is_stopping() {
            break;
        }
    }
    Ok(taken)
}
