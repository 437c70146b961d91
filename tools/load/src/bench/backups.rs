//! Backups of a server under load: what they cost its agents, and whether each holds the state of
//! one moment.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context as _, ensure};
use octopoid_client::Client;
use octopoid_domain::{
    journal::{Cursor, JournalEvent},
    queue,
};
use octopoid_testbed::Server;
use serde::Deserialize;

use super::{
    Bench, JUDGED, ROUNDS,
    measure::{Measured, median},
    report::Report,
};
use crate::{
    journal,
    server::{OCTOPOID, binary},
};

/// How many finished tasks the database has before.
const TASKS: usize = 100_000;
const SCOPE: &str = "bench";
/// The smallest part of the pace that agents must keep beside a backup.
const PACE_MIN: f64 = 0.9;

/// A backup, as the command prints it.
#[derive(Deserialize)]
struct Backup {
    file: PathBuf,
    last_event: i64,
    bytes: u64,
}

/// Measures lifecycles without and beside backups, in turn, and checks the backups.
pub(super) fn measure(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let database = bench.database("backups.db");
    bench.fill(&database, SCOPE, queue::DONE, TASKS)?;
    let server = bench.server(&database)?;
    let folder = bench.database("backups");
    let (mut ratios, mut kept) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        report.progress(&format!("backups, round {round} of {ROUNDS}"));
        let alone = bench.lifecycle(&server, JUDGED)?;
        let head = bench.load.block_on(head(&server))?;
        let (beside, backups) = beside_backups(bench, &server, &database, &folder)?;
        ratios.push(beside.rate() / alone.rate());
        report.progress(&format!("  {} backups", backups.len()));
        report.phase("Lifecycle without a backup, 64 agents", alone);
        report.phase("Lifecycle beside backups, 64 agents", beside);
        let last = backups.into_iter().next_back().context("no backup was made")?;
        kept.push((head, last));
    }
    report.ratio("Lifecycle beside a backup, of without", median(ratios), PACE_MIN, true);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let bytes = kept.last().map_or(0.0, |(_, backup)| backup.bytes as f64 / 1e6);
    report.fact("Backup of that database, compressed", "MB", bytes);
    report.progress("restoring the backups");
    let journal = bench.load.block_on(read_all(&server))?;
    for (head, backup) in &kept {
        judge(bench, backup, *head, &journal)?;
    }
    Ok(())
}

/// Lifecycles while one backup after the other is made. Those that are begun are completed.
fn beside_backups(
    bench: &Bench,
    server: &Server,
    database: &Path,
    folder: &Path,
) -> anyhow::Result<(Measured, Vec<Backup>)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let backups = scope.spawn(|| {
            let mut made = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                made.push(back_up(database, folder)?);
            }
            anyhow::Ok(made)
        });
        let measured = bench.lifecycle(server, JUDGED);
        is_over.store(true, Ordering::Relaxed);
        let backups = backups.join().map_err(|_| anyhow::anyhow!("the backups panicked"))?;
        Ok((measured?, backups?))
    })
}

fn back_up(database: &Path, folder: &Path) -> anyhow::Result<Backup> {
    let url = format!("sqlite:{}", database.display());
    let made = octopoid()?
        .args(["backup", "create", "--output", "json", "--database", &url, "--to"])
        .arg(folder)
        .output()?;
    ensure!(made.status.success(), "no backup: {}", String::from_utf8_lossy(&made.stderr));
    Ok(serde_json::from_slice(&made.stdout)?)
}

/// Restores a backup, and compares it with the journal that the server has in the end: it must be a
/// beginning of it, with all that was acknowledged before the backup began (`head`). Each task must
/// be where its last event left it.
fn judge(
    bench: &Bench,
    backup: &Backup,
    head: Cursor,
    journal: &[JournalEvent],
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(&bench.folder).context("cannot make a folder")?;
    let database = folder.path().join("restored.db");
    let restored = octopoid()?
        .args(["backup", "restore", "--database", &format!("sqlite:{}", database.display())])
        .arg(&backup.file)
        .stdout(Stdio::null())
        .status()?;
    ensure!(restored.success(), "{} was not restored", backup.file.display());
    let server = bench.server(&database)?;
    let found = bench.load.block_on(read_all(&server))?;
    ensure!(found.len() <= journal.len(), "the backup has more events than the server");
    ensure!(found == journal[..found.len()], "the backup's journal is not a beginning of all");
    let last = found.last().map(|event| event.id);
    ensure!(last >= Some(head), "events up to {head} were acknowledged, and {last:?} is the last");
    ensure!(backup.last_event > 0, "the backup says that it has no events");
    bench.load.block_on(check_tasks(&server, &found))
}

/// Compares how many tasks are in each queue with where their last events left them.
async fn check_tasks(server: &Server, journal: &[JournalEvent]) -> anyhow::Result<()> {
    let mut places = HashMap::<&str, &str>::new();
    for event in journal.iter().filter(|event| event.subject.kind == "task") {
        places.insert(&event.subject.id, event.queue.as_deref().unwrap_or_default());
    }
    let client = client(server)?;
    for queue in [queue::INCOMING, queue::CLAIMED, queue::PROVISIONAL, queue::DONE] {
        let query = [("scope", SCOPE), ("queue", queue), ("limit", "1")];
        let total = client.list_tasks(&query).await?.total;
        let expected = places.values().filter(|place| **place == queue).count();
        ensure!(total == expected, "{queue} has {total} tasks, and {expected} by the journal");
    }
    Ok(())
}

/// Where the journal ends.
async fn head(server: &Server) -> anyhow::Result<Cursor> {
    Ok(client(server)?.list_events(&[("scope", SCOPE)]).await?.next_cursor)
}

/// The whole journal.
async fn read_all(server: &Server) -> anyhow::Result<Vec<JournalEvent>> {
    journal::read_on(&client(server)?, SCOPE, &mut "0".to_owned()).await
}

fn client(server: &Server) -> anyhow::Result<Client> {
    Ok(Client::new(&format!("http://{}", server.address))?)
}

/// The command line, without the database of this machine's environment.
fn octopoid() -> anyhow::Result<Command> {
    let mut command = Command::new(binary(OCTOPOID)?);
    command.env_remove("DATABASE_URL");
    Ok(command)
}
