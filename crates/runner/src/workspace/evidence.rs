//! What a run has left in its tree.

use std::path::Path;

use super::{Isolation, Result, Tree, exclude, refs, refs::CheckedOut};
use crate::git::Git;

/// The most paths with changes that are named.
const DIRTY_MAX: usize = 20;

/// What a run has left in its tree, as git sees it. No word of the agent goes into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The commit that is checked out.
    pub head_sha: String,
    /// The commit that the difference starts from: where the work parted from the base. It is the
    /// tree's, or a later one if the agent has brought in a newer base.
    pub base_sha: String,
    /// How many commits this run has made.
    pub commits: u64,
    /// Whether there are changes that are not committed, also in submodules.
    pub is_dirty: bool,
    /// Up to 20 paths of such changes.
    pub dirty: Vec<String>,
    /// How many files all commits since `base_sha` change, those of earlier attempts too.
    pub files_changed: u64,
    /// How many lines they add.
    pub insertions: u64,
    /// How many lines they remove.
    pub deletions: u64,
    /// The difference from `base_sha`. Nothing if there is none, or if it is not UTF-8.
    pub patch: Option<String>,
    /// Whether the patch was longer and is only its beginning, which cannot be applied.
    pub is_patch_truncated: bool,
}

/// The beginning of a difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// The text, for people. Bytes that are not UTF-8 are shown as `�`.
    pub text: String,
    /// Whether there is more.
    pub is_truncated: bool,
}

impl Tree {
    /// Lets all commits count as the run's that come after the base, or after a commit that is known
    /// already, if the tree has it.
    pub async fn count_from(&mut self, known: Option<&str>) -> Result<()> {
        let git = self.git();
        let known = match known {
            Some(sha) => refs::commit(&git, sha).await?,
            None => None,
        };
        let is_here = match &known {
            Some(sha) => refs::is_ancestor(&git, sha, &self.start_sha).await?,
            None => false,
        };
        // The branch was rewritten since: what is new in it cannot be told apart.
        if known.is_none() || is_here {
            self.start_sha = known.unwrap_or_else(|| self.base_sha.clone());
        }
        Ok(())
    }

    /// Looks at what is in the tree. A patch has at most so many bytes.
    ///
    /// It also puts the commits where they are found later: on the tree's branch if the agent has
    /// made them elsewhere, and into the repository if the tree is a clone.
    pub async fn evidence(&self, patch_bytes_max: usize) -> Result<Evidence> {
        let git = self.git();
        let checked_out = refs::checked_out(&git).await?;
        self.save(&checked_out).await?;
        let head_sha = checked_out.sha;
        let mut dirty = dirty(&self.path).await?;
        let is_dirty = !dirty.is_empty();
        dirty.truncate(DIRTY_MAX);
        let base_sha = self.parted_from_base(&head_sha).await?;
        if head_sha == base_sha {
            return Ok(Evidence { head_sha, base_sha, is_dirty, dirty, ..Evidence::default() });
        }
        let new = [&head_sha, "--not", &self.start_sha, &base_sha];
        let commits = git.read("rev-list").arg("--count").args(new).line().await?;
        let stat = git.read("diff-tree").args(["--shortstat", "-M", &base_sha, &head_sha]);
        let [files_changed, insertions, deletions] = counts(&stat.line().await?);
        let (patch, is_patch_truncated) =
            patch(&git, &base_sha, &head_sha, patch_bytes_max).await?;
        Ok(Evidence {
            head_sha,
            base_sha,
            commits: commits.parse().unwrap_or_default(),
            is_dirty,
            dirty,
            files_changed,
            insertions,
            deletions,
            patch,
            is_patch_truncated,
        })
    }

    /// The difference between the base and what is checked out.
    pub async fn diff(&self, bytes_max: usize) -> Result<Diff> {
        let git = self.git();
        let head = refs::head(&git).await?;
        let base = self.parted_from_base(&head).await?;
        let output = difference(&git, &base, &head, bytes_max).await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Diff { text, is_truncated: output.is_truncated })
    }

    /// Where the work parts from its base. An agent may have merged or rebased onto a newer one, whose
    /// changes are not its work.
    async fn parted_from_base(&self, head: &str) -> Result<String> {
        // The clone has the base only as it was when the clone was made, and so had the agent.
        let is_clone = self.isolation == Isolation::Clone;
        let git = if is_clone { self.git() } else { self.place.git() };
        let tips = self.place.tips(&self.base).await?;
        let newer = |tip: &String| *tip != self.base_sha;
        for tip in [tips.local, tips.remote].into_iter().flatten().filter(newer) {
            let is_known = !is_clone || refs::has_commit(&git, &tip).await?;
            let parted = if is_known { refs::merge_base(&git, head, &tip).await? } else { None };
            if let Some(parted) = parted
                && parted != self.base_sha
                && refs::is_ancestor(&git, &self.base_sha, &parted).await?
            {
                return Ok(parted);
            }
        }
        Ok(self.base_sha.clone())
    }

    /// Puts the commit onto the tree's branch in the repository.
    pub(super) async fn save(&self, checked_out: &CheckedOut) -> Result<()> {
        let head = checked_out.sha.as_str();
        let Some(branch) = &self.branch else { return Ok(()) };
        let full = format!("refs/heads/{branch}");
        let git = self.place.git();
        if self.isolation == Isolation::Clone {
            let known = refs::lookup(&git, &[&full]).await?.remove(&full);
            if known.as_deref() != Some(head) {
                let _turn = self.place.turn().await?;
                let fetch = git.write("fetch").slow();
                let fetch = fetch.args(["--quiet", "--no-tags", "--recurse-submodules=no"]);
                fetch.arg(&self.path).arg(format!("+HEAD:{full}")).done().await?;
            }
        } else if checked_out.branch.as_deref() != Some(branch) {
            // An agent that has made a branch of its own, or none. A commit on the tree's branch that
            // is not in this one stays.
            let known = refs::lookup(&git, &[&full]).await?.remove(&full);
            let is_behind = match &known {
                Some(known) => refs::is_ancestor(&git, known, head).await?,
                None => true,
            };
            if is_behind {
                let old = known.as_deref().unwrap_or_default();
                git.write("update-ref").args([full.as_str(), head, old]).done().await?;
            }
        }
        Ok(())
    }
}

/// The paths with changes that are not committed, also those that are new. What git ignores is none,
/// nor is the folder of the run.
pub(super) async fn dirty(tree: &Path) -> Result<Vec<String>> {
    exclude::keep_run_dir_ignored(tree)?;
    let status = Git::at(tree).read("status").args([
        "--porcelain=v1",
        "-z",
        "--untracked-files=normal",
        "--ignore-submodules=none",
    ]);
    // A tree with a million new files is as dirty as one with twenty.
    let output = status.bytes_max(1 << 20).output().await?;
    if !output.is_success() {
        return Err(crate::git::Error::failed("git status".to_owned(), tree, &output).into());
    }
    Ok(paths(&output.stdout))
}

/// Reads `XY path`, and after a renamed path its old one.
fn paths(status: &[u8]) -> Vec<String> {
    let mut fields = status.split(|byte| *byte == 0).filter(|field| !field.is_empty());
    let mut paths = Vec::new();
    while let Some(field) = fields.next() {
        let (kind, path) = field.split_at(field.len().min(3));
        if kind.iter().any(|c| matches!(c, b'R' | b'C')) {
            fields.next();
        }
        paths.push(String::from_utf8_lossy(path).into_owned());
    }
    paths
}

/// Reads ` 3 files changed, 10 insertions(+), 2 deletions(-)`, where parts may be missing.
fn counts(stat: &str) -> [u64; 3] {
    let count = |word: &str| {
        let part = stat.split(',').find(|part| part.contains(word));
        part.and_then(|part| part.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    };
    [count("changed"), count("insertion"), count("deletion")]
}

/// A difference that `git apply` takes, whatever the user's settings for differences are.
async fn difference(
    git: &Git,
    base: &str,
    head: &str,
    bytes_max: usize,
) -> Result<crate::git::Output> {
    let options = ["-r", "-p", "-M", "--binary", "--full-index", "--no-ext-diff", "--no-textconv"];
    let call = git.read("diff-tree").args(options).args(["--no-color", base, head]);
    let output = call.bytes_max(bytes_max).output().await?;
    if !output.is_success() {
        return Err(
            crate::git::Error::failed("git diff-tree".to_owned(), git.dir(), &output).into()
        );
    }
    Ok(output)
}

async fn patch(
    git: &Git,
    base: &str,
    head: &str,
    bytes_max: usize,
) -> Result<(Option<String>, bool)> {
    let output = difference(git, base, head, bytes_max).await?;
    let mut bytes = output.stdout;
    if output.is_truncated {
        // The last line is not whole, nor may its last character be.
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        bytes.truncate(end);
    }
    let text = String::from_utf8(bytes).ok().filter(|text| !text.is_empty());
    Ok((text, output.is_truncated))
}

#[cfg(test)]
mod tests {
    use super::{counts, paths};

    #[test]
    fn counts_are_read_where_there_are_any() {
        let all = " 3 files changed, 10 insertions(+), 2 deletions(-)";
        assert_eq!(counts(all), [3, 10, 2]);
        assert_eq!(counts(" 1 file changed, 1 deletion(-)"), [1, 0, 1]);
        assert_eq!(counts(""), [0, 0, 0]);
    }

    #[test]
    fn paths_of_changes_are_read_with_renamed_ones() {
        let status = b" M a b\0R  new\0 M old\0?? \xc3\xbc/\nx\0UU y\0";
        assert_eq!(paths(status), ["a b", "new", "ü/\nx", "y"]);
        assert!(paths(b"").is_empty());
    }
}
