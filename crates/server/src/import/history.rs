//! The history of tasks.

use std::collections::HashMap;

use octopoid_domain::limits::KEY_BYTES_MAX;
use octopoid_store::{
    copy::table,
    engine::{Row, Value},
};
use rusqlite::types::Value as Cell;

use crate::import::{
    ImportError, Notes,
    notes::Change,
    row::{instant, json_change, peek, text},
    source::{Cells, Source},
};

/// The first server's table.
pub(crate) const TABLE: &str = "task_history";

/// The target table.
pub(crate) const EVENTS: &str = "events";

/// A summary of the events of a task, computed in a first pass.
#[derive(Default)]
struct EventSummary {
    events: i64,
    /// Whether the last claim was for work, and not for a review.
    is_claimed_for_work: bool,
}

/// The events of all tasks.
pub(crate) struct History {
    by_task: HashMap<String, EventSummary>,
}

/// The task of the events.
pub(crate) struct TaskRef {
    pub(crate) id: String,
    pub(crate) scope: String,
    pub(crate) created_at: i64,
}

/// The imported tasks.
pub(crate) trait Tasks {
    /// The task with this id, whose events follow; `None` if it was not imported.
    fn begin(&mut self, id: &str) -> Option<TaskRef>;
}

impl History {
    /// Reads all events.
    pub(crate) fn read(source: &Source) -> Result<Self, ImportError> {
        let mut by_task = HashMap::<String, EventSummary>::new();
        source.each(TABLE, "id", &["details", "agent", "timestamp"], |cells| {
            let Some(kind) = kind(&cells) else { return Ok(()) };
            let task = by_task.entry(peek(&cells, "task_id").unwrap_or_default()).or_default();
            task.events += 1;
            if kind.ends_with("claimed") {
                task.is_claimed_for_work = kind == "claimed";
            }
            Ok(())
        })?;
        Ok(Self { by_task })
    }

    /// Whether the last claim of a task was for work, and not for a review.
    pub(crate) fn was_claimed_for_work(&self, task: &str) -> bool {
        self.by_task.get(task).is_some_and(|summary| summary.is_claimed_for_work)
    }

    /// The number of events of a task, including its creation.
    pub(crate) fn count(&self, task: &str) -> i64 {
        self.by_task.get(task).map_or(0, |summary| summary.events) + 1
    }
}

/// The name of the event; `None` if it is invalid.
fn kind(cells: &Cells) -> Option<String> {
    peek(cells, "event").filter(|kind| !kind.is_empty() && kind.len() <= KEY_BYTES_MAX)
}

/// The event that the first server did not record.
pub(crate) fn creation(task: &TaskRef) -> Row {
    row(task, 1, "created", &Value::Null, &Value::Null, task.created_at)
}

/// A journal row. Its position, the first column, is set later.
fn row(task: &TaskRef, seq: i64, event: &str, agent: &Value, details: &Value, at: i64) -> Row {
    let columns = table(EVENTS).into_iter().flat_map(|table| &table.columns);
    let value = |name| match name {
        "scope" => task.scope.as_str().into(),
        "kind" => "task".into(),
        "subject" => task.id.as_str().into(),
        "seq" => seq.into(),
        "event" => event.into(),
        "actor" => agent.clone(),
        "details" => details.clone(),
        "at" => at.into(),
        // The first server's events name neither version nor queue; the position comes later.
        _ => Value::Null,
    };
    columns.map(|column| value(column.name)).collect()
}

/// Emits the events grouped by task, each group after the creation of the task.
pub(crate) fn each(
    source: &Source,
    tasks: &mut impl Tasks,
    notes: &mut Notes,
    mut emit: impl FnMut(Row) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let mut id = None;
    let mut task: Option<TaskRef> = None;
    let (mut seq, mut at, mut strays) = (0, 0, 0_usize);
    source.each(TABLE, "CAST(task_id AS TEXT), id", &[], |mut cells| {
        let task_id = peek(&cells, "task_id").unwrap_or_default();
        if id.as_ref() != Some(&task_id) {
            note_strays(id.as_deref(), &mut strays, notes);
            task = tasks.begin(&task_id);
            id = Some(task_id);
            if let Some(task) = &task {
                (seq, at) = (1, task.created_at);
                emit(creation(task))?;
            }
        }
        let Some(task) = &task else {
            strays += 1;
            return Ok(());
        };
        let key = peek(&cells, "id").unwrap_or_default();
        let Some(event) = kind(&cells) else {
            let what = "skipped: the event name is missing or too long";
            notes.add(TABLE, &key, Change::plain(what));
            return Ok(());
        };
        let converted = instant(cells.get("timestamp").unwrap_or(&Cell::Null));
        for change in converted.changes {
            notes.add(TABLE, &key, change.of("timestamp"));
        }
        match converted.value {
            Value::Int(known) => at = known,
            Value::Null | Value::Text(_) => {
                let what = "timestamp: missing, set to that of the previous event";
                notes.add(TABLE, &key, Change::plain(what));
            }
        }
        let mut texts = ["agent", "details"].map(|name| (name, text(cells.take(name))));
        for (name, converted) in &mut texts {
            for change in std::mem::take(&mut converted.changes) {
                notes.add(TABLE, &key, change.of(name));
            }
        }
        let [agent, details] = texts.map(|(_, converted)| converted.value);
        if let Some(change) = json_change("details", &details, false) {
            notes.add(TABLE, &key, change);
        }
        seq += 1;
        emit(row(task, seq, &event, &agent, &details, at))
    })?;
    note_strays(id.as_deref(), &mut strays, notes);
    Ok(())
}

fn note_strays(task: Option<&str>, strays: &mut usize, notes: &mut Notes) {
    if *strays > 0 {
        let what = format!("skipped: {strays} events of a missing task");
        let kind = "skipped: events of a missing task";
        notes.add(TABLE, task.unwrap_or_default(), Change::new(kind, what));
    }
    *strays = 0;
}
