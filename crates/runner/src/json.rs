//! JSON values that may have any shape and any size.

use std::{cell::Cell, fmt};

use octopoid_domain::{input::INTEGER_MAX, text::cut, usage::Usage};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

/// Bytes that are kept of a text.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// Bytes of a key. Members with longer ones are dropped.
const KEY_BYTES_MAX: usize = 256;
/// Members of the outermost object that are kept.
const MEMBERS_MAX: usize = 256;
/// Values inside of those members that are kept, in all.
const INNER_MAX: usize = 4_096;

/// Parses a line. Of large values the beginning is kept: a line of some megabytes may have millions
/// of small values, which would take a multiple of its size. A line that is not JSON has no value.
pub(crate) fn parse(line: &[u8]) -> Option<Value> {
    let inner_left = Cell::new(INNER_MAX);
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    let part = Part { depth: 0, inner_left: &inner_left };
    let value = part.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(value)
}

/// Reads a value at a depth, while there is room.
#[derive(Clone, Copy)]
struct Part<'a> {
    depth: usize,
    inner_left: &'a Cell<usize>,
}

impl Part<'_> {
    fn inner(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    /// Whether one more value fits into a list or an object that has so many.
    fn has_room(self, count: usize) -> bool {
        if self.depth == 0 {
            return count < MEMBERS_MAX;
        }
        let left = self.inner_left.get();
        self.inner_left.set(left.saturating_sub(1));
        left > 0
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(cut(value, TEXT_BYTES_MAX).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while self.has_room(kept.len()) {
            match items.next_element_seed(self.inner())? {
                Some(item) => kept.push(item),
                None => return Ok(kept.into()),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(kept.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while self.has_room(kept.len()) {
            let Some(key) = members.next_key::<String>()? else { return Ok(kept.into()) };
            if key.len() > KEY_BYTES_MAX {
                members.next_value::<IgnoredAny>()?;
            } else {
                kept.insert(key, members.next_value_seed(self.inner())?);
            }
        }
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(kept.into())
    }
}

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
    use super::{INNER_MAX, TEXT_BYTES_MAX, cost, count, list, parse, sum, text};
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
    #[test]
    fn a_value_is_parsed_as_it_is_if_it_is_small() {
        let line = r#"{"a":[1,-2,0.5,true,null,"x",{"b":{}}],"c":"\u00fc"}"#;
        assert_eq!(parse(line.as_bytes()), serde_json::from_str(line).ok());
        assert_eq!(parse(b"3 "), Some(json!(3)));
        for bad in ["", "{", "{}x", "{\"a\":}", "{\"a\":\"\u{1}\"}"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse(b"{\"a\":\"\xff\"}"), None);
        assert_eq!(parse(&vec![b'['; 1 << 20]), None);
    }

    #[test]
    fn of_a_large_value_the_beginning_is_kept() {
        let many = format!("[{}0]", "0,".repeat(1 << 20));
        let line = format!(r#"{{"a":{many},"b":{{"c":[1]}},"type":"x","k{}":1}}"#, "k".repeat(999));
        let value = parse(line.as_bytes()).unwrap();
        assert_eq!(list(&value, "a").len(), INNER_MAX);
        assert_eq!((text(&value, &["type"]), &value["b"]), ("x", &json!({})));
        assert_eq!(value.as_object().unwrap().len(), 3);
        let line = format!(r#"{{"a":"{}"}}"#, "ü".repeat(1 << 20));
        assert_eq!(text(&parse(line.as_bytes()).unwrap(), &["a"]).len(), TEXT_BYTES_MAX);
        let names: Vec<_> = (0..9_999).map(|name| format!("\"{name}\":0")).collect();
        let line = format!("{{{}}}", names.join(","));
        assert_eq!(parse(line.as_bytes()).unwrap().as_object().unwrap().len(), super::MEMBERS_MAX);
    }
}
