//! The engine on PostgreSQL, for many servers on one database.
//!
//! A batch is one transaction and is pipelined: everything is sent before an answer is awaited.
//! Each connection keeps the statements that were prepared on it. A batch that meets another
//! (a deadlock, a serialisation failure) is run again; one whose connection was lost is not,
//! because it may have been committed.

mod failure;
mod location;
mod pipeline;
mod relay;
mod tls;
mod values;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
    TimeoutType, Timeouts,
};
use futures_util::future::{BoxFuture, FutureExt};
use octopoid_store::{
    Engine, EngineError,
    engine::{Rows, Statement},
};
use thiserror::Error;
use tokio::time::timeout;

use crate::{
    failure::{Failure, described},
    location::Mode,
};

pub use location::{Location, LocationError};
pub use relay::Relay;

/// How often a batch is run that keeps meeting others.
const TRIES: u32 = 10;
/// The pause before the second try; each further one is up to twice as long.
const PAUSE: Duration = Duration::from_millis(4);

/// What each connection is told. Plans of prepared statements are made once, for any parameters:
/// every statement finds its rows by an index, so knowing the parameters makes no plan better. And
/// none is compiled: where dead rows make a claim look costly, compiling it takes half a second each
/// time, and running it a fraction of a millisecond.
const SETTING: &str = "SET jit = off; SET plan_cache_mode = force_generic_plan; \
     SET default_transaction_isolation = 'read committed'";

/// How the engine uses its database.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most connections at a time.
    pub connections: usize,
    /// Whether statements are prepared. A pooler that gives each transaction another connection may
    /// not know what was prepared on the last one.
    pub prepares: bool,
    /// How long a request waits for a connection.
    pub wait: Duration,
    /// How long a batch may take.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 16,
            prepares: true,
            wait: Duration::from_secs(5),
            patience: Duration::from_secs(30),
        }
    }
}

/// Why there is no engine.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Certificates cannot be used.
    #[error("TLS: {0}")]
    Tls(String),
    /// The options make no sense.
    #[error("{0}")]
    Options(String),
}

/// A pool of connections to a PostgreSQL database.
pub struct Postgres {
    pool: Pool,
    options: Options,
    /// Makes pauses differ.
    turns: AtomicU64,
}

/// What to do with a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aim {
    Read,
    Write,
}

impl Postgres {
    /// An engine on this database. It connects when it is first used.
    pub fn open(location: &Location, options: Options) -> Result<Self, OpenError> {
        let tls = tls::connector(location.mode, location.root_certificates.as_deref())?;
        let recycling_method = RecyclingMethod::Fast;
        let manager =
            Manager::from_config(location.config.clone(), tls, ManagerConfig { recycling_method });
        let timeouts = Timeouts {
            wait: Some(options.wait),
            create: location.config.get_connect_timeout().copied(),
            recycle: Some(options.wait),
        };
        let pool = Pool::builder(manager)
            .max_size(options.connections)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(move |client, _| {
                Box::pin(async move {
                    let setting = if options.prepares { SETTING } else { "" };
                    client.batch_execute(setting).await.map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(|error| OpenError::Options(error.to_string()))?;
        Ok(Self { pool, options, turns: AtomicU64::new(0) })
    }

    async fn run(&self, batch: Vec<Statement>, aim: Aim) -> Result<Vec<Rows>, EngineError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.attempt(&batch, aim).await {
                Err(Failure::Met(cause)) => {
                    tracing::debug!(%cause, "running a batch again");
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "who comes back at once meets the same batch again"
                    )]
                    tokio::time::sleep(self.jittered(pause)).await;
                    pause *= 2;
                }
                outcome => return Ok(outcome?),
            }
        }
        Ok(self.attempt(&batch, aim).await?)
    }

    /// Runs a batch once.
    async fn attempt(&self, batch: &[Statement], aim: Aim) -> Result<Vec<Rows>, Failure> {
        let client = self.pool.get().await.map_err(|error| no_connection(&error))?;
        let prepares = self.options.prepares;
        let answers = async {
            match aim {
                Aim::Read => pipeline::read(&client, batch, prepares).await,
                Aim::Write => pipeline::write(&client, batch, prepares).await,
            }
        };
        let Ok(outcome) = timeout(self.options.patience, answers).await else {
            // Nobody knows what is still on its way, so the connection is of no use any more.
            drop(Object::take(client));
            let text = "the database did not answer in time".to_owned();
            return Err(Failure::Final(EngineError::Unconfirmed(text)));
        };
        outcome
    }

    /// Between half of a pause and all of it, so that two batches that met do not meet again.
    fn jittered(&self, pause: Duration) -> Duration {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        // Multiplying by a large odd number spreads what follows in order.
        let spread = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
        pause / 2 + pause * u32::try_from(spread).unwrap_or_default() / 2048
    }
}

/// A batch that is not even sent was not done.
fn no_connection(error: &PoolError) -> Failure {
    let text = match error {
        PoolError::Timeout(TimeoutType::Create) => "it did not answer in time".to_owned(),
        PoolError::Timeout(_) => "no connection became free in time".to_owned(),
        error => described(error),
    };
    Failure::Final(EngineError::Unavailable(text))
}

impl Engine for Postgres {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        async move {
            match self.run(batch, Aim::Read).await {
                // A read leaves nothing to be unsure about.
                Err(EngineError::Unconfirmed(text)) => Err(EngineError::Unavailable(text)),
                outcome => outcome,
            }
        }
        .boxed()
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.run(batch, Aim::Write).boxed()
    }
}
