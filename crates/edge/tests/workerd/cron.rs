//! The cron trigger, pulled by hand.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use octopoid_domain::task::LeaseSeconds;

use crate::{Edge, Verdict, claim_by, new_task};

/// The path at which `wrangler dev --test-scheduled` runs the cron trigger. The runtime's own path
/// reaches the asset server, which has none.
const TRIGGER: &str = "/__scheduled";

/// How long the lease may take to end and the job to notice.
const WAIT_MAX: Duration = Duration::from_secs(20);

pub(crate) async fn the_cron_trigger_takes_lapsed_work_back(edge: Edge) -> Verdict {
    let client = edge.holder("cron").await?;
    client.create_task(&new_task("cron-1")).await?;
    let mut claim = claim_by("silent");
    claim.lease_duration_seconds = LeaseSeconds::new(1.0);
    client.claim_task(&claim).await?.context("nothing to claim")?;

    let http = octopoid_client::http(&edge.url).build()?;
    let released = async {
        loop {
            let answer = http.get(format!("{}{TRIGGER}", edge.url)).send().await?;
            ensure!(answer.status() == 200, "{answer:?}");
            let task = client.get_task("cron-1").await?;
            if task.queue == "incoming" {
                return Ok(task);
            }
        }
    };
    let task =
        tokio::time::timeout(WAIT_MAX, released).await.context("it was never released")??;
    ensure!(task.claimed_by.is_none() && task.attempt_count == Some(1), "{task:?}");
    let history = client.task_history("cron-1", &[]).await?;
    let last = history.events.last().context("there is no history")?;
    ensure!(last.event == "requeued", "{last:?}");
    ensure!(last.details.as_deref() == Some("Lease expired"), "{last:?}");
    Ok(())
}
