//! `cargo xtask cluster`.

use crate::{output, process};

/// Kills servers and their PostgreSQL under load, and checks whether every promise was kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Passed on: --servers, --agents, --tasks, --seed for who is killed, --limit in seconds.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the server and the load generator, and runs the latter.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    output::heading("building");
    let build = ["build", "-p", "octopoid-server", "-p", "octopoid-load"];
    process::run(process::cargo().args(build))?;
    output::heading("faults under load");
    let test = ["run", "--quiet", "-p", "octopoid-load", "--", "cluster"];
    process::run(process::cargo().args(test).args(&args.rest))
}
