//! `cargo xtask bench`.

use std::env;
use std::path::{Path, PathBuf};

use octopoid_testbed::is_ci;

use crate::npm::Package;
use crate::workspace::Workspace;
use crate::{output, paths, process, programs};

/// Measures the server over HTTP, beside its own ceilings; writes docs/benchmarks.md. With --peers:
/// measures other queues beside this one; writes docs/benchmarks-peers.md.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Passed on: --seconds per phase, --tasks in a full table, --out for another file. With
    /// --peers: --rounds, --seconds, --agents, --only, --against for the binary of another build.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Asks for the comparison with other queues.
const PEERS: &str = "--peers";

/// The clients of other queues, and what they need from npm.
const SCRIPTS: Package = Package { directory: "tools/peers" };

/// The client of the queue that is a crate. What it needs is no part of the workspace.
const AWA: &str = "tools/peers/awa/Cargo.toml";

/// Builds the server and the load generator in release mode, and runs the latter.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    output::heading("building in release mode");
    let build =
        ["build", "--release", "-p", "octopoid", "-p", "octopoid-server", "-p", "octopoid-load"];
    process::run(process::cargo().args(build))?;
    let (is_of_peers, rest) = split(&args.rest);
    if is_of_peers {
        return compare(&rest);
    }
    output::heading("measuring");
    let mut command = process::cargo();
    command.args(["run", "--release", "--quiet", "-p", "octopoid-load", "--", "bench"]);
    if !names_a_file(&rest) {
        command.args(["--out", "docs/benchmarks.md"]);
    }
    process::run(command.args(rest))
}

/// Measures event streams briefly, and lets each queue of the comparison complete some tasks, to see
/// that the measurements run. Figures would mean nothing: the build is not optimized.
pub(crate) fn check() -> anyhow::Result<()> {
    let built = programs::build(&["octopoid-server", "octopoid-load"])?;
    output::heading("trying the measurement of event streams");
    let mut measure = process::at_root(built.join("octopoid-load"));
    process::run(measure.args(["bench", "--only", "events", "--seconds", "1"]))?;
    output::heading("trying the comparison with other queues");
    SCRIPTS.check_lock()?;
    let mut compare = process::at_root(built.join("octopoid-load"));
    compare.args(["peers", "--check"]);
    if SCRIPTS.provide("the comparison with queues of npm")? {
        compare.arg("--scripts").arg(paths::root().join(SCRIPTS.directory));
    }
    process::run(&mut compare)
}

/// Installs and builds the clients of other queues, and measures all of them in turn.
fn compare(rest: &[String]) -> anyhow::Result<()> {
    SCRIPTS.check_lock()?;
    let target = Workspace::load()?.target;
    let mut compare = process::at_root(target.join("release/octopoid-load"));
    compare.arg("peers");
    if SCRIPTS.provide("the comparison with queues of npm")? {
        compare.arg("--scripts").arg(paths::root().join(SCRIPTS.directory));
    }
    if let Some(awa) = build_awa(&target.join("peers"))? {
        compare.arg("--awa").arg(awa);
    }
    if !names_a_file(rest) {
        compare.args(["--out", "docs/benchmarks-peers.md"]);
    }
    output::heading("measuring");
    process::run(compare.args(rest))
}

/// Builds the client of awa. Where its crates cannot be fetched, the comparison goes without.
fn build_awa(target: &Path) -> anyhow::Result<Option<PathBuf>> {
    output::heading("building the client of awa");
    let mut build = process::cargo();
    build.args(["build", "--release", "--locked", "--manifest-path", AWA, "--target-dir"]);
    if let Err(error) = process::run(build.arg(target)) {
        output::missing(is_ci(), format_args!("the comparison with awa: {error:#}"))?;
        return Ok(None);
    }
    let name = format!("octopoid-peer-awa{}", env::consts::EXE_SUFFIX);
    Ok(Some(target.join("release").join(name)))
}

/// Whether other queues are asked for, and the arguments that say how to measure.
fn split(rest: &[String]) -> (bool, Vec<String>) {
    let others: Vec<String> = rest.iter().filter(|arg| *arg != PEERS).cloned().collect();
    (others.len() < rest.len(), others)
}

fn names_a_file(rest: &[String]) -> bool {
    rest.iter().any(|arg| arg.starts_with("--out"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn other_queues_are_asked_for_anywhere_in_the_arguments() {
        for line in [["bench", "--peers", "--rounds", "2"], ["bench", "--rounds", "2", "--peers"]] {
            let rest = Cli::parse_from(line).args.rest;
            assert_eq!(split(&rest), (true, vec!["--rounds".to_owned(), "2".to_owned()]));
        }
        assert!(!split(&["--out=FILE".to_owned()]).0);
    }

    #[test]
    fn the_lock_names_no_addresses() {
        SCRIPTS.check_lock().unwrap();
    }
}
