//! The tools that come from npm.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{paths, process};

/// Installs what package-lock.json names, unless that has been done.
pub(super) fn install() -> anyhow::Result<()> {
    let root = paths::root();
    if is_newer(&root.join("node_modules/.package-lock.json"), &root.join("package-lock.json")) {
        return Ok(());
    }
    process::run(process::at_root("npm").args(["ci", "--no-audit", "--no-fund"]))
}

/// The installed wrangler, run in a directory of the repository. Without prompts and telemetry.
pub(super) fn wrangler(directory: &str) -> Command {
    let mut wrangler = process::at_root(paths::root().join("node_modules/.bin/wrangler"));
    wrangler.current_dir(paths::root().join(directory));
    wrangler.env("CI", "true").env("WRANGLER_SEND_METRICS", "false");
    wrangler
}

/// Whether the first file is there and at least as new as the second.
fn is_newer(first: &Path, second: &Path) -> bool {
    let written = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    written(first).is_some_and(|first| written(second).is_none_or(|second| first >= second))
}

#[cfg(test)]
mod tests {
    use super::is_newer;
    use crate::paths;

    #[test]
    fn a_file_that_is_not_there_is_not_newer() {
        let manifest = paths::root().join("Cargo.toml");
        let nowhere = paths::root().join("nowhere");
        assert!(is_newer(&manifest, &manifest));
        assert!(is_newer(&manifest, &nowhere));
        assert!(!is_newer(&nowhere, &manifest));
    }
}
