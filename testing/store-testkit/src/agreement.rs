//! A program is run against the store and the model side by side.

use std::collections::BTreeMap;

use octopoid_domain::event::Event;
use octopoid_store::{Result, StoreError, lists::Filter};
use serde_json::{Value, json};

use crate::{
    Failure, World, audit, ensure_eq,
    model::{Answer, Model, Row, STEPS, STRICT},
    program::{Create, IDS, Patch, SCOPES, Step, Verdict},
    setting::Flow,
};

/// Runs a program against the store and the model, and says where they part.
pub async fn agree(world: &World, program: &[Step]) -> crate::Verdict {
    for scope in SCOPES {
        let flow = Flow { scope, name: STRICT, steps: &STEPS, ..Flow::default() };
        world.registers(flow).await?;
    }
    let mut model = Model::default();
    for (number, step) in program.iter().enumerate() {
        let answer = answer(world, step).await?;
        let place = format!("after step {number}, {step:?}");
        ensure_eq!(answer, model.run(step), "the answer {place}");
        ensure_eq!(rows(world).await?, model.rows(), "the tasks {place}");
        for scope in SCOPES {
            for queue in ["done", "failed", "incoming"] {
                let counted = count(world, scope, queue).await?;
                let expected = model.count(scope, queue);
                ensure_eq!(counted, expected, "how many are {queue} in {scope} {place}");
            }
        }
    }
    let rows: BTreeMap<_, _> = model.rows().into_iter().map(|row| (row.id.clone(), row)).collect();
    for id in IDS {
        let history = world.history(id).await?;
        let told: Vec<_> = history.iter().map(|event| (&*event.event, &event.agent)).collect();
        let expected = model.history.get(id).map(Vec::as_slice).unwrap_or_default();
        let expected: Vec<_> = expected.iter().map(|(event, agent)| (*event, agent)).collect();
        ensure_eq!(told, expected, "the history of {id}");
        let queue = rows.get(id).map(|row| row.queue.clone());
        ensure_eq!(replay(&history)?, queue, "where its history leads {id}");
    }
    audit::check(world).await
}

/// Does a step on the store.
async fn answer(world: &World, step: &Step) -> Result<Answer> {
    let outcome = match step {
        Step::Create(new) => world.creates_with(new.id, creation(new)).await.map(Some),
        Step::Claim(claim) => {
            let body = json!({
                "agent_name": claim.agent, "queue": claim.queue, "role_filter": claim.roles,
                "type_filter": claim.kinds, "lease_duration_seconds": claim.lease_ms / 1_000,
            });
            world.claims_in(claim.scope, body).await
        }
        Step::Submit { id, agent, commits, turns, age } => {
            let body = json!({
                "commits_count": commits, "turns_used": turns, "agent_name": agent,
                "version": seen(world, id, *age).await?,
            });
            world.submits_with(id, body).await.map(Some)
        }
        Step::Judge { id, verdict, age } => {
            let mut body = json!({
                "accepted_by": "reviewer", "rejected_by": "reviewer", "reason": "not yet",
            });
            body["version"] = seen(world, id, *age).await?;
            match verdict {
                Verdict::Accept => world.accepts_with(id, body).await.map(Some),
                Verdict::Reject => world.rejects_with(id, body).await.map(Some),
                Verdict::Requeue => world.requeues_with(id, body).await.map(Some),
            }
        }
        Step::Patch(patch) => {
            let mut body = update(world, patch);
            body["version"] = seen(world, patch.id, patch.age).await?;
            world.patches(patch.id, body).await.map(Some)
        }
        Step::Force { id, queue } => world.forces(id, queue).await.map(Some),
        Step::Delete { id } => world.deletes(id).await.map(|()| None),
        Step::Tick { ms } => {
            world.passes(*ms);
            Ok(None)
        }
        Step::Reap { grace_ms } => {
            let ended_before = world.now().plus(-grace_ms);
            let released = world.releases(ended_before, 100).await?;
            let mut ids: Vec<_> = released.into_iter().map(|task| task.id).collect();
            ids.sort();
            return Ok(Answer::Released(ids));
        }
    };
    match outcome {
        Ok(Some(task)) => Ok(Answer::Task(Box::new(task.into()))),
        Ok(None) => Ok(Answer::Nothing),
        Err(StoreError::Refused(refusal)) => Ok(Answer::Refused(refusal.code())),
        Err(error) => Err(error),
    }
}

fn creation(new: &Create) -> Value {
    json!({
        "scope": new.scope, "queue": new.queue, "blocked_by": new.blocked_by.join(","),
        "role": new.role, "type": new.kind, "priority": new.priority,
        "flow": new.is_strict.then_some(STRICT),
    })
}

fn update(world: &World, patch: &Patch) -> Value {
    let mut body = json!({});
    let mut set = |field: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[field] = value;
        }
    };
    set("queue", patch.queue.map(Value::from));
    set("claimed_by", patch.claimed_by.map(Value::from));
    set("blocked_by", patch.blocked_by.as_ref().map(|list| list.join(",").into()));
    set("priority", patch.priority.map(Value::from));
    set("role", patch.role.map(Value::from));
    set("needs_intervention", patch.needs_intervention.map(Value::from));
    let lease = |ms: Option<i64>| ms.map(|ms| world.now().plus(ms).to_iso()).into();
    set("lease_expires_at", patch.lease_ms.map(lease));
    body
}

/// The version that a caller gives whose view of the task has this age.
async fn seen(world: &World, id: &str, age: Option<i64>) -> Result<Value> {
    let Some(age) = age else { return Ok(Value::Null) };
    match world.reads(id).await {
        Ok(task) => Ok((task.version - age).into()),
        Err(StoreError::Refused(_)) => Ok(1.into()),
        Err(error) => Err(error),
    }
}

async fn rows(world: &World) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for scope in SCOPES {
        let filter = Filter { scope: scope.to_owned(), ..Filter::default() };
        rows.extend(world.tasks(&filter).await?.into_iter().map(Row::from));
    }
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(rows)
}

async fn count(world: &World, scope: &str, queue: &str) -> Result<i64> {
    let queues = vec![queue.to_owned()];
    let filter = Filter { scope: scope.to_owned(), queues, ..Filter::default() };
    Ok(world.lists(filter).await?.1)
}

/// Where a task is, by its history alone; `None` if it was deleted or never was. Fails if it was
/// handed out while somebody held it.
fn replay(history: &[Event]) -> std::result::Result<Option<String>, Failure> {
    let mut queue: Option<String> = None;
    let mut is_held = false;
    for event in history {
        let details = event.details.as_deref().unwrap_or_default();
        let details: Value = serde_json::from_str(details).unwrap_or_default();
        let told = |field: &str| details[field].as_str().map(str::to_owned);
        let before = queue.clone();
        queue = match &*event.event {
            "created" => Some(told("queue").unwrap_or_else(|| "incoming".to_owned())),
            "claimed" => Some("claimed".to_owned()),
            "review_claimed" | "submitted" | "review_released" => Some("provisional".to_owned()),
            "burnout_detected" => Some("needs_continuation".to_owned()),
            "accepted" => Some("done".to_owned()),
            "rejected" | "requeued" => Some("incoming".to_owned()),
            "force_queue" => told("to"),
            "edited" => told("to").or(queue),
            "deleted" => None,
            _ => queue,
        };
        let is_claim = ["claimed", "review_claimed"].contains(&&*event.event);
        if is_claim && is_held {
            return Err(Failure::new(format!("handed out while it was held: {event:?}")));
        }
        let mentions_lease = details["fields"]
            .as_array()
            .is_some_and(|fields| fields.contains(&"lease_expires_at".into()));
        let keeps = ["edited", "unblocked", "hook_completed"].contains(&&*event.event);
        is_held = is_claim || (is_held && keeps && queue == before && !mentions_lease);
    }
    Ok(queue)
}
