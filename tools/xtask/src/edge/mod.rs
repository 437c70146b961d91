//! `cargo xtask edge`: the Worker, from the source to a running one.

mod build;
mod migrations;
mod test;
mod wrangler;

use std::path::Path;

use crate::npm::Package;
use crate::workspace::Workspace;

pub(crate) use migrations::{is_up_to_date, write as write_migrations};
pub(crate) use wrangler::Server;

/// Builds the Worker, runs it on this machine, or tests it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Compile the Worker into crates/edge/build, where wrangler looks for it.
    Build,
    /// Serve the Worker on port 8787 with a database on this machine.
    Dev,
    /// Run the conformance suite on D1, and the Worker's own tests against a running one.
    Test(test::Args),
    /// Write the migrations in crates/edge/migrations, which are made from those of the store.
    Migrations,
}

/// The directory of the Worker's crate.
const EDGE: &str = "crates/edge";

/// The directory of the Worker's wrangler project: the root, where wrangler and Cloudflare's builders
/// look for it.
const PROJECT: &str = ".";

/// wrangler, which runs in other directories too.
const TOOLS: Package = Package { directory: PROJECT };

/// The directory of the Worker that runs the conformance suite.
const CONFORMANCE: &str = "testing/edge-conformance";

/// Runs all tests of the Worker.
pub(crate) fn test() -> anyhow::Result<()> {
    test::run(&test::Args::default())
}

/// Builds the Worker and runs it on an empty database, which lies in `state`.
pub(crate) fn serve(
    workspace: &Workspace,
    state: &Path,
    vars: &[(&str, &str)],
) -> anyhow::Result<Server> {
    TOOLS.install()?;
    build::worker(workspace, EDGE)?;
    wrangler::migrate(Some(state))?;
    Server::start(PROJECT, state, vars)
}

/// Runs the chosen command.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Build => build::worker(&Workspace::load()?, EDGE).map(drop),
        Command::Dev => wrangler::dev(),
        Command::Test(args) => test::run(args),
        Command::Migrations => migrations::write(),
    }
}
