//! Where things are in the repository.

use std::env;
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
