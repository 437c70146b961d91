//! The program `octopoid-server`: the server by itself, which serves without a command.

use std::{io::Write as _, process::ExitCode};

use octopoid_server::{Cli, error_text, parse};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match parse::<Cli>().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "octopoid-server: {}", error_text(&error));
            ExitCode::FAILURE
        }
    }
}
