//! The auditor: what the contract says about tasks, written down a second time and in another way.
//!
//! It holds tasks in a map, asks no rule of `domain` and knows no SQL, so that a mistake would have
//! to be made twice to go unseen. It covers what moves tasks between queues, holds and frees them,
//! and the runs; fields that are only stored are the cases' business.

mod edits;
mod ends;
mod leases;
mod row;
mod work;

use std::collections::BTreeMap;

use crate::{program::Step, world::START};

pub use leases::Run;
pub use row::Row;

/// The name of the one flow that is registered, in both scopes; other tasks follow none.
pub const STRICT: &str = "strict";

/// The states of that flow beside the built-in ones.
pub const STATES: [&str; 2] = ["provisional", "approved"];

/// The steps that it allows.
pub const STEPS: [(&str, &str); 5] = [
    ("claimed", "provisional"),
    ("provisional", "done"),
    ("provisional", "incoming"),
    ("provisional", "approved"),
    ("approved", "done"),
];

/// The marker of a task that waits for an answer.
const AWAITING_INPUT: &str = "awaiting-input";

/// What an operation answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A task, as it is now.
    Task(Box<Row>),
    /// A lease goes on.
    Renewed {
        /// The run.
        run: i64,
        /// When it ends now.
        ends_at: i64,
        /// Whether the holder is to stop.
        is_cancelled: bool,
    },
    /// Several were taken back, named in order.
    Released(Vec<String>),
    /// So many delays have ended.
    Due(i64),
    /// There was nothing to claim, or nothing more to say.
    Nothing,
    /// A refusal, by its code.
    Refused(&'static str),
}

/// Whether tasks of the strict flow may be in a queue.
fn is_strict_queue(queue: &str) -> bool {
    ["incoming", "claimed", "done", "failed"].contains(&queue) || STATES.contains(&queue)
}

/// The tasks, and everything that was told about them.
#[derive(Clone, Debug)]
pub struct Model {
    now: i64,
    created: u64,
    tasks: BTreeMap<String, (u64, Row)>,
    /// The last version of each id that was deleted.
    ended: BTreeMap<String, i64>,
    /// The runs of each id, over deletions.
    runs: BTreeMap<String, Vec<Run>>,
    /// The scopes of the open questions about each id, the oldest first.
    questions: BTreeMap<String, Vec<String>>,
    /// Delays that the last step has set and that are spread at random: the first and the last
    /// instant at which they may end.
    spread: BTreeMap<String, (i64, i64)>,
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
            runs: BTreeMap::new(),
            questions: BTreeMap::new(),
            spread: BTreeMap::new(),
            history: BTreeMap::new(),
        }
    }
}

type Outcome = Result<Answer, &'static str>;

impl Model {
    /// Does what a step asks for, and answers. A refusal changes nothing.
    pub fn run(&mut self, step: &Step) -> Answer {
        self.spread.clear();
        let before = self.clone();
        match self.does(step) {
            Ok(answer) => answer,
            Err(code) => {
                *self = before;
                Answer::Refused(code)
            }
        }
    }

    fn does(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Create(create) => self.create(create),
            Step::Claim(claim) => self.claim(claim),
            Step::Submit { id, caller, commits, turns } => {
                self.submit(id, *caller, (*commits, *turns))
            }
            Step::Fail(fail) => self.fail(fail),
            Step::Renew { id, token, lease_ms } => self.renew(id, *token, *lease_ms),
            Step::Judge { id, caller, verdict, queue } => self.judge(id, *caller, *verdict, *queue),
            Step::Patch(patch) => self.patch(patch),
            Step::Force { id, queue } => self.force(id, queue),
            Step::Cancel { id, age } => self.cancel(id, *age),
            Step::Retry { id, age } => self.retry(id, *age),
            Step::Answer { id } => Ok(self.answer(id)),
            Step::Delete { id } => self.delete(id),
            Step::Tick { ms } => {
                self.now += ms;
                Ok(Answer::Nothing)
            }
            Step::Reap { grace_ms } => self.reap(self.now - grace_ms),
            Step::EndDelays => Ok(self.end_delays()),
        }
    }

    /// Takes over how the store has spread delays, and completes the answer of the step. Returns
    /// `false` if one of them ends at an instant at which it must not.
    pub fn settles(&mut self, answer: &mut Answer, found: &[Row]) -> bool {
        let mut is_right = true;
        for (id, (earliest, latest)) in std::mem::take(&mut self.spread) {
            let Some((_, row)) = self.tasks.get_mut(&id) else { continue };
            let found = found.iter().find(|found| found.id == id);
            let (Some(_), Some(instant)) = (row.not_before, found.and_then(|row| row.not_before))
            else {
                continue;
            };
            is_right &= (earliest..=latest).contains(&instant);
            row.not_before = Some(instant);
            if let Answer::Task(answer) = answer {
                **answer = row.clone();
            }
        }
        is_right
    }

    /// All tasks by id.
    pub fn rows(&self) -> Vec<Row> {
        self.tasks.values().map(|(_, row)| row.clone()).collect()
    }

    /// All runs by id and number.
    pub fn runs(&self) -> Vec<Run> {
        self.runs.values().flatten().cloned().collect()
    }

    /// The runs that go on although they are not the one under the lease on their task, or although
    /// nobody holds it. There are to be none.
    pub fn strays(&self) -> Vec<Run> {
        let is_stray = |run: &Run| {
            let task = self.tasks.get(&run.task_id).map(|(_, row)| row);
            run.outcome == "running"
                && !task.is_some_and(|row| row.lease_run == Some(run.run) && row.has_holder())
        };
        self.runs().into_iter().filter(is_stray).collect()
    }

    /// The ids about which questions are open, each as often as there are any.
    pub fn open_questions(&self) -> Vec<String> {
        let open = |(id, scopes): (&String, &Vec<String>)| vec![id.clone(); scopes.len()];
        self.questions.iter().flat_map(open).collect()
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
        if row.cancel_requested_at.is_some() && !row.has_holder() {
            row.cancel_requested_at = None;
            if row.queue != "cancelled" {
                row.clears_claim();
                row.not_before = None;
                "cancelled".clone_into(&mut row.queue);
                self.tell(&row.id, "cancelled", None);
            }
        }
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
            row.waits_no_more_for(id);
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
}

/// A caller may say how old its view of the task is; only the present is good enough.
fn checks_age(age: Option<i64>) -> Result<(), &'static str> {
    match age {
        None | Some(0) => Ok(()),
        Some(_) => Err("version_conflict"),
    }
}
