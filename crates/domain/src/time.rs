//! Instants. Stored as integer milliseconds, read and written as text at the edges.
//!
//! Nothing here reads a clock: "now" is always an argument.

use jiff::{Timestamp, civil, fmt::temporal::DateTimePrinter, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since 1970-01-01T00:00:00Z, up to a day before the year 10000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

/// 9999-12-30T21:59:59.999Z: later instants would leave the year 9999 in some time zone.
const LAST: i64 = 253_402_207_199_999;

const ISO: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
const SECONDS: DateTimePrinter = DateTimePrinter::new().separator(b' ').precision(Some(0));

impl Millis {
    /// `YYYY-MM-DDTHH:MM:SS.mmmZ`, which the clients parse as an aware time.
    pub fn to_iso(self) -> String {
        let mut text = String::with_capacity(24);
        ISO.print_timestamp(&self.timestamp(), &mut text).expect("a String takes any text");
        text
    }

    /// `YYYY-MM-DD HH:MM:SS`, the database text of the first server, which v1 keeps for some fields.
    pub fn to_seconds(self) -> String {
        let mut text = String::with_capacity(19);
        let civil = TimeZone::UTC.to_datetime(self.timestamp());
        SECONDS.print_datetime(&civil, &mut text).expect("a String takes any text");
        text
    }

    /// Reads any ISO 8601 instant; text without a zone is UTC. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let timestamp = match text.parse::<Timestamp>() {
            Ok(timestamp) => timestamp,
            Err(_) => TimeZone::UTC.to_timestamp(text.parse::<civil::DateTime>().ok()?).ok()?,
        };
        Self::in_range(timestamp.as_millisecond())
    }

    /// This instant if the text formats can show it.
    pub fn in_range(ms: i64) -> Option<Self> {
        (0..=LAST).contains(&ms).then_some(Self(ms))
    }

    /// This instant moved by a number of milliseconds, held inside the range of the text formats.
    #[must_use]
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms).clamp(0, LAST))
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0.clamp(0, LAST)).expect("the clamped range is jiff's too")
    }
}

/// Instants that v1 shows as `YYYY-MM-DDTHH:MM:SS.mmmZ`: the default form.
impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_iso())
    }
}

/// Accepts ISO 8601 text, or a whole number of milliseconds since 1970.
impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Millis;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an ISO 8601 date and time")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Millis, E> {
                Millis::parse(text)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_i64<E: de::Error>(self, ms: i64) -> Result<Millis, E> {
                Millis::in_range(ms)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Signed(ms), &self))
            }

            fn visit_u64<E: de::Error>(self, ms: u64) -> Result<Millis, E> {
                i64::try_from(ms)
                    .ok()
                    .and_then(Millis::in_range)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(ms), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// `serde(with)` for the instants that v1 shows as `YYYY-MM-DD HH:MM:SS`.
pub mod seconds {
    use super::{Deserialize, Deserializer, Millis, Serializer};

    /// Writes the text form.
    pub fn serialize<S: Serializer>(at: &Millis, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&at.to_seconds())
    }

    /// Reads any form that [`Millis`] reads.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Millis, D::Error> {
        Millis::deserialize(deserializer)
    }
}

/// `serde(with)` for optional instants that v1 shows as `YYYY-MM-DD HH:MM:SS`.
pub mod seconds_or_null {
    use super::{Deserialize, Deserializer, Millis, Serializer};

    /// Writes the text form or `null`.
    pub fn serialize<S: Serializer>(at: &Option<Millis>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.serialize_str(&at.to_seconds()),
            None => serializer.serialize_none(),
        }
    }

    /// Reads any form that [`Millis`] reads, or `null`.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Millis>, D::Error> {
        Option::<Millis>::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::Millis;

    #[test]
    fn both_text_forms_show_the_same_instant() {
        let at = Millis(1_795_294_738_605);
        assert_eq!(at.to_iso(), "2026-11-21T20:58:58.605Z");
        assert_eq!(at.to_seconds(), "2026-11-21 20:58:58");
        assert_eq!(Millis(0).to_iso(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Millis(super::LAST).to_iso(), "9999-12-30T21:59:59.999Z");
    }

    #[test]
    fn every_form_the_clients_send_is_read() {
        let expected = Some(Millis(1_772_445_600_123));
        for text in [
            "2026-03-02T10:00:00.123456+00:00",
            "2026-03-02T10:00:00.123Z",
            "2026-03-02T12:00:00.123+02:00",
            "2026-03-02T10:00:00.123",
            "2026-03-02 10:00:00.123",
        ] {
            assert_eq!(Millis::parse(text), expected, "{text}");
        }
        assert_eq!(Millis::parse("2026-03-02 10:00:00"), Some(Millis(1_772_445_600_000)));
        assert_eq!(Millis::parse("2026-03-02"), Some(Millis(1_772_409_600_000)));
        for text in ["", "not a time", "2026", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z"] {
            assert_eq!(Millis::parse(text), None, "{text}");
        }
    }
}
