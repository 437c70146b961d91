//! Creating, editing, moving and deleting.

use crate::{
    program::{Create, Patch},
    world::DAY,
};

use super::{Answer, Model, Outcome, Row, STRICT, checks_age, is_strict_queue};

impl Model {
    pub(super) fn create(&mut self, new: &Create) -> Outcome {
        if new.blocked_by.contains(&new.id) {
            return Err("invalid_request");
        }
        if new.is_strict && !is_strict_queue(new.queue) {
            return Err("invalid_queue");
        }
        if self.tasks.contains_key(new.id) {
            return Err("already_exists");
        }
        let text = |text: &str| Some(text.to_owned());
        let row = Row {
            id: new.id.to_owned(),
            scope: new.scope.to_owned(),
            queue: new.queue.to_owned(),
            priority: text(new.priority),
            role: new.role.map(str::to_owned),
            kind: new.kind.map(str::to_owned),
            flow: text(if new.is_strict { STRICT } else { "default" }),
            blocked_by: self.blockers(&new.blocked_by, new.scope),
            commits_count: Some(0),
            attempt_count: Some(0),
            rejection_count: Some(0),
            created_at: self.now,
            updated_at: self.now,
            max_attempts: new.max_attempts,
            not_before: new.delay_ms.filter(|ms| *ms > 0).map(|ms| self.now + ms),
            run: self.last_run(new.id),
            attempt: self.last_attempt(new.id),
            version: self.ended.get(new.id).unwrap_or(&0) + 1,
            ..Row::default()
        };
        if self.is_cycle(&row) {
            return Err("dependency_cycle");
        }
        self.created += 1;
        self.tasks.insert(row.id.clone(), (self.created, row.clone()));
        self.tell(new.id, "created", None);
        if row.queue == "done" {
            // Somebody may have waited for a task of this name before there was one.
            self.frees_what_waits_for(new.id, new.scope);
        }
        Ok(Answer::Task(Box::new(row)))
    }

    pub(super) fn patch(&mut self, patch: &Patch) -> Outcome {
        // What can be said without the task is said first.
        if patch.queue == Some("done") || patch.is_empty() {
            return Err("invalid_request");
        }
        let was = self.find(patch.id)?;
        if was.is_strict() && patch.queue.is_some_and(|queue| !is_strict_queue(queue)) {
            return Err("invalid_queue");
        }
        checks_age(patch.age)?;
        if patch.blocked_by.iter().flatten().any(|id| *id == patch.id) {
            return Err("invalid_request");
        }
        let mut row = self.patched(&was, patch)?;
        let is_moved = row.queue != was.queue;
        if self.is_lapse(&was, &row, patch) {
            if was.queue == "claimed" {
                row.attempt_count = Some(row.attempt_count.unwrap_or(0) + 1);
                self.counts_lapse(&mut row);
            }
            row.clears_claim();
            self.lapses_run(&row);
        } else {
            if is_moved {
                row.ends_rows();
            }
            if is_moved || row.claimed_by != was.claimed_by {
                let outcome = if row.queue == "failed" { "failed" } else { "released" };
                self.ends_run(&mut row, "update", outcome);
            } else if was.is_held_in_place() && !row.is_held() {
                // Without a lease it is free, and the reaper never comes by.
                row.claimed_in = None;
                self.lapses_run(&row);
            }
        }
        self.tell(patch.id, "edited", None);
        self.keep(row)
    }

    /// The fields of a task after a patch.
    fn patched(&self, was: &Row, patch: &Patch) -> Result<Row, &'static str> {
        let mut row = was.clone();
        if let Some(queue) = patch.queue {
            queue.clone_into(&mut row.queue);
            if queue == "failed" {
                row.claimed_by = None;
                row.lease_expires_at = None;
            }
        }
        let text = |text: Option<&str>| text.map(str::to_owned);
        if let Some(agent) = patch.claimed_by {
            row.claimed_by = text(agent);
        }
        if let Some(lease) = patch.lease_ms {
            // However much is asked for, a day is the most that anyone gets.
            row.lease_expires_at = lease.map(|ms| self.now + ms.min(DAY));
        }
        if let Some(list) = &patch.blocked_by {
            row.blocked_by = self.blockers(list, &row.scope);
            if row.blocked_by != was.blocked_by && self.is_cycle(&row) {
                return Err("dependency_cycle");
            }
        }
        if let Some(priority) = patch.priority {
            row.priority = text(priority);
        }
        if let Some(role) = patch.role {
            row.role = text(role);
        }
        if let Some(flag) = patch.needs_intervention {
            row.needs_intervention = flag;
        }
        if let Some(delay) = patch.delay_ms {
            row.not_before = delay.map(|ms| self.now + ms);
        }
        // A delay that has ended is none.
        row.not_before = row.not_before.filter(|instant| *instant > self.now);
        Ok(row)
    }

    /// Whether a client takes a lease back that has ended: it clears the claim, and puts the task
    /// back or leaves a review where it is.
    fn is_lapse(&self, was: &Row, row: &Row, patch: &Patch) -> bool {
        let back = if was.is_held_in_place() { &was.queue } else { "incoming" };
        was.lease_run.is_some()
            && was.is_held()
            && was.has_lapsed(self.now)
            && patch.claimed_by == Some(None)
            && row.queue == back
    }

    pub(super) fn force(&mut self, id: &str, queue: &str) -> Outcome {
        let mut row = self.find(id)?;
        if row.is_strict() && !is_strict_queue(queue) {
            return Err("invalid_queue");
        }
        row.frees();
        row.ends_rows();
        row.cancel_requested_at = None;
        queue.clone_into(&mut row.queue);
        if queue == "done" {
            row.completed_at = Some(self.now);
        }
        self.tell(id, "force_queue", None);
        self.ends_run(&mut row, "force-queue", "released");
        self.keep(row)
    }

    pub(super) fn delete(&mut self, id: &str) -> Outcome {
        let (_, mut row) = self.tasks.remove(id).ok_or("task_not_found")?;
        self.ended.insert(id.to_owned(), row.version);
        self.tell(id, "deleted", None);
        self.ends_run(&mut row, "delete", "released");
        self.forgets_runs(id);
        self.frees_what_waits_for(id, &row.scope);
        Ok(Answer::Nothing)
    }
}
