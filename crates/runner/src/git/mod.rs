//! Runs git as a program.
//!
//! Every call goes through [`Git`], which gives git the same surroundings each time: English texts,
//! no question on the terminal, no variable of the caller that would lead it to another repository,
//! and none of the runner's own variables, because git runs hooks and filters of the repository. It
//! has a limit of time and of output. One that takes too long, or whose call is dropped, is ended
//! together with its process group.

mod environment;
mod error;
mod running;
mod version;

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

pub use environment::REDIRECTING;
pub use error::{Error, redacted};
pub use version::Version;

pub(crate) use error::printable;

use running::Running;

/// How long a command may take that needs nothing but this machine.
pub const LOCAL_LIMIT: Duration = Duration::from_mins(2);

/// How long a command may take that may talk to a remote.
pub const NETWORK_LIMIT: Duration = Duration::from_mins(10);

/// How much a command may print if the caller does not say otherwise: a list of 100,000 paths fits.
const BYTES_MAX: usize = 16 << 20;

/// git in one folder.
#[derive(Clone, Debug)]
pub struct Git {
    dir: PathBuf,
}

/// What a command does, which decides about its surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
    Network,
}

/// A command that has not been started.
#[derive(Debug)]
#[must_use = "a call does nothing until one of its methods that end it is awaited"]
pub struct Call {
    dir: PathBuf,
    access: Access,
    config: Vec<String>,
    arguments: Vec<OsString>,
    stdin: Vec<u8>,
    index: Option<PathBuf>,
    bytes_max: usize,
    limit: Duration,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; nothing if a signal ended it.
    pub code: Option<i32>,
    /// What it printed, up to the limit of the call.
    pub stdout: Vec<u8>,
    /// Whether it printed more. It was then ended, and its exit code says nothing.
    pub is_truncated: bool,
    /// The beginning of what it printed as errors.
    pub stderr: Vec<u8>,
}

impl Git {
    /// git in this folder, which need not be the top of a work tree.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A command that changes nothing. It takes no lock, not even to refresh the index.
    pub fn read(&self, command: &str) -> Call {
        self.call(Access::Read, command)
    }

    /// A command that changes the repository or a work tree.
    pub fn write(&self, command: &str) -> Call {
        self.call(Access::Write, command)
    }

    /// A command that talks to a remote.
    pub fn network(&self, command: &str) -> Call {
        self.call(Access::Network, command)
    }

    /// Whether the setting has a value.
    pub async fn has_setting(&self, name: &str) -> Result<bool, Error> {
        self.read("config").args(["--get", name]).holds().await
    }

    fn call(&self, access: Access, command: &str) -> Call {
        Call {
            dir: self.dir.clone(),
            access,
            config: Vec::new(),
            arguments: vec![command.into()],
            stdin: Vec::new(),
            index: None,
            bytes_max: BYTES_MAX,
            limit: if access == Access::Network { NETWORK_LIMIT } else { LOCAL_LIMIT },
        }
    }
}

impl Call {
    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// A setting for this command only, `name=value`.
    pub fn config(mut self, setting: impl Into<String>) -> Self {
        self.config.push(setting.into());
        self
    }

    /// What the command reads from its standard input. Otherwise that is empty.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Another index than that of the work tree.
    pub fn index(mut self, path: &Path) -> Self {
        self.index = Some(path.to_owned());
        self
    }

    /// The most bytes of output to read. A command that prints more is ended.
    pub fn bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// Gives a command that runs hooks, or writes many files, the time of one that asks a remote.
    pub fn slow(self) -> Self {
        self.limit(NETWORK_LIMIT)
    }

    /// How long the command may take.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs the command and takes any exit code.
    pub async fn output(self) -> Result<Output, Error> {
        let is_batch = self.access == Access::Network && needs_batch_mode(&self.dir).await;
        self.run(is_batch).await
    }

    async fn run(mut self, is_batch: bool) -> Result<Output, Error> {
        let mut command = environment::command(&self.dir, &self.config);
        command.args(&self.arguments);
        if self.access == Access::Read {
            command.env("GIT_OPTIONAL_LOCKS", "0");
        }
        if let Some(index) = &self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        if is_batch {
            // ssh asks on the terminal, past standard input.
            command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        }
        let stdin = std::mem::take(&mut self.stdin);
        let mut running = Running::start(command, !stdin.is_empty())
            .map_err(|source| Error::start(&self.dir, source))?;
        let collected =
            tokio::time::timeout(self.limit, running.collect(stdin, self.bytes_max)).await;
        match collected {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(source)) => Err(Error::Io { command: self.name(), source }),
            Err(_) => {
                running.stop().await;
                Err(Error::TimedOut { command: self.name(), dir: self.dir, limit: self.limit })
            }
        }
    }

    /// Runs a command that must succeed.
    pub async fn done(self) -> Result<(), Error> {
        self.succeed().await.map(drop)
    }

    /// Runs a command that must succeed, and gives its output, which must not be longer than the
    /// limit.
    pub async fn bytes(self) -> Result<Vec<u8>, Error> {
        let (name, bytes_max) = (self.name(), self.bytes_max);
        let output = self.succeed().await?;
        if output.is_truncated {
            return Err(Error::TooMuch { command: name, bytes_max });
        }
        Ok(output.stdout)
    }

    /// The same as text without the newline at its end.
    pub async fn line(self) -> Result<String, Error> {
        let name = self.name();
        let bytes = without_newline(self.bytes().await?);
        String::from_utf8(bytes).map_err(|_| Error::NotText { command: name })
    }

    /// The same as a path, which may hold any bytes.
    pub async fn path(self) -> Result<PathBuf, Error> {
        Ok(OsString::from_vec(without_newline(self.bytes().await?)).into())
    }

    /// The parts of an output that ends each of them by a zero byte.
    pub async fn parts(self) -> Result<Vec<Vec<u8>>, Error> {
        let bytes = self.bytes().await?;
        let parts = bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec);
        Ok(parts.filter(|part| !part.is_empty()).collect())
    }

    /// Runs a command that answers by its exit code: 0 is yes, 1 is no.
    pub async fn holds(self) -> Result<bool, Error> {
        Ok(self.maybe().await?.is_some())
    }

    /// Runs a command that prints a line, or ends with exit code 1 if there is none.
    pub async fn maybe_line(self) -> Result<Option<String>, Error> {
        let name = self.name();
        let Some(output) = self.maybe().await? else { return Ok(None) };
        let text = String::from_utf8(without_newline(output.stdout));
        text.map(Some).map_err(|_| Error::NotText { command: name })
    }

    async fn maybe(self) -> Result<Option<Output>, Error> {
        let (name, dir) = (self.name(), self.dir.clone());
        let output = self.output().await?;
        match output.code {
            Some(0) => Ok(Some(output)),
            Some(1) => Ok(None),
            _ => Err(Error::failed(name, &dir, &output)),
        }
    }

    async fn succeed(self) -> Result<Output, Error> {
        let (name, dir) = (self.name(), self.dir.clone());
        let output = self.output().await?;
        if output.is_success() { Ok(output) } else { Err(Error::failed(name, &dir, &output)) }
    }

    /// The command's name as a person knows it. Its arguments may be long, or hold a secret.
    pub(crate) fn name(&self) -> String {
        let first = self.arguments.first().map(|word| word.to_string_lossy());
        let first = first.expect("a call is made with a command");
        match (first.as_ref(), self.arguments.get(1)) {
            (word @ ("worktree" | "submodule"), Some(second)) => {
                format!("git {word} {}", second.to_string_lossy())
            }
            (word, _) => format!("git {word}"),
        }
    }
}

impl Output {
    /// Whether it ended with exit code 0, or was ended because it had printed enough.
    pub fn is_success(&self) -> bool {
        self.code == Some(0) || self.is_truncated
    }

    /// What git says about it to a person, without controls and credentials.
    pub fn text(&self) -> String {
        let stderr = printable(&self.stderr);
        if stderr.is_empty() { printable(&self.stdout) } else { stderr }
    }
}

fn without_newline(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    bytes
}

/// Whether ssh must be told not to ask. A user who has chosen a program for ssh has it as chosen.
async fn needs_batch_mode(dir: &Path) -> bool {
    let has_own =
        ["GIT_SSH", "GIT_SSH_COMMAND"].iter().any(|name| std::env::var_os(name).is_some());
    let setting = Git::at(dir).read("config").args(["--get", "core.sshCommand"]).run(false);
    !has_own && !setting.await.is_ok_and(|output| output.is_success())
}

#[cfg(test)]
mod tests;
