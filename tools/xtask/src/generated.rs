//! Files that are checked in and made by a program of this workspace.

use std::fs;

use anyhow::{Context as _, bail};

use crate::{output, paths, process, programs};

/// Such a file.
pub(crate) struct Generated {
    /// Its path below the root.
    pub(crate) file: &'static str,
    /// What writes it: this command of xtask.
    pub(crate) command: &'static str,
    /// The program that describes itself, and its arguments.
    pub(crate) program: &'static str,
    pub(crate) arguments: &'static [&'static str],
}

impl Generated {
    /// Writes the file, or compares it with what would be written.
    pub(crate) fn run(&self, is_check: bool) -> anyhow::Result<()> {
        let mut asked = programs::command(self.program)?;
        let described = process::read(asked.args(self.arguments))?;
        let (file, path) = (self.file, paths::root().join(self.file));
        if is_check {
            return self.compare(fs::read_to_string(&path).ok().as_deref(), &described);
        }
        fs::write(&path, described).with_context(|| format!("could not write {file}"))?;
        output::line(format_args!("{file} is written"));
        Ok(())
    }

    /// Says where the file and the program first differ, and what to do about it.
    fn compare(&self, file: Option<&str>, described: &str) -> anyhow::Result<()> {
        let Self { file: name, command, program, .. } = self;
        let remedy = format!("run `cargo xtask {command}` and commit the file");
        let Some(file) = file else { bail!("there is no {name}: {remedy}") };
        if file == described {
            output::line(format_args!("{name} is up to date"));
            return Ok(());
        }
        let same = file.lines().zip(described.lines()).take_while(|(old, new)| old == new).count();
        bail!("{name} differs from what {program} says from line {} on: {remedy}", same + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Generated =
        Generated { file: "a.json", command: "a", program: "octopoid-a", arguments: &[] };

    #[test]
    fn a_stale_file_is_refused_with_the_command_that_fixes_it() {
        let error = FILE.compare(Some("{\n \"a\": 1\n}\n"), "{\n \"a\": 2\n}\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a.json differs from what octopoid-a says from line 2 on: run `cargo xtask a` and \
             commit the file",
        );
    }

    #[test]
    fn a_missing_file_is_refused_and_an_equal_one_is_not() {
        assert!(FILE.compare(None, "{}\n").is_err());
        assert!(FILE.compare(Some("{}\n"), "{}\n").is_ok());
    }
}
