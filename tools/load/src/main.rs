//! Load for servers: `bench` measures how fast they are, `peers` how fast other queues are beside
//! them, `cluster` whether they keep what they promise while they are killed.

mod bench;
mod clock;
mod cluster;
mod journal;
mod peers;
mod processes;
mod server;

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;

#[derive(clap::Parser)]
enum Cli {
    Bench(bench::Args),
    Client(peers::client::Args),
    Cluster(cluster::Args),
    Peers(peers::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse() {
        Cli::Bench(args) => bench::run(&args),
        Cli::Client(args) => peers::client::run(&args),
        Cli::Cluster(args) => cluster::run(&args),
        Cli::Peers(args) => peers::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
