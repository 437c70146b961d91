//! Finished tasks are counted as they finish. That the counts are right is looked at after every
//! case; these are the ways in and out.

use octopoid_store::Result;
use serde_json::json;

use crate::{Verdict, World, audit, ensure_eq, world::everything};

cases! {
    every_way_into_and_out_of_a_finished_queue_is_counted,
    a_refused_step_is_not_counted,
    counts_hold_for_more_tasks_than_there_are_shards,
}

/// How many tasks of the world's scope are in a queue, by the list's total.
async fn total(world: &World, queue: &str) -> Result<i64> {
    let mut filter = everything();
    filter.queues = vec![queue.to_owned()];
    Ok(world.lists(filter).await?.1)
}

async fn every_way_into_and_out_of_a_finished_queue_is_counted(world: &World) -> Verdict {
    let mut expected = (0, 0);
    world.hands_in("a").await?;
    for (step, done, failed) in [
        ("accept", 1, 0),
        ("force to failed", -1, 1),
        ("force to done", 1, -1),
        ("patch to failed", -1, 1),
        ("patch to incoming", 0, -1),
        ("force to done", 1, 0),
        ("patch to incoming", -1, 0),
        ("create done", 1, 0),
        ("create failed", 0, 1),
        ("delete done", -1, 0),
        ("delete failed", 0, -1),
        ("patch to failed", 0, 1),
        ("force to failed", 0, 0),
        ("patch to failed", 0, 0),
        ("force to claimed", 0, -1),
        ("delete open", 0, 0),
    ] {
        let (verb, queue) = step.rsplit_once(' ').unwrap_or((step, ""));
        match verb {
            "accept" => drop(world.accepts("a").await?),
            "force to" => drop(world.forces("a", queue).await?),
            "patch to" => drop(world.patches("a", json!({ "queue": queue })).await?),
            "create" => drop(world.creates_with(queue, json!({ "queue": queue })).await?),
            _ if queue == "open" => world.deletes("a").await?,
            _ if verb == "delete" => world.deletes(queue).await?,
            _ => drop(world.accepts("a").await?),
        }
        expected = (expected.0 + done, expected.1 + failed);
        let found = (total(world, "done").await?, total(world, "failed").await?);
        ensure_eq!(found, expected, "done and failed after: {step}");
        audit::check(world).await?;
    }
    Ok(())
}

async fn a_refused_step_is_not_counted(world: &World) -> Verdict {
    world.creates_with("a", json!({ "queue": "done" })).await?;
    world.creates_with("a", json!({ "queue": "done" })).await.err();
    world.accepts("a").await.err();
    world.patches("a", json!({ "queue": "failed", "version": 9 })).await.err();
    ensure_eq!(total(world, "done").await?, 1, "done");
    ensure_eq!(total(world, "failed").await?, 0, "failed");
    Ok(())
}

async fn counts_hold_for_more_tasks_than_there_are_shards(world: &World) -> Verdict {
    for number in 0..40 {
        let id = number.to_string();
        world.creates_with(&id, json!({ "queue": "done" })).await?;
    }
    ensure_eq!(total(world, "done").await?, 40, "all of them");
    for number in 0..40 {
        world.forces(&number.to_string(), "incoming").await?;
    }
    ensure_eq!(total(world, "done").await?, 0, "and none again");
    Ok(())
}
