//! What is not as it was, in groups, so that a report stays short however large the database is.

use std::{
    collections::HashMap,
    fmt,
    io::{self, Write},
};

/// How many notes of a group a report shows.
const SHOWN: usize = 10;
/// The most bytes of any text in a note.
const TEXT_MAX: usize = 200;

/// Something that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The table in the source.
    pub(crate) table: String,
    /// The row's key; empty if it is about the whole table.
    pub(crate) key: String,
    /// What was left out or changed, and why.
    pub(crate) what: String,
}

/// Notes of one table that differ in nothing but the row and its values.
#[derive(Debug)]
pub(crate) struct Group {
    /// What they have in common.
    pub(crate) kind: String,
    /// How many there are.
    pub(crate) count: usize,
    /// The first of them.
    pub(crate) first: Vec<Note>,
}

/// All notes.
#[derive(Default)]
pub(crate) struct Notes {
    groups: Vec<Group>,
    places: HashMap<(String, String), usize>,
    file: Option<Box<dyn Write + Send>>,
    failure: Option<io::Error>,
}

/// What happened to a row, and what that has in common with what happened to others.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) kind: String,
    pub(crate) what: String,
}

impl Change {
    /// A change without values of its own.
    pub(crate) fn plain(what: impl Into<String>) -> Self {
        let what = what.into();
        Self { kind: what.clone(), what }
    }

    pub(crate) fn new(kind: impl Into<String>, what: impl Into<String>) -> Self {
        Self { kind: kind.into(), what: what.into() }
    }

    /// The change of one column.
    pub(crate) fn of(self, column: &str) -> Self {
        Self { kind: format!("{column}: {}", self.kind), what: format!("{column}: {}", self.what) }
    }
}

impl Notes {
    /// Also writes every single note, a line each.
    pub(crate) fn writing_to(file: Box<dyn Write + Send>) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    /// The groups, in the order in which they came up.
    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub(crate) fn add(&mut self, table: &str, key: &str, change: Change) {
        let Change { kind, what } = change;
        let note = Note { table: table.to_owned(), key: short(key), what: short(&what) };
        if let Some(file) = &mut self.file
            && self.failure.is_none()
        {
            self.failure = writeln!(file, "{note}").err();
        }
        let groups = &mut self.groups;
        let place = *self.places.entry((table.to_owned(), kind)).or_insert_with_key(|(_, kind)| {
            groups.push(Group { kind: short(kind), count: 0, first: Vec::new() });
            groups.len() - 1
        });
        let group = &mut groups[place];
        group.count += 1;
        if group.first.len() < SHOWN {
            group.first.push(note);
        }
    }

    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.flush()?;
        }
        self.failure.take().map_or(Ok(()), Err)
    }
}

/// The beginning of a text, in one line.
pub(crate) fn short(text: &str) -> String {
    let cut = &text[..text.floor_char_boundary(TEXT_MAX)];
    let cut: String = cut.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if cut.len() < text.len() { format!("{cut}… ({} bytes)", text.len()) } else { cut }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.table)?;
        if !self.key.is_empty() {
            write!(formatter, " {}", self.key)?;
        }
        write!(formatter, ": {}", self.what)
    }
}

/// A line for each of the first notes, and one that counts the others.
impl fmt::Display for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.first {
            writeln!(formatter, "{note}")?;
        }
        if self.count > self.first.len() {
            let (more, table) = (self.count - self.first.len(), &self.first[0].table);
            writeln!(formatter, "{table}: {more} more like this ({}): {}", self.count, self.kind)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.groups).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Notes, short};

    #[test]
    fn a_report_is_short_however_much_is_noted_and_however_long_it_is() {
        let mut notes = Notes::default();
        for number in 0..25 {
            let what = format!("left out: {} is no time", "x".repeat(1_000_000));
            notes.add("tasks", &format!("t{number}"), Change::new("left out: it is no time", what));
        }
        notes.add("roles", "r", Change::plain("it has no scope"));
        let [tasks, roles] = notes.groups() else { panic!("{notes:?}") };
        let (tasks, roles) = (tasks.to_string(), roles.to_string());
        assert_eq!(tasks.lines().count(), 11);
        assert!(tasks.len() < 4_000, "{tasks}");
        assert!(tasks.ends_with("\ntasks: 15 more like this (25): left out: it is no time\n"));
        assert_eq!(roles, "roles r: it has no scope\n");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(short("a\nb"), "a b");
        assert_eq!(short(&"ü".repeat(200)), format!("{}… (400 bytes)", "ü".repeat(100)));
    }
}
