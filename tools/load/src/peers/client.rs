//! `octopoid-load client`: what adds and completes tasks at a server, for the queues whose protocol
//! needs no library.

use std::time::Duration;

use tokio::runtime::Builder;

use super::{agents, beanstalkd, octopoid};

/// Adds and completes tasks for `octopoid-load peers`, which starts it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Whose protocol is spoken.
    protocol: Protocol,
    /// `127.0.0.1:<port>`.
    address: String,
    /// How many agents work at the same time.
    agents: usize,
    /// How long they work before it counts, in milliseconds.
    warm_up_ms: u64,
    /// How long they work while it counts, in milliseconds.
    measured_ms: u64,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Protocol {
    Octopoid,
    Beanstalkd,
}

/// Works as asked, and reports on standard output.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let warm_up = Duration::from_millis(args.warm_up_ms);
    let length = Duration::from_millis(args.measured_ms);
    // One thread makes the load, as in the clients in JavaScript.
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        match args.protocol {
            Protocol::Octopoid => {
                let all = octopoid::agents(&args.address, args.agents).await?;
                agents::describe(octopoid::CONFIGURATION)?;
                agents::measure(all, warm_up, length).await
            }
            Protocol::Beanstalkd => {
                let all = beanstalkd::agents(&args.address, args.agents).await?;
                agents::describe(beanstalkd::CONFIGURATION)?;
                agents::measure(all, warm_up, length).await
            }
        }
    })
}
