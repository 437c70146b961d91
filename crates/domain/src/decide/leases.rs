//! Leases: how they lapse, how their holders go on, and how runs end.

use crate::{
    change::Change,
    event::{Kind, NewEvent},
    failure::attempt_delay_ms,
    input::INTEGER_MAX,
    queue,
    refusal::Refusal,
    report::RunResult,
    run::{Kind as RunKind, Outcome, Run, RunChange},
    step::Step,
    steps::Renew,
    task::{Claim, Task, TaskPatch},
    time::Millis,
    transition::{check_source, transition},
    usage::Usage,
};

use super::Situation;

/// The details of the event of an expired lease.
const LEASE_EXPIRED: &str = "Lease expired";

/// How a run ends.
pub(super) struct End<'a> {
    pub(super) step: Step,
    pub(super) outcome: Outcome,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
    pub(super) usage: Option<&'a Usage>,
    pub(super) result: Option<&'a RunResult>,
}

impl End<'_> {
    pub(super) fn new(step: Step, outcome: Outcome) -> Self {
        Self { step, outcome, reason: None, message: None, usage: None, result: None }
    }
}

/// Ends the run of the current lease, if there is one; its token is not current any more.
pub(super) fn end_run(change: &mut Change, at: &Situation<'_>, end: End<'_>) {
    change.task.lease_run = None;
    let Some(run) = at.lease else { return };
    // A lapsed run that nobody resumed stays what it is.
    if run.outcome == Outcome::Running || at.is_holder() {
        record_end(change, run, at.now, end);
    }
}

fn record_end(change: &mut Change, run: &Run, now: Millis, end: End<'_>) {
    let stored = run.usage.as_deref().map(Usage::stored);
    let before = change.task.usage.as_deref().map(Usage::stored);
    if let Some(used) = end.usage.or(stored.as_ref()) {
        change.task.usage = Some(before.unwrap_or_default().plus(used).text());
    } else if let Some(before) = before {
        change.task.usage = Some(before.text());
    }
    change.run = Some(RunChange {
        run: run.run,
        outcome: end.outcome,
        ended_at: Some(now),
        ended_by: Some(end.step.verb()),
        reason: end.reason,
        message: end.message,
        usage: end.usage.map(Usage::text),
        summary: end.result.and_then(RunResult::summary).map(str::to_owned),
        failed_checks: end.result.and_then(failed_checks),
        digest: end.result.and_then(|result| result.digest().text()),
        result: end.result.map(RunResult::text),
    });
}

/// The names of failed checks as JSON, if there are any.
fn failed_checks(result: &RunResult) -> Option<String> {
    let names = result.failed_checks();
    (!names.is_empty()).then(|| serde_json::Value::from(names).to_string())
}

/// Takes a task back whose lease has expired.
pub(super) fn release(change: &mut Change, at: &Situation<'_>) -> Result<(), Refusal> {
    let row = transition(Step::Release);
    let to = row.target(&change.task, None, false);
    check_source(row, &change.task, &to, None)?;
    let agent = change.task.claim.by.take();
    let is_in_place = change.task.is_held_in_place();
    row.apply(&mut change.task, to);
    let mut kind = Kind::ReviewReleased;
    if !is_in_place {
        count_lapse(&mut change.task, at);
        let is_given_up = change.task.queue == queue::FAILED;
        kind = if is_given_up { Kind::Failed } else { Kind::Requeued };
    }
    change.record(NewEvent::new(kind, agent).with(LEASE_EXPIRED));
    lapse(change, at);
    Ok(())
}

/// Counts a lapse of work. Each further one in a row delays the task, so that work whose agents keep
/// dying does not block what stands behind it.
fn count_lapse(task: &mut Task, at: &Situation<'_>) {
    task.lapse_count = (task.lapse_count + 1).min(INTEGER_MAX);
    if task.max_attempts.is_some_and(|max| task.lapse_count >= max) {
        queue::FAILED.clone_into(&mut task.queue);
    } else if task.lapse_count > 1 {
        task.not_before = Some(at.now.plus(attempt_delay_ms(task.lapse_count - 1, at.chance)));
    }
}

/// Ends the run by a lapse: its token stays current, so that its agent may go on.
fn lapse(change: &mut Change, at: &Situation<'_>) {
    let lease_run = change.task.lease_run;
    end_run(change, at, End::new(Step::Release, Outcome::Lapsed));
    change.task.lease_run = lease_run;
}

/// Whether a client takes an expired lease back by itself, as schedulers did before the server: the
/// patch clears the claim, and puts work back into `incoming` or leaves a review in its queue.
fn lapsed_by_client(at: &Situation<'_>, patch: &TaskPatch, is: &Task) -> bool {
    let was = at.task;
    let has_ended = was.claim.expires_at.is_some_and(|end| end < at.now);
    let is_cleared = !patch.claimed_by.is_absent() && is.claim.by.is_none();
    let goes_back =
        if was.is_held_in_place() { is.queue == was.queue } else { is.queue == queue::INCOMING };
    was.lease_run.is_some() && was.is_held() && has_ended && is_cleared && goes_back
}

/// What a lapse by a patch and a move by a patch have in common with those of the server.
pub(crate) fn released_by_client(change: &mut Change, at: &Situation<'_>, patch: &TaskPatch) {
    let was = at.task;
    if lapsed_by_client(at, patch, &change.task) {
        if !was.is_held_in_place() {
            if patch.attempt_count.is_absent() {
                let attempts = &mut change.task.attempt_count;
                *attempts = Some(attempts.unwrap_or(0).saturating_add(1).min(INTEGER_MAX));
            }
            count_lapse(&mut change.task, at);
        }
        change.task.claim = Claim::default();
        lapse(change, at);
        return;
    }
    let is_moved = change.task.queue != was.queue;
    if is_moved {
        change.task.lapse_count = 0;
        change.task.setback_count = 0;
        if patch.not_before.is_absent() {
            change.task.not_before = None;
        }
        if was.queue == queue::CANCELLED {
            change.task.cancel_requested_at = None;
        }
    }
    if is_moved || change.task.claim.by != was.claim.by {
        let is_failed = change.task.queue == queue::FAILED;
        let outcome = if is_failed { Outcome::Failed } else { Outcome::Released };
        end_run(change, at, End::new(Step::Update, outcome));
    } else if was.is_held_in_place() && !change.task.is_held() {
        // Without a lease a review is free, and the reaper never comes by.
        change.task.claim.queue = None;
        lapse(change, at);
    }
}

/// Undoes the lapse of the lease whose token is presented, if it had been taken back.
pub(super) fn resume(change: &mut Change, at: &Situation<'_>) {
    let Some(run) = at.lease.filter(|run| run.outcome == Outcome::Lapsed) else { return };
    let task = &mut change.task;
    if task.queue == queue::CANCELLED {
        // The request to cancel ended with the lapse; the agent that goes on is to stop again.
        task.cancel_requested_at = Some(at.now);
    }
    let is_work = run.kind == RunKind::Work;
    let held_in = if is_work { queue::CLAIMED } else { &*run.source };
    held_in.clone_into(&mut task.queue);
    task.claim = Claim {
        by: run.agent.clone(),
        at: Some(run.started_at),
        orchestrator_id: run.orchestrator_id.clone(),
        expires_at: Some(at.now),
        queue: Some(held_in.to_owned()),
    };
    if is_work {
        let attempts = task.attempt_count.unwrap_or(0);
        task.attempt_count = Some(attempts.saturating_sub(1).max(0));
        task.lapse_count = (task.lapse_count - 1).max(0);
        task.not_before = None;
    }
    if let (Some(sum), Some(part)) = (&task.usage, &run.usage) {
        task.usage = Some(Usage::stored(sum).minus(&Usage::stored(part)).text());
    }
    change.run = Some(RunChange { run: run.run, ..RunChange::default() });
    change.record(NewEvent::new(Kind::Resumed, run.agent.clone()));
}

/// Renews the lease that was resumed.
pub(super) fn renew(change: &mut Change, at: &Situation<'_>, body: &Renew) -> Result<(), Refusal> {
    body.check()?;
    check_source(transition(Step::Renew), &change.task, "", None)?;
    let end = at.now.plus(body.lease_duration_seconds.as_ms());
    change.task.claim.expires_at = Some(end);
    Ok(())
}

/// Why a token that is not current is refused.
pub(super) fn lost(step: Step, task: &Task, run: Option<&Run>) -> Refusal {
    Refusal::LeaseLost { step, reason: why_lost(task.run, task.claim.by.as_deref(), run) }
}

/// What happened to the run of a token that is not current, and when; `None` is no run of the task.
/// `last_run` is the task's last run, and `holder` has the task now.
pub(crate) fn why_lost(last_run: i64, holder: Option<&str>, run: Option<&Run>) -> String {
    let Some(run) = run else { return "The lease token is not one of this task".to_owned() };
    let when = run.ended_at.map_or_else(String::new, |at| format!(" at {}", at.to_iso()));
    let what = what_happened(run, last_run, holder);
    format!("Run {} {what}{when}", run.run)
}

fn what_happened(run: &Run, last_run: i64, holder: Option<&str>) -> String {
    match run.outcome {
        Outcome::Running => "has ended".to_owned(),
        Outcome::Lapsed if last_run > run.run => {
            let by = holder.map(|agent| format!(" by {agent}")).unwrap_or_default();
            format!(
                "lost its lease, which was not renewed, and the task was claimed again{by}; the lease was taken back"
            )
        }
        Outcome::Lapsed => {
            "lost its lease, which was not renewed, and the task was moved since; the lease was \
             taken back"
                .to_owned()
        }
        Outcome::Released => {
            let step = run.ended_by.as_deref().unwrap_or("a move");
            format!("was ended by {step}")
        }
        other => format!("was {}", other.as_str()),
    }
}
