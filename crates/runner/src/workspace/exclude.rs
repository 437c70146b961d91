//! The folder by which agent and runner talk.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Error, Result};
use crate::git::Git;

/// The folder, below the top of a tree. It is the agent's to write to and no part of its work.
pub(super) const RUN_DIR: &str = ".octopoid/run";

/// Makes the folder, empty, and sees to it that git ignores it.
pub(super) async fn make_run_dir(tree: &Path) -> Result<PathBuf> {
    let run_dir = tree.join(RUN_DIR);
    let parent = tree.join(".octopoid");
    for path in [&parent, &run_dir] {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => {}
            Ok(found) => {
                let what = if found.is_symlink() { "a symbolic link" } else { "a file" };
                return Err(Error::Tree(format!(
                    "{} is {what}, where the runner and the agent need a folder for their files: \
                     remove it from the repository",
                    path.display()
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("cannot look at", path, error)),
        }
    }
    let tracked = Git::at(tree).read("ls-files").args(["-z", "--", RUN_DIR]).parts().await?;
    if let Some(first) = tracked.first() {
        return Err(Error::Tree(format!(
            "the repository tracks {}, but {RUN_DIR} is for files of a run: remove it with \
             `git rm -r --cached {RUN_DIR}` and commit",
            String::from_utf8_lossy(first)
        )));
    }
    // What an earlier run has said is not this one's.
    match fs::remove_dir_all(&run_dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::io("cannot empty the folder", &run_dir, error));
        }
        _ => {}
    }
    fs::create_dir_all(&run_dir)
        .map_err(|source| Error::io("cannot make the folder", &run_dir, source))?;
    ignore_everything_in(&run_dir)?;
    Ok(run_dir)
}

/// Restores what an agent may have removed with `git clean`, so that the folder is not taken for
/// work.
pub(super) fn keep_run_dir_ignored(tree: &Path) -> Result<()> {
    let is_folder = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let run_dir = tree.join(RUN_DIR);
    if is_folder(&tree.join(".octopoid")) && is_folder(&run_dir) {
        ignore_everything_in(&run_dir)?;
    }
    Ok(())
}

/// Writes a `.gitignore` that hides the folder and itself, unless one is there.
pub(super) fn ignore_everything_in(folder: &Path) -> Result<()> {
    let path = folder.join(".gitignore");
    let file = fs::File::options().write(true).create_new(true).open(&path);
    let written = file.and_then(|mut file| io::Write::write_all(&mut file, b"*\n"));
    match written {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::io("cannot write the file", &path, error))
        }
        _ => Ok(()),
    }
}
