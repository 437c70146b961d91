//! `cargo xtask wasm`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::workspace::Workspace;
use crate::{output, process, workspace};

/// Checks that the portable crates build for WebAssembly.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {}

/// The target of Cloudflare Workers.
const TARGET: &str = "wasm32-unknown-unknown";

/// The crates that must build there, because an edge host is made of them.
const PORTABLE: [&str; 3] = ["octopoid-domain", "octopoid-store", "octopoid-api"];

/// Debian's compiler, which `scripts/wasm-target.sh` gives a standard library for the target.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// A compiler that has the target's standard library.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Toolchain {
    /// The one that builds everything else.
    Usual,
    /// Debian's, where rustup cannot download the target.
    Debian,
}

/// Finds a toolchain for the target, installing one if need be, and checks the crates with it.
pub(crate) fn run(_args: &Args) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    let apart = workspace.target.join("wasm");
    fs::create_dir_all(&apart).with_context(|| format!("could not make {}", apart.display()))?;
    let found = find(&apart).or_else(|| {
        install();
        find(&apart)
    });
    match found {
        Some(toolchain) => check(toolchain, &apart),
        None if process::is_ci() => bail!("no toolchain here has the {TARGET} target"),
        None => {
            output::skipped(format_args!("no toolchain here has the {TARGET} target"));
            Ok(())
        }
    }
}

/// The first toolchain that can compile for the target.
fn find(scratch: &Path) -> Option<Toolchain> {
    if can_compile("rustc", scratch) {
        Some(Toolchain::Usual)
    } else if can_compile(DEBIAN_RUSTC, scratch) {
        Some(Toolchain::Debian)
    } else {
        None
    }
}

/// Compiles an empty crate. To look for the standard library's file is not enough: one that another
/// version of the compiler left behind is there and of no use.
fn can_compile(rustc: &str, scratch: &Path) -> bool {
    let mut probe = process::at_root(rustc);
    if rustc == DEBIAN_RUSTC {
        leave_rustup(&mut probe);
    }
    probe.args(["--crate-name=probe", "--crate-type=lib", "--emit=metadata", "--target", TARGET]);
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
        let script = workspace::root().join("scripts/wasm-target.sh");
        if let Err(error) = process::run(process::at_root("bash").arg(script)) {
            output::line(format_args!("{error:#}"));
        }
    }
}

fn check(toolchain: Toolchain, apart: &Path) -> anyhow::Result<()> {
    let mut cargo = match toolchain {
        Toolchain::Usual => process::cargo(),
        Toolchain::Debian => {
            let mut cargo = process::at_root("/usr/bin/cargo");
            leave_rustup(&mut cargo);
            // Two compilers that share a directory throw away each other's work.
            cargo.env("RUSTC", DEBIAN_RUSTC).env("CARGO_TARGET_DIR", apart);
            cargo
        }
    };
    cargo.args(["check", "--lib", "--target", TARGET]);
    for name in PORTABLE {
        cargo.args(["--package", name]);
    }
    process::run(&mut cargo)
}

/// Takes away what rustup's cargo told this program about its own toolchain.
fn leave_rustup(command: &mut Command) {
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("/usr/bin:{path}"));
    for name in ["CARGO", "LD_LIBRARY_PATH", "RUSTUP_TOOLCHAIN", "RUSTC", "RUSTDOC"] {
        command.env_remove(name);
    }
}
