//! The programs of this workspace, built as its tests are.
//!
//! cargo unites the features of the packages that a command selects. Commands that select different
//! packages therefore build most dependencies once each; so all commands that build without
//! optimization select the workspace, and say only which of its targets they need.

use std::path::PathBuf;
use std::process::Command;

use crate::process;
use crate::workspace::Workspace;

/// Builds some programs without optimization. Returns the directory that they are in.
pub(crate) fn build(names: &[&str]) -> anyhow::Result<PathBuf> {
    let mut cargo = process::cargo();
    cargo.args(["build", "--workspace"]);
    for name in names {
        cargo.args(["--bin", name]);
    }
    process::run(&mut cargo)?;
    Ok(Workspace::load()?.target.join("debug"))
}

/// Builds one, and returns the command that runs it at the workspace's root.
pub(crate) fn command(name: &str) -> anyhow::Result<Command> {
    Ok(process::at_root(build(&[name])?.join(name)))
}
