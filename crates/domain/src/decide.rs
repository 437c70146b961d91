//! The requests that change a task, and the pure function that applies them.
//!
//! Every operation that changes one task calls [`decide`].

use serde_json::json;

use crate::{
    change::{Change, Notice, check_version},
    edit::{check_hook, check_patch, check_some, complete_hook, update},
    event::{Kind, NewEvent},
    flow::{Rules, check_queue},
    input::{Id, PatchCount, Text},
    queue,
    refusal::Refusal,
    step::Step,
    steps::{Accept, CompleteHook, ForceQueue, Reject, Requeue, Submit, is_burnout},
    task::{Task, TaskPatch},
    time::Millis,
    transition::{Transition, check_source, transition},
};

/// A step with the fields of its request.
#[derive(Clone, Debug)]
pub enum Request {
    /// Submit work.
    Submit(Submit),
    /// Accept work.
    Accept(Accept),
    /// Reject work.
    Reject(Reject),
    /// Requeue.
    Requeue(Requeue),
    /// Release after the lease has expired.
    Release,
    /// Move to any queue.
    ForceQueue(ForceQueue),
    /// Change fields.
    Update(Box<TaskPatch>),
    /// Record a hook's evidence: the hook's name and the report.
    CompleteHook(String, CompleteHook),
}

impl Request {
    /// The step of this request.
    pub fn step(&self) -> Step {
        match self {
            Self::Submit(_) => Step::Submit,
            Self::Accept(_) => Step::Accept,
            Self::Reject(_) => Step::Reject,
            Self::Requeue(_) => Step::Requeue,
            Self::Release => Step::Release,
            Self::ForceQueue(_) => Step::ForceQueue,
            Self::Update(_) | Self::CompleteHook(..) => Step::Update,
        }
    }

    /// The refusals that do not depend on the task. They take precedence over "not found", so the
    /// store checks them before it reads the task; [`decide`] checks them again.
    pub fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Submit(body) => body.counts().map(drop),
            Self::Accept(body) => body.by().map(drop),
            Self::Reject(body) => body.verdict().map(drop),
            Self::ForceQueue(body) => body.order().map(drop),
            Self::Update(patch) => check_patch(patch).and_then(|()| check_some(patch)),
            Self::CompleteHook(_, body) => check_hook(body),
            Self::Requeue(_) | Self::Release => Ok(()),
        }
    }
}

/// Computes the change of a task by a request, or the refusal. `rules` are those of the task's
/// flow, if it is registered.
pub fn decide(
    task: &Task,
    request: &Request,
    rules: Option<&Rules>,
    now: Millis,
) -> Result<Change, Refusal> {
    let mut change = Change::new(task);
    match request {
        Request::Submit(body) => submit(&mut change, body, now)?,
        Request::Accept(body) => accept(&mut change, body, rules, now)?,
        Request::Reject(body) => reject(&mut change, body, rules, now)?,
        Request::Requeue(body) => requeue(&mut change, body, rules)?,
        Request::Release => release(&mut change)?,
        Request::ForceQueue(body) => force_queue(&mut change, body, rules, now)?,
        Request::Update(patch) => update(&mut change, patch, rules, now)?,
        Request::CompleteHook(name, body) => complete_hook(&mut change, name, body)?,
    }
    if task.queue == queue::DONE && change.task.queue != queue::DONE {
        change.task.completed_at = None;
    }
    change.task.version = task.version + 1;
    change.task.updated_at = now;
    Ok(change)
}

fn submit(change: &mut Change, body: &Submit, now: Millis) -> Result<(), Refusal> {
    let (commits, turns) = body.counts()?;
    let row = transition(Step::Submit);
    let burnout = is_burnout(commits, turns);
    let to = row.target(&change.task.queue, None, burnout);
    check_source(row, &change.task, &to, None)?;
    check_holder(&change.task, body, now)?;
    check_version(&change.task, row.step, body.version.value().map(|version| version.0))?;
    let task = &mut change.task;
    let agent = task.claim.by.take();
    row.apply(task, to);
    task.commits_count = Some(commits);
    task.turns_used = Some(turns);
    task.check_results.clone_from(&body.check_results.0);
    task.execution_notes.clone_from(&body.execution_notes.0);
    task.submitted_at = Some(now);
    change.record(NewEvent::new(Kind::Submitted, agent));
    if burnout {
        let details = json!({
            "commits_count": commits, "turns_used": turns,
            "threshold": crate::steps::BURNOUT_TURNS_IDLE,
        });
        change.record(NewEvent::new(Kind::BurnoutDetected, None).with(details.to_string()));
    }
    Ok(())
}

/// Submitting needs an unexpired lease, and the identity in the request must be the holder's.
fn check_holder(task: &Task, body: &Submit, now: Millis) -> Result<(), Refusal> {
    let lost = |reason: String| Err(Refusal::LeaseLost { step: Step::Submit, reason });
    match task.claim.expires_at {
        None => return lost("No active lease".to_owned()),
        Some(expires) if expires < now => return lost("Lease has expired".to_owned()),
        Some(_) => {}
    }
    check_identity(task, Step::Submit, &body.agent_name, &body.orchestrator_id)
}

/// The identity in the request must be the holder's.
fn check_identity(task: &Task, step: Step, agent: &Text, machine: &Id) -> Result<(), Refusal> {
    for (caller, holder) in [(&agent.0, &task.claim.by), (&machine.0, &task.claim.orchestrator_id)]
    {
        if caller.is_some() && caller != holder {
            let holder = holder.as_deref().unwrap_or("nobody");
            let reason = format!("Task is claimed by {holder}");
            return Err(Refusal::LeaseLost { step, reason });
        }
    }
    Ok(())
}

/// A request with an identity cannot accept or reject a task that another reviewer holds. A task
/// without an unexpired lease can be accepted or rejected by any caller.
fn check_reviewer(
    task: &Task,
    step: Step,
    (agent, machine): (&Text, &Id),
    now: Millis,
) -> Result<(), Refusal> {
    let runs = task.claim.expires_at.is_some_and(|end| end >= now);
    if !(task.is_held() && runs) {
        return Ok(());
    }
    check_identity(task, step, agent, machine)
}

/// Checks a step against the flow and the expected version; returns the target queue.
fn check_step(
    row: &Transition,
    task: &Task,
    version: &PatchCount,
    rules: Option<&Rules>,
) -> Result<String, Refusal> {
    let to = row.target(&task.queue, None, false);
    check_source(row, task, &to, rules)?;
    check_version(task, row.step, version.value().map(|version| version.0))?;
    Ok(to)
}

fn accept(
    change: &mut Change,
    body: &Accept,
    rules: Option<&Rules>,
    now: Millis,
) -> Result<(), Refusal> {
    let by = body.by()?;
    let row = transition(Step::Accept);
    let to = check_step(row, &change.task, &body.version, rules)?;
    check_reviewer(&change.task, row.step, (&body.agent_name, &body.orchestrator_id), now)?;
    row.apply(&mut change.task, to);
    change.task.completed_at = Some(body.completed_at.0.unwrap_or(now));
    change.record(NewEvent::new(Kind::Accepted, Some(by.to_owned())));
    Ok(())
}

fn reject(
    change: &mut Change,
    body: &Reject,
    rules: Option<&Rules>,
    now: Millis,
) -> Result<(), Refusal> {
    let (reason, by) = body.verdict()?;
    let row = transition(Step::Reject);
    let to = check_step(row, &change.task, &body.version, rules)?;
    check_reviewer(&change.task, row.step, (&body.agent_name, &body.orchestrator_id), now)?;
    row.apply(&mut change.task, to);
    let (reason, by) = (reason.to_owned(), by.to_owned());
    change.record(NewEvent::new(Kind::Rejected, Some(by.clone())).with(reason.clone()));
    change.notice = Some(Notice { from_actor: by, kind: "rejection", content: reason });
    Ok(())
}

fn requeue(change: &mut Change, body: &Requeue, rules: Option<&Rules>) -> Result<(), Refusal> {
    let row = transition(Step::Requeue);
    let to = check_step(row, &change.task, &body.version, rules)?;
    let mut event = NewEvent::new(Kind::Requeued, change.task.claim.by.take());
    event.details = body.reason().map(str::to_owned);
    row.apply(&mut change.task, to);
    change.record(event);
    Ok(())
}

/// The details of the event of an expired lease.
const LEASE_EXPIRED: &str = "Lease expired";

fn release(change: &mut Change) -> Result<(), Refusal> {
    let row = transition(Step::Release);
    let to = row.target(&change.task.queue, None, false);
    check_source(row, &change.task, &to, None)?;
    let agent = change.task.claim.by.take();
    let is_review = change.task.queue == to;
    let kind = if is_review { Kind::ReviewReleased } else { Kind::Requeued };
    row.apply(&mut change.task, to);
    change.record(NewEvent::new(kind, agent).with(LEASE_EXPIRED));
    Ok(())
}

fn force_queue(
    change: &mut Change,
    body: &ForceQueue,
    rules: Option<&Rules>,
    now: Millis,
) -> Result<(), Refusal> {
    let (asked, reason) = body.order()?;
    check_queue(asked, rules, change.task.project_id.is_some())?;
    let row = transition(Step::ForceQueue);
    let from = change.task.queue.clone();
    let to = row.target(&from, Some(asked), false);
    let details = json!({ "reason": reason, "from": from, "to": to });
    row.apply(&mut change.task, to);
    if change.task.queue == queue::DONE {
        change.task.completed_at = Some(now);
    }
    change.record(NewEvent::new(Kind::ForceQueue, None).with(details.to_string()));
    let from_actor = "system".to_owned();
    change.notice = Some(Notice { from_actor, kind: "force_queue", content: reason.to_owned() });
    Ok(())
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
