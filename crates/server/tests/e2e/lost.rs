//! A network that loses the first answer to every request, and agents who do not notice.

use std::{
    collections::HashSet,
    io::{Error, ErrorKind, Result},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use octopoid_client::{Client, Retries};
use octopoid_domain::task::ClaimRequest;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    load::{all_tasks, approval, claim_by, events, new_task, report},
    server::Disk,
};

const TASKS: usize = 500;
const AGENTS: usize = 32;

/// Forwards requests, and loses the first answer to each that has an idempotency key, together with
/// the connection.
struct Lossy {
    address: String,
    /// The keys of the requests whose answer was lost.
    lost: Arc<Mutex<HashSet<String>>>,
    /// How many answers to such requests have arrived.
    arrived: Arc<AtomicUsize>,
}

impl Lossy {
    async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (lost, arrived) = (Arc::default(), Arc::default());
        let lossy = Self { address, lost: Arc::clone(&lost), arrived: Arc::clone(&arrived) };
        let server = server.to_owned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = server.clone();
                let (lost, arrived) = (Arc::clone(&lost), Arc::clone(&arrived));
                // A connection that breaks is what this is about.
                tokio::spawn(async move { forward(client, &server, &lost, &arrived).await });
            }
        });
        lossy
    }

    /// A client behind it, in scope `s`.
    fn client(&self) -> Client {
        let retries = Retries {
            attempts: 3,
            pause: Duration::from_millis(1),
            pause_max: Duration::from_millis(100),
            ..Retries::default()
        };
        let client = Client::new(&format!("http://{}", self.address)).unwrap();
        client.with_scope("s").with_retries(retries)
    }
}

async fn forward(
    client: TcpStream,
    server: &str,
    lost: &Mutex<HashSet<String>>,
    arrived: &AtomicUsize,
) -> Result<()> {
    let mut client = BufReader::new(client);
    let mut server = BufReader::new(TcpStream::connect(server).await?);
    loop {
        let (key, request) = message(&mut client).await?;
        server.write_all(&request).await?;
        let (_, response) = message(&mut server).await?;
        if let Some(key) = key {
            if lost.lock().unwrap().insert(key) {
                return Ok(());
            }
            arrived.fetch_add(1, Ordering::SeqCst);
        }
        client.write_all(&response).await?;
    }
}

/// Reads a request or a response whose length is in its head. Returns its idempotency key as well.
async fn message(stream: &mut BufReader<TcpStream>) -> Result<(Option<String>, Vec<u8>)> {
    let (mut bytes, mut length, mut key) = (Vec::new(), 0, None);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        bytes.extend_from_slice(line.as_bytes());
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().map_err(Error::other)?;
            }
            Some((name, value)) if name.eq_ignore_ascii_case("idempotency-key") => {
                key = Some(value.to_owned());
            }
            _ => {}
        }
        if line == "\r\n" {
            break;
        }
    }
    let head = bytes.len();
    bytes.resize(head + length, 0);
    stream.read_exact(&mut bytes[head..]).await?;
    Ok((key, bytes))
}

/// An agent that works and reviews until there is nothing left. Returns the ids of its tasks.
async fn works(client: Client, agent: String) -> octopoid_client::Result<Vec<String>> {
    let mut done = Vec::new();
    let claim: ClaimRequest = claim_by(&agent);
    while let Some(task) = client.claim_task(&claim).await? {
        let id = task.task.id;
        client.submit_task(&id, &report()).await?;
        client.accept_task(&id, &approval()).await?;
        done.push(id);
    }
    Ok(done)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_that_loses_every_answer_once_does_everything_once() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let lossy = Lossy::before(&server.address).await;
    let client = lossy.client();
    let mut makers = JoinSet::new();
    for maker in 0..AGENTS {
        let client = client.clone();
        makers.spawn(async move {
            for number in (maker..TASKS).step_by(AGENTS) {
                client.create_task(&new_task(&format!("t{number}"))).await?;
            }
            Ok::<_, octopoid_client::Error>(())
        });
    }
    while let Some(made) = makers.join_next().await {
        made.unwrap().unwrap();
    }
    let mut agents = JoinSet::new();
    for agent in 0..AGENTS {
        agents.spawn(works(client.clone(), format!("agent-{agent}")));
    }
    let mut ids = Vec::new();
    while let Some(done) = agents.join_next().await {
        ids.extend(done.unwrap().unwrap());
    }
    // The judge is told everything at once, and goes by history alone.
    let judge = server.client();
    let tasks = all_tasks(&judge).await.unwrap();
    let unique: HashSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), unique.len(), tasks.len()), (TASKS, TASKS, TASKS));
    for task in tasks {
        assert_eq!((&*task.queue, task.version), ("done", 4), "{}", task.id);
        let told = events(&judge, &task.id).await.unwrap();
        let names: Vec<_> = told.iter().map(|(event, _)| &**event).collect();
        assert_eq!(names, ["created", "claimed", "submitted", "accepted"], "{}", task.id);
    }
    // Four requests for each task, and the claims that found nothing.
    let lost = lossy.lost.lock().unwrap().len();
    assert_eq!(lost, lossy.arrived.load(Ordering::SeqCst), "each answer was lost once");
    assert_eq!(lost, 4 * TASKS + AGENTS);
}

/// A request that the client cannot send again ends with the failure of the connection.
#[tokio::test]
async fn without_further_attempts_a_lost_answer_is_a_failed_transport() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let lossy = Lossy::before(&server.address).await;
    let client = lossy.client().with_retries(Retries::NONE);
    let answer = client.create_task(&new_task("a")).await;
    assert!(matches!(answer, Err(octopoid_client::Error::Transport(_))), "{answer:?}");
    assert_eq!(server.client().get_task("a").await.unwrap().version, 1);
}
