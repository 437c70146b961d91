//! Sends the log of a run to the server, piece by piece.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use octopoid_client::{Client, Error};
use octopoid_domain::{
    lease::Token,
    log::{Append, LogText},
};
use tokio::sync::Notify;

use crate::{answers::is_passing, clock};

/// Bytes of one request. The server takes 64 KiB.
const PIECE_BYTES_MAX: usize = 60 << 10;
/// Bytes that wait to be sent. The server keeps the newest 1 MiB of a run.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// The pause after a piece, so that a chatty agent costs few requests.
const PAUSE: Duration = Duration::from_secs(2);
/// The pause after a request that the server did not answer.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(10);

/// Text that waits to be sent: cheap to clone, and never blocks the one who writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    waiting: Arc<Mutex<Waiting>>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Waiting {
    text: String,
    left_out: u64,
    is_finished: bool,
}

impl Log {
    /// Appends a line. If too much waits, because the server is gone or the agent prints more than
    /// can be sent, the oldest text is left out.
    pub(crate) fn line(&self, line: &str) {
        self.with(|waiting| {
            waiting.text.push_str(line);
            waiting.text.push('\n');
            let surplus = waiting.text.len().saturating_sub(WAITING_BYTES_MAX);
            if surplus > 0 {
                // More than is necessary, so that not every line moves the whole text.
                let end = waiting.text.ceil_char_boundary(surplus + WAITING_BYTES_MAX / 4);
                waiting.text.drain(..end);
                waiting.left_out += end as u64;
            }
        });
        self.changed.notify_one();
    }

    /// Says that nothing more is written.
    pub(crate) fn finish(&self) {
        self.with(|waiting| waiting.is_finished = true);
        self.changed.notify_one();
    }

    fn with<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        change(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The next piece, and whether it is the last one.
    fn take(&self) -> (String, bool) {
        self.with(|waiting| {
            let end = waiting.text.floor_char_boundary(PIECE_BYTES_MAX);
            let mut piece: String = waiting.text.drain(..end).collect();
            if waiting.left_out > 0 {
                let note = format!("[{} bytes left out]\n", std::mem::take(&mut waiting.left_out));
                piece.insert_str(0, &note);
            }
            (piece, waiting.is_finished && waiting.text.is_empty())
        })
    }

    /// Sends what is written until it is finished, or the server does not take it any more.
    pub(crate) async fn send(&self, client: &Client, task_id: &str, token: &Token) {
        let mut offset = 0;
        loop {
            let (piece, is_last) = self.take();
            if !piece.is_empty() {
                let Some(next) = append(client, task_id, token, offset, &piece).await else {
                    return;
                };
                offset = next;
            }
            if is_last {
                return;
            }
            let is_more = self.with(|waiting| !waiting.text.is_empty() || waiting.is_finished);
            if !is_more {
                self.changed.notified().await;
            }
            if !self.with(|waiting| waiting.is_finished) {
                // The end of the run is not delayed by a pause.
                let _ = tokio::time::timeout(PAUSE, self.finished()).await;
            }
        }
    }

    async fn finished(&self) {
        while !self.with(|waiting| waiting.is_finished) {
            self.changed.notified().await;
        }
    }
}

/// Appends a piece, which is repeated until there is an answer. None: the log is closed.
async fn append(
    client: &Client,
    task_id: &str,
    token: &Token,
    mut offset: i64,
    text: &str,
) -> Option<i64> {
    let mut is_gap_known = false;
    loop {
        let body = Append {
            lease_token: token.clone(),
            offset: offset.into(),
            text: LogText(Some(text.to_owned())),
        };
        match client.append_log(task_id, &body).await {
            Ok(appended) => return Some(appended.next_offset),
            Err(Error::Refused { status: 409, .. }) if !is_gap_known => {
                // The log is not as long as this program believes: an empty text asks for its length.
                is_gap_known = true;
                let text = LogText(Some(String::new()));
                let body = Append { offset: 0.into(), text, ..body };
                offset = client.append_log(task_id, &body).await.ok()?.next_offset;
            }
            Err(error) if is_passing(&error) => clock::pause(PAUSE_AFTER_ERROR).await,
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Log, PIECE_BYTES_MAX, WAITING_BYTES_MAX};

    #[test]
    fn pieces_are_what_was_written() {
        let log = Log::default();
        log.line("a");
        log.line("ü");
        assert_eq!(log.take(), ("a\nü\n".to_owned(), false));
        log.line(&"ü".repeat(PIECE_BYTES_MAX));
        log.finish();
        let (first, is_last) = log.take();
        assert!(first.len() <= PIECE_BYTES_MAX && first.len() >= PIECE_BYTES_MAX - 1 && !is_last);
        let rest = (log.take(), log.take(), log.take());
        assert!(rest.2.1, "everything is taken");
        assert_eq!(
            first.len() + rest.0.0.len() + rest.1.0.len() + rest.2.0.len(),
            2 * PIECE_BYTES_MAX + 1
        );
    }

    #[test]
    fn what_waits_too_long_is_left_out_from_its_beginning() {
        let log = Log::default();
        for number in 0..40 {
            log.line(&format!("{number} {}", "x".repeat(WAITING_BYTES_MAX / 16)));
        }
        log.line("end");
        log.finish();
        let mut text = String::new();
        loop {
            let (piece, is_last) = log.take();
            text.push_str(&piece);
            if is_last {
                break;
            }
        }
        assert!(text.len() <= WAITING_BYTES_MAX + 100);
        assert!(
            text.starts_with('[') && text.contains("bytes left out]\n") && text.ends_with("end\n")
        );
        assert_eq!(text.matches("left out").count(), 1);
    }
}
