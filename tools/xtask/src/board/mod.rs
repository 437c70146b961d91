//! `cargo xtask board`: the page that browsers get, from its source to its tests.

mod build;
mod check;
mod failures;
mod test;

use crate::npm::Package;

/// Builds the board, checks it, or tests it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write the types of the API, and the page that is checked in and that servers embed.
    Build,
    /// Check the types, compare the page that is checked in with what would be built, and weigh it.
    Check,
    /// Run the components' tests, then those in a browser, against the real server.
    Test(test::Args),
}

/// The board's source.
const WEB: Package = Package { directory: "crates/board/web" };

/// The page as it is checked in, which the server embeds.
const DIST: &str = "crates/board/dist";

/// Runs all checks but the tests.
pub(crate) fn check() -> anyhow::Result<()> {
    check::run()
}

/// Runs all tests of the board.
pub(crate) fn test() -> anyhow::Result<()> {
    test::run(&test::Args::default())
}

/// Runs the tests of the board that are about a Worker.
pub(crate) fn test_on_worker(url: &str, token: &str) -> anyhow::Result<()> {
    test::on_worker(url, token)
}

/// Runs the chosen command.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Build => build::run(),
        Command::Check => check::run(),
        Command::Test(args) => test::run(args),
    }
}
