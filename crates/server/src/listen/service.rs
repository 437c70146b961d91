//! What stands between a connection and the router: it tells which connections are idle, and what
//! becomes of a request's body that nobody read.

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
};
use futures_util::future::BoxFuture;
use hyper::body::{Frame, SizeHint};
use octopoid_api::unread::{Left, lend};
use tokio::sync::oneshot;
use tower::{Service, ServiceExt};

use super::registry::{Busy, Member};

/// A longer rest of a body is not read only to keep the connection.
const DISCARD_BYTES_MAX: usize = 64 * 1024;

/// A longer answer must be read in a limited time: it holds a part of the budget of answers.
const SHORT_ANSWER_BYTES: u64 = 16 * 1024;

/// The router, which reads all of a request before the answer leaves, or closes the connection
/// after the answer and says so.
#[derive(Clone)]
pub(super) struct Draining {
    pub(super) router: Router,
    /// How long the rest of a body may take.
    pub(super) patience: Duration,
}

impl<B> Service<Request<B>> for Draining
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { router, patience } = self.clone();
        let request = request.map(Body::new);
        Box::pin(async move {
            if request.body().is_end_stream() {
                return router.oneshot(request).await;
            }
            let expects = request.headers().contains_key(header::EXPECT);
            let (parts, body) = request.into_parts();
            let (body, unread) = lend(body);
            let mut response = router.oneshot(Request::from_parts(parts, body)).await?;
            let is_read = match unread.left() {
                Left::Nothing => true,
                Left::Broken => false,
                // The client waits with its body for the answer, which says not to send it.
                Left::Whole(_) if expects => false,
                Left::Whole(rest) | Left::Rest(rest) => discard(rest, patience).await,
            };
            if !is_read {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(response)
        })
    }
}

/// Reads a short rest of a body. False if it is too long, or the client too slow.
async fn discard(rest: Body, patience: Duration) -> bool {
    let discarding = octopoid_api::unread::discard(rest, DISCARD_BYTES_MAX);
    matches!(tokio::time::timeout(patience, discarding).await, Ok(true))
}

/// A service whose connection is busy from a request's head to the last byte of its answer.
#[derive(Clone)]
pub(super) struct Tracked<S> {
    pub(super) service: S,
    pub(super) member: Arc<Member>,
    /// How long the client may take to read a long answer.
    pub(super) patience: Duration,
}

impl<S, R> Service<R> for Tracked<S>
where
    S: Service<R, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    R: Send + 'static,
{
    type Response = Response<TrackedBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<TrackedBody>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let busy = self.member.begin();
        let answering = busy.is_some().then(|| self.service.call(request));
        let (member, patience) = (Arc::clone(&self.member), self.patience);
        Box::pin(async move {
            let (Some(busy), Some(answering)) = (busy, answering) else {
                // The connection is about to be dropped, and this future with it.
                return std::future::pending().await;
            };
            let answer = answering.await?;
            let length = answer.body().size_hint().exact();
            let written = length
                .is_none_or(|length| length > SHORT_ANSWER_BYTES)
                .then(|| limit(member, patience));
            let busy = Arc::new(InFlight { _busy: busy, _written: written });
            Ok(answer.map(|body| TrackedBody { body, busy }))
        })
    }
}

/// Closes the connection after this time, unless what is returned is dropped before.
fn limit(member: Arc<Member>, patience: Duration) -> oneshot::Sender<()> {
    let (unwritten, written) = oneshot::channel();
    tokio::spawn(async move {
        if tokio::time::timeout(patience, written).await.is_err() {
            tracing::debug!("closed a connection whose client takes too long to read an answer");
            member.close();
        }
    });
    unwritten
}

/// What ends once the last byte of an answer has been written.
struct InFlight {
    _busy: Busy,
    _written: Option<oneshot::Sender<()>>,
}

/// An answer's body, whose connection is busy until its last byte has been written.
pub(super) struct TrackedBody {
    body: Body,
    busy: Arc<InFlight>,
}

/// A piece of an answer that has not been written.
struct Piece {
    bytes: Bytes,
    _busy: Arc<InFlight>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let busy = &self.busy;
        frame.map_ok(|frame| {
            frame.map_data(|bytes| Bytes::from_owner(Piece { bytes, _busy: Arc::clone(busy) }))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
