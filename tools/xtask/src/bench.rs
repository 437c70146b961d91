//! `cargo xtask bench`.

use crate::{output, process, programs};

/// Measures the server over HTTP, beside its own ceilings; writes docs/benchmarks.md.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Passed on: --seconds per phase, --tasks in a full table, --out for another file.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the server and the load generator in release mode, and runs the latter.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    output::heading("building in release mode");
    let build =
        ["build", "--release", "-p", "octopoid", "-p", "octopoid-server", "-p", "octopoid-load"];
    process::run(process::cargo().args(build))?;
    output::heading("measuring");
    let measure = ["run", "--release", "--quiet", "-p", "octopoid-load", "--", "bench"];
    let mut command = process::cargo();
    command.args(measure);
    if !args.rest.iter().any(|arg| arg.starts_with("--out")) {
        command.args(["--out", "docs/benchmarks.md"]);
    }
    process::run(command.args(&args.rest))
}

/// Measures event streams briefly, to see that the measurement runs. Its figures mean nothing: the
/// build is not optimized.
pub(crate) fn check() -> anyhow::Result<()> {
    output::heading("trying the measurement of event streams");
    let built = programs::build(&["octopoid-server", "octopoid-load"])?;
    let mut measure = process::at_root(built.join("octopoid-load"));
    process::run(measure.args(["bench", "--only", "events", "--seconds", "1"]))
}
