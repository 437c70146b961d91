//! Event streams: how soon an event arrives, and what idle streams cost.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use octopoid_testbed::{
    Server,
    postgres::{Durability, Options as Cluster, Scratch},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    Bench, JUDGED, ROUNDS,
    measure::{Latencies, median},
    postgres::database,
    report::Report,
    server::{self, memory_mb},
    workload,
};
use crate::clock::now;

/// How many streams are idle.
const STREAMS: usize = 1_000;
/// How many lifecycles happen in a second while latencies are measured, and by how many agents.
const LIFECYCLES: u32 = 200;
const AGENTS: usize = 32;
/// An event that has not arrived after this time counts as lost.
const ARRIVAL_MAX: Duration = Duration::from_secs(10);

/// When each request was sent, by the type of its event and the id of its task.
type Sent = Arc<Mutex<HashMap<String, Instant>>>;

/// Measures all there is to say about streams.
pub(super) fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    idle(bench, report)?;
    let server = bench.server(&bench.database("events.db"))?;
    latency(bench, "one server", (&server, &server), report)?;
    let scratch = Scratch::start(&Cluster::new(Durability::Full))?;
    let url = bench.direct.block_on(database(&scratch, "events"))?;
    let first = server::start(&bench.binary, &url)?;
    let second = server::start(&bench.binary, &url)?;
    latency(bench, "PostgreSQL, one server", (&first, &first), report)?;
    latency(bench, "PostgreSQL, two servers", (&first, &second), report)
}

/// Memory of a server with idle streams, and its throughput beside that of one without.
fn idle(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    report.progress(&format!("{STREAMS} idle event streams"));
    let alone = bench.server(&bench.database("no-streams.db"))?;
    let server = bench.server(&bench.database("streams.db"))?;
    // What the first requests take stays with the server.
    bench.live(&server, JUDGED)?;
    let before = memory_mb(&server)?.0;
    let streams = bench.load.block_on(async {
        let mut streams = Vec::with_capacity(STREAMS);
        for _ in 0..STREAMS {
            streams.push(open(&server.address, "idle").await?);
        }
        anyhow::Ok(streams)
    })?;
    let name = "Memory of 1,000 idle event streams";
    report.fact(name, "MB", memory_mb(&server)?.0 - before);
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        report.progress(&format!("lifecycles beside idle streams, round {round} of {ROUNDS}"));
        let without = bench.lifecycle(&alone, JUDGED)?;
        let with = bench.lifecycle(&server, JUDGED)?;
        ratios.push(with.rate() / without.rate());
    }
    report.ratio("Lifecycle beside 1,000 idle streams, of alone", median(ratios), 0.95, true);
    drop(streams);
    Ok(())
}

/// The time from sending a request to one server to the arrival of its event from another. It
/// includes the time of the request.
fn latency(
    bench: &Bench,
    name: &str,
    (writer, reader): (&Server, &Server),
    report: &mut Report,
) -> anyhow::Result<()> {
    report.progress(&format!("event latency, {name}"));
    let sent = Sent::default();
    let (mut latencies, mut requests) = bench.load.block_on(async {
        let stream = open(&reader.address, "bench").await?;
        let following = tokio::spawn(follow(stream, Arc::clone(&sent)));
        let announce = move |event: &'static str, id: &str| {
            let key = format!("{event} {id}");
            sent.lock().unwrap_or_else(PoisonError::into_inner).insert(key, now());
        };
        let rate = (AGENTS, LIFECYCLES);
        let work = workload::paced(&writer.address, "bench", rate, bench.length, announce);
        let requests = work.await?.latencies;
        anyhow::Ok((following.await??, requests))
    })?;
    // Of the four events of a lifecycle, three are known before they happen.
    let expected = requests.count() / 4 * 3;
    let arrived = latencies.count();
    ensure!(arrived == expected, "{arrived} of {expected} events arrived");
    for (name_of_share, share) in [("p50", 0.5), ("p99", 0.99)] {
        let fact = format!("Event latency {name_of_share}, {name}");
        report.fact(&fact, "ms", latencies.quantile_ms(share));
    }
    let fact = format!("Request latency p99 meanwhile, {name}");
    report.fact(&fact, "ms", requests.quantile_ms(0.99));
    Ok(())
}

/// Opens a stream and reads up to its first event.
pub(super) async fn open(address: &str, scope: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await.context("cannot connect")?;
    let request = format!(
        "GET /api/v1/events?scope={scope} HTTP/1.1\r\nhost: localhost\r\n\
         accept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut text = Vec::new();
    while !has(&text, b"\nid: ") {
        ensure!(stream.read_buf(&mut text).await? > 0, "the server closed a stream");
        ensure!(text.starts_with(b"HTTP/1.1 200"), "no stream: {}", String::from_utf8_lossy(&text));
    }
    Ok(stream)
}

/// Reads events until none arrives for a while, and measures those whose request is known.
async fn follow(mut stream: TcpStream, sent: Sent) -> anyhow::Result<Latencies> {
    let mut latencies = Latencies::default();
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut arrived = Vec::<(Instant, Vec<u8>)>::new();
    loop {
        let reading = tokio::time::timeout(ARRIVAL_MAX / 4, stream.read_buf(&mut buffer)).await;
        let Ok(length) = reading else { break };
        ensure!(length? > 0, "the server closed the stream");
        let at = now();
        while let Some(end) = buffer.windows(2).position(|pair| pair == b"\n\n") {
            let rest = buffer.split_off(end + 2);
            arrived.push((at, std::mem::replace(&mut buffer, rest)));
        }
    }
    let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
    for (at, block) in arrived {
        let Some(data) = data(&block) else { continue };
        let event: Value = serde_json::from_slice(data).context("an event is JSON")?;
        let (name, id) = (event["type"].as_str(), event["subject"]["id"].as_str());
        let key = format!("{} {}", name.unwrap_or_default(), id.unwrap_or_default());
        if let Some(since) = sent.get(&key) {
            latencies.record_between(*since, at);
        }
    }
    Ok(latencies)
}

/// The JSON of an event. Lines of the transfer coding stand between those of the stream.
fn data(block: &[u8]) -> Option<&[u8]> {
    let start = block.windows(6).position(|window| window == b"data: ")? + 6;
    Some(block[start..].trim_ascii_end())
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
