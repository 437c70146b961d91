//! Files that are copied from the user's checkout into new trees, because git does not have them:
//! `.env` and the like.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStringExt as _,
    path::{Component, Path, PathBuf},
};

use super::{Error, Place, Result};
use crate::git::Git;

/// Copies what is ignored by git and matches the include file. What is already in the tree stays.
/// Gives the number of copied files.
pub(super) async fn copy(place: &Place, tree: &Path) -> Result<usize> {
    let top = place.top();
    let include = top.join(&place.shared.options.include);
    if !include.is_file() {
        return Ok(0);
    }
    let git = Git::at(top);
    let mut patterns = OsString::from("--exclude-from=");
    patterns.push(&include);
    let call = git.read("ls-files").args(["-z", "--others", "--ignored"]);
    let matching = call.arg(patterns).bytes().await?;
    if matching.is_empty() {
        return Ok(0);
    }
    // Its exit code 1 says that none is ignored.
    let check = git.read("check-ignore").args(["-z", "--stdin"]).stdin(matching);
    let output = check.bytes_max(64 << 20).output().await?;
    if output.is_truncated || !matches!(output.code, Some(0 | 1)) {
        let error = crate::git::Error::failed("git check-ignore".to_owned(), top, &output);
        return Err(error.into());
    }
    let names: Vec<PathBuf> = output
        .stdout
        .split(|byte| *byte == 0)
        // A folder at the end is another repository.
        .filter(|name| !name.is_empty() && !name.ends_with(b"/"))
        .map(|name| OsString::from_vec(name.to_vec()).into())
        .collect();
    let (top, tree) = (top.to_owned(), tree.to_owned());
    let copied = tokio::task::spawn_blocking(move || copy_all(&top, &tree, &names));
    copied.await.expect("copying does not panic")
}

fn copy_all(from: &Path, to: &Path, names: &[PathBuf]) -> Result<usize> {
    let mut count = 0;
    for name in names.iter().filter(|name| is_below(name)) {
        let (source, target) = (from.join(name), to.join(name));
        let failed = |error| Error::io("cannot copy into the work tree", &source, error);
        if let Some(parent) = name.parent()
            && !make_folders(to, parent).map_err(failed)?
        {
            continue;
        }
        count += usize::from(copy_one(&source, &target).map_err(failed)?);
    }
    Ok(count)
}

/// Whether the path stays below where it starts, and away from the runner's own folder.
fn is_below(name: &Path) -> bool {
    name.components().all(|part| matches!(part, Component::Normal(_)))
        && !name.starts_with(super::exclude::RUN_DIR)
}

/// Makes the folders one by one. Whether they are folders: the tree may have a file or a symbolic
/// link there, and behind a link is another place.
fn make_folders(top: &Path, below: &Path) -> io::Result<bool> {
    let mut path = top.to_owned();
    for part in below.components() {
        path.push(part);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(&path)?,
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn copy_one(source: &Path, target: &Path) -> io::Result<bool> {
    if fs::symlink_metadata(target).is_ok() {
        return Ok(false);
    }
    let kind = match fs::symlink_metadata(source) {
        Ok(found) => found.file_type(),
        // The user's programs go on meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if kind.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(source)?, target)?;
    } else if kind.is_file() {
        fs::copy(source, target)?;
    } else {
        // A socket or a pipe belongs to a process.
        return Ok(false);
    }
    Ok(true)
}
