//! `octopoid-server export`, and `import` of what it writes.

mod d1;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use octopoid_store::{
    copy::{table, tables},
    engine::Value,
};
use octopoid_testbed::database::Schema;

use crate::{
    copy::{all_rows, filled, migrate, rows, store},
    server::{Disk, Ended, command, run},
};

async fn export(url: &str, to: &Path) -> Ended {
    run(command().args(["export", "--database", url, "--to"]).arg(to)).await
}

/// Exports a database into a file, and returns the text and what was printed.
async fn exports(url: &str, to: &Path) -> (String, String) {
    let ended = export(url, to).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    (fs::read_to_string(to).unwrap(), ended.stdout)
}

async fn import(file: &Path, to: &str) -> Ended {
    run(command().args(["import", "--format", "ndjson"]).arg(file).args(["--to", to])).await
}

async fn imports(file: &Path, to: &str) -> String {
    let ended = import(file, to).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    ended.stdout
}

async fn refuses(file: &Path, to: &str, why: &str) {
    let ended = import(file, to).await;
    assert_eq!(ended.status.code(), Some(1), "{why}");
    assert!(ended.stderr.contains(why), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

/// A database with this many rows in each table.
async fn with_rows(count: usize) -> Disk {
    let disk = Disk::of_file();
    migrate(&disk.url()).await;
    let store = store(&disk);
    for table in tables() {
        store.insert_rows(table, rows::of(table, count)).await.unwrap();
    }
    disk
}

/// An export of a few rows of each table, in a file beside the database.
async fn small() -> (Disk, PathBuf) {
    let disk = with_rows(3).await;
    let file = disk.path().join("export.ndjson");
    exports(&disk.url(), &file).await;
    (disk, file)
}

#[tokio::test]
async fn an_export_is_imported_and_exported_again_byte_for_byte() {
    let (first, last) = (filled().await, Disk::of_file());
    let file = first.path().join("export.ndjson");
    let (text, exported) = exports(&first.url(), &file).await;
    assert_eq!(exported.lines().count(), tables().len() + 1, "{exported}");
    assert_eq!(text.lines().count(), 720 * tables().len() + 2);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let schema = Schema::fresh().await;
    let mut urls: Vec<_> = schema.iter().map(Schema::url).collect();
    urls.push(last.url());
    let mut file = file;
    for (number, url) in urls.iter().enumerate() {
        assert_eq!(imports(&file, url).await, exported, "the same rows and checksums in {url}");
        file = first.path().join(format!("{number}.ndjson"));
        let (again, listed) = exports(url, &file).await;
        assert!(again == text, "the export of {url} differs");
        assert_eq!(listed, exported);
    }
    assert_eq!(all_rows(&first).await, all_rows(&last).await);
}

#[tokio::test]
async fn an_export_goes_through_a_pipe() {
    let ((disk, file), second) = (small().await, Disk::of_file());
    let piped = run(command().args(["export", "--database", &disk.url()])).await;
    assert!(piped.status.success(), "{}", piped.stderr);
    assert_eq!(piped.stdout, fs::read_to_string(&file).unwrap());
    assert!(piped.stderr.contains("exporting: tasks, 3 of 3 rows\n"), "{}", piped.stderr);

    let mut command = command();
    command.args(["import", "--format", "ndjson", "-", "--to", &second.url()]);
    let input = fs::File::open(&file).unwrap();
    let ended = run(command.stdin(Stdio::from(input))).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(all_rows(&disk).await, all_rows(&second).await);
}

#[tokio::test]
async fn what_is_no_whole_export_is_refused_before_the_target_is_made() {
    let ((_disk, file), free) = (small().await, Disk::of_file());
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let last = lines.len() - 1;
    let schema = lines[0].split_once("\"schema\":").unwrap().1.split_once(',').unwrap().0;
    let schema = format!("\"schema\":{schema}");
    for (changed, why) in [
        (lines[..last].concat(), "the export is truncated: it ends after line 55, without its"),
        (text[..text.len() - 20].to_owned(), "the export is truncated: it ends after line 55"),
        (text.replacen("\"id\":\"two", "\"id\":\"twp", 1), "the export is damaged: its SHA-256 is"),
        (text.replacen("\"title\":", "\"titel\":", 1), "the column title of the table"),
        (text.replacen("\"version\":1", "\"version\":9", 1), "the export has version 9"),
        (text.replacen(&schema, "\"schema\":3", 1), "the export has schema version 3, and only"),
        (text.replacen("octopoid", "sqlite", 1), "this is not an export"),
        (String::new(), "this is not an export"),
    ] {
        assert_ne!(changed, text, "{why}");
        fs::write(&file, changed).unwrap();
        refuses(&file, &free.url(), why).await;
    }
    refuses(&free.path().join("none"), &free.url(), "cannot read it: No such file").await;
    assert!(!free.file().exists(), "a database was made for nothing");
}

#[tokio::test]
async fn a_target_with_rows_and_a_file_that_exists_stay_as_they_are() {
    let (disk, file) = small().await;
    let (before, text) = (all_rows(&disk).await, fs::read(&file).unwrap());
    refuses(&file, &disk.url(), "it is not empty: the table projects has rows").await;
    assert_eq!(all_rows(&disk).await, before);
    let ended = export(&disk.url(), &file).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("cannot create the file"), "{}", ended.stderr);
    assert!(fs::read(&file).unwrap() == text);
}

#[tokio::test]
async fn a_database_that_cannot_be_exported_is_refused_and_no_file_is_left() {
    let (none, served) = (Disk::of_file(), Disk::of_file());
    let to = none.path().join("export.ndjson");
    let _server = served.serve().await;
    for (url, why) in [
        (none.url(), "there is no such file"),
        ("sqlite::memory:".to_owned(), "run `octopoid migrate` on it"),
        (served.url(), "is in use by another server"),
    ] {
        let ended = export(&url, &to).await;
        assert_eq!(ended.status.code(), Some(1), "{url}");
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
        assert!(!to.exists() && !none.file().exists(), "{url}");
    }
}

#[tokio::test]
async fn an_export_and_a_database_of_the_first_server_are_told_apart() {
    let ((_disk, file), free) = (small().await, Disk::of_file());
    for option in ["--from-d1-dump", "--from-sqlite", "--from-d1-json"] {
        let mut command = command();
        let ended = run(command.args(["import", option]).arg(&file).args(["--to", &free.url()]));
        let ended = ended.await;
        assert_eq!(ended.status.code(), Some(1), "{option}");
        let why = "this is an export of this server: import it with `--format ndjson FILE`";
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
    }
    for arguments in [&["import"][..], &["import", "--format", "ndjson", "--partial"]] {
        let mut command = command();
        let ended = run(command.args(arguments).arg(&file).args(["--to", &free.url()])).await;
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
        assert!(ended.stderr.contains("--format"), "{}", ended.stderr);
    }
    assert!(!free.file().exists(), "a database was made for nothing");
}

#[tokio::test]
async fn an_import_that_fails_in_the_middle_leaves_a_database_that_is_marked() {
    let Some(schema) = Schema::fresh().await else { return };
    let (disk, file) = small().await;
    // PostgreSQL has no text with such a character, and SQLite does.
    let roles = table("roles").unwrap();
    let mut row = rows::of(roles, 1_000).pop().unwrap();
    row[2] = Value::Text("a\0b".to_owned());
    store(&disk).insert_rows(roles, vec![row]).await.unwrap();
    fs::remove_file(&file).unwrap();
    exports(&disk.url(), &file).await;
    refuses(&file, &schema.url(), "is incomplete: empty it before retrying").await;
    let why = "an import or a copy into the database has not finished";
    refuses(&file, &schema.url(), why).await;
}
