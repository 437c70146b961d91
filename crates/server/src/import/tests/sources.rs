//! The ways that a database comes by.

use std::{
    cell::Cell,
    fs,
    io::{self, BufReader, Read},
    path::Path,
};

use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    fixtures::{dump, tables, task},
    import_source,
};
use crate::import::{ImportError, Scopes, Source};

/// A text that an export as SQL would change.
const BOTH: &str = "say(\"a\\n\")\nsay(\"b\\r\")\r\n";

fn json(directory: &TempDir, partial: bool) -> Result<Source, ImportError> {
    Source::of_json(directory.path(), partial, &mut |_| ())
}

fn write(directory: &TempDir, name: &str, text: &str) {
    fs::write(directory.path().join(name), text).unwrap();
}

/// A directory with a file for each table, none of which has rows.
fn empty_files() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for table in [
        "tasks",
        "projects",
        "drafts",
        "orchestrators",
        "task_history",
        "roles",
        "flows",
        "messages",
        "actions",
        "api_keys",
    ] {
        let nothing = r#"[{"results":[],"success":true,"meta":{"rows_read":0}}]"#;
        write(&directory, &format!("{table}.json"), nothing);
    }
    directory
}

fn as_json(id: &str, content: &str) -> String {
    let content = serde_json::to_string(content).unwrap();
    format!(
        r#"{{"id":"{id}","file_path":"f/{id}","queue":"incoming","branch":"main","scope":"s",
            "created_at":"2026-01-01 00:00:00","updated_at":"2026-01-01 00:00:00","version":1,
            "has_plan":0,"auto_accept":0,"needs_rebase":0,"needs_breakdown":0,
            "checks":[1,2],"content":{content},"needs_intervention":0}}"#
    )
}

#[test]
fn json_and_files_keep_texts_that_an_export_as_sql_changes() {
    let directory = empty_files();
    let rows = |rows: &str| format!(r#"[{{"results":[{rows}],"success":true,"meta":{{}}}}]"#);
    write(&directory, "tasks.1.json", &rows(&as_json("a", BOTH)));
    write(&directory, "tasks.2.json", &rows(&as_json("b", BOTH)));
    write(&directory, "sqlite_sequence.json", &rows(r#"{"name":"drafts","seq":9}"#));
    let of_json = import_source(&json(&directory, false).unwrap(), &Scopes::default());

    let file = directory.path().join("old.sqlite");
    let database = Connection::open(&file).unwrap();
    database.execute_batch(&tables(20).concat()).unwrap();
    for id in ["a", "b"] {
        let columns = ",scope,checks,content,needs_intervention";
        let sql = task(id, columns, ",'s',X'0102',?1,0");
        database.execute(&sql, [BOTH]).unwrap();
    }
    database.execute("INSERT INTO sqlite_sequence VALUES ('drafts', 9)", []).unwrap();
    let of_file = Source::of_sqlite(&file, false).unwrap();
    let of_file = import_source(&of_file, &Scopes::default());

    assert_eq!(of_json.column("tasks", "content"), [BOTH.into(), BOTH.into()]);
    assert_eq!(of_json.rows, of_file.rows);
    assert_eq!(of_json.report, of_file.report);
    assert_eq!(of_json.summary.counters, [("drafts", 9)]);
    assert_eq!(of_file.summary.counters, [("drafts", 9)]);
}

#[test]
fn files_of_json_that_are_not_what_wrangler_prints_are_refused_by_name() {
    let directory = empty_files();
    let long = "x".repeat(1_000_000);
    for (text, why) in [
        ("{}".to_owned(), "the array of results"),
        ("[{\"success\":true}]".to_owned(), "missing field `results`"),
        ("[{\"results\":[],\"success\":false}]".to_owned(), "the statement failed"),
        ("[{\"results\":[{\"id\":{}}]}]".to_owned(), "id is an object"),
        (
            "[{\"results\":[{\"id\":\"a\"},{\"other\":1}]}]".to_owned(),
            "the first row does not have",
        ),
        (format!("[{{\"results\":[{{\"id\":\"{long}"), "EOF while parsing"),
    ] {
        write(&directory, "tasks.json", &text);
        let error = json(&directory, false).err().unwrap().to_string();
        assert!(error.contains("tasks.json: ") && error.contains(why), "{error}");
        assert!(error.len() < 500, "{}", error.len());
    }
    write(&directory, "tasks.json", "[{\"results\":[],\"success\":true}]");
    write(&directory, "no table.json", "[]");
    let error = json(&directory, false).err().unwrap().to_string();
    assert!(error.contains("not a table name"), "{error}");
}

#[test]
fn json_without_a_table_or_with_parts_that_overlap_is_refused() {
    let directory = empty_files();
    fs::remove_file(directory.path().join("api_keys.json")).unwrap();
    let error = json(&directory, false).err().unwrap().to_string();
    assert!(error.contains("missing tables: api_keys"), "{error}");
    json(&directory, true).unwrap();
    let rows = format!(r#"[{{"results":[{}],"success":true}}]"#, as_json("a", "x"));
    write(&directory, "tasks.1.json", &rows);
    write(&directory, "tasks.2.json", &rows);
    let error = json(&directory, true).err().unwrap().to_string();
    assert!(error.contains("tasks has several rows for id \"a\""), "{error}");
}

/// The bytes of a file and of those beside it that hold data.
fn bytes(file: &Path) -> Vec<Vec<u8>> {
    let log = file.with_extension("sqlite-wal");
    [file, &log].map(|path| fs::read(path).unwrap_or_default()).into()
}

#[test]
fn a_file_is_read_with_its_log_and_not_changed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("old.sqlite");
    let database = Connection::open(&file).unwrap();
    database.pragma_update(None, "journal_mode", "WAL").unwrap();
    database.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    database.execute_batch(&tables(20).concat()).unwrap();
    database.execute_batch(&task("t", ",scope", ",'s'")).unwrap();
    let before = bytes(&file);
    assert!(!before[1].is_empty(), "the rows are in the log alone");
    let source = Source::of_sqlite(&file, false).unwrap();
    let imported = import_source(&source, &Scopes::default());
    assert_eq!(imported.column("tasks", "id"), ["t".into()]);
    drop(source);
    assert_eq!(bytes(&file), before);
}

#[test]
fn other_files_are_refused_as_a_source() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("old.sqlite");
    let refused = || Source::of_sqlite(&file, false).err().unwrap().to_string();
    assert!(refused().contains("unable to open database file"), "{}", refused());
    assert!(!file.exists(), "it was made");
    fs::write(&file, "no database, however long it may be".repeat(100)).unwrap();
    assert!(refused().contains("file is not a database"), "{}", refused());
    fs::remove_file(&file).unwrap();
    let database = Connection::open(&file).unwrap();
    database.execute_batch("CREATE TABLE songs (title)").unwrap();
    assert!(refused().contains("table tasks is missing"), "{}", refused());
    database.execute_batch("CREATE TABLE schema_versions (version)").unwrap();
    assert!(refused().contains("use `octopoid-server copy`"), "{}", refused());
}

/// Reads, and counts how far.
struct Counting<'a>(&'a [u8], &'a Cell<usize>);

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.set(self.1.get() + read);
        Ok(read)
    }
}

/// A statement that saw the rest of the dump would make the time grow with the square of its size.
#[test]
fn a_dump_is_loaded_as_it_is_read_and_its_progress_is_reported() {
    let dump = dump(20, &(0..200).map(|n| task(&format!("t{n}"), "", "")).collect::<String>());
    let read = Cell::new(0);
    let reader = BufReader::with_capacity(1_000, Counting(dump.as_bytes(), &read));
    let mut progress = Vec::new();
    Source::of_dump(reader, false, &mut |bytes| progress.push((bytes, read.get() as u64))).unwrap();
    assert!(progress.len() > 200 && progress.is_sorted(), "{progress:?}");
    assert!(progress.iter().all(|(bytes, read)| read - bytes <= 1_000), "{progress:?}");
    assert_eq!(progress.last(), Some(&(dump.len() as u64, dump.len() as u64)));
}
