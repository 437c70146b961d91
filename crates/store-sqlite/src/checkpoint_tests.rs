//! How long the log becomes.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use octopoid_store::{Engine, engine::Statement};

use crate::{
    Location, Sqlite,
    checkpoint::{AT_REST_MAX, Checkpointer, TOO_LONG},
    connect,
    reader::Times,
    reader_tests::endless,
    snapshot,
};

/// A task's content, as large as one can be or nearly.
const TEXT: usize = 3 << 20;
/// What may be added before the log's length is looked at: a step, and a group.
const ADDED: u64 = 32 << 20;

fn add() -> Vec<Statement> {
    let parameters = vec!["x".repeat(TEXT).into()];
    vec![Statement { sql: "INSERT INTO texts (text) VALUES (?1)".into(), parameters }]
}

async fn open(directory: &Path, times: Times) -> Sqlite {
    let engine = Sqlite::open_with(&Location::File(directory.join("a.db")), times).unwrap();
    let create = "CREATE TABLE texts (text TEXT)".into();
    engine.write(vec![Statement { sql: create, parameters: Vec::new() }]).await.unwrap();
    engine
}

fn log(directory: &Path) -> u64 {
    std::fs::metadata(directory.join("a.db-wal")).unwrap().len()
}

/// Writes more than the log may hold, one after the other and then many at once.
async fn write_much(engine: &Sqlite, directory: &Path) {
    for _ in 0..50 {
        engine.write(add()).await.unwrap();
        assert!(log(directory) <= TOO_LONG + ADDED, "the log has {} bytes", log(directory));
    }
    let answers = join_all((0..50).map(|_| engine.write(add()))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert!(log(directory) <= TOO_LONG + ADDED, "the log has {} bytes", log(directory));
}

async fn becomes_short(directory: &Path) {
    let waiting = async {
        while log(directory) > AT_REST_MAX {
            #[expect(clippy::disallowed_methods, reason = "between two looks at a condition")]
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the log is cut");
}

#[tokio::test]
async fn the_log_has_a_limit_under_load_and_is_cut_at_rest() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path(), Times::default()).await;
    write_much(&engine, directory.path()).await;
    becomes_short(directory.path()).await;
}

/// Some thread always reads an old state, as long as a read may take.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_the_same_limit_while_others_read() {
    let directory = tempfile::tempdir().unwrap();
    let times = Times { read: Duration::from_millis(300), ..Times::default() };
    let engine = Arc::new(open(directory.path(), times).await);
    let is_over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (engine, is_over) = (Arc::clone(&engine), Arc::clone(&is_over));
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    // The first statement is what opens a state of the database.
                    let look = "SELECT COUNT(*) FROM sqlite_schema".into();
                    let mut batch = vec![Statement { sql: look, parameters: Vec::new() }];
                    batch.extend(endless());
                    engine.read(batch).await.unwrap_err();
                }
            })
        })
        .collect();
    write_much(&engine, directory.path()).await;
    becomes_short(directory.path()).await;
    is_over.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_long_log_that_a_killed_server_left_is_cut() {
    let directory = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    {
        let engine = open(directory.path(), Times::default()).await;
        join_all((0..4).map(|_| engine.write(add()))).await;
        // What lies on the disk while it runs is what a killed server leaves.
        for name in ["a.db", "a.db-wal"] {
            std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
        }
    }
    assert!(log(copy.path()) > AT_REST_MAX);
    let _engine = Sqlite::open(&Location::File(copy.path().join("a.db"))).unwrap();
    becomes_short(copy.path()).await;
}

#[test]
fn a_write_does_not_wait_for_the_end_of_a_copy() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.db");
    let mut writer = connect(&path, 0).unwrap();
    writer.execute_batch("CREATE TABLE texts (text TEXT)").unwrap();
    let mut checkpointer =
        Checkpointer::start(connect(&path, 0).unwrap(), &mut writer, &path).unwrap();
    let _copy = snapshot::Counted::new();
    let _snapshot = snapshot::begin_reading(&path).unwrap();
    while log(directory.path()) <= TOO_LONG + ADDED {
        writer.execute("INSERT INTO texts (text) VALUES (?1)", ["x".repeat(8 * TEXT)]).unwrap();
        checkpointer.wrote(&writer);
    }
    assert!(!checkpointer.has_waited());
}
