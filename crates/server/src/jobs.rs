//! The timer of the scheduled jobs, which take back tasks with expired leases.

use std::time::Duration;

use octopoid_api::{App, jobs::run_jobs};
use tokio::{sync::watch, task::JoinHandle, time::MissedTickBehavior};

/// Runs the scheduled jobs now and once per period, until `stopping` is true.
pub(crate) fn start(
    app: App,
    period: Duration,
    mut stopping: watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
            if let Err(error) = run_jobs(&app).await {
                tracing::warn!(%error, "the scheduled jobs failed, will retry");
            }
        }
    })
}
