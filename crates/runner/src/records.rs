//! What a runner keeps on disk of each run, so that a restarted runner can bring it to its end: a
//! folder for each run, with a lock that is held as long as the run is looked after.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use octopoid_domain::{Millis, lease::Token};
use serde::{Deserialize, Serialize};

use crate::{adapter::Tool, config::Hand, hand_in::HandIn, lock::LockedFile};

/// What is known of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The address of the server.
    pub server: String,
    /// The scope of the task.
    pub scope: String,
    /// The task.
    pub task_id: String,
    /// Its title.
    pub title: String,
    /// The number of the run.
    pub run: i64,
    /// What is done.
    pub hand: Hand,
    /// The agent's program.
    pub tool: Tool,
    /// The agent's name.
    pub agent: String,
    /// The number of the slot.
    pub slot: usize,
    /// The mark that the environment of all its processes has.
    pub mark: String,
    /// The repository.
    pub repository: PathBuf,
    /// The work tree, once it is there.
    pub tree: Option<PathBuf>,
    /// The branch, once it is there.
    pub branch: Option<String>,
    /// The session with which the agent's program can go on, once it is known.
    pub session: Option<String>,
    /// When it began, by the clock of this machine.
    pub started_at: Millis,
    /// The lease token.
    pub(crate) token: Token,
    /// The end, from when it is known until the server has it.
    pub(crate) end: Option<HandIn>,
}

impl Record {
    /// The folder for temporary files of the run. Its path is short: sockets in it may have about a
    /// hundred bytes on all systems.
    pub(crate) fn temporary(&self) -> PathBuf {
        let name = &self.mark[..self.mark.floor_char_boundary(12)];
        std::env::temp_dir().join(format!("octopoid-{name}"))
    }
}

/// The folder of a run that this process looks after.
#[derive(Debug)]
pub(crate) struct RunFolder {
    pub(crate) path: PathBuf,
    /// Held until the value is dropped, or the process ends.
    _lock: LockedFile,
}

impl RunFolder {
    /// Writes what is known.
    pub(crate) fn write(&self, record: &Record) -> io::Result<()> {
        let (path, new) = (self.path.join(RECORD), self.path.join("run.json.new"));
        let mut options = OpenOptions::new();
        let mut file = options.create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        file.sync_all()?;
        fs::rename(new, path)
    }

    /// The file with what the agent has printed.
    pub(crate) fn output_file(&self) -> PathBuf {
        self.path.join(OUTPUT)
    }

    /// The run has come to its end: what is left is the output, for people.
    pub(crate) fn close(&self) -> io::Result<()> {
        let ended = self.path.join("ended.json");
        fs::rename(self.path.join(RECORD), &ended)?;
        // The token ends with the run.
        let text = fs::read(&ended)?;
        if let Ok(record) = serde_json::from_slice::<Record>(&text) {
            let _ = fs::remove_dir_all(record.temporary());
        }
        let mut record: serde_json::Value = serde_json::from_slice(&text)?;
        for secret in ["token", "end"] {
            record[secret] = serde_json::Value::Null;
        }
        fs::write(ended, record.to_string())?;
        Ok(())
    }
}

const RECORD: &str = "run.json";
const OUTPUT: &str = "output";
const LOCK: &str = "lock";

/// The runs of all runners of this user.
#[derive(Clone, Debug)]
pub struct Records {
    folder: PathBuf,
}

impl Records {
    /// The runs that are kept below the state folder of this user.
    pub fn new(state: &Path) -> Self {
        Self { folder: state.join("runs") }
    }

    /// A folder for a new run, which this process looks after.
    pub(crate) fn create(&self, name: &str) -> io::Result<RunFolder> {
        let path = self.folder.join(name);
        let lock = lock_folder(&path)?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::WouldBlock, format!("{} is in use", path.display()))
        })?;
        Ok(RunFolder { path, _lock: lock })
    }

    /// The runs that have not come to their end and that no process looks after: their runner was
    /// killed. This process looks after them from now on.
    pub(crate) fn orphans(&self) -> Vec<(RunFolder, Record)> {
        let mut orphans = Vec::new();
        for path in self.folders() {
            // A lock file is not made: without one the folder is not complete.
            let Some(record) = read(&path.join(RECORD)) else { continue };
            if let Ok(Some(lock)) = lock(&path) {
                orphans.push((RunFolder { path, _lock: lock }, record));
            }
        }
        orphans
    }

    /// The runs that have not come to their end, each with its folder.
    pub fn running(&self) -> Vec<(PathBuf, Record)> {
        let folders = self.folders().into_iter();
        folders.filter_map(|path| read(&path.join(RECORD)).map(|record| (path, record))).collect()
    }

    /// The latest run of a task, whether it has come to its end or not.
    pub fn latest(&self, is_meant: impl Fn(&Record) -> bool) -> Option<(PathBuf, Record)> {
        let records = self.folders().into_iter().filter_map(|path| {
            let record = read(&path.join(RECORD)).or_else(|| read(&path.join("ended.json")))?;
            is_meant(&record).then_some((path, record))
        });
        records.max_by_key(|(_, record)| record.started_at)
    }

    /// Whether a process looks after the run of a folder. One that has not come to its end and that no
    /// process looks after was left by a runner that was killed.
    pub fn is_running(folder: &Path) -> bool {
        folder.join(RECORD).exists() && matches!(lock(folder), Ok(None))
    }

    /// The file with what an agent has printed.
    pub fn output_file(folder: &Path) -> PathBuf {
        folder.join(OUTPUT)
    }

    /// Deletes the folders of runs that came to their end before a time. Returns how many.
    pub fn delete_before(&self, time: std::time::SystemTime, is_dry_run: bool) -> usize {
        let is_old = |path: &PathBuf| {
            let ended = fs::metadata(path.join("ended.json")).and_then(|file| file.modified());
            ended.is_ok_and(|at| at < time)
        };
        let old: Vec<_> = self.folders().into_iter().filter(is_old).collect();
        old.iter().filter(|path| is_dry_run || fs::remove_dir_all(path).is_ok()).count()
    }

    fn folders(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

fn read(path: &Path) -> Option<Record> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Takes the lock of a folder. None: another process has it.
fn lock(folder: &Path) -> io::Result<Option<LockedFile>> {
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).mode(0o600).open(folder.join(LOCK))?;
    LockedFile::try_lock(file)
}

/// Makes a folder for this user alone, and takes its lock. None: another process has it.
pub(crate) fn lock_folder(folder: &Path) -> io::Result<Option<LockedFile>> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    lock(folder)
}

/// The lowest number from 1 that no other runner of this user has, and its lock.
pub(crate) fn slot_number(state: &Path) -> io::Result<(usize, LockedFile)> {
    for number in 1.. {
        if let Some(lock) = lock_folder(&state.join("slots").join(number.to_string()))? {
            return Ok((number, lock));
        }
    }
    unreachable!("there are fewer processes than numbers")
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::PermissionsExt as _,
        time::{Duration, SystemTime},
    };

    use octopoid_domain::{
        Millis,
        lease::{LeaseSecret, LeaseToken, Token},
    };

    use super::{Record, Records, fs, slot_number};
    use crate::{adapter::Tool, clock, config::Hand, hand_in::HandIn};

    fn token() -> Token {
        Token(Some(LeaseToken::new(1, &LeaseSecret::new([7; 16]))))
    }

    fn record(task_id: &str, started_at: i64) -> Record {
        Record {
            server: "http://a".to_owned(),
            scope: "s".to_owned(),
            task_id: task_id.to_owned(),
            title: "T".to_owned(),
            run: 1,
            hand: Hand::Work,
            tool: Tool::Claude,
            agent: "m-1".to_owned(),
            slot: 1,
            mark: "0".repeat(32),
            repository: "/r".into(),
            tree: None,
            branch: None,
            session: None,
            started_at: Millis(started_at),
            token: token(),
            end: None,
        }
    }

    #[test]
    fn a_run_that_no_process_looks_after_is_an_orphan() {
        let state = tempfile::tempdir().unwrap();
        let records = Records::new(state.path());
        let folder = records.create("t-1").unwrap();
        assert!(records.create("t-1").is_err(), "it is in use");
        assert_eq!(records.running().len(), 0, "nothing is known of it yet");
        folder.write(&record("t", 1)).unwrap();
        let file = fs::metadata(folder.path.join("run.json")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        assert_eq!((records.running().len(), records.orphans().len()), (1, 0));

        let end = HandIn::Fail(Box::default());
        folder.write(&Record { end: Some(end), ..record("t", 1) }).unwrap();
        drop(folder);
        let mut orphans = records.orphans();
        assert_eq!(records.orphans().len(), 0, "it is looked after now");
        let (folder, orphan) = orphans.pop().unwrap();
        assert!(matches!(orphan.end, Some(HandIn::Fail(_))));
        assert_eq!(orphan.token, token());

        folder.close().unwrap();
        drop(folder);
        assert_eq!((records.running().len(), records.orphans().len()), (0, 0));
        let (path, ended) = records.latest(|record| record.task_id == "t").unwrap();
        assert_eq!((ended.token.0, ended.end.is_some()), (None::<LeaseToken>, false));
        assert!(!Records::is_running(&path));
    }

    #[test]
    fn the_latest_run_is_found_and_old_ones_are_deleted() {
        let state = tempfile::tempdir().unwrap();
        let records = Records::new(state.path());
        for (name, started_at) in [("t-1", 1), ("t-2", 2), ("u-1", 3)] {
            records.create(name).unwrap().write(&record(&name[..1], started_at)).unwrap();
        }
        let latest = records.latest(|record| record.task_id == "t").unwrap();
        assert_eq!(latest.1.started_at, Millis(2));
        let far = clock::system_now() + Duration::from_mins(1);
        assert_eq!(records.delete_before(far, false), 0, "none has come to its end");
        for (folder, _) in records.orphans() {
            folder.close().unwrap();
        }
        assert_eq!(records.delete_before(SystemTime::UNIX_EPOCH, false), 0);
        assert_eq!((records.delete_before(far, true), records.delete_before(far, false)), (3, 3));
        assert!(records.latest(|_| true).is_none());
    }

    #[test]
    fn slots_have_the_lowest_free_number() {
        let state = tempfile::tempdir().unwrap();
        let slot = || slot_number(state.path()).unwrap();
        let (first, second) = (slot(), slot());
        assert_eq!((first.0, second.0), (1, 2));
        drop(first);
        assert_eq!(slot().0, 1);
    }
}
