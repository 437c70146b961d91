//! Programs in Python, installed where they disturb nothing.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::{output, process};

/// Makes a virtual environment with what pip installs by these arguments, unless that has been
/// done. `version` changes whenever that does. Returns the directory of its programs.
pub(crate) fn provide<Argument: AsRef<OsStr>>(
    venv: &Path,
    pip: &[Argument],
    version: &str,
) -> anyhow::Result<PathBuf> {
    let programs = venv.join("bin");
    // Written last, so that an installation that was interrupted starts again.
    let installed = venv.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == version) {
        return Ok(programs);
    }
    output::heading(format_args!("installing into {}", venv.display()));
    process::run(process::at_root("python3").args(["-m", "venv", "--clear"]).arg(venv))
        .context("python3 with its venv module is needed (on Debian: python3-venv)")?;
    let mut python = process::at_root(programs.join("python"));
    process::run(python.args(["-m", "pip", "install", "--quiet"]).args(pip))?;
    fs::write(&installed, version).context("writing which version is installed")?;
    Ok(programs)
}
