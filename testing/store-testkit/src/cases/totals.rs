//! What is counted across all scopes.

use octopoid_domain::{Millis, orchestrator::Status};
use octopoid_store::{QueueTotals, Totals};
use serde_json::json;

use crate::{
    Verdict, World, ensure_eq,
    world::{AGENT, SECOND},
};

cases! {
    an_empty_database_has_no_totals,
    tasks_of_all_scopes_are_counted_by_queue,
    the_oldest_task_that_can_be_claimed_is_told,
    leases_are_counted_by_whether_they_have_ended,
    machines_are_counted_by_status,
    what_needs_a_person_is_counted_in_all_scopes,
}

async fn totals(world: &World) -> octopoid_store::Result<Totals> {
    world.store.totals(world.now()).await
}

fn counts(totals: &Totals) -> String {
    let mut queues: Vec<_> = totals
        .queues
        .iter()
        .map(|QueueTotals { queue, tasks, claimable, .. }| format!("{queue} {tasks}/{claimable}"))
        .collect();
    queues.sort();
    queues.join(", ")
}

async fn an_empty_database_has_no_totals(world: &World) -> Verdict {
    ensure_eq!(totals(world).await?, Totals::default());
    Ok(())
}

async fn tasks_of_all_scopes_are_counted_by_queue(world: &World) -> Verdict {
    world.works_on("held").await?;
    for scope in ["a", "b"] {
        for queue in ["aaa", "cc", "incoming", "provisional", "zzz"] {
            let id = format!("{scope}-{queue}");
            world.creates_with(&id, json!({ "queue": queue, "scope": scope })).await?;
        }
    }
    world.creates_with("c", json!({ "blocked_by": "held" })).await?;
    for queue in ["done", "failed", "cancelled"] {
        world.creates_with(queue, json!({ "queue": queue })).await?;
    }
    world.creates_with("done-too", json!({ "queue": "done", "scope": "b" })).await?;
    world.deletes("failed").await?;
    let expected = "aaa 2/2, cancelled 1/0, cc 2/2, claimed 1/0, done 2/0, incoming 3/2, \
                    provisional 2/2, zzz 2/2";
    ensure_eq!(counts(&totals(world).await?), expected, "tasks and claimable ones");
    Ok(())
}

async fn the_oldest_task_that_can_be_claimed_is_told(world: &World) -> Verdict {
    world.creates_with("blocked", json!({ "blocked_by": "awaiting-input" })).await?;
    world.passes(SECOND);
    let since = world.now();
    world.creates_with("a", json!({ "scope": "other", "type": "t" })).await?;
    world.passes(SECOND);
    world.creates_with("b", json!({ "priority": "P0" })).await?;
    world.passes(SECOND);
    let oldest = |totals: Totals| -> Option<Millis> {
        totals.queues.iter().find(|of| of.queue == "incoming").and_then(|of| of.oldest)
    };
    ensure_eq!(oldest(totals(world).await?), Some(since), "in another scope");
    world.deletes("a").await?;
    world.deletes("b").await?;
    ensure_eq!(oldest(totals(world).await?), None, "what is blocked does not count");
    Ok(())
}

async fn leases_are_counted_by_whether_they_have_ended(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.works_on("b").await?;
    let before = totals(world).await?;
    ensure_eq!((before.leases_live, before.leases_lapsed), (2, 0), "live");
    world.passes(24 * 3_600 * SECOND);
    world.works_on("c").await?;
    let after = totals(world).await?;
    ensure_eq!((after.leases_live, after.leases_lapsed), (1, 2), "expired");
    Ok(())
}

async fn machines_are_counted_by_status(world: &World) -> Verdict {
    world.has_machine("m", Status::Active).await?;
    let since = world.now();
    world.passes(SECOND);
    world.has_machine("n", Status::Active).await?;
    world.has_machine("o", Status::Draining).await?;
    let totals = totals(world).await?;
    let mut machines = totals.machines;
    machines.sort_by_key(|(status, _)| status.as_str());
    ensure_eq!(machines, [(Status::Active, 2), (Status::Draining, 1)]);
    ensure_eq!(totals.oldest_heartbeat, Some(since), "of the one that is silent for longest");
    Ok(())
}

async fn what_needs_a_person_is_counted_in_all_scopes(world: &World) -> Verdict {
    world.works_on("a").await?;
    let body = json!({ "agent_name": AGENT, "reason": "needs_input", "message": "Which?" });
    world.fails_with("a", body).await?;
    world.nouns().proposes(json!({ "expires_at": null })).await;
    world.creates_with("c", json!({ "queue": "failed", "scope": "other" })).await?;
    world.creates_with("d", json!({ "scope": "other" })).await?;
    world.patches("d", json!({ "needs_intervention": true })).await?;
    world.patches("c", json!({ "needs_intervention": true })).await?;
    let totals = totals(world).await?;
    let told = (totals.questions, totals.actions, totals.interventions);
    ensure_eq!(told, (1, 1, 2), "questions, actions, and flagged tasks that are not over");
    Ok(())
}
