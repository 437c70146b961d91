//! Lists that take for ever: they end with their callers, with the server and in time, and hold up
//! nobody else.

use std::time::Duration;

use octopoid_domain::Millis;
use octopoid_store::{Store, engine::Statement};

use crate::{
    load::new_task,
    server::{Disk, PATIENCE, Server},
    wire::Connection,
};

/// A list of drafts that never ends, in the place of the table.
const ENDLESS: [&str; 2] = [
    "ALTER TABLE drafts RENAME TO kept_drafts",
    "CREATE VIEW drafts AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
     SELECT i AS id, '' AS title, 'idea' AS status, '' AS author, NULL AS domain, \
     NULL AS file_path, 0 AS created_at, 0 AS updated_at, NULL AS linked_task_id, \
     NULL AS linked_project_id, NULL AS tags, 's' AS scope FROM n",
];

async fn endless() -> Disk {
    let disk = Disk::of_file();
    let engine = disk.engine();
    Store::new(engine.clone()).migrate(Millis(0)).await.unwrap();
    let statements = ENDLESS.map(|sql| Statement { sql: sql.into(), parameters: Vec::new() });
    engine.write(statements.into()).await.unwrap();
    disk
}

/// Asks for the list on so many connections.
async fn ask(server: &Server, count: usize) -> Vec<Connection> {
    let mut connections = Vec::new();
    for _ in 0..count {
        let mut connection = Connection::open(server).await;
        let head = "GET /api/v1/drafts?scope=s HTTP/1.1\r\nhost: 127.0.0.1\r\n\
             connection: close\r\n\r\n";
        connection.send(head).await;
        connections.push(connection);
    }
    // The server accepts connections in their order, so it has all of them by now.
    server.client().health().await.unwrap();
    connections
}

#[tokio::test]
async fn reads_of_clients_that_have_gone_end() {
    let disk = endless().await;
    let server = disk.serve().await;
    let client = server.client();
    client.create_task(&new_task("a")).await.unwrap();
    drop(ask(&server, 100).await);
    // Of the same tenant, so it waits for its turn behind them.
    let list = tokio::time::timeout(PATIENCE, client.list_tasks(&[])).await;
    assert_eq!(list.expect("nobody reads any more").unwrap().total, 1);
}

#[tokio::test]
async fn a_tenants_lists_hold_up_neither_another_tenant_nor_health() {
    let disk = endless().await;
    let server = disk.serve().await;
    let _asking = ask(&server, 100).await;
    let client = server.open_client().with_scope("other");
    client.create_task(&new_task("a")).await.unwrap();
    let list = tokio::time::timeout(PATIENCE, client.list_tasks(&[])).await;
    assert_eq!(list.expect("a reader is left").unwrap().total, 1);
    let health = tokio::time::timeout(PATIENCE, client.health()).await;
    health.expect("health has its own way").unwrap();
}

#[tokio::test]
async fn a_list_that_takes_too_long_is_refused_and_says_what_to_do() {
    let disk = endless().await;
    let server = disk.serve().await;
    let mut asking = ask(&server, 1).await;
    let answer = asking[0].rest(PATIENCE).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("\"code\":\"answer_too_slow\""), "{answer}");
    assert!(answer.contains("limit"), "{answer}");
}

/// Without an end of its own, the first would keep the process for ever, and those that wait behind
/// it for longer still.
#[tokio::test]
async fn the_server_stops_although_lists_take_for_ever() {
    let disk = endless().await;
    let server = disk.serve().await;
    let mut asking = ask(&server, 20).await;
    server.terminate().await;
    let ended = server.ends(Duration::from_secs(20)).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(!ended.stdout.contains("timed out waiting"), "{}", ended.stdout);
    for connection in &mut asking {
        let answer = connection.rest(PATIENCE).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("\"code\":\"stopping\""), "{answer}");
    }
}
