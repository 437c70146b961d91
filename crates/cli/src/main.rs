//! The program `octopoid`: the server, and the command line for people, agents and machines.

mod cli;
mod clock;
mod commands;
mod failure;
mod leases;
mod output;
mod page;
mod repository;
mod session;
mod settings;

use std::{io::Write as _, process::ExitCode};

use octopoid_server::parse;

use crate::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match parse::<Cli>().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = std::io::stderr().write_all(failure.lines().as_bytes());
            ExitCode::from(failure.exit as u8)
        }
    }
}
