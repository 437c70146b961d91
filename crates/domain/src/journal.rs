//! The journal as clients read it: events, cursors, and filters by type.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use crate::{Refusal, input::INTEGER_MAX, text::shown, time::Millis};

/// The number of types that a filter may name.
pub const TYPES_MAX: usize = 100;

/// The longest name of a type, in bytes.
const TYPE_BYTES_MAX: usize = 64;

/// The form of cursors. Another form gets another letter.
const VERSION: &str = "e";

/// An odd number and its inverse modulo 2^64. Positions are multiplied by it, so that cursors are
/// in no order that a client could rely on, and made-up cursors are recognized.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
const GATHER: u64 = inverse(SPREAD);

/// A place in the journal: behind the event with this position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(pub i64);

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the first event recorded from now on.
    Now,
    /// With the oldest event that is kept.
    Oldest,
    /// With the event that follows this place.
    After(Cursor),
}

/// An event of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalEvent {
    /// The cursor behind this event.
    #[schema(value_type = String)]
    pub id: Cursor,
    /// The kind of the subject and what happened, such as `task.claimed`.
    #[serde(rename = "type")]
    pub name: String,
    /// When it happened.
    pub at: Millis,
    /// The scope.
    pub scope: Option<String>,
    /// What the event is about.
    pub subject: Subject,
    /// The agent or person, if known.
    pub actor: Option<String>,
    /// The version of the task after the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The queue of the task after the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// A reason as plain text, or a JSON object as text.
    pub details: Option<String>,
}

/// What streams show and the journal does not keep, such as the progress of a run. It has no `id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passing {
    /// The kind of the subject and what is shown, such as `task.progress`.
    #[serde(rename = "type")]
    pub name: String,
    /// When it happened.
    pub at: Millis,
    /// The scope.
    pub scope: String,
    /// What it is about.
    pub subject: Subject,
    /// What is shown, as JSON.
    pub details: serde_json::Value,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = EventSubject)]
pub struct Subject {
    /// `task`, `project`, `draft`, `orchestrator`, `role`, `flow`, `message`, `action`, `key`,
    /// `pause` or `webhook`.
    pub kind: String,
    /// Its id; the name of a flow or a role; the target of a pause.
    pub id: String,
}

/// Which events are read, of one scope or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Events of these types; of all types if it is empty.
    pub types: Types,
    /// Events of this task.
    pub task_id: Option<String>,
}

/// Types of events: `task.claimed`, or all of a kind, `task.*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Types {
    /// Complete names.
    pub names: Vec<String>,
    /// Kinds of which all events match.
    pub kinds: Vec<String>,
}

const fn inverse(odd: u64) -> u64 {
    // Newton's method doubles the number of correct bits: 3, 6, 12, 24, 48, 96.
    let mut result = odd;
    let mut step = 0;
    while step < 5 {
        result = result.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(result)));
        step += 1;
    }
    result
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{VERSION}{:016x}", self.0.cast_unsigned().wrapping_mul(SPREAD))
    }
}

impl FromStr for Cursor {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let digits = text.strip_prefix(VERSION).filter(|digits| digits.len() == 16);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let spread = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let position = spread.map(|spread| spread.wrapping_mul(GATHER).cast_signed());
        let position = position.filter(|position| (0..=INTEGER_MAX).contains(position));
        position.map(Self).ok_or_else(|| {
            Refusal::invalid(
                "Invalid cursor: pass the id of an event, a next_cursor, or 0 for the oldest event",
            )
        })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Start {
    /// Reads what a client sends as a cursor; without one, reading begins now.
    pub fn parse(cursor: Option<&str>) -> Result<Self, Refusal> {
        match cursor {
            None => Ok(Self::Now),
            Some("0") => Ok(Self::Oldest),
            Some(cursor) => cursor.parse().map(Self::After),
        }
    }
}

impl Types {
    /// Reads a list of types. A well-formed name that no event has matches nothing.
    pub fn parse(list: &[String]) -> Result<Self, Refusal> {
        if list.len() > TYPES_MAX {
            return Err(Refusal::invalid(format!("types has more than {TYPES_MAX} entries")));
        }
        let mut types = Self::default();
        for name in list {
            let name = name.trim();
            match name.split_once('.') {
                Some((kind, "*")) if is_word(kind) => types.kinds.push(kind.to_owned()),
                Some((kind, event)) if is_word(kind) && is_word(event) => {
                    types.names.push(name.to_owned());
                }
                _ => {
                    return Err(Refusal::invalid(format!(
                        "Invalid value for types: \"{}\" is neither a type, such as task.claimed, \
                         nor all types of a kind, such as task.*",
                        shown(name)
                    )));
                }
            }
        }
        Ok(types)
    }

    /// Whether all types match.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.kinds.is_empty()
    }

    /// Whether an event of this type matches.
    pub fn has(&self, name: &str) -> bool {
        let kind = name.split_once('.').map_or(name, |(kind, _)| kind);
        self.is_empty()
            || self.names.iter().any(|known| known == name)
            || self.kinds.iter().any(|known| known == kind)
    }
}

impl Filter {
    /// Whether an event passes.
    pub fn passes(&self, event: &JournalEvent) -> bool {
        self.selects(&event.name, &event.subject)
    }

    /// Whether what has this type and subject passes.
    pub fn selects(&self, name: &str, subject: &Subject) -> bool {
        let is_of_task = |id: &String| subject.kind == "task" && subject.id == *id;
        self.task_id.as_ref().is_none_or(is_of_task) && self.types.has(name)
    }
}

fn is_word(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (1..=TYPE_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(list: &[&str]) -> Result<Types, Refusal> {
        Types::parse(&list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        assert_eq!(SPREAD.wrapping_mul(GATHER), 1);
        for position in [0, 1, 2, 1_000_000, INTEGER_MAX] {
            let text = Cursor(position).to_string();
            assert_eq!(text.parse(), Ok(Cursor(position)), "{text}");
            assert_eq!(text.len(), 17);
            assert_eq!(Start::parse(Some(&text)), Ok(Start::After(Cursor(position))));
        }
    }

    #[test]
    fn what_was_never_given_out_is_no_cursor() {
        let known = Cursor(7).to_string();
        for text in [
            "",
            "1",
            "-1",
            "00",
            "e",
            "e0000000000000001",
            "e+000000000000000",
            "ezzzzzzzzzzzzzzzz",
        ] {
            assert!(Start::parse(Some(text)).is_err(), "{text}");
        }
        assert!(known[..16].parse::<Cursor>().is_err() && known[1..].parse::<Cursor>().is_err());
        assert_eq!(Start::parse(Some("0")), Ok(Start::Oldest));
        assert_eq!(Start::parse(None), Ok(Start::Now));
    }

    #[test]
    fn types_match_by_name_or_by_kind() {
        let some = types(&["task.claimed", " draft.* "]).unwrap();
        for (name, matches) in [
            ("task.claimed", true),
            ("task.created", false),
            ("draft.created", true),
            ("drafts.created", false),
        ] {
            assert_eq!(some.has(name), matches, "{name}");
        }
        assert!(types(&[]).unwrap().has("task.created"));
    }

    #[test]
    fn a_malformed_type_is_refused_and_shown() {
        for name in ["", "*", "task", "task.", ".*", "task.cl*", "Task.claimed", "task.a.b", "*.*"]
        {
            let error = types(&[name]).unwrap_err().to_string();
            assert!(error.contains(&format!("types: \"{name}\"")), "{error}");
        }
        assert!(types(&["a.b"; TYPES_MAX]).is_ok());
        let error = types(&["a.b"; TYPES_MAX + 1]).unwrap_err().to_string();
        assert_eq!(error, "types has more than 100 entries");
    }
}
