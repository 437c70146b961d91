//! Claims of submitted work, which stay where the work is.

use octopoid_domain::{Claim, Task, usage::Usage};
use serde_json::json;

use crate::{
    Failure, Verdict, World, ensure, ensure_eq, ensure_refused,
    world::{AGENT, LEASE, SCOPE, SECOND},
};

cases! {
    a_review_claim_leaves_the_task_in_provisional,
    a_review_claim_is_exclusive,
    a_review_claim_takes_the_next_one,
    a_review_ends_with_the_verdict,
    a_review_lease_ends_in_place,
    a_review_that_its_client_gave_back_can_be_claimed_at_once,
    a_task_that_its_holder_moved_on_can_be_claimed_at_once,
    a_task_that_was_moved_on_and_claimed_is_held_by_the_new_holder,
    a_review_that_was_moved_on_can_be_claimed_at_once,
    reviews_follow_priority_and_filters_too,
    a_review_whose_lease_has_ended_can_be_claimed_at_once,
    a_review_that_has_ended_is_taken_in_the_order_of_urgency,
    a_review_that_has_ended_follows_filters_and_scopes,
    a_review_that_is_renewed_or_blocked_is_no_others,
    a_reviewer_whose_review_is_anothers_gives_no_verdict,
    a_claim_for_work_that_has_ended_is_left_to_the_reaper,
    what_a_review_has_used_counts_when_another_takes_it_over,
}

async fn claims_a_review(world: &World) -> octopoid_store::Result<Option<Task>> {
    world.claims_with(json!({ "queue": "provisional" })).await
}

async fn a_review_claim_leaves_the_task_in_provisional(world: &World) -> Verdict {
    let submitted = world.hands_in("a").await?;
    world.passes(SECOND);
    let expected = Task {
        claim: Claim {
            by: Some(AGENT.to_owned()),
            orchestrator_id: Some("machine-1".to_owned()),
            at: Some(world.now()),
            expires_at: Some(world.now().plus(LEASE)),
            queue: Some("provisional".to_owned()),
        },
        updated_at: world.now(),
        version: submitted.version + 1,
        run: 2,
        lease_run: Some(2),
        ..submitted
    };
    ensure_eq!(claims_a_review(world).await?, Some(expected), "the claimed task");
    let last = world.history("a").await?.pop();
    let last = last.map(|event| (event.event, event.agent));
    let expected = Some(("review_claimed".to_owned(), Some(AGENT.to_owned())));
    ensure_eq!(last, expected, "the event");
    Ok(())
}

async fn a_review_claim_is_exclusive(world: &World) -> Verdict {
    world.hands_in("a").await?;
    let held = claims_a_review(world).await?;
    world.passes(LEASE - 1);
    ensure_eq!(claims_a_review(world).await?, None, "a second reviewer gets nothing");
    ensure_eq!(Some(world.reads("a").await?), held, "the first still holds it");
    Ok(())
}

async fn a_review_claim_takes_the_next_one(world: &World) -> Verdict {
    world.hands_in("a").await?;
    world.hands_in("b").await?;
    let order = world.drains(json!({ "queue": "provisional" })).await?;
    ensure_eq!(order, ["a", "b"], "each once");
    Ok(())
}

async fn a_review_ends_with_the_verdict(world: &World) -> Verdict {
    for id in ["accepted", "rejected", "requeued"] {
        world.hands_in(id).await?;
        claims_a_review(world).await?;
    }
    let ended = [
        world.accepts("accepted").await?,
        world.rejects("rejected").await?,
        world.requeues("requeued").await?,
    ];
    for task in ended {
        let claim = (&task.claim.by, &task.claim.at, &task.claim.expires_at);
        ensure_eq!(claim, (&None, &None, &None), "nobody holds {} any more", task.id);
    }
    let waiting = world.drains(json!({})).await?;
    ensure_eq!(waiting, ["rejected", "requeued"], "what was sent back can be claimed");
    Ok(())
}

async fn a_review_lease_ends_in_place(world: &World) -> Verdict {
    world.hands_in("a").await?;
    let held = claims_a_review(world).await?;
    world.passes(LEASE + 1);
    ensure_eq!(world.reaps().await?, ["a"], "the reaper takes it back");
    let task = world.reads("a").await?;
    ensure_eq!(task.queue, "provisional", "the work still waits for a verdict");
    ensure_eq!(task.claim.by, None, "nobody holds it");
    ensure_eq!(task.claim.expires_at, None, "no lease");
    ensure_eq!(task.attempt_count, Some(0), "it was no attempt at the work");
    let version = held.map(|task| task.version + 1);
    ensure_eq!(Some(task.version), version, "the version rises");
    let last = world.history("a").await?.pop();
    let last = last.map(|event| (event.event, event.agent));
    let expected = Some(("review_released".to_owned(), Some(AGENT.to_owned())));
    ensure_eq!(last, expected, "the event names the silent reviewer");
    ensure!(claims_a_review(world).await?.is_some(), "another may review it");
    Ok(())
}

/// As the Python client's own reaper does it.
async fn a_review_that_its_client_gave_back_can_be_claimed_at_once(world: &World) -> Verdict {
    world.hands_in("a").await?;
    claims_a_review(world).await?;
    let back = json!({ "queue": "provisional", "claimed_by": null, "lease_expires_at": null });
    world.patches("a", back).await?;
    ensure!(claims_a_review(world).await?.is_some(), "another may review it");
    Ok(())
}

/// The claim and its lease stay on the row, but they were made for another queue.
async fn a_task_that_its_holder_moved_on_can_be_claimed_at_once(world: &World) -> Verdict {
    for queue in ["needs_continuation", "provisional", "incoming", "polish"] {
        world.works_on(queue).await?;
        let task = world.patches(queue, json!({ "queue": queue })).await?;
        ensure!(task.claim.expires_at.is_some(), "the old lease is still there");
        let order = world.drains(json!({ "queue": queue, "type_filter": queue }));
        ensure_eq!(order.await?, [queue], "it can be claimed from {queue}");
    }
    Ok(())
}

async fn a_task_that_was_moved_on_and_claimed_is_held_by_the_new_holder(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.patches("a", json!({ "queue": "provisional" })).await?;
    let reviewer = json!({ "queue": "provisional", "agent_name": "reviewer" });
    let task = world.claims_with(reviewer.clone()).await?;
    let holder = task.and_then(|task| task.claim.by);
    ensure_eq!(holder.as_deref(), Some("reviewer"), "the new holder");
    ensure_eq!(world.claims_with(reviewer).await?, None, "and nobody else");
    Ok(())
}

async fn a_review_that_was_moved_on_can_be_claimed_at_once(world: &World) -> Verdict {
    world.hands_in("a").await?;
    claims_a_review(world).await?;
    world.patches("a", json!({ "queue": "incoming" })).await?;
    let task = world.picks("a").await?;
    ensure_eq!(task.queue, "claimed", "from incoming");
    Ok(())
}

async fn reviews_follow_priority_and_filters_too(world: &World) -> Verdict {
    for (id, priority, kind) in [("a", "P2", "x"), ("b", "P0", "y"), ("c", "P1", "x")] {
        let fields = json!({ "queue": "provisional", "priority": priority, "type": kind });
        world.creates_with(id, fields).await?;
    }
    let filters = json!({ "queue": "provisional", "type_filter": "x" });
    ensure_eq!(world.drains(filters).await?, ["c", "a"], "by priority, of that type");
    Ok(())
}

async fn reviews(world: &World, agent: &str) -> octopoid_store::Result<Option<Task>> {
    world.claims_with(json!({ "queue": "provisional", "agent_name": agent })).await
}

async fn a_review_whose_lease_has_ended_can_be_claimed_at_once(world: &World) -> Verdict {
    world.hands_in("a").await?;
    let first = reviews(world, "first").await?.map(|task| task.version);
    world.passes(LEASE);
    ensure_eq!(reviews(world, "second").await?, None, "until its last millisecond");
    world.passes(1);
    let task = reviews(world, "second").await?;
    let held = task.as_ref().map(|task| (task.claim.by.as_deref(), task.version));
    ensure_eq!(held, first.map(|version| (Some("second"), version + 1)), "the next reviewer's");
    let lease = task.as_ref().and_then(|task| task.claim.expires_at);
    ensure_eq!(lease, Some(world.now().plus(LEASE)), "with a lease of its own");
    let history = world.history("a").await?;
    let told: Vec<_> = history
        .iter()
        .map(|event| (&*event.event, event.agent.as_deref(), event.details.as_deref()))
        .collect();
    let expected = [
        ("review_claimed", Some("first"), None),
        ("review_released", Some("first"), Some("Lease expired")),
        ("review_claimed", Some("second"), None),
    ];
    ensure_eq!(told[told.len() - 3..], expected, "history says what became of the first");
    ensure_eq!(reviews(world, "third").await?, None, "and it is nobody else's");
    ensure_eq!(world.reaps().await?, [""; 0], "nor the reaper's");
    Ok(())
}

async fn a_review_that_has_ended_is_taken_in_the_order_of_urgency(world: &World) -> Verdict {
    for (id, priority) in [("a", "P1"), ("b", "P3")] {
        world.creates_with(id, json!({ "queue": "provisional", "priority": priority })).await?;
    }
    world.drains(json!({ "queue": "provisional" })).await?;
    world.passes(LEASE + 1);
    for (id, priority) in [("c", "P0"), ("d", "P2"), ("e", "P1"), ("f", "odd")] {
        world.creates_with(id, json!({ "queue": "provisional", "priority": priority })).await?;
    }
    let order = world.drains(json!({ "queue": "provisional" })).await?;
    ensure_eq!(order, ["c", "a", "e", "d", "b", "f"], "as if they had been free");
    Ok(())
}

async fn a_review_that_has_ended_follows_filters_and_scopes(world: &World) -> Verdict {
    for (id, scope, kind) in [("a", "s", "x"), ("b", "s", "y"), ("c", "other", "x")] {
        let fields = json!({ "queue": "provisional", "scope": scope, "type": kind });
        world.creates_with(id, fields).await?;
        world.claims_in(scope, json!({ "queue": "provisional" })).await?;
    }
    world.passes(LEASE + 1);
    let only = json!({ "queue": "provisional", "type_filter": ["y", "z"] });
    ensure_eq!(world.drains(only).await?, ["b"], "of that type");
    let none = json!({ "queue": "provisional", "role_filter": ["r"] });
    ensure_eq!(world.drains(none).await?, [""; 0], "of that role there is none");
    ensure_eq!(world.events("a").await?.len(), 2, "and nothing is told of what was not taken");
    let rest = world.drains(json!({ "queue": "provisional", "type_filter": ["x"] })).await?;
    ensure_eq!(rest, ["a"], "of this scope");
    Ok(())
}

async fn a_review_that_is_renewed_or_blocked_is_no_others(world: &World) -> Verdict {
    world.hands_in("a").await?;
    reviews(world, "first").await?;
    world.passes(LEASE);
    let longer = json!({ "lease_expires_at": world.now().plus(LEASE).to_iso() });
    world.patches("a", longer).await?;
    world.passes(LEASE);
    ensure_eq!(reviews(world, "second").await?, None, "it was renewed");
    world.patches("a", json!({ "blocked_by": "awaiting-approval" })).await?;
    world.passes(1);
    ensure_eq!(reviews(world, "second").await?, None, "it waits for an approval");
    world.patches("a", json!({ "blocked_by": null })).await?;
    ensure!(reviews(world, "second").await?.is_some(), "then it is the next reviewer's");
    Ok(())
}

async fn a_reviewer_whose_review_is_anothers_gives_no_verdict(world: &World) -> Verdict {
    world.hands_in("a").await?;
    let first = reviews(world, "first").await?.map(|task| task.version);
    world.passes(LEASE + 1);
    let second = reviews(world, "second").await?;
    let by_name = json!({ "accepted_by": "first", "agent_name": "first" });
    let words = "Failed to accept task: Task is claimed by second";
    ensure_refused!(world.accepts_with("a", by_name).await, "lease_lost", words);
    let by_machine = json!({ "reason": "no", "rejected_by": "first", "orchestrator_id": "mine" });
    ensure_refused!(world.rejects_with("a", by_machine).await, "lease_lost");
    let by_version = json!({ "accepted_by": "first", "version": first });
    ensure_refused!(world.accepts_with("a", by_version).await, "version_conflict");
    ensure_eq!(Some(world.reads("a").await?), second, "it stays the second's");
    // A caller that does not say who it is, a person for instance, is heard.
    let own = json!({ "reason": "no", "rejected_by": "second", "agent_name": "second" });
    world.rejects_with("a", own).await?;
    for id in ["b", "c"] {
        world.hands_in(id).await?;
        reviews(world, "first").await?;
    }
    world.accepts("b").await?;
    world.passes(LEASE + 1);
    let late = json!({ "accepted_by": "other", "agent_name": "other" });
    world.accepts_with("c", late).await?;
    Ok(())
}

async fn a_claim_for_work_that_has_ended_is_left_to_the_reaper(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.passes(LEASE + 1);
    for queue in ["incoming", "provisional"] {
        let claim = json!({ "queue": queue, "agent_name": "another" });
        ensure_eq!(world.claims_with(claim).await?, None, "not from {queue}");
    }
    Ok(())
}

async fn what_a_review_has_used_counts_when_another_takes_it_over(world: &World) -> Verdict {
    let review = json!({ "queue": "provisional" });
    world.hands_in("a").await?;
    for nth in 1..=3 {
        // The reviewers fall silent, and only the third reports nothing.
        let claimed = world.claims_leased(review.clone()).await?;
        let claimed = claimed.ok_or_else(|| Failure::new("there is a review"))?;
        let used = claimed.task.usage.as_deref().map(Usage::stored).unwrap_or_default();
        let turns = [None, Some(2), Some(4)][nth - 1];
        ensure_eq!(used.turns, turns, "before review {nth}");
        if nth < 3 {
            let usage = json!({ "turns": 2, "cost_usd": "0.25" });
            let token = claimed.token.to_string();
            world.renews_with("a", json!({ "lease_token": token, "usage": usage })).await?;
        }
        world.passes(LEASE + 1);
    }
    let task = world.accepts("a").await?;
    let used = task.usage.as_deref().map(Usage::stored).unwrap_or_default();
    ensure_eq!((used.turns, used.cost_usd.as_deref()), (Some(4), Some("0.5")), "both count");
    let hours = world.store.summary(SCOPE, world.now()).await?.hours;
    ensure_eq!(hours.last().map(|hour| &*hour.cost_usd), Some("0.5"), "in the hour of the verdict");
    Ok(())
}
