use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    http::Uri,
    routing::{get, post},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{LIMITS, Limits, serve};

/// More than the system's buffers of a connection hold.
const LONG: usize = 64 << 20;
/// Far more than what is waited for should take.
const PATIENCE: Duration = Duration::from_secs(8);
const SHORT: Duration = Duration::from_millis(100);

/// Serves `/long`, `/read`, which reads its body, and `/note`, which notes its query.
async fn start(limits: Limits) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let queries = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&queries);
    let router = Router::new()
        .route("/long", get(async || "x".repeat(LONG)))
        .route("/read", post(async |body: String| body))
        .route(
            "/note",
            get(async move |uri: Uri| {
                notes.lock().unwrap().push(uri.query().unwrap_or_default().to_owned());
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        // Never told to stop.
        let (_stop, stopping) = watch::channel(false);
        serve(listener, router, stopping, &limits, PATIENCE).await;
    });
    (address, queries)
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

#[tokio::test]
async fn a_body_that_takes_too_long_in_all_is_given_up() {
    let (address, _) = start(Limits { body: SHORT, ..LIMITS }).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    send(&mut stream, "POST /read HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nab").await;
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

/// With room for one connection, the second is served only once the first was let go.
#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_let_go() {
    let (address, _) = start(Limits { unread: SHORT, connections: 1, ..LIMITS }).await;
    let mut deaf = TcpStream::connect(address).await.unwrap();
    send(&mut deaf, "GET /long HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let mut next = TcpStream::connect(address).await.unwrap();
    send(&mut next, "GET /note HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let answer = answer(&mut next).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let (address, queries) = start(Limits { connections: 1, ..LIMITS }).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    send(&mut first, "GET /note?first HTTP/1.1\r\nhost: h\r\n\r\n").await;
    answer(&mut first).await;
    let mut second = TcpStream::connect(address).await.unwrap();
    send(&mut second, "GET /note?second HTTP/1.1\r\nhost: h\r\n\r\n").await;
    for _ in 0..100 {
        send(&mut first, "GET /note?first HTTP/1.1\r\nhost: h\r\n\r\n").await;
        answer(&mut first).await;
    }
    drop(first);
    answer(&mut second).await;
    let queries = queries.lock().unwrap();
    assert_eq!(queries.iter().position(|query| query == "second"), Some(101));
}
