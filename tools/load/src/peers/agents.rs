//! What the clients that are written in Rust have in common: agents that take tasks through their
//! lives, and what they report. tools/peers/loop.mjs is the same for JavaScript, and the client of
//! awa, which is no part of this workspace, includes this file.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::clock::{now, pause};

const WARM_UP: u8 = 0;
const MEASURED: u8 = 1;
const OVER: u8 = 2;

/// What a loop does that adds a task, and goes on when one has been completed.
pub(crate) trait Agent: Send + 'static {
    /// Adds a task.
    fn add(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Completes a task, or waits until one has been completed.
    fn complete(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Says what is measured: versions and settings.
pub(crate) fn describe(configuration: &str) -> anyhow::Result<()> {
    say(&json!({ "configuration": configuration }))
}

/// Lets the agents work, first without and then with counting, and reports how many tasks were
/// completed in the time that counts, and how long each took from the start of its adding.
pub(crate) async fn measure<A: Agent>(
    agents: Vec<A>,
    warm_up: Duration,
    length: Duration,
) -> anyhow::Result<()> {
    let phase = Arc::new(AtomicU8::new(WARM_UP));
    let mut loops: JoinSet<_> =
        agents.into_iter().map(|agent| repeat(agent, Arc::clone(&phase))).collect();
    until_failure(&mut loops, warm_up).await?;
    phase.store(MEASURED, Ordering::Relaxed);
    let started = now();
    say(&json!({ "phase": "measured" }))?;
    until_failure(&mut loops, length).await?;
    phase.store(OVER, Ordering::Relaxed);
    let seconds = started.elapsed().as_secs_f64();
    say(&json!({ "phase": "over" }))?;
    let mut lives = Vec::new();
    while let Some(of_one) = loops.join_next().await {
        lives.extend(of_one.context("an agent was ended")??);
    }
    lives.sort_unstable();
    say(&json!({
        "tasks": lives.len(),
        "seconds": seconds,
        "p50_ms": quantile_ms(&lives, 50),
        "p99_ms": quantile_ms(&lives, 99),
    }))
}

/// Takes tasks through their lives until the time is over. Returns how long those took that count.
/// It adds one more task at first, so that a task waits when a worker is free.
async fn repeat<A: Agent>(mut agent: A, phase: Arc<AtomicU8>) -> anyhow::Result<Vec<Duration>> {
    let mut lives = Vec::new();
    agent.add().await?;
    while phase.load(Ordering::Relaxed) != OVER {
        let started = now();
        agent.add().await?;
        agent.complete().await?;
        if phase.load(Ordering::Relaxed) == MEASURED {
            lives.push(started.elapsed());
        }
    }
    Ok(lives)
}

/// Waits, unless an agent fails meanwhile.
async fn until_failure(
    loops: &mut JoinSet<anyhow::Result<Vec<Duration>>>,
    length: Duration,
) -> anyhow::Result<()> {
    tokio::select! {
        () = pause(length) => Ok(()),
        Some(ended) = loops.join_next() => {
            ended.context("an agent was ended")??;
            anyhow::bail!("an agent stopped before the end")
        }
    }
}

/// The time that so many percent of the lives, which are sorted, took at most.
fn quantile_ms(lives: &[Duration], percent: usize) -> f64 {
    let last = lives.len().saturating_sub(1);
    lives.get((last * percent + 50) / 100).map_or(0.0, |life| life.as_secs_f64() * 1e3)
}

fn say(line: &Value) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write to standard output")
}
