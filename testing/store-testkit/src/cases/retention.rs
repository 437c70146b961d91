//! Deleting tasks that have been over for long enough.

use octopoid_store::Result as Answer;
use serde_json::json;

use crate::{
    Verdict, World, ensure, ensure_eq,
    world::{DAY, everything},
};

cases! {
    tasks_that_are_over_are_deleted_after_some_time,
    a_deletion_by_age_is_an_event_and_numbers_go_on,
    tasks_that_something_needs_are_kept,
    a_step_deletes_a_bounded_number_of_tasks,
    tasks_that_are_kept_do_not_hide_others,
}

/// The jobs delete tasks that were over for 90 days, up to so many. Returns their ids, sorted.
async fn expires(world: &World, limit: usize) -> Answer<Vec<String>> {
    let before = world.now().plus(-90 * DAY);
    let expired = world.store.delete_expired(before, limit, world.stamp()).await?;
    let mut ids: Vec<_> = expired.into_iter().map(|task| task.id).collect();
    ids.sort_unstable();
    Ok(ids)
}

async fn tasks_that_are_over_are_deleted_after_some_time(world: &World) -> Verdict {
    for id in ["done", "failed", "held", "submitted"] {
        world.works_on(id).await?;
    }
    world.submits("done").await?;
    world.accepts("done").await?;
    world.forces("failed", "failed").await?;
    world.submits("submitted").await?;
    world.creates_all(&["open", "cancelled"]).await?;
    world.cancels("cancelled").await?;
    world.passes(90 * DAY);
    world.creates_with("young", json!({ "queue": "done" })).await?;
    ensure_eq!(expires(world, 10).await?, [""; 0], "it is not time yet");
    world.passes(1);
    ensure_eq!(expires(world, 10).await?, ["cancelled", "done", "failed"]);
    ensure_eq!(expires(world, 10).await?, [""; 0], "a second run finds nothing");
    let (mut left, total) = world.lists(everything()).await?;
    left.sort_unstable();
    ensure_eq!((left.join(" "), total), ("held open submitted young".to_owned(), 4));
    Ok(())
}

async fn a_deletion_by_age_is_an_event_and_numbers_go_on(world: &World) -> Verdict {
    for round in 0..2 {
        world.works_on("a").await?;
        if round == 0 {
            world.submits("a").await?;
            world.rejects("a").await?;
            world.picks("a").await?;
        }
        world.submits("a").await?;
        let accepted = world.accepts("a").await?;
        world.passes(90 * DAY + 1);
        let before = world.now().plus(-90 * DAY);
        let expired = world.store.delete_expired(before, 10, world.stamp()).await?;
        let told: Vec<_> = expired.iter().map(|task| (&*task.scope, &*task.queue)).collect();
        ensure_eq!(told, [("s", "done")]);
        ensure_eq!(expired[0].version, accepted.version);
        let last = world.history("a").await?.pop();
        let last = last.map(|event| (event.event, event.agent, event.details, event.timestamp));
        let details = Some("was done, retention expired".to_owned());
        ensure_eq!(last, Some(("deleted".to_owned(), None, details, world.now())));
        let runs = world.runs("SELECT run FROM runs", Vec::new()).await?;
        ensure_eq!(runs.len(), 1, "only the last run is left");
    }
    let next = world.works_on("a").await?;
    ensure_eq!((next.run, next.attempt), (4, 4), "runs go on");
    let numbers: Vec<_> = world.history("a").await?.iter().map(|event| event.id).collect();
    ensure!(numbers.is_sorted() && numbers.len() > 10, "{numbers:?}");
    Ok(())
}

async fn tasks_that_something_needs_are_kept(world: &World) -> Verdict {
    let nouns = world.nouns();
    nouns.creates_project("p", json!({ "status": "active" })).await;
    world.creates("blocker").await?;
    world.creates_with("waiting", json!({ "blocked_by": "blocker" })).await?;
    world.forces("blocker", "failed").await?;
    world.creates_with("part", json!({ "queue": "done", "project_id": "p" })).await?;
    world.creates_with("asked", json!({ "queue": "failed" })).await?;
    let action = nouns.proposes(json!({ "entity_id": "asked" })).await;
    world.creates_with("free", json!({ "queue": "failed" })).await?;
    world.passes(91 * DAY);
    ensure_eq!(expires(world, 10).await?, ["free"]);

    world.patches("waiting", json!({ "blocked_by": null })).await?;
    ensure_eq!(expires(world, 10).await?, ["blocker"]);
    nouns.patches_project("p", json!({ "status": "completed" })).await?;
    ensure_eq!(expires(world, 10).await?, ["part"]);
    let result = json!({ "status": "failed" });
    nouns.patches_action(&action.id, result).await?;
    ensure_eq!(expires(world, 10).await?, ["asked"]);
    Ok(())
}

async fn a_step_deletes_a_bounded_number_of_tasks(world: &World) -> Verdict {
    for number in 0..5 {
        world.creates_with(&format!("t{number}"), json!({ "queue": "done" })).await?;
    }
    world.passes(91 * DAY);
    ensure_eq!(expires(world, 2).await?, ["t0", "t1"], "the oldest first");
    ensure_eq!(expires(world, 2).await?, ["t2", "t3"]);
    ensure_eq!(expires(world, 2).await?, ["t4"]);
    Ok(())
}

async fn tasks_that_are_kept_do_not_hide_others(world: &World) -> Verdict {
    /// More than a step looks at in one place.
    const KEPT: usize = 120;
    /// A step begins at a random place, and most places lead to the task.
    const STEPS_MAX: usize = 50;
    for number in 0..KEPT {
        world.creates_with(&format!("t{number}"), json!({})).await?;
    }
    world.creates_with("last", json!({ "queue": "done" })).await?;
    world.passes(91 * DAY);
    for _ in 0..STEPS_MAX {
        if expires(world, 10).await? == ["last"] {
            return Ok(());
        }
    }
    ensure!(false, "it was not found");
    Ok(())
}
