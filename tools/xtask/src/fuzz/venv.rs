//! Schemathesis, installed where it disturbs nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::{output, process};

/// A pinned version: a new one may find what an old one did not.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Returns the path of the program, after installing it if need be.
pub(super) fn schemathesis(target: &Path) -> anyhow::Result<PathBuf> {
    let venv = target.join("fuzz-venv");
    let program = venv.join("bin/schemathesis");
    // Written last, so that an installation that was interrupted starts again.
    let installed = venv.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|version| version == SCHEMATHESIS) {
        return Ok(program);
    }
    output::heading("fuzz: installing schemathesis");
    process::run(process::at_root("python3").args(["-m", "venv", "--clear"]).arg(&venv))
        .context("python3 with its venv module is needed (on Debian: python3-venv)")?;
    let python = venv.join("bin/python");
    process::run(process::at_root(python).args(["-m", "pip", "install", "--quiet", SCHEMATHESIS]))?;
    fs::write(&installed, SCHEMATHESIS).context("writing which version is installed")?;
    Ok(program)
}
