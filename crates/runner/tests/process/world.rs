//! A folder for a run, and what tests do with runs.

use std::{
    ffi::OsString,
    fs,
    path::PathBuf,
    process::Command as StdCommand,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use octopoid_runner::process::{Child, Command, Ended, Output, Pids, Stream};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

/// All that is waited for takes much less on a machine that is not busy.
const LIMIT: Duration = Duration::from_mins(1);

/// Longer than any test: what ends earlier was told to.
pub(crate) const LONG: Duration = Duration::from_mins(5);

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A run that can be started. Dropping it kills what is left of it.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) dir: PathBuf,
    pub(crate) mark: String,
    pub(crate) grace: Duration,
    pub(crate) output: Output,
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// How a run ended and what it printed.
pub(crate) struct Finished {
    pub(crate) ended: Ended,
    pub(crate) output: String,
    pub(crate) error: String,
    pub(crate) world: World,
}

/// A run that was started, and what was read of it.
pub(crate) struct Run {
    pub(crate) child: Child,
    pub(crate) world: World,
    output: Vec<u8>,
    error: Vec<u8>,
}

impl World {
    pub(crate) fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("files")).unwrap();
        fs::write(folder.path().join("prompt"), "the prompt\n").unwrap();
        let path = std::env::var_os("PATH").unwrap();
        Self {
            dir: folder.path().to_owned(),
            folder,
            mark: format!("test-{}-{number}", std::process::id()),
            grace: LONG,
            output: Output::Pipe,
            environment: vec![("PATH".into(), path)],
        }
    }

    /// With another time between SIGTERM and SIGKILL.
    pub(crate) fn with_grace(grace: Duration) -> Self {
        let mut world = Self::new();
        world.grace = grace;
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a shell with a script. The folder is the working directory.
    pub(crate) fn shell(self, script: &str) -> Run {
        self.start(&["sh", "-c", script])
    }

    pub(crate) fn start(self, program: &[&str]) -> Run {
        let child = self.try_start(program).unwrap();
        Run { child, world: self, output: Vec::new(), error: Vec::new() }
    }

    pub(crate) fn try_start(&self, program: &[&str]) -> std::io::Result<Child> {
        let program: Vec<OsString> = program.iter().map(OsString::from).collect();
        Child::start(&Command {
            guard: &[std::env::current_exe().unwrap().into(), "guard".into()],
            program: &program,
            dir: &self.dir,
            environment: &self.environment,
            stdin: &self.path("prompt"),
            mark: &self.mark,
            output: &self.output,
            files: &self.path("files"),
            grace: self.grace,
        })
    }

    pub(crate) fn pids(&self) -> Option<Pids> {
        Pids::read(&self.path("files")).unwrap()
    }

    /// Waits until the guard has noted its processes.
    pub(crate) async fn wait_for_pids(&self) -> Pids {
        wait_until("the guard has started the command", || self.pids().is_some()).await;
        self.pids().unwrap()
    }

    /// Waits until the file is there, and returns the numbers in it.
    pub(crate) async fn wait_for_numbers(&self, name: &str) -> Vec<i32> {
        let path = self.path(name);
        wait_until(name, || path.exists()).await;
        let text = fs::read_to_string(path).unwrap();
        text.split_ascii_whitespace().map(|word| word.parse().unwrap()).collect()
    }

    /// What is left of the run: the lines of `ps` that have the mark, in the environment or, as
    /// those of guards and runners, in the arguments.
    pub(crate) fn left(&self) -> Vec<String> {
        let arguments = if cfg!(target_os = "macos") { "-AEww" } else { "axeww" };
        let listed = StdCommand::new("ps").args([arguments, "-o", "pid=,command="]).output();
        let listed = String::from_utf8_lossy(&listed.unwrap().stdout).into_owned();
        let mut has_mark: Vec<_> = listed.lines().map(str::to_owned).collect();
        has_mark.retain(|line| line.split_ascii_whitespace().any(|word| self.is_mark(word)));
        has_mark
    }

    fn is_mark(&self, word: &str) -> bool {
        word.rsplit('=').next() == Some(&self.mark)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for line in self.left() {
            let number = line.split_ascii_whitespace().next().unwrap();
            kill(number.parse().unwrap());
        }
    }
}

impl Run {
    /// Reads until standard output has the text.
    pub(crate) async fn read_until(&mut self, text: &str) {
        let read = async {
            while !String::from_utf8_lossy(&self.output).contains(text) {
                assert!(self.read().await, "the run ended before it printed {text:?}");
            }
        };
        let limited = tokio::time::timeout(LIMIT, read).await;
        assert!(limited.is_ok(), "{text:?} was not printed");
    }

    /// Drops the child.
    pub(crate) fn into_world(self) -> World {
        self.world
    }

    async fn read(&mut self) -> bool {
        match self.child.read().await.unwrap() {
            Some((Stream::Output, piece)) => self.output.extend_from_slice(piece),
            Some((Stream::Error, piece)) => self.error.extend_from_slice(piece),
            None => return false,
        }
        true
    }

    /// The numbers in the lines `pid NUMBER` that were printed so far.
    pub(crate) fn printed_pids(&self) -> Vec<i32> {
        let text = String::from_utf8_lossy(&self.output);
        let number = |line: &str| line.strip_prefix("pid ").map(|word| word.parse().unwrap());
        text.lines().filter_map(number).collect()
    }

    /// Reads to the end. Nothing is left of the run then: neither a marked process, nor any of those
    /// that were printed, nor the guard.
    pub(crate) async fn finish(mut self) -> Finished {
        let end = async {
            while self.read().await {}
            self.child.ended().await
        };
        let ended = tokio::time::timeout(LIMIT, end).await.expect("the run ends");
        assert_eq!(self.world.left(), Vec::<String>::new());
        let mut left = self.printed_pids();
        left.retain(|pid| is_listed(*pid) && is_there(*pid));
        assert_eq!(left, Vec::<i32>::new());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Finished { ended, output: text(self.output), error: text(self.error), world: self.world }
    }
}

/// Runs the future as the runner does, on several threads.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(future)
}

pub(crate) async fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            #[expect(clippy::disallowed_methods, reason = "between two looks at a condition")]
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, waiting).await.is_ok(), "not so: {what}");
}

pub(crate) async fn wait_until_gone(world: &World, pids: &[i32]) {
    wait_until("the run is gone", || {
        world.left().is_empty() && !pids.iter().copied().any(is_there)
    })
    .await;
}

/// Whether the process has not ended. The system's first process may reap orphans late.
pub(crate) fn is_there(pid: i32) -> bool {
    let listed = StdCommand::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output();
    let state = listed.unwrap().stdout;
    !state.is_empty() && !state.starts_with(b"Z")
}

/// Whether the process is listed, be it as a zombie.
pub(crate) fn is_listed(pid: i32) -> bool {
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok()
}

pub(crate) fn signal(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

pub(crate) fn kill(pid: i32) {
    signal(pid, Signal::KILL);
}

pub(crate) fn current_exe() -> StdCommand {
    StdCommand::new(std::env::current_exe().unwrap())
}
