//! Whom PostgreSQL's programs run as.

use std::{
    os::unix::{
        fs::{MetadataExt as _, chown},
        process::CommandExt as _,
    },
    path::Path,
    process::Command,
};

use anyhow::Context as _;

/// Users that may run a server, the most fitting first.
const STAND_INS: [&str; 2] = ["postgres", "nobody"];

/// The user for whom a cluster's programs run. PostgreSQL refuses to run as root, so somebody else
/// stands in for root; everybody else runs the programs as themselves.
#[derive(Clone, Copy)]
pub(crate) struct Account {
    stand_in: Option<(u32, u32)>,
}

impl Account {
    /// Finds the user, and hands the folder, which the caller has just made, over to them.
    pub(crate) fn owning(folder: &Path) -> anyhow::Result<Self> {
        let is_root = folder.metadata().context("looking at the cluster's folder")?.uid() == 0;
        if !is_root {
            return Ok(Self { stand_in: None });
        }
        let (user, group) = STAND_INS
            .iter()
            .find_map(|name| Some((id("-u", name)?, id("-g", name)?)))
            .context("PostgreSQL does not run as root, and no other user was found to run it")?;
        chown(folder, Some(user), Some(group)).context("handing over the cluster's folder")?;
        Ok(Self { stand_in: Some((user, group)) })
    }

    /// Lets a program run as this user.
    pub(crate) fn run_as<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        match self.stand_in {
            Some((user, group)) => command.uid(user).gid(group),
            None => command,
        }
    }
}

/// The number of a user, or of a user's group, if there is such a user.
fn id(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([which, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
