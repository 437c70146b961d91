//! From a crate to a Worker: the library, and the JavaScript beside it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::workspace::Workspace;
use crate::{output, paths, process, wasm};

/// The profile of the root manifest that is for Workers.
const PROFILE: &str = "edge";

/// Says how the JavaScript is made.
const OPTIONS: &str = "tools/xtask/src/bin/edge-bindgen.rs";

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
    let bound = build.join("index_bg.wasm");
    let options = workspace.root.join(OPTIONS);
    if [&library, &options].iter().any(|source| !paths::is_newer(&bound, source)) {
        bind(&library, &build)?;
    }
    Ok(bound)
}

/// Writes the JavaScript. What an earlier library needed goes, so that nothing stale is deployed; and
/// all files appear at once, so that those of an interrupted run are not taken for whole.
fn bind(library: &Path, build: &Path) -> anyhow::Result<()> {
    let unfinished = build.with_extension("unfinished");
    empty(&unfinished)?;
    let mut bindgen = process::cargo();
    bindgen.args(["run", "--quiet", "--package", "xtask", "--features", "edge-bindgen"]);
    bindgen.args(["--bin", "edge-bindgen", "--"]);
    process::run(bindgen.arg(library).arg(&unfinished))?;
    empty(build)?;
    fs::rename(&unfinished, build).with_context(|| format!("making {}", build.display()))
}

fn empty(directory: &Path) -> anyhow::Result<()> {
    if directory.exists() {
        let emptying = || format!("emptying {}", directory.display());
        fs::remove_dir_all(directory).with_context(emptying)?;
    }
    Ok(())
}
