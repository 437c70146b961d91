//! Groups: which batches share a transaction, and what the others see of one that fails.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{sync::Arc, time::Duration};

use futures_util::future::{FutureExt, join_all, select_all};
use octopoid_store::{
    EngineError, Sql,
    engine::{Engine, Parameter, Row, Rows, Statement, Value},
    merge::{Merge, Turn},
};
use octopoid_store_postgres::{Options, Postgres};
use octopoid_testbed::database::Schema;
use tokio_postgres::{Client, NoTls};

/// Longer than anything takes on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_mins(1);

/// Creates a row, and says in which transaction.
const CREATE: Sql = Sql::Merged {
    sqlite: None,
    postgres: "INSERT INTO rows (id, value) SELECT ?1, ?2 WHERE 1 = 1 \
        RETURNING pg_current_xact_id()::text",
    merge: Merge::own(
        Turn::Create,
        "WITH created AS (INSERT INTO rows (id, value) SELECT ?1, ?2 FROM input RETURNING id) \
         SELECT n, pg_current_xact_id()::text FROM created JOIN input ON id = ?1",
        0,
    ),
};

/// Adds to a row, and says in which transaction.
const RAISE: Sql = Sql::merged(
    "UPDATE rows SET value = value + ?2 WHERE id = ?1 RETURNING pg_current_xact_id()::text",
    Merge::update(Turn::Change),
);

const SLEEP: Sql = Sql::merged("SELECT pg_sleep(?1)::text", Merge::query(Turn::Read));

const FIND: &str = "SELECT value FROM rows WHERE id = ?1";

/// An engine on a schema of its own with a table, and a connection to look at it. The runtime of
/// these tests has one thread, so batches that are begun together wait together.
struct World {
    engine: Arc<Postgres>,
    client: Client,
    /// The name by which the engine's connections are found.
    name: String,
    schema: Schema,
}

impl World {
    /// `None` if there is no server and the test is to be skipped.
    async fn start(test: &str) -> Option<Self> {
        Self::with(test, Options { lock_wait: PATIENCE, ..Options::default() }).await
    }

    async fn with(test: &str, options: Options) -> Option<Self> {
        let schema = Schema::fresh().await?;
        let name = format!("{test}-{}", std::process::id());
        let location = format!("{}&application_name={name}", schema.url());
        let engine = Arc::new(Postgres::open(&location.parse().unwrap(), options).unwrap());
        let client = connect(&schema).await;
        let table = "CREATE TABLE rows (id BIGINT PRIMARY KEY, value BIGINT CHECK (value >= 0)); \
             INSERT INTO rows SELECT id, 0 FROM generate_series(1, 100) AS id";
        client.batch_execute(table).await.unwrap();
        Some(Self { engine, client, name, schema })
    }

    async fn write(&self, batches: impl IntoIterator<Item = Vec<Statement>>) -> Vec<Outcome> {
        join_all(batches.into_iter().map(|batch| self.engine.write(batch))).await
    }

    async fn value(&self, id: i64) -> Option<i64> {
        let rows = self.client.query("SELECT value FROM rows WHERE id = $1", &[&id]).await;
        rows.unwrap().first().map(|row| row.get(0))
    }
}

type Outcome = Result<Vec<Rows>, EngineError>;

async fn connect(schema: &Schema) -> Client {
    let (client, connection) = tokio_postgres::connect(&schema.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn statement(sql: Sql, parameters: &[i64]) -> Statement {
    let parameters = parameters.iter().map(|&number| Parameter::from(number)).collect();
    Statement { sql, parameters }
}

fn raise(id: i64, by: i64) -> Vec<Statement> {
    vec![statement(RAISE, &[id, by])]
}

/// The number of the transaction in which a batch was written.
fn transaction(outcome: &Outcome) -> u64 {
    match &outcome.as_ref().unwrap()[0][..] {
        [row] => match &row[..] {
            [Value::Text(transaction)] => transaction.parse().unwrap(),
            row => panic!("{row:?} is not a transaction"),
        },
        rows => panic!("{rows:?} is not one row"),
    }
}

#[tokio::test]
async fn batches_that_wait_together_are_one_transaction() {
    let Some(world) = World::start("together").await else { return };
    let creates = (101..=105).map(|id| vec![statement(CREATE, &[id, id])]);
    let batches = (1..=20).map(|id| raise(id, id)).chain(creates);
    let outcomes = world.write(batches).await;
    // The first one may find an open connection, and run at once.
    let transactions: Vec<_> = outcomes.iter().map(transaction).collect();
    assert!(transactions[1..].iter().all(|one| *one == transactions[1]), "{transactions:?}");
    for id in (1..=20).chain(101..=105) {
        assert_eq!(world.value(id).await, Some(id));
    }
}

#[tokio::test]
async fn batches_that_change_the_same_row_follow_each_other() {
    let Some(world) = World::start("same").await else { return };
    let outcomes = world.write((0..5).map(|_| raise(1, 1))).await;
    let mut transactions: Vec<_> = outcomes.iter().map(transaction).collect();
    assert!(transactions.is_sorted(), "they run in the order in which they came");
    transactions.dedup();
    assert_eq!(transactions.len(), 5);
    assert_eq!(world.value(1).await, Some(5));
}

#[tokio::test]
async fn a_batch_that_fails_fails_alone() {
    let Some(world) = World::start("fails").await else { return };
    // One takes the value below zero, and one creates a row that is there.
    let mut batches: Vec<_> = (1..=20).map(|id| raise(id, 1)).collect();
    batches[7] = raise(8, -1);
    batches[15] = vec![statement(CREATE, &[16, 1])];
    let outcomes = world.write(batches).await;
    for (id, outcome) in (1..).zip(&outcomes) {
        if id == 8 || id == 16 {
            assert!(matches!(outcome, Err(EngineError::Constraint(_))), "{id}: {outcome:?}");
            assert_eq!(world.value(id).await, Some(0));
        } else {
            transaction(outcome);
            assert_eq!(world.value(id).await, Some(1));
        }
    }
}

#[tokio::test]
async fn a_row_that_another_program_has_locked_delays_its_own_batch_only() {
    let Some(world) = World::start("locked").await else { return };
    let other = connect(&world.schema).await;
    other.batch_execute("BEGIN; UPDATE rows SET value = 5 WHERE id = 3").await.unwrap();
    let engine = &world.engine;
    let mut running: Vec<_> = (1..=20)
        .map(|id| Box::pin(async move { (id, engine.write(raise(id, 1)).await) }))
        .collect();
    while running.len() > 1 {
        let ((id, outcome), _, rest) = select_all(running).await;
        assert_ne!(id, 3, "{outcome:?} while its row is locked");
        outcome.unwrap();
        running = rest;
    }
    other.batch_execute("COMMIT").await.unwrap();
    let ((id, outcome), ..) = select_all(running).await;
    assert_eq!(id, 3);
    outcome.unwrap();
    assert_eq!(world.value(3).await, Some(6));
}

#[tokio::test]
async fn no_batch_of_a_group_is_done_in_part_when_its_connection_is_killed() {
    let Some(world) = World::start("killed").await else { return };
    let engine = Arc::clone(&world.engine);
    let group = tokio::spawn(async move {
        let mut batches: Vec<_> = (1..=20).map(|id| raise(id, 1)).collect();
        // The first one may run at once. The others are a group.
        batches[1].push(statement(SLEEP, &[3600]));
        join_all(batches.into_iter().map(|batch| engine.write(batch))).await
    });
    let kill = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
        WHERE application_name = $1 AND wait_event = 'PgSleep'";
    let killed = async {
        while world.client.query_one(kill, &[&world.name]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, killed).await.unwrap();
    for (id, outcome) in (1..).zip(group.await.unwrap()) {
        let was_killed =
            matches!(outcome, Err(EngineError::Unavailable(_) | EngineError::Unconfirmed(_)));
        assert!(was_killed || id == 1 && outcome.is_ok(), "{id}: {outcome:?}");
        let done = i64::from(outcome.is_ok());
        assert_eq!(world.value(id).await, Some(done), "the group was not committed");
    }
    // The next group has another connection.
    world.write((1..=20).map(|id| raise(id, 1))).await.iter().for_each(|outcome| {
        transaction(outcome);
    });
}

#[tokio::test]
async fn a_batch_that_takes_too_long_ends_without_the_others() {
    let options = Options { batch_timeout: Duration::from_millis(500), ..Options::default() };
    let Some(world) = World::with("slow", options).await else { return };
    let mut batches: Vec<_> = (1..=20).map(|id| raise(id, 1)).collect();
    batches[7].push(statement(SLEEP, &[3600]));
    for (id, outcome) in (1..).zip(world.write(batches).await) {
        if id == 8 {
            assert!(matches!(outcome, Err(EngineError::Busy(_))), "{outcome:?}");
            assert_eq!(world.value(id).await, Some(0));
        } else {
            transaction(&outcome);
            assert_eq!(world.value(id).await, Some(1));
        }
    }
}

#[tokio::test]
async fn a_locked_table_delays_a_group_until_its_batches_run_alone() {
    let Some(world) = World::start("table").await else { return };
    let other = connect(&world.schema).await;
    other.batch_execute("BEGIN; LOCK TABLE rows IN EXCLUSIVE MODE").await.unwrap();
    let engine = Arc::clone(&world.engine);
    let writes =
        tokio::spawn(async move { join_all((1..=20).map(|id| engine.write(raise(id, 1)))).await });
    // All that the pool lets write at the same time wait on connections of their own.
    let waits = "SELECT COUNT(*) FROM pg_stat_activity \
        WHERE application_name = $1 AND wait_event_type = 'Lock'";
    let waiting = async {
        while world.client.query_one(waits, &[&world.name]).await.unwrap().get::<_, i64>(0) < 12 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    other.batch_execute("COMMIT").await.unwrap();
    for outcome in writes.await.unwrap() {
        transaction(&outcome);
    }
}

#[tokio::test]
async fn a_caller_that_leaves_changes_nothing_for_the_others() {
    let Some(world) = World::start("leaves").await else { return };
    let mut running: Vec<_> = (1..=20).map(|id| world.engine.write(raise(id, 1))).collect();
    // The first one runs, and the others are queued, once they were polled.
    for batch in &mut running {
        assert!(batch.now_or_never().is_none());
    }
    running.drain(..10).for_each(drop);
    for outcome in join_all(running).await {
        transaction(&outcome);
    }
    for id in 11..=20 {
        assert_eq!(world.value(id).await, Some(1));
    }
}

#[tokio::test]
async fn each_read_of_a_group_has_its_own_rows() {
    let Some(world) = World::start("reads").await else { return };
    world.write((1..=100).map(|id| raise(id, id))).await;
    // Every id twice, one that is not there, and batches of two statements.
    let ids: Vec<_> = (1..=20).chain(1..=20).chain([777]).collect();
    let reads = ids.iter().map(|&id| {
        let find = |id| statement(Sql::from(FIND), &[id]);
        world.engine.read_by_key(vec![find(id), find(id + 1)])
    });
    let expected = |id: i64| -> Rows {
        let rows: Vec<Row> = vec![vec![Value::Int(id)]];
        if id <= 100 { rows } else { Rows::new() }
    };
    for (id, answers) in ids.iter().zip(join_all(reads).await) {
        assert_eq!(answers.unwrap(), [expected(*id), expected(id + 1)]);
    }
}
