//! The program `octopoid`: the server, and the command line for people, agents and machines.

mod cli;
mod commands;

use std::{io::Write as _, process::ExitCode};

use octopoid_server::{error_text, parse};

use crate::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match parse::<Cli>().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {}", error_text(&error));
            ExitCode::FAILURE
        }
    }
}
