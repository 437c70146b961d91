//! What is left of a request's body when its answer is ready.
//!
//! A handler that refuses a request does not read its body. The host must: over HTTP/1.1 the next
//! request follows the body on the same connection.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

/// Lends a body to the handler of the request. What it drops unread comes back.
pub fn lend<B>(body: B) -> (Body, Unread)
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let home = Arc::new(Mutex::new(None));
    let lent = Lent { body: Some(body), home: Arc::clone(&home), reading: Reading::Untouched };
    (Body::new(lent), Unread(home))
}

/// Reads a body to its end. False, as soon as it is known, if it is longer or cannot be read.
pub async fn discard(mut body: Body, bytes_max: usize) -> bool {
    let mut left = bytes_max;
    while !body.is_end_stream() {
        if body.size_hint().lower() > left as u64 {
            return false;
        }
        match body.frame().await {
            None => return true,
            Some(Err(_)) => return false,
            Some(Ok(frame)) => match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
                Some(less) => left = less,
                None => return false,
            },
        }
    }
    true
}

/// Where a lent body comes back to.
pub struct Unread(Arc<Mutex<Option<Left>>>);

/// What is left of a body.
pub enum Left {
    /// It was read to its end.
    Nothing,
    /// Nothing was read.
    Whole(Body),
    /// It was read in part.
    Rest(Body),
    /// It cannot be read any further.
    Broken,
}

impl Unread {
    /// What is left, once the answer is there. A body that has not come back counts as broken.
    pub fn left(self) -> Left {
        lock(&self.0).take().unwrap_or(Left::Broken)
    }
}

/// Nothing panics while it is locked.
fn lock(home: &Mutex<Option<Left>>) -> MutexGuard<'_, Option<Left>> {
    home.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Lent<B>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    /// There until this is dropped.
    body: Option<B>,
    home: Arc<Mutex<Option<Left>>>,
    reading: Reading,
}

#[derive(Clone, Copy, PartialEq)]
enum Reading {
    Untouched,
    Begun,
    Ended,
    Failed,
}

impl<B> HttpBody for Lent<B>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        self.reading = match &frame {
            Poll::Ready(None) => Reading::Ended,
            Poll::Ready(Some(Err(_))) => Reading::Failed,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => Reading::Begun,
        };
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl<B> Drop for Lent<B>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    fn drop(&mut self) {
        let left = match (self.reading, self.body.take()) {
            (Reading::Failed, _) => Left::Broken,
            (Reading::Ended, _) | (_, None) => Left::Nothing,
            (_, Some(body)) if body.is_end_stream() => Left::Nothing,
            (Reading::Untouched, Some(body)) => Left::Whole(Body::new(body)),
            (Reading::Begun, Some(body)) => Left::Rest(Body::new(body)),
        };
        *lock(&self.home) = Some(left);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes};
    use futures_util::{FutureExt, stream};
    use http_body_util::BodyExt;

    use super::{Left, discard, lend};

    /// A body of such pieces, of a length that is not known before its end.
    fn pieces(pieces: &[&'static str]) -> Body {
        let pieces: Vec<_> =
            pieces.iter().map(|piece| Ok::<_, String>(Bytes::from(*piece))).collect();
        Body::from_stream(stream::iter(pieces))
    }

    fn broken() -> Body {
        Body::from_stream(stream::iter([Ok("ab"), Err("the client is gone")]))
    }

    fn rest(left: Left) -> Option<String> {
        let (Left::Whole(body) | Left::Rest(body)) = left else {
            return None;
        };
        let bytes = body.collect().now_or_never().unwrap().unwrap().to_bytes();
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn what_was_not_read_comes_back() {
        let (body, unread) = lend(pieces(&["ab", "cd"]));
        drop(body);
        let left = unread.left();
        assert!(matches!(left, Left::Whole(_)));
        assert_eq!(rest(left).as_deref(), Some("abcd"));

        let (mut body, unread) = lend(pieces(&["ab", "cd"]));
        body.frame().now_or_never().unwrap();
        drop(body);
        let left = unread.left();
        assert!(matches!(left, Left::Rest(_)));
        assert_eq!(rest(left).as_deref(), Some("cd"));
    }

    #[test]
    fn nothing_is_left_of_what_was_read_or_is_broken() {
        let (body, unread) = lend(pieces(&["ab", "cd"]));
        body.collect().now_or_never().unwrap().unwrap();
        assert!(matches!(unread.left(), Left::Nothing));

        let (body, unread) = lend(Body::empty());
        drop(body);
        assert!(matches!(unread.left(), Left::Nothing));

        let (body, unread) = lend(broken());
        assert!(body.collect().now_or_never().unwrap().is_err());
        assert!(matches!(unread.left(), Left::Broken));

        let (_kept, unread) = lend(pieces(&["ab"]));
        assert!(matches!(unread.left(), Left::Broken));
    }

    #[test]
    fn only_a_short_rest_is_discarded() {
        let outcome = |body, max| discard(body, max).now_or_never().unwrap();
        assert!(outcome(pieces(&["ab", "cd"]), 4));
        assert!(!outcome(pieces(&["ab", "cd"]), 3));
        assert!(outcome(Body::from("abcd"), 4));
        assert!(!outcome(Body::from("abcd"), 3));
        assert!(outcome(Body::empty(), 0));
        assert!(!outcome(broken(), 9));
    }
}
