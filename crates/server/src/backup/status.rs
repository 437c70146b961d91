//! What became of the scheduled backups, for other parts of the process.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use octopoid_domain::Millis;

/// The results of the scheduled backups, which are shared between the schedule and its readers.
#[derive(Debug, Default)]
pub struct BackupStatus(Mutex<BackupState>);

/// What became of the scheduled backups of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BackupState {
    /// When the newest backup was taken. At start, this is the newest of those in the folder.
    pub last_success_at: Option<Millis>,
    /// When a backup failed last, since the start of the server.
    pub last_failure_at: Option<Millis>,
    /// How long the last successful backup took, in seconds, since the start of the server.
    pub duration_seconds: Option<f64>,
    /// The size of the newest backup's file, in bytes.
    pub bytes: Option<u64>,
}

impl BackupStatus {
    /// The results so far.
    pub fn get(&self) -> BackupState {
        *self.lock()
    }

    /// There is a backup that was taken before the start.
    pub(super) fn found(&self, at: Millis, file: &Path) {
        let bytes = file.metadata().ok().map(|file| file.len());
        let mut state = self.lock();
        (state.last_success_at, state.bytes) = (Some(at), bytes);
    }

    pub(super) fn succeeded(&self, at: Millis, bytes: u64, seconds: f64) {
        let mut state = self.lock();
        state.last_success_at = Some(at);
        (state.bytes, state.duration_seconds) = (Some(bytes), Some(seconds));
    }

    pub(super) fn failed(&self, at: Millis) {
        self.lock().last_failure_at = Some(at);
    }

    fn lock(&self) -> MutexGuard<'_, BackupState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
