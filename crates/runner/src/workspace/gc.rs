//! Trees that no run uses any more.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    Closed, Error, Place, Result, Tree,
    lock::Lock,
    refs,
    tree::{Found, Purpose, lock_path},
};
use crate::git::Git;

/// What became of something in the folder of trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// The tree.
    pub path: PathBuf,
    /// Whether it was deleted, or would have been.
    pub is_removed: bool,
    /// What was done with it, or why it was kept, for a person.
    pub text: String,
}

impl Place {
    /// Looks at all trees in the folder and deletes those that no run uses, that were last used
    /// before so long, and that hold nothing that would be lost. A dry run only says so.
    pub async fn gc(
        &self,
        now: SystemTime,
        older_than: Duration,
        is_dry_run: bool,
    ) -> Result<Vec<Swept>> {
        let root = self.root();
        let failed = |source| Error::io("cannot read the folder", root, source);
        let mut paths = Vec::new();
        for entry in fs::read_dir(root).map_err(failed)? {
            paths.push(entry.map_err(failed)?.path());
        }
        paths.sort();
        let mut swept = Vec::new();
        for path in &paths {
            if path.is_dir() && !path.is_symlink() {
                let outcome = self.sweep(path, now, older_than, is_dry_run).await;
                let outcome = outcome.unwrap_or_else(|error| Closed::kept(error.to_string()));
                swept.push(Swept::of(path, outcome, is_dry_run));
            } else if !is_dry_run {
                remove_unused_lock(path)?;
            }
        }
        Ok(swept)
    }

    /// Deletes the tree for work on a task that is done, unless a run uses it or something would be
    /// lost.
    pub async fn release(&self, now: SystemTime, task_id: &str) -> Result<Closed> {
        let path = self.root().join(Self::slug(task_id));
        if !path.is_dir() || path.is_symlink() {
            return Ok(Closed::Removed { is_branch_deleted: false });
        }
        self.sweep(&path, now, Duration::ZERO, false).await
    }

    async fn sweep(
        &self,
        path: &Path,
        now: SystemTime,
        older_than: Duration,
        is_dry_run: bool,
    ) -> Result<Closed> {
        let lock_path = lock_path(path);
        let had_lock = lock_path.exists();
        let used = if had_lock { &lock_path } else { path };
        let used = fs::metadata(used).and_then(|found| found.modified());
        let used = used.map_err(|source| Error::io("cannot look at", path, source))?;
        let Some(lock) = Lock::try_take(&lock_path)? else {
            return Ok(Closed::kept("it is in use"));
        };
        let outcome = async {
            // A clock that was set back makes no tree old.
            if now.duration_since(used).unwrap_or_default() < older_than {
                return Ok(Err(Closed::kept("it was used recently")));
            }
            match self.inspect(path).await? {
                Found::Nothing => Ok(Err(Closed::Removed { is_branch_deleted: false })),
                Found::Other => Ok(Err(Closed::kept(
                    "it is no work tree of this repository; look into it, and delete it by hand",
                ))),
                Found::Tree(isolation) => Ok::<_, Error>(Ok(isolation)),
            }
        };
        let isolation = match outcome.await {
            Ok(Ok(isolation)) => isolation,
            other => {
                if !had_lock {
                    lock.remove()?;
                }
                return other.map(|outcome| outcome.expect_err("a tree was taken care of"));
            }
        };
        let record = lock.read();
        let start_sha = refs::head(&Git::at(path)).await?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let tree = Tree {
            path: path.to_owned(),
            branch: record.branch,
            base_sha: record.base_sha,
            base: record.base,
            start_sha,
            has_leftovers: false,
            place: self.clone(),
            purpose: Purpose::of(&name),
            isolation,
            lock,
        };
        tree.dispose(is_dry_run).await
    }
}

impl Swept {
    fn of(path: &Path, outcome: Closed, is_dry_run: bool) -> Self {
        let (is_removed, text) = match outcome {
            Closed::Kept { why } => (false, format!("kept: {why}")),
            Closed::Removed { is_branch_deleted } => {
                let done = if is_dry_run { "would be removed" } else { "removed" };
                let and = if is_branch_deleted { " with its branch" } else { "" };
                (true, format!("{done}{and}"))
            }
        };
        Self { path: path.to_owned(), is_removed, text }
    }
}

/// Removes the lock's file of a tree that is gone.
fn remove_unused_lock(path: &Path) -> Result<()> {
    let is_lock = path.extension().is_some_and(|end| end == "lock") && path.is_file();
    if is_lock && fs::symlink_metadata(path.with_extension("")).is_err() {
        match Lock::try_take(path)? {
            Some(lock) if fs::symlink_metadata(path.with_extension("")).is_err() => {
                lock.remove()?;
            }
            _ => {}
        }
    }
    Ok(())
}
