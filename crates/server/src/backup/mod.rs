//! Backups of SQLite databases: made while a server runs, on demand or on a schedule, verified and
//! restored.
//!
//! A file with the name of a backup is complete: it gets its name when the copy in it was checked
//! and is on disk. A backup that fails or is killed leaves at most files with other names, which the
//! next one deletes.

mod create;
mod file;
mod folder;
mod restore;
mod schedule;
mod status;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use octopoid_store::{Contents, Store};
use octopoid_store_sqlite::{Location, Peek, snapshot::StopFlag};
use serde::Serialize;

use crate::{UrlOption, config::period, database::Database};

pub use file::Manifest;
pub use status::{BackupState, BackupStatus};

pub(crate) use create::before_migration;
pub(crate) use schedule::Schedule;

/// What to do about a database that is not an SQLite file.
const OTHERS: &str = "use pg_dump, see docs/operations.md#backups";

/// The option that says where backups are written.
#[derive(Debug, clap::Args)]
pub struct FolderOption {
    /// Directory for backups of the SQLite database. `serve` writes one at start, if the newest is
    /// older than the period, and then once per period. The snapshot before a migration is written
    /// there too; without this option, beside the database.
    #[arg(
        long = "backup-dir",
        global = true,
        env = "OCTOPOID_BACKUP_DIR",
        value_name = "DIRECTORY"
    )]
    folder: Option<PathBuf>,
}

impl FolderOption {
    /// The folder for backups of a database, which must be one that has backups.
    pub(crate) fn of(&self, database: &Database) -> anyhow::Result<Option<&Path>> {
        if self.folder.is_some() {
            file_of(database).context("--backup-dir cannot be used with this database")?;
        }
        Ok(self.folder.as_deref())
    }
}

/// The options of scheduled backups.
#[derive(Debug, clap::Args)]
pub struct ScheduleOptions {
    #[command(flatten)]
    pub(crate) folder: FolderOption,

    /// Period of the backups in --backup-dir.
    #[arg(
        long = "backup-every",
        global = true,
        env = "OCTOPOID_BACKUP_EVERY",
        default_value = "24h",
        value_name = "DURATION",
        value_parser = period
    )]
    every: Duration,

    /// How many backups of the database are kept in --backup-dir. Older ones are deleted after a new
    /// one was written.
    #[arg(
        long = "backup-keep",
        global = true,
        env = "OCTOPOID_BACKUP_KEEP",
        default_value_t = 7,
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    keep: u16,
}

impl ScheduleOptions {
    /// The schedule of a database's backups, if a folder is given for them.
    pub(crate) fn schedule(&self, database: &Database) -> anyhow::Result<Option<Schedule>> {
        let Some(folder) = self.folder.of(database)? else { return Ok(None) };
        let (database, folder) = (file_of(database)?.to_owned(), folder.to_owned());
        let (every, keep) = (self.every, self.keep.into());
        Ok(Some(Schedule { database, folder, every, keep }))
    }
}

/// A backup file.
#[derive(Clone, Debug, Serialize)]
pub struct Backup {
    /// Its path.
    #[serde(serialize_with = "shown")]
    pub file: PathBuf,
    /// Its size, in bytes.
    pub bytes: u64,
    /// What it says about itself, if that can be read.
    #[serde(flatten)]
    pub manifest: Option<Manifest>,
    /// What is wrong with it; absent if nothing was found.
    pub problem: Option<String>,
}

/// A path as text, even if it is not UTF-8.
fn shown<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// Writes a backup of a database, which others may use meanwhile. A path that ends in `.zst` is the
/// file, which must not exist; any other is a directory, where the file gets a name with the time.
pub fn create(database: &UrlOption, to: &Path) -> anyhow::Result<Backup> {
    let database = &database.database()?;
    let made = file_of(database).and_then(|path| {
        let is_file = to.to_string_lossy().ends_with(folder::COMPRESSED) && !to.is_dir();
        let place = if is_file {
            create::Place::File(to.to_owned())
        } else {
            create::Place::Folder(to.to_owned())
        };
        create::create(path, &place, &StopFlag::default())
    });
    made.with_context(|| format!("cannot back up {database}"))
}

/// Describes a backup, or those of a directory, oldest first, and compares them with their
/// checksums.
pub fn list(path: &Path) -> anyhow::Result<Vec<Backup>> {
    examine(path, file::check_sum)
}

/// The same, and unpacks each into the directory for temporary files, where its database is checked.
pub fn verify(path: &Path) -> anyhow::Result<Vec<Backup>> {
    let found = examine(path, restore::verify)?;
    ensure!(!found.is_empty(), "there is no backup in {}", path.display());
    Ok(found)
}

/// Makes a database of a backup, at a path where there is none.
pub fn restore(file: &Path, database: &UrlOption) -> anyhow::Result<Backup> {
    let database = &database.database()?;
    let restored = file_of(database).and_then(|path| {
        let mut opened = open(file)?;
        let (bytes, manifest) = (opened.metadata()?.len(), file::read_manifest(&mut opened)?);
        restore::restore(&mut opened, &manifest, path)?;
        Ok(Backup { file: file.to_owned(), bytes, manifest: Some(manifest), problem: None })
    });
    restored.with_context(|| format!("cannot restore {} to {database}", file.display()))
}

/// The file of a database that has one.
fn file_of(database: &Database) -> anyhow::Result<&Path> {
    match database {
        Database::Sqlite { location: Location::File(path), .. } => Ok(path),
        Database::Sqlite { .. } => bail!("a database in memory has no backups: use sqlite:FILE"),
        Database::Postgres(_) => bail!("backups are of SQLite files; for PostgreSQL, {OTHERS}"),
    }
}

fn examine(
    path: &Path,
    check: impl Fn(&mut File, &Manifest) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Backup>> {
    let look = |file: PathBuf| {
        let mut found = Backup { file, bytes: 0, manifest: None, problem: None };
        found.problem = found.examine(&check).err().map(|problem| format!("{problem:#}"));
        found
    };
    let mut found: Vec<_> = folder::backups(path)?.into_iter().map(look).collect();
    found.sort_by_key(|backup| backup.manifest.as_ref().map(|manifest| manifest.created_at));
    Ok(found)
}

impl Backup {
    /// Reads what the file says about itself, and checks it.
    fn examine(
        &mut self,
        check: impl Fn(&mut File, &Manifest) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut file = open(&self.file)?;
        self.bytes = file.metadata()?.len();
        let manifest = self.manifest.insert(file::read_manifest(&mut file)?);
        check(&mut file, manifest)
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("cannot open {}", path.display()))
}

/// Counts what is in a database that no one else has open. Not for asynchronous code.
fn contents(path: &Path) -> anyhow::Result<Contents> {
    let store = Store::new(Arc::new(Peek::open(path)?));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.context("cannot start a runtime")?.block_on(async {
        store.check_ours().await?;
        let contents = store.contents().await?;
        ensure!(contents.schema_version > 0, "it is empty: there is nothing to back up");
        Ok(contents)
    })
}
