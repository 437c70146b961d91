//! `cargo xtask copy`.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use octopoid_testbed::postgres::{Durability, Options, Scratch};

use crate::workspace::Workspace;
use crate::{output, process};

/// Copies many tasks from SQLite to PostgreSQL and back, and compares what came back.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many tasks, each with its history and a message.
    #[arg(long, default_value_t = 100_000)]
    tasks: usize,
}

/// Fills a database, and copies it with the server's release binary.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    output::heading("building in release mode");
    let build = ["build", "--release", "-p", "octopoid-server", "-p", "octopoid-load"];
    process::run(process::cargo().args(build))?;
    let release = Workspace::load()?.target.join("release");
    let scratch = Scratch::start(&Options::new(Durability::Full))?;
    let folder = tempfile::tempdir().context("cannot make a folder for databases")?;
    let (first, last) = (folder.path().join("first.db"), folder.path().join("last.db"));

    output::heading("filling a database");
    let tasks = args.tasks.to_string();
    let mut fill = process::at_root(release.join("octopoid-load"));
    process::run(fill.args(["bench", "--tasks", &tasks, "--fill"]).arg(&first))?;

    let url = |file: &Path| format!("sqlite:{}", file.display());
    let there = copy(&release, &url(&first), &scratch.url())?;
    let back = copy(&release, &scratch.url(), &url(&last))?;
    ensure!(there == back, "what came back differs:\n{there}\n{back}");
    output::line(format_args!("{there}there and back: identical"));
    Ok(())
}

/// Copies, tells how long it took, and gives what the copy says of each table.
fn copy(release: &Path, from: &str, to: &str) -> anyhow::Result<String> {
    output::heading(format_args!("from {from} to {to}"));
    #[expect(clippy::disallowed_methods, reason = "this measures")]
    let start = Instant::now();
    let mut command = process::at_root(release.join("octopoid-server"));
    let listed = process::read(command.args(["copy", "--from", from, "--to", to]))?;
    output::line(format_args!("took {:.1} s", start.elapsed().as_secs_f64()));
    Ok(listed)
}
