//! What is released: the version, what has changed, and when.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use toml::Table;

use crate::process;

/// The file with what has changed.
const CHANGELOG: &str = "CHANGELOG.md";

/// The heading of what has changed since the last release.
const UNRELEASED: &str = "Unreleased";

/// A release.
#[derive(Debug)]
pub(super) struct Release {
    /// The version, with `-unreleased` behind it if it is none yet.
    pub(super) version: String,
    /// The section of the changelog, without its heading.
    pub(super) notes: String,
    /// The time that files in packages have, in seconds since 1970: that of the last commit, or
    /// `SOURCE_DATE_EPOCH`.
    pub(super) epoch: u64,
}

impl Release {
    /// Reads the manifest, the changelog and the last commit.
    pub(super) fn read(root: &Path, is_unreleased: bool) -> anyhow::Result<Self> {
        let manifest: Table = fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
        let version = manifest["workspace"]["package"]["version"].as_str();
        let version = version.context("the root manifest has no version")?;
        let changelog = fs::read_to_string(root.join(CHANGELOG))?;
        let heading = if is_unreleased { UNRELEASED } else { version };
        let Some(notes) = section(&changelog, heading) else {
            bail!(
                "{CHANGELOG} has no section `## [{heading}]` with changes: write it, or build \
                 packages of what is not released yet with --unreleased"
            );
        };
        let suffix = if is_unreleased { "-unreleased" } else { "" };
        Ok(Self { version: format!("{version}{suffix}"), notes, epoch: epoch()? })
    }

    /// The version as Debian writes it: one that is not released yet sorts before the release.
    pub(super) fn debian_version(&self) -> String {
        self.version.replacen('-', "~", 1)
    }
}

/// What stands below the heading of a version.
fn section(changelog: &str, version: &str) -> Option<String> {
    let heading = format!("## [{version}]");
    let lines = changelog.lines().skip_while(|line| !line.starts_with(&heading)).skip(1);
    let lines: Vec<_> = lines.take_while(|line| !line.starts_with("## ")).collect();
    let text = lines.join("\n");
    let text = text.trim();
    (!text.is_empty()).then(|| format!("{text}\n"))
}

fn epoch() -> anyhow::Result<u64> {
    let text = match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => process::read(process::at_root("git").args(["log", "-1", "--format=%ct"]))?,
    };
    text.trim().parse().context("SOURCE_DATE_EPOCH is no number of seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-01-02\n\n### Added\n\n\
                       * A.\n\n## [0.1.0]\n\n* B.\n";

    #[test]
    fn the_notes_are_the_section_of_the_version() {
        assert_eq!(section(LOG, "0.2.0").unwrap(), "### Added\n\n* A.\n");
        assert_eq!(section(LOG, "0.1.0").unwrap(), "* B.\n");
    }

    #[test]
    fn a_version_without_changes_is_refused() {
        assert_eq!(section(LOG, "0.3.0"), None);
        assert_eq!(section(LOG, UNRELEASED), None);
        let nowhere = tempfile::tempdir().unwrap();
        let manifest = "[workspace.package]\nversion = \"0.3.0\"\n";
        fs::write(nowhere.path().join("Cargo.toml"), manifest).unwrap();
        fs::write(nowhere.path().join(CHANGELOG), LOG).unwrap();
        let error = Release::read(nowhere.path(), false).unwrap_err().to_string();
        assert!(error.contains("no section `## [0.3.0]`"), "{error}");
    }

    #[test]
    fn debian_sorts_what_is_not_released_before_the_release() {
        let release =
            |version: &str| Release { version: version.into(), notes: String::new(), epoch: 0 };
        assert_eq!(release("0.1.0-unreleased").debian_version(), "0.1.0~unreleased");
        assert_eq!(release("0.1.0").debian_version(), "0.1.0");
    }
}
