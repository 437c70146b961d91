//! Cursors: the key of the last row of a page, as an opaque text.
//!
//! A cursor names the list it belongs to, with its order and filters, so that a cursor of another
//! list is refused instead of misunderstood. It grants nothing: the conditions of the list stand
//! beside it.

use std::fmt::Debug;

use octopoid_domain::{Refusal, input::INTEGER_MAX};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::{
    Result,
    engine::{Parameter, Value},
};

/// The form of cursors. Another form gets another number.
const VERSION: &str = "1";

/// The values that a list is ordered by, of one row.
pub(crate) type Key = Vec<Value>;

/// A list with its order and filters, as its cursors name it.
pub(crate) struct List(String);

impl List {
    /// The list of this name under these filters.
    pub(crate) fn new(name: &str, filter: &impl Debug) -> Self {
        let digest = Sha256::digest(format!("{name} {filter:?}"));
        Self(hex::encode(&digest[..6]))
    }

    /// The cursor that stands behind the row with this key.
    pub(crate) fn cursor(&self, key: &[Value]) -> String {
        let key: Vec<Json> = key.iter().map(shown).collect();
        format!("{VERSION}{}{}", self.0, hex::encode(Json::from(key).to_string()))
    }

    /// Whether a cursor is one of this list.
    pub(crate) fn has(&self, cursor: &str) -> bool {
        cursor.strip_prefix(VERSION).is_some_and(|rest| rest.starts_with(&*self.0))
    }

    /// The key that a cursor names; `texts` says which of its values are texts.
    pub(crate) fn read(&self, cursor: &str, texts: &[bool]) -> Result<Key> {
        self.key(cursor, texts).ok_or_else(|| Refusal::invalid("Invalid cursor").into())
    }

    fn key(&self, cursor: &str, texts: &[bool]) -> Option<Key> {
        let encoded = cursor.strip_prefix(VERSION)?.strip_prefix(&*self.0)?;
        let values: Vec<Json> = serde_json::from_slice(&hex::decode(encoded).ok()?).ok()?;
        if values.len() != texts.len() {
            return None;
        }
        values.into_iter().zip(texts).map(|(value, is_text)| read(value, *is_text)).collect()
    }
}

fn shown(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Int(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
    }
}

/// A value of a key. A cursor that was made up must not reach the database with what no row has.
fn read(value: Json, is_text: bool) -> Option<Value> {
    match value {
        Json::String(text) if is_text && !text.contains('\0') => Some(Value::Text(text)),
        Json::Number(number) if !is_text => {
            let number = number.as_i64()?;
            (-INTEGER_MAX..=INTEGER_MAX).contains(&number).then_some(Value::Int(number))
        }
        _ => None,
    }
}

impl From<Value> for Parameter {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Text(None),
            Value::Int(number) => number.into(),
            Value::Text(text) => text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{List, Value};

    #[test]
    fn a_cursor_is_read_by_its_own_list_only() {
        let list = List::new("a", &Some("filter"));
        let key = vec![Value::Int(-7), Value::Text("it's \u{1f419}".to_owned())];
        let cursor = list.cursor(&key);
        assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{cursor}");
        assert_eq!(list.read(&cursor, &[false, true]).unwrap(), key);
        assert!(list.has(&cursor));
        for other in [List::new("a", &None::<&str>), List::new("b", &Some("filter"))] {
            assert!(!other.has(&cursor));
            assert!(other.read(&cursor, &[false, true]).is_err());
        }
    }

    #[test]
    fn what_no_row_has_is_no_cursor() {
        let list = List::new("a", &());
        let made = |json: &str| format!("1{}{}", list.0, hex::encode(json));
        for (json, texts) in [
            ("[1,2]", &[false][..]),
            ("[]", &[false]),
            ("[\"a\"]", &[false]),
            ("[1]", &[true]),
            ("[null]", &[true]),
            ("[1.5]", &[false]),
            ("[9007199254740992]", &[false]),
            ("[\"\\u0000\"]", &[true]),
            ("{}", &[]),
            ("[", &[]),
        ] {
            assert!(list.read(&made(json), texts).is_err(), "{json}");
        }
        assert!(list.read("", &[false]).is_err());
        assert!(list.read("1", &[false]).is_err());
        assert!(list.read(&format!("2{}{}", list.0, hex::encode("[1]")), &[false]).is_err());
        assert!(list.read(&made("[1]"), &[false]).is_ok());
    }
}
