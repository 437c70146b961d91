//! A lock on a file, which ends with its value or with the process, however that ends.

use std::{
    fs::{File, TryLockError},
    io,
    ops::Deref,
};

/// A locked file. The lock belongs to the open file: the same process cannot take it twice, and no
/// program that it starts inherits it.
#[derive(Debug)]
pub(crate) struct LockedFile(File);

impl LockedFile {
    /// Locks a file. None: it is locked already.
    pub(crate) fn try_lock(file: File) -> io::Result<Option<Self>> {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self(file))),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        // A program that is being started holds a copy of the file for a moment; closing this one
        // would not end the lock.
        let _ = self.0.unlock();
    }
}
