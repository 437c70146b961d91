//! Deleting trees that are done with, and nothing else.

use std::{ffi::OsString, path::Path};

use super::{Isolation, Place, Result, Tree, evidence, refs, take_up::interrupted, tree::Purpose};
use crate::git::{self, Git};

/// Which trees are kept at the end of a run though they hold nothing that would be lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Those of runs that have failed, to look at.
    #[default]
    Failed,
    /// All.
    All,
    /// None.
    None,
}

/// What became of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It was deleted.
    Removed {
        /// Whether its branch was deleted too, because the base has all of it.
        is_branch_deleted: bool,
    },
    /// It is still there.
    Kept {
        /// Why, for a person.
        why: String,
    },
}

/// Where a tree's commits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Commits {
    InBase,
    OnRemote,
    OnlyHere,
}

impl Closed {
    pub(super) fn kept(why: impl Into<String>) -> Self {
        Self::Kept { why: why.into() }
    }
}

impl Tree {
    /// Ends the use of the tree, and deletes it unless it is to be kept or something would be lost:
    /// changes, or commits that are neither in the base nor on a remote.
    pub async fn close(self, keep: Keep, was_success: bool) -> Closed {
        // The age of a tree counts from here.
        let _ = self.lock.write(&self.lock.read());
        match keep {
            Keep::All => return Closed::kept("all work trees are kept"),
            Keep::Failed if !was_success => return Closed::kept("the run has failed"),
            Keep::Failed | Keep::None => {}
        }
        self.dispose(false).await.unwrap_or_else(|error| Closed::kept(error.to_string()))
    }

    /// Deletes the tree if nothing is lost by it, or only says what would be done.
    pub(super) async fn dispose(self, is_dry_run: bool) -> Result<Closed> {
        let commits = match self.purpose {
            // They hold nothing of their own.
            Purpose::Review | Purpose::Merge => Commits::OnRemote,
            Purpose::Work => {
                let checked_out = refs::checked_out(&self.git()).await?;
                if !is_dry_run {
                    self.save(&checked_out).await?;
                }
                if let Some(why) = self.would_be_lost(&checked_out.git_dir).await? {
                    return Ok(Closed::Kept { why });
                }
                self.commits(checked_out.sha).await?
            }
        };
        if commits == Commits::OnlyHere {
            let why = format!("it has commits that are neither in `{}` nor on a remote", self.base);
            return Ok(Closed::Kept { why });
        }
        let branch = self.branch.clone().filter(|branch| {
            let prefix = &self.place.shared.options.branch_prefix;
            commits == Commits::InBase && branch.starts_with(prefix)
        });
        if is_dry_run {
            return Ok(Closed::Removed { is_branch_deleted: branch.is_some() });
        }
        let _turn = self.place.turn().await?;
        self.place.delete(&self.path, self.isolation).await?;
        let is_branch_deleted = match branch {
            // It refuses if the user has checked the branch out.
            Some(branch) => {
                let delete =
                    self.place.git().write("branch").args(["-D", "--quiet", "--", &branch]);
                delete.done().await.is_ok()
            }
            None => false,
        };
        self.lock.remove()?;
        Ok(Closed::Removed { is_branch_deleted })
    }

    /// Content that only this tree has, other than the commits of its branch.
    async fn would_be_lost(&self, git_dir: &Path) -> Result<Option<String>> {
        let dirty = evidence::dirty(&self.path).await?;
        if let Some(first) = dirty.first() {
            let rest = match dirty.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            return Ok(Some(format!("it has changes that are not committed: {first}{rest}")));
        }
        let git = self.git();
        if let Some(command) = interrupted(git_dir) {
            return Ok(Some(format!("a {command} is not finished in it")));
        }
        if self.path.join(".gitmodules").is_file() {
            let new = "git rev-list -n 1 HEAD --branches --not --remotes --tags";
            let each = git.read("submodule").args(["foreach", "--quiet", "--recursive", new]);
            if !each.bytes().await?.is_empty() {
                return Ok(Some("a submodule has commits that are on no remote".to_owned()));
            }
        }
        if self.isolation == Isolation::Clone && !is_clone_saved(&self.place, &self.path).await? {
            return Ok(Some("the clone has commits that the repository has not".to_owned()));
        }
        Ok(None)
    }

    async fn commits(&self, head: String) -> Result<Commits> {
        let git = self.place.git();
        let mut own = vec![head];
        if let Some(branch) = &self.branch {
            let full = format!("refs/heads/{branch}");
            own.extend(refs::lookup(&git, &[&full]).await?.remove(&full));
        }
        if own.iter().all(|sha| *sha == self.base_sha) {
            return Ok(Commits::InBase);
        }
        let tips = self.place.tips(&self.base).await?;
        let mut base: Vec<String> = [tips.local, tips.remote].into_iter().flatten().collect();
        if refs::has_commit(&git, &self.base_sha).await? {
            base.push(self.base_sha.clone());
        }
        let is_in = |others: Vec<String>| {
            let list = git.read("rev-list").args(["-n", "1"]).args(&own).arg("--not").args(others);
            async { Ok::<_, git::Error>(list.bytes().await?.is_empty()) }
        };
        if is_in(base.clone()).await? || are_picked(&git, &own, &base).await? {
            return Ok(Commits::InBase);
        }
        base.push("--remotes".to_owned());
        Ok(if is_in(base).await? { Commits::OnRemote } else { Commits::OnlyHere })
    }
}

/// Whether the base has each commit as another one with the same changes: a rebase made it.
async fn are_picked(git: &Git, own: &[String], base: &[String]) -> Result<bool> {
    for commit in own {
        let mut is_picked = false;
        for tip in base {
            let both = format!("{tip}...{commit}");
            let options = ["-n", "1", "--cherry-pick", "--right-only", &both];
            is_picked |= git.read("rev-list").args(options).bytes().await?.is_empty();
        }
        if !is_picked {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the repository has all commits of a clone: of its branches, of what is checked out, and
/// of its stash.
pub(super) async fn is_clone_saved(place: &Place, clone: &Path) -> Result<bool> {
    let git = Git::at(clone);
    let list =
        git.read("for-each-ref").args(["--format=%(objectname)", "refs/heads", "refs/stash"]);
    let listed = list.line().await?;
    let mut commits: Vec<OsString> = listed.lines().map(OsString::from).collect();
    commits.push(refs::head(&git).await?.into());
    let unknown = place.git().read("rev-list").args(["-n", "1"]).args(commits);
    // It fails if a commit is not there.
    match unknown.args(["--not", "--all"]).bytes().await {
        Ok(first) => Ok(first.is_empty()),
        Err(git::Error::Failed { .. }) => Ok(false),
        Err(other) => Err(other.into()),
    }
}
