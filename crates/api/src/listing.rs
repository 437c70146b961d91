//! Answers that are lists: long ones are written piece by piece, so that rows and JSON are not both
//! held until the client has read everything.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::{IntoResponse, Response},
};
use http_body::{Frame, SizeHint};
use serde::Serialize;

use crate::{json, problem::Problem};

/// The length of a piece. A list that is not longer is made at once.
const PIECE_BYTES: usize = 64 * 1024;

/// An answer with one field that may be long.
pub(crate) trait List: Serialize {
    /// The field's items.
    type Item: Serialize + Send + Unpin + 'static;

    /// The field's name.
    const FIELD: &'static str;

    /// The field.
    fn items(&mut self) -> &mut Vec<Self::Item>;
}

/// Says which field of an answer may be long: `long_field!(TaskList, tasks: Task)`.
macro_rules! long_field {
    ($list:ty, $field:ident: $item:ty) => {
        impl $crate::listing::List for $list {
            type Item = $item;

            const FIELD: &'static str = stringify!($field);

            fn items(&mut self) -> &mut Vec<$item> {
                &mut self.$field
            }
        }
    };
}

pub(crate) use long_field;

/// Makes the JSON of a list, the same as [`Json`](crate::json::Json) would make.
pub(crate) struct Listing<L>(pub(crate) L);

impl<L: List> IntoResponse for Listing<L> {
    fn into_response(self) -> Response {
        match body(self.0) {
            Ok(body) => json::response(body),
            Err(error) => Problem::unwritable(&error).into_response(),
        }
    }
}

fn body<L: List>(mut list: L) -> serde_json::Result<Body> {
    let items = std::mem::take(list.items());
    let (head, tail) = split(serde_json::to_string(&list)?, L::FIELD);
    let mut pieces =
        Pieces { items: items.into_iter(), is_first: true, tail, left: 0, next: head.into_bytes() };
    pieces.fill()?;
    if pieces.tail.is_empty() {
        return Ok(pieces.next.into());
    }
    let mut rest = Counter(0);
    for item in pieces.items.as_slice() {
        rest.0 += 1;
        serde_json::to_writer(&mut rest, item)?;
    }
    pieces.left = pieces.next.len() as u64 + rest.0 + pieces.tail.len() as u64;
    Ok(Body::new(pieces))
}

/// The text before the items of an empty list, and after them. Inside of other texts the quotes of
/// the field's name would be escaped.
fn split(mut empty: String, field: &str) -> (String, String) {
    let start = format!("\"{field}\":[");
    let at = empty.find(&format!("{start}]")).map_or(empty.len(), |at| at + start.len());
    let tail = empty.split_off(at);
    (empty, tail)
}

/// A list, of which a piece is made when the one before it has been sent.
struct Pieces<T> {
    items: std::vec::IntoIter<T>,
    is_first: bool,
    /// What follows the last item; empty once it has been written.
    tail: String,
    /// What is still to be sent, `next` included.
    left: u64,
    /// The piece to be sent next.
    next: Vec<u8>,
}

impl<T: Serialize> Pieces<T> {
    /// Writes items, and drops them, until the piece is full or all are written.
    fn fill(&mut self) -> serde_json::Result<()> {
        while self.next.len() < PIECE_BYTES {
            let Some(item) = self.items.next() else {
                self.next.append(&mut std::mem::take(&mut self.tail).into_bytes());
                break;
            };
            if !std::mem::take(&mut self.is_first) {
                self.next.push(b',');
            }
            serde_json::to_writer(&mut self.next, &item)?;
        }
        Ok(())
    }
}

impl<T: Serialize + Unpin> HttpBody for Pieces<T> {
    type Data = Bytes;
    type Error = serde_json::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, serde_json::Error>>> {
        if self.next.is_empty()
            && let Err(error) = self.fill()
        {
            return Poll::Ready(Some(Err(error)));
        }
        let piece = std::mem::take(&mut self.next);
        self.left = self.left.saturating_sub(piece.len() as u64);
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Counts what is written.
struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        body::HttpBody,
        response::{IntoResponse, Response},
    };
    use futures_util::FutureExt;
    use http_body_util::BodyExt;
    use serde::Serialize;

    use super::{Listing, PIECE_BYTES};

    #[derive(Clone, Serialize)]
    struct Page {
        before: &'static str,
        texts: Vec<String>,
        after: Option<i64>,
    }

    long_field!(Page, texts: String);

    fn pieces(response: Response) -> Vec<Vec<u8>> {
        let mut body = response.into_body();
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().now_or_never().unwrap() {
            pieces.push(frame.unwrap().into_data().unwrap().to_vec());
        }
        assert!(body.is_end_stream());
        pieces
    }

    #[test]
    fn a_list_is_the_same_in_pieces_as_in_one() {
        for lengths in [
            &[][..],
            &[0],
            &[3, 0, 5],
            &[PIECE_BYTES],
            &[PIECE_BYTES * 3, 1, PIECE_BYTES, 1],
            &[1_000; 500],
            &[PIECE_BYTES / 2 - 40; 4],
        ] {
            let text = |length: &usize| "\"".repeat(*length);
            let texts: Vec<_> = lengths.iter().map(text).collect();
            let list = Page { before: "\"texts\":[]", texts, after: None };
            let expected = serde_json::to_vec(&list).unwrap();
            let response = Listing(list).into_response();
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(response.body().size_hint().exact(), Some(expected.len() as u64));
            let pieces = pieces(response);
            assert_eq!(pieces.concat(), expected, "{lengths:?}");
            let longest = 2 * lengths.iter().max().unwrap_or(&0) + PIECE_BYTES + 100;
            assert!(pieces.iter().all(|piece| piece.len() <= longest));
        }
    }
}
