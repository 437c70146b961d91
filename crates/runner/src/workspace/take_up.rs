//! Taking up the tree that an earlier attempt has left.

use std::{fs, io, path::Path};

use super::{Error, Isolation, Place, Result, evidence, lock::Record, refs, refs::CheckedOut};
use crate::git::Git;

/// Operations of git that may have been interrupted: the file that says so, below the folder of the
/// tree's repository, and the command. `am` and `rebase` share a folder, so `am` comes first.
const INTERRUPTED: [(&str, &str); 7] = [
    ("rebase-apply/applying", "am"),
    ("rebase-apply", "rebase"),
    ("rebase-merge", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("sequencer", "cherry-pick"),
];

/// Says that a bisection is going on.
const BISECTING: &str = "BISECT_LOG";

/// The command of git that was interrupted, if one was. The folder is the one of the tree's
/// repository.
pub(super) fn interrupted(git_dir: &Path) -> Option<&'static str> {
    let all = INTERRUPTED.into_iter().chain([(BISECTING, "bisect")]);
    all.into_iter().find(|(marker, _)| git_dir.join(marker).exists()).map(|(_, command)| command)
}

/// Puts a tree into a state that an agent can work in, and gives its branch. Commits and changes
/// stay. The tree is locked by this run, so the processes that worked in it are gone.
pub(super) async fn take_up(
    place: &Place,
    path: &Path,
    isolation: Isolation,
    own: &str,
    record: &Record,
) -> Result<String> {
    let git = Git::at(path);
    let CheckedOut { branch: checked_out, git_dir, .. } = refs::checked_out(&git).await?;
    for stale in ["index.lock", "HEAD.lock"] {
        remove_file(&git_dir.join(stale))?;
    }
    let checked_out = checked_out.filter(|name| name.starts_with(own));
    let branch = record.branch.clone().or(checked_out).unwrap_or_else(|| own.to_owned());
    let common = if isolation == Isolation::Clone { &git_dir } else { &place.shared.common };
    remove_file(&common.join(format!("refs/heads/{branch}.lock")))?;
    for (marker, command) in INTERRUPTED {
        if git_dir.join(marker).exists() {
            abort(&git, command).await?;
        }
    }
    if git_dir.join(BISECTING).exists() {
        git.write("bisect").arg("reset").done().await?;
    }
    catch_up(place, &git, isolation, &branch).await?;
    Ok(branch)
}

/// Ends an interrupted operation. If its beginning cannot be restored, what is there stays.
async fn abort(git: &Git, command: &str) -> Result<()> {
    if git.write(command).arg("--abort").done().await.is_err() {
        git.write(command).arg("--quit").done().await?;
    }
    Ok(())
}

/// Adds what an attempt on another machine has pushed since, if nothing here is in its way.
async fn catch_up(place: &Place, git: &Git, isolation: Isolation, branch: &str) -> Result<()> {
    let Some(remote) = place.remote() else { return Ok(()) };
    let Some(pushed) = place.tips(branch).await?.remote else { return Ok(()) };
    if !evidence::dirty(git.dir()).await?.is_empty() {
        return Ok(());
    }
    if isolation == Isolation::Clone {
        let tracked = format!("refs/remotes/{remote}/{branch}");
        let fetch = git.write("fetch").slow();
        let fetch = fetch.args(["--quiet", "--no-tags", "--recurse-submodules=no"]);
        fetch.arg(place.top()).arg(tracked).done().await?;
    }
    let head = refs::head(git).await?;
    if head != pushed && refs::is_ancestor(git, &head, &pushed).await? {
        git.write("merge").slow().args(["--ff-only", "--quiet", &pushed]).done().await?;
    }
    Ok(())
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("cannot remove the file", path, error))
        }
        _ => Ok(()),
    }
}
