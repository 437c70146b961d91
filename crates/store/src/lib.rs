//! Every operation of Octopoid, written once.
//!
//! A write is one atomic batch of SQL statements: a value that any [`Engine`] can run. Reads are
//! batches too. No operation holds a transaction open, so the same text serves a database file, a
//! server and an edge database.

pub mod actions;
mod availability;
mod barriers;
mod changes;
mod claimable;
mod claims;
mod clock;
mod columns;
mod contents;
pub mod copy;
mod counts;
mod cycles;
mod deliveries;
mod dependencies;
pub mod drafts;
mod earlier;
pub mod engine;
mod events;
mod flows;
mod followers;
mod gate;
mod health;
mod heartbeats;
mod hints;
mod idempotency;
mod inspect;
mod journal;
mod keys;
pub mod lapses;
mod leases;
pub mod lists;
mod locks;
mod logs;
pub mod merge;
pub mod messages;
pub mod meter;
mod migrate;
pub mod orchestrators;
mod outgoing;
mod patch;
mod pauses;
mod poll;
pub mod projects;
mod recent;
mod record;
pub mod retention;
mod roles;
mod row;
pub mod runs;
mod scopes;
mod sql;
mod stamp;
mod summary;
mod tasks;
mod totals;
mod webhooks;
mod why;
mod write;

use std::sync::{Arc, atomic::AtomicBool};

use octopoid_domain::Refusal;
use thiserror::Error;

use engine::{Rows, SharedEngine, Statement};
use followers::Followers;
use gate::Gate;
use health::Watched;
use meter::{Meter, Unmetered};
use recent::Recent;

pub use barriers::Barrier;
pub use changes::Stepped;
pub use claims::Claimed;
pub use contents::Contents;
pub use deliveries::{DueWebhook, Noticed};
pub use engine::{Engine, EngineError};
pub use events::Events;
pub use followers::Follower;
pub use heartbeats::{Beat, RenewedLease};
pub use hints::{Hints, Watch};
pub use idempotency::{KEPT_MS, Memory, Once, Terms};
pub use inspect::Inspected;
pub use leases::Renewed;
pub use outgoing::Hint;
pub use runs::Before;
pub use sql::Sql;
pub use stamp::Stamp;
pub use totals::{QueueTotals, Totals};

/// Why an operation did not happen.
#[derive(Clone, Debug, Error)]
pub enum StoreError {
    /// The caller's business.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request was carried out before. This is what it did then.
    #[error("the request was carried out before")]
    Remembered(Box<Memory>),
    /// The machine's.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The database holds what no operation writes.
    #[error("the database holds unexpected data: {0}")]
    Corrupt(&'static str),
    /// The database was written by a newer server.
    #[error(
        "the database has schema version {found}, this server knows {known}: use a newer server"
    )]
    Newer {
        /// The version in the database.
        found: i64,
        /// The newest version this server knows.
        known: i64,
    },
    /// The database was not migrated, where the server itself cannot do it.
    #[error("the database has schema version {found}, this server needs {known}: migrate it")]
    Older {
        /// The version in the database.
        found: i64,
        /// The newest version this server knows.
        known: i64,
    },
    /// The database was made by a build before the first release.
    #[error(
        "the database has schema version {found}, that of a build before the first release, which \
         this server cannot migrate: start with an empty database"
    )]
    Unreleased {
        /// The version in the database.
        found: i64,
    },
    /// Rows from elsewhere are being put in, or were and not all of them.
    #[error(
        "an import or a copy into the database has not finished: wait for it, or, if it was \
         stopped, empty the database and begin again"
    )]
    Unfinished,
    /// Another program has made the database.
    #[error(
        "the database is another program's: it has the table {table:?}, and none of this server's"
    )]
    Foreign {
        /// One of its tables.
        table: String,
    },
}

/// The result of an operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The operations, over some engine.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Watched>,
    gate: Arc<Gate>,
    hints: Arc<Hints>,
    terms: Arc<Terms>,
    followers: Arc<Followers>,
    /// Whether there may be a write whose outcome is unknown.
    has_unheard: Arc<AtomicBool>,
    meter: Arc<dyn Meter>,
    /// Copies of the tasks that were changed last; `None` if none are kept.
    recent: Option<Arc<Recent>>,
}

impl Store {
    /// The operations over this engine.
    pub fn new(engine: SharedEngine) -> Self {
        let gate = Arc::new(Gate::new(engine.readers()));
        let recent = engine.is_exclusive().then(Arc::default);
        Self {
            engine: Arc::new(Watched::new(engine)),
            gate,
            hints: Arc::default(),
            terms: Arc::default(),
            followers: Arc::default(),
            has_unheard: Arc::default(),
            meter: Arc::new(Unmetered),
            recent,
        }
    }

    /// The waiting claims and their hints.
    pub fn hints(&self) -> &Arc<Hints> {
        &self.hints
    }

    async fn read<const N: usize>(&self, batch: [Statement; N]) -> Result<[Rows; N]> {
        answers(self.engine.read(batch.into()).await?)
    }

    async fn read_by_key<const N: usize>(&self, batch: [Statement; N]) -> Result<[Rows; N]> {
        answers(self.engine.read_by_key(batch.into()).await?)
    }

    /// Says that the process is about to end: lists that wait for their turn are refused, and reads
    /// that take long end. Those who follow logs are woken. What agents report is still taken.
    pub fn stop_reads(&self) {
        self.gate.close();
        self.followers.tell_all();
        self.engine.stop_reads();
    }

    async fn write<const N: usize>(&self, batch: [Statement; N]) -> Result<[Rows; N]> {
        answers(self.engine.write(batch.into()).await?)
    }
}

fn answers<const N: usize>(rows: Vec<Rows>) -> Result<[Rows; N]> {
    rows.try_into().map_err(|_| StoreError::Corrupt("a batch has another number of answers"))
}

/// The first row, if any.
fn first<T>(rows: Rows, read: impl Fn(engine::Row) -> Result<T>) -> Result<Option<T>> {
    rows.into_iter().next().map(read).transpose()
}

/// All rows.
fn all<T>(rows: Rows, read: impl Fn(engine::Row) -> Result<T>) -> Result<Vec<T>> {
    rows.into_iter().map(read).collect()
}
