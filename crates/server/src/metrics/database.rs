//! What the database does: the time of each batch, and what an engine tells of itself.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak, atomic::AtomicU64},
    time::Duration,
};

use futures_util::future::BoxFuture;
use octopoid_store::{
    Engine, EngineError,
    engine::{Rows, SharedEngine, Statement},
};
use octopoid_store_postgres::Postgres;
use octopoid_store_sqlite::Sqlite;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use tokio::time::Instant;

use super::labels::{Operation, Status};
use crate::database::Backend;

/// From a tenth of a millisecond to ten seconds.
const TIMES: [f64; 11] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0];

type Answer = Result<Vec<Rows>, EngineError>;

/// The metrics of the database.
pub(super) struct DatabaseMetrics {
    read: Timer,
    read_by_key: Timer,
    write: Timer,
    health: Timer,
    commits: Counter,
    batches: Counter,
    file_bytes: Gauge<u64, AtomicU64>,
    wal_bytes: Gauge<u64, AtomicU64>,
    connections: Family<Status, Gauge>,
    engine: Mutex<Watched>,
}

/// The engine that is asked at a scrape. It is not kept open.
#[derive(Default)]
enum Watched {
    #[default]
    Nothing,
    Sqlite(Weak<Sqlite>),
    Postgres(Weak<Postgres>),
}

/// The batches of one kind.
#[derive(Clone)]
struct Timer {
    times: Histogram,
    errors: Counter,
}

impl DatabaseMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let times =
            Family::<Operation, _>::new_with_constructor((|| Histogram::new(TIMES)) as fn() -> _);
        let errors = Family::<Operation, Counter>::default();
        let of = |op| Timer {
            times: times.get_or_create_owned(&Operation { op }),
            errors: errors.get_or_create_owned(&Operation { op }),
        };
        let metrics = Self {
            read: of("read"),
            read_by_key: of("read_by_key"),
            write: of("write"),
            health: of("health"),
            commits: Counter::default(),
            batches: Counter::default(),
            file_bytes: Gauge::default(),
            wal_bytes: Gauge::default(),
            connections: Family::default(),
            engine: Mutex::default(),
        };
        let help = "Time of a batch of statements, including the wait for its turn";
        registry.register("db_query_duration_seconds", help, times);
        registry.register("db_query_errors", "Batches that failed", errors);
        let help = "Commits of SQLite's writer";
        registry.register("sqlite_commits", help, metrics.commits.clone());
        let help = "Batches in those commits: more than one in a commit share its sync to disk";
        registry.register("sqlite_commit_batches", help, metrics.batches.clone());
        let help = "Size of the SQLite database file";
        registry.register("sqlite_file_bytes", help, metrics.file_bytes.clone());
        let help = "Size of SQLite's write-ahead log";
        registry.register("sqlite_wal_bytes", help, metrics.wal_bytes.clone());
        let help = "Connections to PostgreSQL: in use or idle, and requests that wait for one";
        registry.register("db_pool_connections", help, metrics.connections.clone());
        metrics
    }

    /// The engine, with a timer around each batch.
    pub(super) fn measured(&self, backend: &Backend) -> SharedEngine {
        let watched = match backend {
            Backend::Sqlite(engine) => Watched::Sqlite(Arc::downgrade(engine)),
            Backend::Postgres(engine) => Watched::Postgres(Arc::downgrade(engine)),
        };
        *self.engine.lock().unwrap_or_else(PoisonError::into_inner) = watched;
        Arc::new(Measured {
            engine: backend.engine(),
            read: self.read.clone(),
            read_by_key: self.read_by_key.clone(),
            write: self.write.clone(),
            health: self.health.clone(),
        })
    }

    /// Asks the engine about itself.
    pub(super) fn read(&self) {
        match &*self.engine.lock().unwrap_or_else(PoisonError::into_inner) {
            Watched::Nothing => {}
            Watched::Sqlite(engine) => {
                let Some(engine) = engine.upgrade() else { return };
                let commits = engine.commits();
                raise(&self.commits, commits.commits);
                raise(&self.batches, commits.batches);
                let sizes = engine.file_sizes();
                self.file_bytes.set(sizes.database);
                self.wal_bytes.set(sizes.wal);
            }
            Watched::Postgres(engine) => {
                let Some(engine) = engine.upgrade() else { return };
                let status = engine.pool_status();
                for (status, count) in
                    [("used", status.used), ("idle", status.idle), ("waiting", status.waiting)]
                {
                    let count = i64::try_from(count).unwrap_or(i64::MAX);
                    self.connections.get_or_create(&Status { status }).set(count);
                }
            }
        }
    }
}

/// Brings a counter up to a count that is kept elsewhere.
fn raise(counter: &Counter, count: u64) {
    counter.inc_by(count.saturating_sub(counter.get()));
}

impl Timer {
    async fn time(&self, batch: impl Future<Output = Answer>) -> Answer {
        let start = Instant::now();
        let answer = batch.await;
        self.note(start.elapsed(), &answer);
        answer
    }

    fn note(&self, time: Duration, answer: &Answer) {
        self.times.observe(time.as_secs_f64());
        if answer.is_err() {
            self.errors.inc();
        }
    }
}

/// An engine whose batches are timed.
struct Measured {
    engine: SharedEngine,
    read: Timer,
    read_by_key: Timer,
    write: Timer,
    health: Timer,
}

impl Engine for Measured {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        Box::pin(self.read.time(self.engine.read(batch)))
    }

    fn read_by_key(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        Box::pin(self.read_by_key.time(self.engine.read_by_key(batch)))
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        Box::pin(self.write.time(self.engine.write(batch)))
    }

    fn write_for_health(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        Box::pin(self.health.time(self.engine.write_for_health(batch)))
    }

    fn read_for_health(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
        Box::pin(self.health.time(self.engine.read_for_health(batch)))
    }

    fn readers(&self) -> usize {
        self.engine.readers()
    }

    fn is_exclusive(&self) -> bool {
        self.engine.is_exclusive()
    }

    fn stop_reads(&self) {
        self.engine.stop_reads();
    }
}
