//! Starting other programs.

use std::env;
use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::{output, paths};

/// What `cargo run` tells this program about its own package. Another cargo that inherits it would
/// see it change from run to run, and some build scripts run again because of that.
const OWN_PACKAGE_PREFIXES: [&str; 4] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// The cargo that runs this program, set to the workspace's root.
pub(crate) fn cargo() -> Command {
    at_root(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program that is run at the workspace's root.
pub(crate) fn at_root(program: impl Into<OsString>) -> Command {
    let mut command = Command::new(program.into());
    command.current_dir(paths::root());
    for (name, _) in env::vars_os() {
        let known = name.to_string_lossy();
        if OWN_PACKAGE_PREFIXES.iter().any(|prefix| known.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Shows a command and runs it to its end. It fails if the command does.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = describe(command);
    output::line(format_args!("$ {shown}"));
    let status = command.status().with_context(|| format!("could not start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs a command and takes what it prints on its standard output.
pub(crate) fn read(command: &mut Command) -> anyhow::Result<String> {
    let shown = describe(command);
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("could not start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed ({})", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed no UTF-8"))
}

/// Whether a command can be started and succeeds. What it prints is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    use std::process::Stdio;
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// A command as one would type it: the program without its directory, then the arguments.
fn describe(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(program.as_os_str())];
    words.extend(command.get_args());
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_an_error_that_names_it() {
        let error = run(Command::new("/bin/sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 3` failed (exit status: 3)");
    }

    #[test]
    fn a_program_that_does_not_exist_does_not_succeed() {
        assert!(!succeeds(&mut Command::new("/nowhere/to/be/found")));
    }
}
