//! Charges bodies and answers to the budget of what is in flight, from their first byte until they
//! have been handled or sent.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Error,
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::Method,
    response::{IntoResponse, Response},
};
use http_body::{Frame, SizeHint};

use crate::{
    app::App,
    budget::{Overloaded, Share},
    problem::Problem,
};

/// Bodies and answers up to this length are not charged, and so never refused: what agents report,
/// errors, and health.
pub(crate) const FREE_BYTES: usize = 16 * 1024;

/// What a request and its answer hold.
pub(super) struct InFlight {
    /// What its body is charged to, if that may be long.
    body: Option<Arc<Share>>,
    /// The request changes nothing, so that its answer can still be refused.
    is_read: bool,
}

/// Charges the request's body as its pieces come. They are held until the answer is there, because
/// what is made of them takes about as much.
pub(super) fn enter(app: &App, request: &mut Request) -> InFlight {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    if request.body().size_hint().upper().is_some_and(|length| length <= FREE_BYTES as u64) {
        return InFlight { body: None, is_read };
    }
    let share = Arc::new(app.budgets.bodies.share());
    let in_flight = InFlight { body: Some(Arc::clone(&share)), is_read };
    let body = std::mem::take(request.body_mut());
    *request.body_mut() = Body::new(Arriving { body, share, free: FREE_BYTES });
    in_flight
}

impl InFlight {
    /// Charges the answer until it has been written, or makes it a refusal.
    pub(super) fn leave(self, app: &App, response: Response) -> Response {
        let Self { body, is_read } = self;
        drop(body);
        let length = response.body().size_hint().lower();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length <= FREE_BYTES {
            return response;
        }
        let answers = &app.budgets.answers;
        let share = if is_read { answers.reserve(length) } else { Some(answers.hold(length)) };
        match share {
            Some(share) => response.map(|body| Body::new(Leaving { body, share })),
            None => Problem::overloaded().into_response(),
        }
    }
}

struct Arriving {
    body: Body,
    share: Arc<Share>,
    /// How much more is not charged.
    free: usize,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let charged = length.saturating_sub(self.free);
            self.free -= length - charged;
            if charged > 0 && !self.share.grow(charged) {
                return Poll::Ready(Some(Err(Error::new(Overloaded))));
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct Leaving {
    body: Body,
    share: Share,
}

/// A piece of an answer, which is held until it has been written.
struct Piece {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let share = &mut self.share;
        frame.map_ok(|frame| {
            frame.map_data(|bytes| {
                let share = share.split(bytes.len());
                Bytes::from_owner(Piece { bytes, _share: share })
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
