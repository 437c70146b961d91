//! Files that are replaced as a whole: a reader sees the old one or the new one.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// Writes a file under the name `new` first, which is in the same folder, and renames it.
pub(crate) fn replace(path: &Path, new: &Path, text: &str, mode: u32) -> io::Result<()> {
    // A file left by a process that was killed, or made by another user, is not written to.
    remove(new)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)
}

/// Removes a file, if it is there. Returns whether it was.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::{remove, replace};

    #[test]
    fn a_file_is_replaced_whatever_a_killed_process_has_left() {
        let folder = tempfile::tempdir().unwrap();
        let (path, new) = (folder.path().join("a"), folder.path().join("a.new"));
        fs::write(&new, "half").unwrap();
        for text in ["first", "second"] {
            replace(&path, &new, text, 0o600).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!new.exists());
        assert!(remove(&path).unwrap() && !remove(&path).unwrap());
    }
}
