use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Extension, Router,
    http::{StatusCode, Uri},
    routing::{get, post},
};
use octopoid_api::events::IsStream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
};

use crate::metrics::HttpMetrics;

use super::{
    BUFFER_BYTES, LIMITS, Limits,
    refusal::{REFUSAL, REFUSALS_MAX, Refusals},
    serve,
};

/// More than the system's buffers of a connection hold.
const LONG: usize = 64 << 20;
/// Far more than what is waited for should take.
const PATIENCE: Duration = Duration::from_secs(8);
const SHORT: Duration = Duration::from_millis(100);

const NOTE: &str = "GET /note?next HTTP/1.1\r\nhost: h\r\n\r\n";

/// What the tests share with the handlers.
#[derive(Default)]
struct Shared {
    /// The queries that `/note` and `/wait` have answered.
    queries: Mutex<Vec<String>>,
    /// `/wait` has begun.
    begun: Notify,
    /// `/wait` may end.
    allowed: Notify,
}

/// Serves `/long`, `/stream`, which is as long, `/read`, which reads its body, `/refuse`, which does
/// not, `/note`, which notes its query, and `/wait`, which does so when it may.
async fn start(limits: Limits) -> (SocketAddr, Arc<Shared>) {
    let shared = Arc::new(Shared::default());
    let (notes, waits) = (Arc::clone(&shared), Arc::clone(&shared));
    let note = |shared: &Shared, uri: &Uri| {
        shared.queries.lock().unwrap().push(uri.query().unwrap_or_default().to_owned());
    };
    let router = Router::new()
        .route("/long", get(async || "x".repeat(LONG)))
        .route("/stream", get(async || (Extension(IsStream), "x".repeat(LONG))))
        .route("/read", post(async |body: String| body))
        .route("/refuse", post(async || StatusCode::FORBIDDEN))
        .route("/note", get(async move |uri: Uri| note(&notes, &uri)))
        .route(
            "/wait",
            get(async move |uri: Uri| {
                waits.begun.notify_one();
                waits.allowed.notified().await;
                note(&waits, &uri);
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        // Never told to stop.
        let (_stop, stopping) = watch::channel(false);
        let metrics = Arc::new(HttpMetrics::new());
        serve(listener, router, stopping, &limits, PATIENCE, (&metrics, None)).await;
    });
    (address, shared)
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// What the server says next.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 1024];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await;
    let length = read.expect("the server answers").unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// All that the server says until it closes the connection, which it must not reset.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let reading = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    reading.expect("the server closes the connection").unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn has(answer: &str, status: &str, closes: bool) -> bool {
    answer.starts_with(status) && answer.contains("connection: close\r\n") == closes
}

#[tokio::test]
async fn a_body_that_takes_too_long_in_all_is_given_up() {
    let (address, _) = start(Limits { body: SHORT, ..LIMITS }).await;
    let mut stream = connect(address).await;
    send(&mut stream, "POST /read HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nab").await;
    let answer = rest(&mut stream).await;
    assert!(has(&answer, "HTTP/1.1 400", true), "{answer}");
}

#[tokio::test]
async fn a_refused_client_can_read_why_but_only_so_many_are_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_stop, stopping) = watch::channel(false);
    let refusals = Refusals::new(PATIENCE, stopping);
    let mut clients = Vec::new();
    for _ in 0..=REFUSALS_MAX {
        // It has asked before it is refused, and what it asked is not read.
        let mut client = connect(listener.local_addr().unwrap()).await;
        send(&mut client, &NOTE.repeat(1_000)).await;
        let (stream, _) = listener.accept().await.unwrap();
        refusals.send(stream);
        clients.push(client);
    }
    let mut beyond = clients.pop().unwrap();
    let mut bytes = Vec::new();
    let _reset = beyond.read_to_end(&mut bytes).await;
    assert!(bytes.is_empty(), "more are told than may be");
    for client in &mut clients {
        assert_eq!(rest(client).await.as_bytes(), REFUSAL);
    }
    let (_, body) = std::str::from_utf8(REFUSAL).unwrap().split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), 133, "as its head says");
}

/// With room for one connection, the second is served only once the first was let go.
#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_let_go() {
    let (address, _) = start(Limits { unread: SHORT, connections: 1, ..LIMITS }).await;
    let mut deaf = connect(address).await;
    send(&mut deaf, "GET /long HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let mut next = connect(address).await;
    send(&mut next, NOTE).await;
    let answer = answer(&mut next).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A client that would be let go for reading nothing only much later.
#[tokio::test]
async fn a_client_that_takes_too_long_to_read_its_answer_is_let_go() {
    let (address, _) = start(Limits { answer: SHORT, connections: 1, ..LIMITS }).await;
    let mut slow = connect(address).await;
    send(&mut slow, "GET /long HTTP/1.1\r\nhost: h\r\n\r\n").await;
    answer(&mut slow).await;
    let mut next = connect(address).await;
    send(&mut next, NOTE).await;
    let answer = answer(&mut next).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A stream takes no place, and may be read for as long as the client likes.
#[tokio::test]
async fn a_stream_is_no_connection_that_others_wait_for_and_has_no_end() {
    let (address, _) = start(Limits { answer: SHORT, connections: 1, ..LIMITS }).await;
    let mut stream = connect(address).await;
    send(&mut stream, "GET /stream HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await;
    let head = answer(&mut stream).await;
    for _ in 0..3 {
        // The second of them comes when the first has been let go for taking too long to read.
        let mut slow = connect(address).await;
        send(&mut slow, "GET /long HTTP/1.1\r\nhost: h\r\n\r\n").await;
        answer(&mut slow).await;
    }
    let rest = rest(&mut stream).await;
    assert!(head.len() + rest.len() > LONG, "{}", rest.len());
}

#[tokio::test]
async fn where_all_connections_are_busy_the_next_one_waits_for_its_turn() {
    let (address, shared) = start(Limits { connections: 1, ..LIMITS }).await;
    let mut first = connect(address).await;
    send(&mut first, "GET /wait?first HTTP/1.1\r\nhost: h\r\n\r\n").await;
    shared.begun.notified().await;
    let mut second = connect(address).await;
    send(&mut second, "GET /note?second HTTP/1.1\r\nhost: h\r\n\r\n").await;
    shared.allowed.notify_one();
    // The first has its answer, and is closed only then.
    let answered = rest(&mut first).await;
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    answer(&mut second).await;
    assert_eq!(*shared.queries.lock().unwrap(), ["first", "second"]);
}

#[tokio::test]
async fn at_the_limit_an_idle_connection_makes_room() {
    let (address, _) = start(Limits { connections: 2, ..LIMITS }).await;
    let mut silent = connect(address).await;
    let mut idle = connect(address).await;
    send(&mut idle, NOTE).await;
    answer(&mut idle).await;
    let mut next = connect(address).await;
    send(&mut next, NOTE).await;
    let answer = answer(&mut next).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(rest(&mut silent).await, "", "the one that never asked had been idle for longer");
}

#[tokio::test]
async fn a_connection_is_not_idle_before_its_answer_is_read() {
    let (address, _) = start(Limits { connections: 1, ..LIMITS }).await;
    let mut slow = connect(address).await;
    send(&mut slow, "GET /long HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let begin = answer(&mut slow).await;
    let mut next = connect(address).await;
    send(&mut next, NOTE).await;
    let end = rest(&mut slow).await;
    assert!(begin.len() + end.len() > LONG);
    let answer = answer(&mut next).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn the_rest_of_a_short_body_is_read_and_the_connection_kept() {
    let (address, _) = start(LIMITS).await;
    let body = "x".repeat(60_000);
    let (half, other) = body.split_at(30_000);
    let chunked =
        format!("{:x}\r\n{half}\r\n{:x}\r\n{other}\r\n0\r\n\r\n", half.len(), other.len());
    for (head, body) in
        [("content-length: 60000", body.as_str()), ("transfer-encoding: chunked", &chunked)]
    {
        let mut stream = connect(address).await;
        let (half, other) = body.split_at(31_000);
        send(&mut stream, &format!("POST /refuse HTTP/1.1\r\nhost: h\r\n{head}\r\n\r\n{half}"))
            .await;
        let last = "GET /note HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
        send(&mut stream, &format!("{other}{NOTE}{last}")).await;
        let answers = rest(&mut stream).await;
        let statuses: Vec<_> = answers.match_indices("HTTP/1.1 ").collect();
        assert_eq!(statuses.len(), 3, "{head}: {answers}");
        assert!(has(&answers[..statuses[1].0], "HTTP/1.1 403", false), "{head}: {answers}");
    }
}

#[tokio::test]
async fn after_a_long_body_the_answer_says_that_the_connection_closes_and_can_be_read() {
    let (address, _) = start(LIMITS).await;
    let mut stream = connect(address).await;
    let head = format!("POST /refuse HTTP/1.1\r\nhost: h\r\ncontent-length: {LONG}\r\n\r\n");
    send(&mut stream, &head).await;
    // All of it before the first look at the answer, as many clients do.
    let piece = "x".repeat(1 << 20);
    for _ in 0..LONG / piece.len() {
        send(&mut stream, &piece).await;
    }
    let answer = rest(&mut stream).await;
    assert!(has(&answer, "HTTP/1.1 403", true), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_come_costs_the_connection_and_not_the_answer() {
    let (address, _) = start(Limits { discard: SHORT, ..LIMITS }).await;
    let mut stream = connect(address).await;
    send(&mut stream, "POST /refuse HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nab").await;
    let answer = rest(&mut stream).await;
    assert!(has(&answer, "HTTP/1.1 403", true), "{answer}");
}

#[tokio::test]
async fn a_client_that_asks_first_is_not_told_to_send_what_nobody_reads() {
    let (address, _) = start(LIMITS).await;
    let expecting = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"
        )
    };
    let mut stream = connect(address).await;
    send(&mut stream, &expecting("/refuse")).await;
    let refused = rest(&mut stream).await;
    assert!(has(&refused, "HTTP/1.1 403", true), "{refused}");

    let mut stream = connect(address).await;
    send(&mut stream, &expecting("/read")).await;
    let go_on = answer(&mut stream).await;
    assert!(go_on.starts_with("HTTP/1.1 100"), "{go_on}");
    send(&mut stream, "ab").await;
    let read = answer(&mut stream).await;
    assert!(has(&read, "HTTP/1.1 200", false), "{read}");
}

#[tokio::test]
async fn a_head_beyond_the_buffer_is_refused() {
    let (address, _) = start(LIMITS).await;
    for (length, status) in
        [(BUFFER_BYTES - 100, "HTTP/1.1 200"), (BUFFER_BYTES * 4, "HTTP/1.1 431")]
    {
        let mut stream = connect(address).await;
        let header = "x".repeat(length);
        send(&mut stream, &format!("GET /note HTTP/1.1\r\nhost: h\r\nx: {header}\r\n\r\n")).await;
        let answer = answer(&mut stream).await;
        assert!(answer.starts_with(status), "{length}: {answer}");
    }
}
