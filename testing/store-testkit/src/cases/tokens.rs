//! Lease tokens: what they are good for, and until when.

use octopoid_domain::{Claim, decide::Request, run::Outcome};
use octopoid_store::{Claimed, StoreError};
use serde_json::{Value, json};

use crate::{
    Failure, Verdict, World, ensure, ensure_eq, ensure_refused,
    world::{AGENT, LEASE, SCOPE, SECOND, read},
};

cases! {
    a_claim_numbers_its_run_and_gives_a_token_of_its_own,
    a_token_is_as_good_as_the_holder_as_long_as_the_lease_runs,
    work_is_submitted_after_the_lease_has_ended,
    work_is_submitted_after_the_task_was_taken_back,
    work_is_submitted_after_lapses_have_failed_the_task,
    a_late_submit_is_refused_once_another_has_claimed,
    the_same_submit_again_changes_nothing,
    the_same_report_of_a_failure_again_changes_nothing,
    a_token_of_another_task_is_refused,
    a_step_ends_the_token,
    a_move_by_hand_ends_the_token,
    an_edit_of_other_fields_keeps_the_token,
    a_scheduler_that_takes_back_an_ended_lease_leaves_the_token,
    a_scheduler_that_takes_back_a_running_lease_ends_the_token,
    runs_go_on_after_a_deletion,
    a_lease_is_renewed_and_the_version_stays,
    a_renewal_resumes_a_lease_that_was_taken_back,
    a_renewal_is_refused_once_another_has_claimed,
    a_renewed_lease_is_not_taken_back,
    a_checkpoint_reaches_the_next_agent,
    a_person_reaches_a_running_agent,
    a_claim_tells_what_came_back,
    a_claim_in_place_leaves_the_task_where_it_is,
    accepted_work_may_go_on_to_another_queue,
    a_review_that_is_claimed_over_has_lapsed,
}

async fn leased(world: &World, id: &str) -> Result<Claimed, Failure> {
    world.creates_with(id, json!({ "type": id })).await?;
    claims(world, id).await
}

async fn claims(world: &World, id: &str) -> Result<Claimed, Failure> {
    let claimed = world.claims_leased(json!({ "type_filter": [id] })).await?;
    claimed.ok_or_else(|| Failure::new(format!("{id} is not there to claim")))
}

fn report(claimed: &Claimed) -> Value {
    json!({ "commits_count": 1, "turns_used": 2, "lease_token": claimed.token.to_string() })
}

/// The numbers and outcomes of a task's runs.
async fn runs(world: &World, id: &str) -> Result<Vec<(i64, String)>, Failure> {
    const RUNS: &str = "SELECT run, outcome FROM runs WHERE task_id = ?1 ORDER BY run";
    let rows = world.runs(RUNS, vec![id.into()]).await?;
    let run = |row: Vec<octopoid_store::engine::Value>| match <[_; 2]>::try_from(row) {
        Ok(
            [octopoid_store::engine::Value::Int(run), octopoid_store::engine::Value::Text(outcome)],
        ) => Ok((run, outcome)),
        other => Err(Failure::new(format!("a run has a number and an outcome: {other:?}"))),
    };
    rows.into_iter().map(run).collect()
}

fn outcomes(outcomes: &[Outcome]) -> Vec<(i64, String)> {
    (1..).zip(outcomes).map(|(run, outcome)| (run, outcome.as_str().to_owned())).collect()
}

async fn a_claim_numbers_its_run_and_gives_a_token_of_its_own(world: &World) -> Verdict {
    let first = leased(world, "a").await?;
    ensure_eq!((first.task.run, first.task.attempt, first.token.run), (1, 1, 1));
    world.submits_with("a", report(&first)).await?;
    let review = world.claims_leased(json!({ "queue": "provisional" })).await?;
    let review = review.ok_or_else(|| Failure::new("there is a review"))?;
    ensure_eq!((review.task.run, review.task.attempt), (2, 1), "a review is no attempt");
    world.rejects("a").await?;
    let second = claims(world, "a").await?;
    ensure_eq!((second.task.run, second.task.attempt), (3, 2));
    ensure!(first.token.hash() != second.token.hash(), "each has a secret of its own");
    ensure_eq!(
        runs(world, "a").await?,
        outcomes(&[Outcome::Submitted, Outcome::Rejected, Outcome::Running])
    );
    Ok(())
}

async fn a_token_is_as_good_as_the_holder_as_long_as_the_lease_runs(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    let mut body = report(&claimed);
    body["agent_name"] = "another".into();
    ensure_eq!(world.submits_with("a", body).await?.queue, "provisional", "whoever sends it");
    Ok(())
}

async fn work_is_submitted_after_the_lease_has_ended(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    world.passes(LEASE + 1);
    let task = world.submits_with("a", report(&claimed)).await?;
    ensure_eq!((&*task.queue, task.attempt_count), ("provisional", Some(0)));
    ensure_eq!(world.events("a").await?, ["created", "claimed", "submitted"], "nothing was undone");
    Ok(())
}

async fn work_is_submitted_after_the_task_was_taken_back(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    world.passes(LEASE + 1);
    world.reaps().await?;
    ensure_eq!(world.reads("a").await?.attempt_count, Some(1), "the lapse is counted");
    let task = world.submits_with("a", report(&claimed)).await?;
    ensure_eq!((&*task.queue, task.attempt_count), ("provisional", Some(0)), "and undone");
    ensure_eq!(task.lapse_count, 0);
    ensure_eq!(
        world.events("a").await?,
        ["created", "claimed", "requeued", "resumed", "submitted"]
    );
    ensure_eq!(runs(world, "a").await?, outcomes(&[Outcome::Submitted]));
    Ok(())
}

async fn work_is_submitted_after_lapses_have_failed_the_task(world: &World) -> Verdict {
    world.creates_with("a", json!({ "type": "a", "max_attempts": 1 })).await?;
    let claimed = claims(world, "a").await?;
    world.passes(LEASE + 1);
    world.reaps().await?;
    ensure_eq!(world.reads("a").await?.queue, "failed");
    let task = world.submits_with("a", report(&claimed)).await?;
    ensure_eq!((&*task.queue, task.lapse_count), ("provisional", 0));
    Ok(())
}

async fn a_late_submit_is_refused_once_another_has_claimed(world: &World) -> Verdict {
    let late = leased(world, "a").await?;
    world.passes(LEASE + 1);
    world.reaps().await?;
    let taken_back = world.now().to_iso();
    world.passes(SECOND);
    claims(world, "a").await?;
    let before = world.reads("a").await?;
    ensure_refused!(
        world.submits_with("a", report(&late)).await,
        "lease_lost",
        format!(
            "Failed to submit task: Run 1 lost its lease, which was not renewed, and the task was \
             claimed again by {AGENT}; the lease was taken back at {taken_back}"
        )
    );
    ensure_eq!(world.reads("a").await?, before, "nothing changes");
    Ok(())
}

async fn the_same_submit_again_changes_nothing(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    let submitted = world.submits_with("a", report(&claimed)).await?;
    world.passes(SECOND);
    ensure_eq!(world.submits_with("a", report(&claimed)).await?, submitted);
    // Even when others have gone on with the task.
    let accepted = world.accepts("a").await?;
    ensure_eq!(world.submits_with("a", report(&claimed)).await?, accepted);
    ensure_eq!(world.events("a").await?, ["created", "claimed", "submitted", "accepted"]);
    // Another step is another matter.
    let fail = json!({ "reason": "crash", "lease_token": claimed.token.to_string() });
    ensure_refused!(world.fails_with("a", fail).await, "lease_lost");
    Ok(())
}

async fn the_same_report_of_a_failure_again_changes_nothing(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    let fail = json!({ "reason": "drained", "lease_token": claimed.token.to_string() });
    let failed = world.fails_with("a", fail.clone()).await?;
    ensure_eq!(world.fails_with("a", fail).await?, failed);
    ensure_refused!(world.submits_with("a", report(&claimed)).await, "lease_lost");
    Ok(())
}

async fn a_token_of_another_task_is_refused(world: &World) -> Verdict {
    let (a, b) = (leased(world, "a").await?, leased(world, "b").await?);
    ensure_refused!(
        world.submits_with("b", report(&a)).await,
        "lease_lost",
        "Failed to submit task: The lease token is not one of this task"
    );
    ensure_refused!(world.submits_with("nothing", report(&a)).await, "task_not_found");
    world.submits_with("b", report(&b)).await?;
    Ok(())
}

async fn a_step_ends_the_token(world: &World) -> Verdict {
    for (id, outcome) in [
        ("accept", Outcome::Accepted),
        ("reject", Outcome::Rejected),
        ("requeue", Outcome::Released),
        ("force-queue", Outcome::Released),
    ] {
        let claimed = leased(world, id).await?;
        match id {
            "accept" => world.accepts(id).await?,
            "reject" => world.rejects(id).await?,
            "requeue" => world.requeues(id).await?,
            _ => world.forces(id, "backlog").await?,
        };
        ensure_eq!(runs(world, id).await?, outcomes(&[outcome]), "{id}");
        ensure_refused!(world.submits_with(id, report(&claimed)).await, "lease_lost");
    }
    Ok(())
}

async fn a_move_by_hand_ends_the_token(world: &World) -> Verdict {
    for (id, patch) in [
        ("moved", json!({ "queue": "backlog" })),
        ("given up", json!({ "queue": "failed" })),
        ("another's", json!({ "claimed_by": "another" })),
    ] {
        let claimed = leased(world, id).await?;
        world.patches(id, patch).await?;
        ensure_refused!(world.submits_with(id, report(&claimed)).await, "lease_lost");
        ensure_eq!(world.reads(id).await?.lease_run, None, "{id}");
    }
    Ok(())
}

async fn an_edit_of_other_fields_keeps_the_token(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    let patch = json!({ "title": "t", "queue": "claimed", "claimed_by": AGENT, "priority": "P0" });
    world.patches("a", patch).await?;
    ensure_eq!(world.submits_with("a", report(&claimed)).await?.queue, "provisional");
    Ok(())
}

/// What schedulers of the first server send when they find a lease that has ended.
async fn a_scheduler_that_takes_back_an_ended_lease_leaves_the_token(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    world.passes(LEASE + 1);
    let patch = json!({
        "queue": "incoming", "claimed_by": null, "lease_expires_at": null, "attempt_count": 1,
        "needs_intervention": false,
    });
    let task = world.patches("a", patch).await?;
    ensure_eq!((task.attempt_count, task.lapse_count), (Some(1), 1), "as the reaper's");
    ensure_eq!(task.claim, Claim::default(), "nobody holds it");
    ensure_eq!(runs(world, "a").await?, outcomes(&[Outcome::Lapsed]));
    let task = world.submits_with("a", report(&claimed)).await?;
    ensure_eq!((&*task.queue, task.attempt_count), ("provisional", Some(0)));
    Ok(())
}

async fn a_scheduler_that_takes_back_a_running_lease_ends_the_token(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    let patch = json!({ "queue": "incoming", "claimed_by": null, "lease_expires_at": null });
    world.patches("a", patch).await?;
    ensure_refused!(world.submits_with("a", report(&claimed)).await, "lease_lost");
    ensure_eq!(runs(world, "a").await?, outcomes(&[Outcome::Released]));
    Ok(())
}

async fn runs_go_on_after_a_deletion(world: &World) -> Verdict {
    let old = leased(world, "a").await?;
    world.deletes("a").await?;
    ensure_refused!(world.submits_with("a", report(&old)).await, "task_not_found");
    let new = leased(world, "a").await?;
    ensure_eq!((new.task.run, new.task.attempt), (2, 2));
    ensure_refused!(world.submits_with("a", report(&old)).await, "lease_lost");
    ensure_eq!(runs(world, "a").await?, outcomes(&[Outcome::Released, Outcome::Running]));
    Ok(())
}

fn renewal(claimed: &Claimed) -> Value {
    json!({ "lease_token": claimed.token.to_string() })
}

async fn a_lease_is_renewed_and_the_version_stays(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    // Not by much: a lease that has ended and was not taken back is renewed in the same way.
    for passes in [LEASE - 1, LEASE + 1] {
        world.passes(passes);
        let renewed = world.renews_with("a", renewal(&claimed)).await?;
        let end = world.now().plus(LEASE);
        ensure_eq!((renewed.run, renewed.lease_expires_at), (1, end));
        let task = world.reads("a").await?;
        ensure_eq!((task.version, task.claim.expires_at), (claimed.task.version, Some(end)));
    }
    ensure_eq!(world.events("a").await?, ["created", "claimed"], "a renewal is no event");
    let body = json!({ "lease_token": claimed.token.to_string(), "lease_duration_seconds": 20 });
    let renewed = world.renews_with("a", body).await?;
    ensure_eq!(renewed.lease_expires_at, world.now().plus(20 * SECOND));
    Ok(())
}

async fn a_renewal_resumes_a_lease_that_was_taken_back(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    world.passes(LEASE + 1);
    world.reaps().await?;
    let renewed = world.renews_with("a", renewal(&claimed)).await?;
    let task = world.reads("a").await?;
    let expected =
        Claim { expires_at: Some(renewed.lease_expires_at), ..claimed.task.claim.clone() };
    ensure_eq!((&*task.queue, &task.claim), ("claimed", &expected), "it is held as before");
    ensure_eq!(task.attempt_count, Some(0));
    ensure_eq!(world.claims().await?, None, "nobody else gets it");
    ensure_eq!(runs(world, "a").await?, outcomes(&[Outcome::Running]));
    ensure_eq!(world.submits_with("a", report(&claimed)).await?.queue, "provisional");
    Ok(())
}

async fn a_renewal_is_refused_once_another_has_claimed(world: &World) -> Verdict {
    let late = leased(world, "a").await?;
    world.passes(LEASE + 1);
    world.reaps().await?;
    claims(world, "a").await?;
    let before = world.reads("a").await?;
    ensure_refused!(world.renews_with("a", renewal(&late)).await, "lease_lost");
    ensure_refused!(world.renews_with("b", renewal(&late)).await, "task_not_found");
    ensure_eq!(world.reads("a").await?, before);
    Ok(())
}

async fn a_renewed_lease_is_not_taken_back(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    world.passes(LEASE + 1);
    world.renews_with("a", renewal(&claimed)).await?;
    ensure!(world.reaps().await?.is_empty(), "there is nothing to take back");
    Ok(())
}

async fn a_checkpoint_reaches_the_next_agent(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    let mut body = renewal(&claimed);
    body["checkpoint"] = json!({ "done": ["x"] });
    world.renews_with("a", body).await?;
    world.passes(LEASE + 1);
    world.reaps().await?;
    // One that saves nothing itself hands on what it was given.
    for _ in 0..2 {
        let next = claims(world, "a").await?;
        ensure_eq!(next.before.checkpoint.as_deref(), Some(r#"{"done":["x"]}"#));
        world.requeues("a").await?;
    }
    Ok(())
}

async fn a_person_reaches_a_running_agent(world: &World) -> Verdict {
    let says = async |to: &str, kind: &str, content: &str| {
        let body = json!({
            "task_id": "a", "from_actor": "person", "to_actor": to, "type": kind,
            "content": content, "scope": SCOPE,
        });
        let new: octopoid_domain::message::NewMessage = read(&body)?;
        world.store.create_message(new.into_message(None, world.now())?, world.stamp()).await
    };
    says("agent", "comment", "before the claim").await?;
    world.passes(1);
    let claimed = leased(world, "a").await?;
    says("agent", "comment", "one").await?;
    says("somebody", "comment", "not for you").await?;
    says("agent", "action_command", "not for you either").await?;
    says(AGENT, "comment", "two").await?;
    let renewed = world.renews_with("a", renewal(&claimed)).await?;
    let contents: Vec<_> = renewed.messages.iter().map(|message| &*message.content).collect();
    ensure_eq!(contents, ["one", "two"]);
    let mut body = renewal(&claimed);
    body["messages_after"] = renewed.messages[0].id.clone().into();
    let renewed = world.renews_with("a", body).await?;
    let contents: Vec<_> = renewed.messages.iter().map(|message| &*message.content).collect();
    ensure_eq!(contents, ["two"], "after the first");
    Ok(())
}

async fn a_claim_tells_what_came_back(world: &World) -> Verdict {
    let claimed = leased(world, "a").await?;
    ensure!(claimed.before.previous.is_none() && claimed.before.feedback.is_empty());
    let mut body = report(&claimed);
    body["result"] = json!({
        "summary": "did it", "checks": [{ "name": "tests", "exit_code": 1 }],
    });
    world.submits_with("a", body).await?;
    world.passes(1);
    world.rejects("a").await?;
    let next = claims(world, "a").await?;
    let previous = next.before.previous.ok_or_else(|| Failure::new("there was a run"))?;
    ensure_eq!((previous.run, previous.outcome), (1, Outcome::Submitted));
    ensure_eq!(previous.summary.as_deref(), Some("did it"));
    ensure_eq!(previous.failed_checks.as_deref(), Some(r#"["tests"]"#));
    ensure!(previous.is_rejected, "its verdict");
    let [feedback] = &*next.before.feedback else {
        return Err(Failure::new(format!("one thing came back: {:?}", next.before.feedback)));
    };
    ensure_eq!(
        (&*feedback.kind, &*feedback.by, &*feedback.text),
        ("rejection", "reviewer", "not yet")
    );
    Ok(())
}

async fn a_claim_in_place_leaves_the_task_where_it_is(world: &World) -> Verdict {
    world.creates_with("a", json!({ "queue": "approved" })).await?;
    let merge = json!({ "queue": "approved", "in_place": true });
    let claimed = world.claims_leased(merge.clone()).await?;
    let claimed = claimed.ok_or_else(|| Failure::new("there is something to merge"))?;
    ensure_eq!((&*claimed.task.queue, claimed.task.attempt), ("approved", 0));
    ensure!(world.claims_with(merge.clone()).await?.is_none(), "it is held");
    world.passes(LEASE + 1);
    ensure_eq!(world.reaps().await?, ["a"]);
    let task = world.reads("a").await?;
    ensure_eq!((&*task.queue, task.attempt_count, task.lapse_count), ("approved", Some(0), 0));
    ensure_eq!(task.claim, Claim::default());
    let claimed = world.claims_leased(merge).await?;
    let claimed = claimed.ok_or_else(|| Failure::new("it can be claimed again"))?;
    let fail = json!({ "reason": "check_failed", "lease_token": claimed.token.to_string() });
    let task = world.fails_with("a", fail).await?;
    ensure_eq!((&*task.queue, task.failure_count, task.not_before), ("approved", 0, None));
    Ok(())
}

async fn accepted_work_may_go_on_to_another_queue(world: &World) -> Verdict {
    world.hands_in("a").await?;
    world.creates_with("b", json!({ "blocked_by": "a" })).await?;
    for queue in ["incoming", "claimed", "failed", "cancelled"] {
        let body = json!({ "accepted_by": "reviewer", "queue": queue });
        ensure_refused!(world.accepts_with("a", body).await, "invalid_request");
    }
    let body = json!({ "accepted_by": "reviewer", "queue": "approved" });
    let task = world.accepts_with("a", body).await?;
    ensure_eq!((&*task.queue, task.completed_at), ("approved", None));
    ensure_eq!(world.reads("b").await?.blocked_by.as_deref(), Some("a"), "it goes on waiting");
    ensure_eq!(task.accepted_attempt, Some(1));
    Ok(())
}

async fn a_review_that_is_claimed_over_has_lapsed(world: &World) -> Verdict {
    world.hands_in("a").await?;
    let review = json!({ "queue": "provisional" });
    let late = world.claims_leased(review.clone()).await?;
    let late = late.ok_or_else(|| Failure::new("there is a review"))?;
    world.passes(LEASE + 1);
    let next = world.claims_leased(review).await?;
    let next = next.ok_or_else(|| Failure::new("the review is free"))?;
    ensure_eq!(
        runs(world, "a").await?,
        outcomes(&[Outcome::Submitted, Outcome::Lapsed, Outcome::Running])
    );
    let accept = |claimed: &Claimed| json!({ "accepted_by": "reviewer", "lease_token": claimed.token.to_string() });
    ensure_refused!(world.accepts_with("a", accept(&late)).await, "lease_lost");
    ensure_eq!(world.accepts_with("a", accept(&next)).await?.queue, "done");
    // What a step says of itself is not asked of the store.
    let request = Request::Accept(read(&accept(&next))?);
    let again = world.store.change_task("a", None, &request, world.stamp()).await;
    ensure!(!matches!(again, Err(StoreError::Refused(_))), "again it changes nothing");
    Ok(())
}
