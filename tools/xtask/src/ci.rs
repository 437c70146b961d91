//! `cargo xtask ci`.

use crate::steps::{AfterFailure, Step};
use crate::{bench, deny, dist, edge, fuzz, lint, mcp, steps, test};

/// Runs what has to pass before a change is taken: lint, the dependencies, the Worker, a short fuzz, a
/// measurement, the packages, clients of MCP, all tests.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// How many random requests a change has to stand in each home. A release stands more: see `cargo xtask fuzz`.
const REQUESTS: usize = 1_500;

/// The steps, in order. `edge` builds the Worker, so `lint` leaves the WebAssembly check out.
const STEPS: &[Step] = &[
    ("lint", || lint::run(&lint::Args { without_wasm: true })),
    ("deny", || deny::run(&deny::Args {})),
    ("edge", edge::test),
    ("fuzz", || fuzz::run(&fuzz::Args::everywhere(REQUESTS))),
    ("bench", bench::check),
    ("dist", dist::check),
    ("mcp", mcp::test),
    ("test", || test::run(&test::Args::default())),
];

/// Runs them until one fails, and says how long each took.
pub(crate) fn run(_args: &Args) -> anyhow::Result<()> {
    steps::run("ci", STEPS, AfterFailure::Stop)
}
