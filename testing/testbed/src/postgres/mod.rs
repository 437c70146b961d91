//! A PostgreSQL cluster of one's own in a temporary folder, for tests and measurements.
//!
//! [`Scratch::start`] makes a cluster that listens on the loopback interface only, and on a port
//! that nobody else uses. It is gone when the [`Scratch`] is dropped, and also when the process
//! that holds it is killed. Nothing of it is shared with a PostgreSQL that the machine runs anyway.

mod account;
mod binaries;
mod watchdog;

use std::{
    collections::hash_map::RandomState,
    env,
    fs::{self, File},
    hash::{BuildHasher as _, Hasher as _},
    iter,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use self::{account::Account, watchdog::Watchdog};
use crate::skip;

pub use binaries::Binaries;

/// The message if PostgreSQL is not installed.
pub const HOW_TO_INSTALL: &str =
    "PostgreSQL 13 or newer is needed, with its server; on Debian: `apt-get install postgresql`";

/// How long the server may take until it can be called, recovery after a crash included.
const START_MAX: Duration = Duration::from_mins(1);

/// How long the server may take to stop. In fast mode it writes a checkpoint first.
const STOP_MAX: Duration = Duration::from_mins(1);

/// Ports are tried at random. With even every second one taken, this many suffice.
const PORTS_TRIED: usize = 20;

/// The database's superuser, independent of the operating system user.
const SUPERUSER: &str = "postgres";

/// Whether the cluster keeps what it has confirmed when the machine loses power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As PostgreSQL comes: each commit waits for the disk. For measurements and crashes.
    Full,
    /// Nothing waits for the disk, which makes tests fast. What was confirmed still survives the
    /// death of the server's processes.
    None,
}

/// What a cluster is like.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether commits wait for the disk.
    pub durability: Durability,
    /// The cluster's locale, which the machine must have. The encoding is always UTF-8.
    pub locale: String,
}

impl Options {
    /// A cluster with the locale `C.UTF-8`, which orders text by its code points.
    pub fn new(durability: Durability) -> Self {
        Self { durability, locale: "C.UTF-8".to_owned() }
    }
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Connections are cut, and everything is written out.
    Fast,
    /// The processes just end, as in a crash; the next start recovers.
    Immediate,
}

impl Mode {
    /// The signal that says so to the server.
    fn signal(self) -> &'static str {
        match self {
            Self::Fast => "INT",
            Self::Immediate => "QUIT",
        }
    }
}

/// A running, or stopped, cluster. Dropping it stops it and removes its folder.
pub struct Scratch {
    binaries: Binaries,
    account: Account,
    durability: Durability,
    port: u16,
    server: Option<Child>,
    // Fields are dropped in this order, so that nothing watches over a folder that is gone.
    _watchdog: Watchdog,
    folder: TempDir,
}

impl Scratch {
    /// A cluster for tests, or `None` if the machine cannot make one and the test is to be skipped.
    pub fn for_tests() -> Option<Self> {
        if Binaries::find().is_none() {
            skip(HOW_TO_INSTALL);
            return None;
        }
        let options = Options::new(Durability::None);
        Some(Self::start(&options).expect("a machine with PostgreSQL can make a cluster"))
    }

    /// Makes a cluster and starts it. When this returns, it takes connections.
    pub fn start(options: &Options) -> anyhow::Result<Self> {
        Self::start_on(options, iter::repeat_with(random_port).take(PORTS_TRIED))
    }

    /// Starts a cluster on the first of these ports that is free.
    fn start_on(options: &Options, ports: impl IntoIterator<Item = u16>) -> anyhow::Result<Self> {
        let mut scratch = Self::create(options)?;
        for port in ports {
            scratch.port = port;
            if scratch.launch()? {
                return Ok(scratch);
            }
        }
        bail!("PostgreSQL did not start: all tried ports are in use")
    }

    /// Makes the folder and the cluster in it.
    fn create(options: &Options) -> anyhow::Result<Self> {
        let binaries = Binaries::find().context(HOW_TO_INSTALL)?;
        let folder = tempfile::Builder::new()
            .prefix("octopoid-postgres-")
            .tempdir()
            .context("making the cluster's folder")?;
        let scratch = Self {
            binaries,
            account: Account::owning(folder.path())?,
            durability: options.durability,
            port: 0,
            server: None,
            _watchdog: Watchdog::over(folder.path())?,
            folder,
        };
        let mut initdb = scratch.command("initdb");
        initdb
            .args(["--auth=trust", "--encoding=UTF8", "--username", SUPERUSER])
            .args(["--locale", &options.locale, "--pgdata"])
            .arg(scratch.data_directory());
        if options.durability == Durability::None {
            initdb.arg("--no-sync");
        }
        finish(&mut initdb)?;
        Ok(scratch)
    }

    /// Where clients connect, as the superuser, without a password.
    pub fn url(&self) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/postgres", self.port)
    }

    /// The port on 127.0.0.1, which stays the same when the server is started again.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of the server's first process, from which its others come, if it runs.
    pub fn process(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    /// The folder that PostgreSQL knows as its data directory.
    pub fn data_directory(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Stops the server and waits for its end. A server that does not end is killed, and that is an
    /// error; one that is stopped already stays so.
    pub fn stop(&mut self, mode: Mode) -> anyhow::Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        let mut signal = self.command("pg_ctl");
        signal.args(["kill", mode.signal(), &server.id().to_string()]);
        let ended = finish(&mut signal).and_then(|()| {
            wait_until("PostgreSQL stops", STOP_MAX, || Ok(server.try_wait()?.is_some()))
        });
        if ended.is_err() {
            let _ = server.kill();
            let _ = server.wait();
        }
        ended
    }

    /// Starts the server that [`Scratch::stop`] has stopped, with its data and on its port.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        ensure!(self.server.is_none(), "PostgreSQL runs already");
        ensure!(self.launch()?, "another process took the port {} meanwhile", self.port);
        Ok(())
    }

    /// Lets the server crash, and starts it again.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.stop(Mode::Immediate)?;
        self.start_again()
    }

    /// Starts the server and waits until it takes connections. It says `false` if the port belongs
    /// to somebody else.
    fn launch(&mut self) -> anyhow::Result<bool> {
        let log = self.folder.path().join("server.log");
        let output = File::create(&log).context("creating the log of PostgreSQL")?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data_directory()).arg("-k").arg(self.folder.path());
        for setting in self.settings() {
            command.args(["-c", &setting]);
        }
        // Control-C in a terminal is for its owner, who decides what becomes of the server.
        command.process_group(0).stdout(output.try_clone()?).stderr(output);
        let server = command.spawn().context("could not start PostgreSQL")?;
        let pid_file = self.data_directory().join("postmaster.pid");
        let server = self.server.insert(server);
        let mut status = None;
        wait_until("PostgreSQL takes connections", START_MAX, || {
            status = server.try_wait()?;
            Ok(status.is_some() || is_ready(&pid_file, server.id()))
        })?;
        let Some(status) = status else { return Ok(true) };
        self.server = None;
        let said = fs::read_to_string(&log).context("reading the log of PostgreSQL")?;
        ensure!(said.contains("could not bind"), "PostgreSQL ended ({status}):\n{said}");
        Ok(false)
    }

    fn settings(&self) -> Vec<String> {
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            "max_connections=200".to_owned(),
            // `launch` reads the log.
            "lc_messages=C".to_owned(),
        ];
        if self.durability == Durability::None {
            settings.extend(["fsync=off", "full_page_writes=off"].map(str::to_owned));
        }
        settings
    }

    /// One of PostgreSQL's programs, as the right user and without the settings that the caller's
    /// environment has for another server.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.program(program));
        let foreign = env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG"));
        for (name, _) in foreign {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").current_dir(self.folder.path()).stdin(Stdio::null());
        self.account.run_as(&mut command);
        command
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A server that does not stop by itself is killed, and nobody is left to be told.
        let _ = self.stop(Mode::Immediate);
    }
}

/// A port from the range below those that systems give to outgoing connections. From there, a
/// client that tries again while the server is down could get the server's own port.
fn random_port() -> u16 {
    const FIRST: u16 = 16_384;
    // Each hasher has random keys.
    let [low, high, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    FIRST + u16::from_le_bytes([low, high]) % FIRST
}

/// Whether the server with this process id has written that it takes connections.
fn is_ready(pid_file: &Path, process: u32) -> bool {
    /// Where the file has the server's state.
    const STATE: usize = 7;
    let text = fs::read_to_string(pid_file).unwrap_or_default();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    lines.first().is_some_and(|first| *first == process.to_string())
        && lines.get(STATE).is_some_and(|state| *state == "ready")
}

/// Runs a program to its end. If it fails, the error has what it said.
fn finish(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("could not start {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} failed ({}):\n{said}", output.status);
    Ok(())
}

/// Looks again and again whether something has happened that nothing else tells of.
#[expect(clippy::disallowed_methods, reason = "another process can only be looked at again")]
fn wait_until(
    what: &str,
    limit: Duration,
    mut has_happened: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    while !has_happened()? {
        ensure!(start.elapsed() < limit, "timed out after {limit:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
