//! What goes wrong with git, in words for a person.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::Output;

/// The most lines of git's errors that are shown.
const LINES_MAX: usize = 40;

/// The most bytes of git's errors that are shown.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// Why a command of git did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no git.
    #[error("git was not found: install git 2.17 or newer, or put it on the PATH")]
    Missing,
    /// The folder it should run in is not there.
    #[error("the folder {} does not exist or cannot be entered", .0.display())]
    NoFolder(PathBuf),
    /// It cannot be started.
    #[error("git cannot be started: {0}")]
    Start(#[source] io::Error),
    /// Its output cannot be read.
    #[error("the output of `{command}` cannot be read: {source}")]
    Io {
        /// The command.
        command: String,
        /// The system's error.
        source: io::Error,
    },
    /// It ended with an error.
    #[error("`{command}` in {} failed ({end}): {text}", .dir.display())]
    Failed {
        /// The command, without its arguments.
        command: String,
        /// Where it ran.
        dir: PathBuf,
        /// How it ended: `exit code 128`.
        end: String,
        /// What it said, shortened, without credentials.
        text: String,
    },
    /// It took too long and was ended.
    #[error("`{command}` in {} was ended after {} seconds", .dir.display(), .limit.as_secs())]
    TimedOut {
        /// The command, without its arguments.
        command: String,
        /// Where it ran.
        dir: PathBuf,
        /// The limit.
        limit: Duration,
    },
    /// It printed more than is read.
    #[error("`{command}` printed more than {bytes_max} bytes")]
    TooMuch {
        /// The command, without its arguments.
        command: String,
        /// The limit.
        bytes_max: usize,
    },
    /// It printed something other than UTF-8.
    #[error("`{command}` printed a name that is not UTF-8")]
    NotText {
        /// The command, without its arguments.
        command: String,
    },
}

impl Error {
    pub(super) fn start(dir: &Path, source: io::Error) -> Self {
        // The system reports a missing folder and a missing program alike.
        if !dir.is_dir() {
            Self::NoFolder(dir.to_owned())
        } else if source.kind() == io::ErrorKind::NotFound {
            Self::Missing
        } else {
            Self::Start(source)
        }
    }

    pub(crate) fn failed(command: String, dir: &Path, output: &Output) -> Self {
        let end = output.code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
        Self::Failed { command, dir: dir.to_owned(), end, text: output.text() }
    }
}

/// The beginning of what a program printed, fit for a terminal and a log: without controls other
/// than newlines, and without the credentials in addresses.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    // Progress is printed over itself.
    let lines = text.split(['\n', '\r']).map(|line| {
        let line = line.replace('\t', " ");
        line.chars().filter(|c| !c.is_control()).collect::<String>()
    });
    let lines = lines.map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty());
    let mut shown = redacted(&lines.take(LINES_MAX).collect::<Vec<_>>().join("\n"));
    if shown.len() > TEXT_BYTES_MAX {
        shown.truncate(shown.floor_char_boundary(TEXT_BYTES_MAX));
        shown.push('…');
    }
    shown
}

/// The text with `***` for the credentials in addresses: `https://user:token@host/` becomes
/// `https://***@host/`.
pub fn redacted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        shown.push_str(before);
        let ends_host = |c: char| c == '/' || c == '\'' || c == '"' || c.is_whitespace();
        let host_end = after.find(ends_host).unwrap_or(after.len());
        // A password may hold an `@` of its own.
        match after[..host_end].rfind('@') {
            Some(sign) => {
                shown.push_str("***");
                rest = &after[sign..];
            }
            None => rest = after,
        }
    }
    shown.push_str(rest);
    shown
}
