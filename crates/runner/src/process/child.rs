//! The runner's end of a run: starts its guard, reads its output, stops it and waits for its end.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{self, Write},
    net::Shutdown,
    os::{
        fd::OwnedFd,
        unix::{fs::OpenOptionsExt, net::UnixStream as StdStream},
    },
    path::{self, Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::Pid;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::UnixStream,
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{
    MARK,
    events::{KILL, STOP},
    guard::Arguments,
    report::{self, End, Pids, Report, named},
    source::{FOLLOW_EVERY, Source, Stream},
    sweep::{group_of, sweep_run},
    table::Run,
};
use crate::classify::Exit;

/// The largest piece of output that is read at once.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// The program that calls [`super::guard()`], by its absolute path, and its first arguments.
    pub guard: &'a [OsString],
    /// The command and its arguments.
    pub program: &'a [OsString],
    /// The folder in which the command works. Relative paths of the program start there too.
    pub dir: &'a Path,
    /// The whole environment of the command, except [`MARK`].
    pub environment: &'a [(OsString, OsString)],
    /// The file that is the command's standard input, to its end.
    pub stdin: &'a Path,
    /// Tells the processes of this run from all others: letters, digits, `-` and `_`.
    pub mark: &'a str,
    /// Where standard output goes.
    pub output: &'a Output,
    /// An existing folder of this run, in which the guard notes its processes and its end.
    pub files: &'a Path,
    /// The time between SIGTERM and SIGKILL.
    pub grace: Duration,
}

/// Where the standard output of a command goes. Standard error is always a pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Into a pipe: the command waits while nothing is read.
    Pipe,
    /// Into a file, which is followed, for programs that lose the end of what they write into a
    /// pipe.
    File {
        /// The file. It is made, or emptied.
        path: PathBuf,
        /// How many bytes of it are read. A run that writes more is killed.
        bytes_max: u64,
    },
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How the command ended. Code 126 or 127 also says that it could not be started; standard
    /// error has the reason then. SIGKILL if it is not known, see `guard_failure`.
    pub exit: Exit,
    /// Whether the command had not ended when it was told to, by the runner, its death, or a
    /// signal to the guard.
    pub was_stopped: bool,
    /// Whether the run was killed because its output file was larger than the limit.
    pub is_output_too_large: bool,
    /// What happened to the guard, if it ended before the run did. The processes of the run were
    /// then ended by the runner, as far as their mark or the command's process group shows them.
    pub guard_failure: Option<String>,
    /// Processes that could not be ended because they belong to another user.
    pub left: Vec<i32>,
}

impl Ended {
    pub(super) fn of(end: &End) -> Option<Self> {
        Some(Self {
            exit: end.exit()?,
            was_stopped: end.was_stopped,
            is_output_too_large: false,
            guard_failure: None,
            left: end.left.clone(),
        })
    }

    fn without_guard(failure: String) -> Self {
        Self {
            exit: Exit::Signal(9),
            was_stopped: false,
            is_output_too_large: false,
            guard_failure: Some(failure),
            left: Vec::new(),
        }
    }
}

/// A run that was started. Dropping it stops the run, without waiting for its end.
pub struct Child {
    line: StdStream,
    output: Source,
    error: Source,
    buffer: Box<[u8]>,
    ended: watch::Receiver<Option<Ended>>,
    was_asked: bool,
    is_error_next: bool,
}

impl Child {
    /// Starts the guard of a run, which starts the command. It has to be called in a runtime.
    ///
    /// An error says that no process was started. That the command itself cannot be started is the
    /// end of the run: [`Ended::exit`].
    pub fn start(command: &Command<'_>) -> io::Result<Self> {
        let mut guard = prepare(command)?;
        report::clear(command.files)?;
        let (line, far_line) = StdStream::pair()?;
        guard.stdin(OwnedFd::from(far_line));
        let (error, far_error) = io::pipe()?;
        guard.stderr(far_error);
        let mut size = None;
        let output = match command.output {
            Output::Pipe => {
                let (output, far_output) = io::pipe()?;
                guard.stdout(far_output);
                Source::of_pipe(output.into())?
            }
            Output::File { path, bytes_max } => {
                let (written, read) = open(path)?;
                size = Some(Size { file: written.try_clone()?, bytes_max: *bytes_max });
                guard.stdout(written);
                Source::of_file(read, *bytes_max)
            }
        };
        let process = guard.spawn().map_err(|error| {
            let (program, dir) = (Path::new(&command.guard[0]), command.dir.display());
            named(&error, &format!("start the guard of the run in {dir},"), program)
        })?;
        // With it go the runner's copies of the pipes' other ends.
        drop(guard);
        let reading = line.try_clone()?;
        reading.set_nonblocking(true)?;
        let reports = BufReader::new(UnixStream::from_std(reading)?).lines();
        let guarded = Guarded {
            process,
            reports,
            requests: line.try_clone()?,
            size,
            mark: command.mark.to_owned(),
            grace: command.grace,
        };
        let (sender, ended) = watch::channel(None);
        tokio::spawn(async move { sender.send_replace(Some(guarded.ended().await)) });
        Ok(Self {
            line,
            output,
            error: Source::of_pipe(error.into())?,
            buffer: vec![0; PIECE_BYTES_MAX].into_boxed_slice(),
            ended,
            was_asked: false,
            is_error_next: false,
        })
    }

    /// The next piece of output, of at most 64 KiB. `None` when the run has ended and all of its
    /// output was read. If the call is cancelled, nothing is lost.
    ///
    /// Reading has to go on until then, also while the run is stopped: a process that waits for a
    /// reader does not end by itself.
    pub async fn read(&mut self) -> io::Result<Option<(Stream, &[u8])>> {
        loop {
            let is_over = self.is_over();
            if let Some((stream, count)) = self.try_read(is_over)? {
                return Ok(Some((stream, &self.buffer[..count])));
            }
            if is_over {
                return Ok(None);
            }
            tokio::select! {
                ready = self.output.ready() => ready?,
                ready = self.error.ready() => ready?,
                _ = self.ended.wait_for(Option::is_some) => {}
            }
        }
    }

    /// Tells the processes of the run to end; they are killed after the grace period. Further calls
    /// change nothing.
    pub fn stop(&mut self) {
        if !self.was_asked {
            self.was_asked = true;
            ask(&self.line, STOP);
        }
    }

    /// Kills the processes of the run.
    pub fn kill(&mut self) {
        self.was_asked = true;
        ask(&self.line, KILL);
    }

    /// Waits until no process of the run is left. If the call is cancelled, nothing is lost.
    pub async fn ended(&mut self) -> Ended {
        let ended = match self.ended.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone(),
            // The runtime is shutting down.
            Err(_) => None,
        };
        let mut ended = ended.unwrap_or_else(|| {
            Ended::without_guard("the runner ended before the guard did".to_owned())
        });
        ended.was_stopped |= self.was_asked && ended.guard_failure.is_some();
        ended
    }

    fn is_over(&self) -> bool {
        self.ended.borrow().is_some() || self.ended.has_changed().is_err()
    }

    /// Neither stream waits for the other one to be empty.
    fn try_read(&mut self, is_over: bool) -> io::Result<Option<(Stream, usize)>> {
        for _ in 0..2 {
            let (stream, source) = if self.is_error_next {
                (Stream::Error, &mut self.error)
            } else {
                (Stream::Output, &mut self.output)
            };
            self.is_error_next = !self.is_error_next;
            if let Some(count) = source.try_read(&mut self.buffer, is_over)? {
                return Ok(Some((stream, count)));
            }
        }
        Ok(None)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The guard takes the end of the requests as a request to stop.
        let _ = self.line.shutdown(Shutdown::Write);
    }
}

/// A guard that has ended needs no request. A socket that is full has requests enough.
fn ask(mut line: &StdStream, request: u8) {
    let _ = line.write(&[request]);
}

/// Checks the command, and makes that of its guard.
fn prepare(command: &Command<'_>) -> io::Result<tokio::process::Command> {
    let invalid = |text: String| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if command.mark.is_empty() || !command.mark.bytes().all(is_plain) {
        let mark = command.mark;
        return invalid(format!("the mark of a run has letters, digits, - and _, not {mark:?}"));
    }
    let [program, first @ ..] = command.guard else {
        return invalid("the guard's program is not given".to_owned());
    };
    if command.program.is_empty() {
        return invalid("the command of the run is empty: give a program".to_owned());
    }
    File::open(command.stdin).map_err(|error| named(&error, "read", command.stdin))?;
    let arguments = Arguments {
        mark: command.mark.to_owned(),
        grace: command.grace,
        stdin: path::absolute(command.stdin)?,
        files: path::absolute(command.files)?,
        program: command.program.to_vec(),
    };
    let mut guard = tokio::process::Command::new(program);
    guard.args(first).args(arguments.to_words()).current_dir(command.dir);
    guard.env_clear().envs(command.environment.iter().map(|(name, value)| (name, value)));
    // The guard does not belong to the run, nor to one in which the runner itself may work.
    guard.env_remove(MARK).stdout(Stdio::null()).process_group(0);
    Ok(guard)
}

/// Opens the output file twice: for the command, which adds to it, and for the runner.
fn open(path: &Path) -> io::Result<(File, File)> {
    let emptied = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = emptied.and_then(|_| OpenOptions::new().append(true).open(path));
    let both = written.and_then(|written| Ok((written, File::open(path)?)));
    both.map_err(|error| named(&error, "write the output into", path))
}

/// The limit on the output file.
struct Size {
    file: File,
    bytes_max: u64,
}

/// A guard and what is heard from it.
struct Guarded {
    process: tokio::process::Child,
    reports: Lines<BufReader<UnixStream>>,
    requests: StdStream,
    size: Option<Size>,
    mark: String,
    grace: Duration,
}

impl Guarded {
    async fn ended(mut self) -> Ended {
        let (mut pids, mut end, mut is_output_too_large) = (None, None, false);
        let mut tick = interval(FOLLOW_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                line = self.reports.next_line() => match line {
                    Ok(Some(line)) => match serde_json::from_str(&line) {
                        Ok(Report::Started(started)) => pids = Some(started),
                        Ok(Report::Ended(ended)) => end = Some(ended),
                        // A guard writes nothing else.
                        Err(_) => {}
                    },
                    Ok(None) | Err(_) => break,
                },
                _ = tick.tick(), if self.size.is_some() && !is_output_too_large => {
                    is_output_too_large = self.is_too_large();
                    if is_output_too_large {
                        ask(&self.requests, KILL);
                    }
                }
            }
        }
        let status = self.process.wait().await;
        is_output_too_large |= self.is_too_large();
        let ended = match end.as_ref().and_then(Ended::of) {
            Some(ended) => ended,
            None => self.without_guard(pids, status).await,
        };
        Ended { is_output_too_large, ..ended }
    }

    fn is_too_large(&self) -> bool {
        let is_over = |size: &Size| {
            size.file.metadata().is_ok_and(|metadata| metadata.len() > size.bytes_max)
        };
        self.size.as_ref().is_some_and(is_over)
    }

    /// Ends what the guard has left.
    async fn without_guard(
        &self,
        pids: Option<Pids>,
        status: io::Result<std::process::ExitStatus>,
    ) -> Ended {
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        let (mark, grace) = (self.mark.clone(), self.grace);
        let group: Option<Pid> = group_of(pids);
        let swept = tokio::task::spawn_blocking(move || {
            sweep_run(Run { mark: &mark, guard: None, group }, grace)
        });
        let swept = swept.await.map_err(io::Error::other).and_then(|swept| swept);
        let failure = match swept {
            Ok(count) => {
                format!("the guard of the run ended ({status}), leaving {count} processes")
            }
            Err(error) => format!("the guard of the run ended ({status}): {error}"),
        };
        Ended::without_guard(failure)
    }
}
