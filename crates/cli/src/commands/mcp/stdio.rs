//! The Model Context Protocol on the standard input and output, a message a line.
//!
//! The dispatcher is the server's own; its tools call the server over HTTP. So a client can connect
//! while the server is away, and a tool says what is wrong.

use std::{
    collections::HashMap,
    io::{self, BufRead as _, Write as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use octopoid_client::{Client, Error, Method};
use octopoid_domain::causes::innermost;
use octopoid_mcp::{Answer, Backend, Call, Defaults, Reply, Verb};
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

use crate::{failure::Outcome, repository, session::Session};

/// How many lines are read ahead.
const LINES_AHEAD: usize = 16;

/// What the server is called by its clients.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Answers messages until the client closes the standard input. What is still waited for then is
/// given up: the client is gone.
pub(super) async fn serve(session: &Session) -> Outcome {
    let remote = Arc::new(Remote::of(session));
    let mut lines = lines();
    let mut answering = JoinSet::new();
    let pending = Pending::default();
    while let Some(line) = lines.recv().await {
        let line = line?;
        while answering.try_join_next().is_some() {}
        if line.trim().is_empty() {
            continue;
        }
        let envelope: Envelope = serde_json::from_str(&line).unwrap_or_default();
        if envelope.method.as_deref() == Some("notifications/cancelled") {
            pending.cancel(&envelope.params["requestId"]);
            continue;
        }
        let (remote, id, own) = (Arc::clone(&remote), envelope.id.to_string(), pending.clone());
        let task = async move {
            let Reply { message, .. } =
                octopoid_mcp::answer(&*remote, VERSION, None, line.as_bytes()).await;
            own.forget(&envelope.id);
            if let Some(message) = message {
                // A client that reads no more will close the standard input as well.
                let _ = write(&message);
            }
        };
        let handle = answering.spawn(task);
        pending.note(id, handle);
    }
    Ok(())
}

/// The lines of the standard input, which only a thread of its own can wait for.
fn lines() -> mpsc::Receiver<io::Result<String>> {
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn write(message: &Value) -> Outcome {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{message}")?;
    Ok(stdout.flush()?)
}

/// What a message says of itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Envelope {
    id: Value,
    method: Option<String>,
    params: Value,
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

    fn forget(&self, id: &Value) -> Option<AbortHandle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id.to_string())
    }

    /// Stops answering a request, of which the client wants to know nothing more.
    fn cancel(&self, id: &Value) {
        if let Some(handle) = self.forget(id) {
            handle.abort();
        }
    }
}

/// The server, over HTTP.
struct Remote {
    client: Client,
    server: String,
    defaults: Defaults,
}

impl Remote {
    fn of(session: &Session) -> Self {
        let settings = &session.settings;
        let value = |setting: &Option<crate::settings::Setting>| {
            setting.as_ref().map(|setting| setting.value.clone())
        };
        let defaults = Defaults {
            scope: value(&settings.scope),
            flow: value(&settings.flow),
            branch: Some(repository::branch()),
            agent: Some(settings.user.value.clone()),
        };
        Self { client: session.client.clone(), server: settings.server.value.clone(), defaults }
    }
}

impl Backend for Remote {
    fn call(
        &self,
        call: Call,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Answer, String>> + Send + '_>> {
        Box::pin(async move {
            let Call { verb, path, query, body, wait_seconds } = call;
            let method = match verb {
                Verb::Get => Method::GET,
                Verb::Post => Method::POST,
            };
            let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let wait = wait_seconds.map(Duration::from_secs);
            match self.client.call(method, &path, &query, &body, wait).await {
                Ok((status, body)) => Ok(Answer { status, body }),
                Err(error) => Err(self.unreachable(&error)),
            }
        })
    }

    fn random(&self) -> u32 {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).expect("a system that has sockets has random numbers");
        u32::from_le_bytes(bytes)
    }

    fn defaults(&self) -> &Defaults {
        &self.defaults
    }
}

impl Remote {
    fn unreachable(&self, error: &Error) -> String {
        let (server, why) = (&self.server, innermost(error));
        format!(
            "The server at {server} cannot be reached ({error}: {why}). Ask the person to start it with \
             octopoid up or octopoid serve, or to name another with octopoid mcp --server URL, then \
             call again"
        )
    }
}
