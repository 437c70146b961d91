//! Verifying backups, and making databases of them.

use std::{fs::File, path::Path};

use anyhow::{Context as _, bail, ensure};
use octopoid_store::Contents;
use octopoid_store_sqlite::{
    beside, folder_of,
    snapshot::{self, StopFlag},
};

use super::{
    Manifest, contents, file,
    folder::{self, Partial},
};

/// The ending of a database that is being restored.
const RESTORING: &str = ".restoring";

/// Unpacks a backup into the directory for temporary files, and checks its database.
pub(super) fn verify(file: &mut File, manifest: &Manifest) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot create a temporary directory (TMPDIR)")?;
    let mut partial = Partial::create(folder.path().join("octopoid.db"))?;
    unpack(file, manifest, &mut partial)
}

/// Makes a database of a backup. If it fails, there is none at the path.
pub(super) fn restore(file: &mut File, manifest: &Manifest, database: &Path) -> anyhow::Result<()> {
    check_absent(database)?;
    // No other restore writes the same file meanwhile.
    let _lock = folder::lock(folder_of(database))?;
    let mut partial = Partial::create(beside(database, RESTORING))?;
    unpack(file, manifest, &mut partial)?;
    let _reserved = snapshot::lock(database)?;
    check_absent(database)?;
    partial.keep(database)
}

/// A file of the old database, even its WAL alone, must not be taken for one of the new.
fn check_absent(database: &Path) -> anyhow::Result<()> {
    if let Some(found) = folder::first_of_database(database) {
        bail!(
            "{} exists: restore to another path, or stop the server and move all files of the old \
             database away",
            found.display()
        );
    }
    Ok(())
}

fn unpack(file: &mut File, manifest: &Manifest, to: &mut Partial) -> anyhow::Result<()> {
    folder::check_room(folder_of(&to.path), manifest.database_bytes)?;
    file::unpack(file, manifest, &mut to.file)?;
    snapshot::check(&to.path, &StopFlag::default())?;
    let found = contents(&to.path)?;
    let (schema_version, last_event) = (manifest.schema_version, manifest.last_event);
    let described = Contents { schema_version, tasks: manifest.tasks.clone(), last_event };
    ensure!(found == described, "the database is not the one that is described");
    Ok(())
}
