//! What a guard tells: to its runner over the socket, and in files to one that was restarted.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::table::Process;
use crate::classify::Exit;

const PIDS_FILE: &str = "pids.json";
const END_FILE: &str = "end.json";

/// A process, told apart from a later one that has the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Identity {
    /// Its number.
    pub pid: i32,
    /// When it was started, in a unit that depends on the system. It is for comparisons.
    pub start_time: u64,
}

/// The processes of a run that are known from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Pids {
    /// The guard.
    pub guard: Identity,
    /// The command, which leads a process group of its own.
    pub leader: Identity,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct End {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signal: Option<i32>,
    /// Whether the guard was told to stop before the command had ended.
    pub(super) was_stopped: bool,
    /// Processes of another user that could not be killed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) left: Vec<i32>,
}

/// A line on the socket.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    Started(Pids),
    Ended(End),
}

impl Identity {
    pub(super) fn of(pid: Pid, process: Option<&Process>) -> Self {
        Self { pid: pid.as_raw_pid(), start_time: process.map_or(0, |process| process.start_time) }
    }
}

impl Pids {
    /// Reads what the guard of a run has written into the folder. `None` if it has not started the
    /// command.
    pub fn read(files: &Path) -> io::Result<Option<Self>> {
        read(&files.join(PIDS_FILE))
    }

    pub(super) fn write(&self, files: &Path) -> io::Result<()> {
        write(&files.join(PIDS_FILE), self)
    }
}

impl End {
    pub(super) fn of(exit: Exit) -> Self {
        match exit {
            Exit::Code(code) => Self { code: Some(code), ..Self::default() },
            Exit::Signal(signal) => Self { signal: Some(signal), ..Self::default() },
        }
    }

    /// `None` if it says neither how.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.code.map(Exit::Code).or(self.signal.map(Exit::Signal))
    }

    pub(super) fn read(files: &Path) -> io::Result<Option<Self>> {
        read(&files.join(END_FILE))
    }

    pub(super) fn write(&self, files: &Path) -> io::Result<()> {
        write(&files.join(END_FILE), self)
    }
}

/// Removes what the guard of an earlier run has left in the folder.
pub(super) fn clear(files: &Path) -> io::Result<()> {
    for name in [PIDS_FILE, END_FILE] {
        let path = files.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(named(&error, "remove", &path));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The error with what was tried and the path.
pub(super) fn named(error: &io::Error, verb: &str, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {verb} {}: {error}", path.display()))
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> io::Result<Option<T>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| named(&error, "read", path))?,
    };
    let value = serde_json::from_slice(&text);
    value.map(Some).map_err(|error| named(&error.into(), "read", path))
}

/// A reader sees either nothing or all of it.
fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    let mut started = path.as_os_str().to_owned();
    started.push(".new");
    let started = PathBuf::from(started);
    fs::write(&started, text).and_then(|()| fs::rename(&started, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path();
        assert_eq!((Pids::read(files).unwrap(), End::read(files).unwrap()), (None, None));
        let pids = Pids {
            guard: Identity { pid: 7, start_time: 1 },
            leader: Identity { pid: 8, start_time: u64::MAX },
        };
        pids.write(files).unwrap();
        assert_eq!(Pids::read(files).unwrap(), Some(pids));
        for end in [
            End::of(Exit::Code(0)),
            End { was_stopped: true, left: vec![3], ..End::of(Exit::Signal(9)) },
        ] {
            end.write(files).unwrap();
            assert_eq!(End::read(files).unwrap(), Some(end));
        }
        clear(files).unwrap();
        assert_eq!(fs::read_dir(files).unwrap().count(), 0);
        clear(files).unwrap();
    }

    #[test]
    fn the_file_says_how_the_command_ended() {
        let text = |exit| serde_json::to_string(&End::of(exit)).unwrap();
        assert_eq!(text(Exit::Code(3)), r#"{"code":3,"was_stopped":false}"#);
        assert_eq!(text(Exit::Signal(9)), r#"{"signal":9,"was_stopped":false}"#);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(END_FILE), "{").unwrap();
        let error = End::read(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("cannot read ") && error.contains(END_FILE), "{error}");
    }
}
