//! Many clients at once.

use std::collections::BTreeSet;

use anyhow::ensure;
use tokio::task::JoinSet;

use crate::{Edge, Verdict, claim_by, new_task};

const CLIENTS: usize = 32;
const TASKS: usize = 320;

pub(crate) async fn thirty_two_clients_share_the_tasks_without_a_quarrel(edge: Edge) -> Verdict {
    let client = edge.holder("storm").await?;
    let mut makers = JoinSet::new();
    for maker in 0..CLIENTS {
        let client = client.clone();
        makers.spawn(async move {
            for number in (maker..TASKS).step_by(CLIENTS) {
                client.create_task(&new_task(&format!("storm-{number}"))).await?;
            }
            anyhow::Ok(())
        });
    }
    makers.join_all().await.into_iter().collect::<anyhow::Result<()>>()?;

    let mut claimers = JoinSet::new();
    for number in 0..CLIENTS {
        let client = client.clone();
        claimers.spawn(async move {
            let (agent, mut claimed) = (format!("agent-{number}"), Vec::new());
            // Any status but 200 and the 404 that says "nothing" is an error here.
            while let Some(task) = client.claim_task(&claim_by(&agent)).await? {
                ensure!(task.claimed_by.as_deref() == Some(&*agent), "{task:?}");
                claimed.push(task.id.clone());
            }
            Ok(claimed)
        });
    }
    let claimed: Vec<Vec<String>> =
        claimers.join_all().await.into_iter().collect::<anyhow::Result<_>>()?;
    let claimed = claimed.concat();
    let distinct: BTreeSet<_> = claimed.iter().collect();
    ensure!(claimed.len() == TASKS, "{} of {TASKS} tasks were claimed", claimed.len());
    ensure!(distinct.len() == TASKS, "{} tasks were claimed twice", TASKS - distinct.len());
    Ok(())
}
