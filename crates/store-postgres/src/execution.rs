//! A batch that runs on a connection: how long it may take, and what becomes of it when it takes
//! longer or its caller goes away.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::Object;
use futures_util::future::BoxFuture;
use octopoid_store::{
    EngineError,
    engine::{Rows, Statement},
};
use tokio::{runtime::Handle, sync::OwnedSemaphorePermit, time::timeout};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Aim, Session, failure::Failure, pipeline};

/// How long a read may go on after its caller has gone. Most end sooner, and leave a connection that
/// can be used again.
const READ_GRACE: Duration = Duration::from_millis(100);
/// How often PostgreSQL is asked to cancel a batch. A cancel request that arrives between two
/// statements has no effect.
const CANCELS: u32 = 2;
/// How long a cancel request may take, and how long a batch may take to end after it.
const CANCEL_MAX: Duration = Duration::from_secs(1);

type Outcome = Result<Vec<Rows>, Failure>;

/// A connection of the pool that one batch uses.
pub(crate) struct Connection {
    /// Present until this is dropped.
    client: Option<Object>,
    tls: MakeRustlsConnect,
    is_spoilt: AtomicBool,
    _share: OwnedSemaphorePermit,
}

/// A batch that was started. If it is dropped before its end, a read is cancelled, and a write goes
/// on as if its caller were still there. Either way the connection counts as used until the batch
/// has ended.
pub(crate) struct Execution {
    running: Option<Running>,
    aim: Aim,
    limit: Duration,
}

struct Running {
    answers: BoxFuture<'static, Outcome>,
    connection: Arc<Connection>,
}

impl Connection {
    pub(crate) fn new(client: Object, tls: MakeRustlsConnect, share: OwnedSemaphorePermit) -> Self {
        Self { client: Some(client), tls, is_spoilt: AtomicBool::new(false), _share: share }
    }

    fn client(&self) -> &Object {
        self.client.as_ref().expect("it is taken only when this is dropped")
    }

    /// Asks PostgreSQL to cancel what runs on the connection. The connection is closed afterwards:
    /// the request may arrive late, and would then cancel the next batch.
    async fn cancel(&self) {
        self.is_spoilt.store(true, Ordering::Relaxed);
        let token = self.client().cancel_token();
        match timeout(CANCEL_MAX, token.cancel_query(self.tls.clone())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "cannot send a cancel request"),
            Err(_) => tracing::debug!("cannot send a cancel request in time"),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let client = self.client.take();
        if self.is_spoilt.load(Ordering::Relaxed) {
            drop(client.map(Object::take));
        }
    }
}

impl Execution {
    /// Prepares a batch to run on a connection, for at most `limit`.
    pub(crate) fn new(
        connection: Connection,
        batch: Arc<Vec<Statement>>,
        aim: Aim,
        session: Arc<Session>,
        limit: Duration,
    ) -> Self {
        let connection = Arc::new(connection);
        let used = Arc::clone(&connection);
        let answers = Box::pin(async move {
            match aim {
                Aim::Read => pipeline::read(used.client(), &batch, &session).await,
                Aim::Write => pipeline::write(used.client(), &batch, &session).await,
            }
        });
        Self { running: Some(Running { answers, connection }), aim, limit }
    }

    /// Runs it. A batch that was cancelled may still have been done; what PostgreSQL says of it is
    /// the outcome.
    pub(crate) async fn outcome(mut self) -> Outcome {
        let running = self.running.as_mut().expect("only the end takes it");
        let outcome = running.within(self.limit).await;
        self.running = None;
        let outcome = outcome.unwrap_or_else(|| {
            let text = "the database did not answer in time".to_owned();
            Err(Failure::Final(EngineError::Unconfirmed(text)))
        });
        match (self.aim, outcome) {
            (Aim::Read, Err(Failure::Cancelled(_))) => Err(Failure::Final(EngineError::TooSlow)),
            // A read leaves nothing to be unsure about.
            (Aim::Read, Err(Failure::Final(EngineError::Unconfirmed(text)))) => {
                Err(Failure::Final(EngineError::Unavailable(text)))
            }
            (_, outcome) => outcome,
        }
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        // Without a runtime the process ends, and its connections with it.
        let Ok(runtime) = Handle::try_current() else { return };
        let left = match self.aim {
            Aim::Read => READ_GRACE.min(self.limit),
            Aim::Write => self.limit,
        };
        runtime.spawn(async move { running.within(left).await.is_some() });
    }
}

impl Running {
    /// Lets it run for so long, and then has it cancelled. `None` if it does not end even so.
    async fn within(&mut self, limit: Duration) -> Option<Outcome> {
        if let Ok(outcome) = timeout(limit, &mut self.answers).await {
            if matches!(outcome, Err(Failure::TooLarge)) {
                // The rest of the rows is still on its way.
                self.connection.cancel().await;
            }
            return Some(outcome);
        }
        for _ in 0..CANCELS {
            self.connection.cancel().await;
            if let Ok(outcome) = timeout(CANCEL_MAX, &mut self.answers).await {
                return Some(outcome);
            }
        }
        None
    }
}
