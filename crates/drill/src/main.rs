//! A drill for many servers on one PostgreSQL: agents take tasks through their life while servers
//! are killed and the database crashes. At the end every promise is looked at: each task was done
//! exactly once, nothing was held twice, and nobody got an answer that is not documented.

mod agent;
mod answers;
mod looks;
mod process;
mod trouble;
mod verdict;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use octopoid_scratch_postgres::{Durability, Options, Scratch};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    agent::{Agent, Work},
    answers::Servers,
    process::{Launcher, free_address},
    trouble::{Dice, Done, Machinery},
};

/// How many servers start at once on an empty database.
const STARTERS: usize = 10;
/// Where the search for free ports begins.
const FIRST_PORT: u16 = 20_000;

/// Kills servers and their database under load, and looks whether every promise was kept.
#[derive(Debug, Parser)]
#[command(name = "octopoid-drill")]
struct Args {
    /// Servers on the one database.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=8))]
    servers: u8,
    /// Agents spread over them.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    agents: u16,
    /// Tasks that they take through the whole lifecycle.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    tasks: u32,
    /// Decides who is killed, in which order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The most seconds that the agents may take.
    #[arg(long, default_value_t = 420)]
    limit: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let drill = async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        // What is dropped here takes its processes with it.
        tokio::select! {
            outcome = drill(&args) => outcome,
            _ = terminate.recv() => bail!("told to stop"),
            _ = interrupt.recv() => bail!("told to stop"),
        }
    };
    match drill.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("\nThe drill failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn drill(args: &Args) -> anyhow::Result<()> {
    let tasks = usize::try_from(args.tasks)?;
    let logs = tempfile::tempdir().context("cannot make a folder for logs")?;
    let options = Options::new(Durability::Full);
    let database = tokio::task::block_in_place(|| Scratch::start(&options))?;
    let url = database.url();
    let launcher = Launcher::new(url.clone(), logs.path())?;
    let mut machinery = Machinery { database, launcher, servers: Vec::new() };

    let start = now();
    machinery.launch(STARTERS).await.context("ten servers at once on an empty database")?;
    let migrations = looks::migrations(&url).await?;
    say(&format!(
        "{STARTERS} servers at once on an empty database: all ready after {:.1} s, each of \
         {migrations} migrations applied once",
        start.elapsed().as_secs_f64()
    ));
    machinery.keep(args.servers.into())?;

    let addresses = machinery.servers.iter().map(|server| server.address.clone()).collect();
    let work = Work::new(Servers::new(addresses)?, tasks);
    let start = now();
    let agents = all((0..args.agents.into()).map(|number| Agent::new(&work, number).run()));
    let trouble = machinery.suffer(Dice(args.seed), tasks, work.finished(), say);
    let both = async { tokio::join!(agents, trouble).1 };
    let outcome = tokio::time::timeout(Duration::from_secs(args.limit), both).await;
    let seconds = start.elapsed().as_secs_f64();
    let ended = match outcome {
        Ok(done) => done,
        Err(_) => Err(anyhow::anyhow!("the agents did not finish within {} s", args.limit)),
    };
    if let Err(error) = &ended {
        work.servers.tally.broken(format!("{error:#}"));
    } else {
        say("looking everything over");
        looks::through_the_api(&work, tasks).await?;
        looks::into_the_database(&work, &url, tasks).await?;
    }
    let done = ended.unwrap_or_default();
    report(&work, tasks, done, seconds);
    judge(&work, &machinery, tasks, done)
}

impl Machinery {
    /// Starts as many servers at the same moment, and waits until all are ready.
    async fn launch(&mut self, count: usize) -> anyhow::Result<()> {
        let mut next = FIRST_PORT;
        for number in 0..count {
            let address = free_address(next)?;
            next = address.parse::<std::net::SocketAddr>()?.port() + 1;
            self.servers.push(self.launcher.launch(number, address)?);
        }
        for server in &mut self.servers {
            self.launcher.ready(server).await?;
        }
        Ok(())
    }

    /// Ends all servers but the first few.
    fn keep(&mut self, count: usize) -> anyhow::Result<()> {
        while self.servers.len() > count
            && let Some(server) = self.servers.pop()
        {
            self.launcher.kill(server)?;
        }
        Ok(())
    }
}

fn report(work: &Work, tasks: usize, done: Done, seconds: f64) {
    say("");
    let mut rows = vec![
        ("tasks".to_owned(), tasks.to_string()),
        ("servers killed".to_owned(), done.kills.to_string()),
        ("crashes of the database".to_owned(), done.restarts.to_string()),
        ("seconds".to_owned(), format!("{seconds:.1}")),
    ];
    let counts = work.servers.tally.counts();
    rows.extend(counts.into_iter().map(|(what, count)| (what, count.to_string())));
    for (what, count) in rows {
        say(&format!("{what:<32} {count:>10}"));
    }
}

fn judge(work: &Work, machinery: &Machinery, tasks: usize, done: Done) -> anyhow::Result<()> {
    let (count, broken) = work.servers.tally.all_broken();
    if count > 0 {
        say(&format!("\nBroken promises: {count}. The first of them:"));
        for what in broken {
            say(&format!("  {what}"));
        }
        for number in 0..machinery.servers.len() {
            let said = machinery.launcher.said(number)?;
            let failed = said.lines().filter(|line| line.contains("a request failed"));
            for line in failed.take(5) {
                say(&format!("  server {number}: {line}"));
            }
        }
        bail!("not every promise was kept");
    }
    ensure!(done.kills > 0 && done.restarts == 1, "too little went wrong to tell anything");
    say(&format!("\nEvery promise was kept: {tasks} tasks, each done exactly once."));
    Ok(())
}

/// Runs all of these at the same time, in this task.
async fn all<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    futures_util::future::join_all(futures).await
}

/// Waits. Agents have to be slow somewhere, and what goes wrong goes wrong by the clock.
#[expect(clippy::disallowed_methods, reason = "the drill is about what happens meanwhile")]
async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

#[expect(clippy::disallowed_methods, reason = "a drill measures how long things take")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "a drill answers on its standard output")]
fn say(line: &str) {
    println!("{line}");
}
