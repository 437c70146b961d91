//! Trees at work that was handed in, to review or to merge it.

use super::{
    Error, Isolation, Place, Result, Tree, publish, refs,
    slug::slug,
    tree::{Found, Purpose, lock_tree},
};
use crate::git::Git;

/// Work as the server knows it. It may have been made on another machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submitted {
    /// The branch that it is on.
    pub branch: Option<String>,
    /// The branch that it was made from, and goes to.
    pub base: Option<String>,
    /// The commit that the patch applies to.
    pub base_sha: Option<String>,
    /// Its last commit.
    pub head_sha: Option<String>,
    /// Its difference from `base_sha`.
    pub patch: Option<String>,
    /// Whether that is only the beginning.
    pub is_patch_truncated: bool,
}

/// Where handed-in work was found.
enum Located<'a> {
    Commit(String),
    Patch { base: &'a str, patch: &'a str },
}

impl Place {
    /// A tree without a branch, at the work that was handed in. `branch` is the one that the task
    /// names to start from. What an earlier review has left is deleted. It is always a `git worktree`:
    /// a review commits nothing.
    ///
    /// Work that is not here is fetched from the remote; without one, a complete patch is applied to
    /// its base. If neither works, the error is [`Error::NoWork`].
    pub async fn review(
        &self,
        task_id: &str,
        branch: Option<&str>,
        work: &Submitted,
    ) -> Result<Tree> {
        self.at_work(Purpose::Review, task_id, branch, work).await
    }

    /// The same in a folder of its own, to merge the work: see [`Tree::rebase`].
    pub async fn merge(
        &self,
        task_id: &str,
        branch: Option<&str>,
        work: &Submitted,
    ) -> Result<Tree> {
        self.at_work(Purpose::Merge, task_id, branch, work).await
    }

    async fn at_work(
        &self,
        purpose: Purpose,
        task_id: &str,
        branch: Option<&str>,
        work: &Submitted,
    ) -> Result<Tree> {
        let slug = slug(task_id);
        let path = self.shared.root.join(format!("{slug}{}", purpose.suffix()));
        let lock = lock_tree(&path).await?;
        let own = format!("{}{slug}", self.shared.options.branch_prefix);
        self.refresh(branch, &own).await?;
        let located = self.locate(work).await?;
        let turn = self.turn().await?;
        let base = self.base(branch).await?;
        match self.inspect(&path).await? {
            Found::Tree(isolation) => self.delete(&path, isolation).await?,
            Found::Other => drop(self.set_aside(&path)?),
            Found::Nothing => {}
        }
        self.forget(&path).await?;
        let start = match &located {
            Located::Commit(sha) => sha.as_str(),
            Located::Patch { base, .. } => base,
        };
        let add = self.git().write("worktree").slow().args(["add", "--detach"]);
        add.arg(&path).arg(start).done().await?;
        let git = Git::at(&path);
        if let Located::Patch { patch, .. } = located {
            apply(&git, task_id, patch).await?;
        }
        let start_sha = refs::head(&git).await?;
        let base_sha = refs::merge_base(&git, &start_sha, &base.sha).await?;
        let mut tree = Tree {
            branch: None,
            base: base.name,
            base_sha: base_sha.unwrap_or(base.sha),
            start_sha,
            has_leftovers: false,
            place: self.clone(),
            purpose,
            isolation: Isolation::Worktree,
            lock,
            path,
        };
        tree.record(task_id)?;
        let has_submodules = tree.start_submodules().await?;
        drop(turn);
        tree.prepare(true, has_submodules).await?;
        Ok(tree)
    }

    async fn locate<'a>(&self, work: &'a Submitted) -> Result<Located<'a>> {
        let git = self.git();
        let branch = work.branch.as_deref().unwrap_or_default();
        let is_branch = refs::is_branch_name(&git, branch).await?;
        let mut tried = Vec::new();
        match work.head_sha.as_deref() {
            Some(sha) if self.obtain(sha, is_branch.then_some(branch), &mut tried).await? => {
                return Ok(Located::Commit(sha.to_owned()));
            }
            Some(sha) => tried.insert(0, format!("the repository does not have commit {sha}")),
            None if is_branch => {
                if self.remote().is_some() {
                    self.fetch_branch(branch).await?;
                }
                let tips = self.tips(branch).await?;
                if let Some(sha) = tips.local.or(tips.remote) {
                    return Ok(Located::Commit(sha));
                }
                tried.push(format!("there is no branch `{branch}`"));
            }
            None => tried.push("neither a commit nor a branch was handed in".to_owned()),
        }
        match (work.patch.as_deref(), work.base_sha.as_deref()) {
            (Some(_), _) if work.is_patch_truncated => {
                tried.push("the patch that was handed in is not complete".to_owned());
            }
            (Some(patch), Some(base)) if !patch.is_empty() => {
                if self.obtain(base, None, &mut Vec::new()).await? {
                    return Ok(Located::Patch { base, patch });
                }
                tried.push(format!("nor commit {base}, which the patch applies to"));
            }
            _ => tried.push("no patch was handed in".to_owned()),
        }
        Err(Error::NoWork(format!(
            "the work cannot be found from {}: {}. Push branches to a remote that all machines can \
             fetch from, with --push",
            self.top().display(),
            tried.join("; ")
        )))
    }

    /// Whether the repository has the commit, after it was fetched if need be.
    async fn obtain(
        &self,
        sha: &str,
        branch: Option<&str>,
        tried: &mut Vec<String>,
    ) -> Result<bool> {
        let git = self.git();
        if refs::has_commit(&git, sha).await? {
            return Ok(true);
        }
        let Some(remote) = self.remote().filter(|_| refs::is_sha(sha)) else { return Ok(false) };
        if let Some(branch) = branch {
            if let Err(error) = self.fetch_branch(branch).await {
                tried.push(error.to_string());
            }
            if refs::has_commit(&git, sha).await? {
                return Ok(true);
            }
        }
        // Many servers give any commit that one of their branches has.
        let options = ["--quiet", "--no-tags", "--recurse-submodules=no", remote, sha];
        if let Err(error) = git.network("fetch").args(options).done().await {
            tried.push(error.to_string());
        }
        Ok(refs::has_commit(&git, sha).await?)
    }
}

/// Applies a patch as one commit, or as the commits of a mailbox.
async fn apply(git: &Git, task_id: &str, patch: &str) -> Result<()> {
    let applied = async {
        if patch.starts_with("From ") {
            let am = git.write("am").slow().args(["--quiet", "--keep-cr"]).stdin(patch);
            return publish::with_identity(am, git).await?.done().await;
        }
        let apply = git.write("apply").slow().args(["--index", "--whitespace=nowarn", "-"]);
        apply.stdin(patch).done().await?;
        // The hooks have seen the work where it was made.
        let commit = git.write("commit").args(["--quiet", "--no-verify", "-F", "-"]);
        let commit = commit.stdin(format!("Work on task {task_id}\n"));
        publish::with_identity(commit, git).await?.done().await
    };
    applied.await.map_err(|error| {
        Error::NoWork(format!("the patch that was handed in does not apply: {error}"))
    })
}
