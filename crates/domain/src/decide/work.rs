//! Submitting work, and the verdicts on it.

use serde_json::json;

use crate::{
    change::{Change, Notice, check_version},
    event::{Kind as EventKind, NewEvent},
    flow::{Rules, check_queue},
    input::{Id, PatchCount, Text},
    queue,
    refusal::Refusal,
    run::{Kind, Outcome},
    step::Step,
    steps::{Accept, BURNOUT_TURNS_IDLE, ForceQueue, Reject, Requeue, Submit, is_burnout},
    task::Task,
    text::shown,
    time::Millis,
    transition::{Transition, check_source, transition},
};

use super::{
    Situation,
    leases::{End, end_run},
};

/// The queues that accepted work cannot go to.
const NOT_ACCEPTED: [&str; 4] = [queue::INCOMING, queue::CLAIMED, queue::FAILED, queue::CANCELLED];

pub(super) fn submit(
    change: &mut Change,
    at: &Situation<'_>,
    body: &Submit,
) -> Result<(), Refusal> {
    let (commits, turns) = body.counts()?;
    let row = transition(Step::Submit);
    let burnout = is_burnout(commits, turns);
    let to = row.target(&change.task, None, burnout);
    check_source(row, &change.task, &to, None)?;
    if !at.is_holder() {
        check_holder(&change.task, row.step, (&body.agent_name, &body.orchestrator_id), at.now)?;
    }
    check_version(at.task, row.step, body.version.value().map(|version| version.0))?;
    let task = &mut change.task;
    let agent = task.claim.by.take();
    row.apply(task, to);
    end_row(task);
    task.commits_count = Some(commits);
    task.turns_used = Some(turns);
    task.check_results.clone_from(&body.check_results.0);
    task.execution_notes.clone_from(&body.execution_notes.0);
    task.submitted_at = Some(at.now);
    change.record(NewEvent::new(EventKind::Submitted, agent));
    if burnout {
        let details = json!({
            "commits_count": commits, "turns_used": turns, "threshold": BURNOUT_TURNS_IDLE,
        });
        change.record(NewEvent::new(EventKind::BurnoutDetected, None).with(details.to_string()));
    }
    let (usage, result) = (body.usage.as_ref(), body.result.as_ref());
    end_run(change, at, End { usage, result, ..End::new(row.step, Outcome::Submitted) });
    Ok(())
}

/// A submit, a verdict or a move by hand ends the row of lapses and of setbacks, and every delay.
pub(super) fn end_row(task: &mut Task) {
    task.lapse_count = 0;
    task.setback_count = 0;
    task.not_before = None;
}

/// Acting as the holder without a token needs an unexpired lease, and the identity in the request
/// must be the holder's.
pub(super) fn check_holder(
    task: &Task,
    step: Step,
    (agent, machine): (&Text, &Id),
    now: Millis,
) -> Result<(), Refusal> {
    let lost = |reason: String| Err(Refusal::LeaseLost { step, reason });
    match task.claim.expires_at {
        None => return lost("No active lease".to_owned()),
        Some(expires) if expires < now => return lost("Lease has expired".to_owned()),
        Some(_) => {}
    }
    check_identity(task, step, agent, machine)
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
    at: &Situation<'_>,
) -> Result<(), Refusal> {
    let runs = task.claim.expires_at.is_some_and(|end| end >= at.now);
    if at.is_holder() || !(task.is_held() && runs) {
        return Ok(());
    }
    check_identity(task, step, agent, machine)
}

/// Refuses a verdict of a caller who may pass one only as the holder of a review.
fn check_review(is_needed: bool, at: &Situation<'_>) -> Result<(), Refusal> {
    let is_review = at.lease.is_some_and(|run| run.kind == Kind::Review);
    if is_needed && !(at.is_holder() && is_review) {
        return Err(Refusal::NotPermitted(
            "Forbidden: a key with the permission \"work\" can accept and reject only with the \
             lease token of a review",
        ));
    }
    Ok(())
}

/// Checks a step to a queue against the flow and the expected version.
fn check_step(
    row: &Transition,
    task: &Task,
    to: &str,
    version: &PatchCount,
    at: &Situation<'_>,
) -> Result<(), Refusal> {
    check_source(row, task, to, at.rules)?;
    check_version(at.task, row.step, version.value().map(|version| version.0))
}

pub(super) fn accept(
    change: &mut Change,
    at: &Situation<'_>,
    body: &Accept,
) -> Result<(), Refusal> {
    let by = body.by()?;
    check_review(body.needs_review, at)?;
    let row = transition(Step::Accept);
    let to = match body.queue.0.as_deref() {
        Some(asked) => accepted_into(asked, at.rules, &change.task)?,
        None => row.target(&change.task, None, false),
    };
    check_step(row, &change.task, &to, &body.version, at)?;
    check_reviewer(&change.task, row.step, (&body.agent_name, &body.orchestrator_id), at)?;
    row.apply(&mut change.task, to);
    end_row(&mut change.task);
    change.task.cancel_requested_at = None;
    let mut event = NewEvent::new(EventKind::Accepted, Some(by.to_owned()));
    if change.task.queue == queue::DONE {
        change.task.completed_at = Some(body.completed_at.0.unwrap_or(at.now));
    } else {
        event = event.with(json!({ "to": change.task.queue }).to_string());
    }
    change.record(event);
    change.task.accepted_attempt = Some(change.task.attempt);
    end_run(change, at, End::new(row.step, Outcome::Accepted));
    Ok(())
}

/// Another queue than `done` for accepted work.
fn accepted_into(asked: &str, rules: Option<&Rules>, task: &Task) -> Result<String, Refusal> {
    check_queue(asked, rules, task.project_id.is_some())?;
    if NOT_ACCEPTED.contains(&asked) {
        let asked = shown(asked);
        return Err(Refusal::invalid(format!(
            "Cannot accept into queue \"{asked}\": name a queue that follows the review, or none"
        )));
    }
    Ok(asked.to_owned())
}

pub(super) fn reject(
    change: &mut Change,
    at: &Situation<'_>,
    body: &Reject,
) -> Result<(), Refusal> {
    let (reason, by) = body.verdict()?;
    check_review(body.needs_review, at)?;
    let row = transition(Step::Reject);
    let to = row.target(&change.task, None, false);
    check_step(row, &change.task, &to, &body.version, at)?;
    check_reviewer(&change.task, row.step, (&body.agent_name, &body.orchestrator_id), at)?;
    row.apply(&mut change.task, to);
    end_row(&mut change.task);
    let (reason, by) = (reason.to_owned(), by.to_owned());
    change.record(NewEvent::new(EventKind::Rejected, Some(by.clone())).with(reason.clone()));
    change.notice = Some(Notice { from_actor: by, kind: "rejection", content: reason });
    change.is_rejection = true;
    end_run(change, at, End::new(row.step, Outcome::Rejected));
    Ok(())
}

pub(super) fn requeue(
    change: &mut Change,
    at: &Situation<'_>,
    body: &Requeue,
) -> Result<(), Refusal> {
    let row = transition(Step::Requeue);
    let to = row.target(&change.task, None, false);
    check_step(row, &change.task, &to, &body.version, at)?;
    let mut event = NewEvent::new(EventKind::Requeued, change.task.claim.by.take());
    event.details = body.reason().map(str::to_owned);
    let message = event.details.clone();
    row.apply(&mut change.task, to);
    end_row(&mut change.task);
    change.record(event);
    end_run(change, at, End { message, ..End::new(row.step, Outcome::Released) });
    Ok(())
}

pub(super) fn force_queue(
    change: &mut Change,
    at: &Situation<'_>,
    body: &ForceQueue,
) -> Result<(), Refusal> {
    let (asked, reason) = body.order()?;
    check_queue(asked, at.rules, change.task.project_id.is_some())?;
    let row = transition(Step::ForceQueue);
    let from = change.task.queue.clone();
    let to = row.target(&change.task, Some(asked), false);
    let details = json!({ "reason": reason, "from": from, "to": to });
    row.apply(&mut change.task, to);
    end_row(&mut change.task);
    change.task.cancel_requested_at = None;
    if change.task.queue == queue::DONE {
        change.task.completed_at = Some(at.now);
    }
    change.record(NewEvent::new(EventKind::ForceQueue, None).with(details.to_string()));
    let from_actor = "system".to_owned();
    change.notice = Some(Notice { from_actor, kind: "force_queue", content: reason.to_owned() });
    let message = Some(reason.to_owned());
    end_run(change, at, End { message, ..End::new(row.step, Outcome::Released) });
    Ok(())
}
