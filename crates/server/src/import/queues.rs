//! Renames the queue `cancelled` of the first server, which gave that name no meaning. Tasks in this
//! server's queue of that name are finished.

use octopoid_domain::queue::CANCELLED;
use serde_json::Value as Json;

use crate::import::{notes::Change, row::ImportedRow};

/// The new name of the queue.
pub(crate) const CANCELLED_BEFORE: &str = "cancelled_before";

/// The keys of a flow's transitions, and of their conditions, whose values name states.
const STATE_KEYS: [&str; 6] = ["from", "to", "from_state", "to_state", "on_fail", "on_checks_fail"];

/// Renames the queue in a column that holds the name of one.
pub(crate) fn rename(row: &mut ImportedRow, column: &str) {
    if row.text(column) == Some(CANCELLED) {
        row.set(column, CANCELLED_BEFORE);
        note(row, column);
    }
}

/// Renames the state in the states and the transitions of a flow. Texts that are not valid JSON stay as they
/// are.
pub(crate) fn rename_in_flow(row: &mut ImportedRow) {
    rename_in_json(row, "states", rename_state);
    rename_in_json(row, "transitions", rename_steps);
}

/// Changes the JSON in a column with a function that returns whether it has renamed the state.
fn rename_in_json(row: &mut ImportedRow, column: &str, rename: fn(&mut Json) -> bool) {
    let parsed = row.text(column).and_then(|text| serde_json::from_str::<Json>(text).ok());
    let Some(mut json) = parsed else { return };
    if rename(&mut json) {
        row.set(column, json.to_string());
        note(row, column);
    }
}

fn note(row: &mut ImportedRow, column: &str) {
    let what = format!(
        "renamed {CANCELLED:?} to {CANCELLED_BEFORE:?}, because tasks in {CANCELLED:?} are finished \
         on this server"
    );
    row.changes.push(Change::plain(what).of(column));
}

/// Renames the state in a list of states, and returns whether it was in it. The list names the new
/// state once, even if it had a state of that name.
fn rename_state(states: &mut Json) -> bool {
    let Json::Array(names) = states else { return false };
    let Some(first) = names.iter().position(|name| name == CANCELLED) else { return false };
    let has_new = names.iter().any(|name| name == CANCELLED_BEFORE);
    if !has_new {
        names[first] = CANCELLED_BEFORE.into();
    }
    names.retain(|name| name != CANCELLED);
    true
}

/// Renames the state in transitions: in the values of keys that name states, and in keys such as
/// `claimed -> cancelled`. Returns whether it was in them.
fn rename_steps(json: &mut Json) -> bool {
    match json {
        Json::Array(items) => {
            let mut is_renamed = false;
            for item in items {
                is_renamed |= rename_steps(item);
            }
            is_renamed
        }
        Json::Object(members) => {
            let mut is_renamed = false;
            let renamed = std::mem::take(members).into_iter().map(|(key, mut value)| {
                if STATE_KEYS.contains(&&*key) && value == CANCELLED {
                    value = CANCELLED_BEFORE.into();
                    is_renamed = true;
                } else if rename_steps(&mut value) {
                    is_renamed = true;
                }
                let new_key = arrow(&key);
                is_renamed |= new_key.is_some();
                (new_key.unwrap_or(key), value)
            });
            *members = renamed.collect();
            is_renamed
        }
        _ => false,
    }
}

/// A key with the state renamed; `None` if it does not name the state.
fn arrow(key: &str) -> Option<String> {
    let (from, to) = key.split_once("->")?;
    let ends = [from.trim(), to.trim()];
    let name = |end| if end == CANCELLED { CANCELLED_BEFORE } else { end };
    ends.contains(&CANCELLED).then(|| format!("{} -> {}", name(ends[0]), name(ends[1])))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{rename_state, rename_steps};

    #[test]
    fn a_flow_names_the_new_state_once_and_keeps_everything_else() {
        let mut states = json!(["incoming", "cancelled", "claimed", 5, "cancelled"]);
        assert!(rename_state(&mut states));
        assert_eq!(states, json!(["incoming", "cancelled_before", "claimed", 5]));
        let mut states = json!(["cancelled", "cancelled_before"]);
        assert!(rename_state(&mut states));
        assert_eq!(states, json!(["cancelled_before"]));
        for mut other in [json!(["incoming", "cancelled_late"]), json!("cancelled"), json!(null)] {
            let before = other.clone();
            assert!(!rename_state(&mut other));
            assert_eq!(other, before);
        }
    }

    #[test]
    fn transitions_name_the_new_state_wherever_they_name_states() {
        let mut steps = json!([
            {"from": "claimed", "agent": "cancelled", "to": "cancelled", "runs": ["cancelled"]},
            {"from_state": "cancelled", "to_state": "incoming", "checks": 1.5},
            {"from": "claimed", "to": "done",
                "conditions": [{"name": "cancelled", "on_fail": "cancelled"}]},
            null,
        ]);
        assert!(rename_steps(&mut steps));
        let expected = json!([
            {"from": "claimed", "agent": "cancelled", "to": "cancelled_before", "runs": ["cancelled"]},
            {"from_state": "cancelled_before", "to_state": "incoming", "checks": 1.5},
            {"from": "claimed", "to": "done",
                "conditions": [{"name": "cancelled", "on_fail": "cancelled_before"}]},
            null,
        ]);
        // The text shows the order of the keys too.
        assert_eq!(steps.to_string(), expected.to_string());
        let mut arrows = json!({"claimed -> cancelled": {}, "claimed->done": {"agent": "a"}});
        assert!(rename_steps(&mut arrows));
        let expected = json!({"claimed -> cancelled_before": {}, "claimed->done": {"agent": "a"}});
        assert_eq!(arrows.to_string(), expected.to_string());
        assert!(!rename_steps(&mut arrows));
    }
}
