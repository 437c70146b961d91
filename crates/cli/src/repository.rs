//! The git repository in which a command runs, as far as defaults follow from it.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The branch of a task if there is no repository to tell.
const BRANCH_DEFAULT: &str = "main";

/// A repository, read without running git.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    /// The name of its main work tree's folder.
    pub(crate) name: String,
    /// The branch that is checked out; `main` if none is.
    pub(crate) branch: String,
    /// The path of its main work tree, without symbolic links. It identifies the repository: all
    /// its work trees have it in common.
    pub(crate) root: PathBuf,
    /// The commit that is checked out; none if there is none yet, or if git keeps it in a form
    /// that only git reads.
    pub(crate) commit: Option<String>,
}

impl Repository {
    /// The repository of this folder.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        let tree = folder.ancestors().find(|folder| folder.join(".git").exists())?;
        let git = git_folder(tree)?;
        let common = common_folder(&git);
        let root = match &common {
            Some(common) => main_tree(common),
            None => tree.to_owned(),
        };
        let root = root.canonicalize().ok()?;
        let head = fs::read_to_string(git.join("HEAD")).ok()?;
        let head = head.trim();
        let branch = head.strip_prefix("ref: refs/heads/");
        let commit = match branch {
            Some(branch) => tip(common.as_ref().unwrap_or(&git), branch),
            None => Some(head.to_owned()).filter(|head| is_commit(head)),
        };
        let name = root.file_name()?.to_str()?.to_owned();
        Some(Self { name, branch: branch.unwrap_or(BRANCH_DEFAULT).to_owned(), root, commit })
    }

    /// The repository of the working directory.
    pub(crate) fn here() -> Option<Self> {
        std::env::current_dir().ok().and_then(|folder| Self::of(&folder))
    }
}

/// The name of this machine.
pub(crate) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The branch that is checked out in the working directory.
pub(crate) fn branch() -> String {
    Repository::here().map_or_else(|| BRANCH_DEFAULT.to_owned(), |repository| repository.branch)
}

/// Where git keeps what belongs to a work tree. `.git` is a folder, or names one in a file.
fn git_folder(tree: &Path) -> Option<PathBuf> {
    let git = tree.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = fs::read_to_string(&git).ok()?;
    Some(tree.join(text.trim().strip_prefix("gitdir: ")?))
}

/// Where git keeps what all work trees share, as the git folder of a linked one says.
fn common_folder(git: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(git.join("commondir")).ok()?;
    git.join(text.trim()).canonicalize().ok()
}

/// The main work tree. That of a submodule is named in its configuration; a bare repository has
/// none, and stands for it.
fn main_tree(common: &Path) -> PathBuf {
    if common.file_name().is_some_and(|name| name == ".git") {
        return common.parent().unwrap_or(common).to_owned();
    }
    let config = fs::read_to_string(common.join("config")).unwrap_or_default();
    let mut lines = config.lines().filter_map(|line| line.split_once('='));
    let tree = lines.find(|(name, _)| name.trim() == "worktree").map(|(_, path)| path.trim());
    tree.map_or_else(|| common.to_owned(), |path| common.join(path))
}

/// The last commit of a branch, which is in a file of its own or in that of the packed ones.
fn tip(git: &Path, branch: &str) -> Option<String> {
    let name = format!("refs/heads/{branch}");
    if let Ok(loose) = fs::read_to_string(git.join(&name)) {
        return Some(loose.trim().to_owned()).filter(|commit| is_commit(commit));
    }
    let packed = fs::read_to_string(git.join("packed-refs")).ok()?;
    let mut lines = packed.lines().filter_map(|line| line.split_once(' '));
    let (commit, _) = lines.find(|(_, packed)| *packed == name)?;
    Some(commit.to_owned()).filter(|commit| is_commit(commit))
}

/// Whether a text is the id of a commit: 40 hexadecimal digits, or 64 with SHA-256.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::Repository;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_repository_is_known_by_its_main_work_tree() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        assert_eq!(Repository::of(&folder), None);
        let root = folder.join("parser");
        let linked = folder.join("elsewhere");
        let git = root.join(".git/worktrees/elsewhere");
        let commit = "0123456789abcdef0123456789abcdef01234567";
        fs::create_dir_all(root.join("src/deep")).unwrap();
        write(&root.join(".git/HEAD"), "ref: refs/heads/feature/a\n");
        write(&root.join(".git/refs/heads/feature/a"), &format!("{commit}\n"));
        write(&git.join("HEAD"), &format!("{commit}\n"));
        write(&git.join("commondir"), "../..\n");
        write(&linked.join(".git"), &format!("gitdir: {}\n", git.display()));

        let repository = Repository::of(&root.join("src/deep")).unwrap();
        assert_eq!((&*repository.name, &*repository.branch), ("parser", "feature/a"));
        assert_eq!((&repository.root, repository.commit.as_deref()), (&root, Some(commit)));
        let repository = Repository::of(&linked).unwrap();
        assert_eq!((&*repository.name, &*repository.branch), ("parser", "main"));
        assert_eq!((&repository.root, repository.commit.as_deref()), (&root, Some(commit)));
    }

    #[test]
    fn a_submodule_is_a_repository_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let module = folder.join("parser/.git/modules/library");
        let tree = folder.join("parser/library");
        write(&folder.join("parser/.git/HEAD"), "ref: refs/heads/main\n");
        write(&module.join("HEAD"), "ref: refs/heads/main\n");
        write(&module.join("config"), "[core]\n\tworktree = ../../../library\n");
        write(&tree.join(".git"), "gitdir: ../.git/modules/library\n");
        write(&module.join("worktrees/b/HEAD"), "ref: refs/heads/b\n");
        write(&module.join("worktrees/b/commondir"), "../..\n");
        let linked = folder.join("b");
        let text = format!("gitdir: {}\n", module.join("worktrees/b").display());
        write(&linked.join(".git"), &text);
        for place in [&tree, &linked] {
            let repository = Repository::of(place).unwrap();
            assert_eq!((&*repository.name, &repository.root), ("library", &tree));
            assert_eq!(repository.commit, None, "there is none yet");
        }
    }

    #[test]
    fn the_commit_may_be_among_the_packed_ones() {
        let folder = tempfile::tempdir().unwrap();
        let commit = "f".repeat(40);
        write(&folder.path().join(".git/HEAD"), "ref: refs/heads/main\n");
        let packed = format!("# pack-refs with: peeled\n{commit} refs/heads/main\n^{commit}\n");
        write(&folder.path().join(".git/packed-refs"), &packed);
        assert_eq!(Repository::of(folder.path()).unwrap().commit, Some(commit));
    }
}
