//! The types of fields in request bodies, and how they are parsed.
//!
//! The first server was written in JavaScript and its clients lean on that: `null`, `""`, `0` and
//! `false` all mean "not given" ("falsy"), ids may arrive as numbers, booleans as 0 and 1, and a
//! field that holds JSON may come as JSON or as its text. These types read all of that once, so
//! that handlers see plain values and everything else is refused while it is being parsed.
//!
//! No database may be given a NUL, because PostgreSQL's text cannot hold one. Names ([`Text`],
//! [`Id`]) refuse it; in what people and programs write ([`Prose`]) it becomes U+FFFD, so that a
//! log with a NUL in it does not prevent an agent from submitting its work.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned, Unexpected},
};
use serde_json::Value;

use crate::{
    json::mended_text,
    time::{MILLISECONDS_MIN, Millis},
};

pub use crate::json::{BodyError, parse_body, parse_optional_body};

/// The largest integer every backend and every JSON reader holds exactly.
pub const INTEGER_MAX: i64 = (1 << 53) - 1;

/// A name, or other short text, that may be left out; falsy counts as left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Text(pub Option<String>);

/// Text that is free, and may be left out: a title, a reason, a message. Falsy counts as left
/// out, and NUL becomes U+FFFD.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Prose(pub Option<String>);

/// An id that may be left out; whole numbers become their decimal text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Id(pub Option<String>);

/// JSON kept as text: text is taken as it is, objects and arrays are written out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JsonText(pub Option<String>);

/// An instant that may be left out; falsy counts as left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Instant(pub Option<Millis>);

/// A boolean: `true`, `false`, 0, 1, or the words `true` and `false` in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flag(pub bool);

/// A whole number from 0; `null` counts as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count(pub i64);

/// One text or a list of texts, empty when left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Texts(pub Vec<String>);

/// A name, or other short text, in a field that is present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plain(pub String);

/// Free text in a field that is present; NUL becomes U+FFFD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlainProse(pub String);

/// A field of a partial update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// The key is not in the body: keep the value.
    #[default]
    Absent,
    /// The key is there with `null`: clear the value.
    Null,
    /// The key is there with a value.
    Set(T),
}

/// A name, or other short text, of a partial update.
pub type PatchText = Patch<Plain>;
/// Free text in a partial update.
pub type PatchProse = Patch<PlainProse>;
/// An id of a partial update.
pub type PatchId = Patch<Id>;
/// A count of a partial update.
pub type PatchCount = Patch<Count>;
/// A boolean of a partial update.
pub type PatchFlag = Patch<Flag>;
/// JSON of a partial update.
pub type PatchJson = Patch<JsonText>;
/// An instant of a partial update.
pub type PatchInstant = Patch<Millis>;

impl<T> Patch<T> {
    /// Whether the body says nothing about this field.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Changes `target` if the body mentions the field; returns whether it does.
    pub fn apply<U: From<T>>(&self, target: &mut Option<U>) -> bool
    where
        T: Clone,
    {
        match self {
            Self::Absent => return false,
            Self::Null => *target = None,
            Self::Set(value) => *target = Some(value.clone().into()),
        }
        true
    }

    /// Changes `target` if the body mentions the field, where a value may itself mean "nothing".
    pub fn apply_flat<U>(&self, target: &mut Option<U>) -> bool
    where
        T: Clone,
        Option<U>: From<T>,
    {
        let mut value = Some(None);
        let mentioned = self.apply::<Option<U>>(&mut value);
        if mentioned {
            *target = value.flatten();
        }
        mentioned
    }

    /// Changes `target` if the body holds a value; `null` gives `cleared`. Returns whether the
    /// body mentions the field.
    pub fn apply_or<U: From<T>>(&self, target: &mut U, cleared: U) -> bool
    where
        T: Clone,
    {
        match self {
            Self::Absent => return false,
            Self::Null => *target = cleared,
            Self::Set(value) => *target = value.clone().into(),
        }
        true
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer)
            .map(|value: Option<T>| value.map_or(Self::Null, Self::Set))
    }
}

macro_rules! into {
    ($($from:ty => $to:ty),*) => {
        $(impl From<$from> for $to { fn from(value: $from) -> Self { value.0 } })*
    };
}
into!(Plain => String, PlainProse => String, Flag => bool, Count => i64);
into!(Id => Option<String>, JsonText => Option<String>);

impl AsRef<str> for Plain {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for PlainProse {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

macro_rules! from_text {
    ($($to:ident),*) => {
        $(impl From<&str> for $to {
            fn from(text: &str) -> Self { Self(Some(text.to_owned())) }
        }
        impl From<String> for $to {
            fn from(text: String) -> Self { Self(Some(text)) }
        })*
    };
}
from_text!(Text, Prose, Id, JsonText);

impl From<i64> for PatchCount {
    fn from(number: i64) -> Self {
        Self::Set(Count(number))
    }
}

/// Any scalar a client may send where text or a number is wanted.
enum Scalar<'de> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'de, str>),
}

impl Scalar<'_> {
    fn is_falsy(&self) -> bool {
        match self {
            Self::Null | Self::Bool(false) | Self::Int(0) => true,
            Self::Float(number) => *number == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::Bool(true) | Self::Int(_) => false,
        }
    }

    /// The whole number this is, if it is one that every backend can hold.
    fn whole(&self) -> Option<i64> {
        match *self {
            Self::Int(number) => (-INTEGER_MAX..=INTEGER_MAX).contains(&number).then_some(number),
            #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
            #[expect(clippy::cast_precision_loss, reason = "the bound is exact in a double")]
            Self::Float(number) => (number.fract() == 0.0 && number.abs() <= INTEGER_MAX as f64)
                .then_some(number as i64),
            _ => None,
        }
    }

    fn refuse<E: de::Error>(&self, wanted: &'static str) -> E {
        let found = match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Int(value) => Unexpected::Signed(*value),
            Self::Float(value) => Unexpected::Float(*value),
            // The text itself may be long or private.
            Self::Text(_) => Unexpected::Other("this text"),
        };
        E::invalid_type(found, &wanted)
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Scalar<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("text")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Scalar::Null)
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Scalar::Bool(value))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Scalar::Int(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Scalar::Int(i64::try_from(value).unwrap_or(i64::MAX)))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Scalar::Float(value))
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                self.visit_string(text.to_owned())
            }
            fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A name without NUL.
fn named<E: de::Error>(text: Cow<'_, str>) -> Result<String, E> {
    if text.contains('\0') {
        return Err(E::custom("text must not contain NUL"));
    }
    Ok(text.into_owned())
}

/// Free text, without NUL.
fn written(text: Cow<'_, str>) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.into_owned() }
}

/// JSON that came as text, without NUL and without halves of surrogate pairs.
pub(crate) fn json_text(text: String) -> String {
    written(mended_text(text).into())
}

/// The text of a scalar that is none of the falsy ones.
fn optional_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'de, str>>, D::Error> {
    match Scalar::deserialize(deserializer)? {
        scalar if scalar.is_falsy() => Ok(None),
        Scalar::Text(text) => Ok(Some(text)),
        other => Err(other.refuse("text")),
    }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    match Scalar::deserialize(deserializer)? {
        Scalar::Text(text) => Ok(text),
        other => Err(other.refuse("text")),
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        optional_text(deserializer)?.map(named).transpose().map(Self)
    }
}

impl<'de> Deserialize<'de> for Prose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(optional_text(deserializer)?.map(written)))
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        named(text(deserializer)?).map(Self)
    }
}

impl<'de> Deserialize<'de> for PlainProse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer).map(|text| Self(written(text)))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scalar = Scalar::deserialize(deserializer)?;
        if scalar.is_falsy() {
            return Ok(Self(None));
        }
        if let Some(number) = scalar.whole() {
            return Ok(Self(Some(number.to_string())));
        }
        match scalar {
            Scalar::Text(text) => named(text).map(|id| Self(Some(id))),
            other => Err(other.refuse("text or a whole number")),
        }
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scalar = Scalar::deserialize(deserializer)?;
        if scalar.is_falsy() {
            return Ok(Self(None));
        }
        instant(&scalar).map(|at| Self(Some(at)))
    }
}

/// Reads ISO 8601 text, or a whole number of milliseconds since 1970.
impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        instant(&Scalar::deserialize(deserializer)?)
    }
}

/// Reads an instant that is kept as its text: a number of milliseconds becomes ISO 8601, and text
/// is taken as it is.
pub(crate) fn instant_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    match Scalar::deserialize(deserializer)? {
        scalar if scalar.is_falsy() => Ok(Text(None)),
        Scalar::Text(text) => named(text).map(|text| Text(Some(text))),
        number => instant(&number).map(|at: Millis| at.to_iso().into()),
    }
}

fn instant<E: de::Error>(scalar: &Scalar<'_>) -> Result<Millis, E> {
    #[expect(clippy::cast_precision_loss, reason = "compared with a bound far from the loss")]
    let number = match *scalar {
        Scalar::Int(number) => number as f64,
        Scalar::Float(number) => number,
        _ => 0.0,
    };
    // Many languages count seconds: taken for milliseconds, any of our times would be in 1970.
    if number > 0.0 && number < MILLISECONDS_MIN {
        return Err(E::custom(format!(
            "a number is read as milliseconds since 1970, and {number} is too small for that: \
             multiply seconds by 1000, or send ISO 8601 text"
        )));
    }
    let instant = match scalar {
        Scalar::Text(text) => Millis::parse(text),
        other => other.whole().and_then(Millis::in_range),
    };
    instant.ok_or_else(|| scalar.refuse("an ISO 8601 date and time"))
}

/// Reads an optional field leniently: a value of a wrong type counts as absent.
pub(crate) fn lenient<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: DeserializeOwned + Default,
    D: Deserializer<'de>,
{
    let value = Value::deserialize(deserializer)?;
    Ok(T::deserialize(value).unwrap_or_default())
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Scalar::deserialize(deserializer)? {
            Scalar::Text(text) if text.eq_ignore_ascii_case("true") => Ok(Self(true)),
            Scalar::Text(text) if text.eq_ignore_ascii_case("false") => Ok(Self(false)),
            Scalar::Bool(true) => Ok(Self(true)),
            scalar if scalar.whole() == Some(1) => Ok(Self(true)),
            scalar if scalar.is_falsy() => Ok(Self(false)),
            other => Err(other.refuse("true or false")),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scalar = Scalar::deserialize(deserializer)?;
        match scalar.whole() {
            Some(number) if number >= 0 => Ok(Self(number)),
            None if matches!(scalar, Scalar::Null) => Ok(Self(0)),
            _ => Err(scalar.refuse("a whole number from 0")),
        }
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null | Value::Bool(false) => Ok(Self(None)),
            Value::String(text) if text.is_empty() => Ok(Self(None)),
            Value::String(text) => Ok(Self(Some(json_text(text)))),
            // Clients iterate these fields: nothing is safer for them than an empty list's text.
            Value::Array(items) if items.is_empty() => Ok(Self(None)),
            value @ (Value::Array(_) | Value::Object(_)) => Ok(Self(Some(value.to_string()))),
            Value::Bool(true) => Err(de::Error::invalid_type(Unexpected::Bool(true), &"JSON")),
            Value::Number(_) => Err(de::Error::invalid_type(Unexpected::Other("number"), &"JSON")),
        }
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Texts;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("text or a list of texts")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Texts, E> {
                Ok(Texts::default())
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Texts, E> {
                if value {
                    Err(E::invalid_type(Unexpected::Bool(value), &self))
                } else {
                    Ok(Texts::default())
                }
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Texts, E> {
                let text = named(text.into())?;
                Ok(Texts(if text.is_empty() { vec![] } else { vec![text] }))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(Plain(text)) = items.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
#[path = "input_tests.rs"]
mod tests;
