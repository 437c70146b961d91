//! The package for npm, which carries the program itself: nothing is compiled or fetched when it is
//! installed.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Binary, Contents, Release, archive};
use crate::process;

/// The program in the package.
const PROGRAM: &str = "bin/octopoid";

/// The files of the repository that are in it.
const FILES: [&str; 3] = ["LICENSE", "README.md", "CHANGELOG.md"];

/// Writes the package, if npm is there.
pub(super) fn build(contents: &Contents, out: &Path) -> anyhow::Result<()> {
    let Contents { release, binary, root, scratch, .. } = contents;
    if !process::succeeds(process::at_root("npm").arg("--version")) {
        let is_ci = octopoid_testbed::is_ci();
        return crate::output::missing(is_ci, "the package for npm needs npm. Install Node.");
    }
    let folder = scratch.join("npm");
    archive::strip(&binary.path, &folder.join(PROGRAM))?;
    for file in FILES {
        super::copy(&root.join(file), &folder.join(file))?;
    }
    super::write(&folder.join("package.json"), format!("{:#}\n", manifest(binary, release)))?;
    archive::set_modes(&folder, &[PROGRAM])?;
    let mut npm = process::at_root("npm");
    npm.args(["pack", "--json", "--pack-destination"]).arg(*scratch).current_dir(&folder);
    let packed: Value = serde_json::from_str(&process::read(&mut npm)?)?;
    let file = packed[0]["filename"].as_str().context("npm does not say what it has packed")?;
    let names: Vec<_> =
        packed[0]["files"].as_array().into_iter().flatten().map(|file| &file["path"]).collect();
    ensure!(names.iter().any(|name| *name == PROGRAM), "npm left the program out: {names:?}");
    let name = format!("octopoid-{}-linux-{}.tgz", release.version, binary.architecture.node);
    fs::copy(scratch.join(file), out.join(name))?;
    Ok(())
}

/// The description of the package.
fn manifest(binary: &Binary, release: &Release) -> Value {
    json!({
        "name": "octopoid",
        "version": release.version,
        "description": "The task queue for fleets of coding agents: server, runner and command line",
        "license": "MIT",
        "repository": { "type": "git", "url": "git+https://github.com/octopoid/octopoid-server.git" },
        "os": ["linux"],
        "cpu": [binary.architecture.node],
        "bin": { "octopoid": PROGRAM },
        "files": ["bin", "CHANGELOG.md"],
    })
}
