//! `cargo xtask test`.

use std::ffi::OsString;
use std::process::Command;

use anyhow::bail;
use octopoid_testbed::DATABASE_VARIABLE as DATABASE;

use crate::postgres::Postgres;
use crate::{board, output, process};

/// The crates whose tests run on any database: those that call a whole server, over HTTP or as a
/// process, and the store's model, races and stories.
const ANYWHERE: [&str; 6] =
    ["-p", "octopoid-api", "-p", "octopoid-server", "-p", "octopoid-store-testkit"];

/// Runs every test of the workspace, those that name no database on each, and those of the board.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Arguments for the test runner, such as a filter. With them, only the runner is started, and
    /// only once.
    #[arg(last = true)]
    extra: Vec<OsString>,
}

/// Runs the documentation's examples and the board's tests, then all others.
///
/// The runner comes last, so that its own summary closes what is printed.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let postgres = Postgres::provide()?;
    let runner = Runner::find();
    let mut failed = Vec::new();
    if args.extra.is_empty() {
        failed.extend(run_examples().err());
        failed.extend(board::test().err());
        output::heading("tests");
        let mut all = runner.command(&["--workspace"], postgres.as_ref());
        failed.extend(process::run(all.env_remove(DATABASE)).err());
        if postgres.is_some() {
            output::heading("the same on PostgreSQL, where tests name no database");
            let mut anywhere = runner.command(&ANYWHERE, postgres.as_ref());
            failed.extend(process::run(anywhere.env(DATABASE, "postgres")).err());
        }
    } else {
        output::heading("tests");
        let mut some = runner.command(&["--workspace"], postgres.as_ref());
        failed.extend(process::run(some.args(&args.extra)).err());
    }
    if !failed.is_empty() {
        let reasons: Vec<_> = failed.iter().map(ToString::to_string).collect();
        bail!("{}", reasons.join("; "));
    }
    Ok(())
}

/// Runs the examples in the documentation, which nextest does not. They take a second where there
/// are none.
fn run_examples() -> anyhow::Result<()> {
    output::heading("examples in the documentation");
    process::run(process::cargo().args(["test", "--doc", "--workspace", "--quiet"]))
}

/// What runs the tests.
enum Runner {
    Nextest,
    /// cargo's own runner, on a machine that does not have nextest.
    Cargo,
}

impl Runner {
    fn find() -> Self {
        if process::succeeds(process::cargo().args(["nextest", "--version"])) {
            return Self::Nextest;
        }
        output::line("cargo-nextest is not installed: tests run one crate after the other.");
        output::line("`cargo install cargo-nextest --locked` makes them faster.");
        Self::Cargo
    }

    /// The command that runs the tests of these packages.
    fn command(&self, packages: &[&str], postgres: Option<&Postgres>) -> Command {
        let mut command = process::cargo();
        match self {
            Self::Nextest => command.args(["nextest", "run"]).args(packages),
            Self::Cargo => command.arg("test").args(packages).args([
                "--lib",
                "--bins",
                "--tests",
                "--no-fail-fast",
            ]),
        };
        if let Some(postgres) = postgres {
            postgres.tell(&mut command);
        }
        command
    }
}
