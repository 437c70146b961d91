//! Servers to test, which are gone when their guard is.

use std::{
    env,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use octopoid_client::{Client, Retries};
use octopoid_store::engine::SharedEngine;
use octopoid_store_postgres::Options;
use octopoid_store_sqlite::{Location, Sqlite};
use octopoid_testbed::{
    address,
    database::{Schema, is_postgres},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, ChildStdout, Command},
    sync::watch,
    task::JoinHandle,
};

/// Where `cargo xtask coverage` has binaries write what they ran.
const PROFILE: &str = "LLVM_PROFILE_FILE";

/// Longer than anything takes on a machine that is busy with something else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What outlasts a server: a directory with the database's file in it, or a schema.
pub(crate) struct Disk {
    directory: TempDir,
    schema: Option<Schema>,
}

impl Disk {
    /// A database of the kind that the environment asks for.
    pub(crate) async fn new() -> Self {
        let mut disk = Self::of_file();
        if is_postgres() {
            disk.schema = Some(Schema::fresh().await.expect("a server for tests is named"));
        }
        disk
    }

    /// A database that is a file, for a test of what only files have.
    pub(crate) fn of_file() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), schema: None }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("test.db")
    }

    pub(crate) fn url(&self) -> String {
        match &self.schema {
            Some(schema) => schema.url(),
            None => format!("sqlite:{}", self.file().display()),
        }
    }

    /// An engine on it. On a file, nobody else may have it open.
    pub(crate) fn engine(&self) -> SharedEngine {
        match &self.schema {
            Some(schema) => Arc::new(schema.engine(Options::default())),
            None => Arc::new(Sqlite::open(&Location::File(self.file())).unwrap()),
        }
    }

    /// The database as the server names it: without what follows the address.
    pub(crate) fn shown(&self) -> String {
        let url = self.url();
        url.split_once('?').map_or(url.clone(), |(address, _)| address.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A server on this database.
    pub(crate) async fn serve(&self) -> Server {
        self.serve_with(&[], &[]).await
    }

    /// A server with more arguments and variables.
    pub(crate) async fn serve_with(
        &self,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Server {
        let mut command = self.configure(command());
        Server::start(command.args(arguments).envs(variables.iter().copied())).await
    }

    /// A command that serves this database.
    pub(crate) fn configure(&self, command: Command) -> Command {
        let mut command = serving(command, &self.url());
        // Many tests run at once, and the database's connections are for all of them.
        command.args(["--db-connections", "4"]);
        command
    }
}

/// The binary with nothing in its environment.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octopoid-server"));
    command.env_clear().kill_on_drop(true);
    // But for where a binary that was built to measure coverage writes its counts.
    command.envs(env::var_os(PROFILE).map(|file| (PROFILE, file)));
    command
}

/// The binary, told to serve a database on a port of its own choice.
pub(crate) fn serving(mut command: Command, database: &str) -> Command {
    command.args(["--listen", "127.0.0.1:0", "--database", database]);
    command
}

/// The binary with nothing in its environment, under limits that a shell sets: `-n 256`.
pub(crate) fn limited_command(limits: &str) -> Command {
    let mut command = Command::new("sh");
    command.env_clear().kill_on_drop(true);
    let script = format!("ulimit {limits}; exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_octopoid-server")]);
    command
}

/// What a process that has ended left.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the binary to its end.
pub(crate) async fn run(command: &mut Command) -> Ended {
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    let output = output.expect("the command ends").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A running server.
pub(crate) struct Server {
    /// Where it listens: `127.0.0.1:<port>`.
    pub(crate) address: String,
    child: Child,
    lines: watch::Receiver<Vec<String>>,
    errors: JoinHandle<Vec<String>>,
}

impl Server {
    /// Starts a server and waits until it says where it listens.
    pub(crate) async fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, mut lines) = watch::channel(Vec::new());
        let stdout = child.stdout.take().unwrap();
        tokio::spawn(follow(stdout, move |line| sender.send_modify(|lines| lines.push(line))));
        let stderr = child.stderr.take().unwrap();
        let errors = tokio::spawn(async move {
            let mut lines = Vec::new();
            follow(stderr, |line| lines.push(line)).await;
            lines
        });
        let listening = lines.wait_for(|lines| lines.iter().any(|line| address(line).is_some()));
        let listening = tokio::time::timeout(PATIENCE, listening).await;
        let listening = listening.expect("the server starts in time").ok();
        let address = listening.and_then(|lines| lines.iter().find_map(|line| address(line)));
        let Some(address) = address else {
            panic!("the server did not start: {:?}", errors.await);
        };
        Self { address, child, lines, errors }
    }

    /// A client that acts in scope `s`.
    pub(crate) fn client(&self) -> Client {
        self.open_client().with_scope("s")
    }

    /// A client that names no scope. It sends each request once, so that a test sees each answer.
    pub(crate) fn open_client(&self) -> Client {
        Client::new(&format!("http://{}", self.address)).unwrap().with_retries(Retries::NONE)
    }

    /// What the server has printed so far.
    pub(crate) fn printed(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    /// Waits until the server has printed a line with this text.
    pub(crate) async fn prints(&mut self, text: &str) {
        let printed = self.lines.wait_for(|lines| lines.iter().any(|line| line.contains(text)));
        let printed = tokio::time::timeout(PATIENCE, printed).await;
        assert!(matches!(printed, Ok(Ok(_))), "the server never printed \"{text}\"");
    }

    /// Ends the process as a power cut would, as far as a process can tell.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks the process to stop.
    pub(crate) async fn terminate(&self) {
        terminate(&self.child).await;
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn ends(mut self, within: Duration) -> Ended {
        let status = tokio::time::timeout(within, self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("the server did not end within {within:?}"));
        // The reader drops its end once it has read everything.
        while self.lines.changed().await.is_ok() {}
        let stdout = self.printed().join("\n");
        Ended { status: status.unwrap(), stdout, stderr: self.errors.await.unwrap().join("\n") }
    }
}

/// A running server whose log nobody reads once it has said where it listens.
pub(crate) struct Mute {
    pub(crate) address: String,
    child: Child,
    /// Kept open, and not read.
    _stdout: BufReader<ChildStdout>,
}

impl Mute {
    pub(crate) async fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let listening = async {
            let mut line = String::new();
            while address(&line).is_none() {
                line.clear();
                assert_ne!(stdout.read_line(&mut line).await.unwrap(), 0, "it did not start");
            }
            address(&line).unwrap()
        };
        let address = tokio::time::timeout(PATIENCE, listening).await;
        Self { address: address.expect("the server starts in time"), child, _stdout: stdout }
    }

    /// Asks the process to stop, and waits for its end.
    pub(crate) async fn stops(mut self) -> ExitStatus {
        terminate(&self.child).await;
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        status.expect("the server ends").unwrap()
    }
}

async fn terminate(child: &Child) {
    let kill = format!("kill -TERM {}", child.id().expect("the server has not ended"));
    assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
}

async fn follow(stream: impl AsyncRead + Unpin, mut take: impl FnMut(String)) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        take(line);
    }
}

/// Asks until there is an answer. Nothing else waits by the clock.
pub(crate) async fn eventually<T>(
    what: &str,
    within: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            #[expect(clippy::disallowed_methods, reason = "between two looks at a condition")]
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::time::timeout(within, asking).await;
    answer.unwrap_or_else(|_| panic!("not within {within:?}: {what}"))
}
