//! All output of these commands.
#![allow(clippy::print_stdout, reason = "a command line tool answers on its standard output")]

use std::fmt::Display;

use anyhow::ensure;

/// Prints a line.
pub(crate) fn line(text: impl Display) {
    println!("{text}");
}

/// Prints the name of what starts now, so that it stands out from what the tools print.
pub(crate) fn heading(text: impl Display) {
    println!("\n==> {text}");
}

/// Prints a visible warning that something was skipped.
pub(crate) fn skipped(text: impl Display) {
    println!("\n!!! SKIPPED: {text} !!!\n");
}

/// Says that something is skipped, because what the text names is not installed. In continuous
/// integration that is an error.
pub(crate) fn missing(is_ci: bool, text: impl Display) -> anyhow::Result<()> {
    ensure!(!is_ci, "{text}");
    skipped(text);
    Ok(())
}

/// Prints why a command failed, with its causes.
pub(crate) fn failure(error: &anyhow::Error) {
    println!("\nerror: {error:#}");
}
