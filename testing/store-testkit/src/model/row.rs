//! What the model knows of a task.

use octopoid_domain::Task;

use super::{STEPS, STRICT};

/// The part of a task that the model speaks about.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of `Task`")]
pub struct Row {
    pub id: String,
    pub scope: String,
    pub queue: String,
    pub priority: Option<String>,
    pub role: Option<String>,
    pub kind: Option<String>,
    pub flow: Option<String>,
    pub blocked_by: Option<String>,
    pub claimed_by: Option<String>,
    pub orchestrator_id: Option<String>,
    pub claimed_at: Option<i64>,
    pub claimed_in: Option<String>,
    pub lease_expires_at: Option<i64>,
    pub commits_count: Option<i64>,
    pub turns_used: Option<i64>,
    pub attempt_count: Option<i64>,
    pub rejection_count: Option<i64>,
    pub submitted_at: Option<i64>,
    pub completed_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
    pub needs_intervention: bool,
    pub max_attempts: Option<i64>,
    pub not_before: Option<i64>,
    pub failure_count: i64,
    pub lapse_count: i64,
    pub setback_count: i64,
    pub cancel_requested_at: Option<i64>,
    pub run: i64,
    pub attempt: i64,
    pub accepted_attempt: Option<i64>,
    pub lease_run: Option<i64>,
    pub version: i64,
}

impl From<Task> for Row {
    fn from(task: Task) -> Self {
        Self {
            id: task.id,
            scope: task.scope,
            queue: task.queue,
            priority: task.priority,
            role: task.role,
            kind: task.kind,
            flow: task.flow,
            blocked_by: task.blocked_by,
            claimed_by: task.claim.by,
            orchestrator_id: task.claim.orchestrator_id,
            claimed_at: task.claim.at.map(|at| at.0),
            claimed_in: task.claim.queue,
            lease_expires_at: task.claim.expires_at.map(|at| at.0),
            commits_count: task.commits_count,
            turns_used: task.turns_used,
            attempt_count: task.attempt_count,
            rejection_count: task.rejection_count,
            submitted_at: task.submitted_at.map(|at| at.0),
            completed_at: task.completed_at.map(|at| at.0),
            created_at: task.created_at.0,
            updated_at: task.updated_at.0,
            needs_intervention: task.needs_intervention,
            max_attempts: task.max_attempts,
            not_before: task.not_before.map(|at| at.0),
            failure_count: task.failure_count,
            lapse_count: task.lapse_count,
            setback_count: task.setback_count,
            cancel_requested_at: task.cancel_requested_at.map(|at| at.0),
            run: task.run,
            attempt: task.attempt,
            accepted_attempt: task.accepted_attempt,
            lease_run: task.lease_run,
            version: task.version,
        }
    }
}

impl Row {
    pub(super) fn frees(&mut self) {
        self.clears_claim();
        self.needs_intervention = false;
    }

    pub(super) fn clears_claim(&mut self) {
        self.claimed_by = None;
        self.orchestrator_id = None;
        self.claimed_at = None;
        self.claimed_in = None;
        self.lease_expires_at = None;
    }

    /// Ends what is counted in a row, and every delay.
    pub(super) fn ends_rows(&mut self) {
        self.lapse_count = 0;
        self.setback_count = 0;
        self.not_before = None;
    }

    /// Whether it is held where it is. A task that was moved on while it was held is free.
    pub(super) fn is_held(&self) -> bool {
        self.lease_expires_at.is_some() && self.claimed_in.as_deref() == Some(&self.queue)
    }

    /// Whether it is held where it was found, as in a review.
    pub(super) fn is_held_in_place(&self) -> bool {
        self.is_held() && self.queue != "claimed"
    }

    /// Whether a holder can report a failure, or renew.
    pub(super) fn has_holder(&self) -> bool {
        self.queue == "claimed" || self.is_held()
    }

    /// Whether its lease has ended. The next reviewer need not wait for the reaper.
    pub(super) fn has_lapsed(&self, now: i64) -> bool {
        self.lease_expires_at.is_some_and(|end| end < now)
    }

    pub(super) fn is_strict(&self) -> bool {
        self.flow.as_deref() == Some(STRICT)
    }

    /// Whether a verdict may lead from where it is to another queue.
    pub(super) fn may_go(&self, to: &str) -> bool {
        if self.is_strict() {
            STEPS.contains(&(&self.queue, to))
        } else {
            ["claimed", "provisional"].contains(&&*self.queue)
        }
    }

    pub(super) fn urgency(&self) -> usize {
        let known = ["P0", "P1", "P2", "P3"];
        known.iter().position(|known| self.priority.as_deref() == Some(known)).unwrap_or(9)
    }

    pub(super) fn waits_for(&self, id: &str) -> bool {
        self.blocked_by.as_deref().is_some_and(|list| list.split(',').any(|other| other == id))
    }

    pub(super) fn waits_no_more_for(&mut self, id: &str) {
        let list = self.blocked_by.take().unwrap_or_default();
        let rest: Vec<_> = list.split(',').filter(|other| *other != id).collect();
        self.blocked_by = (!rest.is_empty()).then(|| rest.join(","));
    }
}
