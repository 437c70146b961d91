//! Telling what an attempt has changed from what was there before.

use std::{fs, io};

use super::{Error, Result, Tree, evidence, exclude, refs};

/// The index that snapshots are made with, in the folder of the tree's repository. The tree belongs to
/// one run, so two snapshots are never made at once.
const INDEX: &str = "octopoid.index";

/// A tree as it was at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    head: String,
    /// What a commit of all changes would hold.
    contents: String,
}

impl Tree {
    /// The tree as it is now, if it has changes that are not committed. Nothing changes by it.
    ///
    /// If there is the same snapshot after an attempt, the changes are not the attempt's.
    pub async fn snapshot(&self) -> Result<Option<Snapshot>> {
        if evidence::dirty(&self.path).await?.is_empty() {
            return Ok(None);
        }
        let git = self.git();
        let git_dir = git.read("rev-parse").arg("--absolute-git-dir").path().await?;
        let (own, index) = (git_dir.join("index"), git_dir.join(INDEX));
        let failed = |error| Error::io("cannot copy the index to", &index, error);
        // A copy knows which files are as they were, so that only the others are read. A program that
        // was killed may have left a lock.
        for stale in [&index, &git_dir.join(format!("{INDEX}.lock"))] {
            remove(stale).map_err(failed)?;
        }
        match fs::copy(&own, &index) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let contents = async {
            git.network("add").index(&index).arg("--all").done().await?;
            let hide = ["-r", "--cached", "--quiet", "--ignore-unmatch", "--", exclude::RUN_DIR];
            git.write("rm").index(&index).args(hide).done().await?;
            git.write("write-tree").index(&index).line().await
        };
        let contents = contents.await;
        remove(&index).map_err(failed)?;
        Ok(Some(Snapshot { head: refs::head(&git).await?, contents: contents? }))
    }
}

fn remove(path: &std::path::Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
