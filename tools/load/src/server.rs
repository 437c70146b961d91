//! The programs that are measured and tested.

use std::path::PathBuf;

use anyhow::ensure;

/// The binary of the server without a command line.
pub(crate) const SERVER: &str = "octopoid-server";
/// The binary of the command line.
pub(crate) const OCTOPOID: &str = "octopoid";

/// A binary of this project, which cargo puts beside this program.
pub(crate) fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let binary = std::env::current_exe()?.with_file_name(name);
    ensure!(
        binary.exists(),
        "{} is missing: run this through `cargo xtask`, which builds it",
        binary.display()
    );
    Ok(binary)
}
