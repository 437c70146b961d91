//! Many connections, unread bodies, and an unread log.

use octopoid_client::Client;
use tokio::{net::TcpStream, task::JoinSet};

use crate::{
    load::new_task,
    server::{Disk, Mute, PATIENCE, Server, command, limited_command},
    wire::Connection,
};

async fn idle_connections(server: &Server, number: usize) -> Vec<TcpStream> {
    let mut idle = Vec::new();
    for _ in 0..number {
        idle.push(TcpStream::connect(&server.address).await.unwrap());
    }
    idle
}

#[tokio::test]
async fn idle_connections_do_not_keep_others_out() {
    let disk = Disk::new().await;
    let mut server = Server::start(&mut disk.configure(limited_command("-n 256"))).await;
    let printed = server.printed().join("\n");
    assert!(printed.contains("allows only 103 connections"), "{printed}");
    let _idle = idle_connections(&server, 200).await;
    server.client().create_task(&new_task("a")).await.unwrap();
    server.prints("closed idle connections to accept new ones").await;
}

#[tokio::test]
async fn the_soft_limit_of_open_files_is_raised() {
    let disk = Disk::new().await;
    let command = limited_command("-S -n 64; ulimit -H -n 1024");
    let server = Server::start(&mut disk.configure(command)).await;
    let _idle = idle_connections(&server, 200).await;
    server.client().health().await.unwrap();
    let printed = server.printed().join("\n");
    assert!(printed.contains("allows only 717 connections and 179 event streams"), "{printed}");
    assert!(!printed.contains("closed idle connections"), "{printed}");
}

#[tokio::test]
async fn a_refused_body_does_not_cost_the_connection() {
    let disk = Disk::new().await;
    let server = disk.serve_with(&["--auth", "required"], &[]).await;
    let mut connection = Connection::open(&server).await;
    let body = "x".repeat(60_000);
    let length = body.len();
    for path in ["/api/v1/tasks", "/api/v1/nothing", "/nothing"] {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        connection.send(&request).await;
    }
    let last = "GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    connection.send(last).await;
    let answers = connection.rest(PATIENCE).await;
    let statuses: Vec<_> =
        answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["401", "401", "404", "200"], "{answers}");
}

#[tokio::test]
async fn an_answer_to_a_body_that_is_too_long_can_be_read_and_ends_the_connection() {
    let disk = Disk::new().await;
    let server = disk.serve_with(&["--body-limit", "1000"], &[]).await;
    let mut connection = Connection::open(&server).await;
    let body = "x".repeat(20_000_000);
    let length = body.len();
    let head = format!(
        "POST /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\n\
         content-length: {length}\r\n\r\n"
    );
    connection.send(&head).await;
    connection.send(&body).await;
    let answer = connection.rest(PATIENCE).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_neither_requests_nor_the_end() {
    // More than the pipe and the buffer hold. Each line names its task.
    const LINES: usize = 600;
    const ID: usize = 250;
    let disk = Disk::new().await;
    let mut command = disk.configure(command());
    let server = Mute::start(command.args(["--log-buffer", "65536"])).await;
    let client = Client::new(&format!("http://{}", server.address)).unwrap().with_scope("s");
    let mut agents = JoinSet::new();
    for agent in 0..20 {
        let client = client.clone();
        agents.spawn(async move {
            for number in 0..LINES / 20 {
                let id = format!("{agent}-{number:x>ID$}");
                client.create_task(&new_task(&id)).await.unwrap();
            }
        });
    }
    agents.join_all().await;
    client.health().await.unwrap();
    assert_eq!(server.stops().await.code(), Some(0));
}
