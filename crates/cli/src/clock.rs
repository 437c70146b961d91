//! The clock of this machine, and what is said in its terms.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use octopoid_domain::{Millis, input::Count};
pub(crate) use octopoid_runner::clock::{now, pause};
use octopoid_server::duration;

/// Waits if a server that was asked to wait answered within a second: one that cannot wait answers
/// at once, and is not asked without a pause.
pub(crate) async fn pause_if_early(asked: Millis, length: Duration) {
    if now().0 - asked.0 < 1000 {
        pause(length).await;
    }
}

/// Reads an instant: one of ISO 8601, or a duration from now.
pub(crate) fn instant(text: &str) -> Result<Millis, String> {
    if let Some(instant) = Millis::parse(text) {
        return Ok(instant);
    }
    let from_now = duration(text).map_err(
        |_| "neither an instant, such as 2026-12-24T18:00:00Z, nor a duration from now, such as 2h",
    )?;
    Ok(now().plus(i64::try_from(from_now.as_millis()).unwrap_or(i64::MAX)))
}

/// A duration for a body that has whole seconds. A part of a second counts as one, so that what is
/// asked for lasts at least as long.
pub(crate) fn seconds(length: Duration) -> Count {
    Count(i64::try_from(length.as_millis().div_ceil(1000)).unwrap_or(i64::MAX))
}

/// The time of day of an instant, in the time zone of this machine: `14:02:11`.
pub(crate) fn time_of_day(instant: Millis) -> String {
    time_of_day_in(instant, TimeZone::system())
}

fn time_of_day_in(instant: Millis, zone: TimeZone) -> String {
    let timestamp = Timestamp::from_millisecond(instant.0).unwrap_or_default();
    timestamp.to_zoned(zone).strftime("%H:%M:%S").to_string()
}

/// How long ago an instant was, or how far away it is: `6 min ago`, `in 2 h`.
pub(crate) fn relative(instant: Millis, now: Millis) -> String {
    let ms = now.0.saturating_sub(instant.0);
    let length = length(ms.unsigned_abs());
    if ms >= 0 { format!("{length} ago") } else { format!("in {length}") }
}

/// A length of time in its largest unit.
fn length(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;
    use octopoid_domain::Millis;

    use super::{
        Count, Duration, TimeZone, duration, instant, now, relative, seconds, time_of_day_in,
    };

    #[test]
    fn a_part_of_a_second_counts_as_one() {
        for (ms, whole) in [(0, 0), (1, 1), (500, 1), (1_000, 1), (1_001, 2)] {
            assert_eq!(seconds(Duration::from_millis(ms)), Count(whole), "{ms}");
        }
    }

    #[test]
    fn times_are_told_in_their_largest_unit() {
        let now = Millis(1_000_000_000);
        for (ms, text) in [
            (0, "0 s ago"),
            (59_999, "59 s ago"),
            (60_000, "1 min ago"),
            (7_200_000, "2 h ago"),
            (259_200_000, "3 d ago"),
            (-90_000, "in 1 min"),
        ] {
            assert_eq!(relative(now.plus(-ms), now), text);
        }
    }

    #[test]
    fn the_time_of_day_is_that_of_a_time_zone() {
        let at = Millis::parse("2026-11-26T23:02:11.5Z").unwrap();
        let east = TimeZone::fixed(Offset::constant(2));
        assert_eq!(time_of_day_in(at, TimeZone::UTC), "23:02:11");
        assert_eq!(time_of_day_in(at, east), "01:02:11");
    }

    #[test]
    fn an_instant_is_given_by_itself_or_from_now() {
        assert_eq!(instant("1970-01-01T00:00:01Z"), Ok(Millis(1000)));
        assert!(instant("2h").unwrap() > now().plus(7_000_000));
        assert!(instant("soon").unwrap_err().contains("such as 2h"));
        assert!(duration("-1s").is_err());
    }
}
