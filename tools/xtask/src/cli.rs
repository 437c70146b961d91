//! `cargo xtask cli`.

use crate::generated::Generated;

/// Writes docs/cli.md as the command line describes itself.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if the file is not what would be written.
    #[arg(long)]
    pub(crate) check: bool,
}

const FILE: Generated = Generated {
    file: "docs/cli.md",
    command: "cli",
    program: "octopoid",
    arguments: &["man", "--markdown"],
};

/// Asks the program for its manual and writes it, or compares it with the file.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    FILE.run(args.check)
}
