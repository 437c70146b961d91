//! From a crate to a Worker: the library, and the JavaScript beside it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::workspace::Workspace;
use crate::{output, process, wasm};

/// The profile of the root manifest that is for Workers.
const PROFILE: &str = "edge";

/// Builds the Worker whose crate lies in this directory, into its `build`. Returns the library.
pub(super) fn worker(workspace: &Workspace, directory: &str) -> anyhow::Result<PathBuf> {
    let member = workspace
        .members
        .iter()
        .find(|member| member.directory() == workspace.root.join(directory))
        .with_context(|| format!("there is no crate in {directory}"))?;
    let Some(toolchain) = wasm::Toolchain::find(workspace)? else {
        bail!("no toolchain here has the {} target", wasm::TARGET);
    };
    output::heading(format_args!("building {}", member.name));
    let mut cargo = toolchain.cargo();
    cargo.args([
        "build",
        "--profile",
        PROFILE,
        "--target",
        wasm::TARGET,
        "--package",
        &member.name,
    ]);
    process::run(&mut cargo)?;
    let file = format!("{}.wasm", member.name.replace('-', "_"));
    let library = toolchain.directory.join(wasm::TARGET).join(PROFILE).join(file);
    let build = member.directory().join("build");
    bind(&library, &build)?;
    Ok(build.join("index_bg.wasm"))
}

/// Writes the JavaScript. What an earlier library needed goes, so that nothing stale is deployed.
fn bind(library: &Path, build: &Path) -> anyhow::Result<()> {
    if build.exists() {
        fs::remove_dir_all(build).with_context(|| format!("emptying {}", build.display()))?;
    }
    let mut bindgen = process::cargo();
    bindgen.args(["run", "--quiet", "--package", "xtask", "--features", "edge-bindgen"]);
    bindgen.args(["--bin", "edge-bindgen", "--"]);
    process::run(bindgen.arg(library).arg(build))
}
