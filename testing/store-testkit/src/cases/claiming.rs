//! Which task a claim takes, and what it makes of it.

use octopoid_domain::{Claim, Task};
use serde_json::json;

use crate::{
    Verdict, World, ensure, ensure_eq, ensure_refused,
    setting::Flow,
    world::{AGENT, DAY, LEASE, MACHINE, SCOPE, SECOND},
};

cases! {
    the_most_urgent_task_is_claimed_first,
    among_equals_the_oldest_is_claimed_first,
    unknown_priorities_come_last,
    a_new_priority_moves_a_task_in_the_line,
    a_task_that_was_put_back_keeps_its_place_in_the_line,
    a_claim_changes_the_claim_and_nothing_else,
    a_claim_keeps_what_earlier_attempts_reported,
    a_claim_lowers_the_flag_for_the_fixer,
    a_claim_says_who_took_it_and_when,
    no_task_is_handed_out_twice,
    nothing_to_claim_is_no_error_and_leaves_nothing,
    a_claim_sees_its_own_scope_only,
    a_claim_names_an_agent_and_its_machine,
    a_lease_lasts_as_long_as_asked_within_bounds,
    a_claim_from_a_custom_queue_moves_the_task_to_claimed,
    work_that_is_held_or_over_cannot_be_claimed,
    a_queue_of_any_flow_of_the_scope_may_be_claimed_from,
    every_queue_may_be_claimed_from_where_no_default_flow_is,
    a_claim_names_only_registered_roles,
    the_first_role_decides_where_a_claim_takes_from,
    a_role_of_another_scope_decides_where_ones_own_has_none,
    a_queue_that_is_named_beats_the_role,
}

async fn the_most_urgent_task_is_claimed_first(world: &World) -> Verdict {
    for priority in ["P3", "P1", "P0", "P2"] {
        world.creates_with(priority, json!({ "priority": priority })).await?;
    }
    let order = world.drains(json!({})).await?;
    ensure_eq!(order, ["P0", "P1", "P2", "P3"], "by priority");
    Ok(())
}

/// All of them are created within one instant.
async fn among_equals_the_oldest_is_claimed_first(world: &World) -> Verdict {
    let ids: Vec<_> = (0..30).map(|number| format!("t{}", 99 - number)).collect();
    for id in &ids {
        world.creates(id).await?;
    }
    ensure_eq!(world.drains(json!({})).await?, ids, "first in, first out");
    Ok(())
}

async fn unknown_priorities_come_last(world: &World) -> Verdict {
    for priority in ["urgent", "P0 ", "P10", "A", "P3"] {
        world.creates_with(priority, json!({ "priority": priority })).await?;
    }
    world.creates_with("none", json!({ "priority": "P0" })).await?;
    world.patches("none", json!({ "priority": null })).await?;
    let order = world.drains(json!({})).await?;
    let expected = ["P3", "urgent", "P0 ", "P10", "A", "none"];
    ensure_eq!(order, expected, "the known one, then the others as they came");
    Ok(())
}

async fn a_new_priority_moves_a_task_in_the_line(world: &World) -> Verdict {
    world.creates_all(&["a", "b", "c"]).await?;
    world.patches("c", json!({ "priority": "P0" })).await?;
    world.patches("a", json!({ "priority": "P3" })).await?;
    ensure_eq!(world.drains(json!({})).await?, ["c", "b", "a"], "as it is now");
    Ok(())
}

async fn a_task_that_was_put_back_keeps_its_place_in_the_line(world: &World) -> Verdict {
    world.creates_all(&["a", "b"]).await?;
    world.claims().await?;
    world.passes(SECOND);
    world.requeues("a").await?;
    ensure_eq!(world.drains(json!({})).await?, ["a", "b"], "by creation");
    Ok(())
}

async fn a_claim_changes_the_claim_and_nothing_else(world: &World) -> Verdict {
    let fields =
        json!({ "role": "r", "type": "t", "content": "c", "hooks": "[]", "priority": "P1" });
    let fresh = world.creates_with("a", fields).await?;
    world.passes(5);
    let expected = Task {
        queue: "claimed".to_owned(),
        claim: Claim {
            by: Some(AGENT.to_owned()),
            orchestrator_id: Some(MACHINE.to_owned()),
            at: Some(world.now()),
            expires_at: Some(world.now().plus(LEASE)),
            queue: Some("claimed".to_owned()),
        },
        updated_at: world.now(),
        version: 2,
        run: 1,
        attempt: 1,
        lease_run: Some(1),
        ..fresh
    };
    ensure_eq!(world.claims().await?, Some(expected), "the claimed task");
    Ok(())
}

async fn a_claim_keeps_what_earlier_attempts_reported(world: &World) -> Verdict {
    world.works_on("a").await?;
    let report = json!({
        "commits_count": 3, "turns_used": 42, "check_results": {"ok": true},
        "execution_notes": "notes",
    });
    world.submits_with("a", report).await?;
    world.rejects("a").await?;
    world.picks("a").await?;
    world.requeues("a").await?;
    let again = world.picks("a").await?;
    ensure_eq!(again.commits_count, Some(3), "commits");
    ensure_eq!(again.turns_used, Some(42), "turns");
    ensure_eq!(again.check_results.as_deref(), Some(r#"{"ok":true}"#), "results");
    ensure_eq!(again.execution_notes.as_deref(), Some("notes"), "notes");
    ensure!(again.submitted_at.is_some(), "submitted_at is kept");
    ensure_eq!(again.rejection_count, Some(1), "rejections");
    ensure_eq!(again.attempt_count, Some(1), "attempts");
    Ok(())
}

async fn a_claim_lowers_the_flag_for_the_fixer(world: &World) -> Verdict {
    world.creates("a").await?;
    world.patches("a", json!({ "needs_intervention": true })).await?;
    let task = world.claims().await?;
    ensure_eq!(task.map(|task| task.needs_intervention), Some(false), "the flag");
    Ok(())
}

async fn a_claim_says_who_took_it_and_when(world: &World) -> Verdict {
    world.creates("a").await?;
    world.passes(7);
    world.claims_with(json!({ "agent_name": "someone" })).await?;
    let history = world.history("a").await?;
    ensure_eq!(world.events("a").await?, ["created", "claimed"], "the events");
    ensure_eq!(history[1].agent.as_deref(), Some("someone"), "the agent");
    ensure_eq!(history[1].timestamp, world.now(), "the time");
    ensure_eq!(history[1].id, 2, "its number");
    Ok(())
}

async fn no_task_is_handed_out_twice(world: &World) -> Verdict {
    world.creates_all(&["a", "b"]).await?;
    ensure_eq!(world.drains(json!({})).await?, ["a", "b"], "each once");
    ensure_eq!(world.claims().await?, None, "and then nothing");
    Ok(())
}

async fn nothing_to_claim_is_no_error_and_leaves_nothing(world: &World) -> Verdict {
    let answer = world.claims_with(json!({ "orchestrator_id": "unknown" }));
    ensure_eq!(answer.await?, None, "nothing in an empty database");
    world.creates_with("a", json!({ "role": "other" })).await?;
    let answer = world.claims_with(json!({ "role_filter": "r", "orchestrator_id": "unknown" }));
    ensure_eq!(answer.await?, None, "nothing that fits");
    ensure_eq!(world.events("a").await?, ["created"], "no event");
    ensure_eq!(world.reads("a").await?.version, 1, "no change");
    // A machine nobody registered may claim what is there.
    let task = world.claims_with(json!({ "orchestrator_id": "unknown" }));
    ensure!(task.await?.is_some(), "there is one for the unknown machine");
    Ok(())
}

async fn a_claim_sees_its_own_scope_only(world: &World) -> Verdict {
    let urgent = json!({ "scope": "other", "priority": "P0" });
    world.creates_with("theirs", urgent).await?;
    world.creates("ours").await?;
    ensure_eq!(world.drains(json!({})).await?, ["ours"], "our own");
    let theirs = world.claims_in("other", json!({})).await?;
    ensure_eq!(theirs.map(|task| task.id).as_deref(), Some("theirs"), "theirs");
    ensure_eq!(world.claims_in("S", json!({})).await?, None, "case matters");
    Ok(())
}

async fn a_claim_names_an_agent_and_its_machine(world: &World) -> Verdict {
    world.creates("a").await?;
    for field in ["agent_name", "orchestrator_id"] {
        for falsy in [json!(null), json!("")] {
            let answer = world.claims_with(json!({ field: falsy })).await;
            let words = "Missing required fields: orchestrator_id, agent_name";
            ensure_refused!(answer, "invalid_request", words);
        }
    }
    ensure_eq!(world.reads("a").await?.version, 1, "nothing was claimed");
    Ok(())
}

async fn a_lease_lasts_as_long_as_asked_within_bounds(world: &World) -> Verdict {
    for (asked, expected) in [
        (json!(null), LEASE),
        (json!(0), LEASE),
        (json!(14_400), 14_400 * SECOND),
        (json!("60"), 60 * SECOND),
        (json!(1.5), 1_500),
        (json!(-5), SECOND),
        (json!(1e12), DAY),
    ] {
        world.creates(&asked.to_string()).await?;
        let task = world.claims_with(json!({ "lease_duration_seconds": asked }));
        let expires = task.await?.and_then(|task| task.claim.expires_at);
        ensure_eq!(expires, Some(world.now().plus(expected)), "for {asked}");
    }
    let answer = world.claims_with(json!({ "lease_duration_seconds": "abc" }));
    ensure_refused!(answer.await, "invalid_request");
    Ok(())
}

async fn a_claim_from_a_custom_queue_moves_the_task_to_claimed(world: &World) -> Verdict {
    for queue in ["needs_continuation", "requires-intervention", "backlog"] {
        world.creates_with(queue, json!({ "queue": queue })).await?;
        ensure_eq!(world.claims().await?, None, "{queue} is not incoming");
        let task = world.claims_with(json!({ "queue": queue })).await?;
        let queue_now = task.map(|task| task.queue);
        ensure_eq!(queue_now.as_deref(), Some("claimed"), "from {queue}");
        let last = world.events(queue).await?.pop();
        ensure_eq!(last.as_deref(), Some("claimed"), "the event from {queue}");
    }
    Ok(())
}

async fn work_that_is_held_or_over_cannot_be_claimed(world: &World) -> Verdict {
    for queue in ["claimed", "done", "failed"] {
        let before = world.creates_with(queue, json!({ "queue": queue })).await?;
        let answer = world.claims_with(json!({ "queue": queue })).await;
        ensure_refused!(answer, "invalid_request");
        ensure_eq!(world.reads(queue).await?, before, "it stays as it was");
    }
    // Nor by way of a role that claims from there.
    world.registers_role(SCOPE, "thief", "claimed").await?;
    let answer = world.claims_with(json!({ "role_filter": "thief" })).await;
    ensure_refused!(answer, "invalid_request");
    Ok(())
}

async fn a_queue_of_any_flow_of_the_scope_may_be_claimed_from(world: &World) -> Verdict {
    let special = Flow { name: "special", states: &["polish"], ..Flow::default() };
    world.registers(Flow::default()).await?;
    world.registers(special).await?;
    let foreign = Flow { scope: "other", states: &["foreign"], ..Flow::default() };
    world.registers(foreign).await?;
    for queue in ["incoming", "provisional", "polish"] {
        let answer = world.claims_with(json!({ "queue": queue })).await;
        ensure_eq!(answer?, None, "{queue} may be named, and is empty");
    }
    for queue in ["foreign", "banana"] {
        let answer = world.claims_with(json!({ "queue": queue })).await;
        let words = format!(
            "Invalid queue \"{queue}\". Valid queues for flow \"default\": \
             incoming, claimed, done, failed, provisional"
        );
        ensure_refused!(answer, "invalid_queue", words);
    }
    Ok(())
}

async fn every_queue_may_be_claimed_from_where_no_default_flow_is(world: &World) -> Verdict {
    let special = Flow { name: "special", ..Flow::default() };
    world.registers(special).await?;
    world.creates_with("a", json!({ "queue": "banana" })).await?;
    let order = world.drains(json!({ "queue": "banana" })).await?;
    ensure_eq!(order, ["a"], "from a queue of no flow");
    Ok(())
}

async fn a_claim_names_only_registered_roles(world: &World) -> Verdict {
    ensure_eq!(
        world.claims_with(json!({ "role_filter": "cook" })).await?,
        None,
        "any role where none is registered"
    );
    world.registers_role("other", "cook", "incoming").await?;
    world.claims_with(json!({ "role_filter": "cook" })).await?;
    world.registers_role(SCOPE, "review", "incoming").await?;
    world.registers_role(SCOPE, "implement", "incoming").await?;
    let roles = json!(["review", "cook", "waiter"]);
    let answer = world.claims_with(json!({ "role_filter": roles })).await;
    let words = "Unknown role 'cook'. Registered roles: implement, review";
    ensure_refused!(answer, "unknown_role", words);
    world.claims_with(json!({ "role_filter": ["review", "implement"] })).await?;
    Ok(())
}

async fn the_first_role_decides_where_a_claim_takes_from(world: &World) -> Verdict {
    world.registers_role(SCOPE, "review", "provisional").await?;
    world.registers_role(SCOPE, "implement", "incoming").await?;
    let to_review = json!({ "queue": "provisional", "role": "review" });
    world.creates_with("reviewed", to_review).await?;
    world.creates_with("new", json!({ "role": "review" })).await?;
    let order = world.drains(json!({ "role_filter": ["review", "implement"] })).await?;
    ensure_eq!(order, ["reviewed"], "the first role claims from provisional");
    let order = world.drains(json!({ "role_filter": ["implement", "review"] })).await?;
    ensure_eq!(order, ["new"], "the first role claims from incoming");
    Ok(())
}

async fn a_role_of_another_scope_decides_where_ones_own_has_none(world: &World) -> Verdict {
    world.registers_role("elsewhere", "review", "backlog").await?;
    world.passes(SECOND);
    world.registers_role("other", "review", "provisional").await?;
    for queue in ["backlog", "provisional", "incoming"] {
        world.creates_with(queue, json!({ "queue": queue, "role": "review" })).await?;
    }
    let filter = json!({ "role_filter": "review" });
    let order = world.drains(filter.clone()).await?;
    ensure_eq!(order, ["provisional"], "as whoever registered it last has it");
    world.registers_role(SCOPE, "review", "incoming").await?;
    ensure_eq!(world.drains(filter).await?, ["incoming"], "as one's own scope has it");
    Ok(())
}

async fn a_queue_that_is_named_beats_the_role(world: &World) -> Verdict {
    world.registers_role(SCOPE, "review", "provisional").await?;
    world.creates_with("a", json!({ "role": "review" })).await?;
    let order = world.drains(json!({ "role_filter": "review", "queue": "incoming" }));
    ensure_eq!(order.await?, ["a"], "from the queue that was named");
    Ok(())
}
