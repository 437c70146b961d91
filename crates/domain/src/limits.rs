//! The limits on stored values. They are the same on every engine, so that data can be copied from
//! one to another.

use crate::{input::Patch, refusal::Refusal, text::shown};

/// Bytes of a name: an id, a scope, a queue, a role, an agent. Most are part of an index key, and
/// PostgreSQL refuses keys of about 2,700 bytes, which may be made of four names.
pub const KEY_BYTES_MAX: usize = 512;
/// Bytes of a file path, which has an index with the scope alone.
pub const PATH_BYTES_MAX: usize = 1024;
/// Bytes of an address: of a repository, a pull request, a preview.
pub const URL_BYTES_MAX: usize = 2048;
/// Bytes of a title or a label.
pub const TITLE_BYTES_MAX: usize = 4096;
/// Bytes of a reason, a description, and of JSON that comes in lists of machines and drafts. What
/// an agent reads or writes (contents, notes, messages, hooks, results) is bounded by the body
/// alone.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;
/// Ids in a list of blockers, each of which is a row.
pub const BLOCKERS_MAX: usize = 100;
/// Entries of a claim's filter: more than any fleet has roles, few enough to compare quickly.
pub const FILTERS_MAX: usize = 100;
/// Roles that one request may register: the write must stay short.
pub const ROLES_MAX: usize = 1000;
/// Pairs of role and type among the tasks of one queue that can be claimed: a claim looks at the
/// head of each.
pub const LANES_MAX: usize = 1000;
/// Flows of a scope: a claim from a queue that is not built in reads them all.
pub const FLOWS_MAX: usize = 100;
/// Pauses of a scope.
pub const PAUSES_MAX: usize = 1000;
/// Webhooks of a scope: each event is sent to each that wants it.
pub const WEBHOOKS_MAX: usize = 50;
/// States of a flow.
pub const FLOW_STATES_MAX: usize = 100;
/// Transitions of a flow.
pub const FLOW_TRANSITIONS_MAX: usize = 1000;
/// Bytes of a flow's states, transitions and child flow: every change of a task reads them.
pub const FLOW_BYTES_MAX: usize = 64 * 1024;

/// Separates role and type in a task's claim lane, so neither may contain it.
const LANE_SEPARATOR: char = '\u{1f}';

/// The claim lane of a task that can be claimed, as the database computes it.
pub fn lane(role: Option<&str>, kind: Option<&str>) -> String {
    format!("{}{LANE_SEPARATOR}{}", role.unwrap_or_default(), kind.unwrap_or_default())
}

/// A field of a body that has a length.
pub(crate) trait Measured {
    /// Its text, if there is one.
    fn measured(&self) -> Option<&str>;
}

impl Measured for Option<String> {
    fn measured(&self) -> Option<&str> {
        self.as_deref()
    }
}

impl Measured for String {
    fn measured(&self) -> Option<&str> {
        Some(self)
    }
}

macro_rules! measured {
    ($($field:ty),*) => {
        $(impl Measured for $field {
            fn measured(&self) -> Option<&str> {
                self.0.measured()
            }
        })*
    };
}
measured!(
    crate::input::Id,
    crate::input::JsonText,
    crate::input::Plain,
    crate::input::PlainProse,
    crate::input::Prose,
    crate::input::Text
);

impl<T: Measured> Measured for Patch<T> {
    fn measured(&self) -> Option<&str> {
        self.value()?.measured()
    }
}

/// The name of a field, and its value.
pub(crate) type Field<'a> = (&'a str, &'a dyn Measured);

/// Refuses a field of more bytes than it may have.
pub(crate) fn check_bytes(field: &str, text: Option<&str>, max: usize) -> Result<(), Refusal> {
    if text.is_some_and(|text| text.len() > max) {
        return Err(Refusal::invalid(format!("{field} is too long: at most {max} bytes")));
    }
    Ok(())
}

/// Refuses each of these fields that has more bytes than it may have.
pub(crate) fn check_each(max: usize, fields: &[Field<'_>]) -> Result<(), Refusal> {
    fields.iter().try_for_each(|(field, text)| check_bytes(field, text.measured(), max))
}

/// Refuses each of these names that is too long for an index key.
pub(crate) fn check_keys(fields: &[Field<'_>]) -> Result<(), Refusal> {
    check_each(KEY_BYTES_MAX, fields)
}

/// Refuses an id that no URL reaches, because `.` and `..` in a path mean another path, and one
/// that is too long for an index key.
pub(crate) fn check_id(field: &str, id: &str) -> Result<(), Refusal> {
    if matches!(id, "." | "..") {
        let text = format!("{field} must not be \"{id}\": no URL can name it, choose another");
        return Err(Refusal::invalid(text));
    }
    check_bytes(field, Some(id), KEY_BYTES_MAX)
}

/// Rejects a filter with too many entries, and entries that are not valid names.
pub(crate) fn check_filter(field: &str, entries: &[String]) -> Result<(), Refusal> {
    if entries.len() > FILTERS_MAX {
        return Err(Refusal::invalid(format!(
            "Too many entries in {field}: at most {FILTERS_MAX}"
        )));
    }
    entries.iter().try_for_each(|entry| check_bytes(field, Some(entry), KEY_BYTES_MAX))
}

/// Refuses role and type if they could be taken for another lane.
pub(crate) fn check_lane(field: &str, text: Option<&str>) -> Result<(), Refusal> {
    if text.is_some_and(|text| text.contains(LANE_SEPARATOR)) {
        return Err(Refusal::invalid(format!("{field} must not contain control characters")));
    }
    Ok(())
}

/// The refusal of a task that would be the first of its role and type in a queue that has as many
/// such pairs as a claim looks at.
pub fn too_many_lanes(queue: &str) -> Refusal {
    Refusal::invalid(format!(
        "Too many pairs of role and type wait in queue \"{}\": at most {LANES_MAX}. Use a type that \
         is there already, or none",
        shown(queue)
    ))
}

/// The refusal of another flow in a scope that has as many as it may have.
pub fn too_many_flows() -> Refusal {
    Refusal::invalid(format!(
        "Too many flows in this scope: at most {FLOWS_MAX}. Delete one that is not used"
    ))
}

#[cfg(test)]
mod tests {
    use super::lane;

    #[test]
    fn a_lane_is_role_and_type() {
        assert_eq!(lane(Some("r"), None), "r\u{1f}");
        assert_eq!(lane(None, Some("t")), "\u{1f}t");
    }
}
