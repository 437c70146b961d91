//! The program, run in a world of its own: an empty home, no variables.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// A home folder.
pub(crate) struct World {
    home: TempDir,
}

/// What a command left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// Without a server.
    pub(crate) fn alone() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// The home folder, which is also the working directory.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// The program with these arguments and nothing in its environment but where home is.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_octopoid"));
        command.env_clear().env("HOME", self.home()).current_dir(self.home());
        // Where a binary that was built to measure coverage writes its counts.
        command.envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        finish(&mut self.command(arguments))
    }
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
