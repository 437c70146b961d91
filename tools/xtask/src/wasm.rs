//! `cargo xtask wasm`, and the toolchain that builds for WebAssembly.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use octopoid_testbed::is_ci;

use crate::workspace::Workspace;
use crate::{output, paths, process};

/// Checks that the portable crates build for WebAssembly.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {}

/// The target of Cloudflare Workers.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// The crates that must build there, because an edge host is made of them.
const PORTABLE: [&str; 6] = [
    "octopoid-domain",
    "octopoid-store",
    "octopoid-mcp",
    "octopoid-api",
    "octopoid-store-d1",
    "octopoid-edge",
];

/// Debian's compiler, which `scripts/wasm-target.sh` gives a standard library for the target.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// A compiler that has the target's standard library.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// The one that builds everything else.
    Usual,
    /// Debian's, where rustup cannot download the target.
    Debian,
}

/// A toolchain for the target, and where it builds.
pub(crate) struct Toolchain {
    kind: Kind,
    /// Two compilers that share a directory throw away each other's work, so it is apart.
    pub(crate) directory: PathBuf,
}

/// Finds a toolchain for the target, installing one if need be, and checks the crates with it.
pub(crate) fn run(_args: &Args) -> anyhow::Result<()> {
    let Some(toolchain) = Toolchain::find(&Workspace::load()?)? else {
        let text = format_args!("no toolchain here has the {TARGET} target");
        return output::missing(is_ci(), text);
    };
    let mut cargo = toolchain.cargo();
    cargo.args(["check", "--lib", "--target", TARGET]);
    for name in PORTABLE {
        cargo.args(["--package", name]);
    }
    process::run(&mut cargo)
}

impl Toolchain {
    /// The first toolchain that can build for the target, if need be one that is installed now.
    pub(crate) fn find(workspace: &Workspace) -> anyhow::Result<Option<Self>> {
        let directory = workspace.target.join("wasm");
        let make = || {
            fs::create_dir_all(&directory)
                .with_context(|| format!("could not make {}", directory.display()))
        };
        make()?;
        let mut found = find(&directory);
        if found.is_none() {
            install();
            // What was built with another standard library is of no use beside the new one.
            fs::remove_dir_all(&directory)
                .with_context(|| format!("could not empty {}", directory.display()))?;
            make()?;
            found = find(&directory);
        }
        Ok(found.map(|kind| Self { kind, directory }))
    }

    /// The toolchain's cargo.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = match self.kind {
            Kind::Usual => process::cargo(),
            Kind::Debian => {
                let mut cargo = process::at_root("/usr/bin/cargo");
                leave_rustup(&mut cargo);
                cargo.env("RUSTC", DEBIAN_RUSTC);
                cargo
            }
        };
        cargo.env("CARGO_TARGET_DIR", &self.directory);
        cargo
    }
}

/// The first compiler that can build for the target.
fn find(scratch: &Path) -> Option<Kind> {
    if can_build("rustc", scratch) {
        Some(Kind::Usual)
    } else if can_build(DEBIAN_RUSTC, scratch) {
        Some(Kind::Debian)
    } else {
        None
    }
}

/// Builds an empty library as a Worker is built. To look for the standard library's file is not
/// enough: one that another version of the compiler left behind is there and of no use.
fn can_build(rustc: &str, scratch: &Path) -> bool {
    let mut probe = process::at_root(rustc);
    if rustc == DEBIAN_RUSTC {
        leave_rustup(&mut probe);
    }
    probe.args(["--crate-name=probe", "--crate-type=cdylib", "-Clto", "--target", TARGET]);
    process::succeeds(probe.arg("--out-dir").arg(scratch).arg("-"))
}

/// Tries what may give the machine the target. Whether it did is seen by looking again.
fn install() {
    output::line(format_args!("the {TARGET} target is missing: trying to install it"));
    if process::run(process::at_root("rustup").args(["target", "add", TARGET])).is_ok() {
        return;
    }
    let is_root = process::read(process::at_root("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if is_root && Path::new("/etc/debian_version").exists() {
        let script = paths::root().join("scripts/wasm-target.sh");
        if let Err(error) = process::run(process::at_root("bash").arg(script)) {
            output::line(format_args!("{error:#}"));
        }
    }
}

/// Takes away what rustup's cargo told this program about its own toolchain.
fn leave_rustup(command: &mut Command) {
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("/usr/bin:{path}"));
    for name in ["CARGO", "LD_LIBRARY_PATH", "RUSTUP_TOOLCHAIN", "RUSTC", "RUSTDOC"] {
        command.env_remove(name);
    }
}
