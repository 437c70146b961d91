//! The cases that cost a server most, each in turn with the ordinary one.

use std::time::Duration;

use anyhow::{Context, ensure};
use octopoid_domain::queue;
use octopoid_testbed::Server;
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    Bench, ROUNDS,
    http::Connection,
    measure::Latencies,
    report::Report,
    store,
    workload::{self, claim, new_task},
};
use crate::clock::{now, pause};

/// How many tasks a small tenant has.
const SMALL: usize = 20;
/// How many types of tasks a queue has.
const TYPES: usize = 30;
/// How many tasks of these types there are at least: more than the rounds claim.
const TYPED_MIN: usize = 20_000;
/// How many claims wait for a task.
const WAITING: usize = 200;
/// How many rows a page has on the way to a page deep down.
const PAGE: usize = 500;

/// Measures all of them.
pub(super) fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    tenants(bench, report)?;
    types(bench, report)?;
    depth(bench, report)?;
    waiting(bench, report)
}

/// A small tenant alone, and beside one that has a full table of waiting tasks.
fn tenants(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    report.progress("a small tenant beside a large one");
    let (alone, beside) = (bench.database("small.db"), bench.database("tenants.db"));
    bench.fill(&alone, "small", queue::INCOMING, SMALL)?;
    bench.fill(&beside, "small", queue::INCOMING, SMALL)?;
    bench.fill(&beside, "large", queue::INCOMING, bench.tasks)?;
    let servers = (bench.server(&alone)?, bench.server(&beside)?);
    for (name, path) in [
        ("List p50", "/api/v1/tasks?scope=small"),
        ("Summary p50", "/api/v1/summary?scope=small"),
        ("Poll p50", "/api/v1/scheduler/poll?scope=small"),
    ] {
        let figure = format!("{name} of a small tenant, alone and beside a large one");
        pairs(&figure, &servers, report, |server| {
            let get = workload::get(&server.address, path, 1, bench.length / 3);
            Ok(bench.load.block_on(get)?.latencies.quantile_ms(0.5))
        })?;
    }
    pairs("Lifecycle's request p50 of a small tenant, the same", &servers, report, |server| {
        let lifecycle = workload::lifecycle(&server.address, "small", 1, bench.length / 3);
        Ok(bench.load.block_on(lifecycle)?.latencies.quantile_ms(0.5))
    })
}

/// Claims of any type where all tasks have one, and where they have many.
fn types(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    report.progress(&format!("claims from {TYPES} types"));
    let (one, many) = (bench.database("one-type.db"), bench.database("types.db"));
    for (database, types) in [(&one, 1), (&many, TYPES)] {
        bench.direct.block_on(async {
            let store = store::open(database).await?;
            store::fill_types(&store, "claim", types, TYPED_MIN.max(bench.tasks / 10)).await
        })?;
    }
    let servers = (bench.server(&one)?, bench.server(&many)?);
    pairs("Claim p50, of one type and of thirty", &servers, report, |server| {
        let until = Some(now() + bench.length / 3);
        let claims = workload::claims(&server.address, "claim", 1, until);
        Ok(bench.load.block_on(claims)?.latencies.quantile_ms(0.5))
    })
}

/// The first page of a list, and one in the middle of it.
fn depth(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    report.progress("a page deep down in a list");
    let database = bench.database("deep.db");
    bench.fill(&database, "deep", queue::DONE, bench.tasks)?;
    let server = bench.server(&database)?;
    for filter in ["", "&queue=done"] {
        let list = format!("/api/v1/tasks?scope=deep{filter}");
        let deep = bench.load.block_on(middle(&server, &list, bench.tasks / 2))?;
        let p50 = |path: &str| -> anyhow::Result<f64> {
            let get = workload::get(&server.address, path, 1, bench.length / 3);
            Ok(bench.load.block_on(get)?.latencies.quantile_ms(0.5))
        };
        let name = if filter.is_empty() { "List, all" } else { "List, finished" };
        for _ in 0..ROUNDS {
            let figures = (p50(&format!("{list}&limit=50&cursor="))?, p50(&deep)?);
            let name = format!("{name} p50, first page and one in the middle");
            report.pair(&name, "ms", figures.0, figures.1);
        }
    }
    Ok(())
}

/// The path of the page behind so many rows of a list.
async fn middle(server: &Server, list: &str, rows: usize) -> anyhow::Result<String> {
    let mut connection = Connection::open(&server.address).await?;
    let mut cursor = String::new();
    for _ in 0..rows / PAGE {
        let page = connection.get(&format!("{list}&limit={PAGE}&cursor={cursor}")).await?;
        let text = String::from_utf8_lossy(page.body);
        ensure!(page.status == 200, "{list} answered {}: {text}", page.status);
        let (_, next) = text.rsplit_once("\"next_cursor\":\"").context("the list has ended")?;
        next.split('"').next().unwrap_or_default().clone_into(&mut cursor);
    }
    Ok(format!("{list}&limit=50&cursor={cursor}"))
}

/// The time from sending a new task to the arrival of the claim that gets it, while one claim waits
/// and while many do.
fn waiting(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    report.progress(&format!("{WAITING} waiting claims"));
    let server = bench.server(&bench.database("waiting.db"))?;
    for round in 1..=ROUNDS {
        let p50 = |waiting| -> anyhow::Result<f64> {
            // A scope of its own, in which no claim waits that was given up.
            let scope = format!("waiting-{waiting}-{round}");
            let handed_out = hand_out(&server.address, &scope, waiting, bench.length / 3);
            Ok(bench.load.block_on(handed_out)?.quantile_ms(0.5))
        };
        let figures = (p50(1)?, p50(WAITING)?);
        let name = "From a new task to its claim p50, one waiting claim and 200";
        report.pair(name, "ms", figures.0, figures.1);
    }
    Ok(())
}

/// Creates tasks one by one for claims that wait.
async fn hand_out(
    address: &str,
    scope: &str,
    waiting: usize,
    length: Duration,
) -> anyhow::Result<Latencies> {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let mut claims = JoinSet::new();
    for agent in 0..waiting {
        let (address, body, arrived) = (address.to_owned(), claim(scope, agent), arrived.clone());
        claims.spawn(async move {
            let mut connection = Connection::open(&address).await?;
            loop {
                let wait = "prefer: wait=50\r\n";
                let answer = connection.post_with("/api/v1/tasks/claim", wait, &body).await?;
                let status = answer.status;
                ensure!(status == 200 || status == 404, "a waiting claim answered {status}");
                if status == 200 && arrived.send(now()).is_err() {
                    return Ok(());
                }
            }
        });
    }
    drop(arrived);
    // So that all of them wait.
    pause(length / 4).await;
    let mut connection = Connection::open(address).await?;
    let (mut latencies, until) = (Latencies::default(), now() + length);
    while now() < until {
        let start = now();
        let answer = connection.post("/api/v1/tasks", &new_task(scope).1).await?;
        ensure!(answer.status == 201, "a creation answered {}", answer.status);
        let arrival = arrivals.recv().await.context("no claim waits any more")?;
        latencies.record_between(start, arrival);
    }
    Ok(latencies)
}

/// Measures a figure of both servers in turn.
fn pairs(
    figure: &str,
    (ordinary, worst): &(Server, Server),
    report: &mut Report,
    measure: impl Fn(&Server) -> anyhow::Result<f64>,
) -> anyhow::Result<()> {
    for _ in 0..ROUNDS {
        let (one, other) = (measure(ordinary)?, measure(worst)?);
        report.pair(figure, "ms", one, other);
    }
    Ok(())
}
