//! What a scheduler learns from a poll.

use serde_json::json;

use crate::{Verdict, World, ensure, ensure_eq, nouns::why};

cases! {
    a_poll_counts_three_queues_and_shows_what_waits_for_review,
    a_poll_of_an_empty_scope_is_all_zeros,
    the_scope_of_a_poll_is_the_one_named_or_else_the_orchestrators,
    a_confined_poll_knows_no_orchestrators_of_others,
}

async fn a_poll_counts_three_queues_and_shows_what_waits_for_review(world: &World) -> Verdict {
    let world = world.nouns();
    for (id, queue) in [
        ("1", "incoming"),
        ("2", "incoming"),
        ("3", "provisional"),
        ("4", "done"),
        ("5", "failed"),
        ("6", "elsewhere"),
        ("7", "claimed"),
    ] {
        world.creates(id, "s", queue).await;
    }
    world.creates("8", "t", "incoming").await;
    world.puts_flow("s", "default", json!({}), 0).await;
    world.puts_flow("t", "other", json!({}), 0).await;
    world.registers("m", "s", 0).await;
    let poll = world.store.poll(Some("c-m"), None, None).await?;
    let expected = json!({
        "queue_counts": {"incoming": 2, "claimed": 1, "provisional": 1},
        "provisional_tasks": [{"id": "3", "hooks": "[]", "pr_number": null, "claimed_by": null}],
        "orchestrator_registered": true,
        "scope": "s",
        "flows": {"default": {"states": ["incoming", "claimed", "done", "failed", "provisional"]}},
    });
    ensure_eq!(serde_json::to_value(poll)?, expected);
    Ok(())
}

async fn a_poll_of_an_empty_scope_is_all_zeros(world: &World) -> Verdict {
    let world = world.nouns();
    let poll = world.store.poll(None, Some("s"), None).await?;
    let expected = json!({
        "queue_counts": {"incoming": 0, "claimed": 0, "provisional": 0},
        "provisional_tasks": [],
        "orchestrator_registered": false,
        "scope": "s",
        "flows": {},
    });
    ensure_eq!(serde_json::to_value(poll)?, expected);
    Ok(())
}

async fn the_scope_of_a_poll_is_the_one_named_or_else_the_orchestrators(world: &World) -> Verdict {
    let world = world.nouns();
    world.registers("m", "a", 0).await;
    let poll = world.store.poll(Some("c-m"), Some("b"), None).await?;
    ensure_eq!((&*poll.scope, poll.orchestrator_registered), ("b", true));
    let text = "Missing scope. Provide orchestrator_id (with registered scope) or scope query \
                parameter.";
    for orchestrator in [None, Some("nobody")] {
        ensure_eq!(why(world.store.poll(orchestrator, None, None).await), text);
    }
    Ok(())
}

async fn a_confined_poll_knows_no_orchestrators_of_others(world: &World) -> Verdict {
    let world = world.nouns();
    world.registers("m", "a", 0).await;
    let poll = world.store.poll(Some("c-m"), Some("b"), Some("b")).await?;
    ensure!(!poll.orchestrator_registered);
    ensure!(world.store.poll(Some("c-m"), None, Some("b")).await.is_err());
    Ok(())
}
