//! The program `octopoid`: the server, and the command line for people, agents and machines.

mod arguments;
mod board;
mod cli;
mod clock;
mod commands;
mod failure;
mod files;
mod leases;
mod output;
mod page;
mod random;
mod repository;
mod session;
mod settings;
mod up;

use std::{io::Write as _, process::ExitCode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The guard of a run is to be small and quick: it needs neither settings nor the parser. Nor does
    // the simulated agent.
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|word| word == "agent") {
        match arguments.next().as_deref().and_then(std::ffi::OsStr::to_str) {
            Some("guard") => return octopoid_runner::process::guard(arguments),
            Some("simulate") => {
                let is_slow = arguments.next().is_some_and(|word| word == up::demo::agent::SLOWLY);
                return up::demo::agent::run(is_slow);
            }
            _ => {}
        }
    }
    match arguments::parse().and_then(|cli| cli.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = std::io::stderr().write_all(failure.lines().as_bytes());
            ExitCode::from(failure.exit as u8)
        }
    }
}
