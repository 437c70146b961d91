//! Converts one row of the first server to a row of this server.

use octopoid_domain::{
    Millis,
    input::INTEGER_MAX,
    limits::{KEY_BYTES_MAX, PATH_BYTES_MAX},
};
use octopoid_store::{
    copy::{Kind, Table},
    engine::{Row, Value},
};
use rusqlite::types::Value as Cell;
use serde::de::IgnoredAny;

use crate::import::{
    Notes, Scopes,
    notes::{Change, short},
    source::Cells,
};

/// Columns that are indexed, or are names in requests: the length of their texts is limited.
const NAMES: [&str; 25] = [
    "id",
    "scope",
    "name",
    "queue",
    "role",
    "type",
    "flow",
    "claimed_by",
    "orchestrator_id",
    "project_id",
    "task_id",
    "priority",
    "complexity",
    "status",
    "from_actor",
    "to_actor",
    "parent_message_id",
    "entity_type",
    "entity_id",
    "action_type",
    "proposed_by",
    "claims_from",
    "cluster",
    "machine_id",
    "key_hash",
];

/// Columns that contain JSON or null.
const JSON: [&str; 7] =
    ["hooks", "flow_overrides", "states", "transitions", "capabilities", "tags", "action_data"];

/// Columns that contain JSON if they look like it.
const PERHAPS_JSON: [&str; 4] = ["checks", "check_results", "metadata", "result"];

/// Columns whose texts this server joins with a control character.
const IN_LANE: [&str; 2] = ["role", "type"];

/// A row that is being converted.
pub(crate) struct ImportedRow {
    pub(crate) table: &'static Table,
    pub(crate) row: Row,
    /// The changes to report.
    pub(crate) changes: Vec<Change>,
    /// Texts that exceed this server's limits.
    too_long: Vec<(&'static str, usize)>,
    /// Columns that the source does not have. They are reported once, not for each row.
    absent: Vec<&'static str>,
}

fn bytes_max(column: &str) -> usize {
    match column {
        "file_path" => PATH_BYTES_MAX,
        name if NAMES.contains(&name) => KEY_BYTES_MAX,
        _ => usize::MAX,
    }
}

/// Reports a text that is not valid JSON: always, or only if it starts like JSON.
pub(crate) fn json_change(column: &str, value: &Value, is_strict: bool) -> Option<Change> {
    let Value::Text(text) = value else { return None };
    let begins = text.trim_start().starts_with(['{', '[']);
    if text.trim().is_empty() || !(is_strict || begins) {
        return None;
    }
    let error = serde_json::from_str::<IgnoredAny>(text).err()?;
    let kind = "imported unchanged, but it is not valid JSON; the SQL export may have changed it";
    let what = format!("{kind} ({})", short(&error.to_string()));
    Some(Change::new(kind, what).of(column))
}

/// The text in a column, for keys and decisions.
pub(crate) fn peek(cells: &Cells, name: &str) -> Option<String> {
    match text(cells.get(name)?.clone()).value {
        Value::Text(text) => Some(text),
        Value::Int(_) | Value::Null => None,
    }
}

impl ImportedRow {
    /// Converts the columns that both schemas have. Invalid values become null and are reported.
    pub(crate) fn from_cells(table: &'static Table, mut cells: Cells) -> Self {
        let mut changes = Vec::new();
        let (mut too_long, mut absent) = (Vec::new(), Vec::new());
        let row = table.columns.iter().map(|column| {
            if cells.is_garbled(column.name) {
                let what = "replaced invalid UTF-8 with U+FFFD";
                changes.push(Change::plain(what).of(column.name));
            }
            if cells.get(column.name).is_none() {
                absent.push(column.name);
            }
            let cell = cells.take(column.name);
            let converted = match column.kind {
                Kind::Text => text(cell),
                Kind::Int if is_instant(column.name) => instant(&cell),
                Kind::Int => number(&cell),
            };
            changes.extend(converted.changes.into_iter().map(|change| change.of(column.name)));
            let mut value = converted.value;
            if let Value::Text(text) = &value {
                if text.len() > bytes_max(column.name) {
                    too_long.push((column.name, text.len()));
                } else if column.name == "id" && matches!(&**text, "." | "..") {
                    changes.push(
                        Change::plain("not usable in URLs, so the row is visible in lists only")
                            .of("id"),
                    );
                } else if IN_LANE.contains(&column.name) && text.chars().any(char::is_control) {
                    let what = "skipped: contains a control character";
                    changes.push(Change::plain(what).of(column.name));
                    value = Value::Null;
                }
            }
            let is_strict = JSON.contains(&column.name);
            if is_strict || PERHAPS_JSON.contains(&column.name) {
                changes.extend(json_change(column.name, &value, is_strict));
            }
            value
        });
        let row = row.collect();
        Self { table, row, changes, too_long, absent }
    }

    fn at(&self, name: &str) -> usize {
        let at = self.table.columns.iter().position(|column| column.name == name);
        at.expect("code that names a column knows the table")
    }

    pub(crate) fn get(&self, name: &str) -> &Value {
        &self.row[self.at(name)]
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Value::Text(text) => Some(text),
            Value::Int(_) | Value::Null => None,
        }
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Value::Int(number) => Some(*number),
            Value::Text(_) | Value::Null => None,
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        let at = self.at(name);
        self.row[at] = value.into();
    }

    pub(crate) fn clear(&mut self, name: &str) {
        let at = self.at(name);
        self.row[at] = Value::Null;
    }

    /// Reports a change of a column.
    pub(crate) fn changed(&mut self, name: &str, what: impl Into<String>) {
        self.changes.push(Change::plain(what).of(name));
    }

    /// Reports a default value, unless the source does not have the column.
    fn filled(&mut self, name: &str, what: impl Into<String>) {
        if !self.absent.contains(&name) {
            self.changed(name, what);
        }
    }

    /// Replaces null with a default, and reports it.
    pub(crate) fn default(&mut self, name: &str, value: impl Into<Value>) {
        if *self.get(name) == Value::Null {
            let value = value.into();
            let shown = match &value {
                Value::Text(text) => format!("{text:?}"),
                Value::Int(number) => number.to_string(),
                Value::Null => "null".to_owned(),
            };
            self.set(name, value);
            self.filled(name, format!("changed null to {shown}"));
        }
    }

    /// Converts these columns to 0 or 1, and reports other values.
    pub(crate) fn flags(&mut self, names: &[&str]) {
        for name in names {
            let found = self.int(name);
            let flag = i64::from(found.unwrap_or_default() != 0);
            if found != Some(flag) {
                let found = found.map_or("null".to_owned(), |number| number.to_string());
                self.filled(name, format!("changed {found} to {flag}"));
            }
            self.set(name, flag);
        }
    }

    /// Sets a missing required timestamp to the first of `others` that is set, or to 1970.
    pub(crate) fn instant(&mut self, name: &str, others: &[&str]) {
        if self.int(name).is_some() {
            return;
        }
        let other = others.iter().find_map(|other| Some((*other, self.int(other)?)));
        let (from, known) = other.unwrap_or(("1970", 0));
        self.set(name, known);
        self.filled(name, format!("missing, set to {from}"));
    }

    /// Rejects the row if one of these columns is missing, empty or too long. Other texts that are
    /// too long become null.
    pub(crate) fn need(&mut self, names: &[&str]) -> Result<(), Change> {
        if let Some(name) = names.iter().find(|name| self.text(name).is_none_or(str::is_empty)) {
            return Err(Change::plain(format!("no {name}")));
        }
        for (name, length) in std::mem::take(&mut self.too_long) {
            let kind = format!("{name} is longer than {} bytes", bytes_max(name));
            let what = format!("{kind}: {length}");
            if names.contains(&name) {
                return Err(Change::new(kind, what));
            }
            self.clear(name);
            let change = Change::new(format!("skipped: {kind}"), format!("skipped: {what}"));
            self.changes.push(change.of(name));
        }
        Ok(())
    }

    /// Sets the configured scope if the row has none.
    pub(crate) fn find_scope(&mut self, scopes: &Scopes, key: &str) {
        if self.text("scope").is_some_and(|scope| !scope.is_empty()) {
            return;
        }
        match scopes.scope(self.table.name, key) {
            Some(scope) => {
                self.set("scope", scope);
                self.changed("scope", format!("missing, set to {scope:?}"));
            }
            None => self.clear("scope"),
        }
    }

    /// Reports the changes of the row, or that it was skipped.
    pub(crate) fn note(
        self,
        key: &str,
        outcome: Result<(), Change>,
        notes: &mut Notes,
    ) -> Option<Row> {
        match outcome {
            Ok(()) => {
                for change in self.changes {
                    notes.add(self.table.name, key, change);
                }
                Some(self.row)
            }
            Err(Change { kind, what }) => {
                let kind = format!("skipped: {kind}");
                notes.add(self.table.name, key, Change::new(kind, format!("skipped: {what}")));
                None
            }
        }
    }
}

/// The value that a cell was converted to, and what the conversion changed.
pub(crate) struct Converted {
    pub(crate) value: Value,
    pub(crate) changes: Vec<Change>,
}

fn good(value: impl Into<Value>) -> Converted {
    Converted { value: value.into(), changes: Vec::new() }
}

fn changed(value: impl Into<Value>, change: Change) -> Converted {
    Converted { value: value.into(), changes: vec![change] }
}

fn bad(cell: &Cell, what: &str) -> Converted {
    let shown = shown(cell);
    let change = Change::new(format!("skipped: {what}"), format!("skipped: {what} `{shown}`"));
    Converted { value: Value::Null, changes: vec![change] }
}

fn is_instant(column: &str) -> bool {
    column.ends_with("_at") || column == "last_heartbeat"
}

pub(crate) fn text(cell: Cell) -> Converted {
    let number = |text: String| {
        let what = format!("changed the number {text} to text");
        changed(text, Change::new("changed a number to text", what))
    };
    match cell {
        Cell::Null => good(Value::Null),
        Cell::Integer(found) => number(found.to_string()),
        Cell::Real(found) => number(format!("{found:?}")),
        Cell::Text(text) if text.contains('\0') => {
            let what = "removed NUL characters";
            changed(text.replace('\0', ""), Change::plain(what))
        }
        Cell::Text(text) => good(text),
        // The first server stored lists of small numbers as they are, whatever the column.
        Cell::Blob(bytes) => {
            let what = "changed a list of numbers stored as bytes to JSON text";
            changed(format!("{bytes:?}").replace(' ', ""), Change::plain(what))
        }
    }
}

fn number(cell: &Cell) -> Converted {
    const WHAT: &str = "invalid or too large integer";
    let is_small = |number: &i64| (-INTEGER_MAX..=INTEGER_MAX).contains(number);
    match cell {
        Cell::Null => good(Value::Null),
        Cell::Integer(found) if is_small(found) => good(*found),
        #[expect(clippy::cast_possible_truncation, reason = "it is checked to be whole and small")]
        Cell::Real(found) if found.fract() == 0.0 && found.abs() < 9e15 => good(*found as i64),
        Cell::Text(text) => {
            let found = match text.trim() {
                "true" => Some(1),
                "false" => Some(0),
                text => text.parse().ok().filter(is_small),
            };
            let Some(found) = found else { return bad(cell, WHAT) };
            let what = format!("changed the text {} to {found}", shown(cell));
            changed(found, Change::new("changed a text to a number", what))
        }
        Cell::Integer(_) | Cell::Real(_) | Cell::Blob(_) => bad(cell, WHAT),
    }
}

/// An instant in one of the forms that the first server wrote: `2026-03-02T10:00:00.123Z`, the same
/// with an offset, `2026-03-02 10:00:00`, or milliseconds since 1970.
pub(crate) fn instant(cell: &Cell) -> Converted {
    /// Smaller numbers are years, seconds or the like.
    const FIRST: i64 = 100_000_000_000;
    let as_millis = |ms: i64| {
        let what = format!("read the number {} as milliseconds since 1970", shown(cell));
        changed(ms, Change::new("read a number as milliseconds since 1970", what))
    };
    let found = match cell {
        Cell::Null => return good(Value::Null),
        Cell::Text(text) if text.is_empty() => {
            return changed(Value::Null, Change::plain("changed an empty text to null"));
        }
        Cell::Text(text) => {
            let found = Millis::parse(text);
            if let Some(found) = found.filter(|_| is_finer(text)) {
                let what = "truncated to milliseconds";
                return changed(found.0, Change::plain(what));
            }
            found.map(|found| good(found.0))
        }
        Cell::Integer(number) if *number >= FIRST => {
            Millis::in_range(*number).map(|found| as_millis(found.0))
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "fractions of milliseconds are dropped"
        )]
        Cell::Real(number) if *number >= 1e11 => {
            Millis::in_range(*number as i64).map(|found| as_millis(found.0))
        }
        Cell::Integer(_) | Cell::Real(_) | Cell::Blob(_) => None,
    };
    found.unwrap_or_else(|| bad(cell, "invalid timestamp"))
}

/// Whether a timestamp has non-zero digits below the millisecond.
fn is_finer(text: &str) -> bool {
    let Some((_, fraction)) = text.split_once('.') else { return false };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit);
    digits.skip(3).any(|digit| digit != b'0')
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".to_owned(),
        Cell::Integer(number) => number.to_string(),
        Cell::Real(number) => number.to_string(),
        Cell::Text(text) => format!("{:?}", short(text)),
        Cell::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use octopoid_store::engine::Value;
    use rusqlite::types::Value as Cell;

    use super::{Converted, instant, json_change, number, text};

    fn change_of(converted: &Converted) -> Option<&str> {
        assert!(converted.changes.len() <= 1);
        converted.changes.first().map(|change| &*change.what)
    }

    #[test]
    fn instants_are_read_in_every_form_and_nothing_else_is_taken_for_one() {
        for (written, ms) in [
            ("2026-03-02 10:00:00", 1_772_445_600_000),
            ("2026-03-02T10:00:00.123Z", 1_772_445_600_123),
            ("2026-03-02T10:00:00.123000+00:00", 1_772_445_600_123),
            ("2026-03-02T12:00:00+02:00", 1_772_445_600_000),
        ] {
            let converted = instant(&Cell::Text(written.to_owned()));
            assert_eq!(
                (&converted.value, change_of(&converted)),
                (&Value::Int(ms), None),
                "{written}"
            );
        }
        let ms = Value::Int(1_772_445_600_123);
        for (cell, change) in [
            (
                Cell::Text("2026-03-02T10:00:00.123456+00:00".to_owned()),
                "truncated to milliseconds",
            ),
            (
                Cell::Integer(1_772_445_600_123),
                "read the number 1772445600123 as milliseconds since 1970",
            ),
        ] {
            let converted = instant(&cell);
            assert_eq!((&converted.value, change_of(&converted)), (&ms, Some(change)));
        }
        for (cell, change) in [
            (Cell::Text("soon".to_owned()), "skipped: invalid timestamp `\"soon\"`"),
            (Cell::Integer(2026), "skipped: invalid timestamp `2026`"),
            (Cell::Text(String::new()), "changed an empty text to null"),
        ] {
            let converted = instant(&cell);
            assert_eq!((&converted.value, change_of(&converted)), (&Value::Null, Some(change)));
        }
        assert_eq!(change_of(&instant(&Cell::Null)), None);
    }

    #[test]
    fn numbers_and_texts_are_read_as_the_first_server_may_have_stored_them() {
        let converted = number(&Cell::Text("true".to_owned()));
        assert_eq!(
            (&converted.value, change_of(&converted)),
            (&1.into(), Some("changed the text \"true\" to 1"))
        );
        let converted = number(&Cell::Real(5.0));
        assert_eq!((&converted.value, change_of(&converted)), (&5.into(), None));
        assert!(change_of(&number(&Cell::Real(5.7))).is_some());
        assert!(change_of(&number(&Cell::Integer(1 << 53))).is_some());
        let converted = text(Cell::Blob(vec![1, 2]));
        assert_eq!(converted.value, Value::from("[1,2]"));
        assert!(change_of(&converted).unwrap().contains("to JSON text"));
        let converted = text(Cell::Text("a\0b".to_owned()));
        assert_eq!(
            (&converted.value, change_of(&converted)),
            (&"ab".into(), Some("removed NUL characters"))
        );
        let converted = text(Cell::Integer(5));
        assert_eq!(
            (&converted.value, change_of(&converted)),
            (&"5".into(), Some("changed the number 5 to text"))
        );
    }

    #[test]
    fn what_should_be_json_and_is_not_is_reported() {
        let broken = Value::from("[{\"evidence\":\"a\nb\"}]");
        let change = json_change("hooks", &broken, true).unwrap();
        assert!(change.what.starts_with("hooks: imported unchanged"));
        assert!(json_change("checks", &broken, false).is_some());
        for (text, is_strict, has_change) in
            [("[1]", true, false), ("", true, false), ("free", false, false), ("free", true, true)]
        {
            let change = json_change("checks", &text.into(), is_strict);
            assert_eq!(change.is_some(), has_change, "{text} {is_strict}");
        }
    }
}
