//! `cargo xtask board test`.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::bail;
use octopoid_testbed::is_ci;

use super::WEB;
use crate::workspace::Workspace;
use crate::{output, process};

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

/// What the installed browser may be called.
const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// What to install where no browser is found.
const HOW_TO_INSTALL: &str =
    "Install Chromium (on Debian: chromium), or set CHROMIUM to the path of one.";

/// Runs the components' tests, then those in a browser.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    if !WEB.provide("the tests of the board")? {
        return Ok(());
    }
    if args.extra.is_empty() {
        output::heading("the board's components");
        process::run(&mut WEB.script("test"))?;
    }
    let Some(chromium) = find_chromium() else {
        if is_ci() {
            bail!("the tests of the board in a browser need one. {HOW_TO_INSTALL}");
        }
        output::skipped(format_args!("the tests of the board in a browser. {HOW_TO_INSTALL}"));
        return Ok(());
    };
    output::heading("building the server");
    process::run(process::cargo().args(["build", "--package", "octopoid"]))?;
    output::heading("the board in a browser");
    let mut tests = if args.extra.is_empty() {
        WEB.script("e2e")
    } else {
        let mut vitest = WEB.program("vitest");
        vitest.arg("run").args(&args.extra);
        vitest
    };
    tests.env(CHROMIUM, chromium);
    tests.env("OCTOPOID_BIN", Workspace::load()?.target.join("debug/octopoid"));
    process::run(&mut tests)
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
