//! Claims that wait for work.

use std::time::Duration;

use octopoid_testbed::database::is_postgres;

use crate::{
    load::{claim_by, new_task},
    server::{Disk, PATIENCE},
    wire::Connection,
};

/// A claim on the wire, which closes the connection after the answer.
fn claim(seconds: u32) -> String {
    let body = r#"{"orchestrator_id":"o","agent_name":"a","scope":"s"}"#;
    format!(
        "POST /api/v1/tasks/claim HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         prefer: wait={seconds}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_claim_that_waits_gets_what_turns_up_wherever_it_is_created() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    // Only a database of many servers can have a second one.
    let second = if is_postgres() { Some(disk.serve().await) } else { None };
    let other = second.as_ref().unwrap_or(&server).client();
    let client = server.client();
    let waiting = tokio::spawn(async move { client.wait_for_task(&claim_by("early"), 50).await });
    other.create_task(&new_task("a")).await.unwrap();
    let claimed = tokio::time::timeout(PATIENCE, waiting).await.expect("the wait ends early");
    let claimed = claimed.unwrap().unwrap().expect("there is a task");
    assert_eq!((&*claimed.id, claimed.claimed_by.as_deref()), ("a", Some("early")));
}

#[tokio::test]
async fn a_claim_that_has_waited_in_vain_is_told_so() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let mut connection = Connection::open(&server).await;
    connection.send(&claim(1)).await;
    let answer = connection.rest(PATIENCE).await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(answer.contains("preference-applied: wait=1\r\n"), "{answer}");
    assert!(answer.ends_with(r#"{"message":"No tasks available"}"#), "{answer}");
}

#[tokio::test]
async fn a_server_that_stops_answers_those_who_wait() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let mut connection = Connection::open(&server).await;
    connection.send(&claim(50)).await;
    // The server accepts connections in their order, so it has the claim by now.
    server.client().health().await.unwrap();
    server.terminate().await;
    let answer = connection.rest(PATIENCE).await;
    assert!(answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 503"), "{answer}");
    let ended = server.ends(Duration::from_secs(10)).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}
