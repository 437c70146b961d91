//! How leases are kept, how they end, and what the reaper does then.

use octopoid_domain::{Claim, Millis, Task};
use octopoid_store::lapses::Lapses;
use serde_json::json;

use crate::{
    Verdict, World, ensure, ensure_eq, ensure_refused,
    world::{AGENT, DAY, LEASE, MACHINE, SECOND},
};

cases! {
    a_lease_holds_until_its_last_millisecond,
    a_stale_lease_is_refused_and_leaves_no_event,
    an_ended_claim_goes_back_to_the_queue,
    a_released_task_can_be_claimed_by_another,
    the_old_holder_is_refused_once_another_holds_the_task,
    the_grace_is_the_callers_to_give,
    reaping_twice_changes_nothing,
    reaping_goes_page_by_page_from_the_oldest,
    a_renewed_lease_is_left_alone,
    a_lease_may_be_renewed_in_any_form_of_time,
    no_lease_is_longer_than_a_day,
    a_lease_that_is_set_into_the_past_is_given_up,
    a_task_that_was_moved_on_is_left_alone,
    what_nobody_holds_is_left_alone,
    a_lease_that_was_never_claimed_holds_nothing,
    a_task_that_was_put_back_to_work_by_hand_has_the_lease_it_was_given,
    a_claimed_task_without_a_lease_is_released_after_a_day,
    every_scope_is_reaped,
    reaping_records_one_event_per_task,
    what_cannot_be_taken_back_keeps_nothing_else,
}

async fn a_lease_holds_until_its_last_millisecond(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.works_on("b").await?;
    world.passes(LEASE);
    ensure_eq!(world.reaps().await?, [""; 0], "nothing has ended yet");
    world.submits("a").await?;
    world.passes(1);
    let words = "Failed to submit task: Lease has expired";
    ensure_refused!(world.submits("b").await, "lease_lost", words);
    ensure_eq!(world.reaps().await?, ["b"], "now it has ended");
    Ok(())
}

async fn a_stale_lease_is_refused_and_leaves_no_event(world: &World) -> Verdict {
    let held = world.works_on("a").await?;
    world.passes(LEASE + 1);
    ensure_refused!(world.submits("a").await, "lease_lost");
    ensure_eq!(world.reads("a").await?, held, "the task stays as it was");
    ensure_eq!(world.events("a").await?, ["created", "claimed"], "no event");
    Ok(())
}

async fn an_ended_claim_goes_back_to_the_queue(world: &World) -> Verdict {
    world.works_on("a").await?;
    let held = world.patches("a", json!({ "needs_intervention": true })).await?;
    world.passes(LEASE + 1);
    ensure_eq!(world.reaps().await?, ["a"], "the reaper takes it back");
    let expected = Task {
        queue: "incoming".to_owned(),
        claim: Claim::default(),
        needs_intervention: false,
        attempt_count: Some(1),
        lapse_count: 1,
        version: held.version + 1,
        updated_at: world.now(),
        ..held
    };
    ensure_eq!(world.reads("a").await?, expected, "a full transition");
    let last = world.history("a").await?.pop();
    let last = last.map(|event| (event.event, event.agent, event.details));
    let text = |text: &str| Some(text.to_owned());
    let expected = ("requeued".to_owned(), text(AGENT), text("Lease expired"));
    ensure_eq!(last, Some(expected), "the event names the silent agent");
    Ok(())
}

async fn a_released_task_can_be_claimed_by_another(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.passes(LEASE + 1);
    ensure_eq!(world.claims().await?, None, "not before the reaper came");
    world.reaps().await?;
    let task = world.claims_with(json!({ "agent_name": "another" })).await?;
    let holder = task.and_then(|task| task.claim.by);
    ensure_eq!(holder.as_deref(), Some("another"), "the new holder");
    Ok(())
}

async fn the_old_holder_is_refused_once_another_holds_the_task(world: &World) -> Verdict {
    let old = world.works_on("a").await?;
    world.passes(LEASE + 1);
    world.reaps().await?;
    let late = json!({ "commits_count": 1, "turns_used": 1, "agent_name": AGENT });
    ensure_refused!(world.submits_with("a", late.clone()).await, "wrong_state");
    let new = world.claims_with(json!({ "agent_name": "another" })).await?;
    let words = "Failed to submit task: Task is claimed by another";
    ensure_refused!(world.submits_with("a", late).await, "lease_lost", words);
    let by_version = json!({ "commits_count": 1, "turns_used": 1, "version": old.version });
    ensure_refused!(world.submits_with("a", by_version).await, "version_conflict");
    ensure_eq!(Some(world.reads("a").await?), new, "the new holder keeps it");
    Ok(())
}

async fn the_grace_is_the_callers_to_give(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.passes(LEASE + 120 * SECOND);
    let graced = world.now().plus(-120 * SECOND);
    ensure_eq!(world.releases(graced, 10).await?, [], "within the grace");
    world.passes(1);
    let graced = world.now().plus(-120 * SECOND);
    ensure_eq!(world.releases(graced, 10).await?.len(), 1, "after the grace");
    Ok(())
}

async fn reaping_twice_changes_nothing(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.passes(LEASE + 1);
    world.reaps().await?;
    let (task, events) = (world.reads("a").await?, world.events("a").await?);
    ensure_eq!(world.reaps().await?, [""; 0], "nothing more to take back");
    ensure_eq!(world.reads("a").await?, task, "the task");
    ensure_eq!(world.events("a").await?, events, "its history");
    Ok(())
}

async fn reaping_goes_page_by_page_from_the_oldest(world: &World) -> Verdict {
    for id in ["c", "a", "b"] {
        world.works_on(id).await?;
        world.passes(1);
    }
    world.passes(LEASE);
    let mut pages = Vec::new();
    for _ in 0..3 {
        let released = world.releases(world.now(), 2).await?;
        let ids: Vec<_> = released.into_iter().map(|task| task.id).collect();
        pages.push(ids.join(" "));
    }
    ensure_eq!(pages, ["c a", "b", ""], "two at a time");
    Ok(())
}

async fn a_renewed_lease_is_left_alone(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.passes(LEASE - 1);
    let longer = world.now().plus(3_600 * SECOND).to_iso();
    let task = world.patches("a", json!({ "lease_expires_at": longer })).await?;
    ensure_eq!(task.claim.expires_at.map(Millis::to_iso), Some(longer), "the new end");
    world.passes(3_600 * SECOND);
    ensure_eq!(world.reaps().await?, [""; 0], "the lease still holds");
    world.submits("a").await?;
    Ok(())
}

async fn a_lease_may_be_renewed_in_any_form_of_time(world: &World) -> Verdict {
    world.works_on("a").await?;
    for (form, shown) in [
        ("2026-11-22T10:00:00.123456+00:00", "2026-11-22T10:00:00.123Z"),
        ("2026-11-22T12:00:00+02:00", "2026-11-22T10:00:00.000Z"),
        ("2026-11-22 10:00:00", "2026-11-22T10:00:00.000Z"),
    ] {
        let task = world.patches("a", json!({ "lease_expires_at": form })).await?;
        let end = task.claim.expires_at.map(Millis::to_iso);
        ensure_eq!(end.as_deref(), Some(shown), "for {form}");
    }
    let answer = world.patches("a", json!({ "lease_expires_at": "soon" })).await;
    ensure_refused!(answer, "invalid_request");
    Ok(())
}

async fn no_lease_is_longer_than_a_day(world: &World) -> Verdict {
    let longest = Some(world.now().plus(DAY));
    world.creates("a").await?;
    let claimed = world.claims_with(json!({ "lease_duration_seconds": 1e9 })).await?;
    ensure_eq!(claimed.and_then(|task| task.claim.expires_at), longest, "by a claim");
    for end in ["2099-01-01T00:00:00Z", "9999-12-30T00:00:00Z"] {
        let task = world.patches("a", json!({ "lease_expires_at": end })).await?;
        ensure_eq!(task.claim.expires_at, longest, "by a renewal until {end}");
    }
    let resumed = json!({
        "queue": "claimed", "claimed_by": "me", "lease_expires_at": 253_402_207_199_999_i64,
    });
    world.creates("b").await?;
    let task = world.patches("b", resumed).await?;
    ensure_eq!(task.claim.expires_at, longest, "by hand");
    world.passes(DAY + 1);
    let mut released = world.reaps().await?;
    released.sort();
    ensure_eq!(released, ["a", "b"], "and then they end");
    Ok(())
}

async fn a_lease_that_is_set_into_the_past_is_given_up(world: &World) -> Verdict {
    world.works_on("a").await?;
    let past = world.now().plus(-SECOND);
    let task = world.patches("a", json!({ "lease_expires_at": past.to_iso() })).await?;
    ensure_eq!(task.claim.expires_at, Some(past), "as it was said");
    ensure_refused!(world.submits("a").await, "lease_lost");
    ensure_eq!(world.reaps().await?, ["a"], "it has ended");
    Ok(())
}

async fn a_task_that_was_moved_on_is_left_alone(world: &World) -> Verdict {
    for queue in ["needs_continuation", "provisional", "failed", "incoming"] {
        world.works_on(queue).await?;
        let lease = world.reads(queue).await?.claim.expires_at.map(Millis::to_iso);
        let moved = json!({ "queue": queue, "claimed_by": AGENT, "lease_expires_at": lease });
        world.patches(queue, moved).await?;
    }
    world.passes(2 * DAY);
    ensure_eq!(world.reaps().await?, [""; 0], "none of them is held");
    Ok(())
}

async fn what_nobody_holds_is_left_alone(world: &World) -> Verdict {
    for queue in ["incoming", "provisional", "done", "failed", "backlog"] {
        world.creates_with(queue, json!({ "queue": queue })).await?;
    }
    world.hands_in("submitted").await?;
    world.passes(30 * DAY);
    ensure_eq!(world.reaps().await?, [""; 0], "nothing is held");
    Ok(())
}

async fn a_lease_that_was_never_claimed_holds_nothing(world: &World) -> Verdict {
    let lease = world.now().plus(LEASE).to_iso();
    for queue in ["incoming", "provisional"] {
        world.creates_with(queue, json!({ "queue": queue })).await?;
        world.patches(queue, json!({ "lease_expires_at": lease, "claimed_by": "me" })).await?;
        let order = world.drains(json!({ "queue": queue })).await?;
        ensure_eq!(order, [queue], "it can be claimed from {queue}");
    }
    Ok(())
}

/// As a client resumes a task: it writes the claim itself.
async fn a_task_that_was_put_back_to_work_by_hand_has_the_lease_it_was_given(
    world: &World,
) -> Verdict {
    for id in ["submitted", "abandoned"] {
        world.creates(id).await?;
        let lease = world.now().plus(LEASE).to_iso();
        let resumed = json!({ "queue": "claimed", "claimed_by": "me", "lease_expires_at": lease });
        world.patches(id, resumed).await?;
    }
    world.passes(LEASE);
    ensure_eq!(world.reaps().await?, [""; 0], "the lease holds");
    let report = json!({ "commits_count": 1, "turns_used": 1, "agent_name": "me" });
    world.submits_with("submitted", report).await?;
    world.passes(1);
    ensure_eq!(world.reaps().await?, ["abandoned"], "and ends");
    Ok(())
}

/// Clients and operators put tasks into `claimed` by hand, and mostly come back to them.
async fn a_claimed_task_without_a_lease_is_released_after_a_day(world: &World) -> Verdict {
    world.creates_with("created", json!({ "queue": "claimed" })).await?;
    world.creates("forced").await?;
    world.forces("forced", "claimed").await?;
    world.creates("patched").await?;
    world.patches("patched", json!({ "queue": "claimed", "claimed_by": "me" })).await?;
    let words = "Failed to submit task: No active lease";
    ensure_refused!(world.submits("forced").await, "lease_lost", words);
    world.passes(DAY - 1);
    // A change shows that somebody looks after it, and the day begins anew.
    world.patches("created", json!({ "title": "still here" })).await?;
    world.passes(1);
    ensure_eq!(world.reaps().await?, [""; 0], "a day, to the millisecond");
    world.passes(1);
    let mut released = world.reaps().await?;
    released.sort();
    ensure_eq!(released, ["forced", "patched"], "those left alone for a day");
    let task = world.reads("patched").await?;
    ensure_eq!((&*task.queue, task.claim.by), ("incoming", None), "back in the queue");
    world.passes(DAY);
    ensure_eq!(world.reaps().await?, ["created"], "and the other a day later");
    Ok(())
}

async fn every_scope_is_reaped(world: &World) -> Verdict {
    for scope in ["one", "two"] {
        world.creates_with(scope, json!({ "scope": scope })).await?;
        world.claims_in(scope, json!({})).await?;
    }
    world.passes(LEASE + 1);
    let mut released = world.reaps().await?;
    released.sort();
    ensure_eq!(released, ["one", "two"], "of both scopes");
    Ok(())
}

async fn reaping_records_one_event_per_task(world: &World) -> Verdict {
    for id in ["a", "b", "c"] {
        world.creates_with(id, json!({ "type": id })).await?;
        let fields = json!({ "agent_name": format!("agent of {id}"), "type_filter": id });
        world.claims_with(fields).await?;
    }
    world.passes(LEASE + 1);
    ensure_eq!(world.reaps().await?.len(), 3, "all of them");
    for id in ["a", "b", "c"] {
        ensure_eq!(world.events(id).await?, ["created", "claimed", "requeued"], "of {id}");
        let agent = world.history(id).await?.pop().and_then(|event| event.agent);
        ensure_eq!(agent, Some(format!("agent of {id}")), "who had {id}");
    }
    let again = world.claims_with(json!({ "orchestrator_id": MACHINE })).await?;
    ensure!(again.is_some(), "they can be claimed again");
    Ok(())
}

/// No operation makes such rows; a person with a database client does.
async fn what_cannot_be_taken_back_keeps_nothing_else(world: &World) -> Verdict {
    const HOLD_ELSEWHERE: &str = "UPDATE tasks SET queue = 'done', claimed_in = 'done' \
         WHERE id IN ('a', 'b', 'e')";
    const COUNT_ELSEWHERE: &str = "INSERT INTO finished_counts (scope, queue, shard, tasks) \
         SELECT scope, queue, seq % 16, 1 FROM tasks WHERE queue = 'done'";
    const TAKE_NUMBER: &str = "INSERT INTO events (scope, kind, subject, seq, event, at) \
         SELECT scope, 'task', id, events + 1, 'edited', 0 FROM tasks WHERE id = 'c'";
    for id in ["a", "b", "c", "d", "e", "f"] {
        world.works_on(id).await?;
        world.passes(1);
    }
    world.runs(HOLD_ELSEWHERE, vec![]).await?;
    world.runs(COUNT_ELSEWHERE, vec![]).await?;
    world.runs(TAKE_NUMBER, vec![]).await?;
    world.passes(LEASE);
    for expected in [&["d", "f"][..], &[]] {
        let mut lapses = Lapses::before(world.now());
        let (mut released, mut refused) = (Vec::new(), Vec::new());
        for page in 0.. {
            ensure!(page < 5, "the walk comes to an end");
            let page = world.store.release_lapsed(&mut lapses, 2, world.stamp()).await?;
            released.extend(page.tasks.into_iter().map(|task| task.id));
            refused.extend(page.refused.into_iter().map(|(id, _)| id));
            if page.is_last {
                break;
            }
        }
        ensure_eq!(released, expected, "the others");
        refused.sort();
        ensure_eq!(refused, ["a", "b", "c", "e"], "each is named once");
    }
    ensure_eq!(world.reads("a").await?.claim.by.as_deref(), Some(AGENT), "it stays as it was");
    Ok(())
}
