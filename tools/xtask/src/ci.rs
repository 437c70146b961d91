//! `cargo xtask ci`.

use crate::{bench, edge, fuzz, lint, test};

/// Runs what has to pass before a change is taken: lint, the Worker, a short fuzz, a measurement, all
/// tests.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// How many random requests a change has to stand in each home. A release stands more: see `cargo xtask fuzz`.
const REQUESTS: usize = 1_500;

/// Runs the five. The tests come last, so that their summary closes what is printed.
pub(crate) fn run(_args: &Args) -> anyhow::Result<()> {
    lint::run(&lint::Args::default())?;
    edge::test()?;
    fuzz::run(&fuzz::Args::everywhere(REQUESTS))?;
    bench::check()?;
    test::run(&test::Args::default())
}
