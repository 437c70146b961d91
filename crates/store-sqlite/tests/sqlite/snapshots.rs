//! Copies of a database that is being written.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use octopoid_store::{Engine, engine::Statement};
use octopoid_store_sqlite::{
    Location, Sqlite,
    snapshot::{SnapshotError, StopFlag, check, copy, lock},
};
use rusqlite::{Connection, OpenFlags};

fn statement(sql: &'static str) -> Statement {
    Statement { sql: sql.into(), parameters: Vec::new() }
}

async fn open(path: &Path) -> Sqlite {
    let engine = Sqlite::open(&Location::File(path.to_owned())).unwrap();
    let tables = ["CREATE TABLE IF NOT EXISTS a (x)", "CREATE TABLE IF NOT EXISTS b (x)"];
    engine.write(tables.map(statement).into()).await.unwrap();
    engine
}

/// A row in both tables, in one write.
fn pair() -> Vec<Statement> {
    let rows = [
        "INSERT INTO a VALUES (hex(randomblob(500)))",
        "INSERT INTO b VALUES (hex(randomblob(500)))",
    ];
    rows.map(statement).into()
}

fn target(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, "").unwrap();
    path
}

fn counts(path: &Path) -> (i64, i64) {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(path, flags).unwrap();
    let both = "SELECT (SELECT COUNT(*) FROM a), (SELECT COUNT(*) FROM b)";
    connection.query_row(both, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| name(entry).into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_of_one_moment_while_others_write() {
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("a.db");
    let engine = Arc::new(open(&path).await);
    let (is_over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (engine, is_over) = (Arc::clone(&engine), Arc::clone(&is_over));
            let written = Arc::clone(&written);
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    engine.write(pair()).await.unwrap();
                    written.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for number in 0..20 {
        let before = written.load(Ordering::Relaxed);
        let to = target(copies.path(), &number.to_string());
        let from = path.clone();
        let copying = tokio::task::spawn_blocking(move || {
            copy(&from, &to, &StopFlag::default()).map(|()| to)
        });
        let to = copying.await.unwrap().unwrap();
        check(&to, &StopFlag::default()).unwrap();
        let (a, b) = counts(&to);
        assert_eq!(a, b, "half a write was copied");
        assert!(a >= before, "{a} rows of {before} that were acknowledged before");
    }
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    let mut names = names(copies.path());
    names.sort_by_key(|name| name.parse::<i64>().ok());
    assert_eq!(names, expected, "a copy is one file");
}

#[tokio::test]
async fn a_closed_database_is_copied_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let engine = open(&path).await;
    engine.write(pair()).await.unwrap();
    drop(engine);
    let before = fs::read(&path).unwrap();
    let to = target(folder.path(), "copy");
    copy(&path, &to, &StopFlag::default()).unwrap();
    assert_eq!(counts(&to), (1, 1));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(names(folder.path()), ["a.db", "a.db.lock", "copy"]);
}

#[tokio::test]
async fn what_a_killed_server_left_in_the_wal_is_copied() {
    let (folder, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = open(&folder.path().join("a.db")).await;
    engine.write(pair()).await.unwrap();
    for name in ["a.db", "a.db-wal"] {
        fs::copy(folder.path().join(name), left.path().join(name)).unwrap();
    }
    let to = target(left.path(), "copy");
    copy(&left.path().join("a.db"), &to, &StopFlag::default()).unwrap();
    assert_eq!(counts(&to), (1, 1));
}

#[tokio::test]
async fn a_copy_and_a_check_end_when_they_are_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let engine = open(&path).await;
    let many = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 200000) \
         INSERT INTO a SELECT x FROM n";
    engine.write(vec![statement(many)]).await.unwrap();
    let to = target(folder.path(), "copy");
    copy(&path, &to, &StopFlag::default()).unwrap();
    let stop = StopFlag::default();
    stop.stop();
    let again = target(folder.path(), "again");
    assert!(matches!(copy(&path, &again, &stop), Err(SnapshotError::Stopped)));
    assert!(matches!(check(&to, &stop), Err(SnapshotError::Stopped)));
}

#[tokio::test]
async fn a_damaged_copy_is_told_from_an_intact_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let engine = open(&path).await;
    for _ in 0..20 {
        engine.write(pair()).await.unwrap();
    }
    let to = target(folder.path(), "copy");
    copy(&path, &to, &StopFlag::default()).unwrap();
    check(&to, &StopFlag::default()).unwrap();
    let intact = fs::read(&to).unwrap();
    let mut damaged = intact.clone();
    // The header of a page of the first table.
    damaged[4096..4196].fill(0xff);
    for bytes in [&damaged[..], &intact[..intact.len() / 2], &[1; 5000]] {
        fs::write(&to, bytes).unwrap();
        let checked = check(&to, &StopFlag::default());
        assert!(matches!(checked, Err(SnapshotError::Damaged(_))), "{checked:?}");
    }
    let none = check(&folder.path().join("none"), &StopFlag::default());
    assert!(matches!(none, Err(SnapshotError::Unreadable { .. })), "{none:?}");
}

#[tokio::test]
async fn a_locked_path_is_not_opened_by_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let held = lock(&path).unwrap();
    assert!(!path.exists());
    assert!(Sqlite::open(&Location::File(path.clone())).is_err());
    drop(held);
    let _engine = open(&path).await;
    assert!(lock(&path).is_err());
}
