//! Requests as they are on the wire, whole or in pieces.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    load::new_task,
    server::{Disk, Server},
};

/// A connection on which a request is sent piece by piece.
pub(crate) struct Connection(TcpStream);

impl Connection {
    pub(crate) async fn open(server: &Server) -> Self {
        Self::open_at(&server.address).await
    }

    pub(crate) async fn open_at(address: &str) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Sends the head of a POST, and the first half of its body.
    pub(crate) async fn begin(server: &Server, path: &str, body: &str) -> Self {
        let mut connection = Self::open(server).await;
        let (half, length) = (&body[..body.len() / 2], body.len());
        connection
            .send(&format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{half}"
            ))
            .await;
        connection
    }

    /// Sends the other half.
    pub(crate) async fn finish(&mut self, body: &str) {
        self.send(&body[body.len() / 2..]).await;
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// The beginning of the answer; a short one is there at once.
    pub(crate) async fn start(&mut self, within: Duration) -> String {
        let mut bytes = vec![0; 4096];
        let length = tokio::time::timeout(within, self.0.read(&mut bytes)).await;
        bytes.truncate(length.expect("the server answers").unwrap());
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// All that comes until the server closes the connection; an answer, or nothing.
    pub(crate) async fn rest(&mut self, within: Duration) -> String {
        let mut bytes = Vec::new();
        let reading = tokio::time::timeout(within, self.0.read_to_end(&mut bytes)).await;
        // A connection that is reset was closed as well.
        let _ = reading.unwrap_or_else(|_| panic!("the server hangs after {bytes:?}"));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[tokio::test]
async fn half_a_body_gets_an_answer_within_seconds() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let body = r#"{"id":"a","file_path":"a.md","branch":"b","scope":"s"}"#;
    let mut connection = Connection::begin(&server, "/api/v1/tasks", body).await;
    let answer = connection.rest(Duration::from_secs(13)).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("\"code\":\"unreadable_body\""), "{answer}");
    assert_eq!(server.client().get_task("a").await.unwrap_err().status(), Some(404));
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    for text in
        ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nbad header\r\n\r\n", "\u{16}\u{3}\u{1}\r\n\r\n"]
    {
        let mut connection = Connection::open(&server).await;
        connection.send(text).await;
        let answer = connection.rest(Duration::from_secs(5)).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{text}: {answer}");
    }
    server.client().health().await.unwrap();
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let mut connection = Connection::open(&server).await;
    let get = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let last = "GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    connection.send(&format!("{get}{get}{last}")).await;
    let answers = connection.rest(Duration::from_secs(5)).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
}

#[tokio::test]
async fn a_body_of_any_coding_is_read() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let mut connection = Connection::open(&server).await;
    let body = r#"{"id":"a","file_path":"a.md","branch":"b","scope":"s"}"#;
    let (first, second) = body.split_at(10);
    connection
        .send(&format!(
            "POST /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             transfer-encoding: chunked\r\n\r\na\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
            second.len()
        ))
        .await;
    let answer = connection.rest(Duration::from_secs(5)).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[tokio::test]
async fn a_large_body_is_taken_and_one_over_the_limit_refused() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let client = server.client();
    let mut new = new_task("a");
    new.content = "x".repeat(2_199_700).into();
    let length = client.create_task(&new).await.unwrap().content.map(|content| content.len());
    assert_eq!(length, Some(2_199_700));

    let body = " ".repeat(4 * 1024 * 1024 + 1);
    let mut connection = Connection::begin(&server, "/api/v1/tasks", &body).await;
    connection.finish(&body).await;
    let answer = connection.start(Duration::from_secs(5)).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("\"code\":\"body_too_large\""), "{answer}");
}
