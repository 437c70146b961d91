//! A batch that runs on a connection: its timeout, and its cancellation on timeout or when its
//! caller is dropped.

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

use crate::{Aim, Session, failure::Failure, group::Group, pipeline};

/// How long a read may continue after its caller was dropped. Most reads end sooner, and their
/// connection can be reused.
const READ_GRACE: Duration = Duration::from_millis(100);
/// The number of cancel requests for a batch. A cancel request that arrives between two
/// statements has no effect.
const CANCELS: u32 = 2;
/// The timeout of a cancel request, and of the batch after it.
const CANCEL_MAX: Duration = Duration::from_secs(1);

type Outcome = Result<Vec<Rows>, Failure>;

/// What runs on a connection.
pub(crate) enum Work {
    /// The statements of a batch.
    Batch(Arc<Vec<Statement>>),
    /// The merged statements of several batches. The outcome has an item for each merged statement.
    Group(Arc<Group>),
}

/// A connection of the pool that one batch uses.
pub(crate) struct Connection {
    /// Present until this is dropped.
    client: Option<Object>,
    tls: MakeRustlsConnect,
    is_spoilt: AtomicBool,
    _share: OwnedSemaphorePermit,
}

/// A running batch. If it is dropped before its end, a read is cancelled, and a write is completed.
/// In both cases the connection counts as used until the batch has ended.
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

    /// Sends a cancel request for the connection. The connection is closed afterwards, because a
    /// late request would cancel the next batch.
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
    /// Creates a batch, or several as a group, for a connection with the timeout `limit`.
    pub(crate) fn new(
        connection: Connection,
        work: Work,
        aim: Aim,
        session: Arc<Session>,
        limit: Duration,
    ) -> Self {
        let connection = Arc::new(connection);
        let used = Arc::clone(&connection);
        let answers = Box::pin(async move {
            match work {
                Work::Batch(batch) => pipeline::batch(used.client(), &batch, aim, &session).await,
                Work::Group(group) => pipeline::group(used.client(), &group, aim, &session).await,
            }
        });
        Self { running: Some(Running { answers, connection }), aim, limit }
    }

    /// Runs the batch. A cancelled batch may still have completed, so PostgreSQL's response decides
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
            // The outcome of a read does not matter.
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
        // Without a runtime the process is exiting and closes its connections.
        let Ok(runtime) = Handle::try_current() else { return };
        let left = match self.aim {
            Aim::Read => READ_GRACE.min(self.limit),
            Aim::Write => self.limit,
        };
        runtime.spawn(async move { running.within(left).await.is_some() });
    }
}

impl Running {
    /// Runs the batch up to a timeout, then cancels it. Returns `None` if it does not end.
    async fn within(&mut self, limit: Duration) -> Option<Outcome> {
        if let Ok(outcome) = timeout(limit, &mut self.answers).await {
            if matches!(outcome, Err(Failure::TooLarge)) {
                // The rest of the rows is still being received.
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
