//! Tasks and the tables derived from them.
//!
//! The tasks are read twice: first without their texts, to compute the blockers, then row by row,
//! to be emitted.

use std::collections::{BTreeMap, HashSet};

use octopoid_domain::{
    Millis,
    limits::KEY_BYTES_MAX,
    queue,
    task::{blockers, lease_end},
};
use octopoid_store::{
    copy::{Table, table},
    engine::{Row, Value},
};

use crate::import::{
    ImportError, ImportedTable, Notes, Scopes, Sink,
    history::{self, History, TaskRef},
    notes::Change,
    nouns::{by_time, number_after},
    queues,
    row::{ImportedRow, peek},
    source::Source,
};

const TABLE: &str = "tasks";

/// The order of creation.
const ORDER: &str = by_time!("created_at");

/// Text columns that the first pass does not need.
const TEXTS: [&str; 6] =
    ["content", "hooks", "checks", "check_results", "execution_notes", "flow_overrides"];

/// Counts that start at 0, because the first server recorded no runs.
const COUNTS: [&str; 5] = ["run", "attempt", "failure_count", "lapse_count", "setback_count"];

/// Finished tasks are counted in this many parts, as the store does.
const SHARDS: i64 = 16;

/// The result of the first pass.
#[derive(Default)]
struct TaskIndex {
    tasks: BTreeMap<String, Task>,
    /// The tasks that block others, with their scopes.
    awaited: HashSet<(String, String)>,
    /// The rows of `task_blockers`.
    pairs: Vec<Row>,
}

struct Task {
    scope: String,
    created_at: i64,
    is_done: bool,
    /// The first server's value, until it is replaced with this server's.
    blocked_by: Option<String>,
    waiting: Vec<Change>,
    has_history: bool,
}

/// Converts the tasks, and emits the rows of the derived tables.
pub(crate) fn convert(
    source: &Source,
    scopes: &Scopes,
    notes: &mut Notes,
    sink: &mut Sink<'_>,
) -> Result<Vec<ImportedTable>, ImportError> {
    let history = History::read(source)?;
    let mut all = survey(source, scopes, &history)?;
    let (rows, counts) = emit_tasks(source, scopes, &history, &mut all, notes, sink)?;
    let mut tables =
        vec![ImportedTable { table: known(TABLE)?, rows, source_rows: Some(source.count(TABLE)?) }];
    for (name, rows) in
        [("task_blockers", std::mem::take(&mut all.pairs)), ("finished_counts", counts)]
    {
        let (table, count) = (known(name)?, rows.len());
        for row in rows {
            sink(table, count, row).map_err(ImportError::Sink)?;
        }
        tables.push(ImportedTable { table, rows: count, source_rows: None });
    }
    tables.push(events(source, &mut all, notes, sink)?);
    Ok(tables)
}

fn known(name: &'static str) -> Result<&'static Table, ImportError> {
    table(name).ok_or(ImportError::Foreign(name))
}

fn of_text(task: &ImportedRow, name: &str) -> String {
    task.text(name).unwrap_or_default().to_owned()
}

/// The first pass: reads the tasks and computes their blockers.
fn survey(source: &Source, scopes: &Scopes, history: &History) -> Result<TaskIndex, ImportError> {
    let table = known(TABLE)?;
    let mut all = TaskIndex::default();
    let mut order = Vec::new();
    source.each(TABLE, ORDER, &TEXTS, |cells| {
        let id = peek(&cells, "id").unwrap_or_default();
        let mut task = ImportedRow::from_cells(table, cells);
        task.find_scope(scopes, &id);
        if finish(&mut task, history).is_err() {
            return Ok(());
        }
        let id = of_text(&task, "id");
        let blocked_by = task.text("blocked_by").filter(|list| !list.is_empty());
        if blocked_by.is_some() {
            order.push(id.clone());
        }
        let seen = Task {
            scope: of_text(&task, "scope"),
            created_at: task.int("created_at").unwrap_or_default(),
            is_done: task.text("queue") == Some(queue::DONE),
            blocked_by: blocked_by.map(str::to_owned),
            waiting: Vec::new(),
            has_history: false,
        };
        all.tasks.insert(id, seen);
        Ok(())
    })?;
    for id in &order {
        all.wait(id);
    }
    Ok(all)
}

impl TaskIndex {
    /// Creates the (task, blocker) pairs of a task. Done tasks are removed, because the first
    /// server never unblocked tasks that waited for them.
    fn wait(&mut self, id: &str) {
        let Some(task) = self.tasks.get(id) else { return };
        let (scope, list) = (task.scope.clone(), task.blocked_by.clone().unwrap_or_default());
        let mut waiting = Vec::new();
        let mut report = |kind: &str, what: String| waiting.push(Change::new(kind, what));
        let names = blockers(&list);
        if list.contains(',') && self.tasks.contains_key(list.as_str()) {
            report(
                "blocked_by: read an id with a comma as a list of ids",
                format!(
                    "blocked_by: read the task id {list:?}, which has a comma, as a list of ids: {}",
                    names.join(" and ")
                ),
            );
        } else if names.join(",") != list {
            let what = "blocked_by: removed whitespace, empty and duplicate ids";
            report(what, what.to_owned());
        }
        let mut kept = Vec::new();
        for blocker in names {
            match self.tasks.get(blocker) {
                _ if blocker == id => {
                    let what = "removed the task itself from blocked_by";
                    report(what, what.to_owned());
                    continue;
                }
                Some(other) if other.is_done => {
                    let what = format!("removed {blocker} from blocked_by because it is done");
                    report("removed done tasks from blocked_by", what);
                    continue;
                }
                Some(other) if other.scope != scope => report(
                    "waits for a task of another scope, which never unblocks it",
                    format!("waits for {blocker} of another scope, which never unblocks it"),
                ),
                Some(_) | None => {}
            }
            let position = i64::try_from(kept.len()).unwrap_or(i64::MAX);
            let pair = [scope.as_str(), blocker, id].map(Value::from);
            self.pairs.push(pair.into_iter().chain([position.into()]).collect());
            self.awaited.insert((scope.clone(), blocker.to_owned()));
            kept.push(blocker);
        }
        let kept = (!kept.is_empty()).then(|| kept.join(","));
        if let Some(task) = self.tasks.get_mut(id) {
            (task.blocked_by, task.waiting) = (kept, waiting);
        }
    }
}

/// Emits the tasks, and counts the finished ones.
fn emit_tasks(
    source: &Source,
    scopes: &Scopes,
    history: &History,
    all: &mut TaskIndex,
    notes: &mut Notes,
    sink: &mut Sink<'_>,
) -> Result<(usize, Vec<Row>), ImportError> {
    let (table, total) = (known(TABLE)?, source.count(TABLE)?);
    let mut rows = 0;
    let mut counts: BTreeMap<(String, String, i64), i64> = BTreeMap::new();
    source.each(TABLE, ORDER, &[], |cells| {
        let key = peek(&cells, "id").unwrap_or_default();
        let mut new = ImportedRow::from_cells(table, cells);
        new.find_scope(scopes, &key);
        let outcome = finish(&mut new, history);
        let (id, scope, queue) =
            (of_text(&new, "id"), of_text(&new, "scope"), of_text(&new, "queue"));
        let seq = number_after(rows);
        new.set("seq", seq);
        if let Some(seen) = all.tasks.get_mut(&id) {
            match seen.blocked_by.as_deref() {
                Some(list) => new.set("blocked_by", list),
                None => new.clear("blocked_by"),
            }
            new.changes.append(&mut seen.waiting);
        }
        new.set("is_awaited", i64::from(all.awaited.contains(&(scope.clone(), id.clone()))));
        new.set("events", history.count(&id));
        if let Some(row) = new.note(&key, outcome, notes) {
            rows += 1;
            if queue::is_finished(&queue) {
                *counts.entry((scope, queue, seq % SHARDS)).or_default() += 1;
            }
            sink(table, total, row).map_err(ImportError::Sink)?;
        }
        Ok(())
    })?;
    let row = |((scope, queue, shard), tasks): ((String, String, i64), i64)| {
        [Value::from(scope), queue.into(), shard.into(), tasks.into()].to_vec()
    };
    Ok((rows, counts.into_iter().map(row).collect()))
}

/// Emits the history of all tasks.
fn events(
    source: &Source,
    all: &mut TaskIndex,
    notes: &mut Notes,
    sink: &mut Sink<'_>,
) -> Result<ImportedTable, ImportError> {
    let table = known(history::EVENTS)?;
    let source_rows = source.count(history::TABLE)?;
    let total = source_rows + all.tasks.len();
    let mut rows = 0;
    let mut emit = |mut row: Row| {
        row[0] = number_after(rows).into();
        rows += 1;
        sink(table, total, row).map_err(ImportError::Sink)
    };
    history::each(source, &mut all.tasks, notes, &mut emit)?;
    for (id, task) in all.tasks.iter().filter(|(_, task)| !task.has_history) {
        let task =
            TaskRef { id: id.clone(), scope: task.scope.clone(), created_at: task.created_at };
        emit(history::creation(&task))?;
    }
    Ok(ImportedTable { table, rows, source_rows: Some(source_rows) })
}

impl history::Tasks for BTreeMap<String, Task> {
    fn begin(&mut self, id: &str) -> Option<TaskRef> {
        let task = self.get_mut(id)?;
        task.has_history = true;
        Some(TaskRef { id: id.to_owned(), scope: task.scope.clone(), created_at: task.created_at })
    }
}

/// Sets defaults for required columns, or rejects the task.
fn finish(task: &mut ImportedRow, history: &History) -> Result<(), Change> {
    task.need(&["id", "file_path", "queue", "branch", "scope"])?;
    let list = task.text("blocked_by").unwrap_or_default();
    if let Some(id) = blockers(list).into_iter().find(|id| id.len() > KEY_BYTES_MAX) {
        let kind = format!("blocked_by contains an id of more than {KEY_BYTES_MAX} bytes");
        let what = format!("{kind}: {}", id.len());
        return Err(Change::new(kind, what));
    }
    if of_text(task, "id").contains(',') {
        task.changed("id", "contains a comma, so no other task can wait for this one");
    }
    task.flags(&[
        "has_plan",
        "auto_accept",
        "needs_rebase",
        "needs_breakdown",
        "needs_intervention",
    ]);
    task.instant("created_at", &["updated_at"]);
    task.instant("updated_at", &["created_at"]);
    bound_lease(task);
    task.default("version", 1);
    task.set("write_id", 0);
    for count in COUNTS {
        task.set(count, 0);
    }
    queues::rename(task, "queue");
    if let Some(queue) = claimed_in(task, history) {
        task.set("claimed_in", queue);
    }
    Ok(())
}

/// Limits the lease, which the first server did not. It was set at or before the last change.
fn bound_lease(task: &mut ImportedRow) {
    let (Some(end), Some(set)) = (task.int("lease_expires_at"), task.int("updated_at")) else {
        return;
    };
    let bounded = lease_end(Millis(end), Millis(set)).0;
    if bounded < end {
        task.set("lease_expires_at", bounded);
        task.changed("lease_expires_at", "limited to a day after the last change of the task");
    }
}

/// The queue in which a task is held. A review does not move the task. A worker's claim on a task
/// that a client has moved to another queue is not a lease any more.
fn claimed_in(task: &ImportedRow, history: &History) -> Option<&'static str> {
    task.text("claimed_by")?;
    match task.text("queue")? {
        queue::CLAIMED => Some(queue::CLAIMED),
        queue::PROVISIONAL if task.int("lease_expires_at").is_some() => {
            (!history.was_claimed_for_work(task.text("id")?)).then_some(queue::PROVISIONAL)
        }
        _ => None,
    }
}
