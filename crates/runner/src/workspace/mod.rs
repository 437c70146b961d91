//! The work trees in which agents work.
//!
//! A [`Place`] is a repository with a folder for its trees. [`Place::work`] gives a task a [`Tree`] on
//! a branch of its own, or takes up the one that an earlier attempt has left; [`Place::review`] and
//! [`Place::merge`] give a tree without a branch at the work that was handed in.
//!
//! What holds:
//!
//! * A tree belongs to one run at a time. An OS lock on a file beside the tree says so, and nothing
//!   else: no age, no process number. It ends with the process that holds it.
//! * Nothing that an agent has made is deleted unless it is in the base branch or on the remote.
//!   Trees for review and merge hold nothing of the kind, and are always deleted.
//! * What comes from the server (ids, branches, commits, patches) is data: no name in it leads out of
//!   the folder, is read as an option, or is read as an expression of git.

mod base;
mod close;
mod error;
mod evidence;
mod exclude;
mod gc;
mod include;
mod lock;
mod merge;
mod publish;
mod refs;
mod review;
mod slug;
mod snapshot;
mod take_up;
mod tree;
mod work;

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{Mutex, MutexGuard};

use crate::git::{self, Git, Version};

pub use close::{Closed, Keep};
pub use error::Error;
pub use evidence::{Diff, Evidence};
pub use gc::Swept;
pub use merge::{Advance, Rebase};
pub use review::Submitted;
pub use snapshot::Snapshot;
pub use tree::Tree;

use lock::Lock;

/// The result of what can fail in a work tree.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How long to wait while another process adds or removes a tree of the same repository: one such
/// step may fetch contents of files.
const TURN_LIMIT: Duration = Duration::from_mins(10);

/// How a tree is kept apart from the user's own checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// `git worktree`: it shares the repository, so a commit in it is there at once.
    Worktree,
    /// `git clone`: a repository of its own, for agents in a sandbox that cannot write to the folder
    /// `.git` of another. Its commits are fetched into the repository. Objects are hard links where
    /// the file system can, so it costs little, and a program that writes to them on purpose can
    /// damage those of the repository as well.
    Clone,
}

/// How trees are made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that holds all trees of this repository and of no other. It is made if needed.
    pub root: PathBuf,
    /// How new trees are kept apart.
    pub isolation: Isolation,
    /// A branch, or another name of a commit, that tasks start from whatever branch they name.
    pub base: Option<String>,
    /// The beginning of the names of agents' branches, `agent/`. It may not be empty.
    pub branch_prefix: String,
    /// A file, below the top of the repository, that lists what is copied into new trees in the syntax
    /// of `.gitignore`: usually `.worktreeinclude`.
    pub include: PathBuf,
    /// The remote that branches are fetched from and pushed to. Without one, no remote is asked.
    pub remote: Option<String>,
}

/// A repository in which agents can work. Copies are the same place.
#[derive(Clone, Debug)]
pub struct Place {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The user's checkout.
    top: PathBuf,
    /// The folder that all work trees of the repository share: `.git` of the first one.
    common: PathBuf,
    root: PathBuf,
    options: Options,
    version: Version,
    /// So that slots of this process queue here, and only one of them tries the file's lock.
    turn: Mutex<()>,
}

/// The right to change the list of work trees and branches. It ends when it is dropped.
struct Turn<'a> {
    _file: Lock,
    _process: MutexGuard<'a, ()>,
}

impl Place {
    /// Checks the repository that this folder is in, and makes the folder for its trees.
    pub async fn open(repository: &Path, options: Options) -> Result<Self> {
        let version = Version::installed(repository).await?;
        if version < Version::OLDEST {
            return Err(Error::Repository(format!(
                "git {version} is too old: install {} or newer",
                Version::OLDEST
            )));
        }
        let top = top_of(repository).await?;
        let git = Git::at(&top);
        let common = common_of(&git).await?;
        if refs::commit(&git, "HEAD").await?.is_none() {
            return Err(Error::Repository(format!(
                "the repository {} has no commit yet, so no work tree can be made from it; make one, \
                 for example with `git commit --allow-empty -m Start`",
                top.display()
            )));
        }
        check_options(&git, &options).await?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&options.root)
            .map_err(|source| Error::io("cannot make the folder", &options.root, source))?;
        let root = canonical(&options.root)?;
        if root.starts_with(&top) && root != top {
            // Otherwise the user would see every tree as a new file.
            exclude::ignore_everything_in(&root)?;
        }
        let chosen = options.base.clone();
        let turn = Mutex::new(());
        let shared = Arc::new(Shared { top, common, root, options, version, turn });
        let place = Self { shared };
        if let Some(base) = &chosen {
            place.chosen(base).await?;
        }
        let turn = place.turn().await?;
        place.git().write("worktree").arg("prune").done().await?;
        drop(turn);
        Ok(place)
    }

    /// A name for the task's tree and branch: letters, digits and hyphens in at most 49 bytes, equal
    /// only for equal ids. An id that is such a name in at most 40 bytes is its own.
    pub fn slug(task_id: &str) -> String {
        slug::slug(task_id)
    }

    /// The top of the repository that was opened.
    pub fn top(&self) -> &Path {
        &self.shared.top
    }

    /// The folder with the trees, without symbolic links.
    pub fn root(&self) -> &Path {
        &self.shared.root
    }

    fn git(&self) -> Git {
        Git::at(&self.shared.top)
    }

    fn remote(&self) -> Option<&str> {
        self.shared.options.remote.as_deref()
    }

    /// Waits until no other process changes the list of work trees.
    async fn turn(&self) -> Result<Turn<'_>> {
        let process = self.shared.turn.lock().await;
        let path = self.shared.common.join("octopoid.lock");
        let file = Lock::wait(&path, TURN_LIMIT).await?;
        Ok(Turn { _file: file, _process: process })
    }
}

async fn top_of(repository: &Path) -> Result<PathBuf> {
    let top = Git::at(repository).read("rev-parse").arg("--show-toplevel").path().await;
    match top {
        Ok(top) => canonical(&top),
        Err(git::Error::Failed { text, .. }) => Err(Error::Repository(format!(
            "{} is not in the work tree of a git repository: {text}",
            repository.display()
        ))),
        Err(other) => Err(other.into()),
    }
}

/// The folder with the repository of this work tree, whose top git is in.
async fn common_of(git: &Git) -> Result<PathBuf> {
    let common = git.read("rev-parse").arg("--git-common-dir").path().await?;
    canonical(&git.dir().join(common))
}

async fn check_options(git: &Git, options: &Options) -> Result<()> {
    let prefix = &options.branch_prefix;
    let example = format!("refs/heads/{prefix}x");
    if prefix.is_empty() || !git.read("check-ref-format").arg(&example).holds().await? {
        return Err(Error::Repository(format!(
            "`{prefix}` cannot begin the name of a branch; `agent/` can"
        )));
    }
    if let Some(remote) = &options.remote {
        // A name and not an address: what was fetched is looked up under it.
        let listed = git.read("remote").line().await?;
        if !listed.lines().any(|name| name == remote) {
            let known = listed.lines().collect::<Vec<_>>().join(", ");
            return Err(Error::Repository(format!(
                "the repository {} has no remote `{remote}`; it has {}",
                git.dir().display(),
                if known.is_empty() { "none" } else { &known }
            )));
        }
    }
    Ok(())
}

fn canonical(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(|source| Error::io("cannot find the folder", path, source))
}
