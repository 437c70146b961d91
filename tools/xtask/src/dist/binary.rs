//! The program, linked statically: one file that runs on any Linux of its architecture.
//!
//! It is linked to musl where that target is installed, and otherwise to glibc.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::Release;
use crate::workspace::Workspace;
use crate::{output, process};

/// The program's package, and its name.
const PACKAGE: &str = "octopoid";

/// A kind of processor, as the packages name it.
#[derive(Debug, PartialEq)]
pub(super) struct Architecture {
    pub(super) rust: &'static str,
    pub(super) debian: &'static str,
    pub(super) node: &'static str,
    targets: [Target; 2],
}

/// A target of the compiler.
#[derive(Debug, PartialEq)]
struct Target {
    triple: &'static str,
    /// The C library that is linked.
    library: &'static str,
    /// The C compiler, which links too.
    compiler: &'static str,
    /// What Debian calls the package with it.
    package: &'static str,
}

const ARCHITECTURES: [Architecture; 2] = [
    Architecture {
        rust: "x86_64",
        debian: "amd64",
        node: "x64",
        targets: [
            Target {
                triple: "x86_64-unknown-linux-musl",
                library: "musl",
                compiler: "musl-gcc",
                package: "musl-tools",
            },
            Target {
                triple: "x86_64-unknown-linux-gnu",
                library: "glibc",
                compiler: "x86_64-linux-gnu-gcc",
                package: "gcc",
            },
        ],
    },
    Architecture {
        rust: "aarch64",
        debian: "arm64",
        node: "arm64",
        targets: [
            Target {
                triple: "aarch64-unknown-linux-musl",
                library: "musl",
                compiler: "aarch64-linux-musl-gcc",
                package: "a cross compiler for musl",
            },
            Target {
                triple: "aarch64-unknown-linux-gnu",
                library: "glibc",
                compiler: "aarch64-linux-gnu-gcc",
                package: "gcc-aarch64-linux-gnu",
            },
        ],
    },
];

/// The program for an architecture.
#[derive(Debug)]
pub(super) struct Binary {
    pub(super) architecture: &'static Architecture,
    /// The C library that it contains.
    pub(super) library: &'static str,
    pub(super) triple: &'static str,
    pub(super) path: PathBuf,
}

impl Binary {
    /// Whether this machine can run it.
    pub(super) fn is_native(&self) -> bool {
        self.architecture.rust == env::consts::ARCH && env::consts::OS == "linux"
    }
}

/// Builds the program for each architecture that this machine can build it for.
pub(super) fn build(
    workspace: &Workspace,
    profile: &str,
    release: &Release,
) -> anyhow::Result<Vec<Binary>> {
    let mut binaries = Vec::new();
    for architecture in &ARCHITECTURES {
        let missing: Vec<_> = architecture.targets.iter().map(Target::missing).collect();
        let Some(ready) = missing.iter().position(Option::is_none) else {
            let missing: Vec<_> = missing.into_iter().flatten().collect();
            let what = format!("the packages for {}: {}", architecture.rust, missing.join("; "));
            output::skipped(what);
            continue;
        };
        let target = &architecture.targets[ready];
        let Target { triple, library, .. } = *target;
        let how = missing[..ready].iter().flatten().map(|missing| format!(", since {missing}"));
        let how: String = how.collect();
        output::heading(format_args!(
            "building for {}, linked statically to {library}{how}",
            architecture.rust
        ));
        let path = target.build(workspace, profile, release)?;
        binaries.push(Binary { architecture, library, triple, path });
    }
    Ok(binaries)
}

impl Target {
    /// What this machine lacks to build for it.
    fn missing(&self) -> Option<String> {
        let Self { triple, compiler, package, .. } = self;
        let library = process::read(process::at_root("rustc").args([
            "--print",
            "target-libdir",
            "--target",
            triple,
        ]));
        if !library.is_ok_and(|folder| Path::new(folder.trim()).is_dir()) {
            return Some(format!("the target {triple} is not installed"));
        }
        let has_compiler = process::succeeds(process::at_root(*compiler).arg("--version"));
        (!has_compiler).then(|| format!("there is no {compiler}, which is in {package}"))
    }

    /// Builds the program, and looks whether it is linked statically.
    fn build(
        &self,
        workspace: &Workspace,
        profile: &str,
        release: &Release,
    ) -> anyhow::Result<PathBuf> {
        let mut cargo = process::cargo();
        cargo.args(["build", "--locked", "--package", PACKAGE, "--bin", PACKAGE]);
        cargo.args(["--target", self.triple, "--profile", profile]);
        // Neither where the source is, nor where cargo keeps that of others, is in the program.
        let mut flags = vec![env::var("RUSTFLAGS").unwrap_or_default()];
        flags.push("-Ctarget-feature=+crt-static".to_owned());
        let homes = [(Some(workspace.root.clone()), "octopoid"), (cargo_home(), "cargo")];
        for (home, name) in homes {
            let home = home.map(|home| home.display().to_string());
            // A flag with a space in it cannot be passed on.
            if let Some(home) = home.filter(|home| !home.contains(' ')) {
                flags.push(format!("--remap-path-prefix={home}={name}"));
            }
        }
        let variable = self.triple.replace('-', "_");
        cargo.env("RUSTFLAGS", flags.join(" ").trim_start());
        cargo.env(format!("CC_{variable}"), self.compiler);
        cargo.env(format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()), self.compiler);
        cargo.env("SOURCE_DATE_EPOCH", release.epoch.to_string());
        process::run(&mut cargo)?;
        let folder = if profile == "dev" { "debug" } else { profile };
        let path = workspace.target.join(self.triple).join(folder).join(PACKAGE);
        let program = fs::read(&path).with_context(|| format!("no program {}", path.display()))?;
        let is_static = is_static(&program).context("the program is no 64-bit ELF file")?;
        ensure!(is_static, "{} is not linked statically", path.display());
        Ok(path)
    }
}

/// Where cargo keeps the source of dependencies.
fn cargo_home() -> Option<PathBuf> {
    let set = env::var_os("CARGO_HOME").filter(|home| !home.is_empty());
    set.map(PathBuf::from).or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
}

/// Whether a program starts without a dynamic linker: it has no segment that names one. `None` if
/// it is no 64-bit little-endian ELF file.
fn is_static(program: &[u8]) -> Option<bool> {
    const INTERPRETER: u32 = 3;
    if !program.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let number = |at: usize, bytes: usize| {
        let digits = program.get(at..at.checked_add(bytes)?)?.iter().rev();
        Some(digits.fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    let (table, size, count) = (number(0x20, 8)?, number(0x36, 2)?, number(0x38, 2)?);
    for segment in 0..count {
        let at = usize::try_from(table.checked_add(segment * size)?).ok()?;
        if number(at, 4)? == u64::from(INTERPRETER) {
            return Some(false);
        }
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one segment of this kind.
    fn elf(kind: u8) -> Vec<u8> {
        let mut file = vec![0; 0x40 + 0x38];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (file[0x20], file[0x36], file[0x38], file[0x40]) = (0x40, 0x38, 1, kind);
        file
    }

    #[test]
    fn a_program_that_names_a_dynamic_linker_is_not_static() {
        assert_eq!(is_static(&elf(1)), Some(true));
        assert_eq!(is_static(&elf(3)), Some(false));
        assert_eq!(is_static(b"#!/bin/sh\n"), None);
        assert_eq!(is_static(&elf(3)[..0x40]), None);
    }

    #[test]
    fn a_target_that_is_not_installed_is_named() {
        let target = Target {
            triple: "sparc64-unknown-linux-gnu",
            library: "glibc",
            compiler: "cc",
            package: "gcc",
        };
        let missing = target.missing().unwrap();
        assert_eq!(missing, "the target sparc64-unknown-linux-gnu is not installed");
    }
}
