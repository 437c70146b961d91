//! What the queues store their tasks in, started on fresh data for one run: servers of our own and of
//! others, on free ports of the loopback interface.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use octopoid_testbed::{
    Server,
    postgres::{Binaries, Durability, HOW_TO_INSTALL, Options, Scratch},
};
use tempfile::TempDir;

use crate::{bench::server, clock::now};

/// How long a server may take until it answers.
const START_MAX: Duration = Duration::from_secs(20);
/// Another process may take a free port before the server does.
const PORTS_TRIED: usize = 5;

const REDIS: &str = "redis-server";
const BEANSTALKD: &str = "beanstalkd";

/// What stores the tasks, and answers the client.
#[derive(Clone, Debug)]
pub(super) enum Backend {
    /// This server's binary, on a file.
    OctopoidOnSqlite(PathBuf),
    /// This server's binary, on a PostgreSQL.
    OctopoidOnPostgres(PathBuf),
    /// A Redis that syncs its log before each answer.
    Redis,
    /// A beanstalkd that syncs its log before each answer.
    Beanstalkd,
    /// A PostgreSQL, which a library in the client uses.
    Postgres,
}

/// A started one. Dropping it stops it, and removes its data.
pub(super) struct Running {
    /// Where the client connects: an address, or a URL.
    pub(super) address: String,
    /// The queue's own process, if it has one.
    pub(super) server: Option<u32>,
    /// PostgreSQL's first process.
    pub(super) database: Option<u32>,
    /// In this order they are stopped.
    _processes: (Option<Server>, Option<Process>, Option<Scratch>, Option<TempDir>),
}

/// A process that is killed with its value.
pub(super) struct Process(pub(super) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Backend {
    /// What must be installed first, if something must.
    pub(super) fn missing(&self) -> Option<String> {
        let needs_postgres = matches!(self, Self::OctopoidOnPostgres(_) | Self::Postgres);
        if needs_postgres && Binaries::find().is_none() {
            return Some(HOW_TO_INSTALL.to_owned());
        }
        match self {
            Self::OctopoidOnSqlite(binary) | Self::OctopoidOnPostgres(binary) => {
                (!binary.exists()).then(|| format!("there is no {}", binary.display()))
            }
            Self::Redis => missing(REDIS, "--version"),
            Self::Beanstalkd => missing(BEANSTALKD, "-v"),
            Self::Postgres => None,
        }
    }

    /// The version and the settings, for the table of configurations.
    pub(super) fn configuration(&self) -> anyhow::Result<String> {
        Ok(match self {
            Self::OctopoidOnSqlite(binary) => {
                format!("{} on an SQLite file, synchronous=FULL", first_line(binary, "--version")?)
            }
            Self::OctopoidOnPostgres(binary) => {
                format!("{} on {}", first_line(binary, "--version")?, postgres()?)
            }
            Self::Redis => {
                let line = first_line(Path::new(REDIS), "--version")?;
                let version = line.split_whitespace().find_map(|word| word.strip_prefix("v="));
                format!(
                    "Redis {}: appendonly yes, appendfsync always, no snapshots",
                    version.unwrap_or("of an unknown version")
                )
            }
            Self::Beanstalkd => {
                format!("{}: -b FOLDER -f 0", first_line(Path::new(BEANSTALKD), "-v")?)
            }
            Self::Postgres => postgres()?,
        })
    }

    /// Starts it, and waits until it answers.
    pub(super) fn start(&self) -> anyhow::Result<Running> {
        match self {
            Self::OctopoidOnSqlite(binary) => {
                let folder = tempfile::tempdir().context("cannot make a folder")?;
                let database = format!("sqlite:{}", folder.path().join("octopoid.db").display());
                Ok(Running::octopoid(server::start(binary, &database)?, None, Some(folder)))
            }
            Self::OctopoidOnPostgres(binary) => {
                let database = Scratch::start(&Options::new(Durability::Full))?;
                let server = server::start(binary, &url(&database))?;
                Ok(Running::octopoid(server, Some(database), None))
            }
            Self::Redis => listening(REDIS, answers_ping, |command, port, folder| {
                command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"]);
                command.arg(folder).args(["--appendonly", "yes", "--appendfsync", "always"]);
                command.args(["--save", ""]);
            }),
            Self::Beanstalkd => listening(
                BEANSTALKD,
                |_| Ok(()),
                |command, port, folder| {
                    command.args(["-l", "127.0.0.1", "-p", &port.to_string(), "-f", "0", "-b"]);
                    command.arg(folder);
                },
            ),
            Self::Postgres => {
                let database = Scratch::start(&Options::new(Durability::Full))?;
                Ok(Running {
                    address: url(&database),
                    server: None,
                    database: database.process(),
                    _processes: (None, None, Some(database), None),
                })
            }
        }
    }
}

impl Running {
    fn octopoid(server: Server, database: Option<Scratch>, folder: Option<TempDir>) -> Self {
        Self {
            address: server.address.clone(),
            server: Some(server.process.id()),
            database: database.as_ref().and_then(Scratch::process),
            _processes: (Some(server), None, database, folder),
        }
    }
}

/// The same for all: nothing on the loopback interface needs to be encrypted.
fn url(database: &Scratch) -> String {
    format!("{}?sslmode=disable", database.url())
}

fn postgres() -> anyhow::Result<String> {
    let binaries = Binaries::find().context(HOW_TO_INSTALL)?;
    let line = first_line(&binaries.program("postgres"), "--version")?;
    let version = line.split_whitespace().nth(2).unwrap_or("of an unknown version");
    Ok(format!(
        "PostgreSQL {version} in a cluster of its own: fsync and synchronous_commit on, \
         max_connections=200, sslmode=disable, other settings as they come"
    ))
}

/// The first line that a program prints about its version.
pub(super) fn first_line(program: &Path, flag: &str) -> anyhow::Result<String> {
    let output = Command::new(program).arg(flag).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn missing(program: &str, flag: &str) -> Option<String> {
    let found = first_line(Path::new(program), flag);
    found.is_err().then(|| format!("{program} is not installed"))
}

/// Starts a server that does not choose its port itself.
fn listening(
    program: &str,
    is_ready: impl Fn(TcpStream) -> anyhow::Result<()>,
    arguments: impl Fn(&mut Command, u16, &Path),
) -> anyhow::Result<Running> {
    for _ in 0..PORTS_TRIED {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let log = File::create(folder.path().join("log"))?;
        let mut command = Command::new(program);
        arguments(&mut command, port, &data);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let mut process = Process(child);
        if answers(&mut process, port, &is_ready).with_context(|| format!("{program} failed"))? {
            return Ok(Running {
                address: format!("127.0.0.1:{port}"),
                server: Some(process.0.id()),
                database: None,
                _processes: (None, Some(process), None, Some(folder)),
            });
        }
    }
    bail!("{program} ended {PORTS_TRIED} times before it answered")
}

/// Waits until a server answers. Returns `false` if the process has ended, as it does if another
/// program has taken the port.
fn answers(
    process: &mut Process,
    port: u16,
    is_ready: &impl Fn(TcpStream) -> anyhow::Result<()>,
) -> anyhow::Result<bool> {
    let deadline = now() + START_MAX;
    loop {
        if process.0.try_wait()?.is_some() {
            return Ok(false);
        }
        let answer = TcpStream::connect(("127.0.0.1", port)).map_err(Into::into).and_then(is_ready);
        if answer.is_ok() {
            return Ok(true);
        }
        ensure!(now() < deadline, "it did not answer within {START_MAX:?}");
        wait(Duration::from_millis(10));
    }
}

#[expect(clippy::disallowed_methods, reason = "another process can only be asked again")]
fn wait(length: Duration) {
    thread::sleep(length);
}

/// Redis takes connections before it has read its data.
fn answers_ping(mut stream: TcpStream) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    ensure!(&answer == b"+PONG", "a ping was answered with {answer:?}");
    Ok(())
}
