//! Trees in which work is done.

use std::path::{Path, PathBuf};

use super::{
    Error, Isolation, Place, Result,
    base::Base,
    evidence, exclude, include, refs,
    refs::Listed,
    slug::slug,
    take_up::take_up,
    tree::{Found, Purpose, Tree, lock_tree},
};
use crate::git::Git;

/// Settings of the repository that a clone needs as well to make the same commits.
const COPIED_SETTINGS: [&str; 2] = ["user.name", "user.email"];

/// The most names that are tried for a branch. Each is checked out by the user somewhere.
const NAMES_MAX: usize = 100;

/// The branch of a new tree.
struct Branch {
    name: String,
    /// Its commit, if an earlier attempt has left it.
    sha: Option<String>,
}

impl Place {
    /// The tree for a task. The branch is the one that the task names to start from; if the
    /// repository has no such branch, the one that is checked out in the repository is used.
    ///
    /// The tree or the branch of an earlier attempt is taken up with its commits and changes.
    pub async fn work(&self, task_id: &str, branch: Option<&str>) -> Result<Tree> {
        let slug = slug(task_id);
        let path = self.shared.root.join(&slug);
        let lock = lock_tree(&path).await?;
        let own = format!("{}{slug}", self.shared.options.branch_prefix);
        self.refresh(branch, &own).await?;
        let turn = self.turn().await?;
        let base = self.base(branch).await?;
        let mut found = self.inspect(&path).await?;
        if let Found::Tree(isolation) = found
            && isolation != self.shared.options.isolation
            && self.is_free_of_changes(&path, isolation, &own).await?
        {
            // Its commits are on the branch; the user has chosen another kind since.
            self.delete(&path, isolation).await?;
            found = Found::Nothing;
        }
        if found == Found::Other {
            self.set_aside(&path)?;
        }
        let mut is_at_base = false;
        let (isolation, branch) = match found {
            Found::Tree(isolation) => {
                (isolation, take_up(self, &path, isolation, &own, &lock.read()).await?)
            }
            Found::Nothing | Found::Other => {
                let isolation = self.shared.options.isolation;
                let Branch { name, sha } = self.make(&path, isolation, &own, &base).await?;
                is_at_base = sha.is_none();
                (isolation, name)
            }
        };
        let is_new = !matches!(found, Found::Tree(_));
        let (start_sha, base_sha) = if is_at_base {
            (base.sha.clone(), None)
        } else {
            let git = Git::at(&path);
            let head = catch_up_with_base(&git, &base.sha).await?;
            let parted = refs::merge_base(&git, &head, &base.sha).await?;
            (head, parted)
        };
        let mut tree = Tree {
            branch: Some(branch),
            base: base.name,
            base_sha: base_sha.unwrap_or(base.sha),
            start_sha,
            has_leftovers: false,
            place: self.clone(),
            purpose: Purpose::Work,
            isolation,
            lock,
            path,
        };
        tree.record(task_id)?;
        let has_submodules = tree.start_submodules().await?;
        drop(turn);
        tree.prepare(is_new, has_submodules).await?;
        Ok(tree)
    }

    /// Makes a new tree, on the branch of an earlier attempt if there is one.
    async fn make(
        &self,
        path: &Path,
        isolation: Isolation,
        own: &str,
        base: &Base,
    ) -> Result<Branch> {
        let others = self.forget(path).await?;
        let Branch { name, sha } = self.free_branch(own, &others).await?;
        let git = self.git();
        match isolation {
            Isolation::Worktree => {
                // It runs filters and a hook, which may fetch contents of files.
                let add = git.write("worktree").slow().arg("add");
                let add = match &sha {
                    Some(_) => add.arg(path).arg(&name),
                    None => add.args(["-b", &name]).arg(path).arg(&base.sha),
                };
                add.done().await?;
            }
            Isolation::Clone => {
                self.clone_to(path).await?;
                let start = sha.as_ref().unwrap_or(&base.sha);
                let checkout = Git::at(path).write("checkout").slow();
                checkout.args(["--quiet", "--no-track", "-b", &name, start]).done().await?;
            }
        }
        Ok(Branch { name, sha })
    }

    /// The name for a new tree's branch. One that the user has checked out is left to the user.
    async fn free_branch(&self, own: &str, others: &[Listed]) -> Result<Branch> {
        let git = self.git();
        let numbered = (2..NAMES_MAX).map(|n| format!("{own}.{n}"));
        for name in std::iter::once(own.to_owned()).chain(numbered) {
            if others.iter().any(|tree| tree.branch.as_deref() == Some(&name)) {
                continue;
            }
            let tips = self.tips(&name).await?;
            let (Some(local), Some(remote)) = (&tips.local, &tips.remote) else {
                // A branch that only the remote has was made by an attempt on another machine.
                if let (Some(sha), true) = (&tips.remote, self.remote().is_some()) {
                    let name = format!("refs/heads/{name}");
                    git.write("update-ref").args([name.as_str(), sha.as_str(), ""]).done().await?;
                    return Ok(Branch { name: short(&name), sha: Some(sha.clone()) });
                }
                return Ok(Branch { name, sha: tips.local });
            };
            let is_behind = local != remote && refs::is_ancestor(&git, local, remote).await?;
            if !is_behind || self.remote().is_none() {
                return Ok(Branch { name, sha: tips.local });
            }
            let full = format!("refs/heads/{name}");
            git.write("update-ref").args([&full, remote, local]).done().await?;
            return Ok(Branch { name, sha: tips.remote });
        }
        Err(Error::Repository(format!(
            "the branches `{own}` to `{own}.{}` are all checked out somewhere; `git worktree list` \
             says where",
            NAMES_MAX - 1
        )))
    }

    /// Clones the repository, without files. The clone needs nothing of the repository afterwards.
    pub(super) async fn clone_to(&self, path: &Path) -> Result<()> {
        // Objects become hard links, or copies on another file system.
        let clone = Git::at(self.root()).network("clone");
        let clone = clone.args(["--quiet", "--no-checkout", "--origin", "origin", "--"]);
        clone.arg(self.top()).arg(path).done().await?;
        let (from, to) = (self.git(), Git::at(path));
        for name in COPIED_SETTINGS {
            let value = from.read("config").args(["--local", "--get", name]).maybe_line().await?;
            if let Some(value) = value {
                to.write("config").args([name, &value]).done().await?;
            }
        }
        // Addresses of submodules are often relative to the address that this repository has.
        let names = ["-z", "--local", "--get-regexp", r"^submodule\..*\.url$"];
        let output = from.read("config").args(names).output().await?;
        for pair in String::from_utf8_lossy(&output.stdout).split('\0') {
            if let Some((name, url)) = pair.split_once('\n') {
                to.write("config").args([name, url]).done().await?;
            }
        }
        Ok(())
    }

    /// Whether a tree has nothing but commits, and these are in the repository.
    async fn is_free_of_changes(
        &self,
        path: &Path,
        isolation: Isolation,
        own: &str,
    ) -> Result<bool> {
        let git = Git::at(path);
        // One on another branch is the agent's doing: it is taken up as it is.
        let is_on_own = refs::head_branch(&git).await?.as_deref() == Some(own);
        let is_clean = super::evidence::dirty(path).await?.is_empty();
        let is_saved =
            isolation == Isolation::Worktree || super::close::is_clone_saved(self, path).await?;
        let has_submodules = path.join(".gitmodules").exists();
        Ok(is_on_own && is_clean && is_saved && !has_submodules)
    }
}

fn short(name: &str) -> String {
    name.trim_start_matches("refs/heads/").to_owned()
}

impl Tree {
    /// Notes in the repository's settings which submodules are wanted. Several processes must not do
    /// so at once. Gives whether there are any.
    pub(super) async fn start_submodules(&self) -> Result<bool> {
        let has_submodules = self.path.join(".gitmodules").is_file();
        if has_submodules {
            self.git().write("submodule").args(["--quiet", "init"]).done().await?;
        }
        Ok(has_submodules)
    }

    /// Makes the tree ready for a run.
    pub(super) async fn prepare(&mut self, is_new: bool, has_submodules: bool) -> Result<PathBuf> {
        let run_dir = exclude::make_run_dir(&self.path).await?;
        if !is_new {
            self.has_leftovers = !super::evidence::dirty(&self.path).await?.is_empty();
        }
        // Commits that an earlier attempt left in a submodule stay checked out.
        if has_submodules && !self.has_leftovers {
            let update = self.git().network("submodule");
            update.args(["update", "--quiet", "--init", "--recursive"]).done().await?;
        }
        include::copy(&self.place, &self.path).await?;
        Ok(run_dir)
    }
}

/// Moves a tree in which nothing was done to the newest state of its base: what made an earlier
/// attempt fail may be mended there. Gives what is checked out.
async fn catch_up_with_base(git: &Git, base: &str) -> Result<String> {
    let head = refs::head(git).await?;
    // A clone need not have the newest commits.
    if head == base || refs::commit(git, base).await?.is_none() {
        return Ok(head);
    }
    if !refs::is_ancestor(git, &head, base).await? || !evidence::dirty(git.dir()).await?.is_empty()
    {
        return Ok(head);
    }
    git.write("merge").slow().args(["--ff-only", "--quiet", base]).done().await?;
    Ok(base.to_owned())
}
