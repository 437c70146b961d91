//! Positions in the journal, while transactions commit in another order than they write.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::Arc;

use octopoid_domain::{
    journal::{Cursor, Filter, Start},
    message::Message,
};
use octopoid_store::{Once, Stamp, Store, Terms};
use octopoid_store_postgres::Options;
use octopoid_store_testkit::World;
use octopoid_testbed::database::Schema;
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};
use tokio_postgres::{Client, NoTls};

/// A journal, and a reader that goes on from its last cursor.
struct Journal {
    schema: Schema,
    store: Store,
    cursor: Cursor,
}

impl Journal {
    /// `None` if there is no server and the test is to be skipped.
    async fn new() -> Option<Self> {
        let schema = Schema::fresh().await?;
        let store = World::on(Arc::new(schema.engine(Options::default()))).await.unwrap().store;
        Some(Self { schema, store, cursor: Cursor(0) })
    }

    async fn connection(&self) -> Client {
        let (client, connection) =
            tokio_postgres::connect(&self.schema.url(), NoTls).await.expect("the server is there");
        tokio::spawn(connection);
        client
    }

    /// The subjects of the events since the last call.
    async fn reads(&mut self) -> Vec<String> {
        let start = Start::After(self.cursor);
        let page = self.store.read_events(Some("s"), &Filter::default(), start, 500).await.unwrap();
        assert!(page.next >= self.cursor && page.is_last);
        self.cursor = page.next;
        page.events.into_iter().map(|event| event.subject.id).collect()
    }
}

async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap();
}

/// Begins a transaction that records an event.
async fn begin(client: &Client, subject: &str) {
    let insert = "INSERT INTO events (scope, kind, subject, event, at)";
    run(client, &format!("BEGIN; {insert} VALUES ('s', 'message', '{subject}', 'created', 0)"))
        .await;
}

#[tokio::test]
async fn events_that_are_committed_in_reverse_are_both_read() {
    let Some(mut journal) = Journal::new().await else { return };
    let (first, second) = (journal.connection().await, journal.connection().await);
    begin(&first, "first").await;
    begin(&second, "second").await;
    run(&second, "COMMIT").await;
    assert_eq!(journal.reads().await, ["second"]);
    run(&first, "COMMIT").await;
    assert_eq!(journal.reads().await, ["first"]);
    assert_eq!(journal.reads().await, [""; 0]);
}

#[tokio::test]
async fn a_transaction_that_stays_open_holds_nothing_back() {
    let Some(mut journal) = Journal::new().await else { return };
    let (open, other) = (journal.connection().await, journal.connection().await);
    begin(&open, "late").await;
    for subject in ["a", "b", "c"] {
        begin(&other, subject).await;
        run(&other, "COMMIT").await;
        assert_eq!(journal.reads().await, [subject]);
    }
    run(&open, "COMMIT").await;
    assert_eq!(journal.reads().await, ["late"]);
}

#[tokio::test]
async fn a_transaction_that_is_rolled_back_leaves_no_gap_and_no_event() {
    let Some(mut journal) = Journal::new().await else { return };
    let (client, other) = (journal.connection().await, journal.connection().await);
    begin(&client, "never").await;
    begin(&other, "a").await;
    run(&other, "COMMIT").await;
    assert_eq!(journal.reads().await, ["a"]);
    let before = journal.cursor;
    run(&client, "ROLLBACK").await;
    begin(&client, "b").await;
    run(&client, "COMMIT").await;
    assert_eq!(journal.reads().await, ["b"]);
    assert_eq!(journal.cursor, Cursor(before.0 + 1));
}

/// Several servers give positions while many transactions overlap: each reader sees each event
/// once, and the events of one writer in their order.
#[tokio::test(flavor = "multi_thread")]
async fn readers_on_several_servers_see_every_event_once() {
    const WRITERS: usize = 4;
    const EVENTS: usize = 60;
    let Some(journal) = Journal::new().await else { return };
    let mut writing = JoinSet::new();
    for writer in 0..WRITERS {
        let client = journal.connection().await;
        writing.spawn(async move {
            for number in 0..EVENTS {
                begin(&client, &format!("{writer}-{number}")).await;
                if number % 3 == writer % 3 {
                    // Others commit meanwhile.
                    run(&client, "SELECT pg_sleep(0.005)").await;
                }
                run(&client, "COMMIT").await;
            }
        });
    }
    let mut reading = JoinSet::new();
    for _ in 0..3 {
        let options = Options { connections: 2, ..Options::default() };
        let store = Store::new(Arc::new(journal.schema.engine(options)));
        reading.spawn(async move {
            let (mut cursor, mut seen) = (Cursor(0), Vec::new());
            while seen.len() < WRITERS * EVENTS {
                let start = Start::After(cursor);
                let page =
                    store.read_events(Some("s"), &Filter::default(), start, 7).await.unwrap();
                cursor = page.next;
                seen.extend(page.events.into_iter().map(|event| event.subject.id));
            }
            seen
        });
    }
    writing.join_all().await;
    let mut all = reading.join_all().await;
    for writer in 0..WRITERS {
        let own = format!("{writer}-");
        let numbers: Vec<_> = all[0].iter().filter_map(|id| id.strip_prefix(&*own)).collect();
        let expected: Vec<_> = (0..EVENTS).map(|number| number.to_string()).collect();
        assert_eq!(numbers, expected, "in the order of the commits");
    }
    let first = all.pop().unwrap();
    assert!(all.iter().all(|other| *other == first), "all readers see the same order");
}

/// A message from a person to the agent, written by a request with this key.
async fn writes(store: Store, id: &str, key: &str, stamp: Stamp) {
    let once = Once {
        scope: "s".to_owned(),
        route: "r".to_owned(),
        key: key.to_owned(),
        body_hash: String::new(),
        status: 201,
    };
    let message = Message {
        task_id: id.to_owned(),
        from_actor: "human".to_owned(),
        to_actor: Some("agent".to_owned()),
        kind: "info".to_owned(),
        content: key.to_owned(),
        created_at: stamp.now,
        scope: "s".to_owned(),
        ..Message::default()
    };
    let store = store.under(Terms { once: Some(once), versions: None });
    store.create_message(message, stamp).await.unwrap();
}

/// Waits until a query finds a row.
async fn finds(client: &Client, sql: &str) {
    while client.query(sql, &[]).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

async fn ends(task: &JoinHandle<()>) {
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
}

/// The first message is written, but not committed: its request waits for another with its key.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_committed_late_is_delivered_all_the_same() {
    let Some(schema) = Schema::fresh().await else { return };
    let world = World::on(Arc::new(schema.engine(Options::default()))).await.unwrap();
    let (client, connection) = tokio_postgres::connect(&schema.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    world.creates("a").await.unwrap();
    let claimed = world.claims_leased(json!({})).await.unwrap().unwrap();
    let mut known = Vec::new();
    let mut hears = async || {
        let after = known.last().map(|message: &Message| message.id.clone());
        let body = json!({ "lease_token": claimed.token.to_string(), "messages_after": after });
        known.extend(world.renews_with("a", body).await.unwrap().messages);
        known.iter().map(|message| message.content.clone()).collect::<Vec<_>>()
    };
    run(
        &client,
        "BEGIN; INSERT INTO idempotency (scope, route, key, body_hash, status, at) \
         VALUES ('s', 'r', 'first', '', 201, 0)",
    )
    .await;
    let first = tokio::spawn(writes(world.store.clone(), "a", "first", world.stamp()));
    finds(&client, "SELECT 1 FROM messages_seq_seq WHERE is_called").await;
    let second = tokio::spawn(writes(world.store.clone(), "a", "second", world.stamp()));
    let waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory'";
    tokio::select! {
        () = finds(&client, waits) => {}
        () = ends(&second) => {}
    }
    hears().await;
    run(&client, "ROLLBACK").await;
    first.await.unwrap();
    second.await.unwrap();
    let mut all = hears().await;
    all.sort();
    assert_eq!(all, ["first", "second"]);
}
