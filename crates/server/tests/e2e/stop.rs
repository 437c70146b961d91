//! SIGTERM: no more work is handed out, what is in flight is finished, and the process ends.

use std::time::Duration;

use tokio::net::TcpStream;

use crate::{
    load::{claim_by, new_task},
    server::Disk,
    wire::Connection,
};

const TEN_SECONDS: Duration = Duration::from_secs(10);

const CREATE: &str = r#"{"id":"b","file_path":"b.md","branch":"main","scope":"s"}"#;
const CLAIM: &str = r#"{"orchestrator_id":"o","agent_name":"a","scope":"s"}"#;

#[tokio::test]
async fn a_server_that_has_just_started_stops_at_once() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    server.terminate().await;
    let ended = server.ends(TEN_SECONDS).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("stopped"), "{}", ended.stdout);
}

#[tokio::test]
async fn requests_in_flight_are_finished_and_claims_put_off() {
    let disk = Disk::new().await;
    let mut server = disk.serve().await;
    let client = server.client();
    client.create_task(&new_task("a")).await.unwrap();
    // An idle connection does not keep the server.
    let _idle = Connection::open(&server).await;
    let mut create = Connection::begin(&server, "/api/v1/tasks", CREATE).await;
    let mut claim = Connection::begin(&server, "/api/v1/tasks/claim", CLAIM).await;
    // The server accepts connections in their order, so it has all three by now.
    client.health().await.unwrap();

    server.terminate().await;
    server.prints("stopping").await;
    create.finish(CREATE).await;
    claim.finish(CLAIM).await;
    let answer = create.rest(TEN_SECONDS).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let answer = claim.rest(TEN_SECONDS).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\"stopping\""), "{answer}");
    assert!(TcpStream::connect(&server.address).await.is_err(), "a new connection was taken");
    let ended = server.ends(TEN_SECONDS).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);

    let client = disk.serve().await;
    let client = client.client();
    assert_eq!(client.get_task("b").await.unwrap().queue, "incoming");
    let task = client.claim_task(&claim_by("agent-1")).await.unwrap().unwrap();
    assert_eq!((&*task.id, task.version), ("a", 2));
}

#[tokio::test]
async fn a_client_that_dawdles_does_not_hold_up_the_end() {
    let disk = Disk::new().await;
    let mut server = disk.serve().await;
    let _dawdler = Connection::begin(&server, "/api/v1/tasks", CREATE).await;
    server.client().health().await.unwrap();
    server.terminate().await;
    server.prints("stopping").await;
    let ended = server.ends(TEN_SECONDS).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("timed out waiting"), "{}", ended.stdout);
}

#[tokio::test]
async fn a_second_signal_ends_the_server_at_once() {
    let disk = Disk::new().await;
    let mut server = disk.serve().await;
    let _dawdler = Connection::begin(&server, "/api/v1/tasks", CREATE).await;
    server.client().health().await.unwrap();
    server.terminate().await;
    server.prints("stopping").await;
    server.terminate().await;
    let ended = server.ends(Duration::from_secs(5)).await;
    assert_eq!(ended.status.code(), Some(1));
}
