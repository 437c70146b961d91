//! The server's binary and its processes.

use std::path::PathBuf;

use anyhow::ensure;

/// The server's binary, which cargo puts beside this program.
pub(crate) fn binary() -> anyhow::Result<PathBuf> {
    let binary = std::env::current_exe()?.with_file_name("octopoid-server");
    ensure!(
        binary.exists(),
        "{} is missing: run this through `cargo xtask`, which builds it",
        binary.display()
    );
    Ok(binary)
}
