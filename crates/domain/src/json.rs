//! Reading JSON as programs really write it.
//!
//! JavaScript and Python keep text in halves of 16 bits. Text that they cut in the middle of a
//! character ends in half a surrogate pair, which they write as an escape that names no character.
//! A worker whose log was cut like that must be able to hand in its work, so each such half is read
//! as U+FFFD, the replacement character. A byte order mark, which some editors write, is passed
//! over.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use crate::text::shown;

/// Why a request body was refused, in words for its sender.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON at all, or `null`.
    #[error("Invalid JSON body")]
    NotJson,
    /// JSON, but a field holds what it cannot hold.
    #[error("Invalid value for {field}: {why}")]
    Field {
        /// The path of the field in the body.
        field: String,
        /// What was wrong with it.
        why: String,
    },
}

/// Reads a JSON request body.
///
/// Arrays and plain values count as an object without fields, and the last of duplicate keys wins,
/// as the first server had it. Halves of surrogate pairs are looked for only in a body that cannot
/// be read otherwise, so that good requests do not pay for it.
pub fn parse_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    let body = without_mark(body);
    match parse(body) {
        Err(BodyError::NotJson) => parse(&mended(body).ok_or(BodyError::NotJson)?),
        read => read,
    }
}

/// Reads an optional JSON request body: `null` and invalid JSON count as absent.
pub fn parse_optional_body<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, BodyError> {
    match parse_body(body) {
        Err(BodyError::NotJson) => Ok(T::default()),
        read => read,
    }
}

/// The typed reading goes first because it is what every good request takes; only a body it refuses
/// is read again, slowly, to name the field.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    if is_object && let Ok(parsed) = serde_json::from_slice(body) {
        return Ok(parsed);
    }
    match serde_json::from_slice::<Value>(body) {
        Err(_) | Ok(Value::Null) => Err(BodyError::NotJson),
        Ok(value @ Value::Object(_)) => from_value(value),
        Ok(_) => from_value(Value::Object(Map::new())),
    }
}

fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, BodyError> {
    serde_path_to_error::deserialize(value).map_err(|error| BodyError::Field {
        field: shown(&error.path().to_string()).into_owned(),
        why: error.inner().to_string(),
    })
}

/// JSON text with U+FFFD for each half of a surrogate pair. Text without any, and text that is no
/// JSON, stays as it is.
pub(crate) fn mended_text(text: String) -> String {
    mended(text.as_bytes())
        .filter(|mended| serde_json::from_slice::<IgnoredAny>(mended).is_ok())
        .and_then(|mended| String::from_utf8(mended).ok())
        .unwrap_or(text)
}

/// Reads JSON that was kept as text, by whichever server wrote it; `None` if it is none.
pub(crate) fn kept_json(text: &str) -> Option<Value> {
    let read = serde_json::from_str(text).ok();
    read.or_else(|| serde_json::from_slice(&mended(text.as_bytes())?).ok())
}

fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// The same JSON with `\ufffd` for each escape that is half of a surrogate pair; `None` if there is
/// none.
fn mended(json: &[u8]) -> Option<Vec<u8>> {
    let mut halves = Vec::new();
    let mut at = 0;
    while let Some(next) = json.get(at..)?.iter().position(|byte| *byte == b'\\') {
        at += next;
        at += match unit(json, at) {
            Some(0xd800..=0xdbff) if matches!(unit(json, at + 6), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => {
                halves.push(at);
                6
            }
            Some(_) => 6,
            // An escape of one character, which may be a backslash.
            None => 2,
        };
        if at > json.len() {
            break;
        }
    }
    if halves.is_empty() {
        return None;
    }
    let mut mended = json.to_vec();
    for at in halves {
        mended[at..at + 6].copy_from_slice(b"\\ufffd");
    }
    Some(mended)
}

/// The number of the escape `\uXXXX` that begins here, if one does.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{BodyError, mended_text, parse_body, parse_optional_body};

    fn read(body: &str) -> Result<Value, BodyError> {
        parse_body(body.as_bytes())
    }

    #[test]
    fn half_a_surrogate_pair_is_read_as_the_replacement_character() {
        for (sent, expected) in [
            (r"\ud83d", "\u{fffd}"),
            (r"cut \uD83D", "cut \u{fffd}"),
            (r"\udc00\ud800", "\u{fffd}\u{fffd}"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\ud83dx\ude00", "\u{fffd}x\u{fffd}"),
            (r"\ud83d\n\\", "\u{fffd}\n\\"),
            (r"\\ud83d \ud83d", "\\ud83d \u{fffd}"),
            (r"\\\ud83d", "\\\u{fffd}"),
            (r"\ud83d\\ude00", "\u{fffd}\\ude00"),
            (r"\u0041\ud83d\u00e9", "A\u{fffd}é"),
        ] {
            let body = format!(r#"{{"a":"{sent}"}}"#);
            assert_eq!(read(&body), Ok(json!({ "a": expected })), "{sent}");
        }
    }

    #[test]
    fn halves_are_read_wherever_text_may_stand() {
        let body = r#"{"\ud83d":{"\ude00":["\ud83d",{"a":"\udfff"}]}}"#;
        let expected = json!({ "\u{fffd}": { "\u{fffd}": ["\u{fffd}", { "a": "\u{fffd}" }] } });
        assert_eq!(read(body), Ok(expected));
        assert_eq!(read(r#"{"a":"\ud83d","a":"x"}"#), Ok(json!({ "a": "x" })));
        assert_eq!(read(r#""\ud83d""#), Ok(json!({})));
    }

    #[test]
    fn what_is_no_escape_stays_no_json() {
        for body in [r#"{"a":"\ud8"#, r#"{"a":"\ud83"}"#, r#"{"a":"\ud83d"#, r#"{"a":"\ud83g"}"#] {
            assert_eq!(read(body), Err(BodyError::NotJson), "{body}");
        }
        assert_eq!(read("\\"), Err(BodyError::NotJson));
        assert_eq!(parse_body::<Value>(b"{\"a\":\"\xff\"}"), Err(BodyError::NotJson));
    }

    #[test]
    fn one_byte_order_mark_is_passed_over() {
        assert_eq!(read("\u{feff}{\"a\":1}"), Ok(json!({ "a": 1 })));
        assert_eq!(read("\u{feff} [1]"), Ok(json!({})));
        assert_eq!(read("\u{feff}\u{feff}{}"), Err(BodyError::NotJson));
        assert_eq!(read("\u{feff}"), Err(BodyError::NotJson));
    }

    #[test]
    fn an_optional_body_may_be_anything_but_wrong() {
        for nothing in ["", " ", "null", "\u{feff}", "{", "a=b"] {
            let read: Value = parse_optional_body(nothing.as_bytes()).unwrap();
            assert_eq!(read, Value::Null, "{nothing}");
        }
        let read: Value = parse_optional_body("\u{feff}{\"a\":\"\\ud83d\"}".as_bytes()).unwrap();
        assert_eq!(read, json!({ "a": "\u{fffd}" }));
    }

    #[test]
    fn json_kept_as_text_is_mended_and_other_text_is_not() {
        let mended = |text: &str| mended_text(text.to_owned());
        assert_eq!(mended(r#"["\ud83d"]"#), r#"["\ufffd"]"#);
        assert_eq!(mended(r#"["\ud83d\ude00"]"#), r#"["\ud83d\ude00"]"#);
        assert_eq!(mended(r"C:\ud83d"), r"C:\ud83d");
    }
}
