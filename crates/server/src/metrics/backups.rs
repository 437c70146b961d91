//! What became of the scheduled backups.

use std::{
    sync::{Arc, OnceLock, atomic::AtomicU64},
    time::Duration,
};

use octopoid_domain::Millis;
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    labels::{NoLabels, Optional},
    seconds,
};
use crate::backup::BackupStatus;

/// The metrics of backups. They have no values without a schedule.
#[derive(Default)]
pub(crate) struct BackupMetrics {
    status: OnceLock<Arc<BackupStatus>>,
    period: Optional,
    last_success: Optional,
    last_failure: Optional,
    duration: Optional,
    bytes: Family<NoLabels, Gauge<u64, AtomicU64>>,
}

impl BackupMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let mut add = |name: &str, help: &str, value: &Optional| {
            registry.register(name, help, value.clone());
        };
        let help = "When the newest scheduled backup was taken; 0 if there is none";
        add("backup_last_success_timestamp_seconds", help, &metrics.last_success);
        let help = "When a scheduled backup failed last, since the start; 0 if none has";
        add("backup_last_failure_timestamp_seconds", help, &metrics.last_failure);
        add("backup_period_seconds", "Period of the scheduled backups", &metrics.period);
        let help = "How long the last successful backup took";
        add("backup_duration_seconds", help, &metrics.duration);
        registry.register("backup_bytes", "Size of the newest backup", metrics.bytes.clone());
        metrics
    }

    /// Shows the results of a schedule with this period from now on.
    pub(crate) fn watch(&self, status: Arc<BackupStatus>, every: Duration) {
        self.period.get_or_create(&NoLabels::new()).set(every.as_secs_f64());
        // A server has one schedule.
        let _ = self.status.set(status);
    }

    /// Reads the results.
    pub(super) fn read(&self) {
        let Some(status) = self.status.get() else { return };
        let state = status.get();
        let time = |at: Option<Millis>| seconds(at.map_or(0, |at| at.0));
        let set = |value: &Optional, to: f64| value.get_or_create(&NoLabels::new()).set(to);
        set(&self.last_success, time(state.last_success_at));
        set(&self.last_failure, time(state.last_failure_at));
        if let Some(duration) = state.duration_seconds {
            set(&self.duration, duration);
        }
        if let Some(bytes) = state.bytes {
            self.bytes.get_or_create(&NoLabels::new()).set(bytes);
        }
    }
}
