//! Batches that run one by one, each on a connection of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use octopoid_store::{
    EngineError,
    engine::{Rows, Statement},
};
use tokio::time::Instant;

use crate::{
    Aim, Location, OpenError, Options,
    execution::{Execution, Work},
    failure::Failure,
    pool::Connections,
    session::Session,
};

/// The maximum number of attempts for a batch with conflicts.
const TRIES: u32 = 10;
/// The pause before the second attempt. Each further pause is up to twice as long.
const PAUSE: Duration = Duration::from_millis(4);
/// How much longer than PostgreSQL's own timeout the engine waits for a batch, to receive
/// PostgreSQL's response instead of an unknown outcome.
const WRITE_TIMEOUT_SLACK: Duration = Duration::from_secs(1);

/// A pool of connections with the same session settings, and how batches run on it.
pub(crate) struct Direct {
    pub(crate) connections: Connections,
    pub(crate) options: Arc<Options>,
    session: Arc<Session>,
    /// Input for the jitter of pauses.
    turns: AtomicU64,
}

impl Direct {
    /// Creates a pool of at most `max` connections. They are opened on demand.
    pub(crate) fn new(
        location: &Location,
        session: Session,
        max: usize,
        options: Arc<Options>,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            connections: Connections::new(location, &session, max, options.acquire_timeout)?,
            options,
            session: Arc::new(session),
            turns: AtomicU64::new(0),
        })
    }

    /// Runs a batch, and retries it after conflicts.
    pub(crate) async fn run(
        &self,
        batch: Arc<Vec<Statement>>,
        aim: Aim,
    ) -> Result<Vec<Rows>, EngineError> {
        let start = Instant::now();
        let (mut pause, mut retry) = (PAUSE, None);
        for _ in 1..TRIES {
            let failure = match self.attempt(Work::Batch(Arc::clone(&batch)), aim).await {
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
        let outcome = self.attempt(Work::Batch(batch), aim).await;
        drop(retry);
        Ok(outcome?)
    }

    /// Runs a batch or a group once.
    pub(crate) async fn attempt(&self, work: Work, aim: Aim) -> Result<Vec<Rows>, Failure> {
        let connection = self.connections.get(aim).await?;
        let limit = match aim {
            Aim::Read => self.options.batch_timeout.min(self.options.read_time_max),
            Aim::Write => self.options.batch_timeout + WRITE_TIMEOUT_SLACK,
        };
        Execution::new(connection, work, aim, Arc::clone(&self.session), limit).outcome().await
    }

    /// Jitter: between half of a pause and all of it, so that two batches do not conflict again.
    fn jittered(&self, pause: Duration) -> Duration {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        // Multiplying by a large odd number spreads consecutive numbers.
        let spread = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
        pause / 2 + pause * u32::try_from(spread).unwrap_or_default() / 2048
    }
}
