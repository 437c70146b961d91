//! The summary of a scope.

use octopoid_domain::{
    orchestrator::Status,
    summary::{HOUR_MS, Summary},
};
use serde_json::json;

use crate::{
    Verdict, World, ensure_eq,
    world::{AGENT, SCOPE, SECOND},
};

cases! {
    an_empty_scope_has_an_empty_summary,
    tasks_are_counted_by_queue_and_by_reason,
    unfinished_tasks_are_counted_by_role_and_priority,
    the_longest_wait_in_each_queue_is_told,
    runs_in_progress_are_counted,
    what_needs_a_person_is_counted,
    what_finished_and_what_it_cost_is_counted_by_hour,
    hours_that_are_over_are_removed,
}

async fn summary(world: &World) -> octopoid_store::Result<Summary> {
    world.store.summary(SCOPE, world.now()).await
}

fn shown(counts: &std::collections::BTreeMap<String, i64>) -> String {
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

async fn an_empty_scope_has_an_empty_summary(world: &World) -> Verdict {
    world.creates_with("a", json!({ "scope": "other" })).await?;
    let summary = summary(world).await?;
    ensure_eq!((&*summary.scope, summary.at), (SCOPE, world.now()), "whose it is");
    ensure_eq!(
        (summary.queues.len(), summary.waiting.len(), summary.claimable),
        (0, 0, 0),
        "tasks"
    );
    ensure_eq!((summary.hours.len(), summary.is_partial), (24, false), "hours");
    Ok(())
}

async fn tasks_are_counted_by_queue_and_by_reason(world: &World) -> Verdict {
    world.works_on("held").await?;
    world.creates_all(&["a", "b"]).await?;
    world.creates_with("c", json!({ "blocked_by": "a" })).await?;
    world.creates_with("d", json!({ "blocked_by": "awaiting-input" })).await?;
    world.creates_with("e", json!({ "role": "r" })).await?;
    world.creates_with("f", json!({ "not_before": world.now().plus(SECOND).to_iso() })).await?;
    for queue in ["provisional", "backlog", "aaa", "cc", "xxx", "done", "failed", "cancelled"] {
        world.creates_with(queue, json!({ "queue": queue })).await?;
    }
    world.claims_with(json!({ "queue": "provisional" })).await?;
    world.pauses("role:r", None).await?;
    world.deletes("done").await?;
    let summary = summary(world).await?;
    let queues = "aaa 1, backlog 1, cancelled 1, cc 1, claimed 1, failed 1, incoming 6, \
                  provisional 1, xxx 1";
    ensure_eq!(shown(&summary.queues), queues, "by queue");
    let waiting = "awaiting_input 1, held 1, not_before 1, paused 1, waits_for 1";
    ensure_eq!(shown(&summary.waiting), waiting, "by reason");
    ensure_eq!(summary.claimable, 6, "what can be claimed");
    Ok(())
}

async fn unfinished_tasks_are_counted_by_role_and_priority(world: &World) -> Verdict {
    world.works_on("held").await?;
    for (id, role, priority, queue) in [
        ("a", Some("r"), Some("P0"), "incoming"),
        ("b", Some("r"), Some("odd"), "backlog"),
        ("c", Some("q"), None, "provisional"),
        ("d", None, Some("P0"), "zzz"),
        ("e", Some("r"), Some("P0"), "done"),
    ] {
        let fields = json!({ "role": role, "priority": priority, "queue": queue });
        world.creates_with(id, fields).await?;
    }
    world.creates_with("f", json!({ "role": "r", "scope": "other" })).await?;
    world.patches("c", json!({ "priority": null })).await?;
    let summary = summary(world).await?;
    ensure_eq!(shown(&summary.roles), " 2, q 1, r 2", "by role");
    ensure_eq!(shown(&summary.priorities), " 1, P0 2, P2 1, odd 1", "by priority");
    Ok(())
}

async fn the_longest_wait_in_each_queue_is_told(world: &World) -> Verdict {
    let start = world.now();
    for id in ["a", "b", "c"] {
        world.creates_with(id, json!({ "type": id })).await?;
        world.passes(SECOND);
    }
    world.creates_with("d", json!({ "queue": "done" })).await?;
    world.picks("b").await?;
    world.passes(SECOND);
    world.picks("c").await?;
    world.passes(SECOND);
    world.submits("c").await?;
    world.passes(SECOND);
    world.claims_with(json!({ "queue": "provisional" })).await?;
    let told = |oldest: &std::collections::BTreeMap<String, octopoid_domain::Millis>| {
        let seconds = |at: &octopoid_domain::Millis| (at.0 - start.0) / SECOND;
        let told = oldest.iter().map(|(queue, at)| format!("{queue} {}", seconds(at)));
        told.collect::<Vec<_>>().join(", ")
    };
    let oldest = summary(world).await?.oldest;
    ensure_eq!(told(&oldest), "claimed 3, incoming 0, provisional 5", "a review is no change");
    world.patches("a", json!({ "title": "new" })).await?;
    let oldest = summary(world).await?.oldest;
    ensure_eq!(told(&oldest), "claimed 3, incoming 6, provisional 5", "an edit is a change");
    Ok(())
}

async fn runs_in_progress_are_counted(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.works_on("b").await?;
    world.hands_in("c").await?;
    world.claims_with(json!({ "queue": "provisional" })).await?;
    let running = summary(world).await?.running;
    ensure_eq!((running.work, running.review), (2, 1), "for work and for review");
    Ok(())
}

async fn what_needs_a_person_is_counted(world: &World) -> Verdict {
    world.has_machine("m", Status::Active).await?;
    world.works_on("a").await?;
    let body = json!({ "agent_name": AGENT, "reason": "needs_input", "message": "Which?" });
    world.fails_with("a", body).await?;
    world.nouns().proposes(json!({ "expires_at": null })).await;
    world.hands_in("b").await?;
    world.creates_with("c", json!({ "queue": "failed" })).await?;
    world.patches("c", json!({ "needs_intervention": true })).await?;
    let needs = summary(world).await?.needs_person;
    ensure_eq!((needs.questions, needs.actions), (1, 1), "questions and other actions");
    ensure_eq!((needs.interventions, needs.provisional), (1, 1), "tasks");
    Ok(())
}

async fn what_finished_and_what_it_cost_is_counted_by_hour(world: &World) -> Verdict {
    let usage = |cost: &str| json!({ "cost_usd": cost });
    let hour = world.now().0 / HOUR_MS * HOUR_MS;
    world.works_on("a").await?;
    let body = json!({ "commits_count": 1, "turns_used": 2, "usage": usage("0.75") });
    world.submits_with("a", body).await?;
    world.accepts("a").await?;
    world.passes(HOUR_MS);
    world.works_on("b").await?;
    let body = json!({
        "agent_name": AGENT, "reason": "budget", "message": "m", "usage": usage("1.000001"),
    });
    world.fails_with("b", body).await?;
    world.forces("a", "incoming").await?;
    world.forces("a", "done").await?;
    world.creates_with("c", json!({ "queue": "cancelled", "scope": "other" })).await?;
    let hours = summary(world).await?.hours;
    let told: Vec<_> = hours[22..]
        .iter()
        .map(|counts| (counts.hour.0, counts.done, counts.failed, &*counts.cost_usd))
        .collect();
    let expected = [(hour, 1, 0, "0.75"), (hour + HOUR_MS, 1, 1, "1.000001")];
    ensure_eq!(told, expected, "the last two hours");
    world.passes(23 * HOUR_MS);
    let hours = summary(world).await?.hours;
    ensure_eq!((hours[0].done, hours[0].failed), (1, 1), "a day later");
    Ok(())
}

async fn hours_that_are_over_are_removed(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.accepts("a").await?;
    let rows = async || world.runs("SELECT hour FROM hourly_counts", vec![]).await;
    world.passes(24 * HOUR_MS);
    world.store.prune_hourly_counts(world.now()).await?;
    ensure_eq!(rows().await?.len(), 1, "an hour that is just over");
    world.passes(HOUR_MS);
    world.store.prune_hourly_counts(world.now()).await?;
    ensure_eq!(rows().await?.len(), 0, "an hour that no summary shows");
    Ok(())
}
