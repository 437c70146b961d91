//! Failures, cancellation, and taking a task up again.

use serde_json::json;

use crate::{
    blockers::{blockers, blockers_text},
    change::{Change, PoolPause, Question, check_version},
    event::{Kind, NewEvent},
    failure::{
        ATTEMPTS_MAX_DEFAULT, AWAITING_INPUT, CANCELLED, Class, DELAY_MS_MAX, Reason, SETBACKS_MAX,
        attempt_delay_ms, environment_delay_ms,
    },
    input::INTEGER_MAX,
    queue,
    refusal::Refusal,
    report::kept_message,
    run::Outcome,
    step::Step,
    steps::{Cancel, Fail, Retry},
    text::cut,
    transition::{check_source, transition},
};

use super::{
    Situation,
    leases::{End, end_run},
    work::{check_holder, end_row},
};

/// Bytes of the first line of a question that are its title.
const LABEL_BYTES_MAX: usize = 200;

/// A run has failed; what happens to the task follows from the class of the reason.
pub(super) fn fail(change: &mut Change, at: &Situation<'_>, body: &Fail) -> Result<(), Refusal> {
    let (reason, is_final) = body.order()?;
    let row = transition(Step::Fail);
    check_source(row, &change.task, "", None)?;
    if !at.is_holder() {
        check_holder(&change.task, row.step, (&body.agent_name, &body.orchestrator_id), at.now)?;
    }
    check_version(at.task, row.step, body.version.value().map(|version| version.0))?;
    if body.not_before.0.is_some_and(|instant| instant > at.now.plus(DELAY_MS_MAX)) {
        return Err(Refusal::invalid("not_before is too far off: at most 8 days from now"));
    }
    let task = &mut change.task;
    let is_in_place = task.is_held_in_place();
    let source = at.lease.map_or(queue::INCOMING, |run| &*run.source);
    let to = if is_in_place { task.queue.clone() } else { source.to_owned() };
    let agent = task.claim.by.take();
    let is_cancelled = task.cancel_requested_at.is_some();
    row.apply(task, to);
    let message = kept_message(&body.message);
    let class = if is_final { Class::Final } else { reason.class };
    let asks = class == Class::Ask;
    if !is_cancelled && (!is_in_place || asks) {
        follow(change, at, body, class);
    }
    pause_pool(change, at, body, reason, agent.as_deref());
    let retry = if is_final { "never" } else { "auto" };
    let to = &change.task.queue;
    let details = json!({ "reason": reason.name, "message": message, "retry": retry, "to": to });
    // The event comes before the one of a cancellation.
    change.record(NewEvent::new(Kind::Failed, agent.clone()).with(details.to_string()));
    ask_if_waiting(change, reason, message.as_deref(), agent);
    let outcome = match reason.name {
        CANCELLED => Outcome::Cancelled,
        _ if is_cancelled => Outcome::Cancelled,
        _ if reason.class == Class::Returned => Outcome::Released,
        _ => Outcome::Failed,
    };
    let end = End {
        reason: Some(reason.name.to_owned()),
        message,
        usage: body.usage.as_ref(),
        result: body.result.as_ref(),
        ..End::new(row.step, outcome)
    };
    end_run(change, at, end);
    Ok(())
}

/// What follows for the task from a failure of this class.
fn follow(change: &mut Change, at: &Situation<'_>, body: &Fail, class: Class) {
    let task = &mut change.task;
    let asked = body.not_before.0.filter(|instant| *instant > at.now);
    match class {
        Class::Returned => {}
        Class::Environment => {
            task.setback_count += 1;
            if task.setback_count >= SETBACKS_MAX {
                task.setback_count = 0;
                wait_for_input(change);
            } else {
                let delay = environment_delay_ms(task.setback_count);
                task.not_before = asked.or(Some(at.now.plus(delay)));
            }
        }
        Class::Attempt => {
            task.setback_count = 0;
            task.failure_count = (task.failure_count + 1).min(INTEGER_MAX);
            if task.failure_count >= task.max_attempts.unwrap_or(ATTEMPTS_MAX_DEFAULT) {
                queue::FAILED.clone_into(&mut task.queue);
            } else {
                let delay = attempt_delay_ms(task.failure_count, at.chance);
                task.not_before = Some(at.now.plus(delay)).max(asked);
            }
        }
        Class::Final => queue::FAILED.clone_into(&mut task.queue),
        Class::Ask => wait_for_input(change),
    }
}

/// Holds the task until a person has answered.
fn wait_for_input(change: &mut Change) {
    let task = &mut change.task;
    let list = task.blocked_by.as_deref().unwrap_or_default();
    task.blocked_by = blockers_text(&format!("{list},{AWAITING_INPUT}"));
    task.needs_intervention = true;
}

/// Asks the question for which the task waits.
fn ask_if_waiting(
    change: &mut Change,
    reason: Reason,
    message: Option<&str>,
    agent: Option<String>,
) {
    let waits = blockers(change.task.blocked_by.as_deref().unwrap_or_default());
    if !waits.contains(&AWAITING_INPUT) || !change.task.needs_intervention {
        return;
    }
    let first_line =
        message.and_then(|message| message.lines().find(|line| !line.trim().is_empty()));
    let label = match first_line {
        Some(line) if reason.class == Class::Ask => cut(line.trim(), LABEL_BYTES_MAX).to_owned(),
        _ if reason.class == Class::Ask => format!("The agent stopped: {}", reason.name),
        _ => format!("{SETBACKS_MAX} failures of the environment in a row: {}", reason.name),
    };
    change.question = Some(Question {
        label,
        text: message.map(str::to_owned),
        asked_by: agent.unwrap_or_else(|| "unknown".to_owned()),
    });
}

/// Pauses the pool that a failure of its provider names.
fn pause_pool(
    change: &mut Change,
    at: &Situation<'_>,
    body: &Fail,
    reason: Reason,
    agent: Option<&str>,
) {
    let Some(pool) = body.pool.0.as_ref().filter(|_| reason.is_of_provider) else { return };
    let asked = body.not_before.0.filter(|instant| *instant > at.now);
    let delay = environment_delay_ms(change.task.setback_count.max(1));
    change.pause = Some(PoolPause {
        pool: pool.clone(),
        until: asked.unwrap_or(at.now.plus(delay)),
        reason: reason.name.to_owned(),
        by: agent.unwrap_or("unknown").to_owned(),
    });
}

/// Cancels a task, or asks its holder to stop. Returns `false` if that was done before.
pub(super) fn cancel(
    change: &mut Change,
    at: &Situation<'_>,
    body: &Cancel,
) -> Result<bool, Refusal> {
    let (by, reason) = body.order()?;
    let task = &mut change.task;
    if task.queue == queue::CANCELLED || task.cancel_requested_at.is_some() {
        return Ok(false);
    }
    let row = transition(Step::Cancel);
    check_source(row, task, queue::CANCELLED, None)?;
    check_version(task, row.step, body.version.value().map(|version| version.0))?;
    let kind = if task.queue == queue::CLAIMED || task.is_held() {
        task.cancel_requested_at = Some(at.now);
        Kind::CancelRequested
    } else {
        let to = row.target(task, None, false);
        row.apply(task, to);
        task.not_before = None;
        end_run(change, at, End::new(row.step, Outcome::Cancelled));
        Kind::Cancelled
    };
    change.record(NewEvent::new(kind, Some(by.to_owned())).with(reason));
    Ok(true)
}

/// Takes a failed or cancelled task up again: counters and delays start again.
pub(super) fn retry(change: &mut Change, at: &Situation<'_>, body: &Retry) -> Result<(), Refusal> {
    let by = body.by()?;
    let row = transition(Step::Retry);
    let to = row.target(&change.task, None, false);
    check_source(row, &change.task, &to, None)?;
    check_version(&change.task, row.step, body.version.value().map(|version| version.0))?;
    row.apply(&mut change.task, to);
    end_row(&mut change.task);
    change.task.failure_count = 0;
    change.task.cancel_requested_at = None;
    end_run(change, at, End::new(row.step, Outcome::Released));
    let mut event = NewEvent::new(Kind::Retried, Some(by.to_owned()));
    event.details.clone_from(&body.reason.0);
    change.record(event);
    Ok(())
}
