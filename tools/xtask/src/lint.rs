//! `cargo xtask lint`.

use std::env;
use std::time::Duration;

use anyhow::bail;

use crate::{board, cli, edge, openapi, output, process, tidy, wasm};

/// Checks everything that can be checked without running the server's tests.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {}

/// A check and the name by which the summary calls it.
type Step = (&'static str, fn() -> anyhow::Result<()>);

/// Cheap checks first, so that a slip is seen before anything is compiled.
const STEPS: &[Step] = &[
    ("rustfmt", rustfmt),
    ("tidy", || tidy::run(&tidy::Args::default())),
    ("board", board::check),
    ("clippy", clippy),
    ("documentation", documentation),
    ("wasm", || wasm::run(&wasm::Args::default())),
    ("edge migrations", edge::is_up_to_date),
    ("openapi", || openapi::run(&openapi::Args { check: true })),
    ("cli", || cli::run(&cli::Args { check: true })),
];

/// What a build leaves out unless it is asked for, and what is checked nevertheless.
const FEATURES: &str = "xtask/edge-bindgen";

/// Runs every check, also after one has failed, and says at the end which did.
pub(crate) fn run(_args: &Args) -> anyhow::Result<()> {
    summarise(STEPS)
}

fn summarise(steps: &[Step]) -> anyhow::Result<()> {
    let mut summary = Vec::new();
    let mut failed = Vec::new();
    for (name, step) in steps {
        output::heading(format_args!("lint: {name}"));
        let (verdict, took) = timed(*step);
        summary.push(match &verdict {
            Ok(()) => format!("  ok      {name} ({:.1} s)", took.as_secs_f32()),
            Err(error) => format!("  FAILED  {name}: {error:#}"),
        });
        if verdict.is_err() {
            failed.push(*name);
        }
    }
    output::heading("lint: summary");
    summary.iter().for_each(output::line);
    if !failed.is_empty() {
        bail!("lint failed: {}", failed.join(", "));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a development tool measures how long a step takes")]
fn timed(step: fn() -> anyhow::Result<()>) -> (anyhow::Result<()>, Duration) {
    let start = std::time::Instant::now();
    let verdict = step();
    (verdict, start.elapsed())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_runs_and_the_failed_ones_are_named() {
        let steps: &[Step] =
            &[("first", || bail!("no")), ("second", || Ok(())), ("third", || bail!("neither"))];
        let error = summarise(steps).unwrap_err();
        assert_eq!(error.to_string(), "lint failed: first, third");
    }
}
