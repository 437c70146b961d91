//! Accepts connections and closes those of slow clients.

mod body;
mod files;
mod rate_limit;
mod refusal;
mod registry;
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
    service::Serving,
    stream::{LingeringClose, Timeouts},
};

use crate::{metrics::HttpMetrics, traces::Traces};

pub(crate) use files::connections_max;

/// The pause after a persistent accept error, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The maximum size of a request head, and the buffer size of a connection. Each client that never
/// finishes its head holds this much memory.
const BUFFER_BYTES: usize = 32 * 1024;

/// Timeouts and limits for clients.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Time to send a request head, counted from the end of the previous response.
    pub(crate) head: Duration,
    /// Maximum pause inside a request body.
    pub(crate) pause: Duration,
    /// Time to send a complete request body.
    pub(crate) body: Duration,
    /// Time to discard the unread rest of a request body before the response is sent.
    pub(crate) discard: Duration,
    /// Write timeout: the connection is closed if the client reads nothing for this time.
    pub(crate) unread: Duration,
    /// Time to read a complete long response.
    pub(crate) answer: Duration,
    /// Maximum pause of the client during a lingering close.
    pub(crate) linger_pause: Duration,
    /// Maximum duration of a lingering close.
    pub(crate) linger: Duration,
    /// Time from the stop of the server until idle connections are closed. A connection that was
    /// accepted just before the stop can still send its request.
    pub(crate) late: Duration,
    /// Maximum number of open connections without those that carry event streams. A further one
    /// replaces the longest idle one, or waits.
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
    late: Duration::ZERO,
    connections: 4096,
};

/// Serves connections until `stopping` is true, then waits for requests in flight, at most
/// `drain`. Requests are counted, and traced if they are to be.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    limits: &Limits,
    drain: Duration,
    (metrics, traces): (&Arc<HttpMetrics>, Option<&Traces>),
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(BUFFER_BYTES);
    let linger = Timeouts { pause: limits.linger_pause, total: limits.linger };
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
        let stream = LingeringClose::new(Box::pin(stream), linger, stopping.clone());
        let place = Arc::clone(&member);
        let service = Serving {
            router: router.clone(),
            connection: Arc::clone(&place),
            limits: *limits,
            metrics: Arc::clone(metrics),
            traces: traces.cloned(),
        };
        let open_connection = metrics.connected();
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        let task = tokio::spawn(async move {
            let _member = member;
            let _counted = open_connection;
            // Errors of a client that has disconnected are only logged at debug level.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection error");
            }
        });
        place.set_task(task.abort_handle());
    }
    drop(listener);
    // Requests are served meanwhile.
    let _ = tokio::time::timeout(limits.late, std::future::pending::<()>()).await;
    if tokio::time::timeout(drain, open.shutdown()).await.is_err() {
        tracing::warn!("timed out waiting for requests in flight");
    }
}

/// Accepts a connection and registers it.
async fn accept_one(
    listener: &TcpListener,
    registry: &Arc<Registry>,
    refusals: &Refusals,
) -> (TcpStream, Member) {
    loop {
        let (stream, address) = accept(listener, registry).await;
        if let Some(member) = registry.enter(address).await {
            // Responses are small; Nagle's algorithm would only delay them.
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
                        reason = "there is no notification of free file descriptors"
                    )]
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}
