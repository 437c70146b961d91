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
}

impl Repository {
    /// The repository of this folder.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        let root = folder.ancestors().find(|folder| folder.join(".git").exists())?;
        let git = git_folder(root)?;
        // The git folder of a linked work tree is in that of the main one: .git/worktrees/NAME.
        let main = git.ancestors().find(|folder| folder.file_name().is_some_and(|n| n == ".git"));
        let main = main.and_then(Path::parent).unwrap_or(root);
        let head = fs::read_to_string(git.join("HEAD")).ok()?;
        let branch = head.trim().strip_prefix("ref: refs/heads/").unwrap_or(BRANCH_DEFAULT);
        let name = main.file_name()?.to_str()?.to_owned();
        Some(Self { name, branch: branch.to_owned() })
    }

    /// The repository of the working directory.
    pub(crate) fn here() -> Option<Self> {
        std::env::current_dir().ok().and_then(|folder| Self::of(&folder))
    }
}

/// The branch that is checked out in the working directory.
pub(crate) fn branch() -> String {
    Repository::here().map_or_else(|| BRANCH_DEFAULT.to_owned(), |repository| repository.branch)
}

/// Where git keeps what belongs to a work tree. `.git` is a folder, or names one in a file.
fn git_folder(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = fs::read_to_string(&git).ok()?;
    Some(root.join(text.trim().strip_prefix("gitdir: ")?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Repository;

    #[test]
    fn a_repository_is_known_by_its_main_work_tree() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Repository::of(folder.path()), None);
        let root = folder.path().join("parser");
        let linked = folder.path().join("elsewhere");
        fs::create_dir_all(root.join(".git/worktrees/elsewhere")).unwrap();
        fs::create_dir_all(root.join("src/deep")).unwrap();
        fs::create_dir_all(&linked).unwrap();
        fs::write(root.join(".git/HEAD"), "ref: refs/heads/feature/a\n").unwrap();
        fs::write(root.join(".git/worktrees/elsewhere/HEAD"), "4f1c2a9b\n").unwrap();
        let git = root.join(".git/worktrees/elsewhere");
        fs::write(linked.join(".git"), format!("gitdir: {}\n", git.display())).unwrap();

        let repository = Repository::of(&root.join("src/deep")).unwrap();
        assert_eq!((&*repository.name, &*repository.branch), ("parser", "feature/a"));
        let repository = Repository::of(&linked).unwrap();
        assert_eq!((&*repository.name, &*repository.branch), ("parser", "main"));
    }
}
