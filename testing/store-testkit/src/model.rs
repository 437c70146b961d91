//! The auditor: what the contract says about tasks, written down a second time and in another way.
//!
//! It holds tasks in a map, asks no rule of `domain` and knows no SQL, so that a mistake would have
//! to be made twice to go unseen. It covers what moves tasks between queues, holds and frees them;
//! fields that are only stored are the cases' business.

mod row;

use std::collections::BTreeMap;

use crate::{
    program::{Claim, Create, Patch, Step, Verdict},
    world::{DAY, MACHINE, START},
};

pub use row::Row;

/// The name of the one flow that is registered, in both scopes; other tasks follow none.
pub const STRICT: &str = "strict";

/// The steps that flow allows. Its queues are the built-in ones and `provisional`.
pub const STEPS: [(&str, &str); 3] =
    [("claimed", "provisional"), ("provisional", "done"), ("provisional", "incoming")];

/// What an operation answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A task, as it is now.
    Task(Box<Row>),
    /// Several were taken back, named in order.
    Released(Vec<String>),
    /// There was nothing to claim, or nothing more to say.
    Nothing,
    /// A refusal, by its code.
    Refused(&'static str),
}

/// Whether tasks of the strict flow may be in a queue.
fn is_strict_queue(queue: &str) -> bool {
    ["incoming", "claimed", "done", "failed", "provisional"].contains(&queue)
}

/// The tasks, and everything that was told about them.
#[derive(Clone, Debug)]
pub struct Model {
    now: i64,
    created: u64,
    tasks: BTreeMap<String, (u64, Row)>,
    /// The last version of each id that was deleted.
    ended: BTreeMap<String, i64>,
    /// The events of each id, with who did it.
    pub history: BTreeMap<String, Vec<(&'static str, Option<String>)>>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            now: START.0,
            created: 0,
            tasks: BTreeMap::new(),
            ended: BTreeMap::new(),
            history: BTreeMap::new(),
        }
    }
}

type Outcome = Result<Answer, &'static str>;

impl Model {
    /// Does what a step asks for, and answers.
    pub fn run(&mut self, step: &Step) -> Answer {
        let outcome = match step {
            Step::Create(create) => self.create(create),
            Step::Claim(claim) => self.claim(claim),
            Step::Submit { id, agent, commits, turns, age } => {
                self.submit(id, *agent, (*commits, *turns), *age)
            }
            Step::Judge { id, verdict, age } => self.judge(id, *verdict, *age),
            Step::Patch(patch) => self.patch(patch),
            Step::Force { id, queue } => self.force(id, queue),
            Step::Delete { id } => self.delete(id),
            Step::Tick { ms } => {
                self.now += ms;
                Ok(Answer::Nothing)
            }
            Step::Reap { grace_ms } => Ok(self.reap(self.now - grace_ms)),
        };
        outcome.unwrap_or_else(Answer::Refused)
    }

    /// All tasks by id.
    pub fn rows(&self) -> Vec<Row> {
        self.tasks.values().map(|(_, row)| row.clone()).collect()
    }

    /// How many tasks of a scope are in a queue.
    pub fn count(&self, scope: &str, queue: &str) -> i64 {
        let tasks = self.tasks.values();
        let matching = tasks.filter(|(_, row)| row.scope == scope && row.queue == queue);
        i64::try_from(matching.count()).unwrap_or_default()
    }

    fn tell(&mut self, id: &str, event: &'static str, who: Option<String>) {
        self.history.entry(id.to_owned()).or_default().push((event, who));
    }

    fn find(&self, id: &str) -> Result<Row, &'static str> {
        self.tasks.get(id).map(|(_, row)| row.clone()).ok_or("task_not_found")
    }

    /// Stores a changed task and answers with it.
    fn keep(&mut self, mut row: Row) -> Outcome {
        let (_, kept) = self.tasks.get_mut(&row.id).ok_or("task_not_found")?;
        let was_done = kept.queue == "done";
        let is_done = row.queue == "done";
        if was_done && !is_done {
            row.completed_at = None;
        }
        row.version += 1;
        row.updated_at = self.now;
        *kept = row.clone();
        if is_done && !was_done {
            self.frees_what_waits_for(&row.id, &row.scope);
        }
        Ok(Answer::Task(Box::new(row)))
    }

    fn frees_what_waits_for(&mut self, id: &str, scope: &str) {
        let now = self.now;
        let waits = |row: &Row| row.scope == scope && row.waits_for(id);
        let waiting = self.tasks.values_mut().filter(|(_, row)| waits(row));
        let mut freed = Vec::new();
        for (_, row) in waiting {
            let rest: Vec<_> = row.blocked_by.iter().flat_map(|list| list.split(',')).collect();
            let rest = rest.into_iter().filter(|other| *other != id).collect::<Vec<_>>().join(",");
            row.blocked_by = (!rest.is_empty()).then_some(rest);
            row.version += 1;
            row.updated_at = now;
            freed.push(row.id.clone());
        }
        for id in freed {
            self.tell(&id, "unblocked", None);
        }
    }

    /// What a list of blockers comes to: no blocker twice, and none that is done in this scope.
    fn blockers(&self, list: &[&'static str], scope: &str) -> Option<String> {
        let mut open: Vec<&str> = Vec::new();
        for id in list {
            let ended = |row: &Row| row.queue == "done" && row.scope == scope;
            let is_done = self.tasks.get(*id).is_some_and(|(_, row)| ended(row));
            if !is_done && !open.contains(id) {
                open.push(id);
            }
        }
        (!open.is_empty()).then(|| open.join(","))
    }

    /// Whether a task with these blockers would wait for itself through tasks of its scope.
    fn is_cycle(&self, row: &Row) -> bool {
        let mut reached = vec![row.clone()];
        let mut at = 0;
        while let Some(waiting) = reached.get(at).cloned() {
            let blockers = waiting.blocked_by.iter().flat_map(|list| list.split(','));
            for (_, next) in blockers.filter_map(|id| self.tasks.get(id)) {
                if next.scope == row.scope && !reached.contains(next) {
                    reached.push(next.clone());
                }
            }
            at += 1;
        }
        reached[1..].iter().any(|next| next.waits_for(&row.id))
    }

    fn create(&mut self, new: &Create) -> Outcome {
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
            updated_at: self.now,
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

    fn claim(&mut self, claim: &Claim) -> Outcome {
        let queue = claim.queue.unwrap_or("incoming");
        if ["claimed", "done", "failed"].contains(&queue) {
            return Err("invalid_request");
        }
        let fits = |filter: &[&str], value: &Option<String>| {
            filter.is_empty() || value.as_deref().is_some_and(|value| filter.contains(&value))
        };
        let candidates = self.tasks.values().filter(|(_, row)| {
            row.scope == claim.scope
                && row.queue == queue
                && row.blocked_by.is_none()
                && (!row.is_held() || row.was_reviewed_until(self.now))
                && fits(&claim.roles, &row.role)
                && fits(&claim.kinds, &row.kind)
        });
        let Some((_, row)) = candidates.min_by_key(|(order, row)| (row.urgency(), *order)) else {
            return Ok(Answer::Nothing);
        };
        let is_review = queue == "provisional";
        let former = row.is_held().then(|| row.claimed_by.clone());
        let held_in = if is_review { "provisional" } else { "claimed" }.to_owned();
        let row = Row {
            queue: held_in.clone(),
            claimed_in: Some(held_in),
            claimed_by: Some(claim.agent.to_owned()),
            orchestrator_id: Some(MACHINE.to_owned()),
            claimed_at: Some(self.now),
            lease_expires_at: Some(self.now + claim.lease_ms),
            needs_intervention: false,
            ..row.clone()
        };
        if let Some(former) = former {
            self.tell(&row.id, "review_released", former);
        }
        let event = if is_review { "review_claimed" } else { "claimed" };
        self.tell(&row.id, event, Some(claim.agent.to_owned()));
        self.keep(row)
    }

    fn submit(
        &mut self,
        id: &str,
        agent: Option<&str>,
        (commits, turns): (i64, i64),
        age: Option<i64>,
    ) -> Outcome {
        let mut row = self.find(id)?;
        if row.queue != "claimed" {
            return Err("wrong_state");
        }
        if row.lease_expires_at.is_none_or(|end| end < self.now) {
            return Err("lease_lost");
        }
        if agent.is_some() && agent != row.claimed_by.as_deref() {
            return Err("lease_lost");
        }
        checks_age(age)?;
        self.tell(id, "submitted", row.claimed_by.clone());
        let is_spent = turns >= 100 || (turns >= 80 && commits == 0);
        if is_spent {
            self.tell(id, "burnout_detected", None);
        }
        row.frees();
        let to = if is_spent { "needs_continuation" } else { "provisional" };
        to.clone_into(&mut row.queue);
        row.commits_count = Some(commits);
        row.turns_used = Some(turns);
        row.submitted_at = Some(self.now);
        self.keep(row)
    }

    fn judge(&mut self, id: &str, verdict: Verdict, age: Option<i64>) -> Outcome {
        let mut row = self.find(id)?;
        let to = if verdict == Verdict::Accept { "done" } else { "incoming" };
        if !row.may_go(to) {
            return Err("wrong_state");
        }
        checks_age(age)?;
        let reviewer = || Some("reviewer".to_owned());
        match verdict {
            Verdict::Accept => {
                row.completed_at = Some(self.now);
                self.tell(id, "accepted", reviewer());
            }
            Verdict::Reject => {
                row.rejection_count = Some(row.rejection_count.unwrap_or(0) + 1);
                self.tell(id, "rejected", reviewer());
            }
            Verdict::Requeue => {
                row.attempt_count = Some(row.attempt_count.unwrap_or(0) + 1);
                self.tell(id, "requeued", row.claimed_by.clone());
            }
        }
        row.frees();
        to.clone_into(&mut row.queue);
        self.keep(row)
    }

    fn patch(&mut self, patch: &Patch) -> Outcome {
        // What can be said without the task is said first.
        if patch.queue == Some("done") || patch.is_empty() {
            return Err("invalid_request");
        }
        let mut row = self.find(patch.id)?;
        if row.is_strict() && patch.queue.is_some_and(|queue| !is_strict_queue(queue)) {
            return Err("invalid_queue");
        }
        checks_age(patch.age)?;
        if patch.blocked_by.iter().flatten().any(|id| *id == patch.id) {
            return Err("invalid_request");
        }
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
            let was = row.blocked_by.take();
            row.blocked_by = self.blockers(list, &row.scope);
            if row.blocked_by != was && self.is_cycle(&row) {
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
        self.tell(patch.id, "edited", None);
        self.keep(row)
    }

    fn force(&mut self, id: &str, queue: &str) -> Outcome {
        let mut row = self.find(id)?;
        if row.is_strict() && !is_strict_queue(queue) {
            return Err("invalid_queue");
        }
        row.frees();
        queue.clone_into(&mut row.queue);
        if queue == "done" {
            row.completed_at = Some(self.now);
        }
        self.tell(id, "force_queue", None);
        self.keep(row)
    }

    fn delete(&mut self, id: &str) -> Outcome {
        let (_, row) = self.tasks.remove(id).ok_or("task_not_found")?;
        self.ended.insert(id.to_owned(), row.version);
        self.tell(id, "deleted", None);
        self.frees_what_waits_for(id, &row.scope);
        Ok(Answer::Nothing)
    }

    /// Takes back what has ended before an instant.
    fn reap(&mut self, ended_before: i64) -> Answer {
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
            if row.queue == "claimed" {
                "incoming".clone_into(&mut row.queue);
                row.attempt_count = Some(row.attempt_count.unwrap_or(0) + 1);
                self.tell(&row.id, "requeued", holder);
            } else {
                self.tell(&row.id, "review_released", holder);
            }
            row.frees();
            self.keep(row).ok();
        }
        Answer::Released(ids)
    }
}

/// A caller may say how old its view of the task is; only the present is good enough.
fn checks_age(age: Option<i64>) -> Result<(), &'static str> {
    match age {
        None | Some(0) => Ok(()),
        Some(_) => Err("version_conflict"),
    }
}
