//! Connections: accepting them, and letting go of clients that dawdle.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tower_http::timeout::RequestBodyTimeout;

/// A client may take so long to send a request's head, also after the answer before it.
const HEAD_TIMEOUT: Duration = Duration::from_mins(1);
/// A client may pause so long inside a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// After an error that will not pass by itself at once, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves connections until `stopping` turns true, then waits for what is in flight, at most
/// `drain`.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    mut stopping: watch::Receiver<bool>,
    drain: Duration,
) {
    // Around the router, not on it: there it would be a layer of every route.
    let router = RequestBodyTimeout::new(router, BODY_TIMEOUT);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let open = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            stream = accept(&listener) => stream,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A client that breaks off is no concern of ours.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, open.shutdown()).await.is_err() {
        tracing::warn!("gave up waiting for requests in flight");
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small; waiting to fill a packet would only delay them.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                #[expect(clippy::disallowed_methods, reason = "nothing tells when files are free")]
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
