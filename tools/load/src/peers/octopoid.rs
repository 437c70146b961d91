//! Agents of Octopoid: each request of a task's life is its own.

use super::agents::Agent;
use crate::bench::{
    http::Connection,
    measure::Latencies,
    workload::{create, finish_one},
};

/// What the agents do.
pub(super) const CONFIGURATION: &str = "each agent creates a task, claims one, submits it and accepts it: four \
     requests over HTTP, each of them durable, on one connection that is kept alive";

/// The scope of the tasks.
const SCOPE: &str = "bench";

/// An agent with a connection of its own.
pub(super) struct Worker {
    connection: Connection,
    number: usize,
}

/// So many agents, connected.
pub(super) async fn agents(address: &str, count: usize) -> anyhow::Result<Vec<Worker>> {
    let mut agents = Vec::with_capacity(count);
    for number in 0..count {
        agents.push(Worker { connection: Connection::open(address).await?, number });
    }
    Ok(agents)
}

impl Agent for Worker {
    async fn add(&mut self) -> anyhow::Result<()> {
        create(&mut self.connection, SCOPE, &mut Latencies::default()).await
    }

    async fn complete(&mut self) -> anyhow::Result<()> {
        let mut of_requests = Latencies::default();
        finish_one(&mut self.connection, SCOPE, self.number, &mut of_requests).await
    }
}
