//! `cargo xtask deny`.

use octopoid_testbed::is_ci;

use crate::{output, process};

/// Checks the licences, origins and versions of all dependencies with cargo-deny: see deny.toml.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// What can be checked without a network, once the crates are there.
const CHECKS: [&str; 3] = ["licenses", "bans", "sources"];

/// What is said where the tool is missing.
const WITHOUT_TOOL: &str = "the check of dependencies needs cargo-deny. Install it: \
     `cargo install cargo-deny --locked`.";

/// Runs the checks. The known vulnerabilities are checked if their database can be fetched.
pub(crate) fn run(_args: &Args) -> anyhow::Result<()> {
    if !process::succeeds(process::cargo().args(["deny", "--version"])) {
        return output::missing(is_ci(), WITHOUT_TOOL);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_continuous_integration_insists_on_the_tool() {
        assert!(output::missing(false, WITHOUT_TOOL).is_ok());
        let error = output::missing(true, WITHOUT_TOOL).unwrap_err().to_string();
        assert!(error.contains("cargo install cargo-deny"), "{error}");
    }
}
