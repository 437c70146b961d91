//! The Model Context Protocol on the standard input and output, a message a line.
//!
//! The dispatcher is the server's own; its tools call the server over HTTP. So a client can connect
//! while the server is away, and a tool says what is wrong.

use std::{
    collections::HashMap,
    io::{self, BufRead, Read as _, Write as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::timeout,
};

use super::remote::Remote;
use crate::{failure::Outcome, session::Session};

/// How many lines are read ahead.
const LINES_AHEAD: usize = 16;

/// The longest message that is read: as over HTTP.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How long what is being answered may take after the end of the input.
const END: Duration = Duration::from_secs(2);

/// The version that clients are told.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Answers messages until the client closes the standard input. What is still waited for soon after
/// that is given up: the client is gone.
pub(super) async fn serve(session: &Session) -> Outcome {
    let remote = Arc::new(Remote::of(session));
    let mut lines = lines();
    let mut answering = JoinSet::new();
    let pending = Pending::default();
    while let Some(line) = lines.recv().await {
        let line = line?;
        while answering.try_join_next().is_some() {}
        let envelope = serde_json::from_slice(&line).unwrap_or_default();
        if let Some(id) = cancelled(&envelope) {
            pending.cancel(id);
            continue;
        }
        let (remote, own) = (Arc::clone(&remote), pending.clone());
        let id = envelope["id"].to_string();
        let own_id = id.clone();
        let handle = answering.spawn(async move {
            let reply = octopoid_mcp::answer(&*remote, VERSION, None, &line).await;
            own.forget(&own_id);
            if let Some(message) = reply.message {
                // A client that reads no more will close the standard input as well.
                let _ = write(&message);
            }
        });
        pending.note(id, handle);
    }
    let _ = timeout(END, async { while answering.join_next().await.is_some() {} }).await;
    Ok(())
}

/// The id of the request that a message cancels.
fn cancelled(message: &Value) -> Option<&Value> {
    let is_cancellation =
        message.get("id").is_none() && message["method"] == "notifications/cancelled";
    is_cancellation.then(|| &message["params"]["requestId"])
}

/// The lines of the standard input. Only a thread of its own can wait for them.
fn lines() -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(line) = next_line(&mut input).transpose() {
            let is_last = line.is_err();
            if sender.blocking_send(line).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

/// The next line that is not blank; none at the end. Of one that is too long there is the beginning,
/// which is not JSON.
fn next_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    loop {
        let mut line = Vec::new();
        if input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            input.skip_until(b'\n')?;
        }
        if !line.trim_ascii().is_empty() {
            return Ok(Some(line));
        }
    }
}

fn write(message: &Value) -> Outcome {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{message}")?;
    Ok(stdout.flush()?)
}

/// The requests that are being answered, by their ids.
#[derive(Clone, Default)]
struct Pending(Arc<Mutex<HashMap<String, AbortHandle>>>);

impl Pending {
    fn note(&self, id: String, handle: AbortHandle) {
        if !handle.is_finished() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, handle);
        }
    }

    fn forget(&self, id: &str) -> Option<AbortHandle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
    }

    /// Stops answering a request, of which the client wants to know nothing more.
    fn cancel(&self, id: &Value) {
        if let Some(handle) = self.forget(&id.to_string()) {
            handle.abort();
        }
    }
}
