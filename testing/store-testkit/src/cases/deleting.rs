//! Deleting tasks.

use octopoid_store::engine::Value as Cell;
use serde_json::json;

use crate::{Verdict, World, ensure, ensure_eq, ensure_refused, world::AGENT};

cases! {
    a_deleted_task_is_gone,
    a_task_may_be_deleted_in_any_queue,
    history_outlives_its_task,
    an_id_can_be_used_again_and_history_goes_on,
    versions_of_an_id_never_repeat,
    a_stale_worker_cannot_hand_in_for_a_new_task_of_the_same_name,
    deleting_takes_the_task_out_of_the_waiting,
    messages_outlive_their_task,
    deleting_an_unknown_task_is_refused,
}

async fn a_deleted_task_is_gone(world: &World) -> Verdict {
    world.creates_all(&["a", "b"]).await?;
    world.deletes("a").await?;
    ensure_refused!(world.reads("a").await, "task_not_found");
    ensure_eq!(world.drains(json!({})).await?, ["b"], "it cannot be claimed");
    ensure_refused!(world.forces("a", "done").await, "task_not_found");
    Ok(())
}

async fn a_task_may_be_deleted_in_any_queue(world: &World) -> Verdict {
    for queue in ["incoming", "provisional", "done", "failed", "backlog"] {
        world.creates_with(queue, json!({ "queue": queue })).await?;
        world.deletes(queue).await?;
    }
    world.works_on("held").await?;
    world.deletes("held").await?;
    ensure_refused!(world.submits("held").await, "task_not_found");
    let (ids, total) = world.lists(crate::world::everything()).await?;
    ensure_eq!((ids.len(), total), (0, 0), "nothing is left");
    Ok(())
}

async fn history_outlives_its_task(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.passes(1);
    world.deletes("a").await?;
    ensure_eq!(world.events("a").await?, ["created", "claimed", "deleted"], "the events");
    let last = world.history("a").await?.pop();
    ensure_eq!(last.map(|event| event.timestamp), Some(world.now()), "when it was deleted");
    Ok(())
}

async fn an_id_can_be_used_again_and_history_goes_on(world: &World) -> Verdict {
    world.creates("a").await?;
    world.deletes("a").await?;
    let task = world.creates("a").await?;
    ensure_eq!(task.version, 2, "versions go on as well");
    ensure_eq!(world.events("a").await?, ["created", "deleted", "created"], "one history");
    let numbers: Vec<_> = world.history("a").await?.iter().map(|event| event.id).collect();
    ensure_eq!(numbers, [1, 2, 3], "numbered without a gap");
    Ok(())
}

async fn versions_of_an_id_never_repeat(world: &World) -> Verdict {
    let mut last = 0;
    for round in 0..3 {
        let waits = json!({ "blocked_by": "marker" });
        let fields = if round == 1 { waits } else { json!({}) };
        let created = world.creates_with("a", fields).await?;
        ensure_eq!(created.version, last + 1, "one more than the last of the task before");
        let patched = world.patches("a", json!({ "title": "t" })).await?;
        ensure_eq!(patched.version, last + 2, "and on");
        // What waits for nothing else is freed: a change that the task did not ask for.
        world.patches("a", json!({ "blocked_by": null })).await?;
        last = world.reads("a").await?.version;
        world.deletes("a").await?;
    }
    ensure_eq!(world.creates("b").await?.version, 1, "other ids begin at one");
    Ok(())
}

async fn a_stale_worker_cannot_hand_in_for_a_new_task_of_the_same_name(world: &World) -> Verdict {
    let old = world.works_on("a").await?;
    world.deletes("a").await?;
    let new = world.works_on("a").await?;
    let late = json!({
        "commits_count": 1, "turns_used": 1, "agent_name": AGENT, "version": old.version,
    });
    ensure_refused!(world.submits_with("a", late).await, "version_conflict");
    ensure_eq!(world.reads("a").await?, new, "the new task is left alone");
    Ok(())
}

async fn deleting_takes_the_task_out_of_the_waiting(world: &World) -> Verdict {
    world.creates("a").await?;
    world.creates_with("b", json!({ "blocked_by": "a" })).await?;
    world.deletes("b").await?;
    // The new task of that name must not wait for what the old one waited for.
    let task = world.creates("b").await?;
    ensure_eq!(task.blocked_by, None, "it waits for nothing");
    world.forces("a", "done").await?;
    ensure_eq!(world.reads("b").await?, task, "and nothing changes it");
    Ok(())
}

async fn messages_outlive_their_task(world: &World) -> Verdict {
    world.creates("a").await?;
    world.forces("a", "failed").await?;
    world.deletes("a").await?;
    let left = world.runs("SELECT task_id FROM messages", vec![]).await?;
    ensure_eq!(left, [[Cell::from("a")]], "the message of the move");
    Ok(())
}

async fn deleting_an_unknown_task_is_refused(world: &World) -> Verdict {
    ensure_refused!(world.deletes("a").await, "task_not_found", "Task not found");
    ensure!(world.events("a").await?.is_empty(), "no history");
    world.creates("a").await?;
    world.deletes("a").await?;
    ensure_refused!(world.deletes("a").await, "task_not_found", "Task not found");
    Ok(())
}
