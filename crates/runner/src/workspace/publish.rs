//! Commits and pushes of what an agent has made.

use super::{Error, Place, Result, Tree, exclude, refs};
use crate::git::{self, Git};

/// Who commits where the repository and the environment name no one. The domain can never exist.
const IDENTITY: [(&str, &str); 2] =
    [("user.name", "Octopoid agent"), ("user.email", "agent@octopoid.invalid")];

/// The most places of a tree's history that are searched for what is on the remote.
const REFLOG_MAX: &str = "10000";

/// What a remote says to a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    Done,
    /// The remote's branch has commits that are not in the pushed one.
    Behind,
    /// The remote does not want it, for this reason.
    Refused(String),
}

impl Tree {
    /// Commits all changes, with the repository's hooks. Gives whether there were any. Changes inside
    /// of a submodule are not committed.
    pub async fn commit_all(&self, message: &str) -> Result<bool> {
        let git = self.git();
        let unmerged = git.read("diff").args(["--name-only", "-z", "--diff-filter=U"]).parts();
        if let Some(first) = unmerged.await?.first() {
            return Err(Error::Tree(format!(
                "{} has conflicts that are not resolved, in {}",
                self.path.display(),
                String::from_utf8_lossy(first)
            )));
        }
        exclude::keep_run_dir_ignored(&self.path)?;
        git.write("add").slow().arg("--all").done().await?;
        // An agent may have added the files by which it talks to the runner.
        let hide = ["-r", "--cached", "--quiet", "--ignore-unmatch", "--", exclude::RUN_DIR];
        git.write("rm").args(hide).done().await?;
        if git.read("diff").args(["--cached", "--quiet"]).holds().await? {
            return Ok(false);
        }
        // Hooks often check more than two minutes long.
        let commit = git.write("commit").slow().args(["--quiet", "-F", "-"]).stdin(message);
        with_identity(commit, &git).await?.done().await?;
        Ok(true)
    }

    /// Pushes what is checked out to the tree's branch on the remote.
    ///
    /// Where the agent has rewritten commits that it had pushed before, the branch is replaced, if
    /// its commit there is one that this tree has had.
    pub async fn push(&self) -> Result<()> {
        let (Some(remote), Some(branch)) = (self.place.remote(), &self.branch) else {
            return Err(Error::Repository(
                "there is no remote or no branch to push to; name a remote, for example `origin`"
                    .to_owned(),
            ));
        };
        let checked_out = refs::checked_out(&self.git()).await?;
        self.save(&checked_out).await?;
        let head = checked_out.sha;
        let mut pushed = self.place.push(&head, branch, None).await?;
        if pushed == Pushed::Behind {
            self.place.fetch_branch(branch).await?;
            if let Some(there) = self.place.tips(branch).await?.remote
                && self.has_had(&there).await?
            {
                pushed = self.place.push(&head, branch, Some(&there)).await?;
            }
        }
        match pushed {
            Pushed::Done => Ok(()),
            Pushed::Behind => Err(Error::Refused(format!(
                "the branch `{branch}` on `{remote}` has commits that this work tree has never had; \
                 they are not overwritten"
            ))),
            Pushed::Refused(why) => Err(Error::Refused(format!(
                "`{remote}` does not take the branch `{branch}`: {why}"
            ))),
        }
    }

    /// Whether the commit was checked out in this tree, or is part of what this run started from.
    async fn has_had(&self, sha: &str) -> Result<bool> {
        let git = self.git();
        if !refs::has_commit(&git, sha).await? {
            return Ok(false);
        }
        let reflog = git.read("log").args(["-g", "--format=%H", "-n", REFLOG_MAX, "HEAD"]);
        Ok(reflog.line().await?.lines().any(|line| line == sha)
            || refs::is_ancestor(&git, sha, &self.start_sha).await?)
    }
}

impl Place {
    /// Pushes a commit to a branch, never by force, or only if the remote's branch is at the commit
    /// of the lease.
    pub(super) async fn push(
        &self,
        sha: &str,
        branch: &str,
        lease: Option<&str>,
    ) -> Result<Pushed> {
        let remote = self.remote().expect("callers push only if there is a remote");
        let full = format!("refs/heads/{branch}");
        let what = format!("{sha}:{full}");
        let lease = lease.map(|there| format!("--force-with-lease={full}:{there}"));
        let push = self.git().network("push").args(["--porcelain", "--no-follow-tags"]);
        let push = push.arg("--recurse-submodules=no").args(lease).args([remote, &what]);
        let output = push.output().await?;
        if output.is_success() {
            // git notes it only if the remote's branches are fetched, which a clone of one branch
            // does not do.
            let tracked = format!("refs/remotes/{remote}/{branch}");
            self.git().write("update-ref").args([tracked.as_str(), sha]).done().await?;
            return Ok(Pushed::Done);
        }
        match judgement(&String::from_utf8_lossy(&output.stdout)) {
            Some(Pushed::Refused(why)) => {
                // Hooks of the remote explain themselves among the errors.
                Ok(Pushed::Refused(format!("{why}\n{}", output.text()).trim().to_owned()))
            }
            Some(pushed) => Ok(pushed),
            None => Err(git::Error::failed("git push".to_owned(), self.top(), &output).into()),
        }
    }
}

/// Reads the line of a reference that was not pushed: `!`, the reference, and
/// `[rejected] (fetch first)`.
fn judgement(porcelain: &str) -> Option<Pushed> {
    // The remote's branch was moved before the push or while it went on.
    const MOVED: [&str; 7] = [
        "(fetch first)",
        "(non-fast-forward)",
        "(stale info)",
        "(needs force)",
        "cannot lock ref",
        "failed to update ref",
        "incorrect old value",
    ];
    let line = porcelain.lines().find(|line| line.starts_with("!\t"))?;
    let summary = line.rsplit('\t').next().unwrap_or(line);
    if MOVED.iter().any(|reason| summary.contains(reason)) {
        return Some(Pushed::Behind);
    }
    Some(Pushed::Refused(git::printable(summary.as_bytes())))
}

/// Adds an author to a command that commits, where there is none.
pub(super) async fn with_identity(call: git::Call, git: &Git) -> Result<git::Call, git::Error> {
    let mut call = call;
    for (name, value) in IDENTITY {
        if !git.has_setting(name).await? {
            call = call.config(format!("{name}={value}"));
        }
    }
    Ok(call)
}

#[cfg(test)]
mod tests {
    use super::{Pushed, judgement};

    #[test]
    fn what_a_remote_says_to_a_push_is_told_apart() {
        let says =
            |summary: &str| judgement(&format!("To x\n!\ta:refs/heads/b\t{summary}\nDone\n"));
        assert_eq!(says("[rejected] (fetch first)"), Some(Pushed::Behind));
        assert_eq!(
            says("[remote rejected] (cannot lock ref 'refs/heads/b')"),
            Some(Pushed::Behind)
        );
        let why = "[remote rejected] (pre-receive hook declined)";
        assert_eq!(says(why), Some(Pushed::Refused(why.to_owned())));
        assert_eq!(judgement("To x\n=\ta:b\t[up to date]\nDone\n"), None);
        assert_eq!(judgement(""), None);
    }
}
