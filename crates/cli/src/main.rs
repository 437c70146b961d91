//! The program `octopoid`: the server, and the command line for people, agents and machines.

mod arguments;
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
mod up;

use std::{io::Write as _, process::ExitCode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match arguments::parse().and_then(|cli| cli.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = std::io::stderr().write_all(failure.lines().as_bytes());
            ExitCode::from(failure.exit as u8)
        }
    }
}
