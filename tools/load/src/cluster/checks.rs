//! What is checked at the end: what the API answers, and what is in the database.

use std::collections::HashMap;

use anyhow::{Context as _, ensure};
use futures_util::future::join_all;
use octopoid_domain::{event::Event, journal::JournalEvent};
use serde_json::Value;
use tokio_postgres::NoTls;

use super::{
    answers::{Reply, Request},
    verdict::word,
    work::{SCOPE, Work},
};

/// How many tasks are checked at the same time.
const READERS: usize = 8;

/// Each is one number, and what it must be: the number of tasks, or nothing.
const COUNTS: [(&str, bool, &str); 9] = [
    ("tasks", true, "SELECT count(*) FROM tasks"),
    ("tasks that are done", true, "SELECT count(*) FROM tasks WHERE queue = 'done'"),
    ("events of acceptance", true, "SELECT count(*) FROM events WHERE event = 'accepted'"),
    (
        "tasks with an event of acceptance",
        true,
        "SELECT count(DISTINCT subject) FROM events WHERE event = 'accepted'",
    ),
    (
        "finished tasks as counted",
        true,
        "SELECT coalesce(sum(tasks), 0)::BIGINT FROM finished_counts WHERE queue = 'done'",
    ),
    (
        "tasks whose history does not have all their changes",
        false,
        "SELECT count(*) FROM tasks WHERE events <> \
         (SELECT count(*) FROM events WHERE subject = tasks.id AND seq IS NOT NULL)",
    ),
    (
        "tasks with a version that is not the last in their history",
        false,
        "SELECT count(*) FROM tasks WHERE version <> \
         (SELECT coalesce(max(version), 0) FROM events WHERE subject = tasks.id)",
    ),
    (
        "claims without a run, or runs without a claim",
        false,
        "SELECT count(*) FROM (SELECT subject AS id, count(*) AS n FROM events \
         WHERE event IN ('claimed', 'review_claimed') GROUP BY subject) AS claims \
         FULL JOIN (SELECT task_id AS id, count(*) AS n FROM runs GROUP BY task_id) AS own \
         USING (id) WHERE claims.n IS DISTINCT FROM own.n",
    ),
    (
        "runs that have not ended",
        false,
        "SELECT count(*) FROM runs WHERE outcome = 'running' OR ended_at IS NULL",
    ),
];

/// Notes whatever is wrong with the tasks, as each server's lists tell it, and histories that are
/// not those of the journal.
pub(crate) async fn check_api(
    work: &Work,
    tasks: usize,
    journal: &[JournalEvent],
) -> anyhow::Result<()> {
    for server in 0..work.servers.addresses.len() {
        let list = format!("/api/v1/tasks?scope={SCOPE}&queue=done&limit=1");
        let total = ask(work, server, &list).await?["total"].as_u64();
        if total != u64::try_from(tasks).ok() {
            work.servers.tally.broken(format!("server {server} counts {total:?} finished tasks"));
        }
        let poll = ask(work, server, &format!("/api/v1/scheduler/poll?scope={SCOPE}")).await?;
        for queue in ["incoming", "claimed", "provisional"] {
            let count = &poll["queue_counts"][queue];
            if count != 0 {
                work.servers.tally.broken(format!("server {server} counts {count} in {queue}"));
            }
        }
    }
    let mut of_task = HashMap::<&str, Vec<&JournalEvent>>::new();
    for event in journal.iter().filter(|event| event.subject.kind == "task") {
        of_task.entry(&event.subject.id).or_default().push(event);
    }
    let of_task = &of_task;
    let ids: Vec<_> = work.ids().collect();
    let readers = ids.chunks(ids.len().div_ceil(READERS).max(1)).enumerate();
    let readers = readers.map(|(server, ids)| async move {
        for id in ids {
            let path = format!("/api/v1/tasks/{id}/history?scope={SCOPE}&limit=500");
            let history = ask(work, server, &path).await?;
            let events: Vec<Event> = serde_json::from_value(history["events"].clone())
                .with_context(|| format!("the history of {id} is {history}"))?;
            let kept = of_task.get(&**id).map(Vec::as_slice).unwrap_or_default();
            if !is_same(&events, kept) {
                work.servers.tally.broken(format!("{id}: its history is not that of the journal"));
            }
        }
        anyhow::Ok(())
    });
    join_all(readers).await.into_iter().collect()
}

/// Whether a history, numbered from 1, has the same events as the journal.
fn is_same(history: &[Event], journal: &[&JournalEvent]) -> bool {
    history.len() == journal.len()
        && (1..).zip(history).zip(journal).all(|((number, event), kept)| {
            event.id == number
                && event.event == word(kept)
                && (&event.agent, &event.details, event.timestamp)
                    == (&kept.actor, &kept.details, kept.at)
        })
}

async fn ask(work: &Work, server: usize, path: &str) -> anyhow::Result<Value> {
    let request = Request { operation: "check", path, body: None, key: None };
    match work.servers.ask(server, request).await {
        Reply::Answered(answer) if answer.status == 200 => Ok(answer.body),
        other => anyhow::bail!("{path} came to {other:?} when nothing was killed any more"),
    }
}

/// Notes whatever is wrong with the rows themselves.
pub(crate) async fn check_database(work: &Work, url: &str, tasks: usize) -> anyhow::Result<()> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    for (what, is_all, sql) in COUNTS {
        let found: i64 = client.query_one(sql, &[]).await?.try_get(0)?;
        let expected = if is_all { i64::try_from(tasks)? } else { 0 };
        if found != expected {
            work.servers.tally.broken(format!("{found} {what}, and not {expected}"));
        }
    }
    drop(client);
    connection.await??;
    Ok(())
}

/// The versions of the schema that were entered, of which each migration leaves one.
pub(crate) async fn migrations(url: &str) -> anyhow::Result<usize> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    let rows = client.query("SELECT version FROM schema_versions ORDER BY version", &[]).await?;
    let versions: Vec<i64> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    drop(client);
    connection.await??;
    let first = *versions.first().context("no migration was applied")?;
    let in_order: Vec<i64> = (first..).take(versions.len()).collect();
    ensure!(versions == in_order, "the migrations applied are {versions:?}");
    Ok(versions.len())
}
