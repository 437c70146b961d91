//! An export into D1 and out of it. D1 is an SQLite file here, or wrangler's own where
//! `OCTOPOID_TEST_WRANGLER` is the path of that program.

use std::{
    fs,
    path::{Path, PathBuf},
};

use octopoid_store::{
    copy::{table, tables},
    engine::Value as Cell,
};
use octopoid_testbed::database::Schema;
use rusqlite::{Connection, types::ValueRef};
use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::{exports, imports, small, with_rows};
use crate::{
    copy::{migrate, rows, store},
    server::{Disk, Ended, command, run},
};

/// The tables that `export` asks for, with those that are not exported.
fn names() -> impl Iterator<Item = &'static str> {
    ["schema_versions", "sqlite_sequence"].into_iter().chain(tables().iter().map(|one| one.name))
}

async fn export_json(directory: &Path, to: &Path) -> Ended {
    run(command().arg("export").arg("--from-d1-json").arg(directory).arg("--to").arg(to)).await
}

/// Runs an export from SQLite through PostgreSQL and D1 to SQLite again, and compares each with the
/// first. `load` puts a file of statements into a migrated database, and writes a file of JSON for
/// each table.
async fn goes_through(load: impl AsyncFnOnce(&Path, &Path)) {
    let (first, last) = (with_rows(48).await, Disk::of_file());
    // A text that is longer than a statement, with what an SQL dump of D1 does not keep.
    let roles = table("roles").unwrap();
    let mut row = rows::of(roles, 1_000).pop().unwrap();
    row[2] = Cell::Text("it's \\n and \n, \\r and \r; ü".repeat(5_000));
    store(&first).insert_rows(roles, vec![row]).await.unwrap();
    store(&first).set_counters(&[("drafts", 1_000)]).await.unwrap();
    let at = |name: &str| first.path().join(name);
    let (text, exported) = exports(&first.url(), &at("first.ndjson")).await;
    if let Some(schema) = Schema::fresh().await {
        assert_eq!(imports(&at("first.ndjson"), &schema.url()).await, exported);
        let (there, _) = exports(&schema.url(), &at("postgres.ndjson")).await;
        assert!(there == text, "the export of PostgreSQL differs");
    } else {
        fs::copy(at("first.ndjson"), at("postgres.ndjson")).unwrap();
    }
    let statements = at("statements.sql");
    let target = format!("d1:{}", statements.display());
    assert_eq!(imports(&at("postgres.ndjson"), &target).await, exported);
    fs::create_dir(at("json")).unwrap();
    load(&statements, &at("json")).await;

    let ended = export_json(&at("json"), &at("d1.ndjson")).await;
    assert!(ended.status.success(), "{}", ended.stderr);
    assert_eq!(ended.stdout, exported);
    assert!(fs::read_to_string(at("d1.ndjson")).unwrap() == text, "the export of D1 differs");
    imports(&at("d1.ndjson"), &last.url()).await;
    assert!(exports(&last.url(), &at("last.ndjson")).await.0 == text, "the last export differs");
}

/// All rows of a table, as `wrangler d1 execute --json` prints them.
fn printed(connection: &Connection, table: &str) -> String {
    let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let names: Vec<_> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let cell = |at| match row.get_ref(at).unwrap() {
            ValueRef::Integer(number) => Value::from(number),
            ValueRef::Text(text) => Value::from(std::str::from_utf8(text).unwrap()),
            _ => Value::Null,
        };
        let columns = names.iter().enumerate().map(|(at, name)| (name.clone(), cell(at)));
        found.push(Value::Object(columns.collect::<Map<_, _>>()));
    }
    json!([{ "results": found, "success": true, "meta": { "duration": 1 } }]).to_string()
}

/// Writes a file for each table of an SQLite file.
fn print_all(file: &Path, directory: &Path) {
    let connection = Connection::open(file).unwrap();
    for name in names() {
        fs::write(directory.join(format!("{name}.json")), printed(&connection, name)).unwrap();
    }
}

#[tokio::test]
async fn an_export_is_the_same_behind_a_file_of_statements_and_files_of_json() {
    goes_through(async |statements, directory| {
        let disk = Disk::of_file();
        migrate(&disk.url()).await;
        let connection = Connection::open(disk.file()).unwrap();
        let statements = fs::read_to_string(statements).unwrap();
        connection.execute_batch(&format!("BEGIN; {statements} COMMIT;")).unwrap();
        drop(connection);
        print_all(&disk.file(), directory);
    })
    .await;
}

#[tokio::test]
async fn an_export_goes_through_wranglers_d1_byte_for_byte() {
    let Some(wrangler) = std::env::var_os("OCTOPOID_TEST_WRANGLER").map(PathBuf::from) else {
        return;
    };
    let state = tempfile::tempdir().unwrap();
    let d1 = async |arguments: &[&str]| -> String {
        let mut command = Command::new(&wrangler);
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        command.env("CI", "true").env("WRANGLER_SEND_METRICS", "false").kill_on_drop(true);
        command.arg("d1").args(arguments).args(["--local", "--persist-to"]).arg(state.path());
        let output = command.output().await.unwrap();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {shown}");
        String::from_utf8(output.stdout).unwrap()
    };
    goes_through(async |statements, directory| {
        d1(&["migrations", "apply", "DB"]).await;
        d1(&["execute", "DB", "--file", statements.to_str().unwrap()]).await;
        for name in names() {
            let query = format!("SELECT * FROM {name}");
            let text = d1(&["execute", "DB", "--json", "--command", &query]).await;
            fs::write(directory.join(format!("{name}.json")), text).unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn files_of_another_schema_or_with_tables_missing_are_refused() {
    let (disk, _) = small().await;
    let (directory, to) = (disk.path().join("json"), disk.path().join("d1.ndjson"));
    fs::create_dir(&directory).unwrap();
    let refuses = async |why: &str| {
        let ended = export_json(&directory, &to).await;
        assert_eq!(ended.status.code(), Some(1), "{why}");
        assert!(ended.stderr.contains(why), "{}", ended.stderr);
        assert!(!to.exists(), "{why}");
    };
    refuses("there is no file TABLE.json for actions, api_keys, ").await;
    print_all(&disk.file(), &directory);
    let newest = Connection::open(disk.file())
        .and_then(|file| {
            file.query_row("SELECT MAX(version) FROM schema_versions", [], |row| row.get(0))
        })
        .map(|newest: i64| format!("\"version\":{newest}"))
        .unwrap();
    let file = |name: &str| directory.join(format!("{name}.json"));
    for (name, from, to, why) in [
        ("schema_versions", &*newest, "\"version\":4", "or `npm run db:migrations:apply`"),
        ("schema_versions", &newest, "\"version\":1000000000", "has not finished"),
        ("tasks", "\"id\":", "\"di\":", "the column id of the table tasks is missing"),
        ("tasks", "\"success\":true", "\"success\":false", "the statement failed"),
    ] {
        let whole = fs::read_to_string(file(name)).unwrap();
        let changed = whole.replace(from, to);
        assert_ne!(whole, changed, "{why}");
        fs::write(file(name), changed).unwrap();
        refuses(why).await;
        fs::write(file(name), whole).unwrap();
    }
    fs::write(file("songs"), "[]").unwrap();
    refuses("a D1 database of this server has no table songs to export").await;
    fs::remove_file(file("songs")).unwrap();
    let ended = export_json(&directory, &to).await;
    assert!(ended.status.success(), "{}", ended.stderr);
}

#[test]
fn the_documented_commands_name_every_table() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/edge.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, list) = page.split_once("for table in ").unwrap();
    let (list, _) = list.split_once("; do").unwrap();
    let list: Vec<_> = list.split_whitespace().filter(|word| *word != "\\").collect();
    assert_eq!(list, names().collect::<Vec<_>>());
}
