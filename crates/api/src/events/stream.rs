//! The journal as a stream of server-sent events.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream::unfold;
use octopoid_domain::{
    Millis,
    journal::{Cursor, Start},
};

use super::{
    Wanted,
    feed::{self, Batch, Delivery, Subscription},
    places::Place,
    read,
};
use crate::{
    app::App,
    auth::{Caller, key_hash},
    problem::Problem,
};

/// The pause after which clients connect again, as the first line of a stream tells them.
const RETRY: &str = "retry: 2000\n\n";
/// The interval of comments. Proxies commonly close a silent connection after a minute.
const COMMENT_MS: i64 = 15_000;
/// How many events are read at once from the database.
const PAGE: i64 = 250;

/// Marks a response as a stream, which ends when the server stops and not before.
#[derive(Clone, Copy, Debug)]
pub struct IsStream;

/// The key with which a stream was opened.
struct HeldKey {
    id: String,
    hash: String,
    ends_at: Option<Millis>,
}

/// A stream, from its opening to its end.
struct Stream {
    app: App,
    wanted: Wanted,
    subscription: Subscription,
    /// The end of what was sent or passed over.
    reached: Cursor,
    /// The cursor that the client knows.
    told: Cursor,
    /// Whether everything up to the subscription has been read.
    is_live: bool,
    key: Option<HeldKey>,
    comment_due_ms: i64,
    _place: Place,
}

/// Opens a stream.
pub(super) async fn open(
    app: App,
    caller: Caller,
    headers: &HeaderMap,
    mut wanted: Wanted,
) -> Result<Response, Problem> {
    if app.pause(0).is_none() {
        return Err(Problem::no_streams());
    }
    if app.is_stopping() {
        return Err(Problem::stopping());
    }
    let key_id = match caller {
        Caller::Holder { key_id, .. } => Some(key_id),
        _ => None,
    };
    let place = app.places.take(key_id.as_deref())?;
    // Before the first read, so that nothing that comes after it is missed.
    let subscription = feed::subscribe(&app, &wanted.scope).await?;
    // After that too: from here on, the end of the key is an event.
    let key = match key_id.zip(key_hash(headers)) {
        Some((id, hash)) => Some(find_key(&app, id, hash).await?.ok_or_else(ended_key)?),
        None => None,
    };
    wanted.limit = PAGE;
    // The first page also tells whether the cursor is good.
    let page = read(&app, &wanted, wanted.start).await?;
    let mut first = String::from(RETRY).into_bytes();
    first.extend(page.events.iter().flat_map(feed::text));
    let comment_due_ms = app.elapsed_ms().saturating_add(COMMENT_MS);
    let mut stream = Stream {
        app,
        wanted,
        subscription,
        reached: page.next,
        told: Cursor(-1),
        is_live: page.is_last,
        key,
        comment_due_ms,
        _place: place,
    };
    stream.tell_cursor(&mut first);
    let first = Some(Bytes::from(first));
    let body = unfold((first, stream), |(first, mut stream)| async move {
        let piece = match first {
            Some(piece) => piece,
            None => stream.next().await?,
        };
        Some((Ok::<_, std::convert::Infallible>(piece), (None, stream)))
    });
    let mut response = Body::from_stream(body).into_response();
    response.extensions_mut().insert(IsStream);
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // The connection ends with the stream.
        (header::CONNECTION, "close"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    // For proxies that otherwise collect a response before they pass it on.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

impl Stream {
    /// The next piece of the response; `None` ends it.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.app.is_stopping() || self.is_key_expired() {
                return None;
            }
            let piece = if self.is_live { self.receive().await? } else { self.catch_up().await? };
            if !piece.is_empty() {
                return Some(piece);
            }
        }
    }

    /// Reads what the client has missed, a page at a time, as fast as it takes them.
    async fn catch_up(&mut self) -> Option<Bytes> {
        self.look_up_key().await?;
        let start = Start::After(self.reached);
        // The client connects again, and is told what is wrong.
        let page = read(&self.app, &self.wanted, start).await.ok()?;
        self.reached = page.next;
        self.is_live = page.is_last;
        let mut piece: Vec<u8> = page.events.iter().flat_map(feed::text).collect();
        if !piece.is_empty() {
            self.tell_cursor(&mut piece);
        }
        Some(piece.into())
    }

    /// Waits for new events, or until a comment is due.
    async fn receive(&mut self) -> Option<Bytes> {
        let expires = self.key.as_ref().and_then(|key| key.ends_at);
        let left = expires.map(|at| at.0.saturating_sub(self.app.now().0));
        let expiry_ms = left.map(|left| self.app.elapsed_ms().saturating_add(left));
        let until_ms = self.comment_due_ms.min(expiry_ms.unwrap_or(i64::MAX));
        match self.subscription.next(&self.app, until_ms).await {
            Delivery::Messages(batch) => {
                self.check_key(&batch).await?;
                Some(self.take(&batch))
            }
            // A comment is the only piece that says where the stream is in a quiet scope.
            Delivery::Nothing if self.app.elapsed_ms() >= self.comment_due_ms => {
                self.comment_due_ms = self.app.elapsed_ms().saturating_add(COMMENT_MS);
                let mut piece = b":\n".to_vec();
                if self.told < self.reached {
                    self.tell_cursor(&mut piece);
                } else {
                    piece.push(b'\n');
                }
                Some(piece.into())
            }
            Delivery::Nothing => Some(Bytes::new()),
            // A client that reads too slowly goes on by cursor, on another connection.
            Delivery::Missed | Delivery::Ended => None,
        }
    }

    /// The texts of a batch that the client has not received yet.
    fn take(&mut self, batch: &Arc<Batch>) -> Bytes {
        let mut texts = batch.texts(&self.wanted.filter, self.reached);
        let piece = match (texts.next(), texts.next()) {
            (None, _) => Bytes::new(),
            // One event is shared by all streams that show it.
            (Some(only), None) => only.clone(),
            (Some(first), Some(second)) => {
                [first, second].into_iter().chain(texts).flatten().copied().collect()
            }
        };
        self.reached = self.reached.max(batch.end);
        piece
    }

    /// Adds the cursor without an event, so that a client that connects again goes on from there.
    fn tell_cursor(&mut self, piece: &mut Vec<u8>) {
        piece.extend(format!("id: {}\n\n", self.reached).into_bytes());
        self.told = self.reached;
    }

    /// Looks whether the key is still good, if one of the events is about it. `None` if it is not.
    async fn check_key(&mut self, batch: &Batch) -> Option<()> {
        let Some(key) = &self.key else { return Some(()) };
        let is_about = |subject: &octopoid_domain::journal::Subject| {
            subject.kind == "key" && subject.id == key.id
        };
        if batch.events().any(|event| is_about(&event.subject)) {
            self.look_up_key().await?;
        }
        Some(())
    }

    /// Ends the stream if its key was revoked, and learns when the key expires.
    async fn look_up_key(&mut self) -> Option<()> {
        let Some(key) = &mut self.key else { return Some(()) };
        let (id, hash) = (key.id.clone(), key.hash.clone());
        *key = find_key(&self.app, id, hash).await.ok()??;
        Some(())
    }

    fn is_key_expired(&self) -> bool {
        let expires = self.key.as_ref().and_then(|key| key.ends_at);
        expires.is_some_and(|at| at <= self.app.now())
    }
}

/// The key, unless it was revoked.
async fn find_key(app: &App, id: String, hash: String) -> Result<Option<HeldKey>, Problem> {
    let key = app.store.find_key(&hash).await?.filter(|key| key.revoked_at.is_none());
    Ok(key.map(|key| HeldKey { ends_at: key.ends_at(), id, hash }))
}

fn ended_key() -> Problem {
    Problem::unauthorized("Invalid API key")
}
