//! The connection pool, with separate limits for reads and writes.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime,
    TimeoutType, Timeouts,
};
use octopoid_store::{EngineError, engine::causes::joined};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    Aim, Location, OpenError, execution::Connection, failure::Failure, session::Session, tls,
};

/// A pool of connections.
///
/// Reads leave a quarter of the connections for writes, and writes a quarter for reads, so that one
/// kind does not wait if the other is blocked.
pub(crate) struct Connections {
    pool: Pool,
    tls: MakeRustlsConnect,
    /// The maximum number of connections for concurrent reads, and for writes.
    pub(crate) share: usize,
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    /// The maximum number of retries after a lock timeout that run concurrently. It is low, so that
    /// a locked row does not delay unrelated requests.
    retries: Semaphore,
    /// How long to wait for a connection.
    acquire_timeout: Duration,
}

/// The connections of a pool, and those who wait for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// Connections that run a batch.
    pub used: usize,
    /// Open connections that are free.
    pub idle: usize,
    /// Batches that wait for a connection.
    pub waiting: usize,
}

impl Connections {
    /// Creates a pool. Connections are opened on demand.
    pub(crate) fn new(
        location: &Location,
        session: &Session,
        max: usize,
        acquire_timeout: Duration,
    ) -> Result<Self, OpenError> {
        let tls = tls::connector(location.mode, location.root_certificates.as_deref())?;
        let quarter = (max / 4).max(1);
        let share = max.saturating_sub(quarter).max(1);
        Ok(Self {
            pool: pool(location, tls.clone(), session, max, acquire_timeout)?,
            tls,
            share,
            reads: Arc::new(Semaphore::new(share)),
            writes: Arc::new(Semaphore::new(share)),
            retries: Semaphore::new(quarter),
            acquire_timeout,
        })
    }

    /// The connections by what they do.
    pub(crate) fn status(&self) -> PoolStatus {
        let status = self.pool.status();
        let idle = status.available;
        PoolStatus { used: status.size.saturating_sub(idle), idle, waiting: status.waiting }
    }

    /// Waits for a free connection for one batch.
    pub(crate) async fn get(&self, aim: Aim) -> Result<Connection, Failure> {
        let start = Instant::now();
        let share = match aim {
            Aim::Read => &self.reads,
            Aim::Write => &self.writes,
        };
        let Ok(Ok(share)) = timeout(self.acquire_timeout, Arc::clone(share).acquire_owned()).await
        else {
            return Err(Failure::Final(EngineError::Busy(NONE_FREE.to_owned())));
        };
        let left = self.acquire_timeout.saturating_sub(start.elapsed());
        let timeouts = Timeouts { wait: Some(left), ..self.pool.timeouts() };
        let client = self.pool.timeout_get(&timeouts).await;
        let client = client.map_err(|error| no_connection(&error))?;
        Ok(Connection::new(client, self.tls.clone(), share))
    }

    /// A permit to retry a batch after a lock timeout, or `None` if too many other retries are
    /// running.
    pub(crate) async fn retry(&self) -> Option<SemaphorePermit<'_>> {
        timeout(self.acquire_timeout, self.retries.acquire()).await.ok()?.ok()
    }
}

const NONE_FREE: &str = "no connection became free in time";
const NO_ANSWER: &str = "it did not answer in time";

/// A batch that was not sent has changed nothing.
fn no_connection(error: &PoolError) -> Failure {
    Failure::Final(match error {
        PoolError::Timeout(TimeoutType::Wait) => EngineError::Busy(NONE_FREE.to_owned()),
        PoolError::Timeout(_) => EngineError::Unavailable(NO_ANSWER.to_owned()),
        error => EngineError::Unavailable(joined(error)),
    })
}

fn pool(
    location: &Location,
    tls: MakeRustlsConnect,
    session: &Session,
    max: usize,
    acquire_timeout: Duration,
) -> Result<Pool, OpenError> {
    let recycling_method = RecyclingMethod::Fast;
    let manager =
        Manager::from_config(location.config.clone(), tls, ManagerConfig { recycling_method });
    let timeouts = Timeouts {
        wait: Some(acquire_timeout),
        create: location.config.get_connect_timeout().copied(),
        recycle: Some(acquire_timeout),
    };
    let limit = timeouts.create.unwrap_or(acquire_timeout);
    let settings: Arc<str> = session.settings.as_str().into();
    Pool::builder(manager)
        .max_size(max)
        .timeouts(timeouts)
        .runtime(Runtime::Tokio1)
        .post_create(Hook::async_fn(move |client, _| {
            let settings = Arc::clone(&settings);
            Box::pin(async move {
                if settings.is_empty() {
                    return Ok(());
                }
                // A pooler accepts clients before it has connected to the database.
                let told = timeout(limit, client.batch_execute(&settings)).await;
                told.map_err(|_| HookError::message(NO_ANSWER))?.map_err(HookError::Backend)
            })
        }))
        .build()
        .map_err(|error| OpenError::Options(error.to_string()))
}
