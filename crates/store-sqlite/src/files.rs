//! The files of a database: resolving, creating, locking, and checking them while they are open.

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

/// The mode of new files: only the server's user can read them. SQLite creates its other files with
/// the mode of the database file.
const MODE: u32 = 0o600;

/// The path without symbolic links, so that all servers use the same lock file.
pub(crate) fn resolve(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Only existing files can be resolved. SQLite treats an empty file as a new database.
            private().append(true).open(path)?;
            path.canonicalize()
        }
        resolved => resolved,
    }
}

/// Acquires the lock that prevents a second server from opening the file. `path` is for errors.
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

/// The folder of a file, which is the current one if the path names none.
pub fn folder_of(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// The file of this database with the given suffix, such as `-wal`.
pub fn beside(real: &Path, ending: &str) -> PathBuf {
    let mut name = real.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn private() -> OpenOptions {
    let mut options = File::options();
    options.create(true).mode(MODE);
    options
}

/// The files that SQLite has open, used to detect a deleted or replaced one. Writes to such a file
/// are lost, although SQLite reports no error.
pub(crate) struct Files(Vec<(PathBuf, Identity)>);

/// Device and inode, which are unique while the file is open.
type Identity = (u64, u64);

impl Files {
    /// The files of an open database: the file, its WAL, and the WAL index.
    pub(crate) fn of(real: &Path) -> io::Result<Self> {
        let known = ["", "-wal", "-shm"].map(|ending| {
            let path = beside(real, ending);
            let identity = identity(&path)?;
            Ok((path, identity))
        });
        known.into_iter().collect::<io::Result<_>>().map(Self)
    }

    /// Fails if one of them was deleted or replaced.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        for (path, known) in &self.0 {
            let what = match identity(path) {
                Ok(found) if found == *known => continue,
                Ok(_) => "was replaced".to_owned(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was deleted".to_owned(),
                Err(error) => format!("cannot be checked ({error})"),
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
/// own if the file's times were read since the last one, and the next sync then writes the inode as
/// well. Before every commit, that would make the sync of the WAL take half as long again.
fn identity(path: &Path) -> io::Result<Identity> {
    #[cfg(target_os = "linux")]
    if let Ok(found) = statx(CWD, path, AtFlags::empty(), StatxFlags::INO) {
        return Ok((makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino));
    }
    let found = path.metadata()?;
    Ok((found.dev(), found.ino()))
}
