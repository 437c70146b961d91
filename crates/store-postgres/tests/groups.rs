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

mod world;

use world::{PATIENCE, World, connect};

/// Creates a row, and says in which transaction.
const CREATE: Sql = Sql::Merged {
    sqlite: None,
    postgres: "INSERT INTO one (id, value) SELECT ?1, ?2 WHERE 1 = 1 \
        RETURNING pg_current_xact_id()::text",
    merge: Merge::own(
        Turn::Create,
        "WITH created AS (INSERT INTO one (id, value) SELECT ?1, ?2 FROM input RETURNING id) \
         SELECT n, pg_current_xact_id()::text FROM created JOIN input ON id = ?1",
        0,
    ),
};

/// Adds to a row, and says in which transaction.
const RAISE: Sql = Sql::merged(
    "UPDATE one SET value = value + ?2 WHERE id = ?1 RETURNING pg_current_xact_id()::text",
    Merge::update(Turn::Change),
);

const SLEEP: Sql = Sql::merged("SELECT pg_sleep(?1)::text", Merge::query(Turn::Read));

const FIND: &str = "SELECT value FROM one WHERE id = ?1";

/// Runs batches that are begun together. The runtime of these tests has one thread, so they wait
/// together.
async fn write(
    engine: &Postgres,
    batches: impl IntoIterator<Item = Vec<Statement>>,
) -> Vec<Outcome> {
    join_all(batches.into_iter().map(|batch| engine.write(batch))).await
}

/// A world in which a lock is waited for as long as a test lasts.
async fn start(test: &str) -> Option<World> {
    World::start(test, Options { lock_wait: PATIENCE, ..Options::default() }).await
}

type Outcome = Result<Vec<Rows>, EngineError>;

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
    let Some(world) = start("together").await else { return };
    let creates = (101..=105).map(|id| vec![statement(CREATE, &[id, id])]);
    let batches = (1..=20).map(|id| raise(id, id)).chain(creates);
    let outcomes = write(&world.engine, batches).await;
    // The first one may find an open connection, and run at once.
    let transactions: Vec<_> = outcomes.iter().map(transaction).collect();
    assert!(transactions[1..].iter().all(|one| *one == transactions[1]), "{transactions:?}");
    for id in (1..=20).chain(101..=105) {
        assert_eq!(world.value(id).await, id);
    }
}

#[tokio::test]
async fn batches_that_change_the_same_row_follow_each_other() {
    let Some(world) = start("same").await else { return };
    let outcomes = write(&world.engine, (0..5).map(|_| raise(1, 1))).await;
    let mut transactions: Vec<_> = outcomes.iter().map(transaction).collect();
    assert!(transactions.is_sorted(), "they run in the order in which they came");
    transactions.dedup();
    assert_eq!(transactions.len(), 5);
    assert_eq!(world.value(1).await, 5);
}

#[tokio::test]
async fn a_batch_that_fails_fails_alone() {
    let Some(world) = start("fails").await else { return };
    // One takes the value below zero, and one creates a row that is there.
    let mut batches: Vec<_> = (1..=20).map(|id| raise(id, 1)).collect();
    batches[7] = raise(8, -1);
    batches[15] = vec![statement(CREATE, &[16, 1])];
    let outcomes = write(&world.engine, batches).await;
    for (id, outcome) in (1..).zip(&outcomes) {
        if id == 8 || id == 16 {
            assert!(matches!(outcome, Err(EngineError::Constraint(_))), "{id}: {outcome:?}");
            assert_eq!(world.value(id).await, 0);
        } else {
            transaction(outcome);
            assert_eq!(world.value(id).await, 1);
        }
    }
}

#[tokio::test]
async fn a_row_that_another_program_has_locked_delays_its_own_batch_only() {
    let Some(world) = start("locked").await else { return };
    let other = connect(&world.schema).await;
    other.batch_execute("BEGIN; UPDATE one SET value = 5 WHERE id = 3").await.unwrap();
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
    assert_eq!(world.value(3).await, 6);
}

#[tokio::test]
async fn no_batch_of_a_group_is_done_in_part_when_its_connection_is_killed() {
    let Some(world) = start("killed").await else { return };
    let engine = Arc::clone(&world.engine);
    let group = tokio::spawn(async move {
        let mut batches: Vec<_> = (1..=20).map(|id| raise(id, 1)).collect();
        // The first one may run at once. The others are a group.
        batches[1].push(statement(SLEEP, &[3600]));
        join_all(batches.into_iter().map(|batch| engine.write(batch))).await
    });
    let sleeps = "wait_event = 'PgSleep'";
    world.until(1, sleeps).await;
    let kill = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE application_name = '{}' AND {sleeps}",
        world.name
    );
    world.client.batch_execute(&kill).await.unwrap();
    for (id, outcome) in (1..).zip(group.await.unwrap()) {
        let was_killed =
            matches!(outcome, Err(EngineError::Unavailable(_) | EngineError::Unconfirmed(_)));
        assert!(was_killed || id == 1 && outcome.is_ok(), "{id}: {outcome:?}");
        let done = i64::from(outcome.is_ok());
        assert_eq!(world.value(id).await, done, "the group was not committed");
    }
    // The next group has another connection.
    write(&world.engine, (1..=20).map(|id| raise(id, 1))).await.iter().for_each(|outcome| {
        transaction(outcome);
    });
}

#[tokio::test]
async fn a_batch_that_takes_too_long_ends_without_the_others() {
    let options = Options { batch_timeout: Duration::from_millis(500), ..Options::default() };
    let Some(world) = World::start("slow", options).await else { return };
    let mut batches: Vec<_> = (1..=20).map(|id| raise(id, 1)).collect();
    batches[7].push(statement(SLEEP, &[3600]));
    for (id, outcome) in (1..).zip(write(&world.engine, batches).await) {
        if id == 8 {
            assert!(matches!(outcome, Err(EngineError::Busy(_))), "{outcome:?}");
            assert_eq!(world.value(id).await, 0);
        } else {
            transaction(&outcome);
            assert_eq!(world.value(id).await, 1);
        }
    }
}

#[tokio::test]
async fn a_locked_table_delays_a_group_until_its_batches_run_alone() {
    let Some(world) = start("table").await else { return };
    let other = connect(&world.schema).await;
    other.batch_execute("BEGIN; LOCK TABLE one IN EXCLUSIVE MODE").await.unwrap();
    let engine = Arc::clone(&world.engine);
    let writes =
        tokio::spawn(async move { join_all((1..=20).map(|id| engine.write(raise(id, 1)))).await });
    // All that the pool lets write at the same time wait on connections of their own.
    world.until(12, "wait_event_type = 'Lock'").await;
    other.batch_execute("COMMIT").await.unwrap();
    for outcome in writes.await.unwrap() {
        transaction(&outcome);
    }
}

#[tokio::test]
async fn a_caller_that_leaves_changes_nothing_for_the_others() {
    let Some(world) = start("leaves").await else { return };
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
        assert_eq!(world.value(id).await, 1);
    }
}

#[tokio::test]
async fn each_read_of_a_group_has_its_own_rows() {
    let Some(world) = start("reads").await else { return };
    write(&world.engine, (1..=100).map(|id| raise(id, id))).await;
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
