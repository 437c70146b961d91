//! The folder of `octopoid up`, and its locks.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::{fs::OFlags, process::geteuid};
use sha2::{Digest as _, Sha256};

use crate::{
    failure::{Failure, Outcome},
    settings::data_folder,
};

/// Held by the process that serves.
const SERVING: &str = "up.lock";

/// The folder, and the paths in it.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

/// A lock that is held as long as this lives, or the process.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Folder {
    /// The folder of this user. Nothing is created.
    pub(crate) fn at_home() -> Outcome<Self> {
        Ok(Self::at(data_folder()?))
    }

    /// The folder of a demo, or of a test.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Creates the folder if there is none, and makes sure that only its owner, who is this user,
    /// can look into it.
    pub(crate) fn prepare(&self) -> Outcome {
        let prepare = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
            let folder = fs::metadata(&self.path)?;
            check_owner(&folder)?;
            if folder.mode() & 0o077 != 0 {
                fs::set_permissions(&self.path, fs::Permissions::from_mode(0o700))?;
            }
            Ok(())
        };
        prepare().map_err(|error: io::Error| {
            let text = format!("cannot use the data folder {}: {error}", self.path.display());
            Failure::other(text).remedy("another folder: set XDG_DATA_HOME")
        })
    }

    /// The database.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("octopoid.db")
    }

    /// A file in the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The lock of the process that serves; none if another one has it.
    pub(super) fn try_serve(&self) -> Outcome<Option<Lock>> {
        self.try_lock(SERVING)
    }

    /// Waits until no other process serves, and takes its place. Blocks.
    pub(super) fn wait_to_serve(&self) -> io::Result<Lock> {
        let file = open(&self.file(SERVING), true)?;
        file.lock()?;
        name_holder(&file)?;
        Ok(Lock(file))
    }

    /// Whether a process serves.
    pub(super) fn is_serving(&self) -> bool {
        // Shared, so that commands which ask at the same time do not take each other for a server.
        let file = open(&self.file(SERVING), false);
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// The process that serves, as far as it has said so.
    pub(crate) fn server_process(&self) -> Option<String> {
        self.holder(SERVING)
    }

    /// The lock of the process that runs `octopoid up` for this repository. An error says which
    /// process has it.
    pub(crate) fn lock_repository(&self, root: &Path) -> Outcome<Lock> {
        let hash = Sha256::digest(root.as_os_str().as_encoded_bytes());
        let name = format!("up-{}.lock", hex::encode(&hash[..8]));
        if let Some(lock) = self.try_lock(&name)? {
            return Ok(lock);
        }
        let process = self.holder(&name);
        let by = process.as_ref().map(|process| format!(" (process {process})"));
        let root = root.display();
        let text = format!("octopoid up already runs for {root}{}", by.unwrap_or_default());
        let stop = process.map(|process| format!(", or kill {process}"));
        Err(Failure::new(crate::failure::Exit::Conflict, text).remedy(format!(
            "to start it with other options, stop that one first: Ctrl-C there{}",
            stop.unwrap_or_default()
        )))
    }

    /// Holds the record while it is read, changed and written again. Blocks for as long as another
    /// process does the same.
    pub(super) fn lock_record(&self) -> io::Result<Lock> {
        let file = open(&self.file("up.json.lock"), true)?;
        file.lock()?;
        Ok(Lock(file))
    }

    fn try_lock(&self, name: &str) -> Outcome<Option<Lock>> {
        let path = self.file(name);
        let lock = || {
            let file = open(&path, true)?;
            match file.try_lock() {
                Ok(()) => {
                    name_holder(&file)?;
                    Ok(Some(Lock(file)))
                }
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(error)) => Err(error),
            }
        };
        lock().map_err(|error: io::Error| {
            Failure::other(format!("cannot lock {}: {error}", path.display()))
        })
    }

    /// The number that the process which holds a lock has written there.
    fn holder(&self, name: &str) -> Option<String> {
        let mut text = String::new();
        open(&self.file(name), false).ok()?.read_to_string(&mut text).ok()?;
        let number = text.trim();
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| number.to_owned())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would do. A child process that is just being started may have a copy.
        let _ = self.0.unlock();
    }
}

/// Opens a file that this user owns, and that is not behind a symbolic link. One that is written to
/// is created if it does not exist.
pub(super) fn open(path: &Path, is_written: bool) -> io::Result<File> {
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).expect("flags of open(2) are a C int");
    let mut options = OpenOptions::new();
    options.read(true).write(is_written).create(is_written).mode(0o600).custom_flags(no_link);
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    check_owner(&metadata)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    Ok(file)
}

/// Refuses what another user owns, who could read and change it.
fn check_owner(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.uid() == geteuid().as_raw() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"))
}

/// Writes which process holds a lock, for people.
fn name_holder(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use super::{Folder, open};

    #[test]
    fn the_folder_is_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("share/octopoid");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let folder = Folder::at(path.clone());
        folder.prepare().unwrap();
        assert_eq!(mode(), 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        folder.prepare().unwrap();
        assert_eq!(mode(), 0o700);
        let file = Folder::at(home.path().join("file"));
        fs::write(&file.path, "").unwrap();
        assert!(file.prepare().unwrap_err().text.starts_with("cannot use the data folder "));
    }

    #[test]
    fn a_link_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let (target, link) = (home.path().join("target"), home.path().join("link"));
        fs::write(&target, "text").unwrap();
        symlink(&target, &link).unwrap();
        assert!(open(&link, true).is_err() && open(&link, false).is_err());
        assert!(open(home.path(), false).is_err(), "a folder is no file");
        open(&target, false).unwrap();
    }

    #[test]
    fn a_lock_tells_who_is_alive_and_asking_does_not_disturb() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::at(home.path().to_owned());
        assert!(!folder.is_serving(), "there is no file yet");
        let lock = folder.try_serve().unwrap().unwrap();
        assert!(folder.is_serving() && folder.is_serving());
        assert!(folder.try_serve().unwrap().is_none());
        assert_eq!(folder.server_process(), Some(std::process::id().to_string()));
        drop(lock);
        assert!(!folder.is_serving());

        let root = home.path().join("parser");
        let held = folder.lock_repository(&root).unwrap();
        let failure = folder.lock_repository(&root).unwrap_err();
        let process = std::process::id();
        assert_eq!(
            failure.text,
            format!("octopoid up already runs for {} (process {process})", root.display())
        );
        folder.lock_repository(&home.path().join("other")).unwrap();
        drop(held);
        folder.lock_repository(&root).unwrap();
    }
}
