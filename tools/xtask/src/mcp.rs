//! `cargo xtask mcp`: the Model Context Protocol, spoken with programs that others wrote.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use octopoid_testbed::{self as testbed, is_ci};

use crate::npm::Package;
use crate::steps::{AfterFailure, Step};
use crate::workspace::Workspace;
use crate::{output, paths, process, programs, steps, venv};

/// Tests the Model Context Protocol with the clients of others.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// Let the clients of the official SDKs call every tool, in every era of the protocol, and run
    /// the public conformance suite.
    Test(TestArgs),
}

/// What is tested.
#[derive(Debug, Default, clap::Args)]
struct TestArgs {
    /// A part of the names of clients, such as `stdio` or `py-auto`. With it, only these are run.
    #[arg(last = true)]
    clients: Option<String>,
}

/// The programs that test, and what they need from npm.
const CLIENTS: Package = Package { directory: "testing/mcp" };

/// What pip installs for them, each package with its checksums.
const REQUIREMENTS: &str = "testing/mcp/requirements.txt";

/// The administrator's key of a server that lives for one run on the loopback interface.
const ADMIN_SECRET: &str = "mcp-test-admin-secret";

/// What the conformance suite needs.
const NEW_NODE: &str = "process.exit(parseInt(process.versions.node) >= 22 ? 0 : 1)";

/// What the SDK for Python needs.
const NEW_PYTHON: &str = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))";

/// Runs the chosen command.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Subcommand::Test(args) => test_with(args),
    }
}

/// Runs all tests.
pub(crate) fn test() -> anyhow::Result<()> {
    test_with(&TestArgs::default())
}

fn test_with(args: &TestArgs) -> anyhow::Result<()> {
    CLIENTS.check_lock()?;
    let has_npm = CLIENTS.provide("the test of MCP with the SDK for JavaScript")?;
    let target = Workspace::load()?.target;
    let python = provide_python(&target)?;
    output::heading("building the server");
    let binary = programs::build(&["octopoid"])?.join("octopoid");
    let logs = target.join("mcp");
    fs::create_dir_all(&logs).with_context(|| format!("making {}", logs.display()))?;
    let javascript = || {
        let mut clients = CLIENTS.script("clients");
        talk(clients.args(&args.clients), &binary, &logs.join("javascript.log"))
    };
    let in_python = || {
        let Some(python) = &python else { return Ok(()) };
        let mut clients = process::at_root(python);
        clients.arg("testing/mcp/clients.py");
        talk(clients.args(&args.clients), &binary, &logs.join("python.log"))
    };
    let conformance = || conform(&binary, &logs.join("conformance.log"));
    let mut all: Vec<Step<&dyn Fn() -> anyhow::Result<()>>> = Vec::new();
    if has_npm {
        all.push(("clients in JavaScript", &javascript));
    }
    if python.is_some() {
        all.push(("clients in Python", &in_python));
    }
    if has_npm && args.clients.is_none() && has_new_node()? {
        all.push(("conformance", &conformance));
    }
    steps::run("mcp", &all, AfterFailure::GoOn)
}

/// Lets clients talk to a server that asks for keys. They issue some for themselves.
fn talk(clients: &mut Command, binary: &Path, log: &Path) -> anyhow::Result<()> {
    let server = serve(binary, "required", log)?;
    clients.env("OCTOPOID_SERVER", format!("http://{}", server.address));
    process::run(clients.env("API_SECRET_KEY", ADMIN_SECRET).env("OCTOPOID_BIN", binary))
}

/// Runs the conformance suite on a server without keys, because the suite sends none.
fn conform(binary: &Path, log: &Path) -> anyhow::Result<()> {
    let server = serve(binary, "open", log)?;
    let mut suite = CLIENTS.script("conformance");
    process::run(suite.env("OCTOPOID_SERVER", format!("http://{}", server.address)))
}

/// Starts a server on an empty database and waits until it listens. It is stopped when this is
/// dropped.
fn serve(binary: &Path, auth: &str, log: &Path) -> anyhow::Result<testbed::Server> {
    let output = File::create(log).context("creating the server's log")?;
    let mut command = Command::new(binary);
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", "sqlite::memory:"]);
    command.args(["--auth", auth]).env("API_SECRET_KEY", ADMIN_SECRET);
    command.stderr(output.try_clone().context("sharing the server's log")?);
    testbed::Server::start(&mut command, output)
        .with_context(|| format!("the server's log is {}", log.display()))
}

/// A Python with the SDK. On a machine without Python this says what is skipped; in continuous
/// integration that is an error.
fn provide_python(target: &Path) -> anyhow::Result<Option<PathBuf>> {
    if !process::succeeds(process::at_root("python3").args(["-c", NEW_PYTHON])) {
        let text = "the test of MCP with the SDK for Python needs Python 3.10 or newer with its venv \
                    module. Install it (on Debian: python3-venv)";
        output::missing(is_ci(), text)?;
        return Ok(None);
    }
    let path = paths::root().join(REQUIREMENTS);
    let version = fs::read_to_string(&path).with_context(|| format!("no {REQUIREMENTS}"))?;
    let pip = ["--require-hashes", "--requirement", REQUIREMENTS];
    let programs = venv::provide(&target.join("mcp-venv"), &pip, &version)?;
    Ok(Some(programs.join("python")))
}

/// Whether node is new enough for the conformance suite. If it is not, this says what is skipped;
/// in continuous integration that is an error.
fn has_new_node() -> anyhow::Result<bool> {
    let is_new = process::succeeds(process::at_root("node").args(["-e", NEW_NODE]));
    if !is_new {
        output::missing(is_ci(), "the conformance suite of MCP needs Node 22 or newer")?;
    }
    Ok(is_new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_names_no_addresses() {
        CLIENTS.check_lock().unwrap();
    }

    #[test]
    fn every_package_for_python_has_a_checksum() {
        let text = fs::read_to_string(paths::root().join(REQUIREMENTS)).unwrap();
        let packages = text.lines().filter(|line| line.contains("==")).count();
        let entries = text.replace("\\\n", "");
        let hashed = entries.lines().filter(|line| line.contains("--hash=sha256:")).count();
        assert!(packages > 0 && packages == hashed, "{packages} packages, {hashed} with checksums");
    }
}
