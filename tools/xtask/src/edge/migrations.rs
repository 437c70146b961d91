//! The store's migrations as wrangler applies them: the same statements, and the note in
//! `schema_versions` that the native server makes when it applies them itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use crate::paths::{MIGRATION_LIST as LIST, MIGRATIONS as SOURCE};
use crate::{output, paths};

/// Where wrangler looks for them.
const TARGET: &str = "crates/edge/migrations";

const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY, \
    applied_at BIGINT NOT NULL, readable_from BIGINT NOT NULL);\n";

/// The files by their names.
type Files = BTreeMap<String, String>;

/// Writes the files as they should be.
pub(crate) fn write() -> anyhow::Result<()> {
    let directory = paths::root().join(TARGET);
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("emptying {TARGET}"))?;
    }
    fs::create_dir_all(&directory).with_context(|| format!("making {TARGET}"))?;
    let files = made()?;
    for (name, text) in &files {
        fs::write(directory.join(name), text).with_context(|| format!("writing {name}"))?;
    }
    output::line(format_args!("{TARGET}: {} files are written", files.len()));
    Ok(())
}

/// Fails if a file is not as it should be.
pub(crate) fn is_up_to_date() -> anyhow::Result<()> {
    if read(TARGET).unwrap_or_default() != made()? {
        bail!("{TARGET} differs from the store's: run `cargo xtask edge migrations` and commit it");
    }
    output::line(format_args!("{TARGET} is up to date"));
    Ok(())
}

/// The files as they should be. A migration in another database's dialect has one more dot in its
/// name; the common text is SQLite's, and D1 is SQLite.
fn made() -> anyhow::Result<Files> {
    let mut files = read(SOURCE)?;
    files.retain(|name, _| name.matches('.').count() == 1);
    ensure!(!files.is_empty(), "there are no migrations in {SOURCE}");
    let list = fs::read_to_string(paths::root().join(LIST))?;
    let readable_from: Vec<_> = list
        .lines()
        .filter_map(|line| line.trim().strip_prefix("readable_from: ")?.strip_suffix(','))
        .filter_map(|number| number.parse::<usize>().ok())
        .collect();
    ensure!(readable_from.len() == files.len(), "{LIST} lists other migrations than {SOURCE} has");
    // The list begins after the versions that were never released.
    let first = readable_from.first().copied().unwrap_or(1);
    let numbered = (first..).zip(readable_from).zip(files);
    Ok(numbered
        .map(|(versions, (name, text))| {
            let create = if versions.0 == first { CREATE } else { "" };
            (name, noted(versions, create, &text))
        })
        .collect())
}

/// A migration with its version entry, which is dated by the database's clock.
fn noted((version, readable_from): (usize, usize), create: &str, text: &str) -> String {
    format!(
        "-- Made by `cargo xtask edge migrations` from the store's migration of the same name.\n\n\
         {create}{text}\n\
         INSERT INTO schema_versions (version, applied_at, readable_from) \
         VALUES ({version}, CAST(unixepoch('subsec') * 1000 AS INTEGER), {readable_from});\n"
    )
}

fn read(directory: &str) -> anyhow::Result<Files> {
    let path = paths::root().join(directory);
    let entries = fs::read_dir(&path).with_context(|| format!("reading {directory}"))?;
    entries.map(|entry| file(&entry?.path())).collect()
}

fn file(path: &Path) -> anyhow::Result<(String, String)> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok((name.into_owned(), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_of_the_worker_are_those_of_the_store() {
        is_up_to_date().unwrap();
    }

    #[test]
    fn each_migration_notes_its_version() {
        let files = made().unwrap();
        for (number, (name, text)) in (1..).zip(&files) {
            assert!(name.starts_with(&format!("{number:04}_")), "{name}");
            assert_eq!(text.matches("INSERT INTO schema_versions").count(), 1, "{name}");
            assert_eq!(text.contains(CREATE), number == 1, "{name}");
        }
    }
}
