//! Moving a task past the rules.

use octopoid_domain::{Claim, Task};
use octopoid_store::engine::Value as Cell;
use serde_json::{Value, json};

use crate::{Verdict, World, ensure, ensure_eq, ensure_refused, setting::Flow, world::SECOND};

cases! {
    an_operator_moves_a_task_from_any_queue_to_any,
    moving_ends_the_claim,
    moving_is_told_with_its_reason,
    moving_to_done_finishes_the_task,
    moving_out_of_done_reopens_the_task,
    moving_to_where_it_is_changes_no_count,
    moving_asks_only_whether_the_flow_has_the_queue,
    moving_needs_a_queue_and_a_reason,
    moving_an_unknown_task_is_refused,
}

const QUEUES: [&str; 6] = ["incoming", "claimed", "provisional", "done", "failed", "backlog"];

async fn an_operator_moves_a_task_from_any_queue_to_any(world: &World) -> Verdict {
    for from in QUEUES {
        for to in QUEUES {
            let id = format!("{from} {to}");
            world.creates_with(&id, json!({ "queue": from })).await?;
            let task = world.forces(&id, to).await?;
            ensure_eq!((&*task.queue, task.version), (to, 2), "{id}");
        }
    }
    Ok(())
}

async fn moving_ends_the_claim(world: &World) -> Verdict {
    world.works_on("a").await?;
    let held = world.patches("a", json!({ "needs_intervention": true })).await?;
    world.passes(SECOND);
    let expected = Task {
        queue: "backlog".to_owned(),
        claim: Claim::default(),
        lease_run: None,
        needs_intervention: false,
        updated_at: world.now(),
        version: held.version + 1,
        ..held
    };
    ensure_eq!(world.forces("a", "backlog").await?, expected, "the task");
    Ok(())
}

async fn moving_is_told_with_its_reason(world: &World) -> Verdict {
    const MESSAGES: &str =
        "SELECT task_id, from_actor, to_actor, type, content, created_at, scope FROM messages";
    world.creates("a").await?;
    world.passes(SECOND);
    let body = json!({ "queue": "failed", "reason": "say \"no\"" });
    world.forces_with("a", body).await?;
    let last = world.history("a").await?.pop();
    let last = last.map(|event| (event.event, event.agent));
    ensure_eq!(last, Some(("force_queue".to_owned(), None)), "the event");
    let details = world.history("a").await?.pop().and_then(|event| event.details);
    let details: Value = serde_json::from_str(&details.unwrap_or_default()).unwrap_or_default();
    let expected = json!({ "reason": "say \"no\"", "from": "incoming", "to": "failed" });
    ensure_eq!(details, expected, "its details");
    let expected: Vec<Cell> = vec![
        "a".into(),
        "system".into(),
        Cell::Null,
        "force_queue".into(),
        "say \"no\"".into(),
        world.now().into(),
        "s".into(),
    ];
    ensure_eq!(world.runs(MESSAGES, vec![]).await?, [expected], "the message");
    Ok(())
}

async fn moving_to_done_finishes_the_task(world: &World) -> Verdict {
    world.creates("a").await?;
    world.creates_with("b", json!({ "blocked_by": "a" })).await?;
    world.passes(SECOND);
    let task = world.forces("a", "done").await?;
    ensure_eq!(task.completed_at, Some(world.now()), "it was finished now");
    ensure_eq!(world.reads("b").await?.blocked_by, None, "what waited goes on");
    Ok(())
}

async fn moving_out_of_done_reopens_the_task(world: &World) -> Verdict {
    let submitted = world.hands_in("a").await?;
    world.accepts("a").await?;
    let task = world.forces("a", "incoming").await?;
    ensure_eq!(task.completed_at, None, "it is not finished any more");
    ensure_eq!(task.submitted_at, submitted.submitted_at, "it was submitted once");
    world.picks("a").await?;
    Ok(())
}

async fn moving_to_where_it_is_changes_no_count(world: &World) -> Verdict {
    for queue in ["done", "failed", "incoming"] {
        world.creates_with(queue, json!({ "queue": queue })).await?;
        let task = world.forces(queue, queue).await?;
        ensure_eq!(task.queue, queue, "it stays in its queue");
        ensure_eq!(task.version, 2, "but it was changed");
    }
    Ok(())
}

async fn moving_asks_only_whether_the_flow_has_the_queue(world: &World) -> Verdict {
    let bare = Flow { steps: &[], ..Flow::default() };
    world.registers(bare).await?;
    let before = world.creates("a").await?;
    let words = "Invalid queue \"backlog\". Valid queues for flow \"default\": \
                 incoming, claimed, done, failed, provisional";
    ensure_refused!(world.forces("a", "backlog").await, "invalid_queue", words);
    ensure_eq!(world.reads("a").await?, before, "it stays as it was");
    for queue in ["provisional", "done", "claimed", "failed", "incoming"] {
        world.forces("a", queue).await?;
    }
    Ok(())
}

async fn moving_needs_a_queue_and_a_reason(world: &World) -> Verdict {
    let before = world.creates("a").await?;
    for body in [json!({}), json!({ "queue": "done" }), json!({ "reason": "r" })] {
        let words = "Missing required fields: queue, reason";
        ensure_refused!(world.forces_with("a", body).await, "invalid_request", words);
    }
    let body = json!({ "queue": "done", "reason": { "why": "because" } });
    ensure_refused!(world.forces_with("a", body).await, "invalid_request");
    ensure_eq!(world.reads("a").await?, before, "it stays as it was");
    Ok(())
}

async fn moving_an_unknown_task_is_refused(world: &World) -> Verdict {
    ensure_refused!(world.forces("nothing", "done").await, "task_not_found");
    ensure!(world.events("nothing").await?.is_empty(), "no history");
    Ok(())
}
