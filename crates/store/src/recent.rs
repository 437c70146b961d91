//! The tasks that this process has changed last, so that the next step of one need not read it
//! first.
//!
//! A copy is only a guess. A step that is decided by one is written under the condition that the row
//! still has the mark (`write_id`) of the write from which the copy was made, and its flow the mark
//! that it had then: every statement that changes a task, its current run or its flow leaves a new
//! mark. If a condition does not hold, nothing is written, and the step reads the task as if there
//! were no copy. It also reads the task if the copy does not lead to a change, so no request is
//! refused because of a copy. What makes copies old need not be known here for correctness.
//!
//! Copies are kept only if one process has the database alone, because otherwise many of them would
//! be old.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use octopoid_domain::{
    Task,
    change::Change,
    decide::{Decision, Request, decide},
    flow::Rules,
    lease::LeaseSecret,
    queue,
    run::{Kind, Run},
};

use crate::{Result, Stamp, Store, changes::CurrentTask};

/// How many copies are kept in a generation.
const COPIES_MAX: usize = 2048;
/// How many bytes of text the copies of a generation have.
const BYTES_MAX: usize = 2 << 20;
/// How many bytes of text a copy has at most. A longer text is read again when it is needed.
const COPY_BYTES_MAX: usize = 16 << 10;

/// What is known of the flow of a task.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownFlow {
    /// The mark of its row; `None` if it is not registered.
    pub(crate) mark: Option<i64>,
    /// Its rules, if it is registered.
    pub(crate) rules: Option<Arc<Rules>>,
}

/// The copies.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Copies>);

#[derive(Default)]
struct Copies {
    /// By id.
    tasks: Generations<Box<CurrentTask>>,
    /// By scope and name.
    flows: Generations<KnownFlow>,
}

/// A map of bounded size: when the younger generation is full, the older one is dropped.
struct Generations<V> {
    young: HashMap<String, V>,
    old: HashMap<String, V>,
    /// Of the younger generation. What is taken out goes on to be counted.
    bytes: usize,
}

impl<V> Default for Generations<V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), bytes: 0 }
    }
}

impl<V> Generations<V> {
    fn get(&self, key: &str) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    fn take(&mut self, key: &str) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    /// Keeps a value, and returns what is not kept any more, to be dropped without the lock.
    fn insert(&mut self, key: String, value: V, bytes: usize) -> HashMap<String, V> {
        self.old.remove(&key);
        let is_full = self.young.len() >= COPIES_MAX || self.bytes + bytes > BYTES_MAX;
        let dropped = if is_full {
            self.bytes = 0;
            let full = mem::take(&mut self.young);
            mem::replace(&mut self.old, full)
        } else {
            HashMap::new()
        };
        self.bytes += bytes;
        self.young.insert(key, value);
        dropped
    }
}

impl Recent {
    fn copies(&self) -> MutexGuard<'_, Copies> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The copy of a task, which is not kept any longer: the step either makes a newer one or shows
    /// that this one is of no use.
    fn take(&self, id: &str) -> Option<Box<CurrentTask>> {
        self.copies().tasks.take(id)
    }

    fn keep(&self, copy: CurrentTask) {
        let bytes = text_bytes(&copy.task);
        // A task that is over is hardly ever changed again.
        if bytes <= COPY_BYTES_MAX && !queue::is_finished(&copy.task.queue) {
            let id = copy.task.id.clone();
            let dropped = self.copies().tasks.insert(id, Box::new(copy), bytes);
            drop(dropped);
        }
    }

    fn flow_of(&self, task: &Task) -> Option<KnownFlow> {
        self.copies().flows.get(&flow_key(task)).cloned()
    }

    /// Notes what was read of a flow.
    fn note_flow(&self, task: &Task, flow: &KnownFlow) {
        let key = flow_key(task);
        let mut copies = self.copies();
        if copies.flows.get(&key).is_some_and(|known| known.mark == flow.mark) {
            return;
        }
        let bytes = key.len() + flow.rules.as_deref().map_or(0, Rules::text_bytes);
        let dropped = copies.flows.insert(key, flow.clone(), bytes);
        drop(copies);
        drop(dropped);
    }
}

/// The key of a task's flow. No scope and no name has the separator.
fn flow_key(task: &Task) -> String {
    format!("{}\u{1f}{}", task.scope, task.flow_name())
}

/// The bytes of those texts of a task that may be long.
fn text_bytes(task: &Task) -> usize {
    let texts = [
        &task.content,
        &task.title,
        &task.checks,
        &task.check_results,
        &task.execution_notes,
        &task.hooks,
        &task.flow_overrides,
        &task.plan_id,
        &task.pr_url,
        &task.staging_url,
        &task.blocked_by,
        &task.usage,
    ];
    let optional = texts.into_iter().flatten().map(String::len).sum::<usize>();
    optional + task.file_path.len() + task.branch.len() + task.id.len() + task.scope.len()
}

/// Whether a change leaves the run of the lease, if there still is one, as it was.
fn leaves_lease(was: &Task, change: &Change) -> bool {
    let is_same = change.task.lease_run == was.lease_run;
    let is_left_alone = change.run.is_none() && !change.is_rejection;
    change.task.lease_run.is_none() || is_same && is_left_alone
}

/// Whether a change is guarded by the statement that writes it alone. Others check what they refer
/// to first.
fn is_plain(was: &Task, is: &Task) -> bool {
    is.project_id == was.project_id
        && is.role == was.role
        && is.kind == was.kind
        && is.blocked_by == was.blocked_by
}

impl Store {
    /// Takes a step of a task of which there is a copy. Returns `None`, and has changed nothing, if
    /// the task must be read.
    pub(crate) async fn step_from_copy(
        &self,
        id: &str,
        within: Option<&str>,
        request: &Request,
        stamp: Stamp,
    ) -> Result<Option<Task>> {
        let Some(was) = self.recent.as_ref().and_then(|recent| recent.take(id)) else {
            return Ok(None);
        };
        if within.is_some_and(|scope| scope != was.task.scope) {
            return Ok(None);
        }
        let decision = decide(&was.situation(request, stamp), request);
        let Ok(Decision::Change(change)) = decision else { return Ok(None) };
        if self.check_precondition(&was.task).is_err() || !is_plain(&was.task, &change.task) {
            return Ok(None);
        }
        self.write_change(&was, change, stamp).await
    }

    /// Keeps a task as this write has changed it. `was` is what the change was decided by.
    pub(crate) fn keep_changed(&self, was: &CurrentTask, change: &Change, stamp: Stamp) {
        let Some(recent) = &self.recent else { return };
        let is_known = change.task.flow == was.task.flow && leaves_lease(&was.task, change);
        if queue::is_finished(&change.task.queue) || !is_known {
            return;
        }
        let lease = change.task.lease_run.and_then(|_| was.lease.clone());
        recent.keep(CurrentTask {
            task: change.task.clone(),
            is_awaited: was.is_awaited,
            flow: was.flow.clone(),
            lease,
            other: None,
            copied_from: Some(stamp.write_id),
        });
    }

    /// Keeps a task as this claim has changed it, if what its flow is has been read before.
    pub(crate) fn keep_claimed(
        &self,
        (task, is_awaited): (&Task, bool),
        (kind, source): (Kind, &str),
        (secret, has_run_key): (&LeaseSecret, bool),
        stamp: Stamp,
    ) {
        let Some(recent) = &self.recent else { return };
        let Some(flow) = recent.flow_of(task) else { return };
        let lease = Run {
            task_id: task.id.clone(),
            run: task.run,
            scope: task.scope.clone(),
            attempt: (kind == Kind::Work).then_some(task.attempt),
            kind,
            source: source.to_owned(),
            agent: task.claim.by.clone(),
            orchestrator_id: task.claim.orchestrator_id.clone(),
            started_at: stamp.now,
            token_hash: secret.hash(),
            key_hash: has_run_key.then(|| secret.run_key_hash()),
            ..Run::default()
        };
        recent.keep(CurrentTask {
            task: task.clone(),
            is_awaited,
            flow,
            lease: Some(lease),
            other: None,
            copied_from: Some(stamp.write_id),
        });
    }

    /// Notes the flow of a task that was read.
    pub(crate) fn note_flow(&self, found: &CurrentTask) {
        if let Some(recent) = &self.recent {
            recent.note_flow(&found.task, &found.flow);
        }
    }

    /// Drops the copy of a task whose lease was renewed, which would be of no use.
    pub(crate) fn drop_copy(&self, id: &str) {
        if let Some(recent) = &self.recent {
            recent.take(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, COPIES_MAX, Generations};

    #[test]
    fn the_number_of_copies_is_bounded_and_the_last_ones_are_kept() {
        let mut copies = Generations::default();
        for number in 0..10 * COPIES_MAX {
            copies.insert(number.to_string(), number, 1);
            assert!(copies.young.len() + copies.old.len() <= 2 * COPIES_MAX);
            let earlier = number.saturating_sub(COPIES_MAX - 1);
            assert_eq!(copies.get(&earlier.to_string()), Some(&earlier));
        }
    }

    #[test]
    fn the_bytes_of_copies_are_bounded() {
        let mut copies = Generations::default();
        for number in 0..10 {
            copies.insert(number.to_string(), number, BYTES_MAX / 2);
            assert!(copies.young.len() <= 2 && copies.old.len() <= 2);
        }
    }

    #[test]
    fn a_newer_copy_takes_the_place_of_an_older_one() {
        let mut copies = Generations::default();
        copies.insert("a".to_owned(), 1, BYTES_MAX);
        copies.insert("b".to_owned(), 2, BYTES_MAX);
        copies.insert("a".to_owned(), 3, 1);
        assert_eq!(
            (copies.take("a"), copies.take("a"), copies.take("b")),
            (Some(3), None, Some(2))
        );
    }
}
