//! What goes wrong with a work tree, in words for a person.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::git;

/// Why there is no work tree, or why something could not be done in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// git failed.
    #[error(transparent)]
    Git(#[from] git::Error),
    /// A file or folder cannot be used.
    #[error("{what} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another run works in the tree.
    #[error("the work tree {} is in use by another run on this machine", .0.display())]
    InUse(PathBuf),
    /// Other processes have changed the repository's trees for too long.
    #[error("{} has been locked by another process for too long", .0.display())]
    Busy(PathBuf),
    /// The repository, or an option, cannot be used for work trees.
    #[error("{0}")]
    Repository(String),
    /// A tree holds something that is in the way.
    #[error("{0}")]
    Tree(String),
    /// The work that was handed in cannot be found here.
    #[error("{0}")]
    NoWork(String),
    /// The remote does not take a branch.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    pub(super) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }
}
