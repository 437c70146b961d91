//! What stands between a connection and the router: it bounds how long a request's body and a long
//! answer may take, tells when the connection is idle, and sees to a body that nobody read.
//!
//! It is one service and not a layer for each, because every layer would keep a future of its own
//! on the heap for each request.

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
use octopoid_api::unread::{Left, Unread, lend};
use tokio::sync::oneshot;
use tower::Service;

use super::{
    body::TimedBody,
    registry::{Busy, Connection},
};

/// A longer rest of a body is not read only to keep the connection.
const DISCARD_BYTES_MAX: usize = 64 * 1024;

/// A longer answer must be read in a limited time: it holds a part of the budget of answers.
const SHORT_ANSWER_BYTES: u64 = 16 * 1024;

/// How long the parts of a request may take.
#[derive(Clone, Copy)]
pub(super) struct Times {
    /// The client may pause so long inside a body.
    pub(super) pause: Duration,
    /// A body may take so long.
    pub(super) body: Duration,
    /// So long may the rest of a body take that the router has not read.
    pub(super) discard: Duration,
    /// So long may the client take to read a long answer.
    pub(super) answer: Duration,
}

/// The router, for the requests of one connection.
pub(super) struct Serving {
    pub(super) router: Router,
    pub(super) connection: Arc<Connection>,
    pub(super) times: Times,
}

impl hyper::service::Service<Request<Incoming>> for Serving {
    type Response = Response<TrackedBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<TrackedBody>, Infallible>>;

    /// Begins a request. The connection is busy from its head to the last byte of its answer.
    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let Some(busy) = self.connection.begin() else {
            // The connection is about to be dropped, and this future with it.
            return Box::pin(std::future::pending());
        };
        let times = self.times;
        let answering = Answering::begin(&mut self.router.clone(), request, times);
        Box::pin(async move {
            let answer = answering.end(times.discard).await?;
            Ok(answer.map(|body| TrackedBody::new(body, busy, times.answer)))
        })
    }
}

/// A request that the router answers. All of it is read before the answer leaves, or the connection
/// is closed after the answer, which says so.
struct Answering {
    answer: RouteFuture<Infallible>,
    /// None if the request has no body.
    unread: Option<Unread>,
    /// The client may wait with its body for the answer.
    expects: bool,
}

impl Answering {
    fn begin(router: &mut Router, request: Request<Incoming>, times: Times) -> Self {
        if request.body().is_end_stream() {
            let answer = router.call(request.map(|_| Body::empty()));
            return Self { answer, unread: None, expects: false };
        }
        let expects = request.headers().contains_key(header::EXPECT);
        let (parts, body) = request.into_parts();
        let (body, unread) = lend(TimedBody::new(body, times.pause, times.body));
        let answer = router.call(Request::from_parts(parts, body));
        Self { answer, unread: Some(unread), expects }
    }

    async fn end(self, patience: Duration) -> Result<Response, Infallible> {
        let mut response = self.answer.await?;
        let is_read = match self.unread.map_or(Left::Nothing, Unread::left) {
            Left::Nothing => true,
            Left::Broken => false,
            // It is told by the answer not to send the body.
            Left::Whole(_) if self.expects => false,
            Left::Whole(rest) | Left::Rest(rest) => discard(rest, patience).await,
        };
        if !is_read {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        Ok(response)
    }
}

/// Reads a short rest of a body. False if it is too long, or the client too slow.
async fn discard(rest: Body, patience: Duration) -> bool {
    let discarding = octopoid_api::unread::discard(rest, DISCARD_BYTES_MAX);
    matches!(tokio::time::timeout(patience, discarding).await, Ok(true))
}

/// Closes the connection after this time, unless what is returned is dropped before.
fn limit(connection: Arc<Connection>, patience: Duration) -> oneshot::Sender<()> {
    let (unwritten, written) = oneshot::channel();
    tokio::spawn(async move {
        if tokio::time::timeout(patience, written).await.is_err() {
            tracing::debug!("closed a connection whose client takes too long to read an answer");
            connection.close();
        }
    });
    unwritten
}

/// An answer's body, whose connection is busy until its last byte has been written.
pub(super) struct TrackedBody {
    body: Body,
    /// None once the last piece has it.
    in_flight: Option<InFlight>,
}

/// What every piece of an answer holds until it has been written.
#[derive(Clone)]
struct InFlight {
    _busy: Busy,
    /// Dropped when a long answer has been written.
    _written: Option<Arc<oneshot::Sender<()>>>,
}

/// A piece of an answer that has not been written.
struct Piece {
    bytes: Bytes,
    _in_flight: Option<InFlight>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl TrackedBody {
    fn new(body: Body, busy: Busy, patience: Duration) -> Self {
        let is_long = body.size_hint().exact().is_none_or(|length| length > SHORT_ANSWER_BYTES);
        let written = is_long.then(|| Arc::new(limit(busy.connection(), patience)));
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
                Bytes::from_owner(Piece { bytes, _in_flight: held })
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
