//! Accepting, rejecting and putting back, where no flow has a say.

use octopoid_domain::{Claim, Millis, Task, decide::Request};
use octopoid_store::engine::Value as Cell;
use serde_json::{Value, json};

use crate::{
    Verdict, World, ensure_eq, ensure_refused,
    verdict::code,
    world::{AGENT, SECOND},
};

cases! {
    accepting_finishes_the_task,
    accepting_may_say_when_the_task_was_finished,
    rejecting_sends_the_task_back_with_the_reason,
    rejecting_leaves_a_message_to_nobody_in_particular,
    putting_back_counts_an_attempt,
    counters_rise_with_every_round,
    a_verdict_is_possible_on_claimed_and_on_submitted_work,
    a_verdict_on_anything_else_is_refused,
    a_verdict_names_who_gives_it,
    a_verdict_on_another_version_is_refused,
    a_verdict_on_an_unknown_task_is_refused,
}

async fn accepting_finishes_the_task(world: &World) -> Verdict {
    let submitted = world.hands_in("a").await?;
    let flagged = json!({ "needs_intervention": true });
    world.patches("a", flagged).await?;
    world.passes(SECOND);
    let expected = Task {
        queue: "done".to_owned(),
        completed_at: Some(world.now()),
        accepted_attempt: Some(1),
        updated_at: world.now(),
        version: submitted.version + 2,
        ..submitted
    };
    ensure_eq!(world.accepts("a").await?, expected, "the accepted task");
    let last = world.history("a").await?.pop();
    let last = last.map(|event| (event.event, event.agent));
    let expected = ("accepted".to_owned(), Some("reviewer".to_owned()));
    ensure_eq!(last, Some(expected), "the event");
    Ok(())
}

async fn accepting_may_say_when_the_task_was_finished(world: &World) -> Verdict {
    world.hands_in("a").await?;
    let body = json!({ "accepted_by": "me", "completed_at": "2026-03-02T10:00:00.123456+00:00" });
    let task = world.accepts_with("a", body).await?;
    let at = task.completed_at.map(Millis::to_iso);
    ensure_eq!(at.as_deref(), Some("2026-03-02T10:00:00.123Z"), "completed_at");
    Ok(())
}

async fn rejecting_sends_the_task_back_with_the_reason(world: &World) -> Verdict {
    let submitted = world.hands_in("a").await?;
    world.passes(SECOND);
    let reason = "a long reason, ".repeat(500);
    let body = json!({ "reason": reason, "rejected_by": "me" });
    let expected = Task {
        queue: "incoming".to_owned(),
        rejection_count: Some(1),
        updated_at: world.now(),
        version: submitted.version + 1,
        ..submitted
    };
    ensure_eq!(world.rejects_with("a", body).await?, expected, "counts and notes stay");
    let last = world.history("a").await?.pop();
    let last = last.map(|event| (event.event, event.agent, event.details));
    let expected = ("rejected".to_owned(), Some("me".to_owned()), Some(reason));
    ensure_eq!(last, Some(expected), "the event has the reason");
    ensure_eq!(world.drains(json!({})).await?, ["a"], "it can be claimed again");
    Ok(())
}

async fn rejecting_leaves_a_message_to_nobody_in_particular(world: &World) -> Verdict {
    const MESSAGES: &str =
        "SELECT task_id, from_actor, to_actor, type, content, created_at, scope FROM messages";
    world.hands_in("a").await?;
    world.rejects("a").await?;
    let expected: Vec<Cell> = vec![
        "a".into(),
        "reviewer".into(),
        Cell::Null,
        "rejection".into(),
        "not yet".into(),
        world.now().into(),
        "s".into(),
    ];
    ensure_eq!(world.runs(MESSAGES, vec![]).await?, [expected], "the message");
    Ok(())
}

async fn putting_back_counts_an_attempt(world: &World) -> Verdict {
    let held = world.works_on("a").await?;
    world.passes(SECOND);
    let task = world.requeues_with("a", json!({ "reason": "laptop closed" })).await?;
    let expected = Task {
        queue: "incoming".to_owned(),
        claim: Claim::default(),
        lease_run: None,
        attempt_count: Some(1),
        updated_at: world.now(),
        version: held.version + 1,
        ..held
    };
    ensure_eq!(task, expected, "the task");
    let last = world.history("a").await?.pop();
    let last = last.map(|event| (event.event, event.agent, event.details));
    let text = |text: &str| Some(text.to_owned());
    let expected = ("requeued".to_owned(), text(AGENT), text("laptop closed"));
    ensure_eq!(last, Some(expected), "the event names who had it");
    Ok(())
}

async fn counters_rise_with_every_round(world: &World) -> Verdict {
    world.creates_with("a", json!({ "type": "a" })).await?;
    for round in 1..=3 {
        world.picks("a").await?;
        let task = world.requeues("a").await?;
        ensure_eq!(task.attempt_count, Some(round), "attempts");
        world.picks("a").await?;
        let task = world.rejects("a").await?;
        ensure_eq!(task.rejection_count, Some(round), "rejections");
    }
    // A client may clear them, and they begin anew.
    let cleared = json!({ "attempt_count": null, "rejection_count": null });
    world.patches("a", cleared).await?;
    world.picks("a").await?;
    ensure_eq!(world.requeues("a").await?.attempt_count, Some(1), "attempts");
    world.picks("a").await?;
    ensure_eq!(world.rejects("a").await?.rejection_count, Some(1), "rejections");
    Ok(())
}

/// The three verdicts, each with its body.
fn verdicts() -> [(&'static str, Value); 3] {
    [
        ("accept", json!({ "accepted_by": "me" })),
        ("reject", json!({ "reason": "no", "rejected_by": "me" })),
        ("requeue", json!({})),
    ]
}

async fn gives(
    world: &World,
    verdict: &str,
    id: &str,
    body: Value,
) -> octopoid_store::Result<Task> {
    match verdict {
        "accept" => world.accepts_with(id, body).await,
        "reject" => world.rejects_with(id, body).await,
        _ => world.requeues_with(id, body).await,
    }
}

async fn a_verdict_is_possible_on_claimed_and_on_submitted_work(world: &World) -> Verdict {
    for (verdict, body) in verdicts() {
        let expected = if verdict == "accept" { "done" } else { "incoming" };
        for source in ["claimed", "provisional"] {
            let id = format!("{verdict} {source}");
            world.works_on(&id).await?;
            if source == "provisional" {
                world.submits(&id).await?;
            }
            let task = gives(world, verdict, &id, body.clone()).await?;
            ensure_eq!(task.queue, expected, "{id}");
        }
    }
    Ok(())
}

async fn a_verdict_on_anything_else_is_refused(world: &World) -> Verdict {
    for queue in ["incoming", "done", "failed", "needs_continuation", "backlog"] {
        let before = world.creates_with(queue, json!({ "queue": queue })).await?;
        for (verdict, body) in verdicts() {
            let expected = match verdict {
                "requeue" => "claimed or provisional",
                _ => "provisional or claimed",
            };
            let words = format!(
                "Failed to {verdict} task: \
                 Invalid transition: task is in {queue}, expected {expected}"
            );
            let answer = gives(world, verdict, queue, body).await;
            ensure_refused!(answer, "wrong_state", words);
        }
        ensure_eq!(world.reads(queue).await?, before, "it stays as it was");
        ensure_eq!(world.events(queue).await?, ["created"], "no event");
    }
    Ok(())
}

async fn a_verdict_names_who_gives_it(world: &World) -> Verdict {
    world.hands_in("a").await?;
    let words = "Missing required field: accepted_by";
    for body in [json!({}), json!({ "accepted_by": "" })] {
        ensure_refused!(world.accepts_with("a", body).await, "invalid_request", words);
    }
    let words = "Missing required fields: reason, rejected_by";
    for body in [json!({}), json!({ "reason": "r" }), json!({ "rejected_by": "me" })] {
        ensure_refused!(world.rejects_with("a", body).await, "invalid_request", words);
    }
    ensure_eq!(world.reads("a").await?.queue, "provisional", "no verdict was given");
    Ok(())
}

async fn a_verdict_on_another_version_is_refused(world: &World) -> Verdict {
    for (verdict, body) in verdicts() {
        let submitted = world.hands_in(verdict).await?;
        for version in [submitted.version - 1, submitted.version + 1] {
            let mut body = body.clone();
            body["version"] = version.into();
            let answer = gives(world, verdict, verdict, body).await;
            let words = format!(
                "Failed to {verdict} task: Version mismatch: expected {version}, found {}",
                submitted.version
            );
            ensure_refused!(answer, "version_conflict", words);
        }
        ensure_eq!(world.reads(verdict).await?, submitted, "it stays as it was");
        let mut body = body.clone();
        body["version"] = submitted.version.into();
        gives(world, verdict, verdict, body).await?;
    }
    Ok(())
}

async fn a_verdict_on_an_unknown_task_is_refused(world: &World) -> Verdict {
    for (verdict, body) in verdicts() {
        let answer = gives(world, verdict, "nothing", body).await;
        ensure_eq!(code(&answer), Some("task_not_found"), "{verdict}");
    }
    let answer = world.changes("nothing", Request::Release).await;
    ensure_eq!(code(&answer), Some("task_not_found"), "release");
    ensure_eq!(world.events("nothing").await?, [""; 0], "no history");
    Ok(())
}
