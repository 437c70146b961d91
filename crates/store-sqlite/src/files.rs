//! The files of a database: found, made, locked, and looked after while they are open.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use octopoid_store::EngineError;
#[cfg(target_os = "linux")]
use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};

use crate::OpenError;

/// Only the user that the server runs as may read what is in the database. SQLite gives its other
/// files the mode of the database file.
const MODE: u32 = 0o600;

/// The file itself, without links on the way: so that all who open it look for the same lock.
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Only what exists can be resolved, and SQLite takes an empty file for a new database.
            private().append(true).open(path)?;
            path.canonicalize()
        }
        resolved => resolved,
    }
}

/// Takes the lock that keeps a second server away from the file, which was asked for as `path`.
pub(crate) fn lock(path: &Path, real: &Path) -> Result<File, OpenError> {
    let name = beside(real, ".lock");
    let file = private().truncate(false).write(true).open(&name);
    let file = file.map_err(|error| crate::failed(&name, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(crate::failed(&name, &error)),
    }
}

/// The file of this database with that ending.
pub(crate) fn beside(real: &Path, ending: &str) -> PathBuf {
    let mut name = real.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn private() -> OpenOptions {
    let mut options = File::options();
    options.create(true).mode(MODE);
    options
}

/// The files that SQLite has open, by which a deleted or replaced one is noticed. What is written to
/// such a file is lost, although SQLite reports no error.
pub(crate) struct Files(Vec<(PathBuf, Identity)>);

/// Device and inode: no other file has the same as long as this one is open.
type Identity = (u64, u64);

impl Files {
    /// Those of a database that is open: the file, its log, and the index of the log.
    pub(crate) fn of(real: &Path) -> io::Result<Self> {
        let known = ["", "-wal", "-shm"].map(|ending| {
            let path = beside(real, ending);
            let identity = identity(&path)?;
            Ok((path, identity))
        });
        known.into_iter().collect::<io::Result<_>>().map(Self)
    }

    /// Fails if one of them is not where it was.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        for (path, known) in &self.0 {
            let what = match identity(path) {
                Ok(found) if found == *known => continue,
                Ok(_) => "was replaced".to_owned(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was deleted".to_owned(),
                Err(error) => format!("cannot be looked at ({error})"),
            };
            return Err(EngineError::Unavailable(format!(
                "{} {what} while the server has it open: put it back, or stop the server and \
                 restore a backup",
                path.display()
            )));
        }
        Ok(())
    }
}

/// Which file is at this path now.
///
/// Only that is asked for where the system lets us. Linux from 6.13 on gives a write a time of its
/// own if somebody has asked for the file's times since the last one, and the next sync then writes
/// the inode as well. Before every commit, that would make the sync of the log take half as long again.
fn identity(path: &Path) -> io::Result<Identity> {
    #[cfg(target_os = "linux")]
    if let Ok(found) = statx(CWD, path, AtFlags::empty(), StatxFlags::INO) {
        return Ok((makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino));
    }
    let found = path.metadata()?;
    Ok((found.dev(), found.ino()))
}
