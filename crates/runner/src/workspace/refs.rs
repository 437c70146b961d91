//! Questions about branches and commits.

use std::{
    collections::HashMap,
    ffi::OsString,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use crate::git::{Error, Git, Version};

/// A work tree of a repository, as git lists it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) path: PathBuf,
    /// The branch that is checked out, without `refs/heads/`.
    pub(super) branch: Option<String>,
}

/// The commit that the expression names. The expression is the user's; it does not come from the
/// server.
pub(super) async fn commit(git: &Git, expression: &str) -> Result<Option<String>, Error> {
    if expression.starts_with('-') {
        return Ok(None);
    }
    let commit = format!("{expression}^{{commit}}");
    let output = git.read("rev-parse").args(["--verify", "--quiet", &commit]).output().await?;
    let sha = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok((output.is_success() && is_sha(&sha)).then_some(sha))
}

/// The commit that is checked out.
pub(super) async fn head(git: &Git) -> Result<String, Error> {
    git.read("rev-parse").args(["--verify", "HEAD^{commit}"]).line().await
}

/// What is checked out in a work tree.
#[derive(Debug)]
pub(super) struct CheckedOut {
    pub(super) sha: String,
    /// The branch, unless the commit is checked out by itself.
    pub(super) branch: Option<String>,
    /// The folder of the tree's own files in the repository.
    pub(super) git_dir: PathBuf,
}

/// What is checked out.
pub(super) async fn checked_out(git: &Git) -> Result<CheckedOut, Error> {
    let asked = ["HEAD", "--symbolic-full-name", "HEAD", "--absolute-git-dir"];
    let call = git.read("rev-parse").args(asked);
    let bytes = call.bytes().await?;
    // The path comes last: it may hold newlines.
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n').map(<[u8]>::to_vec);
    let mut next = || lines.next().unwrap_or_default();
    let (sha, name, mut git_dir) = (next(), next(), next());
    git_dir.pop();
    let name = String::from_utf8_lossy(&name).into_owned();
    Ok(CheckedOut {
        sha: String::from_utf8_lossy(&sha).into_owned(),
        branch: name.strip_prefix("refs/heads/").map(str::to_owned),
        git_dir: OsString::from_vec(git_dir).into(),
    })
}

/// The branch that is checked out, if one is.
pub(super) async fn head_branch(git: &Git) -> Result<Option<String>, Error> {
    git.read("symbolic-ref").args(["--quiet", "--short", "HEAD"]).maybe_line().await
}

/// The commits of those of these references that exist. Any text can be asked for: it is compared
/// with the names of the references, and never read as an expression.
pub(super) async fn lookup(git: &Git, names: &[&str]) -> Result<HashMap<String, String>, Error> {
    let call = git.read("for-each-ref").args(["--format=%(objectname) %(refname)", "--"]);
    let asked = names.iter().filter(|name| name.starts_with("refs/") && !name.contains('\0'));
    let listed = call.args(asked).line().await?;
    let pairs = listed.lines().filter_map(|line| line.split_once(' '));
    let wanted = pairs.filter(|(_, name)| names.contains(name));
    Ok(wanted.map(|(sha, name)| (name.to_owned(), sha.to_owned())).collect())
}

/// Whether this is the full name of a commit.
pub(super) fn is_sha(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether the repository has this commit.
pub(super) async fn has_commit(git: &Git, sha: &str) -> Result<bool, Error> {
    Ok(is_sha(sha) && commit(git, sha).await?.is_some())
}

/// Whether the text can be the name of a branch.
pub(super) async fn is_branch_name(git: &Git, name: &str) -> Result<bool, Error> {
    if name.contains('\0') || name.starts_with('-') {
        return Ok(false);
    }
    git.read("check-ref-format").arg(format!("refs/heads/{name}")).holds().await
}

/// Whether the first commit is the second or comes before it.
pub(super) async fn is_ancestor(git: &Git, first: &str, second: &str) -> Result<bool, Error> {
    git.read("merge-base").args(["--is-ancestor", first, second]).holds().await
}

/// The commit at which two histories parted, if they have one in common.
pub(super) async fn merge_base(git: &Git, a: &str, b: &str) -> Result<Option<String>, Error> {
    git.read("merge-base").args([a, b]).maybe_line().await
}

/// All work trees of the repository, also those whose folder is gone.
pub(super) async fn work_trees(git: &Git, version: Version) -> Result<Vec<Listed>, Error> {
    let call = git.read("worktree").args(["list", "--porcelain"]);
    let has_zeros = version >= Version::LISTS_WITH_ZEROS;
    let call = if has_zeros { call.arg("-z") } else { call };
    Ok(listed(&call.bytes().await?, if has_zeros { 0 } else { b'\n' }))
}

fn listed(bytes: &[u8], separator: u8) -> Vec<Listed> {
    let mut all: Vec<Listed> = Vec::new();
    for field in bytes.split(|byte| *byte == separator) {
        if let Some(path) = field.strip_prefix(b"worktree ") {
            let path = OsString::from_vec(path.to_vec()).into();
            all.push(Listed { path, branch: None });
        } else if let (Some(name), Some(last)) =
            (field.strip_prefix(b"branch refs/heads/"), all.last_mut())
        {
            last.branch = String::from_utf8(name.to_vec()).ok();
        }
    }
    all
}

/// Whether two paths lead to the same folder. One that is gone is compared as it is written.
pub(super) fn is_same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::{Listed, is_sha, listed};

    #[test]
    fn the_list_of_work_trees_is_read_in_both_forms() {
        let fields =
            ["worktree /a b", "HEAD 12", "branch refs/heads/x/ü", "", "worktree /c", "detached"];
        let expected = [
            Listed { path: "/a b".into(), branch: Some("x/ü".into()) },
            Listed { path: "/c".into(), branch: None },
        ];
        for (separator, byte) in [("\0", 0), ("\n", b'\n')] {
            assert_eq!(listed(fields.join(separator).as_bytes(), byte), expected);
        }
        assert_eq!(listed(b"worktree /a\nb\0", 0)[0].path.as_os_str(), "/a\nb");
    }

    #[test]
    fn only_full_names_of_commits_are_taken_for_such() {
        assert!(is_sha(&"0a".repeat(20)) && is_sha(&"0A".repeat(32)));
        for other in ["", "HEAD", "abc", &"g".repeat(40), &"0".repeat(41)] {
            assert!(!is_sha(other), "{other}");
        }
    }
}
