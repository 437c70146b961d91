//! What cargo knows about this workspace.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::process;

/// The workspace: where it is, where it builds, and its crates.
pub(crate) struct Workspace {
    /// The directory of the root manifest.
    pub(crate) root: PathBuf,
    /// Where cargo builds, which `CARGO_TARGET_DIR` and cargo's configuration can move.
    pub(crate) target: PathBuf,
    /// The workspace's own crates.
    pub(crate) members: Vec<Member>,
}

/// One crate of the workspace.
#[derive(Debug)]
pub(crate) struct Member {
    /// The package's name.
    pub(crate) name: String,
    /// Its manifest.
    pub(crate) manifest: PathBuf,
    /// The crates it depends on, as its manifest lists them.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line in the dependencies of a crate.
#[derive(Debug)]
pub(crate) struct Dependency {
    /// The package that is depended on.
    pub(crate) name: String,
    /// Whether only tests, examples and benchmarks see it.
    pub(crate) is_dev: bool,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let text =
            process::read(process::cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
        let metadata = serde_json::from_str(&text).context("cargo metadata is no JSON")?;
        Self::parse(&metadata).context("cargo metadata has another shape than expected")
    }

    fn parse(metadata: &Value) -> Option<Self> {
        let members = metadata["packages"].as_array()?.iter().map(Member::parse);
        Some(Self {
            root: metadata["workspace_root"].as_str()?.into(),
            target: metadata["target_directory"].as_str()?.into(),
            members: members.collect::<Option<_>>()?,
        })
    }
}

impl Member {
    fn parse(package: &Value) -> Option<Self> {
        let dependencies = package["dependencies"].as_array()?.iter().map(Dependency::parse);
        Some(Self {
            name: package["name"].as_str()?.to_owned(),
            manifest: package["manifest_path"].as_str()?.into(),
            dependencies: dependencies.collect::<Option<_>>()?,
        })
    }

    /// The directory of the crate.
    pub(crate) fn directory(&self) -> &Path {
        self.manifest.parent().expect("a manifest is a file in a directory")
    }
}

impl Dependency {
    fn parse(dependency: &Value) -> Option<Self> {
        Some(Self {
            name: dependency["name"].as_str()?.to_owned(),
            is_dev: dependency["kind"] == "dev",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_s_answer_is_understood() {
        let workspace = Workspace::load().unwrap();
        let xtask = workspace.members.iter().find(|member| member.name == "xtask").unwrap();
        assert_eq!(xtask.directory(), workspace.root.join("tools/xtask"));
        assert!(xtask.dependencies.iter().any(|needed| needed.name == "clap" && !needed.is_dev));
        assert_eq!(workspace.root, crate::paths::root());
    }
}
