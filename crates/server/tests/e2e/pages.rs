//! What web pages can do to a server on the same machine, request by request as browsers send them.

use std::time::Duration;

use crate::{
    load::new_task,
    server::{Disk, Server, command, run},
    wire::Connection,
};

const TASK: &str = r#"{"id":"e","file_path":"e","branch":"main","scope":"s"}"#;
/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends a request with these headers, and reads the answer.
async fn send(server: &Server, line: &str, headers: &str, body: &str) -> String {
    let mut connection = Connection::open(server).await;
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\n{headers}\r\nconnection: close\r\n");
    connection.send(&format!("{head}content-length: {length}\r\n\r\n{body}")).await;
    connection.rest(PATIENCE).await
}

#[track_caller]
fn assert_refused(answer: &str, code: &str) {
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
    let head = answer.to_lowercase();
    assert!(head.contains("x-content-type-options: nosniff"), "{answer}");
    assert!(!head.contains("access-control-allow-origin"), "{answer}");
}

#[tokio::test]
async fn a_page_cannot_drive_a_server_on_the_same_machine() {
    let disk = Disk::new().await;
    let mut server = disk.serve().await;
    let host = format!("host: {}", server.address);
    let page = "origin: https://evil.example";
    let create = "POST /api/v1/tasks";
    let machine = r#"{"cluster":"c","machine_id":"m","scope":"s"}"#;
    for (line, headers, body) in [
        // A script that asks nobody's permission.
        (create, format!("{host}\r\n{page}\r\ncontent-type: text/plain"), TASK),
        // A form without any script.
        (create, format!("{host}\r\norigin: null\r\nsec-fetch-site: cross-site"), TASK),
        ("POST /api/v1/tasks/a/requeue", format!("{host}\r\n{page}"), ""),
        ("POST /api/v1/orchestrators/register", format!("{host}\r\n{page}"), machine),
        // An image.
        ("GET /api/v1/tasks?scope=s", format!("{host}\r\nsec-fetch-site: cross-site"), ""),
    ] {
        assert_refused(&send(&server, line, &headers, body).await, "foreign_origin");
    }
    // Its own name, made to resolve to this machine.
    for rebound in ["evil.example:8787", "localhost.evil.example"] {
        let headers = format!("host: {rebound}\r\norigin: http://{rebound}");
        assert_refused(&send(&server, create, &headers, TASK).await, "unknown_host");
        let target = format!("POST http://{rebound}/api/v1/tasks");
        assert_refused(&send(&server, &target, &host, TASK).await, "unknown_host");
    }
    assert_eq!(server.client().get_task("e").await.unwrap_err().status(), Some(404));
    server.prints("refused requests of web pages of other origins").await;
    server.prints("refused requests under unknown host names").await;
    // Programs, under any name of this machine, and without one.
    server.client().create_task(&new_task("a")).await.unwrap();
    for host in ["localhost", "LOCALHOST.:1", "127.8.9.10:80", "[::1]:8787"] {
        let answer = send(&server, "GET /api/v1/tasks/a", &format!("host: {host}"), "").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{host}: {answer}");
    }
    let mut connection = Connection::open(&server).await;
    connection.send("GET /api/v1/tasks/a HTTP/1.0\r\n\r\n").await;
    let answer = connection.rest(PATIENCE).await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
}

#[tokio::test]
async fn origins_and_hosts_that_are_named_may_call() {
    let disk = Disk::new().await;
    let arguments = ["--allowed-host", "octo.example", "--cors-origin", "https://board.example"];
    let server = disk.serve_with(&arguments, &[]).await;
    let board = "origin: https://board.example\r\nsec-fetch-site: cross-site";
    let headers = format!("host: octo.example:99\r\n{board}");
    let answer = send(&server, "POST /api/v1/tasks", &headers, TASK).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let head = answer.to_lowercase();
    assert!(head.contains("access-control-allow-origin: https://board.example\r\n"), "{answer}");
    let other = "host: octo.example\r\norigin: https://other.example";
    assert_refused(&send(&server, "GET /api/health", other, "").await, "foreign_origin");
    let ended = run(command().args(["--allowed-host", "http://octo.example"])).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("--allowed-host \"http://octo.example\""), "{}", ended.stderr);
}
