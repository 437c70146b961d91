//! How long and how many: what a row may hold without bursting the indexes it is in.

use std::borrow::Cow;

use crate::refusal::Refusal;

/// Bytes of a field that is part of an index key: PostgreSQL refuses entries of about 2700.
pub const KEY_BYTES_MAX: usize = 512;
/// Bytes of a file path, which has an index with the scope alone.
pub const PATH_BYTES_MAX: usize = 1024;
/// Ids in a list of blockers, each of which is a row.
pub const BLOCKERS_MAX: usize = 100;
/// Entries of a claim's filter: more than any fleet has roles, few enough to compare quickly.
pub const FILTERS_MAX: usize = 10_000;

/// Characters of a text that are shown in an error.
pub const SHOWN_MAX: usize = 100;

/// Separates role and type in a task's claim lane, so neither may contain it.
const LANE_SEPARATOR: char = '\u{1f}';

/// What an error shows of a text that a client sent, so that no answer and no log line grows with it.
pub fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_MAX) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// Refuses a field of more bytes than its index takes.
pub(crate) fn check_bytes(field: &str, text: Option<&str>, max: usize) -> Result<(), Refusal> {
    if text.is_some_and(|text| text.len() > max) {
        return Err(Refusal::invalid(format!("{field} is too long: at most {max} bytes")));
    }
    Ok(())
}

/// Refuses each of these fields that is too long for an index key.
pub(crate) fn check_keys(fields: &[(&str, Option<&str>)]) -> Result<(), Refusal> {
    fields.iter().try_for_each(|(field, text)| check_bytes(field, *text, KEY_BYTES_MAX))
}

/// Refuses an id that no URL reaches, because `.` and `..` in a path mean another path, and one that is
/// too long for an index key.
pub(crate) fn check_id(field: &str, id: &str) -> Result<(), Refusal> {
    if matches!(id, "." | "..") {
        let text = format!("{field} must not be \"{id}\": no URL can name it, choose another");
        return Err(Refusal::invalid(text));
    }
    check_bytes(field, Some(id), KEY_BYTES_MAX)
}

/// Refuses a filter of more entries than a query takes.
pub(crate) fn check_filter(field: &str, entries: &[String]) -> Result<(), Refusal> {
    if entries.len() > FILTERS_MAX {
        return Err(Refusal::invalid(format!(
            "Too many entries in {field}: at most {FILTERS_MAX}"
        )));
    }
    Ok(())
}

/// Refuses role and type if they could be taken for another lane.
pub(crate) fn check_lane(field: &str, text: Option<&str>) -> Result<(), Refusal> {
    if text.is_some_and(|text| text.contains(LANE_SEPARATOR)) {
        return Err(Refusal::invalid(format!("{field} must not contain control characters")));
    }
    Ok(())
}
