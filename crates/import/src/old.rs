//! One row of the dump, on its way to become one of ours.

use octopoid_domain::{Millis, input::INTEGER_MAX};
use octopoid_store::{
    copy::{Kind, Table},
    engine::{Row, Value},
};
use rusqlite::types::Value as Cell;

use crate::{Note, dump::Cells};

/// A row that is being made.
pub(crate) struct New {
    pub(crate) table: &'static Table,
    pub(crate) row: Row,
}

/// Takes each column that both have under one name. What cannot be read is noted and null.
pub(crate) fn as_it_is(
    table: &'static Table,
    mut cells: Cells,
    key: &str,
    notes: &mut Vec<Note>,
) -> New {
    let row = table.columns.iter().map(|column| {
        let cell = cells.remove(column.name).unwrap_or(Cell::Null);
        let read = match column.kind {
            Kind::Text => text(cell),
            Kind::Int if is_instant(column.name) => instant(&cell),
            Kind::Int => number(&cell),
        };
        if let Some(why) = read.why {
            let (table, key) = (table.name.to_owned(), key.to_owned());
            notes.push(Note { table, key, what: format!("{}: {why}", column.name) });
        }
        read.value
    });
    New { table, row: row.collect() }
}

/// The text in a column, for keys and decisions.
pub(crate) fn peek(cells: &Cells, name: &str) -> Option<String> {
    match text(cells.get(name)?.clone()).value {
        Value::Text(text) => Some(text),
        Value::Int(_) | Value::Null => None,
    }
}

impl New {
    fn at(&self, name: &str) -> usize {
        let at = self.table.columns.iter().position(|column| column.name == name);
        at.expect("whoever names a column knows the table")
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

    /// Sets what is null.
    pub(crate) fn default(&mut self, name: &str, value: impl Into<Value>) {
        if *self.get(name) == Value::Null {
            self.set(name, value);
        }
    }

    /// Makes these 0 or 1.
    pub(crate) fn flags(&mut self, names: &[&str]) {
        for name in names {
            self.set(name, i64::from(self.int(name).unwrap_or_default() != 0));
        }
    }

    /// Gives an instant that must be there the first of these that is, or the beginning of time.
    pub(crate) fn instant(&mut self, name: &str, others: &[&str]) {
        let known = std::iter::once(&name).chain(others).find_map(|name| self.int(name));
        self.set(name, known.unwrap_or_default());
    }

    /// Refuses the row if one of these is missing or empty.
    pub(crate) fn need(&self, names: &[&str]) -> Result<(), String> {
        match names.iter().find(|name| self.text(name).is_none_or(str::is_empty)) {
            Some(name) => Err(format!("it has no {name}")),
            None => Ok(()),
        }
    }
}

/// What was made of a cell, and why it is not what it was.
pub(crate) struct Read {
    pub(crate) value: Value,
    pub(crate) why: Option<String>,
}

fn good(value: Value) -> Read {
    Read { value, why: None }
}

fn bad(why: String) -> Read {
    Read { value: Value::Null, why: Some(why) }
}

fn is_instant(column: &str) -> bool {
    column.ends_with("_at") || column == "last_heartbeat"
}

fn text(cell: Cell) -> Read {
    match cell {
        Cell::Null => good(Value::Null),
        Cell::Integer(number) => good(number.to_string().into()),
        Cell::Real(number) => good(format!("{number:?}").into()),
        Cell::Text(text) if text.contains('\0') => Read {
            value: text.replace('\0', "").into(),
            why: Some("NUL characters were left out".to_owned()),
        },
        Cell::Text(text) => good(text.into()),
        // The first server stored lists of small numbers as they are, whatever the column.
        Cell::Blob(bytes) => good(format!("{bytes:?}").replace(' ', "").into()),
    }
}

fn number(cell: &Cell) -> Read {
    let found = match cell {
        Cell::Null => return good(Value::Null),
        Cell::Integer(number) => Some(*number),
        #[expect(clippy::cast_possible_truncation, reason = "it is checked to be whole and small")]
        Cell::Real(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
        Cell::Text(text) => match text.trim() {
            "true" => Some(1),
            "false" => Some(0),
            text => text.parse().ok(),
        },
        Cell::Real(_) | Cell::Blob(_) => None,
    };
    match found.filter(|number| (-INTEGER_MAX..=INTEGER_MAX).contains(number)) {
        Some(number) => good(Value::Int(number)),
        None => bad(format!("left out: {} is no whole number below 2^53", shown(cell))),
    }
}

/// An instant in one of the forms that the first server wrote: `2026-03-02T10:00:00.123Z`, the same
/// with an offset, `2026-03-02 10:00:00`, or milliseconds since 1970.
pub(crate) fn instant(cell: &Cell) -> Read {
    /// Smaller numbers are years or the like, which SQLite made numbers of.
    const FIRST: i64 = 100_000_000_000;
    let found = match cell {
        Cell::Null => return good(Value::Null),
        Cell::Text(text) if text.is_empty() => return good(Value::Null),
        Cell::Text(text) => Millis::parse(text),
        Cell::Integer(number) if *number >= FIRST => Millis::in_range(*number),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "fractions of milliseconds are dropped"
        )]
        Cell::Real(number) if *number >= 1e11 => Millis::in_range(*number as i64),
        Cell::Integer(_) | Cell::Real(_) | Cell::Blob(_) => None,
    };
    match found {
        Some(instant) => good(Value::Int(instant.0)),
        None => bad(format!("left out: {} is no time", shown(cell))),
    }
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".to_owned(),
        Cell::Integer(number) => number.to_string(),
        Cell::Real(number) => number.to_string(),
        Cell::Text(text) => format!("{text:?}"),
        Cell::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    }
}

#[cfg(test)]
mod tests {
    use octopoid_store::engine::Value;
    use rusqlite::types::Value as Cell;

    use super::{instant, number, text};

    #[test]
    fn instants_are_read_in_every_form_and_nothing_else_is_taken_for_one() {
        for (written, ms) in [
            ("2026-03-02 10:00:00", 1_772_445_600_000),
            ("2026-03-02T10:00:00.123Z", 1_772_445_600_123),
            ("2026-03-02T10:00:00.123456+00:00", 1_772_445_600_123),
            ("2026-03-02T12:00:00+02:00", 1_772_445_600_000),
        ] {
            assert_eq!(instant(&Cell::Text(written.to_owned())).value, Value::Int(ms), "{written}");
        }
        assert_eq!(instant(&Cell::Integer(1_772_445_600_123)).value, Value::Int(1_772_445_600_123));
        for (cell, shown) in
            [(Cell::Text("soon".to_owned()), "\"soon\""), (Cell::Integer(2026), "2026")]
        {
            let read = instant(&cell);
            assert_eq!(read.value, Value::Null);
            assert_eq!(read.why, Some(format!("left out: {shown} is no time")));
        }
        assert!(instant(&Cell::Text(String::new())).why.is_none());
    }

    #[test]
    fn numbers_and_texts_are_read_as_the_first_server_may_have_stored_them() {
        assert_eq!(number(&Cell::Text("true".to_owned())).value, Value::Int(1));
        assert_eq!(number(&Cell::Real(5.0)).value, Value::Int(5));
        assert!(number(&Cell::Real(5.7)).why.is_some());
        assert!(number(&Cell::Integer(1 << 53)).why.is_some());
        assert_eq!(text(Cell::Blob(vec![1, 2])).value, Value::from("[1,2]"));
        assert_eq!(text(Cell::Text("a\0b".to_owned())).value, Value::from("ab"));
    }
}
