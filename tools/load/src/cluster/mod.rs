//! A test of many servers on one PostgreSQL: agents take tasks through their life while servers
//! are killed and the database crashes, and followers read the journal. At the end every promise is
//! checked: each follower has received the whole journal; by the journal, each task was done exactly
//! once, nothing was held twice, and nothing else was done than what was confirmed; every response
//! is documented.

mod agent;
mod answers;
mod checks;
mod faults;
mod follow;
mod process;
mod verdict;
mod work;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, bail, ensure};
use futures_util::future::join_all;
use octopoid_testbed::postgres::{Durability, Options, Scratch};
use tokio::signal::unix::{SignalKind, signal};

use self::{
    agent::Agent,
    answers::Servers,
    faults::{Cluster, Dice, Faults},
    follow::Followers,
    process::{Launcher, free_address},
    work::Work,
};
use crate::clock::now;

/// How many servers start at once on an empty database.
const STARTERS: usize = 10;
/// Where the search for free ports begins.
const FIRST_PORT: u16 = 20_000;

/// Kills servers and their database under load, and checks whether every promise was kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
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

/// Runs the test until it ends or is stopped.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        // What is dropped here takes its processes with it.
        tokio::select! {
            outcome = test(args) => outcome,
            _ = terminate.recv() => bail!("told to stop"),
            _ = interrupt.recv() => bail!("told to stop"),
        }
    })
}

async fn test(args: &Args) -> anyhow::Result<()> {
    let tasks = usize::try_from(args.tasks)?;
    let logs = tempfile::tempdir().context("cannot make a folder for logs")?;
    let options = Options::new(Durability::Full);
    let database = tokio::task::block_in_place(|| Scratch::start(&options))?;
    let url = database.url();
    let launcher = Launcher::new(url.clone(), logs.path())?;
    let mut cluster = Cluster { database, launcher, servers: Vec::new() };

    let start = now();
    cluster.launch(STARTERS).await.context("ten servers at once on an empty database")?;
    let migrations = checks::migrations(&url).await?;
    say(&format!(
        "{STARTERS} servers at once on an empty database: all ready after {:.1} s, each of \
         {migrations} migrations applied once",
        start.elapsed().as_secs_f64()
    ));
    cluster.keep(args.servers.into())?;

    let addresses = cluster.servers.iter().map(|server| server.address.clone()).collect();
    let work = Arc::new(Work::new(Servers::new(addresses)?, tasks));
    let followers = Followers::start(&work)?;
    let start = now();
    let agents = join_all((0..args.agents.into()).map(|number| Agent::new(&work, number).run()));
    let faults = cluster.inject_faults(Dice(args.seed), tasks, work.finished(), say);
    let both = async { tokio::join!(agents, faults).1 };
    let outcome = tokio::time::timeout(Duration::from_secs(args.limit), both).await;
    let seconds = start.elapsed().as_secs_f64();
    let ended = match outcome {
        Ok(faults) => faults,
        Err(_) => Err(anyhow::anyhow!("the agents did not finish within {} s", args.limit)),
    };
    if let Err(error) = &ended {
        work.servers.tally.broken(format!("{error:#}"));
    } else {
        check(&work, followers, &url, tasks).await?;
    }
    let faults = ended.unwrap_or_default();
    report(&work, tasks, faults, seconds);
    judge(&work, &cluster, tasks, faults)
}

/// Notes whatever is wrong with the journal, and with all else that should agree with it.
async fn check(work: &Work, followers: Followers, url: &str, tasks: usize) -> anyhow::Result<()> {
    say("checking everything");
    let journal = followers.finish(tasks).await?;
    let ids: Vec<_> = work.ids().collect();
    for wrong in verdict::judge(&journal, &ids, &work.confirmations()) {
        work.servers.tally.broken(wrong);
    }
    for event in &journal {
        work.servers.tally.count(format!("journal {}", event.name));
    }
    checks::check_api(work, tasks, &journal).await?;
    checks::check_database(work, url, tasks).await
}

impl Cluster {
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

fn report(work: &Work, tasks: usize, faults: Faults, seconds: f64) {
    say("");
    let mut rows = vec![
        ("tasks".to_owned(), tasks.to_string()),
        ("servers killed".to_owned(), faults.kills.to_string()),
        ("crashes of the database".to_owned(), faults.restarts.to_string()),
        ("seconds".to_owned(), format!("{seconds:.1}")),
    ];
    let counts = work.servers.tally.counts();
    rows.extend(counts.into_iter().map(|(what, count)| (what, count.to_string())));
    for (what, count) in rows {
        say(&format!("{what:<32} {count:>10}"));
    }
}

fn judge(work: &Work, cluster: &Cluster, tasks: usize, faults: Faults) -> anyhow::Result<()> {
    let (count, broken) = work.servers.tally.all_broken();
    if count > 0 {
        say(&format!("\nBroken promises: {count}. The first of them:"));
        for what in broken {
            say(&format!("  {what}"));
        }
        for number in 0..cluster.servers.len() {
            let said = cluster.launcher.said(number)?;
            let failed = said.lines().filter(|line| line.contains("a request failed"));
            for line in failed.take(5) {
                say(&format!("  server {number}: {line}"));
            }
        }
        bail!("not every promise was kept");
    }
    ensure!(faults.kills > 0 && faults.restarts == 1, "too little went wrong to tell anything");
    say(&format!(
        "\nEvery promise was kept: {tasks} tasks, each done exactly once by a journal that all \
         followers received whole."
    ));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this answers on its standard output")]
fn say(line: &str) {
    println!("{line}");
}
