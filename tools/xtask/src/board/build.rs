//! `cargo xtask board build`.

use std::path::Path;

use super::{DIST, WEB};
use crate::{output, paths, process};

/// Writes the page where it is checked in.
pub(super) fn run() -> anyhow::Result<()> {
    WEB.install()?;
    types()?;
    page(&paths::root().join(DIST))?;
    output::line(format_args!("{DIST} is written"));
    Ok(())
}

/// Writes the types of the API, which are made from openapi.json and not checked in.
pub(super) fn types() -> anyhow::Result<()> {
    process::run(&mut WEB.script("api"))
}

/// Writes the page into a directory, of which nothing else is left.
pub(super) fn page(directory: &Path) -> anyhow::Result<()> {
    process::run(WEB.script("build").arg("--outDir").arg(directory))
}
