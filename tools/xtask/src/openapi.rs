//! `cargo xtask openapi`.

use std::fs;

use anyhow::{Context as _, bail};

use crate::{output, paths, process};

/// Writes openapi.json as the server describes itself.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if the file is not what would be written.
    #[arg(long)]
    pub(crate) check: bool,
}

/// The checked-in description, at the workspace's root.
const FILE: &str = "openapi.json";

/// Asks the server for its description and writes it, or compares it with the file.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let asked = ["run", "--quiet", "--package", "octopoid-server", "--", "openapi"];
    let described = process::read(process::cargo().args(asked))?;
    let path = paths::root().join(FILE);
    if args.check {
        return compare(fs::read_to_string(&path).ok().as_deref(), &described);
    }
    fs::write(&path, described).with_context(|| format!("could not write {FILE}"))?;
    output::line(format_args!("{FILE} is written"));
    Ok(())
}

/// Says where the file and the server first differ, and what to do about it.
fn compare(file: Option<&str>, described: &str) -> anyhow::Result<()> {
    const REMEDY: &str = "run `cargo xtask openapi` and commit the file";
    let Some(file) = file else { bail!("there is no {FILE}: {REMEDY}") };
    if file == described {
        output::line(format_args!("{FILE} is up to date"));
        return Ok(());
    }
    let same = file.lines().zip(described.lines()).take_while(|(old, new)| old == new).count();
    bail!("{FILE} differs from the server's own description from line {} on: {REMEDY}", same + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_refused_with_the_command_that_fixes_it() {
        let error = compare(Some("{\n \"a\": 1\n}\n"), "{\n \"a\": 2\n}\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "openapi.json differs from the server's own description from line 2 on: \
             run `cargo xtask openapi` and commit the file",
        );
    }

    #[test]
    fn a_missing_file_is_refused_and_an_equal_one_is_not() {
        assert!(compare(None, "{}\n").is_err());
        assert!(compare(Some("{}\n"), "{}\n").is_ok());
    }
}
