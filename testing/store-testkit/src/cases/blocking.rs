//! Tasks that wait for others.

use octopoid_store::Result;
use serde_json::json;

use crate::{Verdict, World, ensure, ensure_eq, ensure_refused, world::SECOND};

cases! {
    a_blocked_task_cannot_be_claimed,
    accepting_the_blocker_lets_what_waits_go_on,
    a_list_of_blockers_shrinks_as_they_finish,
    going_on_is_told_and_raises_the_version,
    a_blocker_that_is_done_already_is_left_out,
    a_marker_stays_until_someone_clears_it,
    a_marker_that_becomes_a_task_ends_with_it,
    a_failed_blocker_blocks_on,
    deleting_the_blocker_lets_what_waits_go_on,
    a_reopened_blocker_blocks_nobody_anew,
    a_task_cannot_wait_for_itself,
    blanks_and_repetitions_in_a_list_do_not_count,
    a_new_list_replaces_the_old_one,
    several_wait_for_one,
    tenants_neither_block_nor_free_each_other,
    a_chain_goes_on_link_by_link,
    a_held_task_that_waits_stays_held,
    a_task_that_is_over_may_still_show_what_it_waited_for,
    ids_that_look_alike_are_not_the_same,
}

/// What a task that is created with these blockers shows.
async fn waits_for(world: &World, id: &str, blockers: &str) -> Result<Option<String>> {
    let task = world.creates_with(id, json!({ "blocked_by": blockers })).await?;
    Ok(task.blocked_by)
}

async fn waiting(world: &World, id: &str) -> Result<Option<String>> {
    Ok(world.reads(id).await?.blocked_by)
}

async fn finishes(world: &World, id: &str) -> Result<()> {
    world.forces(id, "provisional").await?;
    world.accepts(id).await.map(drop)
}

async fn a_blocked_task_cannot_be_claimed(world: &World) -> Verdict {
    for queue in ["incoming", "provisional", "backlog"] {
        let fields = json!({ "queue": queue, "blocked_by": "x", "priority": "P0" });
        world.creates_with(queue, fields).await?;
        let order = world.drains(json!({ "queue": queue })).await?;
        ensure_eq!(order, [""; 0], "nothing can be claimed from {queue}");
        world.patches(queue, json!({ "blocked_by": null })).await?;
        let order = world.drains(json!({ "queue": queue })).await?;
        ensure_eq!(order, [queue], "now it can");
    }
    Ok(())
}

async fn accepting_the_blocker_lets_what_waits_go_on(world: &World) -> Verdict {
    world.works_on("a").await?;
    ensure_eq!(waits_for(world, "b", "a").await?, Some("a".to_owned()), "it waits");
    ensure_eq!(world.claims().await?, None, "it cannot be claimed");
    world.submits("a").await?;
    ensure_eq!(waiting(world, "b").await?, Some("a".to_owned()), "it still waits");
    world.accepts("a").await?;
    ensure_eq!(waiting(world, "b").await?, None, "it waits no longer");
    ensure_eq!(world.drains(json!({})).await?, ["b"], "it can be claimed");
    Ok(())
}

async fn a_list_of_blockers_shrinks_as_they_finish(world: &World) -> Verdict {
    world.creates_all(&["a", "b", "c"]).await?;
    waits_for(world, "d", "c,a,b").await?;
    for (ends, rest) in [("a", Some("c,b".to_owned())), ("c", Some("b".to_owned())), ("b", None)] {
        ensure_eq!(world.drains(json!({ "queue": "backlog" })).await?, [""; 0], "blocked");
        finishes(world, ends).await?;
        ensure_eq!(waiting(world, "d").await?, rest, "after {ends}");
    }
    Ok(())
}

async fn going_on_is_told_and_raises_the_version(world: &World) -> Verdict {
    world.creates_all(&["a", "b"]).await?;
    waits_for(world, "c", "a,b").await?;
    world.passes(SECOND);
    finishes(world, "a").await?;
    let task = world.reads("c").await?;
    ensure_eq!((task.version, task.updated_at), (2, world.now()), "changed now");
    world.passes(SECOND);
    finishes(world, "b").await?;
    ensure_eq!(world.reads("c").await?.version, 3, "changed again");
    let history = world.history("c").await?;
    let told: Vec<_> = history
        .iter()
        .map(|event| (&*event.event, event.agent.as_deref(), event.details.as_deref()))
        .collect();
    let expected =
        [("created", None, None), ("unblocked", None, Some("a")), ("unblocked", None, Some("b"))];
    ensure_eq!(told, expected, "an event for each blocker that ended");
    Ok(())
}

async fn a_blocker_that_is_done_already_is_left_out(world: &World) -> Verdict {
    world.creates_all(&["open"]).await?;
    world.creates_with("done", json!({ "queue": "done" })).await?;
    ensure_eq!(waits_for(world, "a", "done").await?, None, "only a done one");
    ensure_eq!(waits_for(world, "b", "done,open").await?, Some("open".to_owned()), "one of two");
    let task = world.patches("a", json!({ "blocked_by": "open, done" })).await?;
    ensure_eq!(task.blocked_by, Some("open".to_owned()), "by an edit");
    let task = world.patches("a", json!({ "blocked_by": "done" })).await?;
    ensure_eq!(task.blocked_by, None, "by an edit to a done one");
    Ok(())
}

async fn a_marker_stays_until_someone_clears_it(world: &World) -> Verdict {
    world.creates("other").await?;
    let marker = Some("awaiting-approval".to_owned());
    ensure_eq!(waits_for(world, "a", "awaiting-approval").await?, marker, "it is kept");
    waits_for(world, "b", "other,awaiting-approval").await?;
    finishes(world, "other").await?;
    ensure_eq!(waiting(world, "b").await?, marker, "the marker is left");
    ensure_eq!(world.claims().await?, None, "both wait");
    let task = world.patches("a", json!({ "blocked_by": null })).await?;
    ensure_eq!(task.blocked_by, None, "cleared with null");
    let task = world.patches("b", json!({ "blocked_by": "" })).await?;
    ensure_eq!(task.blocked_by, None, "cleared with nothing");
    ensure_eq!(world.drains(json!({})).await?, ["a", "b"], "both can be claimed");
    Ok(())
}

async fn a_marker_that_becomes_a_task_ends_with_it(world: &World) -> Verdict {
    waits_for(world, "b", "later").await?;
    waits_for(world, "c", "at-once").await?;
    world.creates("later").await?;
    ensure_eq!(waiting(world, "b").await?, Some("later".to_owned()), "it waits for the task now");
    finishes(world, "later").await?;
    ensure_eq!(waiting(world, "b").await?, None, "and goes on after it");
    world.creates_with("at-once", json!({ "queue": "done" })).await?;
    ensure_eq!(waiting(world, "c").await?, None, "also if it was done from the start");
    Ok(())
}

async fn a_failed_blocker_blocks_on(world: &World) -> Verdict {
    world.creates("a").await?;
    waits_for(world, "b", "a").await?;
    world.patches("a", json!({ "queue": "failed" })).await?;
    ensure_eq!(waiting(world, "b").await?, Some("a".to_owned()), "after an edit");
    world.forces("a", "failed").await?;
    ensure_eq!(waiting(world, "b").await?, Some("a".to_owned()), "after a move");
    ensure_eq!(waits_for(world, "c", "a").await?, Some("a".to_owned()), "and for newcomers");
    Ok(())
}

async fn deleting_the_blocker_lets_what_waits_go_on(world: &World) -> Verdict {
    world.creates("a").await?;
    waits_for(world, "b", "a").await?;
    waits_for(world, "c", "a,x").await?;
    world.deletes("a").await?;
    ensure_eq!(waiting(world, "b").await?, None, "it cannot finish any more");
    ensure_eq!(waiting(world, "c").await?, Some("x".to_owned()), "the rest of the list stays");
    ensure_eq!(world.events("b").await?, ["created", "unblocked"], "it is told");
    ensure_eq!(world.drains(json!({})).await?, ["b"], "it can be claimed");
    Ok(())
}

async fn a_reopened_blocker_blocks_nobody_anew(world: &World) -> Verdict {
    world.creates("a").await?;
    waits_for(world, "b", "a").await?;
    finishes(world, "a").await?;
    world.forces("a", "incoming").await?;
    ensure_eq!(waiting(world, "b").await?, None, "what went on goes on");
    ensure_eq!(waits_for(world, "c", "a").await?, Some("a".to_owned()), "newcomers wait for it");
    finishes(world, "a").await?;
    ensure_eq!(waiting(world, "c").await?, None, "until it is done again");
    ensure_eq!(world.events("b").await?, ["created", "unblocked"], "told once");
    Ok(())
}

async fn a_task_cannot_wait_for_itself(world: &World) -> Verdict {
    let words = "A task cannot be blocked by itself";
    for list in ["a", "x, a", "a,a"] {
        let answer = world.creates_with("a", json!({ "blocked_by": list })).await;
        ensure_refused!(answer, "invalid_request", words);
    }
    let before = world.creates("a").await?;
    for list in ["a", "x,a ,y"] {
        let answer = world.patches("a", json!({ "blocked_by": list })).await;
        ensure_refused!(answer, "invalid_request", words);
    }
    ensure_eq!(world.reads("a").await?, before, "it stays as it was");
    Ok(())
}

async fn blanks_and_repetitions_in_a_list_do_not_count(world: &World) -> Verdict {
    ensure_eq!(waits_for(world, "a", " x , y,,x ").await?, Some("x,y".to_owned()), "tidied up");
    ensure_eq!(waits_for(world, "b", " , ,").await?, None, "nothing is left");
    let task = world.patches("b", json!({ "blocked_by": " x ,x" })).await?;
    ensure_eq!(task.blocked_by, Some("x".to_owned()), "by an edit");
    Ok(())
}

async fn a_new_list_replaces_the_old_one(world: &World) -> Verdict {
    world.creates_all(&["a", "b", "c"]).await?;
    waits_for(world, "d", "a,b").await?;
    let task = world.patches("d", json!({ "blocked_by": "c,b" })).await?;
    ensure_eq!(task.blocked_by, Some("c,b".to_owned()), "the new list");
    finishes(world, "a").await?;
    let task_now = world.reads("d").await?;
    ensure_eq!(task_now, task, "it waits for `a` no longer");
    finishes(world, "b").await?;
    ensure_eq!(waiting(world, "d").await?, Some("c".to_owned()), "but for the others");
    // An edit of something else keeps the list.
    let task = world.patches("d", json!({ "title": "t" })).await?;
    ensure_eq!(task.blocked_by, Some("c".to_owned()), "the list stays");
    Ok(())
}

async fn several_wait_for_one(world: &World) -> Verdict {
    world.creates("a").await?;
    for number in 0..20 {
        waits_for(world, &format!("d{number}"), "a").await?;
    }
    finishes(world, "a").await?;
    let order = world.drains(json!({})).await?;
    ensure_eq!(order.len(), 20, "all of them go on");
    for id in order {
        let events = world.events(&id).await?;
        ensure_eq!(events, ["created", "unblocked", "claimed"], "the history of {id}");
    }
    Ok(())
}

async fn tenants_neither_block_nor_free_each_other(world: &World) -> Verdict {
    waits_for(world, "mine", "approval").await?;
    world.creates_with("approval", json!({ "scope": "other" })).await?;
    finishes(world, "approval").await?;
    ensure_eq!(
        waiting(world, "mine").await?,
        Some("approval".to_owned()),
        "a marker of this scope"
    );
    let late = waits_for(world, "late", "approval").await?;
    ensure_eq!(late, Some("approval".to_owned()), "whether it is done elsewhere is not told");
    world.deletes("approval").await?;
    ensure_eq!(waiting(world, "mine").await?, Some("approval".to_owned()), "nor when it is gone");
    Ok(())
}

async fn a_chain_goes_on_link_by_link(world: &World) -> Verdict {
    world.creates("a").await?;
    waits_for(world, "b", "a").await?;
    waits_for(world, "c", "b").await?;
    finishes(world, "a").await?;
    ensure_eq!(world.drains(json!({})).await?, ["b"], "the next link only");
    world.accepts("b").await?;
    ensure_eq!(world.drains(json!({})).await?, ["c"], "and then the last");
    Ok(())
}

async fn a_held_task_that_waits_stays_held(world: &World) -> Verdict {
    world.creates("x").await?;
    world.works_on("a").await?;
    let task = world.patches("a", json!({ "blocked_by": "x" })).await?;
    ensure!(task.claim.expires_at.is_some(), "its agent keeps it");
    world.submits("a").await?;
    let order = world.drains(json!({ "queue": "provisional" })).await?;
    ensure_eq!(order, [""; 0], "but nobody reviews it");
    finishes(world, "x").await?;
    let order = world.drains(json!({ "queue": "provisional" })).await?;
    ensure_eq!(order, ["a"], "until it waits no longer");
    Ok(())
}

async fn a_task_that_is_over_may_still_show_what_it_waited_for(world: &World) -> Verdict {
    world.creates("a").await?;
    waits_for(world, "b", "a").await?;
    let task = world.forces("b", "done").await?;
    ensure_eq!(task.blocked_by, Some("a".to_owned()), "a move does not touch the list");
    finishes(world, "a").await?;
    let task = world.reads("b").await?;
    ensure_eq!((&*task.queue, task.blocked_by), ("done", None), "it is still done");
    Ok(())
}

async fn ids_that_look_alike_are_not_the_same(world: &World) -> Verdict {
    for id in ["a", "A", "a b", "it's", "[\"a\"]", "aa", "\u{e4}"] {
        world.creates(id).await?;
        waits_for(world, &format!("after {id}"), id).await?;
    }
    finishes(world, "a").await?;
    let mut open = Vec::new();
    for id in ["a", "A", "a b", "it's", "[\"a\"]", "aa", "\u{e4}"] {
        if waiting(world, &format!("after {id}")).await?.is_none() {
            open.push(id);
        }
    }
    ensure_eq!(open, ["a"], "only what waited for exactly this one");
    Ok(())
}
