//! `cargo xtask dist`: everything that a release consists of, in one folder.
//!
//! All packages carry one program, which [`binary`] links statically. [`manual`] has it write its
//! pages and completions; [`deb`], [`tarball`] and [`npm`] put both into packages, [`sbom`] lists what
//! the program is made of, and [`sums`] says what all files are. [`mod@test`] installs them.

mod archive;
mod binary;
mod deb;
#[cfg(test)]
mod image;
mod manual;
mod npm;
mod release;
mod sbom;
mod sums;
mod tarball;
mod test;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use self::binary::Binary;
use self::manual::Manual;
use self::release::Release;
use crate::output;
use crate::workspace::Workspace;

/// Builds the packages of a release, or tests them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    build: Build,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Build packages of what is not released yet, without optimization, and install each of them.
    Test,
}

/// How packages are built.
#[derive(Debug, clap::Args)]
struct Build {
    /// Take the changes since the last release, and mark the version as unreleased.
    #[arg(long)]
    unreleased: bool,
    /// Profile of cargo with which the program is built.
    #[arg(long, default_value = "release")]
    profile: String,
    /// Folder of the packages, which is emptied first [default: dist in cargo's target folder].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// What the packages are made of.
struct Contents<'a> {
    release: &'a Release,
    binary: &'a Binary,
    manual: &'a Manual,
    /// The root of the workspace.
    root: &'a Path,
    /// An empty folder to put a package together in.
    scratch: &'a Path,
}

/// Builds everything, or tests it.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    match args.command {
        Some(Command::Test) => test::run(),
        None => build(&args.build).map(drop),
    }
}

/// Builds packages of what is not released yet, and installs each of them.
pub(crate) fn check() -> anyhow::Result<()> {
    test::run()
}

/// Builds everything. Returns the folder.
fn build(args: &Build) -> anyhow::Result<PathBuf> {
    let workspace = Workspace::load()?;
    let root = &workspace.root;
    let release = Release::read(root, args.unreleased)?;
    let out = args.out.clone().unwrap_or_else(|| workspace.target.join("dist"));
    empty(&out)?;
    let out = out.canonicalize()?;
    let binaries = binary::build(&workspace, &args.profile, &release)?;
    let Some(native) = binaries.iter().find(|binary| binary.is_native()) else {
        bail!("no program for this machine was built, and only that one can write the manual");
    };
    let scratch = tempfile::tempdir()?;
    output::heading("packaging");
    let manual = Manual::write(native, &scratch.path().join("manual"))?;
    for binary in &binaries {
        let folder = scratch.path().join(binary.architecture.rust);
        fs::create_dir(&folder)?;
        let contents =
            Contents { release: &release, binary, manual: &manual, root, scratch: &folder };
        deb::build(&contents, &out)?;
        tarball::build(&contents, &out)?;
        npm::build(&contents, &out)?;
        let list = sbom::of(root, binary, &release)?;
        let name = format!("octopoid-{}-{}.cdx.json", release.version, binary.architecture.rust);
        fs::write(out.join(name), format!("{list:#}\n"))?;
    }
    fs::write(out.join("release-notes.md"), &release.notes)?;
    sums::write(&out)?;
    for line in fs::read_to_string(out.join(sums::FILE))?.lines() {
        output::line(line);
    }
    output::line(format_args!("the packages are in {}", out.display()));
    Ok(out)
}

/// Makes a folder that has nothing in it.
fn empty(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("could not empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))
}

/// Copies a file, and creates the folder that it goes to.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to.parent().context("a file is in a folder")?)?;
    fs::copy(from, to).with_context(|| format!("could not copy {}", from.display()))?;
    Ok(())
}

/// Writes a file, and creates the folder that it goes to.
fn write(to: &Path, contents: impl AsRef<[u8]>) -> anyhow::Result<()> {
    fs::create_dir_all(to.parent().context("a file is in a folder")?)?;
    fs::write(to, contents).with_context(|| format!("could not write {}", to.display()))
}
