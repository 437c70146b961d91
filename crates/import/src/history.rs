//! The history of tasks.

use std::collections::HashMap;

use octopoid_store::engine::{Row, Value};
use rusqlite::types::Value as Cell;

use crate::{
    ImportError, Note,
    dump::{Cells, Dump},
    old::{instant, peek},
};

const TABLE: &str = "task_history";

/// The events that the dump tells, task by task, the oldest first.
#[derive(Default)]
pub(crate) struct Told {
    events: HashMap<String, Vec<Cells>>,
    pub(crate) of: usize,
}

impl Told {
    pub(crate) fn read(dump: &Dump) -> Result<Self, ImportError> {
        let mut told = Self::default();
        for cells in dump.rows(TABLE, "id")? {
            told.of += 1;
            let task = peek(&cells, "task_id").unwrap_or_default();
            told.events.entry(task).or_default().push(cells);
        }
        Ok(told)
    }

    /// Whether the last claim of a task was for work, and not for a review.
    pub(crate) fn was_claimed_for_work(&self, task: &str) -> bool {
        let events = self.events.get(task).into_iter().flatten();
        let kinds = events.filter_map(|cells| peek(cells, "event"));
        kinds.rev().find(|kind| kind.ends_with("claimed")).is_some_and(|kind| kind == "claimed")
    }

    /// The history of a task as ours tells it, which begins with the creation.
    pub(crate) fn of_task(
        &mut self,
        id: &str,
        scope: &str,
        created_at: i64,
        notes: &mut Vec<Note>,
    ) -> Vec<Row> {
        let text = |text: Option<String>| text.map_or(Value::Null, Value::from);
        let row = |seq: usize, event: &str, agent: Value, details: Value, at: i64| {
            let seq = i64::try_from(seq).unwrap_or(i64::MAX);
            vec![id.into(), seq.into(), scope.into(), event.into(), agent, details, at.into()]
        };
        let mut rows = vec![row(1, "created", Value::Null, Value::Null, created_at)];
        let mut at = created_at;
        for cells in self.events.remove(id).unwrap_or_default() {
            let key = peek(&cells, "id").unwrap_or_default();
            let mut note = |what: String| {
                notes.push(Note { table: TABLE.to_owned(), key: key.clone(), what });
            };
            let Some(event) = peek(&cells, "event").filter(|event| !event.is_empty()) else {
                note("left out: it has no event".to_owned());
                continue;
            };
            let read = instant(cells.get("timestamp").unwrap_or(&Cell::Null));
            if let Some(why) = read.why {
                note(format!("timestamp: {why}; the event before it gives its time"));
            }
            if let Value::Int(known) = read.value {
                at = known;
            }
            let (agent, details) = (peek(&cells, "agent"), peek(&cells, "details"));
            rows.push(row(rows.len() + 1, &event, text(agent), text(details), at));
        }
        rows
    }

    /// What is left when every task has got its own.
    pub(crate) fn note_the_rest(self, notes: &mut Vec<Note>) {
        let mut rest: Vec<_> = self.events.into_iter().collect();
        rest.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (task, events) in rest {
            let what = format!("left out: {} events of a task that is not there", events.len());
            notes.push(Note { table: TABLE.to_owned(), key: task, what });
        }
    }
}
