//! What the SQLite engine promises beyond the cases that every engine passes.

use std::sync::Arc;

use futures_util::{FutureExt, future::join_all};
use octopoid_store::{
    Engine, EngineError,
    engine::{Parameter, Rows, Statement, Value},
};
use octopoid_store_sqlite::{Location, OpenError, Sqlite};
use tempfile::TempDir;

use crate::{OnFile, location};

const CREATE: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)";
const ADD: &str = "INSERT INTO notes (id, text) VALUES (?1, ?2)";
const COUNT: &str = "SELECT COUNT(*) FROM notes";

fn statement(sql: &'static str, parameters: Vec<Parameter>) -> Statement {
    Statement { sql: sql.into(), parameters }
}

fn add(id: i64) -> Statement {
    statement(ADD, vec![id.into(), format!("note {id}").into()])
}

async fn count(engine: &Sqlite) -> Rows {
    let mut answers = engine.read(vec![statement(COUNT, vec![])]).await.expect("notes are there");
    answers.remove(0)
}

/// An engine with an empty table of notes, on a file of its own.
async fn notes(directory: &TempDir) -> Sqlite {
    let engine = Sqlite::open(&location(directory)).expect("a new file can be opened");
    engine.write(vec![statement(CREATE, vec![])]).await.expect("it has no notes yet");
    engine
}

/// All are queued before the writer can have taken more than a few, so most share a commit.
#[tokio::test]
async fn a_batch_that_fails_harms_no_other_in_its_group() {
    const LEAST: &str = "SELECT MIN(id) FROM notes";
    let directory = tempfile::tempdir().unwrap();
    let engine = notes(&directory).await;
    let batches = (0..300).map(|number| match number % 3 {
        // Its second statement breaks a constraint, so its first must not remain.
        0 => vec![add(1_000 + number), add(1_000 + number)],
        1 => vec![add(2_000 + number), statement("nonsense", vec![])],
        _ => vec![add(3_000 + number), add(4_000 + number)],
    });
    let answers = join_all(batches.map(|batch| engine.write(batch))).await;
    for (number, answer) in answers.iter().enumerate() {
        let is_as_expected = match number % 3 {
            0 => matches!(answer, Err(EngineError::Constraint(_))),
            1 => matches!(answer, Err(EngineError::Statement(_))),
            _ => answer.is_ok(),
        };
        assert!(is_as_expected, "batch {number} was answered {answer:?}");
    }
    assert_eq!(count(&engine).await, [[Value::Int(200)]], "the good ones, whole");
    let least = engine.read(vec![statement(LEAST, vec![])]).await.unwrap().remove(0);
    assert_eq!(least, [[Value::Int(3_002)]], "and nothing of the bad ones");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_sees_every_write_that_was_answered_before() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Arc::new(notes(&directory).await);
    let writers = (0..8_i64).map(|writer| {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move {
            const FIND: &str = "SELECT text FROM notes WHERE id = ?1";
            for number in 0..100 {
                let id = writer * 1_000 + number;
                engine.write(vec![add(id)]).await.unwrap();
                let find = || vec![statement(FIND, vec![id.into()])];
                let found = engine.read(find()).await.unwrap();
                assert_eq!(found[0].len(), 1, "note {id} was answered, but is not read");
                let found = engine.read_by_key(find()).await.unwrap();
                assert_eq!(found[0].len(), 1, "note {id} was answered, but is not looked up");
            }
        })
    });
    for ended in join_all(writers).await {
        ended.unwrap();
    }
}

/// Each write adds two notes; a reader between two of its statements must not see one of them.
#[tokio::test(flavor = "multi_thread")]
async fn the_statements_of_a_read_see_one_state() {
    let directory = tempfile::tempdir().unwrap();
    let engine = Arc::new(notes(&directory).await);
    let writer = Arc::clone(&engine);
    let writing = tokio::spawn(async move {
        for number in 0..300 {
            writer.write(vec![add(2 * number), add(2 * number + 1)]).await.unwrap();
        }
    });
    while !writing.is_finished() {
        let batch = vec![statement(COUNT, vec![]), statement(COUNT, vec![])];
        let seen = engine.read_by_key(batch.clone()).await.unwrap();
        assert_eq!(seen[0], seen[1], "two statements of one look-up");
        let seen = engine.read(batch).await.unwrap();
        assert_eq!(seen[0], seen[1], "two statements of one read");
        let [[Value::Int(notes)]] = [<[Value; 1]>::try_from(seen[0][0].clone()).unwrap()] else {
            panic!("a count is a number");
        };
        assert_eq!(notes % 2, 0, "half a write was seen");
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn a_second_server_on_the_same_file_is_refused() {
    let database = OnFile::new().await;
    let path = location(&database.directory);
    let refused = Sqlite::open(&path).err();
    let is_in_use = matches!(&refused, Some(OpenError::InUse(_)));
    assert!(is_in_use, "expected InUse, found {refused:?}");
    let words = refused.unwrap().to_string();
    assert!(words.ends_with("octopoid.db is in use by another server"), "{words}");
    // The first one goes on, and lets go when it ends.
    database.world.creates("a").await.unwrap();
    drop(database.world);
    Sqlite::open(&path).expect("the file is free again");
}

#[tokio::test]
async fn a_database_in_memory_is_nobody_elses() {
    let (first, second) = (crate::in_memory().await, crate::in_memory().await);
    first.creates("a").await.unwrap();
    second.reads("a").await.unwrap_err();
}

#[tokio::test]
async fn a_directory_that_does_not_exist_is_named() {
    let nowhere = Location::File("/nonexistent/octopoid.db".into());
    let refused = Sqlite::open(&nowhere).err().expect("there is no such directory");
    assert!(refused.to_string().starts_with("cannot open /nonexistent/octopoid.db"), "{refused}");
}

#[tokio::test]
async fn what_was_answered_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let told = {
        let world = crate::open(&directory).await;
        world.creates_with("b", serde_json::json!({ "blocked_by": "a" })).await.unwrap();
        world.hands_in("a").await.unwrap();
        world.accepts("a").await.unwrap();
        (world.reads("a").await.unwrap(), world.reads("b").await.unwrap())
    };
    let world = crate::open(&directory).await;
    assert_eq!((world.reads("a").await.unwrap(), world.reads("b").await.unwrap()), told);
    let events = ["created", "claimed", "submitted", "accepted"];
    assert_eq!(world.events("a").await.unwrap(), events);
    octopoid_store_testkit::audit::check(&world).await.unwrap();
}

/// Whoever drops the engine need not wait for the answers first.
#[tokio::test]
async fn writes_that_wait_when_the_engine_is_dropped_are_finished() {
    let directory = tempfile::tempdir().unwrap();
    let engine = notes(&directory).await;
    for id in 0..500 {
        // Polled once, a write is with the writer; its answer is not waited for.
        assert!(engine.write(vec![add(id)]).now_or_never().is_none_or(|answer| answer.is_ok()));
    }
    drop(engine);
    let engine = Sqlite::open(&location(&directory)).unwrap();
    assert_eq!(count(&engine).await, [[Value::Int(500)]], "all of them");
}

/// A client may go away at any moment: before its write was taken, or before it was answered.
#[tokio::test]
async fn a_write_whose_caller_went_away_is_whole_or_absent() {
    const WHOLE: i64 = 20;
    const PARTS: &str = "SELECT id / 1000, COUNT(*) FROM notes GROUP BY id / 1000";
    let directory = tempfile::tempdir().unwrap();
    let engine = notes(&directory).await;
    let mut expected = Vec::new();
    for number in 0..300_i64 {
        let batch = (0..WHOLE).map(|note| add(number * 1_000 + note)).collect();
        let write = engine.write(batch);
        match number % 3 {
            // Nobody ever asked for it.
            0 => drop(write),
            // The writer has it, but nobody waits for the answer.
            1 => drop(write.now_or_never()),
            _ => drop(write.await.unwrap()),
        }
        if number % 3 > 0 {
            expected.push(vec![Value::Int(number), Value::Int(WHOLE)]);
        }
    }
    let parts = engine.read(vec![statement(PARTS, vec![])]).await.unwrap().remove(0);
    assert_eq!(parts, expected, "each write that was taken is there as a whole");
}

/// More writes than may wait: those that were not taken are absent, and none is there by half.
#[tokio::test]
async fn writes_that_nobody_waits_for_do_not_fill_the_queue_for_ever() {
    const HALVES: &str = "SELECT COUNT(*) FROM notes GROUP BY id / 2 HAVING COUNT(*) <> 2";
    let directory = tempfile::tempdir().unwrap();
    let engine = notes(&directory).await;
    for number in 0..20_000 {
        drop(engine.write(vec![add(2 * number), add(2 * number + 1)]).now_or_never());
    }
    engine.write(vec![add(1_000_000), add(1_000_001)]).await.unwrap();
    let halves = engine.read(vec![statement(HALVES, vec![])]).await.unwrap().remove(0);
    assert!(halves.is_empty(), "some writes were done by half");
    let [[Value::Int(notes)]] = [<[Value; 1]>::try_from(count(&engine).await.remove(0)).unwrap()]
    else {
        panic!("a count is a number");
    };
    assert!((4_000..=40_002).contains(&notes), "{notes} notes: those that were taken");
}

/// The WAL is reset, not truncated: this has happened once more was written than its size.
#[tokio::test]
async fn a_long_history_of_writes_is_checkpointed_and_kept() {
    /// A page of the database, which one note fills.
    const PAGE: u64 = 4_096;
    const GROUP: i64 = 1_000;
    let directory = tempfile::tempdir().unwrap();
    let engine = notes(&directory).await;
    let text = "x".repeat(4_000);
    let mut written = 0;
    // 600 MB at the very most; a tenth of that is enough where nothing else runs.
    let is_begun_anew = |written: i64| {
        let log = std::fs::metadata(directory.path().join("octopoid.db-wal")).unwrap().len();
        u64::try_from(written).is_ok_and(|pages| pages * PAGE > log)
    };
    while !is_begun_anew(written - 4 * GROUP) {
        assert!(written < 150 * GROUP, "the WAL was never reset");
        let notes = (written..written + GROUP)
            .map(|id| engine.write(vec![statement(ADD, vec![id.into(), text.as_str().into()])]));
        assert!(join_all(notes).await.iter().all(Result::is_ok), "a write failed");
        written += GROUP;
    }
    let expected = [[Value::Int(written)]];
    assert_eq!(count(&engine).await, expected);
    drop(engine);
    let engine = Sqlite::open(&location(&directory)).unwrap();
    assert_eq!(count(&engine).await, expected, "after opening again");
}
