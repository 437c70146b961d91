//! Where things are in the repository.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the store keeps the migrations.
pub(crate) const MIGRATIONS: &str = "crates/store/src/migrations";

/// The list of migrations, from version 1, with the servers that can work with each result.
pub(crate) const MIGRATION_LIST: &str = "crates/store/src/migrate.rs";

/// The directory of the root manifest, known without asking cargo.
pub(crate) fn root() -> PathBuf {
    // The running cargo's word comes first: a target directory that two clones share may hold a
    // binary that was compiled in the other one.
    let own =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&own).ancestors().nth(2);
    root.expect("xtask lies in a folder of the workspace's root").to_owned()
}

/// Whether the first file is there and at least as new as the second.
pub(crate) fn is_newer(first: &Path, second: &Path) -> bool {
    let written = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    written(first).is_some_and(|first| written(second).is_none_or(|second| first >= second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_not_newer() {
        let manifest = root().join("Cargo.toml");
        let nowhere = root().join("nowhere");
        assert!(is_newer(&manifest, &manifest));
        assert!(is_newer(&manifest, &nowhere));
        assert!(!is_newer(&nowhere, &manifest));
    }
}
