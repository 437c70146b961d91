//! Measures other queues beside this one, as a user would who chooses between them: each on fresh
//! data, with the same durability, in turn. `cargo xtask bench --peers` runs it.

mod agents;
mod backend;
mod beanstalkd;
pub(crate) mod client;
mod clients;
mod contenders;
mod figures;
mod octopoid;
mod page;
mod plot;
mod targets;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use octopoid_testbed::is_ci;

use self::{
    clients::{Load, Programs},
    contenders::{Contender, Group},
    figures::{Comparison, Run, Series},
    page::Results,
};
use crate::{
    bench::report::machine,
    server::{SERVER, binary},
};

/// Measures other queues beside this one.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often each queue is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Seconds that each queue works in each round.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Seconds that each queue works before that, which do not count.
    #[arg(long, default_value_t = 2)]
    warm_up: u64,
    /// How many agents work at the same time, such as 1,64,256. Without it: 1 and 64 on queues with
    /// files of their own, and 1, 32 and 256 on PostgreSQL.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..))]
    agents: Vec<u16>,
    /// Measure one group of queues only.
    #[arg(long)]
    only: Option<Group>,
    /// Another binary of this project's server, which takes part in the same rounds.
    #[arg(long, value_name = "BINARY")]
    against: Option<PathBuf>,
    /// Where to write the page. The pictures are written to a folder beside it with the same name.
    #[arg(long)]
    out: Option<PathBuf>,
    /// The folder tools/peers, with what npm has installed.
    #[arg(long, value_name = "FOLDER")]
    scripts: Option<PathBuf>,
    /// The client of awa.
    #[arg(long, value_name = "BINARY")]
    awa: Option<PathBuf>,
    /// Measure nothing: only see whether each queue completes tasks.
    #[arg(long)]
    check: bool,
}

/// How many tasks each queue must complete to pass the check, with so many agents.
const CHECKED_TASKS: u32 = 50;
const CHECKED_AGENTS: usize = 8;
/// How long it may try, one after the other.
const CHECKED_SECONDS: [u64; 3] = [1, 4, 16];

/// Measures what the arguments ask for, and writes the page and its pictures.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let programs = Programs { scripts: args.scripts.clone(), awa: args.awa.clone() };
    let mut contenders = contenders::all(&binary(SERVER)?, args.against.as_deref());
    contenders.retain(|one| args.only.is_none_or(|only| one.group == only));
    if args.check {
        return check(&contenders, &programs);
    }
    let mut bench = Bench { args, programs, failures: Vec::new(), configurations: Vec::new() };
    contenders.retain(|one| bench.can_be_started(one));
    let mut comparisons = Vec::new();
    for group in Group::ALL {
        let among: Vec<_> = contenders.iter().filter(|one| one.group == group).collect();
        let given: Vec<usize> = args.agents.iter().copied().map(usize::from).collect();
        let agents = if given.is_empty() { group.agents().to_vec() } else { given };
        for agents in agents.into_iter().filter(|_| !among.is_empty()) {
            comparisons.push(bench.compare(group, &among, agents));
        }
    }
    ensure!(!comparisons.is_empty(), "no queue could be measured");
    let results = Results {
        machine: machine(),
        is_optimized: !cfg!(debug_assertions),
        rounds: usize::from(args.rounds),
        seconds: args.seconds,
        warm_up_seconds: args.warm_up,
        comparisons,
        configurations: bench.configurations,
        failures: bench.failures,
    };
    write(&results, args.out.as_deref())
}

struct Bench<'a> {
    args: &'a Args,
    programs: Programs,
    failures: Vec<(Group, &'static str, String)>,
    configurations: Vec<(Group, &'static str, String)>,
}

impl Bench<'_> {
    /// Whether what a queue needs is installed. If it is not, this says so.
    fn can_be_started(&mut self, contender: &Contender) -> bool {
        let missing = contender.missing(&self.programs);
        let can_be = missing.is_none();
        if let Some(missing) = missing {
            self.fail(contender, missing);
        }
        can_be
    }

    /// Measures queues in turn. In each round another one is first.
    fn compare(&mut self, group: Group, among: &[&Contender], agents: usize) -> Comparison {
        let rounds = usize::from(self.args.rounds);
        let mut runs = vec![Vec::with_capacity(rounds); among.len()];
        for round in 0..rounds {
            for turn in 0..among.len() {
                let which = (round + turn) % among.len();
                runs[which].push(self.measure(among[which], agents, round));
            }
        }
        let series = among.iter().zip(runs);
        let series = series.map(|(one, runs)| Series { name: one.name.to_owned(), runs }).collect();
        Comparison { group, agents, series }
    }

    fn measure(&mut self, contender: &Contender, agents: usize, round: usize) -> Option<Run> {
        let load = Load {
            agents,
            warm_up: Duration::from_secs(self.args.warm_up),
            length: Duration::from_secs(self.args.seconds),
        };
        let of = self.args.rounds;
        let shown = format!("agents: {agents}, round {} of {of}: {}", round + 1, contender.name);
        match once(contender, &self.programs, load) {
            Ok((configuration, run)) => {
                progress(&format!("{shown}: {:.0} tasks/s", run.rate()));
                // Those with the most agents come last.
                let (group, name) = (contender.group, contender.name);
                self.configurations.retain(|known| (known.0, known.1) != (group, name));
                self.configurations.push((group, name, configuration));
                Some(run)
            }
            Err(error) => {
                self.fail(
                    contender,
                    format!("round {} with {agents} agents: {error:#}", round + 1),
                );
                None
            }
        }
    }

    fn fail(&mut self, contender: &Contender, why: String) {
        progress(&format!("!!! NOT MEASURED: {}: {why} !!!", contender.name));
        self.failures.push((contender.group, contender.name, why));
    }
}

/// Starts a queue on fresh data, lets it work, and stops it.
fn once(contender: &Contender, programs: &Programs, load: Load) -> anyhow::Result<(String, Run)> {
    let backend = contender.backend.start()?;
    let (used, outcome, processor) = contender.client.work(programs, &backend, load)?;
    let configuration = format!("{}; {used}", contender.backend.configuration()?);
    Ok((configuration, Run { outcome, processor }))
}

/// Sees whether each queue that is installed completes tasks. In continuous integration all must be
/// installed but the client of awa, whose build takes longer than all else here.
fn check(contenders: &[Contender], programs: &Programs) -> anyhow::Result<()> {
    for contender in contenders {
        if let Some(missing) = contender.missing(programs) {
            let is_optional = matches!(contender.client, clients::Client::Awa);
            if is_ci() && !is_optional {
                bail!("{}: {missing}", contender.name);
            }
            progress(&format!("!!! SKIPPED: {}: {missing} !!!", contender.name));
            continue;
        }
        let tasks = completed(contender, programs).context(contender.name)?;
        ensure!(tasks >= CHECKED_TASKS, "{} completed only {tasks} tasks", contender.name);
        progress(&format!("{} on {:?}: {tasks} tasks", contender.name, contender.group));
    }
    Ok(())
}

/// How many tasks a queue completes in a second, or in longer if that was too short on a busy
/// machine.
fn completed(contender: &Contender, programs: &Programs) -> anyhow::Result<u32> {
    let mut tasks = 0;
    for seconds in CHECKED_SECONDS {
        let length = Duration::from_secs(seconds);
        let load = Load { agents: CHECKED_AGENTS, warm_up: Duration::ZERO, length };
        tasks = once(contender, programs, load)?.1.outcome.tasks;
        if tasks >= CHECKED_TASKS {
            break;
        }
    }
    Ok(tasks)
}

/// Writes the page and its pictures, or the page only, to standard output.
fn write(results: &Results, out: Option<&Path>) -> anyhow::Result<()> {
    let pictures = plot::pictures(&results.comparisons)?;
    let Some(out) = out else {
        let text = page::text(results, &[], "")?;
        return Ok(std::io::stdout().write_all(text.as_bytes())?);
    };
    let folder = out.with_extension("");
    fs::create_dir_all(&folder).context("cannot make the folder of the pictures")?;
    for picture in &pictures {
        fs::write(folder.join(&picture.file), &picture.svg)?;
    }
    let name = folder.file_name().context("the page has no name")?.to_string_lossy();
    fs::write(out, page::text(results, &pictures, &name)?)?;
    Ok(())
}

fn progress(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
