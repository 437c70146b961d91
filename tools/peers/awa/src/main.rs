//! awa on PostgreSQL: jobs are added one at a time and run by a client of awa with as many workers as
//! there are agents. `octopoid-peer-awa ADDRESS AGENTS WARM_UP_MS MEASURED_MS`.

// The agents of the other clients in Rust. They are no crate, because nothing else would use it.
#[path = "../../../load/src/peers/agents.rs"]
mod agents;
#[path = "../../../load/src/clock.rs"]
mod clock;

use std::{env, sync::Arc, time::Duration};

use anyhow::Context as _;
use awa::{Client, InsertOpts, JobArgs, JobEvent, JobResult, QueueConfig, insert_with, migrations};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::sync::Semaphore;

const QUEUE: &str = "bench";

#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
struct Task {
    title: String,
    content: String,
}

/// Adds jobs, and waits until some job has been completed.
struct Agent {
    pool: PgPool,
    /// What has been completed and not been waited for.
    completions: Arc<Semaphore>,
    number: usize,
}

impl agents::Agent for Agent {
    async fn add(&mut self) -> anyhow::Result<()> {
        self.number += 1;
        let task = Task {
            title: format!("Task {}", self.number),
            content: format!("Do the work that task {} describes.", self.number),
        };
        let options = InsertOpts { queue: QUEUE.to_owned(), ..InsertOpts::default() };
        insert_with(&self.pool, &task, options).await?;
        Ok(())
    }

    async fn complete(&mut self) -> anyhow::Result<()> {
        self.completions.acquire().await?.forget();
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, agents, warm_up, measured] = &arguments[..] else {
        anyhow::bail!("ADDRESS AGENTS WARM_UP_MS MEASURED_MS");
    };
    let agents: u32 = agents.parse()?;
    let connections = agents.min(32) + 8;
    let pool = PgPoolOptions::new().max_connections(connections).connect(address).await?;
    migrations::run(&pool).await.context("the migrations of awa failed")?;
    let completions = Arc::new(Semaphore::new(0));
    let completed = Arc::clone(&completions);
    let client = Client::builder(pool.clone())
        .queue(QUEUE, QueueConfig { max_workers: agents, ..QueueConfig::default() })
        .register::<Task, _, _>(|_, _| async { Ok(JobResult::Completed) })
        .on_event::<Task, _, _>(move |event| {
            let completed = Arc::clone(&completed);
            async move {
                // It comes after the commit.
                if matches!(event, JobEvent::Completed { .. }) {
                    completed.add_permits(1);
                }
            }
        })
        .build()?;
    client.start().await?;
    agents::describe(&format!(
        "awa 0.6.9: insert_with(), and a Client with {agents} workers, woken by LISTEN/NOTIFY, which takes and \
         completes jobs in batches of its own; {connections} connections, other settings as they come"
    ))?;
    let all = (0..agents).map(|_| Agent {
        pool: pool.clone(),
        completions: Arc::clone(&completions),
        number: 0,
    });
    let milliseconds = |text: &str| anyhow::Ok(Duration::from_millis(text.parse()?));
    agents::measure(all.collect(), milliseconds(warm_up)?, milliseconds(measured)?).await
}
