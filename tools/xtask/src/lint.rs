//! `cargo xtask lint`.

use std::env;

use crate::steps::{AfterFailure, Step};
use crate::{board, cli, edge, openapi, process, steps, tidy, wasm};

/// Checks everything that can be checked without running the server's tests.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Leave out the WebAssembly check, where the Worker is built anyway: that compiles the same
    /// crates for the same target.
    #[arg(long)]
    pub(crate) without_wasm: bool,
}

const WASM: &str = "wasm";

/// Cheap checks first, so that a slip is seen before anything is compiled.
const STEPS: &[Step] = &[
    ("rustfmt", rustfmt),
    ("tidy", || tidy::run(&tidy::Args::default())),
    ("board", board::check),
    ("clippy", clippy),
    ("documentation", documentation),
    (WASM, || wasm::run(&wasm::Args::default())),
    ("edge migrations", edge::is_up_to_date),
    ("openapi", || openapi::run(&openapi::Args { check: true })),
    ("cli", || cli::run(&cli::Args { check: true })),
];

/// What a build leaves out unless it is asked for, and what is checked nevertheless.
const FEATURES: &str = "xtask/edge-bindgen";

/// Runs every check, also after one has failed, and says at the end which did.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let wanted = |name: &str| !(args.without_wasm && name == WASM);
    let steps: Vec<Step> = STEPS.iter().copied().filter(|(name, _)| wanted(name)).collect();
    steps::run("lint", &steps, AfterFailure::GoOn)
}

fn rustfmt() -> anyhow::Result<()> {
    process::run(process::cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> anyhow::Result<()> {
    let wanted = ["clippy", "--workspace", "--all-targets", "--features", FEATURES];
    process::run(process::cargo().args(wanted).args(["--", "-D", "warnings"]))
}

fn documentation() -> anyhow::Result<()> {
    let flags = env::var("RUSTDOCFLAGS").unwrap_or_default();
    process::run(
        process::cargo()
            .args(["doc", "--workspace", "--no-deps", "--features", FEATURES])
            .env("RUSTDOCFLAGS", format!("{flags} -D warnings").trim_start()),
    )
}
