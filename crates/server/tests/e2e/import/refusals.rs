//! What is refused, and what a stopped import leaves.

use std::{fmt::Write as _, fs, path::Path, process::Stdio};

use octopoid_testbed::database::Schema;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::{dump, import, imports};
use crate::{
    load::new_task,
    server::{Disk, PATIENCE, command, run},
};

/// A dump of this many tasks, each of which has some text.
fn large(disk: &Disk, tasks: usize) -> std::path::PathBuf {
    let text = fs::read_to_string(dump()).unwrap();
    let (before, after) = text.split_once("CREATE TABLE task_history").unwrap();
    let mut text = before.to_owned();
    for number in 0..tasks {
        writeln!(
            text,
            "INSERT INTO \"tasks\" (\"id\",\"file_path\",\"queue\",\"branch\",\"scope\",\"version\",\"content\") \
             VALUES('n{number}','n{number}','incoming','main','shop',NULL,'{}');",
            "it; ''works''".repeat(200)
        )
        .unwrap();
    }
    text += "CREATE TABLE task_history";
    text += after;
    let file = disk.path().join(format!("large-{tasks}.sql"));
    fs::write(&file, text).unwrap();
    file
}

async fn refuses(dump: &Path, to: &str, why: &str) {
    let ended = import(dump, to).await;
    assert_eq!(ended.status.code(), Some(1), "{why}");
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
    assert!(ended.stderr.len() < 6_000, "{} bytes", ended.stderr.len());
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn a_target_with_rows_or_a_dump_of_something_else_is_refused() {
    let disk = Disk::of_file();
    imports(&disk.url()).await;
    refuses(&dump(), &disk.url(), "it is not empty: the table projects has rows").await;
    let whole = fs::read_to_string(dump()).unwrap();
    let upto = |mark: &str| whole.split_once(mark).unwrap().0.to_owned();
    let cut = format!("{}'{}", upto("'t-first'"), "a; ".repeat(1_000_000));
    let free = Disk::of_file();
    for (text, why) in [
        ("CREATE TABLE songs (title TEXT);".to_owned(), "table tasks is missing"),
        (cut, "truncated"),
        ("CREATE TABLE tasks (id); INSERT INTO x;".to_owned(), "cannot be loaded: line 1: "),
        (upto("CREATE TABLE api_keys"), "missing tables: api_keys: export again, or use --partial"),
        (upto("DELETE FROM sqlite_sequence"), "the dump is truncated: it ends before the indexes"),
        ("CREATE TABLE tasks (id);".to_owned(), "0009_add_scope"),
        ("ATTACH 'x.db' AS x;".to_owned(), "unexpected statement in an export"),
    ] {
        let file = free.path().join("other.sql");
        fs::write(&file, text).unwrap();
        refuses(&file, &free.url(), why).await;
    }
    refuses(&free.path().join("none.sql"), &free.url(), "cannot read").await;
    assert!(!free.file().exists(), "a database was made for nothing");
}

#[tokio::test]
async fn a_partial_dump_is_taken_where_that_is_asked_for() {
    let disk = Disk::of_file();
    let whole = fs::read_to_string(dump()).unwrap();
    let file = disk.path().join("part.sql");
    fs::write(&file, whole.split_once("CREATE TABLE api_keys").unwrap().0).unwrap();
    let mut command = command();
    command.args(["import", "--partial", "--to", &disk.url(), "--from-d1-dump"]);
    let ended = run(command.arg(file)).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert!(ended.stdout.contains("api_keys: missing in the export\n"));
}

#[tokio::test]
async fn a_source_is_named_once() {
    let disk = Disk::of_file();
    let from = |flag: &'static str| [flag, "x"];
    for sources in [vec![], vec![from("--from-sqlite"), from("--from-d1-json")]] {
        let mut command = command();
        command.args(["import", "--to", &disk.url()]).args(sources.concat());
        assert_eq!(run(&mut command).await.status.code(), Some(2));
    }
    let mut command = command();
    command.args(["import", "--to", &disk.url(), "--from-sqlite", "x", "--scope-of", "x"]);
    let ended = run(&mut command).await;
    assert_eq!(ended.status.code(), Some(2));
    assert!(ended.stderr.contains("TABLE:ID=SCOPE"), "{}", ended.stderr);
}

/// Another program's database is no target of anything, and stays as it is.
#[tokio::test]
async fn a_file_of_another_program_is_refused_untouched() {
    let source = Disk::of_file();
    assert!(run(command().args(["migrate", "--database", &source.url()])).await.status.success());
    let disk = Disk::of_file();
    let database = rusqlite::Connection::open(disk.file()).unwrap();
    database
        .execute_batch("CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('a')")
        .unwrap();
    drop(database);
    let before = fs::read(disk.file()).unwrap();
    let dump = dump();
    for arguments in [
        vec!["import", "--from-d1-dump", dump.to_str().unwrap(), "--to", &disk.url()],
        vec!["copy", "--from", &source.url(), "--to", &disk.url()],
        vec!["copy", "--from", &disk.url(), "--to", &source.url()],
        vec!["migrate", "--database", &disk.url()],
        vec!["serve", "--listen", "127.0.0.1:0", "--database", &disk.url()],
    ] {
        let ended = run(command().args(&arguments)).await;
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        assert!(ended.stderr.contains("it has the table \"songs\""), "{}", ended.stderr);
        assert_eq!(fs::read(disk.file()).unwrap(), before, "{arguments:?}");
        assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1, "{arguments:?} made a file");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_untouched() {
    let disk = Disk::of_file();
    let text = "this is no database, however long it may be".repeat(100);
    fs::write(disk.file(), &text).unwrap();
    refuses(&dump(), &disk.url(), "file is not a database").await;
    assert_eq!(fs::read_to_string(disk.file()).unwrap(), text);
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1);
}

/// Kills an import in its middle. Larger and larger ones are tried, should it be done before.
async fn killed(disk: &Disk, url: &str) {
    let mut tasks = 2_000;
    loop {
        let mut command = command();
        command.args(["import", "--to", url, "--from-d1-dump"]).arg(large(disk, tasks));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let is_filling = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.starts_with("importing: tasks, ") {
                    return true;
                }
            }
            false
        };
        let is_filling = tokio::time::timeout(PATIENCE, is_filling).await.unwrap();
        child.kill().await.unwrap();
        let status = child.wait().await.unwrap();
        if is_filling && !status.success() {
            return;
        }
        assert!(tasks < 100_000 && is_filling, "the import ended before it could be killed");
        for end in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{end}", disk.file().display()));
        }
        tasks *= 4;
    }
}

async fn is_refused_everywhere(url: &str, other: &Disk) {
    let dump = dump();
    for arguments in [
        vec!["serve", "--listen", "127.0.0.1:0", "--database", url],
        vec!["migrate", "--database", url],
        vec!["copy", "--from", url, "--to", &other.url()],
        vec!["copy", "--from", &other.url(), "--to", url],
        vec!["import", "--from-d1-dump", dump.to_str().unwrap(), "--to", url],
    ] {
        let ended = run(command().args(&arguments)).await;
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        let why = "an import or a copy into the database has not finished";
        assert!(ended.stderr.contains(why), "{arguments:?}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn half_an_import_cannot_be_served() {
    let (disk, other) = (Disk::of_file(), Disk::of_file());
    assert!(run(command().args(["migrate", "--database", &other.url()])).await.status.success());
    killed(&disk, &disk.url()).await;
    is_refused_everywhere(&disk.url(), &other).await;
    let Some(schema) = Schema::fresh().await else { return };
    killed(&disk, &schema.url()).await;
    is_refused_everywhere(&schema.url(), &other).await;
}

#[tokio::test]
async fn the_progress_of_a_large_dump_is_told_and_its_report_is_short() {
    let disk = Disk::of_file();
    let dump = large(&disk, 1_500);
    let ended = import(&dump, &disk.url()).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    let told = |text: &str| ended.stderr.lines().filter(|line| line.starts_with(text)).count();
    assert_eq!((told("loading: "), told("importing: tasks, ")), (10, 3), "{}", ended.stderr);
    let more = "tasks: 1490 more (1500): version: changed null to 1\n";
    assert!(ended.stdout.contains(more), "{}", ended.stdout);
    assert!(ended.stdout.len() < 20_000, "{} bytes", ended.stdout.len());
    disk.serve().await.client().create_task(&new_task("a")).await.unwrap();
}
