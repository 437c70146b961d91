//! The fields of JSON output: which there are, and which are wanted.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    failure::{Failure, Outcome},
    output::Noun,
};

/// The names of a noun's fields, in the order in which they are written.
pub(crate) fn known<T: Noun>() -> Vec<String> {
    object(&T::example()).keys().cloned().collect()
}

/// The fields of an item.
pub(crate) fn object(item: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(item) {
        Ok(Value::Object(fields)) => fields,
        other => unreachable!("nouns are objects, not {other:?}"),
    }
}

/// Refuses names that a noun has no fields of, and lists those that it has.
pub(crate) fn check<T: Noun>(wanted: &[String]) -> Outcome {
    let known = known::<T>();
    let unknown: Vec<_> = wanted.iter().filter(|name| !known.contains(name)).collect();
    let Some(first) = unknown.first() else { return Ok(()) };
    let failure = Failure::usage(format!("there is no field {first:?}"));
    Err(failure.remedy(format!("known fields: {}", known.join(", "))))
}

/// The wanted fields of an item, in the order in which they are wanted.
pub(crate) fn select(mut fields: Map<String, Value>, wanted: &[String]) -> Map<String, Value> {
    let value = |name: &String| (name.clone(), fields.remove(name).unwrap_or(Value::Null));
    wanted.iter().map(value).collect()
}
