//! Backups of a server's own database, once per period.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use octopoid_api::Host as _;
use octopoid_domain::Millis;
use octopoid_store_sqlite::snapshot::StopFlag;
use tokio::{
    sync::{oneshot, watch},
    task::{JoinHandle, spawn_blocking},
};

use super::{
    Backup, BackupStatus,
    create::{Place, create},
    folder,
};
use crate::host::System;

/// How long after a failure the next attempt is made, unless the period is shorter.
const RETRY_MS: i64 = 10 * 60 * 1000;
/// The maximum time between two looks at the clock, which may be set.
const LOOK_MS: i64 = 60 * 1000;

/// When and where a database is backed up.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    /// The SQLite file.
    pub(crate) database: PathBuf,
    /// Where the backups are written.
    pub(crate) folder: PathBuf,
    /// The period.
    pub(crate) every: Duration,
    /// How many are kept.
    pub(crate) keep: usize,
}

impl Schedule {
    /// Writes backups until `stopping` is true.
    pub(crate) fn start(
        self,
        status: Arc<BackupStatus>,
        stopping: watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        tokio::spawn(self.run(status, stopping))
    }

    async fn run(self, status: Arc<BackupStatus>, mut stopping: watch::Receiver<bool>) {
        let (own, found) = (self.clone(), Arc::clone(&status));
        let look = spawn_blocking(move || own.find_newest(&found));
        if let Err(error) = ended(look).await {
            tracing::error!("cannot look for backups: {error:#}");
        }
        // By the clock that cannot be set.
        let mut not_before = i64::MIN;
        loop {
            let retry_in = not_before.saturating_sub(System.elapsed_ms());
            let wait = self.due_in(&status, System.now()).max(retry_in);
            if wait > 0 {
                tokio::select! {
                    () = pause(wait.min(LOOK_MS)) => continue,
                    _ = stopping.wait_for(|stopping| *stopping) => return,
                }
            }
            if !self.back_up(&status, &mut stopping).await {
                not_before = System.elapsed_ms() + RETRY_MS.min(self.every_ms());
            }
            if *stopping.borrow() {
                return;
            }
        }
    }

    /// Notes the newest backup in the folder that is not from the future.
    pub(super) fn find_newest(&self, status: &BackupStatus) -> anyhow::Result<()> {
        let (found, now) = (folder::backups_of(&self.folder, &self.database)?, System.now());
        if let Some(newest) = found.iter().rfind(|name| name.at <= now) {
            status.found(newest.at, &self.folder.join(newest.text()));
        }
        Ok(())
    }

    /// The time until the next backup is due, in milliseconds; 0 or less if it is.
    pub(super) fn due_in(&self, status: &BackupStatus, now: Millis) -> i64 {
        let Some(last) = status.get().last_success_at else { return 0 };
        // A clock that was set back must not prevent backups.
        if last > now { 0 } else { last.0.saturating_add(self.every_ms()) - now.0 }
    }

    fn every_ms(&self) -> i64 {
        i64::try_from(self.every.as_millis()).unwrap_or(i64::MAX)
    }

    /// Writes a backup and deletes old ones. Returns whether the backup was written.
    async fn back_up(&self, status: &BackupStatus, stopping: &mut watch::Receiver<bool>) -> bool {
        let start = System.elapsed_ms();
        let made = match self.make(stopping).await {
            Ok(made) => made,
            Err(error) if *stopping.borrow() => {
                tracing::info!("the backup was given up: {error:#}");
                return false;
            }
            Err(error) => {
                status.failed(System.now());
                let (database, folder) = (self.database.display(), self.folder.display());
                tracing::error!(%database, %folder, "cannot write a backup, will retry: {error:#}");
                return false;
            }
        };
        let at = made.manifest.as_ref().map_or_else(|| System.now(), |about| about.created_at);
        #[expect(clippy::cast_precision_loss, reason = "a duration is far below 2^52 milliseconds")]
        let seconds = (System.elapsed_ms() - start) as f64 / 1000.0;
        status.succeeded(at, made.bytes, seconds);
        let (file, bytes) = (made.file.display(), made.bytes);
        tracing::info!(%file, bytes, seconds, "wrote a backup");
        let (own, file) = (self.clone(), made.file);
        let prune = move || folder::prune(&own.folder, &own.database, own.keep, &file);
        match ended(spawn_blocking(prune)).await {
            Ok(deleted) => {
                for file in deleted {
                    tracing::info!(file = %file.display(), "deleted an old backup");
                }
            }
            Err(error) => tracing::error!("cannot delete old backups: {error:#}"),
        }
        true
    }

    /// Writes a backup on a thread of its own, which ends soon after the signal to stop. The end of
    /// the process does not wait for it.
    async fn make(&self, stopping: &mut watch::Receiver<bool>) -> anyhow::Result<Backup> {
        let (reply, mut answer) = oneshot::channel();
        let stop = StopFlag::default();
        let thread_stop = stop.clone();
        let (database, place) = (self.database.clone(), Place::Folder(self.folder.clone()));
        let work = move || {
            let _ = reply.send(create(&database, &place, &thread_stop));
        };
        let thread = std::thread::Builder::new().name("backup".to_owned());
        thread.spawn(work).context("cannot start a thread")?;
        let made = tokio::select! {
            made = &mut answer => Some(made),
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        let made = if let Some(made) = made {
            made
        } else {
            stop.stop();
            answer.await
        };
        made.context("the thread that writes it has failed")?
    }
}

/// Waits for work on the file system, which is not for the threads of the runtime.
async fn ended<T>(work: JoinHandle<anyhow::Result<T>>) -> anyhow::Result<T> {
    work.await.context("the thread that does it has failed")?
}

async fn pause(ms: i64) {
    if let Some(pause) = System.pause(ms.unsigned_abs()) {
        pause.await;
    }
}
