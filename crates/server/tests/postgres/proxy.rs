//! A network between a server and its database that loses answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// How a transaction ends: what is sent last, and what the database says when it is committed.
#[derive(Clone, Copy)]
pub(crate) struct End {
    sent: &'static [u8],
    answered: &'static [u8],
}

/// A batch of several statements.
pub(crate) const COMMIT: End = End { sent: b"COMMIT\0", answered: b"COMMIT\0" };

/// A statement that is alone: `Sync`, and `ReadyForQuery` outside of a transaction.
pub(crate) const SYNC: End = End { sent: b"S\0\0\0\x04", answered: b"Z\0\0\0\x05I" };

/// Forwards connections on a port of its own.
pub(crate) struct Proxy {
    port: u16,
    batches: Arc<AtomicUsize>,
    silent: watch::Sender<bool>,
}

/// What every connection knows.
#[derive(Clone)]
struct Rules {
    upstream: String,
    /// The first batch with this text in it loses its answer, and its connection.
    lost: &'static [u8],
    end: End,
    batches: Arc<AtomicUsize>,
    silent: watch::Receiver<bool>,
}

impl Proxy {
    /// A proxy to `host:port`, which loses the answer to the first batch that has this text in it.
    pub(crate) async fn losing(lost: &'static str, end: End, upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let batches = Arc::new(AtomicUsize::new(0));
        let (silent, receiver) = watch::channel(false);
        let rules = Rules {
            upstream,
            lost: lost.as_bytes(),
            end,
            batches: Arc::clone(&batches),
            silent: receiver,
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let rules = rules.clone();
                // A connection that breaks is what this is about.
                tokio::spawn(async move { rules.forward(client).await });
            }
        });
        Self { port, batches, silent }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many batches with the text were sent.
    pub(crate) fn batches(&self) -> usize {
        self.batches.load(Ordering::SeqCst)
    }

    /// From now on, or no longer, connections stay open and nothing passes.
    pub(crate) fn set_silent(&self, silent: bool) {
        self.silent.send_replace(silent);
    }
}

impl Rules {
    async fn forward(mut self, client: TcpStream) -> std::io::Result<()> {
        let server = TcpStream::connect(&self.upstream).await?;
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let (mut sent, mut answered, mut is_losing) = (Vec::new(), Vec::new(), false);
        loop {
            tokio::select! {
                chunk = chunk(&mut from_client) => {
                    let chunk = chunk?;
                    self.sound().await;
                    sent.extend_from_slice(&chunk);
                    if let Some(at) = find(&sent, self.lost)
                        && let Some(end) = find(&sent[at..], self.end.sent)
                    {
                        sent.drain(..at + end + self.end.sent.len());
                        is_losing |= self.batches.fetch_add(1, Ordering::SeqCst) == 0;
                    }
                    to_server.write_all(&chunk).await?;
                }
                chunk = chunk(&mut from_server) => {
                    let chunk = chunk?;
                    self.sound().await;
                    if !is_losing {
                        to_client.write_all(&chunk).await?;
                        continue;
                    }
                    answered.extend_from_slice(&chunk);
                    if find(&answered, self.end.answered).is_some() {
                        // The change is made. Both ends lose the connection here.
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Waits while nothing passes.
    async fn sound(&mut self) {
        let _ = self.silent.wait_for(|silent| !silent).await;
    }
}

async fn chunk(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; 64 << 10];
    let length = from.read(&mut bytes).await?;
    bytes.truncate(length);
    if bytes.is_empty() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// A port that takes connections and never says a word.
pub(crate) async fn mute() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    port
}

/// How long a server may take to give up on a database.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(10);
