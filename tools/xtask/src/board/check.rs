//! `cargo xtask board check`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{DIST, WEB, build};
use crate::{output, paths, process};

/// The files below a directory by their paths in it.
type Files = BTreeMap<String, Vec<u8>>;

/// What files of one kind may weigh together.
struct Budget {
    /// The end of their names.
    extension: &'static str,
    /// The most that they may have, compressed, in bytes.
    bytes_max: usize,
}

/// A first visit loads all of it, also over a slow line.
const BUDGETS: [Budget; 2] = [
    Budget { extension: ".js", bytes_max: 90_000 },
    Budget { extension: ".css", bytes_max: 15_000 },
];

/// Checks everything about the board that can be checked without running it.
pub(super) fn run() -> anyhow::Result<()> {
    WEB.check_lock()?;
    if !WEB.provide("the check of the board")? {
        return Ok(());
    }
    build::types()?;
    process::run(&mut WEB.script("typecheck"))?;
    let scratch = tempfile::tempdir().context("cannot make a folder for what is built")?;
    build::page(scratch.path())?;
    let built = files(scratch.path())?;
    compare(&files(&paths::root().join(DIST))?, &built)?;
    BUDGETS.iter().try_for_each(|budget| budget.check(&built))
}

impl Budget {
    fn check(&self, files: &Files) -> anyhow::Result<()> {
        let Self { extension, bytes_max } = self;
        let weighed = files.iter().filter(|(name, _)| name.ends_with(extension));
        let weights = weighed.map(|(_, bytes)| compressed(bytes));
        let bytes = weights.sum::<anyhow::Result<usize>>()?;
        output::line(format_args!("all {extension} has {bytes} bytes, compressed"));
        ensure!(bytes <= *bytes_max, "the board's {extension} has more than {bytes_max} bytes");
        Ok(())
    }
}

/// How many bytes `gzip -9` makes of these.
fn compressed(bytes: &[u8]) -> anyhow::Result<usize> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    Ok(gzip.finish()?.len())
}

/// Names the files that differ, and says what to do about it.
fn compare(checked_in: &Files, built: &Files) -> anyhow::Result<()> {
    let names = checked_in.keys().chain(built.keys());
    let mut differing: Vec<_> = names
        .filter(|name| checked_in.get(*name) != built.get(*name))
        .map(String::as_str)
        .collect();
    differing.sort_unstable();
    differing.dedup();
    if differing.is_empty() {
        output::line(format_args!("{DIST} is up to date"));
        return Ok(());
    }
    let files = differing.join(", ");
    bail!(
        "{DIST} differs from what is built in {files}: run `cargo xtask board build` and commit it"
    )
}

/// The files below a directory. One that is not there has none.
fn files(directory: &Path) -> anyhow::Result<Files> {
    let mut found = Files::new();
    let mut waiting = vec![directory.to_owned()];
    waiting.retain(|directory| directory.exists());
    while let Some(inner) = waiting.pop() {
        let reading = || format!("reading {}", inner.display());
        for entry in fs::read_dir(&inner).with_context(reading)? {
            let path = entry.with_context(reading)?.path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let name = path.strip_prefix(directory).expect("it was found below").to_string_lossy();
            found.insert(name.into_owned(), fs::read(&path).with_context(reading)?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(files: &[(&str, &str)]) -> Files {
        files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn files_that_differ_are_named_with_the_command_that_writes_them() {
        let checked_in = made(&[("a.js", "1"), ("b.js", "2"), ("c.js", "3")]);
        let built = made(&[("b.js", "2"), ("c.js", "4"), ("d.js", "5")]);
        let error = compare(&checked_in, &built).unwrap_err();
        assert_eq!(
            error.to_string(),
            "crates/board/dist differs from what is built in a.js, c.js, d.js: run `cargo xtask \
             board build` and commit it",
        );
        compare(&built, &built).unwrap();
    }

    #[test]
    fn what_weighs_more_than_its_budget_is_refused() {
        let text = "a".repeat(1_000);
        let bytes_max = 2 * compressed(text.as_bytes()).unwrap();
        let budget = Budget { extension: ".js", bytes_max };
        let two = [("a.js", &*text), ("b/c.js", &*text), ("d.css", &*text)];
        budget.check(&made(&two)).unwrap();
        let three = [two[0], two[1], two[2], ("e.js", &*text)];
        let error = budget.check(&made(&three)).unwrap_err();
        assert_eq!(error.to_string(), format!("the board's .js has more than {bytes_max} bytes"));
    }

    #[test]
    fn files_are_found_in_folders_and_a_missing_folder_has_none() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("assets")).unwrap();
        fs::write(folder.path().join("index.html"), "page").unwrap();
        fs::write(folder.path().join("assets/a.js"), "code").unwrap();
        let expected = made(&[("assets/a.js", "code"), ("index.html", "page")]);
        assert_eq!(files(folder.path()).unwrap(), expected);
        assert!(files(&folder.path().join("nowhere")).unwrap().is_empty());
    }
}
