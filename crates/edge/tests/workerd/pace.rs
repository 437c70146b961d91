//! How fast the Worker is, compared with the fastest that it can be here.
#![allow(clippy::print_stdout, reason = "figures are what this is for")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use libtest_mimic::Measurement;
use octopoid_client::Client;
use octopoid_domain::steps::{Accept, Submit};

use crate::{Edge, claim_by, new_task};

const CLIENTS: usize = 16;
/// Lifecycle requests for each request that does nothing, as far as they should be.
const TARGET: f64 = 0.3;
/// How often both are measured in turn, so that whatever else the machine does disturbs both.
const ROUNDS: u32 = 5;
const LENGTH: Duration = Duration::from_secs(3);

#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn now() -> Instant {
    Instant::now()
}

/// Measures lifecycles beside requests that do nothing. If it is only to be tried, both are done
/// once by every client.
pub(crate) async fn lifecycles_beside_doing_nothing(
    edge: Edge,
    is_trial: bool,
) -> anyhow::Result<Option<Measurement>> {
    // The administrator's key is compared and not looked up.
    let client = edge.administrator()?.with_scope("pace");
    let url = format!("{}/livez", edge.url);
    let http = octopoid_client::http(&edge.url).build()?;
    let nothing = async |_| {
        let answer = http.get(&url).send().await?;
        ensure!(answer.status() == 200, "{answer:?}");
        answer.bytes().await?;
        Ok(1)
    };
    // Before it counts, so that neither pays for the other's first steps.
    let warming = if is_trial { Duration::ZERO } else { LENGTH };
    rate(warming, nothing).await?;
    rate(warming, async |name| life(&client, &format!("warm-{name}")).await).await?;
    if is_trial {
        return Ok(None);
    }
    let (mut idle, mut busy) = (0.0, 0.0);
    let (mut slowest, mut fastest) = (f64::INFINITY, 0.0_f64);
    for round in 0..ROUNDS {
        idle += rate(LENGTH, nothing).await? / f64::from(ROUNDS);
        let lives = async |name| life(&client, &format!("{round}-{name}")).await;
        let rate = rate(LENGTH, lives).await?;
        busy += rate / f64::from(ROUNDS);
        (slowest, fastest) = (slowest.min(rate), fastest.max(rate));
    }
    println!(
        "\n{CLIENTS} clients: {busy:.0} lifecycle requests/s, {idle:.0} of /livez/s: {:.2}, target \
         {TARGET}",
        busy / idle
    );
    let nanoseconds = |rate: f64| u64::try_from(Duration::from_secs_f64(1.0 / rate).as_nanos());
    let variance = nanoseconds(slowest)? - nanoseconds(fastest)?;
    Ok(Some(Measurement { avg: nanoseconds(busy)?, variance }))
}

/// Requests per second, when every client does the same again and again for so long, and at least
/// once. `work` says how many requests it made; it is told a name that nobody else is told.
async fn rate(
    length: Duration,
    work: impl AsyncFn(String) -> anyhow::Result<u32>,
) -> anyhow::Result<f64> {
    let start = now();
    let clients = (0..CLIENTS).map(async |client| {
        let mut requests = 0;
        for turn in 0_u32.. {
            requests += work(format!("{client}-{turn}")).await?;
            if start.elapsed() >= length {
                break;
            }
        }
        anyhow::Ok(requests)
    });
    let requests = futures_util::future::try_join_all(clients).await?;
    Ok(f64::from(requests.iter().sum::<u32>()) / start.elapsed().as_secs_f64())
}

/// The life of a task; whoever claims goes on with whatever came.
async fn life(client: &Client, name: &str) -> anyhow::Result<u32> {
    client.create_task(&new_task(&format!("pace-{name}"))).await?;
    let task = client.claim_task(&claim_by(name)).await?.context("nothing to claim")?;
    let report = Submit { commits_count: 1.into(), turns_used: 7.into(), ..Submit::default() };
    client.submit_task(&task.id, &report).await?;
    let accept = Accept { accepted_by: "human".into(), ..Accept::default() };
    client.accept_task(&task.id, &accept).await?;
    Ok(4)
}
