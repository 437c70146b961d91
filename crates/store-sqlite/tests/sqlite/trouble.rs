//! A disk without room, files that are taken away, pages that cannot be read.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use octopoid_store::{
    EngineError, StoreError,
    engine::{Statement, Value},
};

use crate::OnFile;

fn is_unavailable<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Engine(EngineError::Unavailable(_))))
}

impl OnFile {
    fn path(&self, ending: &str) -> PathBuf {
        self.directory.path().join(format!("octopoid.db{ending}"))
    }

    async fn runs(&self, sql: &'static str) -> Vec<Vec<Value>> {
        let statement = Statement { sql: sql.into(), parameters: Vec::new() };
        self.world.engine.write(vec![statement]).await.expect("the database answers").remove(0)
    }
}

#[tokio::test]
async fn a_server_on_a_full_disk_is_not_ready_until_there_is_room() {
    let database = OnFile::new().await;
    let world = &database.world;
    world.store.check_ready().await.unwrap();
    // No more pages than it has.
    database.runs("PRAGMA max_page_count = 1").await;
    let mut kept = 0;
    while let Ok(task) = world.creates(&format!("t{kept}")).await {
        assert_eq!(task.queue, "incoming");
        kept += 1;
        assert!(kept < 1_000, "the disk is never full");
    }
    assert!(is_unavailable(&world.creates("a").await));
    for _ in 0..2 {
        assert!(is_unavailable(&world.store.check_ready().await));
    }
    database.runs("PRAGMA max_page_count = 1000000").await;
    world.store.check_ready().await.unwrap();
    world.creates("a").await.unwrap();
    world.store.check_ready().await.unwrap();
    assert_eq!(database.runs("SELECT COUNT(*) FROM roles").await, [[Value::Int(0)]]);
    assert_eq!(database.runs("SELECT COUNT(*) FROM tasks").await, [[Value::Int(kept + 1)]]);
}

#[tokio::test]
async fn writes_to_files_that_were_taken_away_are_refused_until_they_are_back() {
    let database = OnFile::new().await;
    let world = &database.world;
    world.creates("kept").await.unwrap();
    for (number, ending) in ["", "-wal", "-shm"].into_iter().enumerate() {
        let (file, aside) = (database.path(ending), database.path(".aside"));
        let refuses = async |what: &str| {
            let outcome = world.creates(&format!("lost-{number}-{what}")).await;
            assert!(is_unavailable(&outcome), "{what} {ending}");
            assert!(is_unavailable(&world.store.check_ready().await), "{what} {ending}");
        };
        fs::rename(&file, &aside).unwrap();
        refuses("deleted").await;
        fs::copy(&aside, &file).unwrap();
        refuses("replaced").await;
        fs::rename(&aside, &file).unwrap();
        world.store.check_ready().await.unwrap();
        world.creates(&format!("back-{number}")).await.unwrap();
    }
    assert_eq!(database.runs("SELECT COUNT(*) FROM tasks").await, [[Value::Int(4)]]);
}

#[tokio::test]
async fn the_refusal_names_the_file_and_what_to_do() {
    let database = OnFile::new().await;
    fs::remove_file(database.path("")).unwrap();
    let words = database.world.creates("a").await.unwrap_err().to_string();
    assert!(words.contains("octopoid.db was deleted"), "{words}");
    assert!(words.contains("restore a backup"), "{words}");
}

#[tokio::test]
async fn a_server_that_has_met_a_damaged_page_is_not_ready() {
    const PAGE: usize = 4_096;
    let database = OnFile::new().await;
    database.world.creates("a").await.unwrap();
    let root = database.runs("SELECT rootpage FROM sqlite_schema WHERE name = 'tasks'").await;
    let Value::Int(root) = root[0][0] else { panic!("a page is a number") };
    let directory = database.directory;
    drop(database.world);
    let path = directory.path().join("octopoid.db");
    let mut bytes = fs::read(&path).unwrap();
    let start = (usize::try_from(root).unwrap() - 1) * PAGE;
    bytes[start..start + PAGE].fill(0xff);
    fs::write(&path, bytes).unwrap();

    let world = crate::open(&directory).await;
    world.store.check_ready().await.unwrap();
    for outcome in [world.reads("a").await.map(drop), world.creates("b").await.map(drop)] {
        let is_damaged = matches!(outcome, Err(StoreError::Engine(EngineError::Damaged(_))));
        assert!(is_damaged, "{outcome:?}");
    }
    // Queued together, so that they share a commit; those that need no damaged page succeed.
    let create = || world.creates("c");
    let touch = || world.store.touch_key("nobody's", world.now());
    let (bad, good, other) = tokio::join!(create(), touch(), touch());
    assert!(bad.is_err() && good.is_ok() && other.is_ok());
    let ready = world.store.check_ready().await;
    assert!(matches!(ready, Err(StoreError::Engine(EngineError::Damaged(_)))), "{ready:?}");
}

#[tokio::test]
async fn nobody_else_can_read_the_files_of_a_new_database() {
    let database = OnFile::new().await;
    database.world.creates("a").await.unwrap();
    for ending in ["", "-wal", "-shm", ".lock"] {
        let mode = fs::metadata(database.path(ending)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "octopoid.db{ending}");
    }
}
