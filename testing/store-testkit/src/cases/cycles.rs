//! Tasks that would wait for each other.

use octopoid_domain::Refusal;
use octopoid_store::{Result, StoreError};
use serde_json::json;

use crate::{Verdict, World, ensure_eq, ensure_refused};

cases! {
    a_new_task_that_would_wait_for_itself_is_refused,
    an_edit_that_closes_a_cycle_is_refused,
    a_cycle_is_found_however_long_the_way,
    a_cycle_stays_inside_a_scope,
    what_is_done_closes_no_cycle,
    a_cycle_can_be_avoided_by_clearing_a_link,
    several_ways_to_one_blocker_are_no_cycle,
}

async fn waits(world: &World, id: &str, blockers: &str) -> Result<()> {
    world.creates_with(id, json!({ "blocked_by": blockers })).await.map(drop)
}

/// The path of a refused cycle.
fn path<T>(answer: Result<T>) -> Vec<String> {
    match answer {
        Err(StoreError::Refused(Refusal::DependencyCycle { path })) => path,
        _ => Vec::new(),
    }
}

async fn a_new_task_that_would_wait_for_itself_is_refused(world: &World) -> Verdict {
    waits(world, "b", "a").await?;
    waits(world, "c", "x,b").await?;
    let answer = world.creates_with("a", json!({ "blocked_by": "y,c" })).await;
    ensure_eq!(path(answer), ["a", "c", "b", "a"], "the way round");
    let answer = world.creates_with("a", json!({ "blocked_by": "c", "project_id": "p" })).await;
    ensure_refused!(answer, "dependency_cycle");
    ensure_refused!(world.reads("a").await, "task_not_found");
    ensure_eq!(world.history("a").await?.len(), 0, "nor told");
    ensure_eq!(world.reads("c").await?.version, 1, "nor changed");
    world.creates_with("a", json!({ "blocked_by": "y" })).await?;
    Ok(())
}

async fn an_edit_that_closes_a_cycle_is_refused(world: &World) -> Verdict {
    world.creates_all(&["a", "b"]).await?;
    waits(world, "c", "b").await?;
    world.patches("b", json!({ "blocked_by": "a" })).await?;
    let answer = world.patches("a", json!({ "blocked_by": "c", "title": "t" })).await;
    ensure_eq!(path(answer), ["a", "c", "b", "a"], "the way round");
    let task = world.reads("a").await?;
    ensure_eq!((task.version, task.blocked_by), (1, None), "nothing was written");
    ensure_eq!(task.title, Some("a".to_owned()), "no other field either");
    let answer = world.patches("a", json!({ "blocked_by": "c", "version": 7 })).await;
    ensure_refused!(answer, "version_conflict");
    Ok(())
}

async fn a_cycle_is_found_however_long_the_way(world: &World) -> Verdict {
    world.creates("t0").await?;
    for number in 1..40 {
        waits(world, &format!("t{number}"), &format!("t{},x{number}", number - 1)).await?;
    }
    let found = path(world.patches("t0", json!({ "blocked_by": "t39" })).await);
    ensure_eq!(found.len(), 41, "every link");
    ensure_eq!((&*found[0], &*found[1], &*found[40]), ("t0", "t39", "t0"), "from end to end");
    Ok(())
}

async fn a_cycle_stays_inside_a_scope(world: &World) -> Verdict {
    world.creates_with("b", json!({ "scope": "other", "blocked_by": "a" })).await?;
    world.creates("a").await?;
    let task = world.patches("a", json!({ "blocked_by": "b" })).await?;
    ensure_eq!(task.blocked_by, Some("b".to_owned()), "another tenant's task is a marker here");
    Ok(())
}

async fn what_is_done_closes_no_cycle(world: &World) -> Verdict {
    world.creates("a").await?;
    waits(world, "b", "a").await?;
    world.forces("b", "done").await?;
    let task = world.patches("a", json!({ "blocked_by": "b" })).await?;
    ensure_eq!(task.blocked_by, None, "it need not be waited for");
    Ok(())
}

async fn a_cycle_can_be_avoided_by_clearing_a_link(world: &World) -> Verdict {
    world.creates("a").await?;
    waits(world, "b", "a").await?;
    ensure_refused!(world.patches("a", json!({ "blocked_by": "b" })).await, "dependency_cycle");
    world.patches("b", json!({ "blocked_by": null })).await?;
    let task = world.patches("a", json!({ "blocked_by": "b" })).await?;
    ensure_eq!(task.blocked_by, Some("b".to_owned()), "the link was turned round");
    Ok(())
}

async fn several_ways_to_one_blocker_are_no_cycle(world: &World) -> Verdict {
    world.creates("a").await?;
    waits(world, "b", "a").await?;
    waits(world, "c", "a").await?;
    world.creates("d").await?;
    world.patches("d", json!({ "blocked_by": "b,c,a" })).await?;
    world.patches("c", json!({ "blocked_by": "b" })).await?;
    Ok(())
}
