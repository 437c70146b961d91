//! The tools that come from npm, in each directory that has a package.json.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use octopoid_testbed::is_ci;

use crate::{output, paths, process};

/// What to install where npm is missing.
const HOW_TO_INSTALL: &str = "Install Node 20.19 or newer with npm.";

/// A directory of the repository with a package.json and a package-lock.json.
#[derive(Clone, Copy)]
pub(crate) struct Package {
    /// The directory, below the root.
    pub(crate) directory: &'static str,
}

impl Package {
    /// Installs what package-lock.json names, unless that has been done.
    pub(crate) fn install(self) -> anyhow::Result<()> {
        let path = self.path();
        let installed = path.join("node_modules/.package-lock.json");
        if paths::is_newer(&installed, &path.join("package-lock.json")) {
            return Ok(());
        }
        let mut npm = process::at_root("npm");
        process::run(npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(path))
    }

    /// The same, if npm is there. On a machine without it this says what is skipped, and the answer
    /// is `false`; in continuous integration that is an error.
    pub(crate) fn provide(self, purpose: &str) -> anyhow::Result<bool> {
        if process::succeeds(process::at_root("npm").arg("--version")) {
            self.install()?;
            return Ok(true);
        }
        output::missing(is_ci(), format_args!("{purpose} needs npm. {HOW_TO_INSTALL}"))?;
        Ok(false)
    }

    /// An installed program, run in the directory.
    pub(crate) fn program(self, name: &str) -> Command {
        let path = self.path();
        let mut program = process::at_root(path.join("node_modules/.bin").join(name));
        program.current_dir(path);
        program
    }

    /// A script of package.json. What is added to it are arguments of the script.
    pub(crate) fn script(self, name: &str) -> Command {
        let mut npm = process::at_root("npm");
        npm.args(["run", "--silent", name, "--"]).current_dir(self.path());
        npm
    }

    /// Fails if package-lock.json says where packages come from. Each machine's settings choose the
    /// registry, and checksums identify the packages.
    pub(crate) fn check_lock(self) -> anyhow::Result<()> {
        let (path, directory) = (self.path().join("package-lock.json"), self.directory);
        let lock = fs::read_to_string(&path).with_context(|| format!("no lock in {directory}"))?;
        ensure!(
            !names_addresses(&lock),
            "{directory}/package-lock.json has `resolved` addresses: remove them, and set \
             `omit-lockfile-registry-resolved=true` in its .npmrc"
        );
        Ok(())
    }

    /// The directory.
    fn path(self) -> PathBuf {
        paths::root().join(self.directory)
    }
}

/// Whether a lock file says where a package comes from.
fn names_addresses(lock: &str) -> bool {
    lock.lines().any(|line| line.trim_start().starts_with("\"resolved\":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_names_addresses_is_refused() {
        let entry = "{\n  \"node_modules/a\": {\n    \"version\": \"1.0.0\",\n";
        assert!(!names_addresses(entry));
        let addressed = format!("{entry}    \"resolved\": \"https://example.org/a-1.0.0.tgz\",\n");
        assert!(names_addresses(&addressed));
    }

    #[test]
    fn the_lock_of_the_root_names_no_addresses() {
        Package { directory: "." }.check_lock().unwrap();
    }
}
