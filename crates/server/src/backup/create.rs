//! Making a backup.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use octopoid_api::{Host as _, SERVER_VERSION};
use octopoid_store::Store;
use octopoid_store_sqlite::{
    beside, folder_of,
    snapshot::{self, StopFlag},
};

use super::{
    Backup, Manifest, contents, file,
    folder::{self, COPY, Name, PARTIAL, Partial},
};
use crate::host::System;

/// Where a backup is written.
pub(super) enum Place {
    /// A folder, which is created if it does not exist. The name has the time.
    Folder(PathBuf),
    /// A file that does not exist.
    File(PathBuf),
    /// A file that replaces the one there is.
    Snapshot(PathBuf),
}

/// Copies, checks, compresses and names a database.
///
/// Unless it makes a snapshot, which a server waits for before it starts, the calling thread runs
/// only when the processor is idle, from then on.
pub(super) fn create(database: &Path, place: &Place, stop: &StopFlag) -> anyhow::Result<Backup> {
    let shown = database.display();
    // A link is followed, so that the names of SQLite's files are those of its target.
    let real = database.canonicalize().with_context(|| format!("cannot open {shown}"))?;
    let folder = match place {
        Place::Folder(folder) => {
            folder::create(folder)?;
            folder
        }
        Place::File(path) | Place::Snapshot(path) => folder_of(path),
    };
    let lock = folder::lock(folder)?;
    if lock.is_some() {
        folder::delete_leftovers(folder)?;
    }
    let now = System.now();
    let path = match place {
        Place::Folder(folder) => folder::free_name(folder, Name::new(database, now)),
        Place::File(path) | Place::Snapshot(path) => path.clone(),
    };
    if matches!(place, Place::File(_)) {
        ensure!(!folder::exists(&path), "{} exists: choose another name", path.display());
    }
    folder::check_room(folder, room(&real))?;
    let mut copy = Partial::create(beside(&path, COPY))?;
    // While it copies, SQLite cannot reset the WAL, so the copy must not be slowed down.
    snapshot::copy(&real, &copy.path, stop)?;
    if !matches!(place, Place::Snapshot(_)) {
        run_when_idle();
    }
    snapshot::check(&copy.path, stop)?;
    let contents = contents(&copy.path)?;
    let known = Manifest {
        format: 0,
        created_at: now,
        server_version: SERVER_VERSION.to_owned(),
        schema_version: contents.schema_version,
        tasks: contents.tasks,
        last_event: contents.last_event,
        database_bytes: 0,
        compressed_bytes: 0,
        sha256: String::new(),
    };
    let mut partial = Partial::create(beside(&path, PARTIAL))?;
    let manifest = file::write(&mut copy.file, &mut partial.file, known, stop)
        .with_context(|| format!("cannot write {}", partial.path.display()))?;
    let bytes = partial.file.metadata()?.len();
    match place {
        Place::Folder(_) | Place::File(_) => partial.keep(&path)?,
        Place::Snapshot(_) => partial.replace(&path)?,
    }
    Ok(Backup { file: path, bytes, manifest: Some(manifest), problem: None })
}

/// Gives this thread the processor only while nothing else wants it, so that a backup does not slow
/// down requests. Other systems than Linux have no such policy for a thread.
fn run_when_idle() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy::Idle, ThreadPriority, ThreadSchedulePolicy,
            set_thread_priority_and_policy, thread_native_id,
        };
        let policy = ThreadSchedulePolicy::Normal(Idle);
        let set = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy);
        if let Err(error) = set {
            tracing::debug!("the backup runs at the usual priority: {error}");
        }
    }
}

/// The disk space for the copy, and for the compressed copy beside it. The tasks' texts become much
/// shorter than half of their length.
fn room(database: &Path) -> u64 {
    let bytes = |ending| beside(database, ending).metadata().map_or(0, |at| at.len());
    let copy = bytes("") + bytes("-wal");
    copy + copy / 2
}

/// Writes a snapshot of a database that is about to be migrated, if it has data. `store` has it
/// open, so that no other server writes to it. Returns the snapshot's file.
pub(crate) async fn before_migration(
    store: &Store,
    database: &Path,
    folder: Option<&Path>,
) -> anyhow::Result<Option<PathBuf>> {
    let Some(found) = store.version_to_migrate().await? else { return Ok(None) };
    let next = found + 1;
    let folder = folder.unwrap_or_else(|| folder_of(database)).to_owned();
    let path = folder.join(folder::snapshot_name(database, next));
    let database = database.to_owned();
    let writing = tokio::task::spawn_blocking(move || {
        folder::create(&folder)?;
        create(&database, &Place::Snapshot(path), &StopFlag::default())
    });
    let backup = writing.await.context("the snapshot failed")?.with_context(|| {
        format!(
            "the database was not migrated to schema version {next}, because no snapshot of it \
             could be written: free disk space, or choose another directory with --backup-dir"
        )
    })?;
    Ok(Some(backup.file))
}
