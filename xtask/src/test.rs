//! `cargo xtask test`.

use std::ffi::OsString;
use std::process::Command;

use anyhow::bail;

use crate::{output, process};

/// Runs every test of the workspace.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Arguments for the test runner, such as a filter. With them, only the runner is started.
    #[arg(last = true)]
    extra: Vec<OsString>,
}

/// Runs the documentation's examples, then all other tests.
///
/// The runner comes last, so that its own summary closes what is printed.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    // nextest does not run the examples in documentation. They take a second where there are none.
    if args.extra.is_empty() {
        output::heading("examples in the documentation");
        let mut examples = process::cargo();
        examples.args(["test", "--doc", "--workspace", "--quiet"]);
        failed.extend(process::run(&mut examples).err());
    }
    output::heading("tests");
    failed.extend(process::run(runner().args(&args.extra)).err());
    if !failed.is_empty() {
        let reasons: Vec<_> = failed.iter().map(ToString::to_string).collect();
        bail!("{}", reasons.join("; "));
    }
    Ok(())
}

/// nextest, or cargo's own runner on a machine that does not have it.
fn runner() -> Command {
    let mut runner = process::cargo();
    if process::succeeds(process::cargo().args(["nextest", "--version"])) {
        runner.args(["nextest", "run", "--workspace"]);
    } else {
        output::line("cargo-nextest is not installed: tests run one crate after the other.");
        output::line("`cargo install cargo-nextest --locked` makes them faster.");
        runner.args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]);
    }
    runner
}
