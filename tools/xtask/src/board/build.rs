//! `cargo xtask board build`.

use std::path::Path;

use super::{DIST, TYPES, WEB};
use crate::{output, paths, process};

/// Writes the types of the API and the page, where they are checked in.
pub(super) fn run() -> anyhow::Result<()> {
    WEB.install()?;
    let root = paths::root();
    write(&root.join(TYPES), &root.join(DIST))?;
    output::line(format_args!("{TYPES} and {DIST} are written"));
    Ok(())
}

/// Writes both, wherever they are wanted.
pub(super) fn write(types: &Path, dist: &Path) -> anyhow::Result<()> {
    let mut generate = WEB.program("openapi-typescript");
    generate.arg(paths::root().join("openapi.json")).arg("--output").arg(types);
    process::run(&mut generate)?;
    process::run(WEB.script("build").arg("--outDir").arg(dist))
}
