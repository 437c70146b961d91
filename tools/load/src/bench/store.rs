//! The store without HTTP: the ceiling that the API can reach, and a quick way to fill a database.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use octopoid_domain::{
    Millis, Task,
    decide::Request,
    input::parse_body,
    lease::LeaseSecret,
    pause::Pause,
    steps::{Accept, Reject, Submit},
    task::{ClaimRequest, NewTask},
};
use octopoid_store::{Stamp, Store, engine::SharedEngine};
use octopoid_store_sqlite::{Location, Sqlite};

use crate::clock::now;

use super::{
    measure::{Latencies, Measured, run},
    workload::new_task,
};

/// Any instant will do: nothing here waits for a lease to end.
const NOW: Millis = Millis(1_795_294_738_605);

pub(crate) async fn open(database: &Path) -> anyhow::Result<Store> {
    over(Arc::new(Sqlite::open(&Location::File(database.to_owned()))?)).await
}

/// The store on an engine, with the newest schema.
pub(crate) async fn over(engine: SharedEngine) -> anyhow::Result<Store> {
    let store = Store::new(engine);
    store.migrate(NOW).await?;
    Ok(store)
}

/// Stamps that differ: a number spread over the bits that a stamp keeps.
fn stamp() -> Stamp {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    Stamp::new(next.wrapping_mul(0x9e37_79b9_7f4a_7c15), NOW)
}

/// A secret for a lease token. The benchmark uses none.
fn secret() -> LeaseSecret {
    LeaseSecret::new([7; 16])
}

fn parsed<T: serde::de::DeserializeOwned>(body: &str) -> anyhow::Result<T> {
    parse_body(body.as_bytes()).map_err(Into::into)
}

/// The same lifecycle as over HTTP, bodies parsed and all, but called directly.
pub(crate) async fn lifecycle(
    store: &Store,
    agents: usize,
    length: Duration,
) -> anyhow::Result<Measured> {
    let until = now() + length;
    run(agents, |agent| {
        let store = store.clone();
        async move {
            let mut latencies = Latencies::default();
            while now() < until {
                one_life(&store, agent, &mut latencies).await?;
            }
            Ok(latencies)
        }
    })
    .await
}

async fn one_life(store: &Store, agent: usize, latencies: &mut Latencies) -> anyhow::Result<()> {
    let (_, body) = new_task("bench");
    let start = now();
    let new = parsed::<NewTask>(&body)?.into_task(None, NOW)?;
    store.create_task(new, None, stamp()).await?;
    latencies.record(start);

    let start = now();
    let claim: ClaimRequest =
        parsed(&format!("{{\"orchestrator_id\":\"bench-box\",\"agent_name\":\"agent-{agent}\"}}"))?;
    let task = store
        .claim_task("bench", None, &claim, &secret(), stamp())
        .await?
        .context("nothing to claim")?;
    latencies.record(start);

    let start = now();
    let submit: Submit = parsed("{\"commits_count\":3,\"turns_used\":42}")?;
    store.change_task(&task.task.id, None, &Request::Submit(Box::new(submit)), stamp()).await?;
    latencies.record(start);

    let start = now();
    let accept: Accept = parsed("{\"accepted_by\":\"bench\"}")?;
    store.change_task(&task.task.id, None, &Request::Accept(accept), stamp()).await?;
    latencies.record(start);
    Ok(())
}

/// Puts tasks into a queue, many at a time.
pub(crate) async fn fill(
    store: &Store,
    scope: &str,
    queue: &'static str,
    tasks: usize,
) -> anyhow::Result<()> {
    fill_with(store, scope, tasks, |new| queue.clone_into(&mut new.queue)).await
}

/// Puts what claims of a scope pass over beside its waiting tasks: so many that are delayed, and
/// pauses of another queue, another role and another pool.
pub(crate) async fn hold_back(store: &Store, scope: &str, tasks: usize) -> anyhow::Result<()> {
    const YEAR_MS: i64 = 31_536_000_000;
    fill_with(store, scope, tasks, |new| new.not_before = Some(NOW.plus(10 * YEAR_MS))).await?;
    for target in ["queue:other", "role:other", "pool:other"] {
        let pause = Pause {
            scope: scope.to_owned(),
            target: target.to_owned(),
            until: None,
            reason: "benchmark".to_owned(),
            by: "bench".to_owned(),
            is_automatic: false,
            created_at: NOW,
        };
        store.put_pause(&pause, stamp()).await?;
    }
    Ok(())
}

/// Puts waiting tasks into a scope, of so many types in turn.
pub(crate) async fn fill_types(
    store: &Store,
    scope: &str,
    types: usize,
    tasks: usize,
) -> anyhow::Result<()> {
    for number in 0..types {
        let change = move |new: &mut Task| new.kind = Some(format!("type-{number}"));
        fill_with(store, scope, tasks / types, change).await?;
    }
    Ok(())
}

async fn fill_with(
    store: &Store,
    scope: &str,
    tasks: usize,
    change: impl Fn(&mut Task) + Copy + Send + Sync + 'static,
) -> anyhow::Result<()> {
    const AGENTS: usize = 512;
    let filled = run(AGENTS, |agent| {
        let (store, scope) = (store.clone(), scope.to_owned());
        async move {
            let mut latencies = Latencies::default();
            for _ in (agent..tasks).step_by(AGENTS) {
                let start = now();
                let mut new = parsed::<NewTask>(&new_task(&scope).1)?.into_task(None, NOW)?;
                change(&mut new);
                store.create_task(new, None, stamp()).await?;
                latencies.record(start);
            }
            Ok(latencies)
        }
    })
    .await?;
    ensure!(filled.latencies.count() == tasks, "not every task was created");
    Ok(())
}

/// Puts tasks into the queue that have been claimed, submitted and rejected before: each has four
/// events and a message.
pub(crate) async fn fill_with_rejected(store: &Store, tasks: usize) -> anyhow::Result<()> {
    const AGENTS: usize = 512;
    let filled = run(AGENTS, |agent| {
        let store = store.clone();
        async move {
            let mut latencies = Latencies::default();
            for _ in (agent..tasks).step_by(AGENTS) {
                let start = now();
                one_rejection(&store, &format!("agent-{agent}")).await?;
                latencies.record(start);
            }
            Ok(latencies)
        }
    })
    .await?;
    ensure!(filled.latencies.count() == tasks, "not every task was created");
    Ok(())
}

async fn one_rejection(store: &Store, agent: &str) -> anyhow::Result<()> {
    let scope = format!("scope of {agent}");
    let mut new = parsed::<NewTask>(&new_task(&scope).1)?.into_task(None, NOW)?;
    // Elsewhere than where it is rejected to, so that the claim takes this one.
    "new".clone_into(&mut new.queue);
    store.create_task(new, None, stamp()).await?;
    let body = format!(
        "{{\"orchestrator_id\":\"bench-box\",\"agent_name\":\"{agent}\",\"queue\":\"new\"}}"
    );
    let claim: ClaimRequest = parsed(&body)?;
    let task = store.claim_task(&scope, None, &claim, &secret(), stamp()).await?;
    let id = task.context("nothing to claim")?.task.id;
    let submit: Submit = parsed("{\"commits_count\":3,\"turns_used\":42}")?;
    store.change_task(&id, None, &Request::Submit(Box::new(submit)), stamp()).await?;
    let reject: Reject = parsed("{\"rejected_by\":\"bench\",\"reason\":\"Not yet: 'that'.\"}")?;
    store.change_task(&id, None, &Request::Reject(reject), stamp()).await?;
    Ok(())
}
