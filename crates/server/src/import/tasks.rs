//! Tasks, and what this server keeps beside them.
//!
//! They are read twice: first without their texts, to learn which there are and who waits for whom,
//! then row by row, to be handed on.

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
    row::{ImportedRow, peek},
    source::Source,
};

const TABLE: &str = "tasks";

/// The order of creation.
const ORDER: &str = by_time!("created_at");

/// Texts of tasks that decide nothing.
const TEXTS: [&str; 6] =
    ["content", "hooks", "checks", "check_results", "execution_notes", "flow_overrides"];

/// Finished tasks are counted in this many parts, as the store does.
const SHARDS: i64 = 16;

/// What is known of all tasks that are imported.
#[derive(Default)]
struct TaskIndex {
    tasks: BTreeMap<String, Task>,
    /// The tasks that others wait for, with their scopes.
    awaited: HashSet<(String, String)>,
    /// The pairs of who waits for whom.
    pairs: Vec<Row>,
}

struct Task {
    scope: String,
    created_at: i64,
    is_done: bool,
    /// As the first server had it; once worked out, as this server has it.
    blocked_by: Option<String>,
    waiting: Vec<Change>,
    has_history: bool,
}

/// Converts the tasks, and makes the rows of the tables that follow from them.
pub(crate) fn convert(
    source: &Source,
    scopes: &Scopes,
    notes: &mut Notes,
    sink: &mut Sink<'_>,
) -> Result<Vec<ImportedTable>, ImportError> {
    let history = History::read(source)?;
    let mut all = survey(source, scopes, &history)?;
    let (rows, counts) = hand_on(source, scopes, &history, &mut all, notes, sink)?;
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

/// Learns which tasks there are, and works out who waits for whom.
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
    /// Makes the pairs of a task and those that it waits for. What is done already keeps no task
    /// waiting, though the first server let tasks wait for it for ever.
    fn wait(&mut self, id: &str) {
        let Some(task) = self.tasks.get(id) else { return };
        let (scope, list) = (task.scope.clone(), task.blocked_by.clone().unwrap_or_default());
        let mut waiting = Vec::new();
        let mut report = |kind: &str, what: String| waiting.push(Change::new(kind, what));
        let names = blockers(&list);
        if list.contains(',') && self.tasks.contains_key(list.as_str()) {
            report(
                "blocked_by: a task whose id has a comma became a list of ids",
                format!(
                    "blocked_by: it waited for the task {list:?}, whose id has a comma, and waits \
                     now for {}",
                    names.join(" and ")
                ),
            );
        } else if names.join(",") != list {
            let what = "blocked_by: blanks, empty names and repeated ones were left out";
            report(what, what.to_owned());
        }
        let mut kept = Vec::new();
        for blocker in names {
            match self.tasks.get(blocker) {
                _ if blocker == id => {
                    let what = "it waits no longer for itself";
                    report(what, what.to_owned());
                    continue;
                }
                Some(other) if other.is_done => {
                    let what = format!("it waits no longer for {blocker}, which is done");
                    report("it waits no longer for what is done", what);
                    continue;
                }
                Some(other) if other.scope != scope => report(
                    "it waits for a task of another scope, which will not release it",
                    format!("it waits for {blocker} of another scope, which will not release it"),
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

/// Hands on the tasks, and counts those that are finished.
fn hand_on(
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

/// Hands on the history of all tasks.
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

/// Fills in what a task of ours must have, or refuses it.
fn finish(task: &mut ImportedRow, history: &History) -> Result<(), Change> {
    task.need(&["id", "file_path", "queue", "branch", "scope"])?;
    let list = task.text("blocked_by").unwrap_or_default();
    if let Some(id) = blockers(list).into_iter().find(|id| id.len() > KEY_BYTES_MAX) {
        let kind = format!("its blocked_by names an id of more than {KEY_BYTES_MAX} bytes");
        let what = format!("{kind}: {}", id.len());
        return Err(Change::new(kind, what));
    }
    if of_text(task, "id").contains(',') {
        task.changed("id", "it has a comma, so no other task can be told to wait for this one");
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
    if let Some(queue) = claimed_in(task, history) {
        task.set("claimed_in", queue);
    }
    Ok(())
}

/// The first server's leases had no bound. It was set at the last change or before.
fn bound_lease(task: &mut ImportedRow) {
    let (Some(end), Some(set)) = (task.int("lease_expires_at"), task.int("updated_at")) else {
        return;
    };
    let bounded = lease_end(Millis(end), Millis(set)).0;
    if bounded < end {
        task.set("lease_expires_at", bounded);
        task.changed("lease_expires_at", "moved to a day after the last change of the task");
    }
}

/// The queue in which a task is held. A review leaves it where it is; a worker's claim that was
/// moved on, as clients could, left its marks behind and holds nothing.
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
