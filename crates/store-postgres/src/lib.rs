//! The engine on PostgreSQL, for many servers on one database.
//!
//! A batch is one transaction and is pipelined: everything is sent before a response is awaited.
//! Each connection caches its prepared statements. A batch that fails because of a conflict (a
//! deadlock, a serialization failure) is retried. A batch whose connection was lost is not, because
//! it may have been committed.

mod execution;
mod failure;
mod location;
mod pipeline;
mod pool;
mod relay;
mod session;
mod tls;
mod values;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::{BoxFuture, Either, FutureExt, select};
use octopoid_store::{
    Engine, EngineError,
    engine::{READ_TIME_MAX, Rows, Statement},
};
use thiserror::Error;
use tokio::{sync::watch, time::Instant};

use crate::{
    execution::Execution, failure::Failure, location::Mode, pool::Connections, session::Session,
};

pub use location::{Location, LocationError};
pub use pool::PoolStatus;
pub use relay::Relay;

/// The maximum number of attempts for a batch with conflicts.
const TRIES: u32 = 10;
/// The pause before the second attempt. Each further pause is up to twice as long.
const PAUSE: Duration = Duration::from_millis(4);
/// How long a read may continue after shutdown has begun.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// How much longer than PostgreSQL's own timeout the engine waits for a batch, to receive
/// PostgreSQL's response instead of an unknown outcome.
const WRITE_TIMEOUT_SLACK: Duration = Duration::from_secs(1);

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
    connections: Connections,
    /// The pool of the health check, which must not wait for other requests.
    health: Connections,
    session: Arc<Session>,
    options: Options,
    is_stopping: watch::Sender<bool>,
    /// Input for the jitter of pauses.
    turns: AtomicU64,
}

/// The kind of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aim {
    Read,
    Write,
}

impl Postgres {
    /// Creates an engine. It connects on first use.
    pub fn open(location: &Location, options: Options) -> Result<Self, OpenError> {
        let session = Arc::new(Session::new(&options));
        let connections = |max| Connections::new(location, &session, max, options.acquire_timeout);
        Ok(Self {
            connections: connections(options.connections)?,
            health: connections(1)?,
            session,
            options,
            is_stopping: watch::Sender::new(false),
            turns: AtomicU64::new(0),
        })
    }

    /// The connections for requests.
    pub fn pool_status(&self) -> PoolStatus {
        self.connections.status()
    }

    /// Runs a batch, and retries it after conflicts.
    async fn run(&self, batch: Vec<Statement>, aim: Aim) -> Result<Vec<Rows>, EngineError> {
        let (batch, start) = (Arc::new(batch), Instant::now());
        let (mut pause, mut retry) = (PAUSE, None);
        for _ in 1..TRIES {
            let failure = match self.attempt(&self.connections, &batch, aim).await {
                Err(failure @ (Failure::Conflict(_) | Failure::Locked(_))) => failure,
                outcome => return Ok(outcome?),
            };
            if start.elapsed() > self.options.batch_timeout {
                return Err(failure.into());
            }
            tracing::debug!(?failure, "retrying a batch");
            retry = None;
            #[expect(
                clippy::disallowed_methods,
                reason = "an immediate retry would meet the same conflict"
            )]
            tokio::time::sleep(self.jittered(pause)).await;
            pause *= 2;
            if matches!(failure, Failure::Locked(_)) {
                retry = self.connections.retry().await;
                if retry.is_none() {
                    return Err(failure.into());
                }
            }
        }
        let outcome = self.attempt(&self.connections, &batch, aim).await;
        drop(retry);
        Ok(outcome?)
    }

    /// Runs a batch once.
    async fn attempt(
        &self,
        connections: &Connections,
        batch: &Arc<Vec<Statement>>,
        aim: Aim,
    ) -> Result<Vec<Rows>, Failure> {
        let connection = connections.get(aim).await?;
        let (batch, session) = (Arc::clone(batch), Arc::clone(&self.session));
        let limit = match aim {
            Aim::Read => self.options.batch_timeout.min(self.options.read_time_max),
            Aim::Write => self.options.batch_timeout + WRITE_TIMEOUT_SLACK,
        };
        Execution::new(connection, batch, aim, session, limit).outcome().await
    }

    /// Checks the health of the database.
    async fn check(&self, batch: Vec<Statement>, aim: Aim) -> Result<Vec<Rows>, EngineError> {
        Ok(self.attempt(&self.health, &Arc::new(batch), aim).await?)
    }

    /// Waits until reads have to end because of a shutdown.
    async fn stopped(&self) {
        let _ = self.is_stopping.subscribe().wait_for(|is_stopping| *is_stopping).await;
        #[expect(clippy::disallowed_methods, reason = "most reads complete in this time")]
        tokio::time::sleep(STOP_GRACE).await;
    }

    /// Jitter: between half of a pause and all of it, so that two batches do not conflict again.
    fn jittered(&self, pause: Duration) -> Duration {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        // Multiplying by a large odd number spreads consecutive numbers.
        let spread = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
        pause / 2 + pause * u32::try_from(spread).unwrap_or_default() / 2048
    }
}

impl Engine for Postgres {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        async move {
            let (read, stopped) = (pin!(self.run(batch, Aim::Read)), pin!(self.stopped()));
            match select(read, stopped).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(_) => Err(EngineError::Stopping),
            }
        }
        .boxed()
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.run(batch, Aim::Write).boxed()
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
        self.connections.share
    }

    fn stop_reads(&self) {
        self.is_stopping.send_replace(true);
    }
}
