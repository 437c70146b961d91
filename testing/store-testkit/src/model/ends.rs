//! Failures, cancellation, new tries, and what they leave open.

use crate::{
    program::{Fail, Token},
    world::{DAY, SECOND},
};

use super::{AWAITING_INPUT, Answer, Model, Outcome, Row, checks_age, leases::Sender};

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Returned,
    Environment,
    Attempt,
    Final,
    Ask,
}

fn class(reason: &str) -> Result<Class, &'static str> {
    Ok(match reason {
        "drained" | "cancelled" => Class::Returned,
        "provider_limit" | "provider_auth" | "provider_quota" | "provider_error" | "network"
        | "missing_tool" | "bad_config" | "worktree_error" | "setup_failed" => Class::Environment,
        "empty_output" | "no_change" | "stalled" | "timeout" | "oom" | "crash" | "check_failed"
        | "other" => Class::Attempt,
        "turn_limit" | "budget" | "context_overflow" => Class::Final,
        "needs_input" | "blocked" => Class::Ask,
        _ => return Err("invalid_request"),
    })
}

/// A delay that doubles each time, up to ten minutes.
fn doubling(base: i64, nth: i64) -> i64 {
    (1..nth).fold(base, |delay, _| (delay * 2).min(600 * SECOND))
}

impl Model {
    /// The task of a request with this token. Text that is no token is refused before anything else.
    pub(super) fn find_for(&self, id: &str, token: Token) -> Result<Row, &'static str> {
        if token == Token::Malformed { Err("invalid_request") } else { self.find(id) }
    }

    pub(super) fn fail(&mut self, fail: &Fail) -> Outcome {
        let class = class(fail.reason)?;
        let (id, caller) = (fail.id, fail.caller);
        let mut row = self.find_for(id, caller.token)?;
        let sender = self.sender(&mut row, caller.token, "fail")?;
        if matches!(sender, Sender::Again) {
            return Ok(Answer::Task(Box::new(row)));
        }
        if !row.has_holder() {
            return Err("wrong_state");
        }
        if matches!(sender, Sender::Anyone) {
            self.checks_worker(&row, caller.agent)?;
        }
        checks_age(caller.age)?;
        if fail.delay_ms.is_some_and(|ms| ms > 8 * DAY) {
            return Err("invalid_request");
        }
        let class = if fail.is_final { Class::Final } else { class };
        let is_in_place = row.is_held_in_place();
        let is_marked = row.cancel_requested_at.is_some();
        let source = self.lease(&row).map_or("incoming", |run| &run.source).to_owned();
        let agent = row.claimed_by.clone();
        row.frees();
        if !is_in_place {
            row.queue = source;
        }
        self.tell(id, "failed", agent);
        // Failing in place counts nothing; and what is to be cancelled needs no more.
        if !is_marked && (!is_in_place || class == Class::Ask) {
            self.follows(&mut row, class, fail.delay_ms);
        }
        let outcome = match outcome_of(fail.reason) {
            Some(outcome) if !is_marked => outcome,
            _ => "cancelled",
        };
        let number = row.lease_run;
        self.ends_run(&mut row, "fail", outcome);
        let runs = self.runs.get_mut(id).into_iter().flatten();
        if let Some(run) = runs.into_iter().find(|run| Some(run.run) == number) {
            run.reason = Some(fail.reason.to_owned());
        }
        self.keep(row)
    }

    fn follows(&mut self, row: &mut Row, class: Class, delay_ms: Option<i64>) {
        let asked = delay_ms.filter(|ms| *ms > 0);
        match class {
            Class::Returned => {}
            Class::Final => "failed".clone_into(&mut row.queue),
            Class::Ask => self.asks(row),
            Class::Environment => {
                row.setback_count += 1;
                if row.setback_count == 10 {
                    row.setback_count = 0;
                    self.asks(row);
                } else {
                    let delay = asked.unwrap_or(doubling(30 * SECOND, row.setback_count));
                    row.not_before = Some(self.now + delay);
                }
            }
            Class::Attempt => {
                row.setback_count = 0;
                row.failure_count += 1;
                if row.failure_count >= row.max_attempts.unwrap_or(3) {
                    "failed".clone_into(&mut row.queue);
                } else {
                    self.delays_attempt(row, row.failure_count, asked);
                }
            }
        }
    }

    /// Delays the next attempt, spread at random, and at least for as long as was asked for.
    pub(super) fn delays_attempt(&mut self, row: &mut Row, nth: i64, asked: Option<i64>) {
        let least = doubling(10 * SECOND, nth);
        let asked = asked.unwrap_or(0);
        let earliest = self.now + least.max(asked);
        let latest = self.now + (least + least / 5).max(asked);
        row.not_before = Some(earliest);
        self.spread.insert(row.id.clone(), (earliest, latest));
    }

    /// Holds a task until a person has answered.
    fn asks(&mut self, row: &mut Row) {
        if !row.waits_for(AWAITING_INPUT) {
            let before = row.blocked_by.take().map(|list| format!("{list},"));
            row.blocked_by = Some(before.unwrap_or_default() + AWAITING_INPUT);
        }
        row.needs_intervention = true;
        self.questions.entry(row.id.clone()).or_default().push(row.scope.clone());
    }

    /// A person answers the oldest open question about an id, if there is one.
    pub(super) fn answer(&mut self, id: &str) -> Answer {
        let questions = self.questions.entry(id.to_owned()).or_default();
        if questions.is_empty() {
            return Answer::Nothing;
        }
        let scope = questions.remove(0);
        let is_last = !questions.contains(&scope);
        let goes_on =
            |row: &&mut Row| is_last && row.scope == scope && row.waits_for(AWAITING_INPUT);
        let task = self.tasks.get_mut(id).map(|(_, row)| row);
        if let Some(row) = task.filter(goes_on) {
            row.waits_no_more_for(AWAITING_INPUT);
            row.needs_intervention = false;
            row.version += 1;
            row.updated_at = self.now;
            self.tell(id, "unblocked", None);
        }
        Answer::Nothing
    }

    pub(super) fn cancel(&mut self, id: &str, age: Option<i64>) -> Outcome {
        let mut row = self.find(id)?;
        if row.queue == "cancelled" || row.cancel_requested_at.is_some() {
            return Ok(Answer::Task(Box::new(row)));
        }
        if row.queue == "done" {
            return Err("wrong_state");
        }
        checks_age(age)?;
        let person = Some("person".to_owned());
        if row.has_holder() {
            row.cancel_requested_at = Some(self.now);
            self.tell(id, "cancel_requested", person);
        } else {
            row.frees();
            row.not_before = None;
            "cancelled".clone_into(&mut row.queue);
            self.ends_run(&mut row, "cancel", "cancelled");
            self.tell(id, "cancelled", person);
        }
        self.keep(row)
    }

    pub(super) fn retry(&mut self, id: &str, age: Option<i64>) -> Outcome {
        let mut row = self.find(id)?;
        if !["failed", "cancelled"].contains(&&*row.queue) {
            return Err("wrong_state");
        }
        checks_age(age)?;
        row.frees();
        row.ends_rows();
        row.failure_count = 0;
        "incoming".clone_into(&mut row.queue);
        self.ends_run(&mut row, "retry", "released");
        self.tell(id, "retried", Some("person".to_owned()));
        self.keep(row)
    }

    /// Ends the delays whose time has come. Nothing was decided, so the versions stay.
    pub(super) fn end_delays(&mut self) -> Answer {
        let now = self.now;
        let is_due = |row: &&mut Row| row.not_before.is_some_and(|instant| instant <= now);
        let mut count = 0;
        for row in self.tasks.values_mut().map(|(_, row)| row).filter(is_due) {
            row.not_before = None;
            count += 1;
        }
        Answer::Due(count)
    }
}

/// How a run ends that fails for a reason, or `None` if it was cancelled.
fn outcome_of(reason: &str) -> Option<&'static str> {
    match reason {
        "cancelled" => None,
        "drained" => Some("released"),
        _ => Some("failed"),
    }
}
