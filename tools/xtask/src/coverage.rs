//! `cargo xtask coverage`.
//!
//! cargo-tarpaulin counts by what the compiler builds in (`-C instrument-coverage`) and reads the
//! counts itself, so that neither the kernel has to allow tracing nor rustup to download anything.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::postgres::Postgres;
use crate::workspace::Workspace;
use crate::{output, process};

/// Measures which lines of the product the tests run: a table by crate, and each line as HTML.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Measure only these crates and their own tests.
    #[arg(short, long, value_name = "NAME")]
    package: Vec<String>,
}

/// One version for everybody, or figures could not be compared.
const TARPAULIN: &str = "0.37.5";

/// What ships and runs natively. The Worker and its engine run in workerd, where nothing counts.
const MEASURED: [&str; 9] = [
    "octopoid",
    "octopoid-api",
    "octopoid-client",
    "octopoid-domain",
    "octopoid-runner",
    "octopoid-server",
    "octopoid-store",
    "octopoid-store-postgres",
    "octopoid-store-sqlite",
];

/// How many seconds the tests of one binary may take: what counts makes them slower.
const TIMEOUT: &str = "600";

/// The lines of a crate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Lines {
    covered: u64,
    all: u64,
}

/// Runs the tests of the crates and tells what they ran.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if !process::succeeds(process::cargo().args(["tarpaulin", "--version"])) {
        output::heading("installing cargo-tarpaulin");
        let install = ["install", "cargo-tarpaulin", "--locked", "--version", TARPAULIN];
        process::run(process::cargo().args(install))?;
    }
    let packages: Vec<&str> = if args.package.is_empty() {
        MEASURED.to_vec()
    } else {
        args.package.iter().map(String::as_str).collect()
    };
    let workspace = Workspace::load()?;
    let crates = directories(&workspace, &packages)?;
    let directory = workspace.target.join("coverage");
    fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    let report = directory.join("tarpaulin-report.json");
    // A report of an earlier run would pass for this one's.
    let _ = fs::remove_file(&report);

    let postgres = Postgres::provide()?;
    output::heading("tests, counting lines");
    let mut tarpaulin = process::cargo();
    tarpaulin.args(["tarpaulin", "--engine", "llvm", "--out", "Json", "Html", "--output-dir"]);
    tarpaulin.arg(&directory);
    // What is built like this is of no use to other commands, nor the other way round.
    tarpaulin.arg("--target-dir").arg(directory.join("build")).arg("--skip-clean");
    // Servers that tests start count too. One slow test must not hide all figures.
    tarpaulin.args(["--follow-exec", "--no-fail-fast", "--timeout", TIMEOUT, "--include-files"]);
    tarpaulin.args(crates.iter().map(|(_, directory)| format!("{directory}/*")));
    tarpaulin.args(["--lib", "--bins", "--tests", "--packages"]).args(&packages);
    if let Some(postgres) = &postgres {
        postgres.tell(&mut tarpaulin);
    }
    let verdict = process::run(&mut tarpaulin);
    let Ok(text) = fs::read_to_string(&report) else {
        return verdict.and_then(|()| bail!("cargo-tarpaulin wrote no {}", report.display()));
    };
    let report = serde_json::from_str(&text).context("cargo-tarpaulin's report is no JSON")?;
    let lines = count(&report, &workspace.root, &crates);
    let lines = lines.context("cargo-tarpaulin's report has another shape than expected")?;
    output::heading("lines that tests run");
    table(&packages, &lines).iter().for_each(output::line);
    let html = directory.join("tarpaulin-report.html");
    output::line(format_args!("\neach line: {}", html.display()));
    verdict.context("tests failed while they were measured, so the figures may be too low")
}

/// The crates of these names, each with its directory below the root.
fn directories<'a>(
    workspace: &Workspace,
    packages: &[&'a str],
) -> anyhow::Result<Vec<(&'a str, String)>> {
    let directory = |name: &&'a str| {
        let member = workspace.members.iter().find(|member| member.name == **name);
        let member = member.with_context(|| format!("there is no crate {name}"))?;
        let below = member.directory().strip_prefix(&workspace.root)?;
        Ok((*name, below.display().to_string()))
    };
    let found: Vec<_> = packages.iter().map(directory).collect::<anyhow::Result<_>>()?;
    ensure!(!found.is_empty(), "no crate is named");
    Ok(found)
}

/// Adds up the files of each crate.
fn count(report: &Value, root: &Path, crates: &[(&str, String)]) -> Option<Vec<Lines>> {
    let mut lines = vec![Lines::default(); crates.len()];
    for file in report["files"].as_array()? {
        let parts = file["path"].as_array()?.iter().map(Value::as_str);
        let path: std::path::PathBuf = parts.collect::<Option<_>>()?;
        let is_in = |(_, directory): &(&str, String)| path.starts_with(root.join(directory));
        if let Some(at) = crates.iter().position(is_in) {
            lines[at].covered += file["covered"].as_u64()?;
            lines[at].all += file["coverable"].as_u64()?;
        }
    }
    Some(lines)
}

/// A line for each crate, and one for all.
fn table(names: &[&str], lines: &[Lines]) -> Vec<String> {
    let row = |name: &str, lines: Lines| {
        let Lines { covered, all } = lines;
        let tenths = (covered * 1_000).checked_div(all).unwrap_or_default();
        format!("{name:<24} {covered:>6} of {all:>6} {:>5}.{} %", tenths / 10, tenths % 10)
    };
    let mut total = Lines::default();
    for lines in lines {
        total.covered += lines.covered;
        total.all += lines.all;
    }
    let crates = names.iter().zip(lines).map(|(name, lines)| row(name, *lines));
    crates.chain([row("all", total)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: [&str; 4], covered: u64, coverable: u64) -> Value {
        serde_json::json!({ "path": path, "covered": covered, "coverable": coverable })
    }

    #[test]
    fn files_are_added_up_by_crate() {
        let report = serde_json::json!({ "files": [
            file(["/", "w", "crates/api", "a.rs"], 1, 2),
            file(["/", "w", "crates/store", "b.rs"], 3, 3),
            file(["/", "w", "crates/store-d1", "c.rs"], 0, 9),
            file(["/", "w", "crates/store", "d.rs"], 0, 1),
        ] });
        let crates = [("api", "crates/api".to_owned()), ("store", "crates/store".to_owned())];
        let lines = count(&report, Path::new("/w"), &crates).unwrap();
        let expected = [Lines { covered: 1, all: 2 }, Lines { covered: 3, all: 4 }];
        assert_eq!(lines, expected);
        let table = table(&["api", "store"], &lines);
        assert_eq!(table[1], "store                         3 of      4    75.0 %");
        assert_eq!(table[2], "all                           4 of      6    66.6 %");
    }

    #[test]
    fn every_measured_crate_is_one_of_ours() {
        let workspace = Workspace::load().unwrap();
        let found = directories(&workspace, &MEASURED).unwrap();
        assert!(found.iter().all(|(_, directory)| directory.starts_with("crates/")), "{found:?}");
        assert!(directories(&workspace, &["octopoid-other"]).is_err());
    }
}
