//! Files that commands write for their users.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// A new file, which is deleted unless it is kept.
pub(crate) struct NewFile {
    /// What is written to.
    pub(crate) file: File,
    path: PathBuf,
    is_kept: bool,
}

impl NewFile {
    /// Creates a file where there is none.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = create_private(path);
        let file = file.with_context(|| format!("cannot create the file {}", path.display()))?;
        Ok(Self { file, path: path.to_owned(), is_kept: false })
    }

    /// Syncs the file, which is complete.
    pub(crate) fn keep(mut self) -> anyhow::Result<()> {
        let synced = self.file.sync_all();
        synced.with_context(|| format!("cannot write the file {}", self.path.display()))?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_kept {
            // What the user named may be gone already, and the error that led here is told.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Creates a file that only its owner can read: data has the texts of all tasks and the hashes of
/// keys.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _};

    use super::NewFile;

    #[test]
    fn a_file_is_its_owners_and_there_only_if_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export");
        drop(NewFile::create(&path).unwrap());
        assert!(!path.exists());
        let mut new = NewFile::create(&path).unwrap();
        new.file.write_all(b"all").unwrap();
        new.keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"all");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(NewFile::create(&path).is_err(), "it is not overwritten");
        assert!(path.exists());
    }
}
