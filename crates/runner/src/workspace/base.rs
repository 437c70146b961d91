//! Which branch a task's work starts from, and goes to.

use std::time::Duration;

use super::{Error, Place, Result, refs};

/// How long a run waits for the newest state of the remote before it starts from what is known.
const REFRESH_LIMIT: Duration = Duration::from_mins(1);

/// A branch to start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    /// The branch, without the remote's name; or what the user has named instead of a branch.
    pub(super) name: String,
    /// Its newest known commit.
    pub(super) sha: String,
}

/// What is known of a branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tips {
    /// Its commit in the repository.
    pub(super) local: Option<String>,
    /// Its commit on the remote when that was asked last.
    pub(super) remote: Option<String>,
}

impl Place {
    /// The base of a task that names this branch.
    pub(super) async fn base(&self, branch: Option<&str>) -> Result<Base> {
        if let Some(wanted) = self.shared.options.base.as_deref() {
            return self.chosen(wanted).await;
        }
        if let Some(name) = branch
            && let Some(sha) = self.newest(name).await?
        {
            return Ok(Base { name: name.to_owned(), sha });
        }
        let git = self.git();
        match refs::head_branch(&git).await? {
            Some(name) => {
                let sha = self.newest(&name).await?;
                let sha = match sha {
                    Some(sha) => sha,
                    None => refs::head(&git).await?,
                };
                Ok(Base { name, sha })
            }
            None => Ok(Base { name: "HEAD".to_owned(), sha: refs::head(&git).await? }),
        }
    }

    /// The base that the user has named.
    pub(super) async fn chosen(&self, wanted: &str) -> Result<Base> {
        if let Some(sha) = self.newest(wanted).await? {
            return Ok(Base { name: wanted.to_owned(), sha });
        }
        let git = self.git();
        let tracked = format!("refs/remotes/{wanted}");
        if let Some(sha) = refs::lookup(&git, &[&tracked]).await?.remove(&tracked) {
            let name = wanted.split_once('/').map_or(wanted, |(_, name)| name);
            return Ok(Base { name: name.to_owned(), sha });
        }
        match refs::commit(&git, wanted).await? {
            Some(sha) => Ok(Base { name: wanted.to_owned(), sha }),
            None => Err(Error::Repository(format!(
                "the base `{wanted}` is neither a branch nor a commit of {}; `git branch -a` lists \
                 its branches",
                self.shared.top.display()
            ))),
        }
    }

    /// The newest known commit of a branch. The remote's counts if it only adds to the local one;
    /// where both have commits of their own, the local one is the user's work.
    async fn newest(&self, name: &str) -> Result<Option<String>> {
        let Tips { local, remote } = self.tips(name).await?;
        Ok(match (local, remote) {
            (Some(local), Some(remote)) if self.remote().is_some() => {
                let is_behind = refs::is_ancestor(&self.git(), &local, &remote).await?;
                Some(if is_behind { remote } else { local })
            }
            (Some(local), _) => Some(local),
            (None, remote) => remote,
        })
    }

    /// Looks a branch up here and among what was fetched.
    pub(super) async fn tips(&self, name: &str) -> Result<Tips> {
        let local = format!("refs/heads/{name}");
        let remote = format!("refs/remotes/{}/{name}", self.remote().unwrap_or("origin"));
        let mut found = refs::lookup(&self.git(), &[&local, &remote]).await?;
        Ok(Tips { local: found.remove(&local), remote: found.remove(&remote) })
    }

    /// Fetches the base and the task's own branches, if there is a remote. Without an answer, the
    /// work starts from what is known.
    pub(super) async fn refresh(&self, branch: Option<&str>, own: &str) -> Result<()> {
        let Some(remote) = self.remote() else { return Ok(()) };
        let base = match (self.shared.options.base.as_deref(), branch) {
            (Some(name), _) | (None, Some(name)) => Some(name.to_owned()),
            (None, None) => refs::head_branch(&self.git()).await?,
        };
        // A pattern, because the branch is usually not there, and a missing one is an error.
        let own = format!("+refs/heads/{own}*:refs/remotes/{remote}/{own}*");
        let base = match base {
            Some(name) if refs::is_branch_name(&self.git(), &name).await? => {
                Some(format!("+refs/heads/{name}:refs/remotes/{remote}/{name}"))
            }
            _ => None,
        };
        let fetch = || {
            let options = ["--quiet", "--no-tags", "--recurse-submodules=no", remote];
            self.git().network("fetch").args(options).limit(REFRESH_LIMIT)
        };
        // Two slots may fetch the same branch at once; the one that fails has what the other got.
        match fetch().args(base.iter().chain([&own])).done().await {
            Err(crate::git::Error::Failed { .. }) if base.is_some() => {
                let _ = fetch().arg(&own).done().await;
            }
            _ => {}
        }
        Ok(())
    }

    /// Asks the remote for one branch. Whether it has one is seen in [`Place::tips`].
    pub(super) async fn fetch_branch(&self, name: &str) -> Result<()> {
        let Some(remote) = self.remote() else { return Ok(()) };
        let options = ["--quiet", "--no-tags", "--recurse-submodules=no", remote];
        let what = format!("+refs/heads/{name}:refs/remotes/{remote}/{name}");
        match self.git().network("fetch").args(options).arg(what).done().await {
            Err(crate::git::Error::Failed { text, .. })
                if text.contains("couldn't find remote ref") =>
            {
                let tracked = format!("refs/remotes/{remote}/{name}");
                Ok(self.git().write("update-ref").args(["-d", &tracked]).done().await?)
            }
            done => Ok(done?),
        }
    }
}
