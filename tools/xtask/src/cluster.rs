//! `cargo xtask cluster`.

use crate::{output, process, programs};

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
    let built = programs::build(&["octopoid-server", "octopoid-load"])?;
    output::heading("faults under load");
    let mut test = process::at_root(built.join("octopoid-load"));
    process::run(test.arg("cluster").args(&args.rest))
}
