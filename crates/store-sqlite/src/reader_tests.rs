//! Reads that end early.

use std::time::Duration;

use futures_util::{FutureExt, future::join_all};
use octopoid_store::{
    Engine, EngineError,
    engine::{Statement, Value},
};
use tempfile::TempDir;

use crate::{Answer, Location, Sqlite, reader::Times};

/// Longer than anything takes on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(20);
const NEVER: Duration = Duration::from_hours(1);

const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
     SELECT COUNT(*) FROM n";
/// More steps than lie between two looks at the clock.
const LONG: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) \
     SELECT COUNT(*) FROM n";

pub(crate) fn endless() -> Vec<Statement> {
    vec![one(ENDLESS)]
}

fn one(sql: &'static str) -> Statement {
    Statement { sql: sql.into(), parameters: Vec::new() }
}

fn places(directory: &TempDir) -> [Location; 2] {
    [Location::Memory, Location::File(directory.path().join("a.db"))]
}

/// No limit but those that a test sets.
fn times() -> Times {
    Times { read: NEVER, read_by_key: NEVER, stopping: NEVER }
}

/// Waits until every read that was sent is running, or has been.
async fn all_are_taken(engine: &Sqlite) {
    let waits = || match &engine.others {
        Some(others) => !others.readers.jobs().is_empty(),
        None => !engine.writer.jobs().is_empty(),
    };
    while waits() {
        tokio::task::yield_now().await;
    }
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("nothing holds it up")
}

#[tokio::test]
async fn reads_whose_caller_has_gone_end_whether_they_run_or_wait() {
    let directory = tempfile::tempdir().unwrap();
    for place in places(&directory) {
        let engine = Sqlite::open_with(&place, times()).unwrap();
        let send = |count| -> Vec<_> {
            let mut reads: Vec<_> = (0..count).map(|_| engine.read(endless())).collect();
            assert!(reads.iter_mut().all(|read| read.now_or_never().is_none()));
            reads
        };
        let running = send(engine.readers());
        all_are_taken(&engine).await;
        let waiting = send(20);
        drop((waiting, running));
        // Each takes a thread of its own for a while.
        let reads = (0..engine.readers()).map(|_| engine.read(vec![one(LONG)]));
        let answers: Vec<Answer> = in_time(join_all(reads)).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        in_time(engine.write(vec![one("CREATE TABLE t (c)")])).await.unwrap();
    }
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_refused_and_the_next_is_not() {
    let directory = tempfile::tempdir().unwrap();
    for place in places(&directory) {
        let read = Duration::from_millis(50);
        let engine = Sqlite::open_with(&place, Times { read, ..times() }).unwrap();
        for batch in [endless(), vec![one("SELECT 1"), one(ENDLESS)]] {
            let answer = in_time(engine.read(batch)).await;
            assert!(matches!(answer, Err(EngineError::TooSlow)), "{answer:?}");
        }
        in_time(engine.read(vec![one("SELECT 1"), one("SELECT 2")])).await.unwrap();
        in_time(engine.write(vec![one("CREATE TABLE t (c)")])).await.unwrap();
    }
}

#[tokio::test]
async fn a_look_up_that_takes_long_leaves_its_callers_thread() {
    let directory = tempfile::tempdir().unwrap();
    let read_by_key = Duration::ZERO;
    let [_, file] = places(&directory);
    let engine = Sqlite::open_with(&file, Times { read_by_key, ..times() }).unwrap();
    let spare = &engine.others.as_ref().unwrap().spare;
    assert!(spare.read_here(&endless()).is_none());
    let mut read = engine.read_by_key(endless());
    assert!((&mut read).now_or_never().is_none(), "a thread reads it");
    drop(read);
    let answer = in_time(engine.read_by_key(vec![one(LONG)])).await.unwrap();
    assert_eq!(answer, [[[Value::Int(100_000)]]]);
}

#[tokio::test]
async fn reads_that_take_long_end_when_the_server_stops() {
    let directory = tempfile::tempdir().unwrap();
    for place in places(&directory) {
        let stopping = Duration::from_millis(200);
        let engine = Sqlite::open_with(&place, Times { stopping, ..times() }).unwrap();
        let mut reads: Vec<_> = (0..9).map(|_| engine.read(endless())).collect();
        assert!(reads.iter_mut().all(|read| read.now_or_never().is_none()));
        engine.stop_reads();
        for answer in in_time(join_all(reads)).await {
            assert!(matches!(answer, Err(EngineError::Stopping)), "{answer:?}");
        }
        // What agents report is still taken, and needs a look first.
        in_time(engine.read_by_key(vec![one("SELECT 1")])).await.unwrap();
        in_time(engine.write(vec![one("CREATE TABLE t (c)")])).await.unwrap();
    }
}

#[tokio::test]
async fn health_does_not_wait_for_other_reads() {
    let directory = tempfile::tempdir().unwrap();
    let [_, file] = places(&directory);
    let engine = Sqlite::open_with(&file, times()).unwrap();
    let mut reads: Vec<_> = (0..50).map(|_| engine.read(endless())).collect();
    assert!(reads.iter_mut().all(|read| read.now_or_never().is_none()));
    in_time(engine.read_for_health(vec![one("SELECT 1")])).await.unwrap();
}
