//! The connections, and which batches may use how many of them.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime,
    TimeoutType, Timeouts,
};
use octopoid_store::EngineError;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    Aim, Location, OpenError,
    execution::Connection,
    failure::{Failure, described},
    session::Session,
    tls,
};

/// A pool of connections.
///
/// Reads leave a quarter of them for writes, and writes a quarter for reads, so that neither has to
/// wait when the other is held up.
pub(crate) struct Connections {
    pool: Pool,
    tls: MakeRustlsConnect,
    /// How many of them reads may use at a time, and how many writes.
    pub(crate) share: usize,
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    /// Batches that waited too long for a lock and are tried again. They are few, so that a row that
    /// stays locked does not hold up what has nothing to do with it.
    retries: Semaphore,
    /// How long to wait for a connection.
    acquire_timeout: Duration,
}

impl Connections {
    /// At most so many connections, which are made when they are needed.
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

    /// A connection for one batch, as soon as one is free.
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

    /// The right to try a batch again that waited too long for a lock, or `None` if too many others
    /// are about to.
    pub(crate) async fn retry(&self) -> Option<SemaphorePermit<'_>> {
        timeout(self.acquire_timeout, self.retries.acquire()).await.ok()?.ok()
    }
}

const NONE_FREE: &str = "no connection became free in time";
const NO_ANSWER: &str = "it did not answer in time";

/// A batch that is not even sent was not done.
fn no_connection(error: &PoolError) -> Failure {
    Failure::Final(match error {
        PoolError::Timeout(TimeoutType::Wait) => EngineError::Busy(NONE_FREE.to_owned()),
        PoolError::Timeout(_) => EngineError::Unavailable(NO_ANSWER.to_owned()),
        error => EngineError::Unavailable(described(error)),
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
                // A pooler lets clients in before it has reached the database.
                let told = timeout(limit, client.batch_execute(&settings)).await;
                told.map_err(|_| HookError::message(NO_ANSWER))?.map_err(HookError::Backend)
            })
        }))
        .build()
        .map_err(|error| OpenError::Options(error.to_string()))
}
