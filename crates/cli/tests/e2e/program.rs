//! The program, run in a world of its own: an empty home, and variables that name a server.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use octopoid_client::Client;
use octopoid_testbed::Server;
use serde_json::Value;
use tempfile::TempDir;

/// Where a binary that was built to measure coverage writes its counts.
const PROFILE: &str = "LLVM_PROFILE_FILE";

/// A home folder, and perhaps a server.
pub(crate) struct World {
    home: TempDir,
    server: Option<Server>,
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// What was printed. The line, which is shown if it has failed, must have succeeded.
    pub(crate) fn ok(self, line: &str) -> String {
        assert_eq!(self.code, Some(0), "{line}: {}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// The same as JSON.
    pub(crate) fn json(self, line: &str) -> Value {
        let printed = self.ok(line);
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{line}: {error}: {printed}"))
    }
}

impl World {
    /// Without a server.
    pub(crate) fn alone() -> Self {
        Self { home: tempfile::tempdir().unwrap(), server: None }
    }

    /// With a server that needs no key.
    pub(crate) fn new() -> Self {
        Self::serving(|_| {})
    }

    /// With a server that is started with more arguments or variables.
    pub(crate) fn serving(configure: impl FnOnce(&mut Command)) -> Self {
        let mut world = Self::alone();
        let mut command = world.command("serve --listen 127.0.0.1:0 --database sqlite::memory:");
        configure(&mut command);
        world.server = Some(Server::start(&mut command, std::io::sink()).unwrap());
        world
    }

    /// The home folder, which is also the working directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The address of the server.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.as_ref().unwrap().address)
    }

    /// A client of the server, for what the program does not do.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url()).unwrap().with_scope("demo")
    }

    /// The program with the arguments of this line. Nothing is in its environment but where home is
    /// and, if there is a server, its address, the scope `demo` and the user `alice`.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_octopoid"));
        command.env_clear().env("HOME", self.home()).current_dir(self.home());
        command.envs(std::env::var_os(PROFILE).map(|file| (PROFILE, file)));
        if self.server.is_some() {
            command.env("OCTOPOID_SERVER", self.url());
            command.envs([("OCTOPOID_SCOPE", "demo"), ("OCTOPOID_USER", "alice")]);
        }
        command.args(words(line)).stdin(Stdio::null());
        command
    }

    /// Runs a line to its end.
    pub(crate) fn run(&self, line: &str) -> Ended {
        finish(&mut self.command(line))
    }

    /// What a line prints that succeeds.
    pub(crate) fn ok(&self, line: &str) -> String {
        self.run(line).ok(line)
    }

    /// The same without the end of the line.
    pub(crate) fn id(&self, line: &str) -> String {
        self.ok(line).trim_end().to_owned()
    }

    /// The JSON that a line prints which succeeds.
    pub(crate) fn json(&self, line: &str) -> Value {
        self.run(line).json(line)
    }

    /// What a line prints to standard error that fails with this code.
    pub(crate) fn fails(&self, code: i32, line: &str) -> String {
        let ended = self.run(line);
        assert_eq!(ended.code, Some(code), "{line}: {}{}", ended.stdout, ended.stderr);
        ended.stderr
    }

    /// Writes a file in the working directory.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.home().join(name), text).unwrap();
    }

    /// Starts a line that goes on until something happens.
    pub(crate) fn start(&self, line: &str) -> Running {
        let mut child = self.command(line).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running { child, stdout }
    }
}

/// A line that is being run. It is killed with its guard.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "it ended");
        line
    }

    /// Waits for its end.
    pub(crate) fn code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The words of a line. What stands between single quotes is one word.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in line.split('\'').enumerate() {
        if number % 2 == 0 {
            words.extend(part.split_whitespace().map(str::to_owned));
        } else {
            words.push(part.to_owned());
        }
    }
    words
}

/// Waits for the end of something asynchronous.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
