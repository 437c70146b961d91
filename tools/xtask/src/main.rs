//! The project's own commands, run as `cargo xtask <command>`.
//!
//! They need nothing but cargo, so that a new machine can run them before anything is installed.
//! Each command is a module with an `Args` struct, whose documentation is the command's help, and
//! a `run` function. A new command is a `mod` line and a line in the list below.

mod bench;
mod board;
mod ci;
mod cli;
mod cluster;
mod copy;
mod coverage;
mod deny;
mod dist;
mod edge;
mod fuzz;
mod generated;
mod lint;
mod local;
mod mcp;
mod migration;
mod npm;
mod openapi;
mod output;
mod paths;
mod postgres;
mod process;
mod programs;
mod steps;
mod test;
mod tidy;
mod venv;
mod wasm;
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

/// Builds the list of commands, and the function that runs the chosen one.
macro_rules! commands {
    ($($name:ident => $module:ident,)*) => {
        #[derive(clap::Subcommand)]
        enum Command {
            $($name($module::Args),)*
        }

        impl Command {
            fn run(&self) -> anyhow::Result<()> {
                match self {
                    $(Self::$name(args) => $module::run(args),)*
                }
            }
        }
    };
}

commands! {
    Test => test,
    Lint => lint,
    Tidy => tidy,
    Wasm => wasm,
    Migration => migration,
    Edge => edge,
    Board => board,
    Mcp => mcp,
    Openapi => openapi,
    Cli => cli,
    Fuzz => fuzz,
    Bench => bench,
    Cluster => cluster,
    Copy => copy,
    Coverage => coverage,
    Deny => deny,
    Dist => dist,
    Ci => ci,
}

/// The project's own commands.
#[derive(clap::Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
