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
    pub updated_at: i64,
    pub needs_intervention: bool,
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
            updated_at: task.updated_at.0,
            needs_intervention: task.needs_intervention,
            version: task.version,
        }
    }
}

impl Row {
    pub(super) fn frees(&mut self) {
        self.claimed_by = None;
        self.orchestrator_id = None;
        self.claimed_at = None;
        self.claimed_in = None;
        self.lease_expires_at = None;
        self.needs_intervention = false;
    }

    /// Whether it is held where it is. A task that was moved on while it was held is free.
    pub(super) fn is_held(&self) -> bool {
        self.lease_expires_at.is_some() && self.claimed_in.as_deref() == Some(&self.queue)
    }

    /// Whether it was under a review whose lease has ended. The next reviewer need not wait.
    pub(super) fn was_reviewed_until(&self, now: i64) -> bool {
        self.queue == "provisional" && self.lease_expires_at.is_some_and(|end| end < now)
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
}
