//! The journal of a real server: streams, and what ends them.

use std::time::Duration;

use octopoid_client::{Client, EventStream};
use octopoid_domain::{journal::JournalEvent, key::NewKey, steps::ForceQueue};
use octopoid_testbed::database::is_postgres;

use crate::{
    load::{claim_by, new_task},
    server::{Disk, PATIENCE, Server, command, serving},
};

const TEN_SECONDS: Duration = Duration::from_secs(10);

/// The next event; none at the end of the stream.
async fn next(stream: &mut EventStream) -> Option<JournalEvent> {
    let next = tokio::time::timeout(PATIENCE, stream.next()).await;
    // A connection that breaks has ended as well.
    next.expect("the stream goes on or ends").unwrap_or_default()
}

async fn line(stream: &mut EventStream) -> String {
    let event = next(stream).await.expect("the stream goes on");
    format!("{} {}", event.name, event.subject.id)
}

/// Another server on the same database, where there can be one.
async fn another(disk: &Disk) -> Option<Server> {
    if is_postgres() { Some(disk.serve().await) } else { None }
}

#[tokio::test]
async fn events_are_read_waited_for_and_followed() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let client = server.client();
    let start = client.list_events(&[]).await.unwrap();
    assert_eq!(start.events, []);
    let mut stream = client.follow_events(&[("types", "task.*")]).await.unwrap();
    let waiting = {
        let (client, cursor) = (server.client(), start.next_cursor.to_string());
        tokio::spawn(async move { client.wait_for_events(&[("cursor", &cursor)], 50).await })
    };
    client.create_task(&new_task("a")).await.unwrap();
    assert_eq!(line(&mut stream).await, "task.created a");
    let page = waiting.await.unwrap().unwrap();
    assert_eq!((page.events.len(), Some(page.next_cursor)), (1, stream.cursor()));
    client.claim_task(&claim_by("agent-1")).await.unwrap().unwrap();
    assert_eq!(line(&mut stream).await, "task.claimed a");
    let query = [("cursor", "0"), ("task_id", "a"), ("limit", "1")];
    assert_eq!(client.list_events(&query).await.unwrap().events[0].name, "task.created");
    let gone = client.follow_events(&[("cursor", "nonsense")]).await.unwrap_err();
    assert_eq!(gone.status(), Some(400));
}

#[tokio::test]
async fn events_of_all_servers_reach_a_stream() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let other = another(&disk).await;
    let mut stream = server.client().follow_events(&[]).await.unwrap();
    for (number, server) in
        [&server, other.as_ref().unwrap_or(&server)].repeat(5).iter().enumerate()
    {
        let id = format!("t{number}");
        server.client().create_task(&new_task(&id)).await.unwrap();
        assert_eq!(line(&mut stream).await, format!("task.created {id}"));
    }
}

/// What is lost with the connection is read at the next look at the journal.
#[tokio::test]
async fn events_of_another_server_reach_a_stream_without_the_relay_too() {
    const CUT_OFF: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE application_name = $1 AND (query LIKE 'LISTEN%' OR query LIKE 'SELECT pg_notify%')";
    if !is_postgres() {
        return;
    }
    let disk = Disk::new().await;
    let name = format!("relay-test-{}", std::process::id());
    let url = format!("{}&application_name={name}", disk.url());
    let serve = async || {
        let mut command = serving(command(), &url);
        Server::start(command.args(["--db-connections", "4"])).await
    };
    let (server, other) = (serve().await, serve().await);
    let mut stream = server.client().follow_events(&[]).await.unwrap();
    let (database, connection) =
        tokio_postgres::connect(&disk.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    for number in 0..3 {
        let cut_off = database.query(CUT_OFF, &[&name]).await.unwrap();
        assert!(number > 0 || cut_off.len() == 2, "both servers have a relay");
        let id = format!("t{number}");
        other.client().create_task(&new_task(&id)).await.unwrap();
        assert_eq!(line(&mut stream).await, format!("task.created {id}"));
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_server_and_goes_on_at_the_next() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let mut stream = server.client().follow_events(&[]).await.unwrap();
    server.client().create_task(&new_task("a")).await.unwrap();
    assert_eq!(line(&mut stream).await, "task.created a");
    server.terminate().await;
    assert_eq!(next(&mut stream).await, None);
    let ended = server.ends(TEN_SECONDS).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(!ended.stdout.contains("timed out"), "{}", ended.stdout);

    let server = disk.serve().await;
    server.client().create_task(&new_task("b")).await.unwrap();
    let cursor = stream.cursor().unwrap().to_string();
    let mut stream = server.client().follow_events(&[("cursor", &cursor)]).await.unwrap();
    assert_eq!(line(&mut stream).await, "task.created b");
    // A server that is killed says nothing.
    server.kill().await;
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test]
async fn a_stream_ends_with_its_key() {
    const ADMIN: &str = "the-administrators-token";
    let disk = Disk::new().await;
    let variables = [("API_SECRET_KEY", ADMIN)];
    let server = disk.serve_with(&["--auth", "required"], &variables).await;
    let admin = server.client().with_key(ADMIN);
    let new = NewKey { scope: "s".into(), ..NewKey::default() };
    let issued = admin.issue_key(&new).await.unwrap();
    let mut stream = server
        .client()
        .with_key(issued.api_key)
        .follow_events(&[("types", "task.*")])
        .await
        .unwrap();
    // On any server.
    let other = if is_postgres() {
        Some(disk.serve_with(&["--auth", "required"], &variables).await)
    } else {
        None
    };
    let other = other.as_ref().unwrap_or(&server).client().with_key(ADMIN);
    other.revoke_key(&issued.key.id).await.unwrap();
    assert_eq!(next(&mut stream).await, None);
}

/// Moves a task back and forth, with a long reason each time.
async fn makes_long_events(client: &Client, count: usize) {
    for number in 0..count {
        let queue = if number % 2 == 0 { "failed" } else { "incoming" };
        let reason = format!("{number}").repeat(60_000 / 3);
        let order = ForceQueue { queue: queue.into(), reason: reason.into() };
        client.force_queue_task("a", &order).await.unwrap();
    }
}

/// The sockets take some megabytes, and the server keeps no more than a few.
#[tokio::test]
async fn a_slow_reader_is_ended_and_goes_on_by_cursor() {
    const EVENTS: usize = 400;
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let client = server.client();
    client.create_task(&new_task("a")).await.unwrap();
    let mut slow = client.follow_events(&[("types", "task.*")]).await.unwrap();
    makes_long_events(&client, EVENTS).await;
    let mut versions = Vec::new();
    while let Some(event) = next(&mut slow).await {
        versions.push(event.version.unwrap());
    }
    assert!(versions.len() < EVENTS, "all events were kept for a reader that took none");
    let cursor = slow.cursor().unwrap().to_string();
    let query = [("types", "task.*"), ("cursor", &*cursor)];
    let mut stream = client.follow_events(&query).await.unwrap();
    while versions.len() < EVENTS {
        versions.push(next(&mut stream).await.expect("the stream goes on").version.unwrap());
    }
    // The first version is that of the task's creation.
    assert!(
        versions.iter().zip(2..).all(|(version, expected)| *version == expected),
        "{versions:?}"
    );
}
