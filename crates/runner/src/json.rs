//! Parts of JSON values that may have any shape.

use octopoid_domain::{input::INTEGER_MAX, usage::Usage};
use serde_json::{Value, json};

/// The text at a path of keys, or an empty one.
pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// The count at a path of keys.
pub(crate) fn count(value: &Value, path: &[&str]) -> Option<i64> {
    let number = at(value, path)?;
    let count = number.as_u64().and_then(|count| i64::try_from(count).ok());
    count.map(|count| count.min(INTEGER_MAX))
}

/// The amount of money at a path of keys, as a decimal number.
pub(crate) fn cost(value: &Value, path: &[&str]) -> Option<String> {
    let number = at(value, path).filter(|number| number.is_number())?;
    serde_json::from_value::<Usage>(json!({"cost_usd": number})).ok()?.cost_usd
}

/// The list at a key, or an empty one.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// The sum of two counts, of which one may be unknown.
pub(crate) fn sum(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b).min(INTEGER_MAX)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::{cost, count, list, sum, text};
    use serde_json::json;

    #[test]
    fn a_part_of_another_shape_is_missing() {
        let value = json!({"a": {"b": "c"}, "n": 3, "x": -1, "big": u64::MAX, "m": 0.002_400_000_000_000_000_2});
        assert_eq!(
            (text(&value, &["a", "b"]), text(&value, &["n"]), text(&value, &["a", "b", "c"])),
            ("c", "", "")
        );
        assert_eq!(
            (count(&value, &["n"]), count(&value, &["x"]), count(&value, &["a"])),
            (Some(3), None, None)
        );
        assert_eq!(count(&value, &["big"]), None);
        assert_eq!(cost(&value, &["m"]).as_deref(), Some("0.0024"));
        assert_eq!((cost(&value, &["x"]), cost(&value, &["a"])), (None, None));
        assert!(list(&value, "a").is_empty());
        assert_eq!(
            (sum(Some(1), None), sum(Some(i64::MAX), Some(1))),
            (Some(1), Some((1 << 53) - 1))
        );
    }
}
