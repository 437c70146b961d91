//! Locks that end with the process that holds them.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Error, Result};
use crate::lock::LockedFile;

/// How often a lock is tried that another process holds.
const RETRY: Duration = Duration::from_millis(20);

/// A locked file, which is removed when it is not needed any more.
#[derive(Debug)]
pub(super) struct Lock {
    file: LockedFile,
    path: PathBuf,
}

/// What the lock's file says about its tree, for the next run, and for a person who looks into the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    /// The task that the tree was made for.
    pub(super) task_id: String,
    /// The tree's own branch.
    pub(super) branch: Option<String>,
    /// The branch that the work will go to.
    pub(super) base: String,
    /// The commit of the base that the work builds on.
    pub(super) base_sha: String,
}

impl Lock {
    /// Takes the lock if no one has it. The file is made if needed.
    pub(super) fn try_take(path: &Path) -> Result<Option<Self>> {
        let failed = |source| Error::io("cannot lock the file", path, source);
        loop {
            let file =
                File::options().create(true).truncate(false).read(true).write(true).open(path);
            let file = file.map_err(failed)?;
            let Some(file) = LockedFile::try_lock(file).map_err(failed)? else { return Ok(None) };
            // The one who had it before may have removed the file; the next one would lock another.
            if is_at(&file, path).map_err(failed)? {
                return Ok(Some(Self { file, path: path.to_owned() }));
            }
        }
    }

    /// Waits for the lock.
    pub(super) async fn wait(path: &Path, limit: Duration) -> Result<Self> {
        let taken = tokio::time::timeout(limit, async {
            let mut tick = tokio::time::interval(RETRY);
            loop {
                tick.tick().await;
                if let Some(lock) = Self::try_take(path)? {
                    return Ok(lock);
                }
            }
        });
        taken.await.unwrap_or_else(|_| Err(Error::Busy(path.to_owned())))
    }

    /// Writes down what the tree is.
    pub(super) fn write(&self, record: &Record) -> Result<()> {
        let text = serde_json::to_vec(record).expect("a record has only texts");
        let written = self.file.set_len(0).and_then(|()| self.file.write_all_at(&text, 0));
        written.map_err(|source| Error::io("cannot write the file", &self.path, source))
    }

    /// What was written down. A file that cannot be read says nothing.
    pub(super) fn read(&self) -> Record {
        let text = fs::read(&self.path).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Removes the file, while the lock is still held.
    pub(super) fn remove(self) -> Result<()> {
        let removed = fs::remove_file(&self.path);
        removed.map_err(|source| Error::io("cannot remove the file", &self.path, source))
    }
}

/// Whether the path still leads to the open file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Error, Lock, Record, fs};

    #[tokio::test]
    async fn a_lock_is_held_once_and_ends_with_its_value() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.lock");
        let lock = Lock::try_take(&path).unwrap().unwrap();
        assert!(Lock::try_take(&path).unwrap().is_none());
        let waited = Lock::wait(&path, Duration::from_millis(30)).await;
        assert!(matches!(waited, Err(Error::Busy(_))));
        drop(lock);
        assert!(Lock::try_take(&path).unwrap().is_some());
    }

    #[test]
    fn a_removed_file_is_made_and_locked_once_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.lock");
        let lock = Lock::try_take(&path).unwrap().unwrap();
        lock.remove().unwrap();
        assert!(!path.exists());
        let lock = Lock::try_take(&path).unwrap().unwrap();
        assert!(path.exists() && Lock::try_take(&path).unwrap().is_none());
        drop(lock);
    }

    #[test]
    fn what_is_written_down_is_read_and_a_torn_file_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.lock");
        let lock = Lock::try_take(&path).unwrap().unwrap();
        assert_eq!(lock.read(), Record::default());
        let long = Record {
            task_id: "x".repeat(99),
            branch: Some("b".into()),
            base: "main".into(),
            base_sha: "12".into(),
        };
        lock.write(&long).unwrap();
        assert_eq!(lock.read(), long);
        let short = Record { task_id: "y".into(), ..Record::default() };
        lock.write(&short).unwrap();
        assert_eq!(lock.read(), short);
        fs::write(&path, "{\"task_id\": \"y").unwrap();
        assert_eq!(lock.read(), Record::default());
    }
}
