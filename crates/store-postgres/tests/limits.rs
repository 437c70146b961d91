//! Batches that take too long, meet locks that stay, or lose their caller: none keeps a connection
//! of PostgreSQL's, and none stands in the way of the others.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use octopoid_store::{
    EngineError, Sql,
    engine::{Engine, Parameter, Statement},
};
use octopoid_store_postgres::{Options, Postgres};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_postgres::Client;

mod world;

use world::{PATIENCE, World, connect};

fn statement(sql: &'static str, parameters: &[i64]) -> Statement {
    let parameters = parameters.iter().map(|&number| Parameter::from(number)).collect();
    Statement { sql: Sql::from(sql), parameters }
}

/// Runs for an hour, unless it is ended.
fn endless() -> Vec<Statement> {
    vec![statement("SELECT COUNT(pg_sleep(3600))", &[])]
}

fn read(id: i64) -> Vec<Statement> {
    vec![statement("SELECT value FROM one WHERE id = ?1", &[id])]
}

fn read_two(id: i64) -> Vec<Statement> {
    vec![statement("SELECT value FROM two WHERE id = ?1", &[id])]
}

fn raise(id: i64) -> Vec<Statement> {
    vec![statement("UPDATE one SET value = value + 1 WHERE id = ?1", &[id])]
}

const ACTIVE: &str = "state <> 'idle'";

#[tokio::test]
async fn a_read_ends_when_its_caller_goes() {
    for prepares in [true, false] {
        // So long that nothing else would end them.
        let batch_timeout = Duration::from_hours(1);
        let options = Options { connections: 4, batch_timeout, prepares, ..Options::default() };
        let Some(world) = World::start("gone", options).await else { return };
        let mut reads = JoinSet::new();
        for _ in 0..3 {
            let engine = Arc::clone(&world.engine);
            reads.spawn(async move { engine.read(endless()).await });
        }
        world.until(3, "wait_event = 'PgSleep'").await;
        reads.shutdown().await;
        world.until(0, ACTIVE).await;
        assert!(world.engine.read(read(1)).await.is_ok());
    }
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_ended() {
    let (short, long) = (Duration::from_secs(1), Duration::from_hours(1));
    for (batch_timeout, read_time_max) in [(short, long), (long, short)] {
        let options =
            Options { connections: 1, batch_timeout, read_time_max, ..Options::default() };
        let Some(world) = World::start("slow", options).await else { return };
        for batch in [endless(), [read(1), endless(), read(1)].concat()] {
            let error = world.engine.read(batch).await.unwrap_err();
            assert!(matches!(error, EngineError::TooSlow), "{error:?}");
            world.until(0, ACTIVE).await;
        }
        assert!(world.engine.read(read(1)).await.is_ok());
    }
}

#[tokio::test]
async fn a_write_that_takes_too_long_is_ended_and_was_not_done() {
    for prepares in [true, false] {
        let batch_timeout = Duration::from_secs(1);
        let options = Options { connections: 1, batch_timeout, prepares, ..Options::default() };
        let Some(world) = World::start("undone", options).await else { return };
        for batch in [endless(), [raise(1), endless()].concat()] {
            let error = world.engine.write(batch).await.unwrap_err();
            assert!(matches!(error, EngineError::Busy(_)), "{error:?}");
            world.until(0, ACTIVE).await;
        }
        assert_eq!(world.value(1).await, 0);
        world.engine.write(raise(1)).await.unwrap();
        assert_eq!(world.value(1).await, 1);
    }
}

#[tokio::test]
async fn reads_end_when_the_process_is_about_to_and_writes_go_on() {
    let Some(world) = World::start("stop", Options::default()).await else { return };
    let (engine, held) = (Arc::clone(&world.engine), hold(&world).await);
    let write = tokio::spawn(async move { engine.write(raise(1)).await });
    let engine = Arc::clone(&world.engine);
    let slow = tokio::spawn(async move { engine.read(endless()).await });
    world.until(1, "query LIKE '%3600%' AND state = 'active'").await;
    world.engine.stop_reads();
    let error = slow.await.unwrap().unwrap_err();
    assert!(matches!(error, EngineError::Stopping), "{error:?}");
    world.until(1, ACTIVE).await;
    assert!(world.engine.read(read(1)).await.is_ok(), "a short read is let end");
    drop(held);
    write.await.unwrap().unwrap();
    assert_eq!(world.value(1).await, 1);
}

#[tokio::test]
async fn health_is_asked_for_when_all_connections_are_in_use() {
    let options = Options { connections: 1, ..Options::default() };
    let Some(world) = World::start("health", options).await else { return };
    let engine = Arc::clone(&world.engine);
    let slow = tokio::spawn(async move { engine.read(endless()).await });
    world.until(1, "wait_event = 'PgSleep'").await;
    for batch in [Vec::new(), raise(1)] {
        assert!(world.engine.write_for_health(batch).await.is_ok());
    }
    assert!(world.engine.read_for_health(read(1)).await.is_ok());
    slow.abort();
}

/// Each statement is within its limit, but all of them are not.
#[tokio::test]
async fn a_batch_of_many_statements_has_one_limit() {
    let batch_timeout = Duration::from_secs(1);
    let options = Options { connections: 1, batch_timeout, ..Options::default() };
    let Some(world) = World::start("many", options).await else { return };
    let short = || vec![statement("SELECT COUNT(pg_sleep(0.6))", &[])];
    let batch = (0..100).map(|_| short()).chain([raise(1)]).collect::<Vec<_>>().concat();
    assert!(world.engine.write(batch).await.is_err());
    world.until(0, ACTIVE).await;
    assert_eq!(world.value(1).await, 0);
}

#[tokio::test]
async fn a_write_whose_caller_goes_is_done_all_the_same() {
    let options = Options { connections: 2, ..Options::default() };
    let Some(world) = World::start("left", options).await else { return };
    let (engine, held) = (Arc::clone(&world.engine), hold(&world).await);
    let write = tokio::spawn(async move { engine.write(raise(1)).await });
    world.until(1, "wait_event = 'PgSleep'").await;
    write.abort();
    assert!(write.await.unwrap_err().is_cancelled());
    drop(held);
    world.until(0, ACTIVE).await;
    assert_eq!(world.value(1).await, 1);
}

/// Makes all updates of the first table wait, not for a lock, until the connection is dropped.
async fn hold(world: &World) -> Client {
    let trigger = "CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         WHILE NOT pg_try_advisory_xact_lock_shared(hashtext(current_schema())) LOOP \
         PERFORM pg_sleep(0.01); END LOOP; RETURN NEW; END $$; \
         CREATE TRIGGER held BEFORE UPDATE ON one FOR EACH ROW EXECUTE FUNCTION held()";
    world.client.batch_execute(trigger).await.unwrap();
    let holding = connect(&world.schema).await;
    let lock = "SELECT pg_advisory_lock(hashtext(current_schema()))";
    holding.batch_execute(lock).await.unwrap();
    holding
}

#[tokio::test]
async fn a_row_that_stays_locked_leaves_connections_to_everything_else() {
    for prepares in [true, false] {
        let options = Options { connections: 8, prepares, ..Options::default() };
        let Some(world) = World::start("row", options).await else { return };
        let mut holding = connect(&world.schema).await;
        let transaction = holding.transaction().await.unwrap();
        let lock = "SELECT 1 FROM one WHERE id = 1 FOR UPDATE";
        transaction.batch_execute(lock).await.unwrap();

        let mut writes = JoinSet::new();
        for _ in 0..40 {
            let engine = Arc::clone(&world.engine);
            writes.spawn(async move { engine.write(raise(1)).await });
        }
        // Reads leave two connections for writes, and writes two for reads.
        world.until(6, "wait_event_type = 'Lock'").await;
        for id in 2..=20 {
            world.engine.read(read(id)).await.unwrap();
            world.engine.read(read_two(id)).await.unwrap();
        }
        world.engine.write(raise(2)).await.unwrap();
        assert!(world.count("true").await <= 8);

        // Those that could not be done in time were not done; the others are.
        transaction.commit().await.unwrap();
        let outcomes = writes.join_all().await;
        let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let refused = |error: &&EngineError| matches!(error, EngineError::Busy(_));
        let undone = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).filter(refused);
        assert_eq!(done + undone.count(), 40, "{outcomes:?}");
        assert_eq!(world.value(1).await, i64::try_from(done).unwrap());
        assert!(world.count("true").await <= 8);
    }
}

#[tokio::test]
async fn a_table_that_stays_locked_leaves_the_others_and_no_connection_behind() {
    let batch_timeout = Duration::from_secs(3);
    let options = Options { connections: 8, batch_timeout, ..Options::default() };
    let Some(world) = World::start("table", options).await else { return };
    let mut holding = connect(&world.schema).await;
    let transaction = holding.transaction().await.unwrap();
    transaction.batch_execute("LOCK TABLE one IN ACCESS EXCLUSIVE MODE").await.unwrap();

    let mut held = JoinSet::new();
    for number in 0..40 {
        let engine = Arc::clone(&world.engine);
        held.spawn(async move {
            match number % 2 {
                0 => engine.read(read(1)).await,
                _ => engine.write(raise(1)).await,
            }
        });
    }
    world.until(8, "wait_event_type = 'Lock'").await;
    for id in 1..=5 {
        world.engine.read(read_two(id)).await.unwrap();
    }
    assert!(world.count("true").await <= 8);
    // All of them give up by themselves, and what they have begun is ended.
    for outcome in held.join_all().await {
        let error = outcome.unwrap_err();
        assert!(matches!(error, EngineError::Busy(_)), "{error:?}");
    }
    world.until(0, ACTIVE).await;
    transaction.commit().await.unwrap();
    assert_eq!(world.value(1).await, 0);
    world.engine.write(raise(1)).await.unwrap();
    assert_eq!(world.value(1).await, 1);
}

#[tokio::test]
async fn a_database_that_is_read_only_is_not_ready_for_writes() {
    let more = "%20-cdefault_transaction_read_only%3Don";
    let Some(world) = World::with("readonly", more, Options::default()).await else { return };
    for batch in [Vec::new(), raise(1), [raise(1), raise(2)].concat()] {
        let error = world.engine.write(batch).await.unwrap_err();
        assert!(matches!(error, EngineError::Unavailable(_)), "{error:?}");
    }
    assert!(world.engine.read(read(1)).await.is_ok());
}

/// Makes a function that fails with this code of PostgreSQL's.
async fn failing(world: &World, code: &str) -> Vec<Statement> {
    let function = format!(
        "CREATE OR REPLACE FUNCTION failing() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'failed' USING ERRCODE = '{code}'; END $$"
    );
    world.client.batch_execute(&function).await.unwrap();
    vec![statement("SELECT failing()", &[])]
}

#[tokio::test]
async fn a_statement_that_is_its_own_transaction_may_be_committed_when_the_server_fails() {
    let Some(world) = World::start("alone", Options::default()).await else { return };
    for code in ["53100", "58030"] {
        let batch = failing(&world, code).await;
        let alone = world.engine.write(batch.clone()).await.unwrap_err();
        assert!(matches!(alone, EngineError::Unconfirmed(_)), "{alone:?}");
        // A transaction was not yet told to commit, and a read leaves nothing.
        for answer in [
            world.engine.write([raise(1), batch.clone()].concat()).await,
            world.engine.read(batch).await,
        ] {
            assert!(matches!(answer, Err(EngineError::Unavailable(_))), "{answer:?}");
        }
    }
    assert_eq!(world.value(1).await, 0);
}

#[tokio::test]
async fn what_postgresql_finds_damaged_is_told_as_damage() {
    let Some(world) = World::start("damaged", Options::default()).await else { return };
    for code in ["XX001", "XX002"] {
        let batch = failing(&world, code).await;
        for answer in [
            world.engine.read(batch.clone()).await,
            world.engine.write(batch.clone()).await,
            world.engine.write([raise(1), batch].concat()).await,
        ] {
            assert!(matches!(answer, Err(EngineError::Damaged(_))), "{answer:?}");
        }
    }
}

/// Like a pooler whose database is away: lets clients in, and answers nothing that they ask.
async fn silent_pooler() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let length = stream.read_u32().await.unwrap();
            stream.read_exact(&mut vec![0; length as usize - 4]).await.unwrap();
            // The client is who it says, and may ask.
            stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await.unwrap();
            open.push(stream);
        }
    });
    address
}

#[tokio::test]
async fn a_pooler_that_answers_nothing_keeps_no_request_waiting() {
    let address = silent_pooler().await;
    let url = format!("postgres://test@{address}/test?sslmode=disable&connect_timeout=1");
    let options =
        Options { connections: 1, acquire_timeout: Duration::from_secs(5), ..Options::default() };
    let engine = Postgres::open(&url.parse().unwrap(), options).unwrap();
    for _ in 0..2 {
        let answer = tokio::time::timeout(PATIENCE, engine.read(read(1))).await;
        let answer = answer.expect("it does not wait for ever");
        assert!(matches!(answer, Err(EngineError::Unavailable(_))), "{answer:?}");
    }
}
