//! A Worker that runs on this machine, in the same runtime as on Cloudflare's.

use std::ffi::OsStr;
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use super::{PROJECT, TOOLS};
use crate::{local, output, paths, process};

/// Makes `/__scheduled` run the cron trigger.
const TRIGGER: &str = "--test-scheduled";

/// How long a Worker may take until it answers. wrangler builds it first.
const START_MAX: Duration = Duration::from_mins(3);

/// How long wrangler may take to stop the runtime that it started.
const STOP_MAX: Duration = Duration::from_secs(10);

/// How long to wait between two looks at a runtime that is to stop.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs a program until it ends or nobody holds this script's input any longer, and ends the whole
/// group then. So no runtime is left behind, however this program comes to its end.
const WATCHED: &str = "(\"$@\"; kill -TERM 0) & read -r _; kill -TERM 0";

/// The installed wrangler, run in a directory of the repository. Without prompts and telemetry.
pub(super) fn command(directory: &str) -> Command {
    let mut wrangler = TOOLS.program("wrangler");
    wrangler.current_dir(paths::root().join(directory));
    wrangler.env("CI", "true").env("WRANGLER_SEND_METRICS", "false");
    wrangler
}

/// Serves the Worker until it is interrupted, on the port and with the database that
/// `npx wrangler dev` has as well.
pub(super) fn dev() -> anyhow::Result<()> {
    TOOLS.install()?;
    migrate(None)?;
    process::run(command(PROJECT).args(["dev", TRIGGER]))
}

/// Brings the schema of a database on this machine up to date. `state` is where its file lies.
pub(super) fn migrate(state: Option<&Path>) -> anyhow::Result<()> {
    let mut wrangler = command(PROJECT);
    wrangler.args(["d1", "migrations", "apply", "DB", "--local"]);
    process::run(persisting(&mut wrangler, state))
}

/// Runs statements on a database on this machine, while no Worker uses it. `what` is `--command` and
/// a statement, or `--file` and a file of them.
pub(super) fn execute(state: &Path, what: &[&OsStr]) -> anyhow::Result<()> {
    let mut wrangler = command(PROJECT);
    wrangler.args(["d1", "execute", "DB", "--local"]).args(what);
    process::run(persisting(&mut wrangler, Some(state)))
}

fn persisting<'a>(wrangler: &'a mut Command, state: Option<&Path>) -> &'a mut Command {
    if let Some(state) = state {
        wrangler.arg("--persist-to").arg(state);
    }
    wrangler
}

/// The same command, as [`WATCHED`] runs it.
fn watched(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", WATCHED, "sh"]).arg(command.get_program()).args(command.get_args());
    if let Some(directory) = command.get_current_dir() {
        shell.current_dir(directory);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// A running Worker. It is stopped when this is dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Server {
    /// Starts the Worker of this directory and waits until it answers. Its database and its log
    /// lie in `state`.
    pub(super) fn start(
        directory: &str,
        state: &Path,
        vars: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let (address, inspector) = (local::free_address()?, local::free_address()?);
        std::fs::create_dir_all(state).with_context(|| format!("making {}", state.display()))?;
        let log = state.join("wrangler.log");
        let out = File::create(&log).context("creating wrangler's log")?;
        let mut wrangler = command(directory);
        wrangler.args(["dev", TRIGGER, "--local", "--ip", "127.0.0.1"]);
        wrangler.args(["--port", &address.port().to_string()]);
        wrangler.args(["--inspector-port", &inspector.port().to_string()]);
        // wrangler's own debugger hears of every exchange with D1, which costs more than the exchange.
        // It stays away where an editor says that it brings one.
        wrangler.env("VSCODE_INSPECTOR_OPTIONS", "{}");
        // An empty file, or wrangler would take the developer's own variables from `.dev.vars`.
        let none = state.join("none.env");
        std::fs::write(&none, "").context("writing a file without variables")?;
        wrangler.arg("--env-file").arg(&none);
        for (name, value) in vars {
            wrangler.args(["--var", &format!("{name}:{value}")]);
        }
        persisting(&mut wrangler, Some(state));
        let mut watched = watched(&wrangler);
        watched
            .stdin(Stdio::piped())
            .stdout(out.try_clone().context("sharing wrangler's log")?)
            .stderr(out);
        // A group of its own, so that the runtime can be stopped along with wrangler.
        let child = watched.process_group(0).spawn().context("could not start wrangler")?;
        output::line(format_args!("a Worker at http://{address}, its log in {}", log.display()));
        let mut server = Self { child, address, log };
        let Self { child, log, .. } = &mut server;
        local::wait_until_it_answers(child, address, START_MAX, "the Worker", log)?;
        Ok(server)
    }

    /// Where the Worker listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where wrangler writes what it has to say.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// How wrangler ended, if it did.
    pub(crate) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().context("looking after wrangler")
    }

    /// Where the Worker is.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The status with which a path answers.
    pub(super) fn status(&self, path: &str) -> anyhow::Result<u16> {
        Ok(local::get(self.address, path)?.status)
    }

    /// Sends a signal to wrangler and to all that it started. The shell has `kill` built in.
    fn signal(&self, name: &str) {
        let script = format!("kill -{name} -{}", self.child.id());
        process::succeeds(Command::new("sh").args(["-c", &script]));
    }

    #[expect(clippy::disallowed_methods, reason = "another process can only be looked at again")]
    fn has_ended(&mut self) -> bool {
        let start = std::time::Instant::now();
        while start.elapsed() < STOP_MAX {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            std::thread::sleep(PAUSE);
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("TERM");
        self.has_ended();
        // Whatever is left of the group, also if wrangler ended without its runtime.
        self.signal("KILL");
        let _ = self.child.wait();
    }
}
