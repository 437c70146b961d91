//! History tells the whole story.

use octopoid_store::lists::Page;
use serde_json::json;

use crate::{
    Verdict, World, ensure_eq,
    world::{LEASE, SECOND},
};

cases! {
    history_tells_a_whole_life,
    history_is_read_in_pages,
    history_of_an_unknown_task_is_empty,
    a_refused_step_is_not_told,
}

/// Each step happens a second after the one before.
async fn history_tells_a_whole_life(world: &World) -> Verdict {
    world.creates("x").await?;
    world.creates_with("a", json!({ "type": "a", "blocked_by": "x" })).await?;
    world.passes(SECOND);
    world.forces("x", "done").await?;
    world.passes(SECOND);
    world.picks("a").await?;
    world.passes(LEASE + SECOND);
    world.reaps().await?;
    world.passes(SECOND);
    world.picks("a").await?;
    let report = json!({ "commits_count": 0, "turns_used": 100 });
    world.submits_with("a", report).await?;
    world.claims_with(json!({ "queue": "needs_continuation" })).await?;
    world.submits("a").await?;
    world.claims_with(json!({ "queue": "provisional", "agent_name": "reviewer" })).await?;
    world.rejects("a").await?;
    world.patches("a", json!({ "hooks": [{"name": "h"}] })).await?;
    world.completes_hook("a", "h", json!({ "status": "passed" })).await?;
    world.picks("a").await?;
    world.requeues("a").await?;
    world.forces("a", "provisional").await?;
    world.claims_with(json!({ "queue": "provisional", "agent_name": "reviewer" })).await?;
    world.passes(LEASE + SECOND);
    world.reaps().await?;
    world.accepts("a").await?;
    world.deletes("a").await?;
    let told: Vec<_> = world
        .history("a")
        .await?
        .into_iter()
        .map(|event| match event.agent {
            Some(agent) => format!("{} by {agent}", event.event),
            None => event.event,
        })
        .collect();
    let expected = [
        "created",
        "unblocked",
        "claimed by agent-1",
        "requeued by agent-1",
        "claimed by agent-1",
        "submitted by agent-1",
        "burnout_detected",
        "claimed by agent-1",
        "submitted by agent-1",
        "review_claimed by reviewer",
        "rejected by reviewer",
        "edited",
        "hook_completed",
        "claimed by agent-1",
        "requeued by agent-1",
        "force_queue",
        "review_claimed by reviewer",
        "review_released by reviewer",
        "accepted by reviewer",
        "deleted",
    ];
    ensure_eq!(told, expected, "the whole story");
    let history = world.history("a").await?;
    let in_order = history
        .windows(2)
        .all(|pair| pair[0].id + 1 == pair[1].id && pair[0].timestamp <= pair[1].timestamp);
    ensure_eq!(in_order, true, "in order, without a gap");
    Ok(())
}

async fn history_is_read_in_pages(world: &World) -> Verdict {
    world.creates("a").await?;
    for number in 0..6 {
        world.patches("a", json!({ "turns_used": number })).await?;
    }
    let mut page = Page::first(3);
    let mut pages = Vec::new();
    loop {
        let listed = world.store.task_history("a", None, &page).await?;
        pages.push(listed.items.iter().map(|event| event.id).collect::<Vec<_>>());
        let Some(cursor) = listed.next_cursor else { break };
        page = Page::after(3, cursor);
    }
    ensure_eq!(pages, [vec![1, 2, 3], vec![4, 5, 6], vec![7]], "three at a time");
    Ok(())
}

async fn history_of_an_unknown_task_is_empty(world: &World) -> Verdict {
    ensure_eq!(world.events("nothing").await?, [""; 0], "no events");
    Ok(())
}

async fn a_refused_step_is_not_told(world: &World) -> Verdict {
    world.creates("a").await?;
    world.accepts("a").await.err();
    world.submits("a").await.err();
    world.patches("a", json!({ "queue": "done" })).await.err();
    world.patches("a", json!({ "title": "t", "version": 9 })).await.err();
    world.creates("a").await.err();
    ensure_eq!(world.events("a").await?, ["created"], "nothing happened since");
    Ok(())
}
