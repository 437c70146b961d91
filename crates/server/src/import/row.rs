//! One row of the first server, on its way to become one of ours.

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

/// Columns that are in an index here, or that requests name: their texts have a limit.
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

/// Columns that are JSON, or nothing.
const JSON: [&str; 7] =
    ["hooks", "flow_overrides", "states", "transitions", "capabilities", "tags", "action_data"];

/// Columns that are JSON where they look like it.
const PERHAPS_JSON: [&str; 4] = ["checks", "check_results", "metadata", "result"];

/// Columns whose texts are joined by a control character here.
const IN_LANE: [&str; 2] = ["role", "type"];

/// A row that is being made.
pub(crate) struct ImportedRow {
    pub(crate) table: &'static Table,
    pub(crate) row: Row,
    /// What is not as it was.
    pub(crate) changes: Vec<Change>,
    /// Texts that are longer than this server's are.
    too_long: Vec<(&'static str, usize)>,
    /// Columns that the source does not have. That is reported once, and not for each row.
    absent: Vec<&'static str>,
}

fn bytes_max(column: &str) -> usize {
    match column {
        "file_path" => PATH_BYTES_MAX,
        name if NAMES.contains(&name) => KEY_BYTES_MAX,
        _ => usize::MAX,
    }
}

/// That a text is no JSON though it should be: always, or only if it begins like it.
pub(crate) fn json_change(column: &str, value: &Value, is_strict: bool) -> Option<Change> {
    let Value::Text(text) = value else { return None };
    let begins = text.trim_start().starts_with(['{', '[']);
    if text.trim().is_empty() || !(is_strict || begins) {
        return None;
    }
    let error = serde_json::from_str::<IgnoredAny>(text).err()?;
    let kind = "taken as it is, but it is no valid JSON; an export as SQL may have changed it";
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
    /// Takes each column that both have under one name. What cannot be read is noted and null.
    pub(crate) fn from_cells(table: &'static Table, mut cells: Cells) -> Self {
        let mut changes = Vec::new();
        let (mut too_long, mut absent) = (Vec::new(), Vec::new());
        let row = table.columns.iter().map(|column| {
            if cells.is_garbled(column.name) {
                let what = "what is no UTF-8 in it was replaced by U+FFFD";
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
                    changes
                        .push(Change::plain("no URL can name it, so only lists show it").of("id"));
                } else if IN_LANE.contains(&column.name) && text.chars().any(char::is_control) {
                    let what = "left out: it has a control character";
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

    /// Notes what became of a column.
    pub(crate) fn changed(&mut self, name: &str, what: impl Into<String>) {
        self.changes.push(Change::plain(what).of(name));
    }

    /// Notes what was filled in, unless the source has no such column.
    fn filled(&mut self, name: &str, what: impl Into<String>) {
        if !self.absent.contains(&name) {
            self.changed(name, what);
        }
    }

    /// Sets what is null, and says so.
    pub(crate) fn default(&mut self, name: &str, value: impl Into<Value>) {
        if *self.get(name) == Value::Null {
            let value = value.into();
            let shown = match &value {
                Value::Text(text) => format!("{text:?}"),
                Value::Int(number) => number.to_string(),
                Value::Null => "null".to_owned(),
            };
            self.set(name, value);
            self.filled(name, format!("null became {shown}"));
        }
    }

    /// Makes these 0 or 1, and says so if one was neither.
    pub(crate) fn flags(&mut self, names: &[&str]) {
        for name in names {
            let found = self.int(name);
            let flag = i64::from(found.unwrap_or_default() != 0);
            if found != Some(flag) {
                let found = found.map_or("null".to_owned(), |number| number.to_string());
                self.filled(name, format!("{found} became {flag}"));
            }
            self.set(name, flag);
        }
    }

    /// Gives an instant that must be there the first of these that is, or the beginning of time.
    pub(crate) fn instant(&mut self, name: &str, others: &[&str]) {
        if self.int(name).is_some() {
            return;
        }
        let other = others.iter().find_map(|other| Some((*other, self.int(other)?)));
        let (from, known) = other.unwrap_or(("1970", 0));
        self.set(name, known);
        self.filled(name, format!("there is none, and {from} was taken"));
    }

    /// Refuses the row if one of these is missing, empty or too long. Other texts that are too long
    /// are left out.
    pub(crate) fn need(&mut self, names: &[&str]) -> Result<(), Change> {
        if let Some(name) = names.iter().find(|name| self.text(name).is_none_or(str::is_empty)) {
            return Err(Change::plain(format!("it has no {name}")));
        }
        for (name, length) in std::mem::take(&mut self.too_long) {
            let kind = format!("its {name} is longer than {} bytes", bytes_max(name));
            let what = format!("{kind}: {length}");
            if names.contains(&name) {
                return Err(Change::new(kind, what));
            }
            self.clear(name);
            let change = Change::new(format!("left out: {kind}"), format!("left out: {what}"));
            self.changes.push(change.of(name));
        }
        Ok(())
    }

    /// Gives the row its scope if it has none, as far as there is one for it.
    pub(crate) fn find_scope(&mut self, scopes: &Scopes, key: &str) {
        if self.text("scope").is_some_and(|scope| !scope.is_empty()) {
            return;
        }
        match scopes.scope(self.table.name, key) {
            Some(scope) => {
                self.set("scope", scope);
                self.changed("scope", format!("there was none, and it got {scope:?}"));
            }
            None => self.clear("scope"),
        }
    }

    /// Notes everything that is not as it was; if the row is left out, only that.
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
                let kind = format!("left out: {kind}");
                notes.add(self.table.name, key, Change::new(kind, format!("left out: {what}")));
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

fn bad(cell: &Cell, why: &str) -> Converted {
    let shown = shown(cell);
    let change =
        Change::new(format!("left out: it is {why}"), format!("left out: {shown} is {why}"));
    Converted { value: Value::Null, changes: vec![change] }
}

fn is_instant(column: &str) -> bool {
    column.ends_with("_at") || column == "last_heartbeat"
}

pub(crate) fn text(cell: Cell) -> Converted {
    let number = |text: String| {
        let what = format!("the number {text} became text");
        changed(text, Change::new("a number became text", what))
    };
    match cell {
        Cell::Null => good(Value::Null),
        Cell::Integer(found) => number(found.to_string()),
        Cell::Real(found) => number(format!("{found:?}")),
        Cell::Text(text) if text.contains('\0') => {
            let what = "NUL characters were left out";
            changed(text.replace('\0', ""), Change::plain(what))
        }
        Cell::Text(text) => good(text),
        // The first server stored lists of small numbers as they are, whatever the column.
        Cell::Blob(bytes) => {
            let what = "a list of numbers that was stored as bytes became its JSON text";
            changed(format!("{bytes:?}").replace(' ', ""), Change::plain(what))
        }
    }
}

fn number(cell: &Cell) -> Converted {
    const WHY: &str = "no whole number below 2^53";
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
            let Some(found) = found else { return bad(cell, WHY) };
            let what = format!("the text {} became {found}", shown(cell));
            changed(found, Change::new("a text became a number", what))
        }
        Cell::Integer(_) | Cell::Real(_) | Cell::Blob(_) => bad(cell, WHY),
    }
}

/// An instant in one of the forms that the first server wrote: `2026-03-02T10:00:00.123Z`, the same
/// with an offset, `2026-03-02 10:00:00`, or milliseconds since 1970.
pub(crate) fn instant(cell: &Cell) -> Converted {
    /// Smaller numbers are years, seconds or the like, which SQLite made numbers of.
    const FIRST: i64 = 100_000_000_000;
    let as_millis = |ms: i64| {
        let what = format!("the number {} was taken for milliseconds since 1970", shown(cell));
        changed(ms, Change::new("a number was taken for milliseconds since 1970", what))
    };
    let found = match cell {
        Cell::Null => return good(Value::Null),
        Cell::Text(text) if text.is_empty() => {
            return changed(Value::Null, Change::plain("an empty text became null"));
        }
        Cell::Text(text) => {
            let found = Millis::parse(text);
            if let Some(found) = found.filter(|_| is_finer(text)) {
                let what = "what is below the millisecond was left out";
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
    found.unwrap_or_else(|| bad(cell, "no time"))
}

/// Whether a time has digits below the millisecond that say something.
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
                "what is below the millisecond was left out",
            ),
            (
                Cell::Integer(1_772_445_600_123),
                "the number 1772445600123 was taken for milliseconds since 1970",
            ),
        ] {
            let converted = instant(&cell);
            assert_eq!((&converted.value, change_of(&converted)), (&ms, Some(change)));
        }
        for (cell, change) in [
            (Cell::Text("soon".to_owned()), "left out: \"soon\" is no time"),
            (Cell::Integer(2026), "left out: 2026 is no time"),
            (Cell::Text(String::new()), "an empty text became null"),
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
            (&1.into(), Some("the text \"true\" became 1"))
        );
        let converted = number(&Cell::Real(5.0));
        assert_eq!((&converted.value, change_of(&converted)), (&5.into(), None));
        assert!(change_of(&number(&Cell::Real(5.7))).is_some());
        assert!(change_of(&number(&Cell::Integer(1 << 53))).is_some());
        let converted = text(Cell::Blob(vec![1, 2]));
        assert_eq!(converted.value, Value::from("[1,2]"));
        assert!(change_of(&converted).unwrap().contains("became its JSON text"));
        let converted = text(Cell::Text("a\0b".to_owned()));
        assert_eq!(
            (&converted.value, change_of(&converted)),
            (&"ab".into(), Some("NUL characters were left out"))
        );
        let converted = text(Cell::Integer(5));
        assert_eq!(
            (&converted.value, change_of(&converted)),
            (&"5".into(), Some("the number 5 became text"))
        );
    }

    #[test]
    fn what_should_be_json_and_is_not_is_reported() {
        let broken = Value::from("[{\"evidence\":\"a\nb\"}]");
        assert!(
            json_change("hooks", &broken, true).unwrap().what.starts_with("hooks: taken as it")
        );
        assert!(json_change("checks", &broken, false).is_some());
        for (text, is_strict, has_change) in
            [("[1]", true, false), ("", true, false), ("free", false, false), ("free", true, true)]
        {
            let change = json_change("checks", &text.into(), is_strict);
            assert_eq!(change.is_some(), has_change, "{text} {is_strict}");
        }
    }
}
