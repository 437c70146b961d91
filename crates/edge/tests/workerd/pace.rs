//! How fast the Worker is, compared with the fastest that it can be here.
#![allow(clippy::print_stdout, reason = "figures are what this is for")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use octopoid_client::Client;
use octopoid_domain::steps::{Accept, Submit};

use crate::{Edge, Verdict, claim_by, new_task};

const CLIENTS: usize = 16;
/// How often both are measured in turn, so that whatever else the machine does disturbs both.
const ROUNDS: u32 = 5;
const LENGTH: Duration = Duration::from_secs(2);

/// Requests of lifecycles for each request that does nothing, at least. Low enough for a machine that
/// does something else as well.
const RATIO_MIN: f64 = 0.1;

#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn now() -> Instant {
    Instant::now()
}

pub(crate) async fn lifecycle_requests_keep_pace_with_doing_nothing(edge: Edge) -> Verdict {
    // The administrator's key is compared and not looked up.
    let client = edge.administrator()?.with_scope("pace");
    let url = format!("{}/livez", edge.url);
    let http = reqwest::Client::builder().no_proxy().build()?;
    // Before it counts, so that neither pays for the other's first steps.
    rate("warm", async |name| life(&client, &name).await).await?;
    let (mut idle, mut busy) = (0.0, 0.0);
    for round in 0..ROUNDS {
        idle += rate("", async |_| {
            let answer = http.get(&url).send().await?;
            ensure!(answer.status() == 200, "{answer:?}");
            answer.bytes().await?;
            Ok(1)
        })
        .await?;
        busy += rate(&round.to_string(), async |name| life(&client, &name).await).await?;
    }
    let (idle, busy) = (idle / f64::from(ROUNDS), busy / f64::from(ROUNDS));
    let ratio = busy / idle;
    println!(
        "\n{CLIENTS} clients: {busy:.0} lifecycle requests/s, {idle:.0} of /livez/s: {ratio:.2}"
    );
    ensure!(ratio >= RATIO_MIN, "the ratio is {ratio:.2}, not {RATIO_MIN}");
    Ok(())
}

/// Requests per second, when every client does the same again and again. `work` says how many
/// requests it made; it is told a name that nobody else is told.
async fn rate(
    name: &str,
    work: impl AsyncFn(String) -> anyhow::Result<u32>,
) -> anyhow::Result<f64> {
    let start = now();
    let clients = (0..CLIENTS).map(async |client| {
        let mut requests = 0;
        for turn in 0_u32.. {
            if start.elapsed() >= LENGTH {
                break;
            }
            requests += work(format!("{name}-{client}-{turn}")).await?;
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
