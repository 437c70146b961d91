//! What is shown: nouns, and the cells of their tables.

use octopoid_domain::Millis;
use serde::Serialize;

use crate::clock;

/// Something that the server has many of, and how it is shown.
pub(crate) trait Noun: Serialize {
    /// The name of many in JSON, such as `tasks`.
    const MANY: &'static str;
    /// The headings of its table.
    const COLUMNS: &'static [&'static str];

    /// One with every field present, from which the names of the fields are taken.
    fn example() -> Self;

    /// What names it in a command.
    fn id(&self) -> String;

    /// Its row, a cell for each heading.
    fn cells(&self, times: &Times) -> Vec<Cell>;
}

/// What a text is about, which decides its colour. It is never told by the colour alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// Less important than its neighbours.
    Quiet,
    /// It is under way.
    Running,
    /// It needs a person.
    NeedsYou,
    /// It went well.
    Done,
    /// It went wrong.
    Failed,
}

/// A cell of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

impl Cell {
    /// A cell with a text, made harmless for terminals.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self { text: one_line(text.as_ref()), tone: Tone::Plain }
    }

    /// The same in another tone.
    pub(crate) fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    /// A cell that is empty if there is nothing.
    pub(crate) fn maybe(text: Option<impl AsRef<str>>) -> Self {
        text.map(Self::new).unwrap_or_default()
    }

    /// The queue of a task.
    pub(crate) fn queue(queue: &str) -> Self {
        let tone = match queue {
            "claimed" => Tone::Running,
            "provisional" | "needs_continuation" => Tone::NeedsYou,
            "done" => Tone::Done,
            "failed" => Tone::Failed,
            "cancelled" => Tone::Quiet,
            _ => Tone::Plain,
        };
        Self::new(queue).tone(tone)
    }
}

/// How instants are written: relative to now for people, else as ISO 8601.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Now, if times are relative to it.
    pub(crate) now: Option<Millis>,
}

impl Times {
    /// An instant in words.
    pub(crate) fn text(&self, instant: Millis) -> String {
        match self.now {
            Some(now) => clock::relative(instant, now),
            None => instant.to_iso(),
        }
    }

    /// An instant in a cell.
    pub(crate) fn cell(&self, instant: Millis) -> Cell {
        Cell::new(self.text(instant)).tone(Tone::Quiet)
    }

    /// An instant in a cell, if there is one.
    pub(crate) fn maybe(&self, instant: Option<Millis>) -> Cell {
        instant.map(|instant| self.cell(instant)).unwrap_or_default()
    }
}

/// A text of one line. What agents write must not control a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let plain = anstream::adapter::strip_str(text).to_string();
    plain.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()).fold(
        String::with_capacity(plain.len()),
        |mut line, word| {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            line
        },
    )
}

/// A text of many lines, without what controls a terminal.
pub(crate) fn many_lines(text: &str) -> String {
    let plain = anstream::adapter::strip_str(text).to_string();
    plain.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::{many_lines, one_line};

    #[test]
    fn what_agents_write_does_not_control_the_terminal() {
        assert_eq!(one_line("a\u{1b}[31mb\u{1b}[0m\n  c\r\u{7}d\té"), "ab c d é");
        assert_eq!(many_lines("a\u{1b}]0;title\u{7}b\n\tc\r"), "ab\n\tc");
    }
}
