//! `octopoid agent guide`: the page that an agent inside a run needs.

use crate::{
    failure::Outcome,
    output::print,
    session::{Run, Session},
};

/// Print the page for agents.
#[derive(Debug, clap::Args)]
pub(crate) struct Guide {}

impl Run for Guide {
    async fn run(&self, _session: &Session) -> Outcome {
        print(include_str!("guide.md"))
    }
}
