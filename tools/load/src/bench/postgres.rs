//! The server on PostgreSQL, beside the same server on SQLite.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use octopoid_store::{
    Store,
    engine::{Engine, Statement, Value},
};
use octopoid_store_postgres::{Location, Options, Postgres};
use octopoid_testbed::{
    Server,
    postgres::{Durability, Options as Cluster, Scratch},
};

use super::{
    Bench, ROUNDS,
    measure::{Measured, median},
    report::Report,
    server, store, workload,
};

/// How many agents take tasks through their lives.
const AGENTS: usize = 32;

/// Waiting tasks, as many as wanted, each with the event of its creation.
const WAITING: &str = "INSERT INTO tasks (id, file_path, queue, branch, commits_count, \
     attempt_count, has_plan, auto_accept, rejection_count, needs_rebase, created_at, updated_at, \
     version, needs_breakdown, review_round, title, scope, needs_intervention, write_id, content, \
     events, is_awaited) \
     SELECT ?1 || n, 'tasks/' || ?1 || n || '.md', 'incoming', 'main', 0, 0, 0, 0, 0, 0, ?2, ?2, \
     1, 0, 0, 'Task ' || n, 'claim', 0, n, 'Do the work that task ' || n || ' describes.', 1, 0 \
     FROM generate_series(1, ?3) AS n";
const CREATED: &str = "INSERT INTO events \
     (position, scope, kind, subject, seq, event, at, version, queue) \
     SELECT ROW_NUMBER() OVER (), scope, 'task', id, 1, 'created', created_at, version, queue FROM tasks";

/// Measures all there is to compare.
pub(crate) fn measure(bench: &Bench, minutes: u64, report: &mut Report) -> anyhow::Result<()> {
    let scratch = Scratch::start(&Cluster::new(Durability::Full))?;
    engines(bench, &scratch, report)?;
    waiting(bench, &scratch, report)?;
    dead_rows(bench, &scratch, minutes, report)
}

/// A database of its own in the cluster.
pub(super) async fn database(scratch: &Scratch, name: &str) -> anyhow::Result<String> {
    let server: Location = scratch.url().parse()?;
    let schema = format!("CREATE SCHEMA {name}");
    let engine = Postgres::open(&server, Options::default())?;
    run(&engine, Statement { sql: schema.into(), parameters: Vec::new() }).await?;
    Ok(format!("{}?options=-csearch_path%3D{name}", scratch.url()))
}

async fn engine(url: &str) -> anyhow::Result<Arc<Postgres>> {
    let engine = Arc::new(Postgres::open(&url.parse()?, Options::default())?);
    store::over(engine.clone()).await?;
    Ok(engine)
}

async fn run(engine: &Postgres, statement: Statement) -> anyhow::Result<Vec<Vec<Value>>> {
    Ok(engine.write(vec![statement]).await?.pop().unwrap_or_default())
}

/// Lifecycles on SQLite, on PostgreSQL with one server, and with two, in turn.
fn engines(bench: &Bench, scratch: &Scratch, report: &mut Report) -> anyhow::Result<()> {
    let url = bench.direct.block_on(database(scratch, "lifecycle"))?;
    let sqlite = bench.server(&bench.database("beside-postgres.db"))?;
    let first = server::start(&bench.binary, &url)?;
    let second = server::start(&bench.binary, &url)?;
    let (mut of_sqlite, mut of_one) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        report.progress(&format!("SQLite and PostgreSQL, round {round} of {ROUNDS}"));
        let embedded = bench.lifecycle(&sqlite, AGENTS)?;
        let one = bench.lifecycle(&first, AGENTS)?;
        let two = both(bench, &first, &second)?;
        report.progress(&format!(
            "requests/s: {:.0} on SQLite, {:.0} on PostgreSQL, {:.0} on two servers",
            embedded.rate(),
            one.rate(),
            two.rate()
        ));
        of_sqlite.push(one.rate() / embedded.rate());
        of_one.push(two.rate() / one.rate());
        if round == ROUNDS {
            report.phase("Lifecycle on SQLite, 32 agents", embedded);
            report.phase("Lifecycle on PostgreSQL, 32 agents", one);
            report.phase("Lifecycle on PostgreSQL, 32 agents on two servers", two);
        }
    }
    report.ratio("Lifecycle on PostgreSQL, of SQLite", median(of_sqlite), 0.25, true);
    report.ratio("Lifecycle on PostgreSQL, two servers of one", median(of_one), 0.95, true);
    Ok(())
}

/// Half of the agents on each of two servers.
fn both(bench: &Bench, first: &Server, second: &Server) -> anyhow::Result<Measured> {
    let half = |server: &Server| {
        let address = server.address.clone();
        let length = bench.length;
        async move { workload::lifecycle(&address, "bench", AGENTS / 2, length).await }
    };
    let (one, two) = (half(first), half(second));
    let (mut one, two) = bench.load.block_on(async {
        let other = tokio::spawn(two);
        let one = one.await?;
        anyhow::Ok((one, other.await??))
    })?;
    one.latencies.merge(two.latencies);
    one.elapsed = one.elapsed.max(two.elapsed);
    Ok(one)
}

/// Claims with few and with many tasks waiting.
fn waiting(bench: &Bench, scratch: &Scratch, report: &mut Report) -> anyhow::Result<()> {
    let mut servers = Vec::new();
    for (name, tasks) in [("few", 1_000), ("many", bench.tasks)] {
        report.progress(&format!("filling PostgreSQL with {tasks} waiting tasks"));
        let url = bench.direct.block_on(async {
            let url = database(scratch, name).await?;
            fill(&url, name, tasks).await?;
            store::hold_back(&Store::new(engine(&url).await?), "claim", 1_000).await?;
            anyhow::Ok(url)
        })?;
        servers.push(server::start(&bench.binary, &url)?);
    }
    bench.claims("PostgreSQL: claim p50", &servers[0], &servers[1], report)
}

/// What a bulk load leaves is told to the planner, as autovacuum would within a minute.
async fn fill(url: &str, prefix: &str, tasks: usize) -> anyhow::Result<()> {
    const STRETCH: usize = 50_000;
    let engine = engine(url).await?;
    for from in (0..tasks).step_by(STRETCH) {
        let count = i64::try_from(STRETCH.min(tasks - from))?;
        let parameters = vec![format!("{prefix}-{from}-").into(), 0_i64.into(), count.into()];
        run(&engine, Statement { sql: WAITING.into(), parameters }).await?;
    }
    for sql in [CREATED, "ANALYZE"] {
        run(&engine, Statement { sql: sql.into(), parameters: Vec::new() }).await?;
    }
    Ok(())
}

/// Lifecycles for minutes, which leave dead rows behind.
fn dead_rows(
    bench: &Bench,
    scratch: &Scratch,
    minutes: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    let url = bench.direct.block_on(database(scratch, "bloat"))?;
    let server = server::start(&bench.binary, &url)?;
    let engine = bench.direct.block_on(engine(&url))?;
    let mut rates = Vec::new();
    for minute in 1..=minutes.max(2) {
        report.progress(&format!("dead rows, minute {minute} of {minutes}"));
        let length = Duration::from_mins(1);
        let lives = workload::lifecycle(&server.address, "bench", AGENTS, length);
        let measured = bench.load.block_on(lives)?;
        rates.push(measured.rate());
        let (dead, size) = bench.direct.block_on(bloat(&engine))?;
        let name = format!(
            "Lifecycle on PostgreSQL, 32 agents, minute {minute} \
             ({dead} dead rows, {size} MB)"
        );
        report.phase(&name, measured);
    }
    let slowest = rates.iter().copied().fold(f64::INFINITY, f64::min);
    report.ratio("PostgreSQL: requests/s, slowest minute of first", slowest / rates[0], 0.9, true);
    Ok(())
}

/// How many dead rows the table of tasks has, and how large it is with its indexes, in MB.
async fn bloat(engine: &Postgres) -> anyhow::Result<(i64, i64)> {
    const SQL: &str = "SELECT n_dead_tup, pg_total_relation_size(relid) / 1000000 \
         FROM pg_stat_user_tables WHERE relname = 'tasks' AND schemaname = current_schema()";
    let rows = run(engine, Statement { sql: SQL.into(), parameters: Vec::new() }).await?;
    let row = rows.into_iter().next().context("there is no table of tasks")?;
    let [Value::Int(dead), Value::Int(size)] = row[..] else {
        anyhow::bail!("statistics of another shape");
    };
    Ok((dead, size))
}
