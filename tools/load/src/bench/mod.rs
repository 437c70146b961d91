//! Measures the server over loopback HTTP, beside its own ceilings, all in one run: absolute
//! figures say as much about the machine as about the server, ratios do not.

mod agents;
mod backups;
mod boards;
mod events;
pub(crate) mod http;
mod mcp;
pub(crate) mod measure;
mod pairs;
mod postgres;
pub(crate) mod report;
pub(crate) mod server;
mod store;
pub(crate) mod workload;
mod worst;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use octopoid_domain::queue;
use octopoid_testbed::Server;
use tokio::runtime::{Builder, Runtime};

use self::{
    measure::{Measured, median},
    report::Report,
    server::{cpu_seconds, memory_mb},
};
use crate::{
    clock::now,
    server::{SERVER, binary},
};

/// How many agents call at once, phase by phase.
const AGENTS: [usize; 4] = [1, 16, 64, 256];
/// The agents of the phases whose ratio is judged, and how often these are repeated.
const JUDGED: usize = 64;
const ROUNDS: usize = 5;

/// Measures the server over HTTP, beside its own ceilings.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seconds that each phase lasts.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How many tasks "a full table" means.
    #[arg(long, default_value_t = 1_000_000)]
    tasks: usize,
    /// How many minutes dead rows may pile up in PostgreSQL.
    #[arg(long, default_value_t = 5)]
    minutes: u64,
    /// Measure only one engine, only the cases that cost most, only backups, only event streams,
    /// only boards, only agents, or only MCP.
    #[arg(long)]
    only: Option<Part>,
    /// Where to write the report; standard error gets the progress.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Measure nothing: only make this database, with so many tasks, their histories and messages.
    #[arg(long, value_name = "FILE")]
    fill: Option<PathBuf>,
    /// Measure nothing but lifecycles, of this build and of another server's binary in turn, and
    /// print the ratios.
    #[arg(long, value_name = "BINARY")]
    against: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Sqlite,
    Postgres,
    Worst,
    Backups,
    Events,
    Boards,
    Agents,
    Mcp,
}

/// Measures what the arguments ask for, and writes the report.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(database) = &args.fill {
        return Builder::new_multi_thread().enable_all().build()?.block_on(async {
            let store = store::open(database).await?;
            store::fill_with_rejected(&store, args.tasks).await
        });
    }
    let bench = Bench {
        // One thread makes the load, so that the server has the rest of a small machine.
        load: Builder::new_current_thread().enable_all().build()?,
        direct: Builder::new_multi_thread().enable_all().build()?,
        binary: binary(SERVER)?,
        folder: tempfile::tempdir().context("cannot make a folder for databases")?,
        length: Duration::from_secs(args.seconds),
        tasks: args.tasks,
    };
    if let Some(other) = &args.against {
        return pairs::measure(&bench, other);
    }
    let mut report = Report::new(&bench.binary, args.tasks)?;
    if matches!(args.only, None | Some(Part::Sqlite)) {
        bench.lifecycles(&mut report)?;
        bench.ceilings(&mut report)?;
        bench.storm(&mut report)?;
        bench.waiting(&mut report)?;
        bench.finished(&mut report)?;
    }
    if matches!(args.only, None | Some(Part::Worst)) {
        worst::measure(&bench, &mut report)?;
    }
    if matches!(args.only, None | Some(Part::Backups)) {
        backups::measure(&bench, &mut report)?;
    }
    if matches!(args.only, None | Some(Part::Events)) {
        events::measure(&bench, &mut report)?;
    }
    if matches!(args.only, None | Some(Part::Boards)) {
        boards::measure(&bench, &mut report)?;
    }
    if matches!(args.only, None | Some(Part::Agents)) {
        agents::measure(&bench, &mut report)?;
    }
    if matches!(args.only, None | Some(Part::Mcp)) {
        mcp::measure(&bench, &mut report)?;
    }
    if matches!(args.only, None | Some(Part::Postgres)) {
        postgres::measure(&bench, args.minutes, &mut report)?;
    }
    report.finish(args.out.as_deref())
}

struct Bench {
    load: Runtime,
    direct: Runtime,
    binary: PathBuf,
    folder: tempfile::TempDir,
    length: Duration,
    tasks: usize,
}

impl Bench {
    fn database(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn server(&self, database: &Path) -> anyhow::Result<Server> {
        server::start(&self.binary, &format!("sqlite:{}", database.display()))
    }

    fn live(&self, server: &Server, agents: usize) -> anyhow::Result<Measured> {
        self.load.block_on(workload::get(&server.address, "/livez", agents, self.length))
    }

    fn lifecycle(&self, server: &Server, agents: usize) -> anyhow::Result<Measured> {
        self.load.block_on(workload::lifecycle(&server.address, "bench", agents, self.length))
    }

    /// Lifecycles by few and by many agents, on a fresh database.
    fn lifecycles(&self, report: &mut Report) -> anyhow::Result<()> {
        let server = self.server(&self.database("lifecycle.db"))?;
        report.fact("Memory, idle", "MB", memory_mb(&server)?.0);
        for agents in AGENTS {
            report.progress(&format!("lifecycle, {agents} agents"));
            let live = self.live(&server, agents)?;
            let measured = self.lifecycle(&server, agents)?;
            report.lifecycle(agents, measured, live.rate());
        }
        Ok(())
    }

    /// The lifecycle beside the bare router and beside the store, in turn.
    fn ceilings(&self, report: &mut Report) -> anyhow::Result<()> {
        let server = self.server(&self.database("ceilings.db"))?;
        let store = self.direct.block_on(store::open(&self.database("store.db")))?;
        let (mut of_router, mut of_store) = (Vec::new(), Vec::new());
        for round in 1..=ROUNDS {
            report.progress(&format!("ceilings, round {round} of {ROUNDS}"));
            let started = cpu_seconds(&server)?;
            let bare = self.live(&server, JUDGED)?;
            let between = cpu_seconds(&server)?;
            let direct = self.direct.block_on(store::lifecycle(&store, JUDGED, self.length))?;
            let resumed = cpu_seconds(&server)?;
            let whole = self.lifecycle(&server, JUDGED)?;
            let ended = cpu_seconds(&server)?;
            let (live, full) = (bare.rate(), whole.rate());
            let cpu_us = (bare.each_us(between - started), whole.each_us(ended - resumed));
            report.ceiling(live, direct.rate(), full, cpu_us);
            of_router.push(full / live);
            of_store.push(full / direct.rate());
        }
        report.ratio("Lifecycle, of the bare router", median(of_router), 0.25, true);
        report.ratio("Lifecycle, of the store without HTTP", median(of_store), 0.6, true);
        Ok(())
    }

    /// Many agents claim until nothing is left.
    fn storm(&self, report: &mut Report) -> anyhow::Result<()> {
        const TASKS: usize = 20_000;
        report.progress("claim storm");
        let server = self.server(&self.database("storm.db"))?;
        let created =
            self.load.block_on(workload::fill(&server.address, "storm", TASKS, JUDGED))?;
        let claimed =
            self.load.block_on(workload::claims(&server.address, "storm", JUDGED, None))?;
        anyhow::ensure!(claimed.latencies.count() == TASKS, "not every task was claimed once");
        report.phase("Create 20,000 tasks, 64 agents", created);
        report.phase("Claim storm over them, 64 agents", claimed);
        Ok(())
    }

    /// Claims with few and with many tasks waiting, and with many agents on the full table.
    fn waiting(&self, report: &mut Report) -> anyhow::Result<()> {
        report.progress(&format!("filling a table with {} waiting tasks", self.tasks));
        let (few, many) = (self.database("few.db"), self.database("many.db"));
        for (database, tasks) in [(&few, 1_000), (&many, self.tasks)] {
            self.fill(database, "claim", queue::INCOMING, tasks)?;
            self.direct.block_on(async {
                store::hold_back(&store::open(database).await?, "claim", tasks / 10).await
            })?;
        }
        let (few, many) = (self.server(&few)?, self.server(&many)?);
        report.fact("Start with a full table of waiting tasks", "s", many.start.as_secs_f64());
        self.claims("Claim p50", &few, &many, report)?;
        report.progress("256 agents on the full table");
        let measured = self.lifecycle(&many, 256)?;
        report.phase("Lifecycle on the full table, 256 agents", measured);
        report.fact("Memory under that load, peak", "MB", memory_mb(&many)?.1);
        Ok(())
    }

    /// Claims where few tasks wait and where many do, in turn.
    fn claims(
        &self,
        figure: &str,
        few: &Server,
        many: &Server,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let mut ratios = Vec::new();
        for round in 1..=ROUNDS {
            report.progress(&format!("{figure}, round {round} of {ROUNDS}"));
            // The short queue is refilled, so that it stays about as long.
            self.load.block_on(workload::fill(&few.address, "claim", 500, 16))?;
            let until = Some(now() + self.length);
            let mut short =
                self.load.block_on(workload::claims(&few.address, "claim", 1, until))?;
            let until = Some(now() + short.elapsed);
            let mut long =
                self.load.block_on(workload::claims(&many.address, "claim", 1, until))?;
            let (short, long) = (short.latencies.quantile_ms(0.5), long.latencies.quantile_ms(0.5));
            report.pair(&format!("{figure}, few waiting and many"), "ms", short, long);
            ratios.push(long / short);
        }
        let name = format!("{figure}, many waiting against few");
        report.ratio(&name, median(ratios), 1.5, false);
        Ok(())
    }

    /// Poll and lists with few and with many finished tasks.
    fn finished(&self, report: &mut Report) -> anyhow::Result<()> {
        report.progress(&format!("filling a table with {} finished tasks", self.tasks));
        let (few, many) = (self.database("few-done.db"), self.database("many-done.db"));
        for (database, tasks) in [(&few, 1_000), (&many, self.tasks)] {
            self.fill(database, "read", queue::DONE, tasks)?;
            self.fill(database, "read", queue::INCOMING, 100)?;
        }
        let (few, many) = (self.server(&few)?, self.server(&many)?);
        report.fact("Start with a full table of finished tasks", "s", many.start.as_secs_f64());
        for (name, path) in [
            ("Poll", "/api/v1/scheduler/poll?scope=read"),
            ("List, waiting", "/api/v1/tasks?scope=read&queue=incoming"),
            ("List, all", "/api/v1/tasks?scope=read"),
            ("List, finished", "/api/v1/tasks?scope=read&queue=done"),
        ] {
            let mut ratios = Vec::new();
            for round in 1..=ROUNDS {
                report.progress(&format!("{name}, round {round} of {ROUNDS}"));
                let p50 = |server: &Server| -> anyhow::Result<f64> {
                    let get = workload::get(&server.address, path, 1, self.length / 3);
                    Ok(self.load.block_on(get)?.latencies.quantile_ms(0.5))
                };
                let (short, long) = (p50(&few)?, p50(&many)?);
                report.pair(&format!("{name} p50, few finished and many"), "ms", short, long);
                ratios.push(long / short);
            }
            let name = format!("{name} p50, many finished against few");
            report.ratio(&name, median(ratios), 1.5, false);
        }
        Ok(())
    }

    fn fill(
        &self,
        database: &Path,
        scope: &str,
        queue: &'static str,
        tasks: usize,
    ) -> anyhow::Result<()> {
        self.direct.block_on(async {
            let store = store::open(database).await?;
            store::fill(&store, scope, queue, tasks).await
        })
    }
}
