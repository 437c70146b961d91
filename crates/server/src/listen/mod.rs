//! Connections: accepting them, and letting go of clients that dawdle.

mod body;
mod files;
mod refusal;
mod registry;
mod seldom;
mod service;
mod stream;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_io_timeout::TimeoutStream;

use self::{
    refusal::Refusals,
    registry::{Member, Registry},
    service::{Serving, Times},
    stream::{Lingering, Patience},
};

pub(crate) use files::connections_max;

/// After an error that will not pass by itself at once, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The longest head of a request, and what a connection reads or writes at once. 4,096 clients that
/// never finish their heads hold so much each.
const BUFFER_BYTES: usize = 32 * 1024;

/// How much clients may ask of the server's patience.
pub(crate) struct Limits {
    /// A client may take so long to send a request's head, also after the answer before it.
    pub(crate) head: Duration,
    /// A client may pause so long inside a body.
    pub(crate) pause: Duration,
    /// A client may take so long to send a body.
    pub(crate) body: Duration,
    /// An answer waits so long for the rest of a body that nobody wants.
    pub(crate) discard: Duration,
    /// A client that reads nothing of its answer for so long is let go, and the answer with it.
    pub(crate) unread: Duration,
    /// A client may take so long to read a long answer, however steadily it reads.
    pub(crate) answer: Duration,
    /// After the last answer the server waits so long for the client to close or to send more.
    pub(crate) linger_pause: Duration,
    /// The server reads what comes after the last answer for so long.
    pub(crate) linger: Duration,
    /// Open connections. One more takes the place of the longest idle, or waits until one is.
    pub(crate) connections: usize,
}

/// The limits of the real server.
pub(crate) const LIMITS: Limits = Limits {
    head: Duration::from_mins(1),
    pause: Duration::from_secs(10),
    body: Duration::from_secs(30),
    discard: Duration::from_secs(1),
    unread: Duration::from_secs(30),
    answer: Duration::from_mins(5),
    linger_pause: Duration::from_secs(2),
    linger: Duration::from_secs(30),
    connections: 4096,
};

/// Serves connections until `stopping` turns true, then waits for what is in flight, at most
/// `drain`.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    limits: &Limits,
    drain: Duration,
) {
    let &Limits { pause, body, discard, answer, .. } = limits;
    let times = Times { pause, body, discard, answer };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(BUFFER_BYTES);
    let linger = Patience { pause: limits.linger_pause, total: limits.linger };
    let open = GracefulShutdown::new();
    let registry = Registry::new(limits.connections);
    let refusals = Refusals::new(limits.linger_pause, stopping.clone());
    loop {
        let (stream, member) = tokio::select! {
            accepted = accept_one(&listener, &registry, &refusals) => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.unread));
        let stream = Lingering::new(Box::pin(stream), linger, stopping.clone());
        let place = Arc::clone(&member);
        let service = Serving { router: router.clone(), connection: Arc::clone(&place), times };
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        let task = tokio::spawn(async move {
            let _member = member;
            // A client that breaks off is no concern of ours.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
        place.set_task(task.abort_handle());
    }
    drop(listener);
    if tokio::time::timeout(drain, open.shutdown()).await.is_err() {
        tracing::warn!("gave up waiting for requests in flight");
    }
}

/// Accepts a connection and finds a place for it.
async fn accept_one(
    listener: &TcpListener,
    registry: &Arc<Registry>,
    refusals: &Refusals,
) -> (TcpStream, Member) {
    loop {
        let (stream, address) = accept(listener, registry).await;
        if let Some(member) = registry.enter(address).await {
            // Answers are small; waiting to fill a packet would only delay them.
            let _ = stream.set_nodelay(true);
            return (stream, member);
        }
        refusals.send(stream);
    }
}

async fn accept(listener: &TcpListener, registry: &Registry) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                if registry.note_accept_error(&error) {
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "nothing tells when files are free"
                    )]
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}
