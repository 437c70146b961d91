//! Bringing work into its base branch.
//!
//! [`Tree::rebase`] puts the work on top of the base, the caller checks the result in the tree, and
//! [`Tree::advance`] moves the base to it. The base only ever moves forward, from the commit that was
//! checked: if it has moved meanwhile, the caller begins again.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Error, Place, Result, Tree, publish, publish::Pushed, refs};
use crate::git::{Call, Git, Output, printable};

/// The most bytes of the conflicting places that are shown.
const CONFLICT_BYTES_MAX: usize = 16 << 10;

/// The most conflicting files, or files in the way, that are named.
const NAMES_MAX: usize = 20;

/// Settings of the user for rebases that would make of it something else.
const REBASE_SETTINGS: [&str; 5] = [
    "rebase.autoStash=false",
    "rebase.autoSquash=false",
    "rebase.updateRefs=false",
    "rebase.rebaseMerges=false",
    "rerere.enabled=false",
];

/// What became of an attempt to put the work on top of its base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rebase {
    /// It is checked out in the tree, as this commit.
    Done(String),
    /// Both have changed the same places. The tree is as it was.
    Conflict {
        /// Up to 20 files.
        files: Vec<String>,
        /// What git says, and the beginning of the conflicting places: for the next attempt.
        text: String,
    },
    /// The base cannot be advanced before a person has done something.
    Blocked {
        /// Where.
        path: PathBuf,
        /// What is in the way, and what to do.
        text: String,
    },
}

/// What became of an attempt to move the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advance {
    /// The base is at the commit.
    Done,
    /// The base has moved since the rebase. Nothing was changed.
    Moved,
    /// Something in a checkout of the base is in the way. Unless the text says otherwise, nothing was
    /// changed.
    Blocked {
        /// The checkout.
        path: PathBuf,
        /// What is in the way.
        text: String,
    },
}

/// The commit that a base is at.
enum Tip {
    At {
        sha: String,
        local: Option<String>,
        remote: Option<String>,
    },
    /// The branch has commits here that the remote's has not, and the other way round.
    Diverged,
}

impl Tree {
    /// Puts the work on top of the newest state of its base. Work that is there already stays as it is.
    pub async fn rebase(&mut self) -> Result<Rebase> {
        if self.place.remote().is_some() {
            self.place.fetch_branch(&self.base).await?;
        }
        let tip = match self.place.tip(&self.base).await? {
            Tip::At { sha, .. } => sha,
            Tip::Diverged => return Ok(self.diverged()),
        };
        let git = self.git();
        // Checks of an earlier try may have left changes.
        let back = ["--quiet", "--force", "--detach", &self.start_sha];
        git.write("checkout").slow().args(back).done().await?;
        if !refs::is_ancestor(&git, &tip, &self.start_sha).await?
            && let Err(conflict) = self.put_onto(&tip).await?
        {
            return Ok(conflict);
        }
        if self.path.join(".gitmodules").is_file() {
            let update = ["update", "--quiet", "--init", "--recursive"];
            git.network("submodule").args(update).done().await?;
        }
        self.base_sha = tip;
        Ok(Rebase::Done(refs::head(&git).await?))
    }

    /// Rebases what is checked out. Work with a merge in it is merged: a rebase would leave out how
    /// that merge has resolved its conflicts.
    async fn put_onto(&self, tip: &str) -> Result<Result<(), Rebase>> {
        let git = self.git();
        let merges = ["-n", "1", "--merges", &self.start_sha, "--not", tip];
        let has_merges = !git.read("rev-list").args(merges).bytes().await?.is_empty();
        let (command, call) = if has_merges {
            let to_tip = ["--quiet", "--force", "--detach", tip];
            git.write("checkout").slow().args(to_tip).done().await?;
            let options = ["--quiet", "--no-ff", "--no-edit", &self.start_sha];
            ("merge", git.write("merge").slow().args(options).config("merge.autoStash=false"))
        } else {
            ("rebase", git.write("rebase").slow().args(["--quiet", tip]))
        };
        let call = REBASE_SETTINGS.into_iter().fold(call, Call::config);
        let output = publish::with_identity(call, &git).await?.output().await?;
        if output.is_success() {
            return Ok(Ok(()));
        }
        self.conflict(command, &output).await.map(Err)
    }

    /// Moves the base to a commit that [`Tree::rebase`] has given. With a remote, the remote's branch
    /// is moved first, never by force.
    pub async fn advance(&self, sha: &str) -> Result<Advance> {
        let place = &self.place;
        let Tip::At { sha: tip, local, remote } = place.tip(&self.base).await? else {
            return Ok(Advance::Moved);
        };
        if tip != self.base_sha {
            return Ok(Advance::Moved);
        }
        if !refs::is_ancestor(&self.git(), &tip, sha).await? {
            return Err(Error::Repository(format!(
                "commit {sha} is not on top of `{}`, so it must be rebased first",
                self.base
            )));
        }
        let checkouts = place.checkouts(&self.base).await?;
        for path in &checkouts {
            if let Some(text) = in_the_way(path, sha).await? {
                return Ok(Advance::Blocked { path: path.clone(), text });
            }
        }
        if checkouts.is_empty()
            && let Some(path) = place.rebasing(&self.base)
        {
            let text = format!("`{}` is being rebased here; finish or abort that", self.base);
            return Ok(Advance::Blocked { path, text });
        }
        let has_remote = place.remote().is_some();
        if has_remote && remote.as_deref() != Some(sha) {
            match place.push(sha, &self.base, None).await? {
                Pushed::Done => {}
                Pushed::Behind => {
                    place.fetch_branch(&self.base).await?;
                    return Ok(Advance::Moved);
                }
                Pushed::Refused(why) => {
                    let base = &self.base;
                    return Err(Error::Refused(format!(
                        "the remote does not take `{base}`: {why}"
                    )));
                }
            }
        }
        match (local, remote) {
            // A base that only the remote has stays there.
            (None, Some(_)) if has_remote => Ok(Advance::Done),
            (local, _) => self.advance_here(local.as_deref(), sha, &checkouts).await,
        }
    }

    async fn advance_here(
        &self,
        old: Option<&str>,
        sha: &str,
        checkouts: &[PathBuf],
    ) -> Result<Advance> {
        let _turn = self.place.turn().await?;
        let full = format!("refs/heads/{}", self.base);
        let (git, failed) = match checkouts {
            [] => {
                // Compare and swap: nothing else may have moved it.
                let update = ["-m", "octopoid: merge", &full, sha, old.unwrap_or_default()];
                let output = self.place.git().write("update-ref").args(update).output().await?;
                (self.place.git(), (!output.is_success()).then(|| output.text()))
            }
            [path, ..] => {
                let git = Git::at(path);
                let merge = git.write("merge").slow().args(["--ff-only", "--quiet", sha]);
                let output = merge.config("merge.autoStash=false").output().await?;
                (git, (!output.is_success()).then(|| output.text()))
            }
        };
        let Some(mut text) = failed else { return Ok(Advance::Done) };
        let now = refs::lookup(&git, &[&full]).await?.remove(&full);
        if now.as_deref() == Some(sha) {
            // A hook that runs after the merge has failed.
            return Ok(Advance::Done);
        }
        if now.as_deref() != old {
            return Ok(Advance::Moved);
        }
        if let Some(remote) = self.place.remote() {
            text = format!("{text}\n`{remote}` already has the work; only this checkout has not");
        }
        Ok(Advance::Blocked { path: git.dir().to_owned(), text })
    }

    /// Describes the conflict that a rebase or a merge has stopped at, and undoes it.
    async fn conflict(&self, command: &str, output: &Output) -> Result<Rebase> {
        let git = self.git();
        let unmerged = git.read("diff").args(["--name-only", "-z", "--diff-filter=U"]).parts();
        let files: Vec<String> = match unmerged.await {
            Ok(files) => files.iter().map(|file| String::from_utf8_lossy(file).into()).collect(),
            Err(_) => Vec::new(),
        };
        let places = git.read("diff").args(["--no-color", "--no-ext-diff", "--diff-filter=U"]);
        let places = places.bytes_max(CONFLICT_BYTES_MAX).output().await?;
        let abort = git.write(command).arg("--abort").done().await;
        if files.is_empty() {
            // A hook that refuses, for example.
            let error = crate::git::Error::failed(format!("git {command}"), &self.path, output);
            return Err(error.into());
        }
        abort?;
        let said = [printable(&output.stdout), printable(&output.stderr)].join("\n");
        // What git proposes to do next is for a person at this place.
        let said = said.lines().filter(|line| !line.starts_with("hint:"));
        let mut text = said.collect::<Vec<_>>().join("\n");
        text.push_str("\n\n");
        text.push_str(&String::from_utf8_lossy(&places.stdout));
        let files = files.into_iter().take(NAMES_MAX).collect();
        Ok(Rebase::Conflict { files, text: text.trim().to_owned() })
    }

    fn diverged(&self) -> Rebase {
        let (base, remote) = (&self.base, self.place.remote().unwrap_or_default());
        Rebase::Blocked {
            path: self.place.top().to_owned(),
            text: format!(
                "`{base}` here and `{base}` on `{remote}` each have commits that the other has not; \
                 bring them together, for example with `git pull --rebase {remote} {base}`"
            ),
        }
    }
}

impl Place {
    async fn tip(&self, base: &str) -> Result<Tip> {
        let tips = self.tips(base).await?;
        let sha = match (&tips.local, &tips.remote) {
            (Some(local), Some(remote)) if self.remote().is_some() => {
                let git = self.git();
                if refs::is_ancestor(&git, local, remote).await? {
                    remote
                } else if refs::is_ancestor(&git, remote, local).await? {
                    local
                } else {
                    return Ok(Tip::Diverged);
                }
            }
            (Some(local), _) => local,
            (None, Some(remote)) => remote,
            (None, None) => {
                return Err(Error::Repository(format!(
                    "the base `{base}` is not a branch, so nothing can be merged into it; name a \
                     branch with --base"
                )));
            }
        };
        Ok(Tip::At { sha: sha.clone(), local: tips.local, remote: tips.remote })
    }

    /// The work trees that have the branch checked out.
    async fn checkouts(&self, branch: &str) -> Result<Vec<PathBuf>> {
        let listed = refs::work_trees(&self.git(), self.shared.version).await?;
        let on_it = listed.into_iter().filter(|tree| tree.branch.as_deref() == Some(branch));
        Ok(on_it.map(|tree| tree.path).filter(|path| path.join(".git").exists()).collect())
    }

    /// The folder of a rebase of the branch that is going on. git lists its tree without a branch.
    fn rebasing(&self, branch: &str) -> Option<PathBuf> {
        let common = &self.shared.common;
        let linked = fs::read_dir(common.join("worktrees")).into_iter().flatten();
        let linked = linked.filter_map(io::Result::ok).map(|entry| entry.path());
        let full = format!("refs/heads/{branch}");
        let is_of_branch = |dir: &PathBuf| {
            let name = fs::read_to_string(dir.join("head-name"));
            name.is_ok_and(|name| name.trim_end() == full)
        };
        std::iter::once(common.clone())
            .chain(linked)
            .flat_map(|dir| [dir.join("rebase-merge"), dir.join("rebase-apply")])
            .find(is_of_branch)
    }
}

/// What keeps a checkout from being moved to the commit, found without changing it.
async fn in_the_way(checkout: &Path, sha: &str) -> Result<Option<String>> {
    let git = Git::at(checkout);
    if refs::commit(&git, "MERGE_HEAD").await?.is_some() {
        return Ok(Some("a merge is going on here; finish or abort it".to_owned()));
    }
    let untracked = untracked_in_the_way(&git, sha).await?;
    if !untracked.is_empty() {
        return Ok(Some(format!(
            "files that git does not know here would be overwritten: {}; move or remove them",
            untracked.join(", ")
        )));
    }
    // Files that were only touched must not look changed. A busy index says nothing.
    let _ = git.write("update-index").args(["-q", "--refresh"]).output().await?;
    let dry = git.write("read-tree").args(["--dry-run", "-m", "-u", "HEAD", sha]).output().await?;
    Ok((!dry.is_success()).then(|| {
        format!(
            "changes that are not committed are in the way; commit or stash them. {}",
            dry.text()
        )
    }))
}

/// Files that the commit would add where there is an untracked one. git would overwrite it if it is
/// ignored, and that may be the user's settings.
async fn untracked_in_the_way(git: &Git, sha: &str) -> Result<Vec<String>> {
    let added = ["-r", "-z", "--name-only", "--no-renames", "--diff-filter=A", "HEAD", sha];
    let added = git.read("diff-tree").args(added).parts().await?;
    let there = added.into_iter().filter_map(|name| String::from_utf8(name).ok());
    let there = there.filter(|name| fs::symlink_metadata(git.dir().join(name)).is_ok());
    let there: Vec<String> = there.map(|name| format!(":(literal){name}")).collect();
    if there.is_empty() {
        return Ok(Vec::new());
    }
    let untracked = git.read("ls-files").args(["-z", "--others", "--"]).args(there).parts().await?;
    let names = untracked.iter().take(NAMES_MAX);
    Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}
