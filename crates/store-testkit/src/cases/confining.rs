//! Callers whose key confines them to a scope: for them, other scopes' tasks are not there.

use octopoid_domain::{input::parse_body, transition::Request};
use serde_json::json;

use crate::{Verdict, World, ensure, ensure_eq, ensure_refused, world::SCOPE};

cases! {
    a_confined_caller_works_in_its_own_scope,
    a_confined_caller_does_not_see_other_scopes,
    a_confined_caller_cannot_change_other_scopes,
    a_confined_caller_learns_nothing_from_a_refusal,
}

async fn a_confined_caller_works_in_its_own_scope(world: &World) -> Verdict {
    world.creates("a").await?;
    let (store, within) = (&world.store, Some(SCOPE));
    store.get_task("a", within).await?;
    let patch = parse_body(br#"{"title":"t"}"#)?;
    store.update_task("a", within, patch, world.stamp()).await?;
    let forced = Request::ForceQueue(parse_body(br#"{"queue":"failed","reason":"r"}"#)?);
    store.change_task("a", within, &forced, world.stamp()).await?;
    store.delete_task("a", within, world.stamp()).await?;
    let told = store.task_history("a", within, 0, 10).await?;
    ensure_eq!(told.len(), 4, "its whole history, also after the end");
    Ok(())
}

async fn a_confined_caller_does_not_see_other_scopes(world: &World) -> Verdict {
    world.creates("a").await?;
    let within = Some("other");
    ensure_refused!(world.store.get_task("a", within).await, "task_not_found");
    let told = world.store.task_history("a", within, 0, 10).await?;
    ensure!(told.is_empty(), "no history");
    world.deletes("a").await?;
    let told = world.store.task_history("a", within, 0, 10).await?;
    ensure!(told.is_empty(), "nor that of a deleted task");
    Ok(())
}

async fn a_confined_caller_cannot_change_other_scopes(world: &World) -> Verdict {
    let held = world.works_on("a").await?;
    let (store, within) = (&world.store, Some("other"));
    let requests = [
        Request::Submit(parse_body(br#"{"commits_count":1,"turns_used":1}"#)?),
        Request::Accept(parse_body(br#"{"accepted_by":"me"}"#)?),
        Request::Reject(parse_body(br#"{"reason":"r","rejected_by":"me"}"#)?),
        Request::Requeue(parse_body(b"{}")?),
        Request::ForceQueue(parse_body(br#"{"queue":"done","reason":"r"}"#)?),
        Request::CompleteHook("h".to_owned(), parse_body(br#"{"status":"passed"}"#)?),
    ];
    for request in requests {
        let answer = store.change_task("a", within, &request, world.stamp()).await;
        ensure_refused!(answer, "task_not_found");
    }
    let patch = parse_body(br#"{"title":"t"}"#)?;
    let answer = store.update_task("a", within, patch, world.stamp()).await;
    ensure_refused!(answer, "task_not_found");
    let answer = store.delete_task("a", within, world.stamp()).await;
    ensure_refused!(answer, "task_not_found");
    ensure_eq!(world.reads("a").await?, held, "it stays as it was");
    ensure_eq!(world.events("a").await?, ["created", "claimed"], "no event");
    Ok(())
}

/// Whether the task of another scope exists must not show in the words.
async fn a_confined_caller_learns_nothing_from_a_refusal(world: &World) -> Verdict {
    world.creates("a").await?;
    let mut words = Vec::new();
    for id in ["a", "nothing"] {
        let patch = parse_body(json!({ "queue": "x", "version": 7 }).to_string().as_bytes())?;
        let answer = world.store.update_task(id, Some("other"), patch, world.stamp()).await;
        words.push(crate::verdict::words(&answer));
    }
    ensure_eq!(words[0], words[1], "the same words for both");
    Ok(())
}
