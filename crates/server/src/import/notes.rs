//! The report of an import, in groups, so that it stays short for large databases.

use std::{
    collections::HashMap,
    fmt,
    io::{self, Write},
};

/// The number of notes shown for each group.
const SHOWN: usize = 10;
/// The maximum length of a text in a note, in bytes.
const TEXT_MAX: usize = 200;

/// A row or value that was skipped or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The table in the source.
    pub(crate) table: String,
    /// The row's key; empty if the note applies to the table.
    pub(crate) key: String,
    /// What was skipped or changed, and why.
    pub(crate) what: String,
}

/// Notes of one table that differ only in the row and its values.
#[derive(Debug)]
pub(crate) struct Group {
    /// The common text.
    pub(crate) kind: String,
    /// The number of notes.
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

/// A change of a row: its text, and the common text of its group.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) kind: String,
    pub(crate) what: String,
}

impl Change {
    /// A change whose text contains no values.
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
    /// Also writes every note to a file, one line each.
    pub(crate) fn writing_to(file: Box<dyn Write + Send>) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    /// The groups, in order of their first note.
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

/// The start of a text, in one line.
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

/// One line for each of the first notes, and one with the number of further ones.
impl fmt::Display for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.first {
            writeln!(formatter, "{note}")?;
        }
        if self.count > self.first.len() {
            let (more, table) = (self.count - self.first.len(), &self.first[0].table);
            writeln!(formatter, "{table}: {more} more ({}): {}", self.count, self.kind)?;
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
            let what = format!("skipped: invalid timestamp `{}`", "x".repeat(1_000_000));
            notes.add(
                "tasks",
                &format!("t{number}"),
                Change::new("skipped: invalid timestamp", what),
            );
        }
        notes.add("roles", "r", Change::plain("no scope"));
        let [tasks, roles] = notes.groups() else { panic!("{notes:?}") };
        let (tasks, roles) = (tasks.to_string(), roles.to_string());
        assert_eq!(tasks.lines().count(), 11);
        assert!(tasks.len() < 4_000, "{tasks}");
        assert!(tasks.ends_with("\ntasks: 15 more (25): skipped: invalid timestamp\n"));
        assert_eq!(roles, "roles r: no scope\n");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(short("a\nb"), "a b");
        assert_eq!(short(&"ü".repeat(200)), format!("{}… (400 bytes)", "ü".repeat(100)));
    }
}
