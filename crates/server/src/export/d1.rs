//! Loads the output of `wrangler d1 execute --json` for each table of a D1 database into a temporary
//! SQLite file, from which it is exported like any other database.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use octopoid_api::Host as _;
use octopoid_store::{
    Store,
    copy::{check_found, ndjson::row, table, tables},
};
use octopoid_store_sqlite::{Location, Sqlite};
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::{
    host::System,
    import::{
        json::{files, read},
        target::{Batches, Pass, insert, set_counters},
    },
};

/// The tables whose rows are read but not exported: the version of the schema, and SQLite's counters.
const VERSIONS: &str = "schema_versions";
const COUNTERS: &str = "sqlite_sequence";

/// A database that is deleted with its directory.
pub(super) struct Loaded {
    pub(super) store: Store,
    _directory: TempDir,
}

/// Loads all files of a directory. Each table needs at least one.
pub(super) async fn load(directory: &Path) -> anyhow::Result<Loaded> {
    let files = checked_files(directory)?;
    check_schema(&files)?;
    let scratch = tempfile::tempdir().context("cannot create a temporary directory")?;
    let store = Store::new(Arc::new(Sqlite::open(&Location::File(scratch.path().join("d1.db")))?));
    store.migrate(System.now()).await?;
    let counters = counters(&files)?;
    insert(&store, "loading", move |pass| emit(&files, pass)).await?;
    set_counters(&store, &counters).await?;
    Ok(Loaded { store, _directory: scratch })
}

/// The files, each with its table, in a stable order.
fn checked_files(directory: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut files = files(directory)?;
    files.sort();
    let known: BTreeSet<&str> =
        tables().iter().map(|table| table.name).chain([VERSIONS, COUNTERS]).collect();
    if let Some((table, path)) = files.iter().find(|(table, _)| !known.contains(&**table)) {
        bail!("{}: a D1 database of this server has no table {table} to export", path.display());
    }
    let found: BTreeSet<&str> = files.iter().map(|(table, _)| &**table).collect();
    let missing: Vec<_> = known.difference(&found).copied().collect();
    ensure!(missing.is_empty(), "there is no file TABLE.json for {}", missing.join(", "));
    Ok(files)
}

/// Rejects a schema other than the newest.
fn check_schema(files: &[(String, PathBuf)]) -> anyhow::Result<()> {
    let mut found = 0;
    each(files, VERSIONS, |row| {
        let version = row.get("version").and_then(Value::as_i64);
        found = version.ok_or("a row has no version")?.max(found);
        Ok(())
    })?;
    Ok(check_found(found)?)
}

/// The numbers after which SQLite's tables go on counting.
fn counters(files: &[(String, PathBuf)]) -> anyhow::Result<Vec<(String, i64)>> {
    let mut counters = Vec::new();
    each(files, COUNTERS, |row| {
        let name = row.get("name").and_then(Value::as_str).ok_or("a row has no name")?;
        let number = row.get("seq").and_then(Value::as_i64).ok_or("a row has no seq")?;
        counters.push((name.to_owned(), number));
        Ok(())
    })?;
    Ok(counters)
}

fn each(
    files: &[(String, PathBuf)],
    table: &str,
    mut visit: impl FnMut(Map<String, Value>) -> Result<(), &'static str>,
) -> anyhow::Result<()> {
    for (_, path) in files.iter().filter(|(name, _)| name == table) {
        read(path, &mut |row| Ok(visit(row)?))?;
    }
    Ok(())
}

/// Passes on the rows of all tables.
fn emit(files: &[(String, PathBuf)], pass: &mut Pass<'_>) -> anyhow::Result<()> {
    let mut batches = Batches::new(pass);
    for (name, path) in files {
        let Some(table) = table(name) else { continue };
        read(path, &mut |mut columns| {
            // The schema is the newest, so further columns are those that the database generates.
            columns.retain(|name, _| table.columns.iter().any(|column| column.name == name));
            let row = row(table, columns)?;
            batches.add(table, 0, row).map_err(|error| error.to_string())
        })?;
    }
    batches.finish().map_err(anyhow::Error::from_boxed)
}
