//! `cargo xtask tidy`: the rules of this repository that no compiler checks.
//!
//! [`source`] judges a Rust file by itself, [`imports`] and [`manifests`] the crates among each
//! other, [`migrations`] the files that change a database.

mod imports;
mod manifests;
mod migrations;
mod scan;
mod source;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

pub(crate) use migrations::is_migration_name;

use crate::output;
use crate::workspace::{Member, Workspace};

/// Checks sizes, imports, SQL, manifests and migrations against the project's rules.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {}

/// Directories with third-party or generated files.
const NOT_OURS: [&str; 2] = ["target", "node_modules"];

/// One broken rule.
#[derive(Debug, PartialEq)]
struct Finding {
    /// The file, below the workspace's root.
    path: PathBuf,
    /// The line in it, where one is to blame.
    line: Option<usize>,
    /// What is wrong, and what would be right.
    what: String,
}

impl Finding {
    fn file(path: &Path, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, what: what.into() }
    }

    fn line(path: &Path, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: Some(line), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Reads the workspace, prints what breaks a rule, and fails if anything does.
pub(crate) fn run(_args: &Args) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    let mut findings = imports::check(&workspace);
    let mut file_count = 0;
    for member in &workspace.members {
        findings.extend(manifests::check(&workspace.root, member)?);
        for path in rust_files(member.directory())? {
            findings.extend(check_file(&workspace.root, &path, member)?);
            file_count += 1;
        }
    }
    findings.extend(migrations::check(&workspace.root)?);
    findings.iter().for_each(output::line);
    if !findings.is_empty() {
        bail!("tidy found {} broken rules", findings.len());
    }
    output::line(format_args!("tidy: {file_count} Rust files are in order"));
    Ok(())
}

fn check_file(root: &Path, path: &Path, member: &Member) -> anyhow::Result<Vec<Finding>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let is_source = path.starts_with(member.directory().join("src"));
    let is_exempt = path.starts_with(root.join(source::SQL_EXEMPT));
    let sql_is_elsewhere =
        is_source && !is_exempt && source::SQL_FREE.contains(&member.name.as_str());
    Ok(source::check(below(root, path), &text, sql_is_elsewhere))
}

/// The Rust files of a crate, in a stable order.
fn rust_files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        let entries = fs::read_dir(&directory)
            .with_context(|| format!("reading the directory {}", directory.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() && !NOT_OURS.iter().any(|name| path.ends_with(name)) {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The path as a reader at the root would type it.
fn below<'a>(root: &Path, path: &'a Path) -> &'a Path {
    path.strip_prefix(root).unwrap_or(path)
}
