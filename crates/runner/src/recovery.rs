//! Brings the runs of a runner that was killed to their end.

use std::sync::Arc;

use crate::{
    hand_in::HandIn,
    process,
    records::{Record, RunFolder},
    runner::Shared,
};

/// Looks for runs that no process looks after. What has ended is handed in; what has not is given back
/// to the queue, with its work tree kept for the next attempt. Before that, no process of it is left.
pub(crate) fn recover(shared: &Arc<Shared>) {
    for (folder, record) in shared.records.orphans() {
        let config = &shared.config;
        if record.server != config.server || record.scope != config.scope {
            // Its own runner has the key for it.
            continue;
        }
        let shared = Arc::clone(shared);
        tokio::spawn(async move { recover_run(&shared, folder, record).await });
    }
}

async fn recover_run(shared: &Shared, folder: RunFolder, record: Record) {
    let mark = record.mark.clone();
    let grace = shared.config.limits.grace;
    let files = folder.path.clone();
    let ended = tokio::task::spawn_blocking(move || process::recover(&files, &mark, grace)).await;
    if let Ok(Err(error)) = ended {
        let text = format!("processes of run {} of {}: {error}", record.run, record.task_id);
        shared.notices.tell("error", text);
    }
    let is_ended = record.end.is_some();
    let hand_in = record.end.unwrap_or_else(|| {
        let message = "The runner was killed while the agent worked; the work tree is kept";
        HandIn::failed(&record.token, "drained", message)
    });
    let mut is_told = false;
    let on_delay = |error: &octopoid_client::Error| {
        if !std::mem::replace(&mut is_told, true) {
            let text = format!("run {} of {}: {error}; asking again", record.run, record.task_id);
            shared.notices.tell("offline", text);
        }
    };
    let delivered = hand_in.deliver(&shared.config.client, &record.task_id, on_delay).await;
    let what = if is_ended { "handed in" } else { "given back" };
    let text = match delivered {
        Ok(_) => format!("run {} of {} was {what}", record.run, record.task_id),
        Err(error) => format!("run {} of {}: {error}", record.run, record.task_id),
    };
    shared.notices.tell("recovered", text);
    if let Err(error) = folder.close() {
        shared.notices.tell("error", format!("cannot close {}: {error}", folder.path.display()));
    }
}
