//! `cargo xtask board test`.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, anyhow};
use octopoid_testbed::is_ci;

use super::{WEB, failures};
use crate::workspace::Workspace;
use crate::{output, process, programs};

/// What is tested.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Arguments for Vitest, such as a part of a file's path. With them, Vitest is started only
    /// once, for the components' tests and those in a browser.
    #[arg(last = true)]
    extra: Vec<OsString>,
}

/// Where another Chromium than the installed one is.
const CHROMIUM: &str = "CHROMIUM";

/// The folder into which Vitest writes its report, and what is to be seen of a failure.
const REPORT: &str = "OCTOPOID_BOARD_REPORT";

/// What the installed browser may be called.
const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// What to install where no browser is found.
const HOW_TO_INSTALL: &str =
    "Install it (on Debian: chromium), or set CHROMIUM to the path of a browser.";

/// Runs the components' tests, then those in a browser.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    if !WEB.provide("the tests of the board")? {
        return Ok(());
    }
    if args.extra.is_empty() {
        output::heading("the board's components");
        start(WEB.script("test"))?;
    }
    let Some(chromium) = provide_chromium("the tests of the board in a browser")? else {
        return Ok(());
    };
    output::heading("building the server");
    let binary = programs::build(&["octopoid"])?.join("octopoid");
    output::heading("the board in a browser");
    let mut tests = if args.extra.is_empty() { WEB.script("e2e") } else { vitest(&args.extra) };
    tests.env(CHROMIUM, chromium);
    tests.env("OCTOPOID_BIN", binary);
    start(tests)
}

/// Runs the tests in a browser that are about a Worker. It runs at this address, and its
/// administrator has this token.
pub(super) fn on_worker(url: &str, token: &str) -> anyhow::Result<()> {
    let purpose = "the tests of the board on the Worker";
    if !WEB.provide(purpose)? {
        return Ok(());
    }
    let Some(chromium) = provide_chromium(purpose)? else { return Ok(()) };
    output::heading("the board on the Worker");
    let mut tests = vitest(&["--project".into(), "e2e".into(), "e2e/worker".into()]);
    tests.env(CHROMIUM, chromium).env("OCTOPOID_EDGE_URL", url).env("API_SECRET_KEY", token);
    start(tests)
}

/// Runs Vitest. If that fails, the error names the tests that have failed. Pictures of their pages
/// and what these have logged are kept beside the report, until the next run.
fn start(mut vitest: Command) -> anyhow::Result<()> {
    let folder = Workspace::load()?.target.join("board");
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("could not empty {}", folder.display()));
        }
        _ => {}
    }
    process::run(vitest.env(REPORT, &folder)).map_err(|error| {
        match failures::read(&folder.join("report.json")) {
            Some(failures) => anyhow!("{error:#}\n{failures}"),
            None => error,
        }
    })
}

fn vitest(arguments: &[OsString]) -> Command {
    let mut vitest = WEB.program("vitest");
    vitest.arg("run").args(arguments);
    vitest
}

/// The browser. On a machine without one this says what is skipped; in continuous integration that
/// is an error.
fn provide_chromium(purpose: &str) -> anyhow::Result<Option<PathBuf>> {
    let found = find_chromium();
    if found.is_none() {
        output::missing(is_ci(), format_args!("{purpose} need Chromium. {HOW_TO_INSTALL}"))?;
    }
    Ok(found)
}

/// The browser that the environment names, or the first that is installed.
fn find_chromium() -> Option<PathBuf> {
    if let Some(named) = env::var_os(CHROMIUM).filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let candidates = BROWSERS
        .iter()
        .flat_map(|name| env::split_paths(&path).map(move |folder| folder.join(name)));
    candidates.into_iter().find(|program| program.is_file())
}
