//! The service between a connection and the router. It limits the time for a request body and for a
//! long response, tracks whether the connection is idle, and discards unread bodies.
//!
//! It is one service instead of several layers, because each layer would allocate a future for each
//! request.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderValue, header},
    response::Response,
    routing::future::RouteFuture,
};
use futures_util::future::BoxFuture;
use hyper::body::{Frame, Incoming, SizeHint};
use octopoid_api::{
    events::IsStream,
    unread::{Left, Unread, lend},
};
use tokio::{sync::oneshot, time::Instant};
use tower::Service;

use crate::{
    metrics::{HttpMetrics, method_name},
    traces::Traces,
};

use super::{
    Limits,
    body::TimedBody,
    registry::{Busy, Connection},
};

/// The maximum unread rest of a body that is discarded to keep the connection open.
const DISCARD_BYTES_MAX: usize = 64 * 1024;

/// Longer responses have a read timeout, because they hold a part of the response budget.
const SHORT_ANSWER_BYTES: u64 = 16 * 1024;

/// The router, for the requests of one connection.
pub(super) struct Serving {
    pub(super) router: Router,
    pub(super) connection: Arc<Connection>,
    pub(super) limits: Limits,
    pub(super) metrics: Arc<HttpMetrics>,
    pub(super) traces: Option<Traces>,
}

impl hyper::service::Service<Request<Incoming>> for Serving {
    type Response = Response<TrackedBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<TrackedBody>, Infallible>>;

    /// Starts a request. The connection is busy from its head to the last byte of the response.
    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let Some(busy) = self.connection.begin() else {
            // The connection is about to be dropped together with this future.
            return Box::pin(std::future::pending());
        };
        let Limits { discard, answer: timeout, .. } = self.limits;
        request.extensions_mut().insert(self.connection.peer());
        let (start, method) = (Instant::now(), method_name(request.method()));
        let metrics = Arc::clone(&self.metrics);
        let span = self.traces.as_ref().map(|traces| traces.request(&request));
        let answering = Answering::begin(&mut self.router.clone(), request, &self.limits);
        Box::pin(async move {
            let answer = match span {
                None => answering.end(discard).await?,
                // Apart, so that the future of a request without a span is not larger.
                Some(span) => Box::pin(span.around(answering.end(discard))).await?,
            };
            metrics.answered(method, &answer, start.elapsed());
            let is_stream = answer.extensions().get::<IsStream>().is_some();
            if is_stream {
                busy.connection().leave();
            }
            // A stream is read as long as it lasts.
            let timeout = (!is_stream).then_some(timeout);
            Ok(answer.map(|body| TrackedBody::new(body, busy, timeout)))
        })
    }
}

/// A request in the router. Its body is read completely before the response is sent; otherwise the
/// response has `Connection: close`.
struct Answering {
    answer: RouteFuture<Infallible>,
    /// `None` if the request has no body.
    unread: Option<Unread>,
    /// Whether the client may wait for the response before it sends the body.
    expects: bool,
}

impl Answering {
    fn begin(router: &mut Router, request: Request<Incoming>, limits: &Limits) -> Self {
        if request.body().is_end_stream() {
            let answer = router.call(request.map(|_| Body::empty()));
            return Self { answer, unread: None, expects: false };
        }
        let expects = request.headers().contains_key(header::EXPECT);
        let (parts, body) = request.into_parts();
        let (body, unread) = lend(TimedBody::new(body, limits.pause, limits.body));
        let answer = router.call(Request::from_parts(parts, body));
        Self { answer, unread: Some(unread), expects }
    }

    async fn end(self, timeout: Duration) -> Result<Response, Infallible> {
        let mut response = self.answer.await?;
        let is_read = match self.unread.map_or(Left::Nothing, Unread::left) {
            Left::Nothing => true,
            Left::Broken => false,
            // A final response tells the client not to send the body.
            Left::Whole(_) if self.expects => false,
            Left::Whole(rest) | Left::Rest(rest) => discard(rest, timeout).await,
        };
        if !is_read {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        Ok(response)
    }
}

/// Discards a short rest of a body. Returns false if it is too long or the client too slow.
async fn discard(rest: Body, timeout: Duration) -> bool {
    let discarding = octopoid_api::unread::discard(rest, DISCARD_BYTES_MAX);
    matches!(tokio::time::timeout(timeout, discarding).await, Ok(true))
}

/// Closes the connection after the timeout, unless the returned sender is dropped before.
fn limit(connection: Arc<Connection>, timeout: Duration) -> oneshot::Sender<()> {
    let (unwritten, written) = oneshot::channel();
    tokio::spawn(async move {
        if tokio::time::timeout(timeout, written).await.is_err() {
            tracing::debug!("closed a connection: timeout while the client reads a response");
            connection.close();
        }
    });
    unwritten
}

/// A response body. Its connection is busy until the last byte has been written.
pub(super) struct TrackedBody {
    body: Body,
    /// `None` once the last chunk holds it.
    in_flight: Option<InFlight>,
}

/// Held by every chunk of a response until it has been written.
#[derive(Clone)]
struct InFlight {
    _busy: Busy,
    /// Dropped when a long response has been written.
    _written: Option<Arc<oneshot::Sender<()>>>,
}

/// A chunk of a response that has not been written yet.
struct Chunk {
    bytes: Bytes,
    _in_flight: Option<InFlight>,
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl TrackedBody {
    fn new(body: Body, busy: Busy, timeout: Option<Duration>) -> Self {
        let is_long = body.size_hint().exact().is_none_or(|length| length > SHORT_ANSWER_BYTES);
        let timeout = timeout.filter(|_| is_long);
        let written = timeout.map(|timeout| Arc::new(limit(busy.connection(), timeout)));
        Self { body, in_flight: Some(InFlight { _busy: busy, _written: written }) }
    }
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, in_flight } = &mut *self;
        Pin::new(&mut *body).poll_frame(context).map_ok(|frame| {
            frame.map_data(|bytes| {
                let held = if body.is_end_stream() { in_flight.take() } else { in_flight.clone() };
                Bytes::from_owner(Chunk { bytes, _in_flight: held })
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
