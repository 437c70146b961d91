//! `cargo xtask test`.

use std::ffi::OsString;
use std::process::Command;

use octopoid_testbed::DATABASE_VARIABLE as DATABASE;

use crate::postgres::Postgres;
use crate::steps::{AfterFailure, Step};
use crate::{board, output, process, steps};

/// The crates whose tests run on any database: those that call a whole server, over HTTP or as a
/// process, and the store's model, races and stories.
const ANYWHERE: [&str; 3] = ["octopoid-api", "octopoid-server", "octopoid-store-testkit"];

/// The tests of these crates that do not run on any database: unit tests use none, and the others
/// name theirs.
const NAMES_ITS_OWN: &str = "not kind(test) | binary_id(octopoid-server::postgres) | \
    (binary_id(octopoid-server::e2e) & test(/^(copy|import)::/))";

/// Runs every test of the workspace, those that name no database on each, and those of the board.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Arguments for the test runner, such as a filter. With them, only the runner is started, and
    /// only once.
    #[arg(last = true)]
    extra: Vec<OsString>,
}

/// Runs the documentation's examples and the board's tests, then all others.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let postgres = Postgres::provide()?;
    let runner = Runner::find();
    let start = |mut command: Command| {
        if let Some(postgres) = &postgres {
            postgres.tell(&mut command);
        }
        process::run(&mut command)
    };
    if !args.extra.is_empty() {
        output::heading("tests");
        let mut some = runner.everything();
        some.args(&args.extra);
        return start(some);
    }
    let tests = || {
        let mut all = runner.everything();
        all.env_remove(DATABASE);
        start(all)
    };
    let on_postgres = || {
        let mut anywhere = runner.anywhere();
        anywhere.env(DATABASE, "postgres");
        start(anywhere)
    };
    let mut steps: Vec<Step<&dyn Fn() -> anyhow::Result<()>>> =
        vec![("examples", &run_examples), ("board", &board::test), ("tests", &tests)];
    if postgres.is_some() {
        steps.push(("the same on PostgreSQL, where tests name no database", &on_postgres));
    }
    steps::run("test", &steps, AfterFailure::GoOn)
}

/// Runs the examples in the documentation, which nextest does not. They take a second where there
/// are none.
fn run_examples() -> anyhow::Result<()> {
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

    /// The command that runs all tests.
    fn everything(&self) -> Command {
        let mut command = self.command();
        command.arg("--workspace");
        command
    }

    /// The command that runs the tests that run on any database. nextest selects the workspace too,
    /// and then some of its tests: what another selection needs would be built once more.
    fn anywhere(&self) -> Command {
        let mut command = self.command();
        match self {
            Self::Nextest => {
                let packages = ANYWHERE.map(|name| format!("package({name})")).join(" | ");
                command.args(["--workspace", "--filterset"]);
                command.arg(format!("({packages}) - ({NAMES_ITS_OWN})"))
            }
            Self::Cargo => command.args(ANYWHERE.iter().flat_map(|name| ["--package", name])),
        };
        command
    }

    fn command(&self) -> Command {
        let mut command = process::cargo();
        match self {
            Self::Nextest => command.args(["nextest", "run"]),
            Self::Cargo => command.args(["test", "--lib", "--bins", "--tests", "--no-fail-fast"]),
        };
        command
    }
}
