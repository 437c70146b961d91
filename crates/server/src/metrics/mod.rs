//! Metrics in the `OpenMetrics` text format.
//!
//! Counters and histograms count what this process has done since its start; a scrape adds gauges,
//! which are read from the database and are the same on all servers that share it. Labels have
//! bounded sets of values, and never ids. [docs/metrics.md](../../../../docs/metrics.md) lists all.

mod backups;
mod database;
mod gauges;
mod http;
mod jobs;
mod labels;
mod listen;
mod tasks;
mod webhooks;

use std::{sync::Arc, time::Duration};

use octopoid_api::{App, SERVER_VERSION};
use octopoid_store::Store;
use prometheus_client::{encoding::text::encode, metrics::info::Info, registry::Registry};

use self::{
    backups::BackupMetrics, database::DatabaseMetrics, gauges::Gauges, jobs::JobMetrics,
    tasks::TaskMetrics, webhooks::WebhookMetrics,
};
use crate::{database::Backend, traces::Traces};

pub(crate) use self::{
    http::{HttpMetrics, method_name},
    listen::{mount, serve},
};

/// What a scraper is told that the text is.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Milliseconds as seconds, the unit of all times. Less than none is none.
fn seconds(ms: i64) -> f64 {
    Duration::from_millis(ms.max(0).unsigned_abs()).as_secs_f64()
}

/// Everything that a process counts of itself.
pub(crate) struct Metrics {
    registry: Registry,
    tasks: Arc<TaskMetrics>,
    database: DatabaseMetrics,
    gauges: Gauges,
    pub(crate) http: Arc<HttpMetrics>,
    pub(crate) jobs: JobMetrics,
    pub(crate) backups: BackupMetrics,
    pub(crate) webhooks: WebhookMetrics,
    /// Held during a scrape, because the gauges are set and then read.
    scrape: tokio::sync::Mutex<()>,
}

impl Metrics {
    /// Counters that have counted nothing.
    pub(crate) fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("octopoid");
        let version = Info::new([("version", SERVER_VERSION)]);
        registry.register("build", "The version of the server", version);
        Arc::new(Self {
            tasks: Arc::new(TaskMetrics::register(&mut registry)),
            database: DatabaseMetrics::register(&mut registry),
            gauges: Gauges::register(&mut registry),
            http: Arc::new(HttpMetrics::register(&mut registry)),
            jobs: JobMetrics::register(&mut registry),
            backups: BackupMetrics::register(&mut registry),
            webhooks: WebhookMetrics::register(&mut registry),
            registry,
            scrape: tokio::sync::Mutex::default(),
        })
    }

    /// A store over an engine, both of which are counted, and traced if they are to be.
    pub(crate) fn store(&self, backend: &Backend, traces: Option<&Traces>) -> Store {
        let measured = self.database.measured(backend);
        let engine = match traces {
            Some(traces) => traces.traced(measured, backend),
            None => measured,
        };
        Store::new(engine).with_meter(self.tasks.clone())
    }

    /// All metrics as text. If the database cannot be read, those that are read from it are absent.
    pub(crate) async fn text(&self, app: &App) -> String {
        let _scrape = self.scrape.lock().await;
        self.gauges.read(app).await;
        self.database.read();
        self.backups.read();
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a String takes all text");
        text
    }
}
