//! Instants. Stored as integer milliseconds, read and written as text at the edges.
//!
//! Nothing here reads a clock: "now" is always an argument.

use jiff::{
    SignedDuration, ToSpan,
    civil::{DateTime, Time},
    fmt::temporal::{DateTimePrinter, Pieces},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z, up to the end of the year 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

/// Smaller numbers in a body are seconds: as milliseconds they would be before March 1973.
pub const MILLISECONDS_MIN: f64 = 1e11;

/// 9999-12-31T23:59:59.999Z, the last instant that the text forms can show.
const LAST: i64 = 253_402_300_799_999;

/// No place on Earth is further from UTC, and neither PostgreSQL nor Java reads more.
const OFFSET_SECONDS_MAX: i32 = 18 * 60 * 60;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

const ISO: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
const SECONDS: DateTimePrinter = DateTimePrinter::new().separator(b' ').precision(Some(0));

impl Millis {
    /// `YYYY-MM-DDTHH:MM:SS.mmmZ`, which the clients parse as an aware time.
    pub fn to_iso(self) -> String {
        let mut text = String::with_capacity(24);
        ISO.print_datetime(&self.utc(), &mut text).expect("a String takes any text");
        text.push('Z');
        text
    }

    /// `YYYY-MM-DD HH:MM:SS`, the database text of the first server, which v1 keeps for some fields.
    pub fn to_seconds(self) -> String {
        let mut text = String::with_capacity(19);
        SECONDS.print_datetime(&self.utc(), &mut text).expect("a String takes any text");
        text
    }

    /// Reads any ISO 8601 instant from 1970 to 9999; text without a zone is UTC, and 24:00 is the
    /// midnight at the end of the day. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let ends_the_day = ending_the_day(text);
        let pieces = Pieces::parse(ends_the_day.as_deref().unwrap_or(text)).ok()?;
        let time = pieces.time().unwrap_or(Time::midnight());
        let mut local = pieces.date().to_datetime(time);
        if ends_the_day.is_some() {
            if time != Time::midnight() {
                return None;
            }
            local = local.checked_add(1.day()).ok()?;
        }
        let offset = match (pieces.offset(), pieces.time_zone_annotation()) {
            (Some(offset), _) => offset.to_numeric_offset().seconds(),
            (None, None) => 0,
            // The server does not know the rules of time zones.
            (None, Some(_)) => return None,
        };
        if offset.abs() > OFFSET_SECONDS_MAX {
            return None;
        }
        let since = local.duration_since(EPOCH) - SignedDuration::from_secs(offset.into());
        // Towards the past: half a millisecond before 1970 is before 1970.
        if since.is_negative() {
            return None;
        }
        Self::in_range(i64::try_from(since.as_millis()).ok()?)
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

    /// The date and time of day in UTC.
    fn utc(self) -> DateTime {
        let since = SignedDuration::from_millis(self.0.clamp(0, LAST));
        EPOCH.checked_add(since).expect("the clamped range is jiff's too")
    }
}

/// A text whose time of day is 24:00, with 00:00 instead.
fn ending_the_day(text: &str) -> Option<String> {
    let time = text.find(['T', 't', ' '])? + 1;
    let rest = text.get(time..)?.strip_prefix("24")?;
    Some(format!("{}00{rest}", &text[..time]))
}

/// Instants that v1 shows as `YYYY-MM-DDTHH:MM:SS.mmmZ`: the default form.
impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_iso())
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
        assert_eq!(Millis(super::LAST).to_iso(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Millis(super::LAST).to_seconds(), "9999-12-31 23:59:59");
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

    #[test]
    fn offsets_go_to_eighteen_hours() {
        let midnight = Millis::parse("2026-03-02T00:00:00Z").unwrap();
        for (offset, hours) in [("+18:00", -18), ("-18:00", 18), ("+00:00", 0), ("-00:00", 0)] {
            let read = Millis::parse(&format!("2026-03-02T00:00:00{offset}"));
            assert_eq!(read, Some(midnight.plus(hours * 3_600_000)), "{offset}");
        }
        for offset in ["+18:01", "-18:01", "+18:00:01", "+24:00", "-25:59", "+99:00", "+9:00"] {
            assert_eq!(Millis::parse(&format!("2026-03-02T00:00:00{offset}")), None, "{offset}");
        }
        let zoned = "2026-03-02T01:00:00+01:00[Europe/Berlin]";
        assert_eq!(Millis::parse(zoned), Some(midnight));
        assert_eq!(Millis::parse("2026-03-02T01:00:00[Europe/Berlin]"), None);
    }

    #[test]
    fn the_end_of_a_day_is_the_next_midnight() {
        let midnight = Millis::parse("2026-03-01T00:00:00Z");
        for text in [
            "2026-02-28T24:00:00Z",
            "2026-02-28T24:00Z",
            "2026-02-28 24:00:00",
            "2026-02-28t24:00:00.000000z",
            "2026-02-28T24:00:00",
            "2026-02-28T24:00:00+00:00",
        ] {
            assert_eq!(Millis::parse(text), midnight, "{text}");
        }
        for text in ["2026-02-28T24:00:01Z", "2026-02-28T24:01Z", "2026-02-28T25:00:00Z"] {
            assert_eq!(Millis::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_years_from_1970_to_9999_are_read_to_their_ends() {
        let last = Millis(super::LAST - 999);
        assert_eq!(Millis::parse("9999-12-31T23:59:59Z"), Some(last));
        assert_eq!(Millis::parse("9999-12-31 23:59:59"), Some(last));
        assert_eq!(Millis::parse("9999-12-31T18:59:59-05:00"), Some(last));
        assert_eq!(Millis::parse("9999-12-31T23:59:59.999999Z"), Some(Millis(super::LAST)));
        assert_eq!(Millis::parse("1969-12-31T23:00:00-01:00"), Some(Millis(0)));
        for text in [
            "9999-12-31T23:59:59-00:01",
            "9999-12-31T24:00:00Z",
            "10000-01-01T00:00:00Z",
            "1970-01-01T00:00:00+00:01",
            "1969-12-31T23:59:59.9999Z",
            "-9999-01-01T00:00:00Z",
        ] {
            assert_eq!(Millis::parse(text), None, "{text}");
        }
        assert_eq!(last.to_iso(), "9999-12-31T23:59:59.000Z");
    }
}
