//! What boards cost: they follow the events of a scope, and read its summary instead while more
//! happens than a person can follow.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use octopoid_domain::queue;
use octopoid_testbed::Server;
use serde_json::Value;
use tokio::io::AsyncReadExt;

use super::{
    Bench, events,
    http::Connection,
    measure::{Latencies, Measured, median, run},
    report::Report,
    server::cpu_seconds,
    workload,
};
use crate::clock::{now, pause};

/// How many boards are open.
const BOARDS: usize = 100;
/// How many lifecycles happen in a second, and by how many agents.
const LIFECYCLES: u32 = 100;
const AGENTS: usize = 16;
/// How many tasks wait meanwhile.
const WAITING: [usize; 2] = [100, 10_000];
/// How often the time without boards and the time with them are measured in turn.
const ROUNDS: usize = 3;
/// So many events in a second make a board close its stream.
const EVENTS_MAX: usize = 50;
/// The events of a lifecycle.
const EVENTS_EACH: f64 = 4.0;
/// The mean time between two summaries that a board reads. The times differ by a fifth.
const PERIOD: Duration = Duration::from_secs(2);
/// Half a core is the most that the boards may add.
const CORES_MAX: f64 = 0.5;
const SCOPE: &str = "bench";
const SUMMARY: &str = "/api/v1/summary?scope=bench";
/// While much happens, a summary of the last second will do.
const AGE: &str = "cache-control: max-age=1\r\n";

/// Measures all there is to say about boards.
pub(super) fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    for waiting in WAITING {
        let database = bench.database(&format!("boards-{waiting}.db"));
        bench.fill(&database, SCOPE, queue::INCOMING, waiting)?;
        let server = bench.server(&database)?;
        let name = format!("{waiting} tasks waiting");
        summary(bench, &server, &name, report)?;
        load(bench, &server, &name, report)?;
    }
    Ok(())
}

/// What a summary takes that is computed for one request.
fn summary(bench: &Bench, server: &Server, name: &str, report: &mut Report) -> anyhow::Result<()> {
    report.progress(&format!("summaries, {name}"));
    let get = workload::get(&server.address, SUMMARY, 1, bench.length);
    let mut measured = bench.load.block_on(get)?;
    let fact = format!("Summary p50, {name}");
    report.fact(&fact, "ms", measured.latencies.quantile_ms(0.5));
    Ok(())
}

/// The processor time that boards add while much happens.
fn load(bench: &Bench, server: &Server, name: &str, report: &mut Report) -> anyhow::Result<()> {
    let length = bench.length * 4;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let mut latencies = Latencies::default();
    for round in 1..=ROUNDS {
        report.progress(&format!("boards, {name}, round {round} of {ROUNDS}"));
        for (boards, cores) in [(0, &mut without), (BOARDS, &mut with)] {
            let before = cpu_seconds(server)?;
            let started = now();
            let work = work(&server.address, boards, length);
            let summaries = bench.load.block_on(work)?;
            let used = (cpu_seconds(server)? - before) / started.elapsed().as_secs_f64();
            let count = summaries.latencies.count();
            check_reads(boards, count, length)?;
            report.progress(&format!("  {boards} boards read {count} summaries: {used:.3} cores"));
            cores.push(used);
            latencies.merge(summaries.latencies);
        }
    }
    let (without, with) = (median(without), median(with));
    report.fact(&format!("Processor time at 100 lifecycles/s, {name}"), "cores", without);
    report.fact(&format!("The same beside 100 boards, {name}"), "cores", with);
    let fact = format!("Summary of a board p99, {name}");
    report.fact(&fact, "ms", latencies.quantile_ms(0.99));
    let ratio = format!("Cores that 100 boards add, {name}");
    report.ratio(&ratio, with - without, CORES_MAX, false);
    Ok(())
}

/// Boards that went on following the events, or whose summaries took long, would seem to cost little.
fn check_reads(boards: usize, summaries: usize, length: Duration) -> anyhow::Result<()> {
    let periods = usize::try_from(length.as_millis() / PERIOD.as_millis())?;
    let least = boards * periods / 2;
    ensure!(summaries >= least, "{boards} boards read {summaries} summaries, not {least}");
    Ok(())
}

/// Lifecycles at a rate beside boards. Returns the summaries that these have read.
async fn work(address: &str, boards: usize, length: Duration) -> anyhow::Result<Measured> {
    let until = now() + length;
    let agents = workload::paced(address, SCOPE, (AGENTS, LIFECYCLES), length, |_, _| ());
    let boards = run(boards, |number| {
        let address = address.to_owned();
        async move {
            let mut latencies = Latencies::default();
            while now() < until {
                follow(&address, until).await?;
                read_summaries(&address, number, until, &mut latencies).await?;
            }
            Ok(latencies)
        }
    });
    let (agents, boards) = tokio::try_join!(agents, boards)?;
    let (expected, done) = (f64::from(LIFECYCLES) * EVENTS_EACH, agents.rate());
    ensure!(done > 0.9 * expected, "{done:.0} of {expected:.0} requests/s were answered");
    Ok(boards)
}

/// Follows the events until there are too many in a second.
async fn follow(address: &str, until: Instant) -> anyhow::Result<()> {
    let mut stream = events::open(address, SCOPE).await?;
    let mut buffer = Vec::with_capacity(64 * 1024);
    let (mut second, mut events) = (now(), 0);
    while events <= EVENTS_MAX {
        let left = until.saturating_duration_since(now());
        let Ok(length) = tokio::time::timeout(left, stream.read_buf(&mut buffer)).await else {
            break;
        };
        ensure!(length? > 0, "the server closed the stream");
        if now() - second >= Duration::from_secs(1) {
            (second, events) = (now(), 0);
        }
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
            let rest = buffer.split_off(end + 2);
            let block = std::mem::replace(&mut buffer, rest);
            events += usize::from(block.windows(6).any(|window| window == b"data: "));
        }
    }
    Ok(())
}

/// Reads summaries until less happens.
async fn read_summaries(
    address: &str,
    board: usize,
    until: Instant,
    latencies: &mut Latencies,
) -> anyhow::Result<()> {
    let mut connection = Connection::open(address).await?;
    let mut last: Option<(Instant, i64)> = None;
    for number in 0.. {
        pause(jittered(board, number).min(until.saturating_duration_since(now()))).await;
        if now() >= until {
            break;
        }
        let start = now();
        let answer = connection.get_with(SUMMARY, AGE).await?;
        ensure!(answer.status == 200, "a summary answered {}", answer.status);
        latencies.record(start);
        let ended = ended(answer.body)?;
        if let Some((then, before)) = last.replace((start, ended))
            && events_per_second(ended - before, start - then) < EVENTS_MAX / 2
        {
            break;
        }
    }
    Ok(())
}

/// The time before a board's next summary: 80 to 120 % of the period, differently for each.
fn jittered(board: usize, number: usize) -> Duration {
    let percent = 80 + (board * 17 + number * 29) % 41;
    PERIOD * u32::try_from(percent).unwrap_or(100) / 100
}

/// How many tasks have ended by now.
fn ended(summary: &[u8]) -> anyhow::Result<i64> {
    let summary: Value = serde_json::from_slice(summary)?;
    let hours = summary["hours"].as_array().context("a summary has hours")?;
    let count = |hour: &Value| hour["done"].as_i64().zip(hour["failed"].as_i64());
    Ok(hours.iter().filter_map(count).map(|(done, failed)| done + failed).sum())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a few hundred, and not negative"
)]
fn events_per_second(ended: i64, elapsed: Duration) -> usize {
    (ended as f64 * EVENTS_EACH / elapsed.as_secs_f64()).round() as usize
}
