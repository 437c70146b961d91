//! `cargo xtask deny`.

use anyhow::bail;
use octopoid_testbed::is_ci;

use crate::{output, process};

/// Checks the licences, origins and versions of all dependencies with cargo-deny: see deny.toml.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// What can be checked without a network, once the crates are there.
const CHECKS: [&str; 3] = ["licenses", "bans", "sources"];

/// What to install where the tool is missing.
const HOW_TO_INSTALL: &str = "Install cargo-deny: `cargo install cargo-deny --locked`.";

/// Runs the checks. The known vulnerabilities are checked if their database can be fetched.
pub(crate) fn run(_args: &Args) -> anyhow::Result<()> {
    if !process::succeeds(process::cargo().args(["deny", "--version"])) {
        return without_tool(is_ci());
    }
    let check = || {
        let mut cargo = process::cargo();
        cargo.args(["deny", "check", "--hide-inclusion-graph"]);
        cargo
    };
    process::run(check().args(CHECKS))?;
    // The command for it is not used to check as well: its status does not tell an unreachable
    // database from a vulnerability.
    if !process::succeeds(process::cargo().args(["deny", "fetch", "db"])) {
        output::skipped("the check for known vulnerabilities: their database cannot be fetched");
        return Ok(());
    }
    process::run(check().args(["--disable-fetch", "advisories"]))
}

/// A machine without the tool skips the checks; in continuous integration that is an error.
fn without_tool(is_ci: bool) -> anyhow::Result<()> {
    if is_ci {
        bail!("the check of dependencies needs cargo-deny. {HOW_TO_INSTALL}");
    }
    output::skipped(format_args!("the check of dependencies. {HOW_TO_INSTALL}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_continuous_integration_insists_on_the_tool() {
        assert!(without_tool(false).is_ok());
        let error = without_tool(true).unwrap_err().to_string();
        assert!(error.contains("cargo install cargo-deny"), "{error}");
    }
}
