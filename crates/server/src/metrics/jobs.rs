//! What the scheduled jobs do.

use std::sync::atomic::AtomicU64;

use octopoid_api::Host as _;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{labels::Outcome, seconds};
use crate::host::System;

/// The metrics of the scheduled jobs.
pub(crate) struct JobMetrics {
    runs: Family<Outcome, Counter>,
    last_success: Gauge<f64, AtomicU64>,
}

impl JobMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self { runs: Family::default(), last_success: Gauge::default() };
        registry.register("reaper_runs", "Runs of the scheduled jobs", metrics.runs.clone());
        let help = "When this process last completed the scheduled jobs; 0 if it has not yet";
        registry.register(
            "reaper_last_success_timestamp_seconds",
            help,
            metrics.last_success.clone(),
        );
        metrics
    }

    /// Counts a run.
    pub(crate) fn ended(&self, is_complete: bool) {
        let outcome = if is_complete { "completed" } else { "failed" };
        self.runs.get_or_create(&Outcome { outcome }).inc();
        if is_complete {
            self.last_success.set(seconds(System.now().0));
        }
    }
}
