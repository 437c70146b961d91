//! Leases, and the runs under them.

use crate::{
    program::Token,
    world::{DAY, MACHINE},
};

use super::{Answer, Model, Outcome, Row};

/// The part of a run that the model speaks about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the domain's `Run`")]
pub struct Run {
    pub task_id: String,
    pub run: i64,
    pub scope: String,
    pub attempt: Option<i64>,
    pub kind: String,
    pub source: String,
    pub agent: Option<String>,
    pub started_at: i64,
    pub ended_at: Option<i64>,
    pub outcome: String,
    pub ended_by: Option<String>,
    pub reason: Option<String>,
}

/// Who makes a request, by its token.
pub(super) enum Sender {
    /// There is no token: the caller is judged by other things.
    Anyone,
    /// The holder of the lease.
    Holder,
    /// One whose request was carried out before.
    Again,
}

impl Model {
    pub(super) fn last_run(&self, id: &str) -> i64 {
        self.runs.get(id).and_then(|runs| runs.last()).map_or(0, |run| run.run)
    }

    pub(super) fn last_attempt(&self, id: &str) -> i64 {
        let runs = self.runs.get(id).into_iter().flatten();
        runs.filter_map(|run| run.attempt).max().unwrap_or(0)
    }

    fn run_mut(&mut self, id: &str, number: i64) -> Option<&mut Run> {
        self.runs.get_mut(id)?.iter_mut().find(|run| run.run == number)
    }

    /// The run of the lease on a task, even if it has lapsed.
    pub(super) fn lease(&self, row: &Row) -> Option<&Run> {
        let runs = self.runs.get(&row.id).into_iter().flatten();
        runs.into_iter().find(|run| Some(run.run) == row.lease_run)
    }

    /// Begins a run of a task that was just claimed.
    pub(super) fn begins_run(&mut self, row: &mut Row, source: &str, is_in_place: bool) {
        row.run += 1;
        row.lease_run = Some(row.run);
        row.attempt += i64::from(!is_in_place);
        let run = Run {
            task_id: row.id.clone(),
            run: row.run,
            scope: row.scope.clone(),
            attempt: (!is_in_place).then_some(row.attempt),
            kind: if is_in_place { "review" } else { "work" }.to_owned(),
            source: source.to_owned(),
            agent: row.claimed_by.clone(),
            started_at: self.now,
            outcome: "running".to_owned(),
            ..Run::default()
        };
        self.runs.entry(row.id.clone()).or_default().push(run);
    }

    /// Ends the run of the lease on a task; its token is not current any more. A run that has
    /// lapsed has ended already.
    pub(super) fn ends_run(&mut self, row: &mut Row, step: &str, outcome: &str) {
        let now = self.now;
        let Some(number) = row.lease_run.take() else { return };
        let run = self.run_mut(&row.id, number).filter(|run| run.outcome == "running");
        if let Some(run) = run {
            outcome.clone_into(&mut run.outcome);
            run.ended_at = Some(now);
            run.ended_by = Some(step.to_owned());
        }
    }

    /// Forgets the runs of a deleted task but those that the next numbers go on from.
    pub(super) fn forgets_runs(&mut self, id: &str) {
        let (last, attempt) = (self.last_run(id), self.last_attempt(id));
        if let Some(runs) = self.runs.get_mut(id) {
            runs.retain(|run| run.run == last || run.attempt == Some(attempt));
        }
    }

    /// Ends the run by a lapse: the token stays current.
    pub(super) fn lapses_run(&mut self, row: &Row) {
        self.ends_run(&mut row.clone(), "release", "lapsed");
    }

    /// Whose a request is. A lease that has lapsed goes on if its holder comes back.
    pub(super) fn sender(
        &mut self,
        row: &mut Row,
        token: Token,
        step: &str,
    ) -> Result<Sender, &'static str> {
        let runs = self.runs.get(&row.id).into_iter().flatten().rev();
        let mut newest_first = runs.filter(|_| token != Token::Malformed).cloned();
        let run = match token {
            Token::Nothing => return Ok(Sender::Anyone),
            Token::Malformed => return Err("invalid_request"),
            Token::Newest => newest_first.next(),
            Token::Of(id) if id == row.id => newest_first.next(),
            Token::Of(_) => None,
            Token::Earlier => newest_first.nth(1),
        };
        // A tenant knows nothing of another's, nor of an earlier task of the id.
        let is_seen = |run: &Run| run.scope == row.scope && run.started_at >= row.created_at;
        let Some(run) = run.filter(is_seen) else { return Err("lease_lost") };
        if row.lease_run == Some(run.run) {
            self.resumes(row, &run);
            return Ok(Sender::Holder);
        }
        if run.ended_by.as_deref() == Some(step) { Ok(Sender::Again) } else { Err("lease_lost") }
    }

    /// Undoes a lapse.
    fn resumes(&mut self, row: &mut Row, run: &Run) {
        if run.outcome != "lapsed" {
            return;
        }
        if row.queue == "cancelled" {
            row.cancel_requested_at = Some(self.now);
        }
        let is_work = run.kind == "work";
        let held_in = if is_work { "claimed" } else { &run.source };
        held_in.clone_into(&mut row.queue);
        row.claimed_in = Some(held_in.to_owned());
        row.claimed_by.clone_from(&run.agent);
        row.orchestrator_id = Some(MACHINE.to_owned());
        row.claimed_at = Some(run.started_at);
        row.lease_expires_at = Some(self.now);
        if is_work {
            row.attempt_count = Some((row.attempt_count.unwrap_or(0) - 1).max(0));
            row.lapse_count = (row.lapse_count - 1).max(0);
            row.not_before = None;
        }
        if let Some(run) = self.run_mut(&row.id, run.run) {
            "running".clone_into(&mut run.outcome);
            run.ended_at = None;
            run.ended_by = None;
        }
        self.tell(&row.id, "resumed", run.agent.clone());
    }

    pub(super) fn renew(&mut self, id: &str, token: Token, lease_ms: i64) -> Outcome {
        if [Token::Nothing, Token::Malformed].contains(&token) {
            return Err("invalid_request");
        }
        let mut row = self.find(id)?;
        let was_held = row.is_held();
        self.sender(&mut row, token, "renew")?;
        let ends_at = self.now + lease_ms;
        row.lease_expires_at = Some(ends_at);
        let run = row.lease_run.unwrap_or_default();
        let is_cancelled = row.cancel_requested_at.is_some();
        if was_held {
            // Nothing was decided, so the version stays.
            self.tasks.entry(id.to_owned()).and_modify(|(_, kept)| *kept = row);
        } else {
            self.keep(row)?;
        }
        Ok(Answer::Renewed { run, ends_at, is_cancelled })
    }

    /// Counts a lapse of work.
    pub(super) fn counts_lapse(&mut self, row: &mut Row) {
        row.lapse_count += 1;
        if row.max_attempts.is_some_and(|max| row.lapse_count >= max) {
            "failed".clone_into(&mut row.queue);
        } else if row.lapse_count > 1 {
            self.delays_attempt(row, row.lapse_count - 1, None);
        }
    }

    /// Takes back what has ended before an instant.
    pub(super) fn reap(&mut self, ended_before: i64) -> Outcome {
        let has_ended = |row: &Row| {
            let end = match &*row.queue {
                "claimed" => row.lease_expires_at.unwrap_or(row.updated_at + DAY),
                _ if row.is_held() => row.lease_expires_at.unwrap_or(i64::MAX),
                _ => i64::MAX,
            };
            end < ended_before
        };
        let ended: Vec<_> = self.rows().into_iter().filter(has_ended).collect();
        let ids = ended.iter().map(|row| row.id.clone()).collect();
        for mut row in ended {
            let holder = row.claimed_by.clone();
            let is_work = row.queue == "claimed";
            row.frees();
            let mut event = "review_released";
            if is_work {
                "incoming".clone_into(&mut row.queue);
                row.attempt_count = Some(row.attempt_count.unwrap_or(0) + 1);
                self.counts_lapse(&mut row);
                event = if row.queue == "failed" { "failed" } else { "requeued" };
            }
            self.tell(&row.id, event, holder);
            self.lapses_run(&row);
            self.keep(row)?;
        }
        Ok(Answer::Released(ids))
    }
}
