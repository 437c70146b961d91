//! `cargo xtask openapi`.

use crate::generated::Generated;

/// Writes openapi.json as the server describes itself.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if the file is not what would be written.
    #[arg(long)]
    pub(crate) check: bool,
}

const FILE: Generated = Generated {
    file: "openapi.json",
    command: "openapi",
    program: "octopoid-server",
    arguments: &["openapi"],
};

/// Asks the server for its description and writes it, or compares it with the file.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    FILE.run(args.check)
}
