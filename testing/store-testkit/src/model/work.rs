//! Claims, submissions and verdicts.

use crate::{
    program::{Caller, Claim, Verdict},
    world::MACHINE,
};

use super::{Answer, Model, Outcome, Row, checks_age, is_strict_queue, leases::Sender};

impl Model {
    pub(super) fn claim(&mut self, claim: &Claim) -> Outcome {
        let queue = claim.queue.unwrap_or("incoming");
        if ["claimed", "done", "failed", "cancelled"].contains(&queue) {
            return Err("invalid_request");
        }
        let is_in_place = claim.in_place || queue == "provisional";
        let fits = |filter: &[&str], value: &Option<String>| {
            filter.is_empty() || value.as_deref().is_some_and(|value| filter.contains(&value))
        };
        let candidates = self.tasks.values().filter(|(_, row)| {
            row.scope == claim.scope
                && row.queue == queue
                && row.blocked_by.is_none()
                && row.not_before.is_none()
                && row.cancel_requested_at.is_none()
                && (!row.is_held() || (is_in_place && row.has_lapsed(self.now)))
                && fits(&claim.roles, &row.role)
                && fits(&claim.kinds, &row.kind)
        });
        let Some((_, row)) = candidates.min_by_key(|(order, row)| (row.urgency(), *order)) else {
            return Ok(Answer::Nothing);
        };
        let mut row = row.clone();
        if row.is_held() {
            self.tell(&row.id, "review_released", row.claimed_by.clone());
            self.lapses_run(&row);
        }
        let held_in = if is_in_place { queue } else { "claimed" }.to_owned();
        row.queue.clone_from(&held_in);
        row.claimed_in = Some(held_in);
        row.claimed_by = Some(claim.agent.to_owned());
        row.orchestrator_id = Some(MACHINE.to_owned());
        row.claimed_at = Some(self.now);
        row.lease_expires_at = Some(self.now + claim.lease_ms);
        row.needs_intervention = false;
        self.begins_run(&mut row, queue, is_in_place);
        let event = if is_in_place { "review_claimed" } else { "claimed" };
        self.tell(&row.id, event, Some(claim.agent.to_owned()));
        self.keep(row)
    }

    /// Without a token the caller needs a lease that runs, and must not be another agent.
    pub(super) fn checks_worker(&self, row: &Row, agent: Option<&str>) -> Result<(), &'static str> {
        let runs = row.lease_expires_at.is_some() && !row.has_lapsed(self.now);
        let is_other = agent.is_some() && agent != row.claimed_by.as_deref();
        if runs && !is_other { Ok(()) } else { Err("lease_lost") }
    }

    pub(super) fn submit(
        &mut self,
        id: &str,
        caller: Caller,
        (commits, turns): (i64, i64),
    ) -> Outcome {
        let Caller { token, agent, age } = caller;
        let mut row = self.find_for(id, token)?;
        let sender = self.sender(&mut row, token, "submit")?;
        if matches!(sender, Sender::Again) {
            return Ok(Answer::Task(Box::new(row)));
        }
        if row.queue != "claimed" {
            return Err("wrong_state");
        }
        if matches!(sender, Sender::Anyone) {
            self.checks_worker(&row, agent)?;
        }
        checks_age(age)?;
        self.tell(id, "submitted", row.claimed_by.clone());
        let is_spent = turns >= 100 || (turns >= 80 && commits == 0);
        if is_spent {
            self.tell(id, "burnout_detected", None);
        }
        row.frees();
        row.ends_rows();
        let to = if is_spent { "needs_continuation" } else { "provisional" };
        to.clone_into(&mut row.queue);
        row.commits_count = Some(commits);
        row.turns_used = Some(turns);
        row.submitted_at = Some(self.now);
        self.ends_run(&mut row, "submit", "submitted");
        self.keep(row)
    }

    pub(super) fn judge(
        &mut self,
        id: &str,
        caller: Caller,
        verdict: Verdict,
        queue: Option<&str>,
    ) -> Outcome {
        let Caller { token, agent, age } = caller;
        let (step, outcome) = match verdict {
            Verdict::Accept => ("accept", "accepted"),
            Verdict::Reject => ("reject", "rejected"),
            Verdict::Requeue => ("requeue", "released"),
        };
        let mut row = self.find_for(id, token)?;
        let sender = self.sender(&mut row, token, step)?;
        if matches!(sender, Sender::Again) {
            return Ok(Answer::Task(Box::new(row)));
        }
        let to = if verdict == Verdict::Accept {
            accepted_into(&row, queue.unwrap_or("done"))?
        } else {
            "incoming"
        };
        if !row.may_go(to) {
            return Err("wrong_state");
        }
        checks_age(age)?;
        let is_reviewed = row.is_held() && !row.has_lapsed(self.now);
        let is_other = agent.is_some() && agent != row.claimed_by.as_deref();
        let is_confined = matches!(sender, Sender::Anyone) && verdict != Verdict::Requeue;
        if is_confined && is_reviewed && is_other {
            return Err("lease_lost");
        }
        self.passes(&mut row, verdict, to);
        self.ends_run(&mut row, step, outcome);
        self.keep(row)
    }

    fn passes(&mut self, row: &mut Row, verdict: Verdict, to: &str) {
        let reviewer = Some("reviewer".to_owned());
        match verdict {
            Verdict::Accept => {
                row.completed_at = if to == "done" { Some(self.now) } else { row.completed_at };
                row.accepted_attempt = Some(row.attempt);
                row.cancel_requested_at = None;
                self.tell(&row.id, "accepted", reviewer);
            }
            Verdict::Reject => {
                row.rejection_count = Some(row.rejection_count.unwrap_or(0) + 1);
                self.tell(&row.id, "rejected", reviewer);
            }
            Verdict::Requeue => {
                row.attempt_count = Some(row.attempt_count.unwrap_or(0) + 1);
                self.tell(&row.id, "requeued", row.claimed_by.clone());
            }
        }
        row.frees();
        row.ends_rows();
        to.clone_into(&mut row.queue);
    }
}

/// Accepted work goes on, and never back or out.
fn accepted_into<'a>(row: &Row, queue: &'a str) -> Result<&'a str, &'static str> {
    if row.is_strict() && !is_strict_queue(queue) {
        return Err("invalid_queue");
    }
    if ["incoming", "claimed", "failed", "cancelled"].contains(&queue) {
        return Err("invalid_request");
    }
    Ok(queue)
}
