//! `octopoid mcp`: the queue inside coding agents, by the Model Context Protocol.

mod config;
mod remote;
mod stdio;

use crate::{
    failure::Outcome,
    session::{Run, Session},
};

/// The arguments of `mcp`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print how a coding agent is connected: a command to run, or a part of its configuration.
    Config(config::Args),
}

impl Run for Args {
    /// Without a verb, speaks the protocol on the standard input and output.
    async fn run(&self, session: &Session) -> Outcome {
        match &self.verb {
            Some(Verb::Config(args)) => args.run(session).await,
            None => stdio::serve(session).await,
        }
    }
}
