//! The guard of a run: starts the command, and ends only when no process of the run is left.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{
        Pid, Signal, WaitOptions, getpgid, getpid, getppid, kill_process, kill_process_group,
        setpgid, setsid, wait,
    },
};
use tokio::time::Instant;

use super::{
    MARK,
    ending::Ending,
    events::{Event, Events},
    report::{End, Identity, Pids, Report},
    table::{Run, TABLE},
};
use crate::classify::Exit;

/// How often the guard looks whether the runner is alive while nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often the guard kills its children before it searches through all processes.
const KILL_ROUNDS: u32 = 500;

/// What a shell ends with if a command cannot be started, or is not there.
const NOT_STARTED: i32 = 126;
const NOT_FOUND: i32 = 127;

/// What the runner tells a guard.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) mark: String,
    pub(super) grace: Duration,
    /// What the command reads.
    pub(super) stdin: PathBuf,
    /// The folder of the files for a restarted runner.
    pub(super) files: PathBuf,
    pub(super) program: Vec<OsString>,
}

impl Arguments {
    /// As arguments of the guard.
    pub(super) fn to_words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![
            self.mark.clone().into(),
            self.grace.as_millis().to_string().into(),
            self.stdin.clone().into(),
            self.files.clone().into(),
        ];
        words.extend(self.program.iter().cloned());
        words
    }

    fn parse(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        let mark = words.next()?.into_string().ok()?;
        let grace = words.next()?.to_str()?.parse().ok()?;
        let (stdin, files) = (words.next()?.into(), words.next()?.into());
        let program: Vec<_> = words.collect();
        let grace = Duration::from_millis(grace);
        (!program.is_empty()).then_some(Self { mark, grace, stdin, files, program })
    }
}

/// The guard's `main`. It has to be called before a runtime is started, with the arguments that
/// follow those of [`super::Command::guard`]. Standard input is the socket to the runner, all else
/// is as the command is to have it.
pub fn guard(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(arguments) = Arguments::parse(arguments) else {
        say("only `octopoid agent run` starts a guard, for a run");
        return ExitCode::from(2);
    };
    // One thread: this process waits, and there is one for each run.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(Guard::run(&arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the guard of the run cannot work: {error}"));
            ExitCode::FAILURE
        }
    }
}

struct Guard<'a> {
    grace: Duration,
    leader: Pid,
    run: Run<'a>,
    /// How the leader ended.
    exit: Option<Exit>,
    /// Whether any child is left to wait for.
    has_children: bool,
    was_stopped: bool,
    /// When the processes are killed, if they are to end.
    deadline: Option<Instant>,
    ending: Ending,
    /// Whether it was told that processes cannot be listed.
    has_complained: bool,
}

impl<'a> Guard<'a> {
    async fn run(arguments: &'a Arguments) -> io::Result<()> {
        let mut events = Events::new()?;
        let line = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        leave_terminal();
        #[cfg(target_os = "linux")]
        rustix::process::set_child_subreaper(Some(getpid()))?;
        let end = match start(arguments) {
            Ok(leader) => {
                let identity = |pid: Pid| Identity::of(pid, (TABLE.find)(pid).as_ref());
                let pids = Pids { guard: identity(getpid()), leader: identity(leader) };
                tell(&line, &Report::Started(pids));
                warn("note the processes of the run", pids.write(&arguments.files));
                Self::new(arguments, leader).watch(&mut events).await
            }
            Err(error) => {
                say(&not_started(&arguments.program[0], &error));
                let is_missing = error.kind() == io::ErrorKind::NotFound;
                End::of(Exit::Code(if is_missing { NOT_FOUND } else { NOT_STARTED }))
            }
        };
        warn("note the end of the run", end.write(&arguments.files));
        tell(&line, &Report::Ended(end));
        Ok(())
    }

    fn new(arguments: &'a Arguments, leader: Pid) -> Self {
        Self {
            grace: arguments.grace,
            leader,
            run: Run { mark: &arguments.mark, guard: Some(getpid()), group: Some(leader) },
            exit: None,
            has_children: true,
            was_stopped: false,
            deadline: None,
            ending: Ending::new(TABLE),
            has_complained: false,
        }
    }

    /// Returns when no process of the run is left.
    async fn watch(mut self, events: &mut Events) -> End {
        loop {
            self.reap();
            if self.exit.is_some() {
                // What is left has lost its purpose.
                self.end_within(self.grace);
            }
            if let Some(deadline) = self.deadline
                && self.end_processes(Instant::now() >= deadline)
                && let Some(exit) = self.exit()
            {
                let left = self.ending.refused();
                return End { was_stopped: self.was_stopped, left, ..End::of(exit) };
            }
            let limit = if self.deadline.is_some() { self.ending.pause() } else { LOOK_EVERY };
            match events.next(limit).await {
                Event::Look => {}
                Event::Stop => self.stop(self.grace),
                Event::Kill => self.stop(Duration::ZERO),
            }
        }
    }

    fn stop(&mut self, grace: Duration) {
        // A leader that has ended meanwhile has ended by itself.
        self.reap();
        self.was_stopped |= self.exit.is_none();
        self.end_within(grace);
    }

    /// The earliest deadline holds.
    fn end_within(&mut self, grace: Duration) {
        let deadline = Instant::now() + grace;
        self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
    }

    /// How the leader ended. That of another user's leader, which cannot be killed, is not known.
    fn exit(&self) -> Option<Exit> {
        let is_refused = self.ending.refused().contains(&self.leader.as_raw_pid());
        self.exit.or(is_refused.then_some(Exit::Signal(9)))
    }

    /// Takes note of all children that have ended, adopted ones too.
    fn reap(&mut self) {
        self.has_children = true;
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.leader => {
                    let signal = status.terminating_signal().map(Exit::Signal);
                    self.exit = self.exit.or(signal).or(status.exit_status().map(Exit::Code));
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return,
                Err(_) => {
                    self.has_children = false;
                    return;
                }
            }
        }
    }

    /// Kills children, which makes theirs children of the guard, and so on. A process that starts
    /// the next one and ends may be gone before a search through all processes has reached it, each
    /// time. The list of children takes no search.
    fn kill_children(&mut self) {
        for _ in 0..KILL_ROUNDS {
            let children = (TABLE.children)();
            if children.is_empty() {
                return;
            }
            for child in children {
                // Its number is its own until it is reaped.
                let _ = kill_process(child, Signal::KILL);
            }
            self.reap();
        }
    }

    /// Tells the processes of the run to end, or kills them. Returns whether none is left.
    fn end_processes(&mut self, is_kill: bool) -> bool {
        if is_kill {
            self.kill_children();
        }
        match self.run.processes(TABLE) {
            Ok(left) => {
                let count = self.ending.round(&left, is_kill);
                // A child that was started during the look is found by the next one.
                count == 0 && (!self.has_children || !self.ending.refused().is_empty())
            }
            Err(error) => {
                // Too many open files, for example. The next look may succeed.
                if !self.has_complained {
                    self.has_complained = true;
                    say(&format!("cannot list the processes of the run, still trying: {error}"));
                }
                self.ending.round(&[], is_kill);
                let signal = if is_kill { Signal::KILL } else { Signal::TERM };
                let _ = self.run.group.map(|group| kill_process_group(group, signal));
                false
            }
        }
    }
}

/// Leaves the terminal's session, so that its keys do not reach the run, and no program of the run
/// can wait for an answer there. The leader of a group cannot start a session, and the guard leads
/// one since it was started; it is in its parent's for a moment.
fn leave_terminal() {
    let group = getppid().and_then(|parent| getpgid(Some(parent)).ok());
    if group.is_some_and(|group| setpgid(None, Some(group)).is_ok()) && setsid().is_err() {
        let _ = setpgid(None, None);
    }
}

fn start(arguments: &Arguments) -> io::Result<Pid> {
    let stdin = File::open(&arguments.stdin)?;
    let mut command = Command::new(&arguments.program[0]);
    command.args(&arguments.program[1..]).env(MARK, &arguments.mark);
    let child = command.process_group(0).stdin(stdin).spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    Ok(pid.expect("the system numbers processes with positive integers"))
}

fn not_started(program: &OsStr, error: &io::Error) -> String {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "Is it installed, and is its folder in PATH?",
        io::ErrorKind::PermissionDenied => "Is it a program, and may this user execute it?",
        _ => "Is it a program for this machine? A script needs `#!` and its interpreter.",
    };
    format!("cannot start {}: {error}. {remedy}", Path::new(program).display())
}

/// The runner may have died, and nothing is lost then: the files have it too.
fn tell(mut line: &UnixStream, report: &Report) {
    let mut text = serde_json::to_vec(report).expect("it has only numbers");
    text.push(b'\n');
    let _ = line.write_all(&text);
}

/// Without the files only a restarted runner knows less. The disk may be full.
fn warn(what: &str, result: io::Result<()>) {
    if let Err(error) = result {
        say(&format!("cannot {what}: {error}"));
    }
}

/// Standard error may have no reader any more.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "octopoid: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_parsed_as_they_were_written() {
        let arguments = Arguments {
            mark: "a-1".to_owned(),
            grace: Duration::from_secs(5),
            stdin: "/p".into(),
            files: "-f".into(),
            program: vec!["sh".into(), "--".into(), "".into()],
        };
        let words = arguments.to_words();
        assert_eq!(Arguments::parse(words.clone().into_iter()), Some(arguments));
        assert_eq!(Arguments::parse(words.into_iter().take(4)), None);
        assert_eq!(Arguments::parse(std::iter::empty()), None);
    }
}
