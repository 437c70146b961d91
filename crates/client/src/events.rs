//! The journal: pages of events, waiting for new ones, and streams.

use std::time::Duration;

use octopoid_domain::journal::{Cursor, JournalEvent};
use reqwest::{Method, Response};
use serde::Deserialize;

use crate::{ANSWER_SECONDS, Client, Error, Query, Result, decode, path, retry::Answer};

/// A stream lasts as long as it is read; only its silence is bounded.
const STREAM_TIMEOUT: Duration = Duration::from_hours(100 * 365 * 24);

/// A page of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct EventPage {
    /// The oldest first. A page may be empty although there are more.
    pub events: Vec<JournalEvent>,
    /// The `cursor` of the next page.
    pub next_cursor: Cursor,
}

/// A stream of events. It ends when the server stops, when the key ends, and when it is read too
/// slowly: follow the journal again from [`EventStream::cursor`].
#[derive(Debug)]
pub struct EventStream {
    response: Response,
    buffer: Vec<u8>,
    cursor: Option<Cursor>,
}

impl Client {
    /// Reads a page of the journal. The query may name `cursor` (`0` for the oldest event that is
    /// kept, none for the end), `limit`, `types` and `task_id`.
    pub async fn list_events(&self, query: Query<'_>) -> Result<EventPage> {
        self.get(&path(["events"]), query).await
    }

    /// The same, and at the end of the journal waits so many seconds for an event: 50 at most. A
    /// server that cannot wait answers at once.
    pub async fn wait_for_events(&self, query: Query<'_>, seconds: u64) -> Result<EventPage> {
        let request = self.request(Method::GET, &path(["events"]), query);
        let request = request.timeout(Duration::from_secs(seconds + ANSWER_SECONDS));
        let Answer { status, body, .. } =
            self.exchange(request.header("prefer", format!("wait={seconds}"))).await?;
        decode(status, &body)
    }

    /// Opens a stream of events. The query is that of [`Client::list_events`], without `limit`.
    pub async fn follow_events(&self, query: Query<'_>) -> Result<EventStream> {
        let request = self.request(Method::GET, &path(["events"]), query).timeout(STREAM_TIMEOUT);
        let response = self.send_request(request.header("accept", "text/event-stream")).await?;
        let status = response.status().as_u16();
        if status >= 400 {
            return Err(Error::refused(status, &response.bytes().await?));
        }
        Ok(EventStream { response, buffer: Vec::new(), cursor: None })
    }
}

impl EventStream {
    /// The next event; none at the end of the stream. What the journal does not keep, such as the
    /// progress of runs, is left out.
    pub async fn next(&mut self) -> Result<Option<JournalEvent>> {
        loop {
            while let Some(block) = take_block(&mut self.buffer) {
                let (cursor, event) = read_block(&block)?;
                self.cursor = cursor.or(self.cursor);
                if event.is_some() {
                    return Ok(event);
                }
            }
            match self.response.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// The place behind the last event; none before the stream has said where it begins.
    pub fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }
}

/// Takes the lines before the next empty line.
fn take_block(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = buffer.windows(2).position(|pair| pair == b"\n\n")?;
    let rest = buffer.split_off(end + 2);
    Some(std::mem::replace(buffer, rest))
}

/// The cursor and the event of a block, as far as it has them. The data of a block without a cursor
/// is not of the journal.
fn read_block(block: &[u8]) -> Result<(Option<Cursor>, Option<JournalEvent>)> {
    let (mut cursor, mut data) = (None, None);
    for line in block.split(|byte| *byte == b'\n') {
        if let Some(id) = line.strip_prefix(b"id: ") {
            cursor = str::from_utf8(id).ok().and_then(|id| id.parse().ok());
        } else if let Some(json) = line.strip_prefix(b"data: ") {
            data = Some(json);
        }
    }
    let event = data.filter(|_| cursor.is_some()).map(serde_json::from_slice).transpose();
    Ok((cursor, event.map_err(|why| Error::UnexpectedBody { status: 200, why })?))
}

#[cfg(test)]
mod tests {
    use octopoid_domain::journal::Cursor;

    use super::{read_block, take_block};

    #[test]
    fn blocks_are_taken_once_they_are_complete() {
        let mut buffer = b"retry: 2000\n\nid: x\n".to_vec();
        assert_eq!(take_block(&mut buffer).unwrap(), b"retry: 2000\n\n");
        assert!(take_block(&mut buffer).is_none());
        buffer.extend(b"\n:\n\n");
        assert_eq!(take_block(&mut buffer).unwrap(), b"id: x\n\n");
        assert_eq!(take_block(&mut buffer).unwrap(), b":\n\n");
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_block_may_have_a_cursor_an_event_both_or_neither() {
        let cursor = Cursor(7);
        let json = format!(
            r#"{{"id":"{cursor}","type":"flow.deleted","at":"2026-11-21T20:58:58.605Z","scope":"s",
            "subject":{{"kind":"flow","id":"f"}},"actor":null,"details":null,"more":1}}"#
        );
        let block = format!("id: {cursor}\ndata: {}\n\n", json.replace('\n', ""));
        let (told, event) = read_block(block.as_bytes()).unwrap();
        assert_eq!((told, event.unwrap().name.as_str()), (Some(cursor), "flow.deleted"));
        let (told, event) = read_block(format!(":\nid: {cursor}\n\n").as_bytes()).unwrap();
        assert_eq!((told, event), (Some(cursor), None));
        assert_eq!(read_block(b":\n\n").unwrap(), (None, None));
        assert!(read_block(format!("id: {cursor}\ndata: nonsense\n\n").as_bytes()).is_err());
        let passing = br#"data: {"type":"task.progress","subject":{"kind":"task","id":"t"}}"#;
        assert_eq!(read_block(passing).unwrap(), (None, None));
    }
}
