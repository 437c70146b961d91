//! Servers on PostgreSQL, and requests whose answers are seen whole.

use std::time::Duration;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_postgres::NoTls;

use crate::server::{Server, command, run, serving};

/// How long an answer may take when the database fails. No test sets a limit that is longer.
const BOUND: Duration = Duration::from_secs(8);

/// A server on this database, with more arguments.
pub(crate) async fn serve(database: &str, arguments: &[&str]) -> Server {
    Server::start(serving(command(), database).args(arguments)).await
}

/// Brings a schema up to date, which a server with little patience may not have the time for.
pub(crate) async fn migrate(database: &str) {
    let ended = run(command().args(["migrate", "--database", database])).await;
    assert!(ended.status.success(), "{}", ended.stderr);
}

/// A connection of the test's own to a database.
pub(crate) async fn connect(database: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(database, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// An answer, with its head.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    body: String,
}

impl Answer {
    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A 503 with this code that says when to come back.
    pub(crate) fn assert_unable(&self, code: &str) {
        assert_eq!((self.status, &*self.code()), (503, code), "{self:?}");
        assert!(self.head.contains("\r\nretry-after: 1\r\n"), "{self:?}");
    }
}

/// Sends a request with a timeout.
pub(crate) async fn ask(address: &str, method: &str, path: &str, body: &str) -> Answer {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = tokio::time::timeout(BOUND, exchange).await;
    let answer = answer.unwrap_or_else(|_| panic!("{method} {path} hangs"));
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: format!("{head}\r\n").to_lowercase(), body: body.to_owned() }
}

/// The status of a page without a body.
pub(crate) async fn status(address: &str, path: &str) -> u16 {
    ask(address, "GET", path, "").await.status
}
