//! Ends of a run: failures, cancellation, and taking a task up again.

use octopoid_domain::{Task, failure::REASONS, usage::Usage};
use octopoid_store::Claimed;
use serde_json::{Value, json};

use super::asking::questions;
use crate::{
    Failure, Verdict, World, ensure, ensure_eq, ensure_refused,
    world::{LEASE, SCOPE, SECOND},
};

cases! {
    what_is_given_back_is_claimable_at_once,
    a_failure_of_the_environment_delays_and_counts_nothing,
    ten_failures_of_the_environment_in_a_row_ask_a_person,
    a_failed_attempt_counts_and_delays,
    attempts_end_at_their_number,
    a_final_failure_fails_the_task,
    a_failure_goes_back_to_where_the_task_was_claimed,
    a_delayed_task_is_claimable_when_its_delay_has_ended,
    a_delay_is_at_most_eight_days,
    a_failure_without_a_token_is_the_holders,
    an_unknown_reason_is_refused,
    the_usage_of_runs_is_added_up,
    a_limit_of_a_provider_pauses_its_pool,
    the_first_lapse_is_not_delayed_and_the_next_are,
    lapses_fail_a_task_that_limits_its_attempts,
    a_task_that_nobody_holds_is_cancelled_at_once,
    the_holder_of_a_cancelled_task_is_told_to_stop,
    a_cancelled_task_ends_however_it_is_freed,
    a_verdict_and_a_move_drop_a_cancellation,
    a_failed_or_cancelled_task_is_taken_up_again,
    what_waits_for_a_cancelled_task_goes_on_waiting,
}

pub(super) async fn leased(world: &World, id: &str) -> Result<Claimed, Failure> {
    world.creates_with(id, json!({ "type": id })).await?;
    claims(world, id).await
}

pub(super) async fn claims(world: &World, id: &str) -> Result<Claimed, Failure> {
    let claimed = world.claims_leased(json!({ "type_filter": [id] })).await?;
    claimed.ok_or_else(|| Failure::new(format!("{id} is not there to claim")))
}

/// The holder reports a failure.
pub(super) async fn fails(
    world: &World,
    claimed: &Claimed,
    mut body: Value,
) -> Result<Task, Failure> {
    body["lease_token"] = claimed.token.to_string().into();
    Ok(world.fails_with(&claimed.task.id, body).await?)
}

async fn what_is_given_back_is_claimable_at_once(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    let task = fails(world, &claimed, json!({ "reason": "drained" })).await?;
    let counters = (task.failure_count, task.setback_count, task.attempt_count, task.not_before);
    ensure_eq!((&*task.queue, counters), ("incoming", (0, 0, Some(0), None)));
    claims(world, "a").await?;
    Ok(())
}

async fn a_failure_of_the_environment_delays_and_counts_nothing(world: &World) -> Verdict {
    let mut claimed = leased(world, "a").await?;
    for delay in [30, 60, 120] {
        let task = fails(world, &claimed, json!({ "reason": "network" })).await?;
        ensure_eq!((&*task.queue, task.failure_count), ("incoming", 0));
        ensure_eq!(task.not_before, Some(world.now().plus(delay * SECOND)));
        ensure_eq!(world.claims().await?, None, "it is delayed");
        world.passes(delay * SECOND);
        ensure_eq!(world.store.end_delays(10, world.stamp()).await?, 1);
        claimed = claims(world, "a").await?;
    }
    let until = world.now().plus(3_600 * SECOND);
    let body = json!({ "reason": "provider_error", "not_before": until.to_iso() });
    ensure_eq!(fails(world, &claimed, body).await?.not_before, Some(until));
    Ok(())
}

async fn ten_failures_of_the_environment_in_a_row_ask_a_person(world: &World) -> Verdict {
    let mut claimed = leased(world, "a").await?;
    for nth in 1..=10 {
        let task = fails(world, &claimed, json!({ "reason": "missing_tool" })).await?;
        let waits = task.blocked_by.as_deref() == Some("awaiting-input");
        ensure_eq!((waits, task.needs_intervention), (nth == 10, nth == 10), "after {nth}");
        if nth < 10 {
            world.passes(600 * SECOND);
            world.store.end_delays(10, world.stamp()).await?;
            claimed = claims(world, "a").await?;
        }
    }
    let [question] = &*questions(world).await? else {
        return Err(Failure::new("one question is asked"));
    };
    ensure_eq!(question.label, "10 failures of the environment in a row: missing_tool");
    Ok(())
}

async fn a_failed_attempt_counts_and_delays(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    let body = json!({ "reason": "check_failed", "message": "2 tests failed" });
    let task = fails(world, &claimed, body).await?;
    ensure_eq!((&*task.queue, task.failure_count), ("incoming", 1));
    let delay = task.not_before.map_or(0, |until| until.0 - world.now().0);
    ensure!((10_000..12_000).contains(&delay), "10 s and at most a fifth more: {delay}");
    let last = world.history("a").await?.pop();
    let last = last.map(|event| (event.event, event.details.unwrap_or_default()));
    let details =
        r#"{"reason":"check_failed","message":"2 tests failed","retry":"auto","to":"incoming"}"#;
    ensure_eq!(last, Some(("failed".to_owned(), details.to_owned())));
    Ok(())
}

async fn attempts_end_at_their_number(world: &World) -> Verdict {
    for (id, max) in [("three", None), ("one", Some(1)), ("four", Some(4))] {
        world.creates_with(id, json!({ "type": id, "max_attempts": max })).await?;
        for nth in 1..=max.unwrap_or(3) {
            let claimed = claims(world, id).await?;
            let task = fails(world, &claimed, json!({ "reason": "crash" })).await?;
            let is_last = nth == max.unwrap_or(3);
            ensure_eq!(task.queue == "failed", is_last, "{id}, attempt {nth}");
            ensure_eq!(task.not_before.is_none(), is_last, "{id}, attempt {nth}");
            world.passes(720 * SECOND);
            world.store.end_delays(10, world.stamp()).await?;
        }
    }
    Ok(())
}

async fn a_final_failure_fails_the_task(world: &World) -> Verdict {
    for (id, body) in [
        ("budget", json!({ "reason": "budget" })),
        ("never", json!({ "reason": "network", "retry": "never" })),
        ("no question", json!({ "reason": "needs_input", "retry": "never" })),
    ] {
        let claimed = leased(world, id).await?;
        let task = fails(world, &claimed, body).await?;
        ensure_eq!((&*task.queue, task.blocked_by), ("failed", None), "{id}");
        let details = world.history(id).await?.pop().and_then(|event| event.details);
        ensure!(details.is_some_and(|details| details.ends_with(r#""to":"failed"}"#)), "{id}");
    }
    ensure!(questions(world).await?.is_empty());
    Ok(())
}

async fn a_failure_goes_back_to_where_the_task_was_claimed(world: &World) -> Verdict {
    world.creates_with("a", json!({ "queue": "polish" })).await?;
    let claimed = world.claims_leased(json!({ "queue": "polish" })).await?;
    let claimed = claimed.ok_or_else(|| Failure::new("it is there"))?;
    let task = fails(world, &claimed, json!({ "reason": "crash" })).await?;
    ensure_eq!(task.queue, "polish");
    Ok(())
}

async fn a_delayed_task_is_claimable_when_its_delay_has_ended(world: &World) -> Verdict {
    let until = world.now().plus(SECOND);
    let created = world.creates_with("a", json!({ "not_before": until.to_iso() })).await?;
    ensure_eq!(created.not_before, Some(until));
    world.creates_with("b", json!({ "not_before": "2020-01-01T00:00:00Z" })).await?;
    ensure_eq!(world.reads("b").await?.not_before, None, "what is past delays nothing");
    ensure_eq!(world.drains(json!({})).await?, ["b"]);
    world.passes(SECOND - 1);
    ensure_eq!(world.store.end_delays(10, world.stamp()).await?, 0);
    world.passes(1);
    ensure_eq!(world.store.end_delays(10, world.stamp()).await?, 1);
    let task = world.reads("a").await?;
    ensure_eq!((task.not_before, task.version), (None, created.version), "nothing was decided");
    ensure_eq!(world.drains(json!({})).await?, ["a"]);
    // By hand.
    world.creates("c").await?;
    let later = world.now().plus(SECOND).to_iso();
    world.patches("c", json!({ "not_before": later })).await?;
    ensure!(world.drains(json!({})).await?.is_empty(), "it is delayed");
    world.patches("c", json!({ "not_before": null })).await?;
    ensure_eq!(world.drains(json!({})).await?, ["c"]);
    Ok(())
}

async fn a_delay_is_at_most_eight_days(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    let body = |days: i64| {
        let until = world.now().plus(days * 86_400 * SECOND + 1);
        json!({
            "reason": "network", "not_before": until.to_iso(),
            "lease_token": claimed.token.to_string(),
        })
    };
    ensure_refused!(
        world.fails_with("a", body(8)).await,
        "invalid_request",
        "not_before is too far off: at most 8 days from now"
    );
    ensure_eq!(world.reads("a").await?, claimed.task, "a refused failure changes nothing");
    world.fails_with("a", body(7)).await?;
    Ok(())
}

async fn a_failure_without_a_token_is_the_holders(world: &World) -> Verdict {
    leased(world, "a").await?;
    let body = json!({ "reason": "crash", "agent_name": "another" });
    ensure_refused!(world.fails_with("a", body).await, "lease_lost");
    world.fails_with("a", json!({ "reason": "crash" })).await?;
    ensure_refused!(world.fails_with("a", json!({ "reason": "crash" })).await, "wrong_state");
    leased(world, "b").await?;
    world.passes(LEASE + 1);
    ensure_refused!(world.fails_with("b", json!({ "reason": "crash" })).await, "lease_lost");
    Ok(())
}

async fn an_unknown_reason_is_refused(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    for reason in ["lease_lost", "banana", ""] {
        let body = json!({ "reason": reason, "lease_token": claimed.token.to_string() });
        ensure_refused!(world.fails_with("a", body).await, "invalid_request");
    }
    ensure_eq!(world.reads("a").await?, claimed.task);
    ensure_eq!(REASONS.len(), 24);
    Ok(())
}

async fn the_usage_of_runs_is_added_up(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    let renewal = json!({
        "lease_token": claimed.token.to_string(), "usage": { "output_tokens": 5, "turns": 1 },
    });
    world.renews_with("a", renewal).await?;
    world.passes(LEASE + 1);
    world.reaps().await?;
    let used = |task: &Task| task.usage.as_deref().map(Usage::stored).unwrap_or_default();
    ensure_eq!(used(&world.reads("a").await?).output_tokens, Some(5), "a lapsed run counts");
    let submit = json!({
        "commits_count": 1, "turns_used": 2, "lease_token": claimed.token.to_string(),
        "usage": { "output_tokens": 7, "cost_usd": "0.5" },
    });
    let task = world.submits_with("a", submit).await?;
    let usage = used(&task);
    ensure_eq!((usage.output_tokens, usage.cost_usd.as_deref()), (Some(7), Some("0.5")), "once");
    world.rejects("a").await?;
    let claimed = claims(world, "a").await?;
    let body = json!({ "reason": "crash", "usage": { "output_tokens": 1, "input_tokens": 2 } });
    let usage = used(&fails(world, &claimed, body).await?);
    ensure_eq!((usage.output_tokens, usage.input_tokens, usage.turns), (Some(8), Some(2), None));
    Ok(())
}

async fn a_limit_of_a_provider_pauses_its_pool(world: &World) -> Verdict {
    const PAUSES: &str = "SELECT target, until FROM pauses WHERE scope = ?1 ORDER BY target";
    let pauses = async || world.runs(PAUSES, vec![SCOPE.into()]).await;
    let until = world.now().plus(3_600 * SECOND);
    let body = |reason: &str, pool: &str, hours: i64| {
        let until = world.now().plus(hours * 3_600 * SECOND).to_iso();
        json!({ "reason": reason, "pool": pool, "not_before": until })
    };
    for (id, reason, pool, hours) in [
        ("a", "provider_limit", "anthropic", 1),
        // It never shortens a pause.
        ("b", "provider_quota", "anthropic", 0),
        // Nothing but a provider pauses a pool.
        ("c", "network", "openai", 1),
    ] {
        let claimed = leased(world, id).await?;
        fails(world, &claimed, body(reason, pool, hours)).await?;
        ensure_eq!(pauses().await?, [vec!["pool:anthropic".into(), until.into()]], "after {id}");
    }
    let claimed = leased(world, "d").await?;
    fails(world, &claimed, body("provider_auth", "anthropic", 2)).await?;
    let later = world.now().plus(7_200 * SECOND);
    ensure_eq!(pauses().await?, [vec!["pool:anthropic".into(), later.into()]], "it is prolonged");
    Ok(())
}

/// Claims a task and lets its lease lapse.
async fn lapses(world: &World, id: &str) -> Result<Task, Failure> {
    claims(world, id).await?;
    world.passes(LEASE + 1);
    world.reaps().await?;
    Ok(world.reads(id).await?)
}

async fn the_first_lapse_is_not_delayed_and_the_next_are(world: &World) -> Verdict {
    world.creates_with("a", json!({ "type": "a" })).await?;
    ensure_eq!(lapses(world, "a").await?.not_before, None, "the first");
    for least in [10_000, 20_000] {
        let task = lapses(world, "a").await?;
        let delay = task.not_before.map_or(0, |until| until.0 - world.now().0);
        ensure!((least..least + least / 5).contains(&delay), "{least}: {delay}");
        world.passes(delay);
        world.store.end_delays(10, world.stamp()).await?;
    }
    ensure_eq!(world.reads("a").await?.lapse_count, 3);
    world.picks("a").await?;
    world.submits("a").await?;
    ensure_eq!(world.reads("a").await?.lapse_count, 0, "work that is submitted ends the row");
    Ok(())
}

async fn lapses_fail_a_task_that_limits_its_attempts(world: &World) -> Verdict {
    world.creates_with("a", json!({ "type": "a", "max_attempts": 2 })).await?;
    ensure_eq!(lapses(world, "a").await?.queue, "incoming");
    ensure_eq!(lapses(world, "a").await?.queue, "failed");
    ensure_eq!(world.events("a").await?.last().map(String::as_str), Some("failed"));
    Ok(())
}

async fn a_task_that_nobody_holds_is_cancelled_at_once(world: &World) -> Verdict {
    for queue in ["incoming", "provisional", "needs_continuation", "backlog", "failed"] {
        world.creates_with(queue, json!({ "queue": queue })).await?;
        let task = world.cancels(queue).await?;
        ensure_eq!((&*task.queue, task.cancel_requested_at), ("cancelled", None), "{queue}");
        ensure_eq!(world.cancels(queue).await?, task, "again it changes nothing");
    }
    world.creates_with("done", json!({ "queue": "done" })).await?;
    ensure_refused!(
        world.cancels("done").await,
        "wrong_state",
        "Failed to cancel task: Invalid transition: task is in done"
    );
    ensure!(world.drains(json!({})).await?.is_empty(), "nothing can be claimed");
    Ok(())
}

async fn the_holder_of_a_cancelled_task_is_told_to_stop(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    let renewal = json!({ "lease_token": claimed.token.to_string() });
    ensure!(!world.renews_with("a", renewal.clone()).await?.is_cancelled);
    let task = world.cancels("a").await?;
    ensure_eq!((&*task.queue, task.cancel_requested_at), ("claimed", Some(world.now())));
    ensure_eq!(world.cancels("a").await?, task, "again it changes nothing");
    ensure!(world.renews_with("a", renewal).await?.is_cancelled, "it is to stop");
    let task = fails(world, &claimed, json!({ "reason": "cancelled" })).await?;
    ensure_eq!((&*task.queue, task.cancel_requested_at), ("cancelled", None));
    ensure_eq!(
        world.events("a").await?,
        ["created", "claimed", "cancel_requested", "failed", "cancelled"]
    );
    Ok(())
}

async fn a_cancelled_task_ends_however_it_is_freed(world: &World) -> Verdict {
    for id in ["submit", "fail", "requeue", "reject", "lapse", "patch", "move"] {
        let claimed = leased(world, id).await?;
        world.cancels(id).await?;
        match id {
            "submit" => drop(world.submits(id).await?),
            "fail" => drop(fails(world, &claimed, json!({ "reason": "needs_input" })).await?),
            "requeue" => drop(world.requeues(id).await?),
            "reject" => drop(world.rejects(id).await?),
            "lapse" => {
                world.passes(LEASE + 1);
                world.reaps().await?;
            }
            "patch" => {
                let patch = json!({
                    "queue": "incoming", "claimed_by": null, "lease_expires_at": null,
                });
                world.patches(id, patch).await?;
            }
            _ => drop(world.patches(id, json!({ "queue": "backlog" })).await?),
        }
        let task = world.reads(id).await?;
        ensure_eq!((&*task.queue, task.cancel_requested_at), ("cancelled", None), "{id}");
        ensure_eq!((task.claim.by, task.blocked_by), (None, None), "{id}");
    }
    ensure!(questions(world).await?.is_empty(), "nobody is asked about a cancelled task");
    // The agent that slept hands in all the same, and its work is kept.
    let claimed = leased(world, "late").await?;
    world.cancels("late").await?;
    world.passes(LEASE + 1);
    world.reaps().await?;
    let submit = json!({
        "commits_count": 5, "turns_used": 2, "lease_token": claimed.token.to_string(),
    });
    let task = world.submits_with("late", submit).await?;
    ensure_eq!((&*task.queue, task.commits_count), ("cancelled", Some(5)));
    Ok(())
}

async fn a_verdict_and_a_move_drop_a_cancellation(world: &World) -> Verdict {
    for (id, queue) in [("accept", "done"), ("force", "incoming")] {
        leased(world, id).await?;
        world.cancels(id).await?;
        let task = match id {
            "accept" => world.accepts(id).await?,
            _ => world.forces(id, "incoming").await?,
        };
        ensure_eq!((&*task.queue, task.cancel_requested_at), (queue, None), "{id}");
    }
    Ok(())
}

async fn a_failed_or_cancelled_task_is_taken_up_again(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    fails(world, &claimed, json!({ "reason": "crash" })).await?;
    world.cancels("a").await?;
    let task = world.retries("a").await?;
    ensure_eq!((&*task.queue, task.failure_count, task.not_before), ("incoming", 0, None));
    ensure_refused!(world.retries("a").await, "wrong_state");
    let claimed = claims(world, "a").await?;
    ensure_eq!((claimed.task.run, claimed.task.attempt), (2, 2), "its history stays");
    fails(world, &claimed, json!({ "reason": "budget" })).await?;
    ensure_eq!(world.retries("a").await?.queue, "incoming");
    Ok(())
}

async fn what_waits_for_a_cancelled_task_goes_on_waiting(world: &World) -> Verdict {
    world.creates("a").await?;
    world.creates_with("b", json!({ "blocked_by": "a" })).await?;
    world.cancels("a").await?;
    ensure_eq!(world.reads("b").await?.blocked_by.as_deref(), Some("a"));
    Ok(())
}
