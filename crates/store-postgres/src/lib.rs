//! The engine on PostgreSQL, for many servers on one database.
//!
//! A batch is one transaction and is pipelined: everything is sent before a response is awaited.
//! Batches of the common steps that wait at the same time share a transaction, a group.
//! Each connection caches its prepared statements. A batch that fails because of a conflict (a
//! deadlock, a serialization failure) is retried. A batch whose connection was lost is not, because
//! it may have been committed.

mod direct;
mod execution;
mod failure;
mod group;
mod location;
mod pipeline;
mod pool;
mod relay;
mod session;
mod tls;
mod values;

use std::{
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::future::{BoxFuture, Either, FutureExt, select};
use octopoid_store::{
    Engine, EngineError,
    engine::{READ_TIME_MAX, Rows, Statement},
};
use thiserror::Error;
use tokio::sync::watch;

use crate::{direct::Direct, execution::Work, group::Queue, location::Mode, session::Session};

pub use location::{Location, LocationError};
pub use pool::PoolStatus;
pub use relay::Relay;
pub use session::GROUP_PLANNER;

/// The connections of groups: one for reads, and one for writes.
const GROUP_CONNECTIONS: usize = 2;
/// How long a read may continue after shutdown has begun.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// Options of the engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// The maximum number of connections.
    pub connections: usize,
    /// Whether statements are prepared. Behind a transaction-mode pooler, the next transaction may
    /// use a connection without the prepared statement.
    pub prepares: bool,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// The timeout of a batch.
    pub batch_timeout: Duration,
    /// The timeout of a read, if shorter.
    pub read_time_max: Duration,
    /// How long a batch waits for a lock before it releases its connection and is retried.
    pub lock_wait: Duration,
    /// Which batches run in groups. Groups have two more connections.
    pub groups: Groups,
}

/// Which batches run in groups, by statements that are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    /// None.
    Never,
    /// Those that wait for the database at the same time.
    Waiting,
    /// All that could, even alone, so that a test uses the merged statements.
    Always,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 16,
            prepares: true,
            acquire_timeout: Duration::from_secs(5),
            batch_timeout: Duration::from_secs(30),
            read_time_max: READ_TIME_MAX,
            lock_wait: Duration::from_millis(500),
            groups: Groups::Waiting,
        }
    }
}

/// Why an engine could not be created.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Certificates could not be loaded.
    #[error("TLS: {0}")]
    Tls(String),
    /// The options are invalid.
    #[error("{0}")]
    Options(String),
}

/// A PostgreSQL database.
pub struct Postgres {
    /// Runs batches that cannot be in a group.
    direct: Arc<Direct>,
    /// Runs groups, if they are enabled.
    grouped: Option<Arc<Direct>>,
    /// The connection of the health check, which must not wait for other requests.
    health: Direct,
    /// The queues of the batches that wait for a group. They are started by the first batch, because
    /// an engine may be created outside of a runtime.
    reads: OnceLock<Queue>,
    writes: OnceLock<Queue>,
    is_stopping: watch::Sender<bool>,
}

/// The kind of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aim {
    Read,
    Write,
}

impl Aim {
    /// The error if nothing is known about the outcome. That of a read does not matter.
    fn unknown(self, text: &str) -> EngineError {
        match self {
            Self::Read => EngineError::Unavailable(text.to_owned()),
            Self::Write => EngineError::Unconfirmed(text.to_owned()),
        }
    }
}

impl Postgres {
    /// Creates an engine. It connects on first use.
    pub fn open(location: &Location, options: Options) -> Result<Self, OpenError> {
        let options = Arc::new(options);
        let pool = |session, max| Direct::new(location, session, max, Arc::clone(&options));
        // Behind a transaction-mode pooler, each merged statement would be planned each time.
        let grouped = (options.groups != Groups::Never && options.prepares).then(|| {
            let options = Arc::new(session::for_groups(&options));
            let session = Session::of_groups(&options);
            Direct::new(location, session, GROUP_CONNECTIONS, options)
        });
        Ok(Self {
            direct: Arc::new(pool(Session::new(&options), options.connections)?),
            grouped: grouped.transpose()?.map(Arc::new),
            health: pool(Session::new(&options), 1)?,
            reads: OnceLock::new(),
            writes: OnceLock::new(),
            is_stopping: watch::Sender::new(false),
        })
    }

    /// The connections for requests, and the batches that wait for one or for a group.
    pub fn pool_status(&self) -> PoolStatus {
        let direct = self.direct.connections.status();
        let Some(grouped) = &self.grouped else { return direct };
        let grouped = grouped.connections.status();
        let queues = [&self.reads, &self.writes].into_iter().filter_map(OnceLock::get);
        PoolStatus {
            used: direct.used + grouped.used,
            idle: direct.idle + grouped.idle,
            waiting: direct.waiting + grouped.waiting + queues.map(Queue::waiting).sum::<usize>(),
        }
    }

    /// The queue for a batch, if it can be in a group.
    fn queue(&self, batch: &[Statement], aim: Aim) -> Option<&Queue> {
        let grouped = self.grouped.as_ref()?;
        if !group::can_join(batch, aim) {
            return None;
        }
        let queue = match aim {
            Aim::Read => &self.reads,
            Aim::Write => &self.writes,
        };
        let start = || Queue::start(Arc::clone(grouped), Arc::clone(&self.direct), aim);
        Some(queue.get_or_init(start))
    }

    /// Runs a read until its end, or until a while after shutdown has begun.
    async fn unless_stopped(
        &self,
        read: impl Future<Output = Result<Vec<Rows>, EngineError>>,
    ) -> Result<Vec<Rows>, EngineError> {
        match select(pin!(read), pin!(self.stopped())).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right(_) => Err(EngineError::Stopping),
        }
    }

    /// Waits until reads have to end because of a shutdown.
    async fn stopped(&self) {
        let _ = self.is_stopping.subscribe().wait_for(|is_stopping| *is_stopping).await;
        #[expect(clippy::disallowed_methods, reason = "most reads complete in this time")]
        tokio::time::sleep(STOP_GRACE).await;
    }

    /// Checks the health of the database.
    async fn check(&self, batch: Vec<Statement>, aim: Aim) -> Result<Vec<Rows>, EngineError> {
        Ok(self.health.attempt(Work::Batch(Arc::new(batch)), aim).await?)
    }
}

impl Engine for Postgres {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.unless_stopped(self.direct.run(Arc::new(batch), Aim::Read)).boxed()
    }

    fn read_by_key(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.unless_stopped(async move {
            match self.queue(&batch, Aim::Read) {
                Some(queue) => queue.run(batch).await,
                None => self.direct.run(Arc::new(batch), Aim::Read).await,
            }
        })
        .boxed()
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        async move {
            match self.queue(&batch, Aim::Write) {
                Some(queue) => queue.run(batch).await,
                None => self.direct.run(Arc::new(batch), Aim::Write).await,
            }
        }
        .boxed()
    }

    fn write_for_health(
        &self,
        batch: Vec<Statement>,
    ) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.check(batch, Aim::Write).boxed()
    }

    fn read_for_health(
        &self,
        batch: Vec<Statement>,
    ) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.check(batch, Aim::Read).boxed()
    }

    fn readers(&self) -> usize {
        self.direct.connections.share
    }

    fn stop_reads(&self) {
        self.is_stopping.send_replace(true);
    }
}
