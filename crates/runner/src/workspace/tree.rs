//! A work tree that a run holds.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Error, Isolation, Place, Result, exclude, lock::Lock, lock::Record, refs, refs::Listed,
};
use crate::git::{self, Git};

/// How long to wait for a tree that is in use.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// What a tree is for. Each has a folder of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Work,
    Review,
    Merge,
}

impl Purpose {
    /// The end of the folder's name. No slug has a full stop.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Work => "",
            Self::Review => ".review",
            Self::Merge => ".merge",
        }
    }

    /// What the folder with this name is for.
    pub(super) fn of(name: &str) -> Self {
        let all = [Self::Review, Self::Merge];
        all.into_iter().find(|purpose| name.ends_with(purpose.suffix())).unwrap_or(Self::Work)
    }
}

/// A work tree that belongs to this run. Dropping it ends the lock and leaves the files; see
/// [`Tree::close`].
#[derive(Debug)]
pub struct Tree {
    /// The top of the tree.
    pub path: PathBuf,
    /// The branch that the work is on, in the repository. A tree for review or merge has none.
    pub branch: Option<String>,
    /// The branch that the work will go to; or what the user has named instead of a branch.
    pub base: String,
    /// The commit of the base that the work builds on.
    pub base_sha: String,
    /// The commit that was checked out when this run got the tree. What comes after it is the run's.
    pub start_sha: String,
    /// Whether the tree has changes that an earlier attempt did not commit.
    pub has_leftovers: bool,
    pub(super) place: Place,
    pub(super) purpose: Purpose,
    pub(super) isolation: Isolation,
    pub(super) lock: Lock,
}

impl Tree {
    /// The folder by which the agent and the runner talk. It is empty at first, and no part of the
    /// work.
    pub fn run_dir(&self) -> PathBuf {
        self.path.join(exclude::RUN_DIR)
    }

    /// How the tree is kept apart. One that was taken up is as it was made.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    pub(super) fn git(&self) -> Git {
        Git::at(&self.path)
    }

    /// Writes down beside the tree what it is.
    pub(super) fn record(&self, task_id: &str) -> Result<()> {
        self.lock.write(&Record {
            task_id: task_id.to_owned(),
            branch: self.branch.clone(),
            base: self.base.clone(),
            base_sha: self.base_sha.clone(),
        })
    }
}

/// What is at the place of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// A usable tree of this repository.
    Tree(Isolation),
    /// Something else, which is not deleted.
    Other,
}

impl Place {
    /// Looks at what is at the place of a tree. An empty folder is removed.
    pub(super) async fn inspect(&self, path: &Path) -> Result<Found> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => {}
            // A link would lead out of the folder.
            Ok(_) => return Ok(Found::Other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(Error::io("cannot look at", path, error)),
        }
        if fs::remove_dir(path).is_ok() {
            return Ok(Found::Nothing);
        }
        let git = Git::at(path);
        // Without a repository of its own, git finds one above it.
        let top = match git.read("rev-parse").arg("--show-toplevel").path().await {
            Ok(top) => top,
            Err(git::Error::Failed { .. }) => return Ok(Found::Other),
            Err(other) => return Err(other.into()),
        };
        if !refs::is_same(&top, path) || refs::commit(&git, "HEAD").await?.is_none() {
            return Ok(Found::Other);
        }
        let common = super::common_of(&git).await?;
        Ok(if common == self.shared.common {
            Found::Tree(Isolation::Worktree)
        } else if common == path.join(".git") {
            Found::Tree(Isolation::Clone)
        } else {
            Found::Other
        })
    }

    /// Moves something out of the way that may hold a person's or an agent's work.
    pub(super) fn set_aside(&self, path: &Path) -> Result<PathBuf> {
        let name = path.file_name().expect("a tree has a name").to_string_lossy();
        let free = (1..).map(|n| self.shared.root.join(format!("{name}.aside-{n}")));
        let aside = free.into_iter().find(|aside| fs::symlink_metadata(aside).is_err());
        let aside = aside.expect("numbers do not end");
        fs::rename(path, &aside)
            .map_err(|source| Error::io("cannot move out of the way", path, source))?;
        Ok(aside)
    }

    /// Forgets a tree whose folder is gone, also one whose making was interrupted: git keeps such a
    /// one locked. Gives the other trees.
    pub(super) async fn forget(&self, path: &Path) -> Result<Vec<Listed>> {
        let git = self.git();
        let mut listed = refs::work_trees(&git, self.shared.version).await?;
        if listed.iter().any(|tree| tree.path == path) {
            // It fails if the tree is not locked, which is the usual case.
            let _ = git.write("worktree").arg("unlock").arg(path).done().await;
            git.write("worktree").arg("prune").done().await?;
            listed.retain(|tree| tree.path != path);
        }
        Ok(listed)
    }

    /// Deletes a tree that holds nothing worth keeping.
    pub(super) async fn delete(&self, path: &Path, isolation: Isolation) -> Result<()> {
        if isolation == Isolation::Worktree {
            let remove = || self.git().write("worktree").slow().arg("remove");
            // git refuses to remove submodules, and what else it is afraid for: all was looked at.
            match remove().arg(path).done().await {
                Err(git::Error::Failed { .. }) => {
                    // Twice, for a tree that is locked because its making was interrupted.
                    remove().args(["--force", "--force"]).arg(path).done().await?;
                }
                done => done?,
            }
        }
        let path = path.to_owned();
        let removed = tokio::task::spawn_blocking(move || match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("cannot remove the folder", &path, error))
            }
            _ => Ok(()),
        });
        removed.await.expect("removing does not panic")
    }
}

/// Takes the lock of the tree with this path.
///
/// The end of the run before, and a look whether the tree may be deleted, take a moment.
pub(super) async fn lock_tree(path: &Path) -> Result<Lock> {
    match Lock::wait(&lock_path(path), LOCK_LIMIT).await {
        Err(Error::Busy(_)) => Err(Error::InUse(path.to_owned())),
        lock => lock,
    }
}

/// The file whose lock says that the tree is in use.
pub(super) fn lock_path(tree: &Path) -> PathBuf {
    let mut name = tree.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
