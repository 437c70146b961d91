//! The timer of the scheduled jobs, which take back tasks with expired leases.

use std::{sync::Arc, time::Duration};

use octopoid_api::{App, jobs::run_jobs};
use tokio::{sync::watch, task::JoinHandle, time::MissedTickBehavior};

use crate::metrics::Metrics;

/// Runs the scheduled jobs now and once per period, until `stopping` is true.
pub(crate) fn start(
    app: App,
    period: Duration,
    metrics: Arc<Metrics>,
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
            let ended = run_jobs(&app).await;
            metrics.jobs.ended(ended.is_ok());
            if let Err(error) = ended {
                tracing::warn!(%error, "the scheduled jobs failed, will retry");
            }
        }
    })
}
