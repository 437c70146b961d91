//! The command line as a whole: which commands there are.

use clap::Parser;

use crate::commands::server;

/// The task queue for fleets of coding agents.
#[derive(Debug, Parser)]
#[command(name = "octopoid", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    #[command(flatten)]
    Server(server::Command),
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        match &self.command {
            Command::Server(command) => command.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
