//! Rows that hold every kind of value.

use octopoid_domain::input::INTEGER_MAX;
use octopoid_store::{
    copy::{Kind, Table},
    engine::{Row, Value},
};

const TEXTS: [&str; 8] = [
    "it's \"quoted\" \\ `twice`",
    "two\nlines\r\nand a\ttab",
    "Ünïcödé 🐙 e\u{301} \u{fffd} \u{10ffff}",
    "-- ; DROP TABLE tasks; $1 ?1 %s {}",
    "null",
    "0",
    " blanks around ",
    "\u{1}\u{1f}\u{7f}\u{2028}",
];

const NUMBERS: [i64; 6] = [0, 1, -1, INTEGER_MAX, -INTEGER_MAX, 1_795_294_738_605];

/// Columns that a task or another row must have.
const REQUIRED: [&str; 69] = [
    "id",
    "seq",
    "file_path",
    "queue",
    "branch",
    "has_plan",
    "auto_accept",
    "needs_rebase",
    "created_at",
    "updated_at",
    "version",
    "needs_breakdown",
    "scope",
    "needs_intervention",
    "write_id",
    "events",
    "is_awaited",
    "blocker_id",
    "task_id",
    "position",
    "shard",
    "tasks",
    "event",
    "at",
    "title",
    "status",
    "author",
    "cluster",
    "machine_id",
    "repo_url",
    "registered_at",
    "last_heartbeat",
    "from_actor",
    "type",
    "content",
    "entity_type",
    "entity_id",
    "kind",
    "subject",
    "action_type",
    "label",
    "proposed_by",
    "proposed_at",
    "name",
    "states",
    "transitions",
    "run",
    "attempt",
    "failure_count",
    "lapse_count",
    "setback_count",
    "source",
    "started_at",
    "outcome",
    "is_rejected",
    "token_hash",
    "body",
    "start",
    "bytes",
    "hour",
    "done",
    "failed",
    "cost_micros",
    "target",
    "reason",
    "paused_by",
    "is_automatic",
    "changes",
    "permission",
];

/// This many rows, no two of which have a key or an id in common.
pub(crate) fn of(table: &Table, count: usize) -> Vec<Row> {
    (0..count).map(|number| row(table, number)).collect()
}

fn row(table: &Table, number: usize) -> Row {
    let value = |(at, column): (usize, &octopoid_store::copy::Column)| {
        let turn = number * 7 + at;
        // Some columns are required in one table and not in another; there they are never null.
        let is_required = REQUIRED.contains(&column.name)
            || ["claims_from", "orchestrator_id", "key_hash", "permission"].contains(&column.name);
        let is_key = table.key_columns().contains(column);
        match column.kind {
            _ if !is_required && turn.is_multiple_of(4) => Value::Null,
            Kind::Text if !is_required && turn % 4 == 1 => Value::from(""),
            Kind::Int if is_key => Value::Int(i64::try_from(number).unwrap() + 1),
            Kind::Int => Value::Int(NUMBERS[turn % NUMBERS.len()]),
            Kind::Text => Value::Text(format!("{}{number}", TEXTS[turn % TEXTS.len()])),
        }
    };
    table.columns.iter().enumerate().map(value).collect()
}
