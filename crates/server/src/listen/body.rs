//! Request bodies with timeouts.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    BoxError,
    body::{Bytes, HttpBody},
};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// A body that fails if its client pauses for too long, or takes too long for the complete
/// body. One timer serves both timeouts.
pub(super) struct TimedBody {
    body: Incoming,
    pause: Duration,
    deadline: Instant,
    /// `None` unless the next chunk is awaited.
    wait: Option<Pin<Box<Sleep>>>,
}

impl TimedBody {
    pub(super) fn new(body: Incoming, pause: Duration, total: Duration) -> Self {
        Self { body, pause, deadline: Instant::now() + total, wait: None }
    }
}

/// The client has sent its body too slowly.
#[derive(Debug)]
struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the body did not come in time")
    }
}

impl Error for TooSlow {}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Self { body, pause, deadline, wait } = &mut *self;
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            *wait = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let ends = || (Instant::now() + *pause).min(*deadline);
        let wait = wait.get_or_insert_with(|| Box::pin(sleep_until(ends())));
        wait.as_mut().poll(context).map(|()| Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
