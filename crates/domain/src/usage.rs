//! What runs use: tokens, money and time.

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;
use utoipa::ToSchema;

use crate::input::{INTEGER_MAX, Text};

/// The decimal places that are kept of an amount of money.
const PLACES: usize = 12;
/// A millionth of a dollar in units of the last decimal place.
const UNITS_PER_MICRO: i128 = 1_000_000;
/// The digits before the decimal point of an amount of money.
const WHOLE_DIGITS_MAX: usize = 15;
/// Bytes of a model's name.
const MODEL_BYTES_MAX: usize = 512;

/// What a run, or all runs of a task, have used. `null` means unknown, never 0. Reports are
/// cumulative within a run: the latest counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Usage {
    /// Input tokens that were not cached.
    #[serde(deserialize_with = "whole")]
    pub input_tokens: Option<i64>,
    /// Input tokens that were cached.
    #[serde(deserialize_with = "whole")]
    pub cached_tokens: Option<i64>,
    /// Output tokens.
    #[serde(deserialize_with = "whole")]
    pub output_tokens: Option<i64>,
    /// The cost in US dollars, as a decimal number in text.
    #[serde(deserialize_with = "decimal")]
    pub cost_usd: Option<String>,
    /// Turns of the agent.
    #[serde(deserialize_with = "whole")]
    pub turns: Option<i64>,
    /// The model; of several, the last.
    #[serde(deserialize_with = "name")]
    pub model: Option<String>,
    /// Elapsed time in seconds.
    #[serde(deserialize_with = "whole")]
    pub wall_seconds: Option<i64>,
}

impl Usage {
    /// Reads what [`Self::text`] wrote. Several such texts, with spaces between them, are their sum.
    /// Other text is no usage.
    pub fn stored(text: &str) -> Self {
        let parts = serde_json::Deserializer::from_str(text).into_iter::<Self>();
        parts.map_while(Result::ok).fold(Self::default(), |sum, part| sum.plus(&part))
    }

    /// The JSON text that is stored.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The sum. A part that is unknown in one of them is what the other says.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.combined(other, i128::saturating_add)
    }

    /// What is left without a part of the sum. Nothing left is unknown, because a sum of unknown
    /// parts is unknown.
    #[must_use]
    pub fn minus(&self, part: &Self) -> Self {
        let mut rest = self.combined(part, |sum, part| sum.saturating_sub(part).max(0));
        for count in [
            &mut rest.input_tokens,
            &mut rest.cached_tokens,
            &mut rest.output_tokens,
            &mut rest.turns,
            &mut rest.wall_seconds,
        ] {
            *count = count.filter(|count| *count > 0);
        }
        rest.cost_usd = rest.cost_usd.filter(|cost| cost != "0");
        rest
    }

    fn combined(&self, other: &Self, combine: fn(i128, i128) -> i128) -> Self {
        let pick = |a: Option<i128>, b: Option<i128>| match (a, b) {
            (Some(a), Some(b)) => Some(combine(a, b)),
            (a, b) => a.or(b),
        };
        let count = |a: Option<i64>, b: Option<i64>| {
            let sum = pick(a.map(i128::from), b.map(i128::from))?;
            Some(i64::try_from(sum).unwrap_or(INTEGER_MAX).min(INTEGER_MAX))
        };
        let units = |cost: &Option<String>| cost.as_deref().and_then(units);
        Self {
            input_tokens: count(self.input_tokens, other.input_tokens),
            cached_tokens: count(self.cached_tokens, other.cached_tokens),
            output_tokens: count(self.output_tokens, other.output_tokens),
            cost_usd: pick(units(&self.cost_usd), units(&other.cost_usd)).map(shown_units),
            turns: count(self.turns, other.turns),
            model: other.model.clone().or_else(|| self.model.clone()),
            wall_seconds: count(self.wall_seconds, other.wall_seconds),
        }
    }
}

/// An amount in units of the last decimal place that is kept.
fn units(text: &str) -> Option<i128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > WHOLE_DIGITS_MAX || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let kept = &part[..part.len().min(PLACES)];
    format!("{whole}{kept:0<PLACES$}").parse().ok()
}

/// The cost in stored usage in millionths of a US dollar, as far as it is known. Of several texts it
/// is that of the first: the cost of the others is counted when they are added up.
pub fn cost_micros(stored: Option<&str>) -> i64 {
    let first = |text| serde_json::Deserializer::from_str(text).into_iter::<Usage>().next();
    let cost = stored.and_then(first).and_then(Result::ok).and_then(|usage| usage.cost_usd);
    let micros = cost.as_deref().and_then(units).unwrap_or_default() / UNITS_PER_MICRO;
    i64::try_from(micros).unwrap_or(INTEGER_MAX).min(INTEGER_MAX)
}

/// An amount in millionths of a US dollar as a decimal number.
pub fn shown_micros(micros: i64) -> String {
    shown_units(i128::from(micros.max(0)) * UNITS_PER_MICRO)
}

fn shown_units(units: i128) -> String {
    let digits = format!("{units:0>width$}", width = PLACES + 1);
    let (whole, part) = digits.split_at(digits.len() - PLACES);
    let part = part.trim_end_matches('0');
    if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
}

/// A whole number from 0. A fraction is rounded: some tools count seconds in fractions.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let refused = || D::Error::custom("expected a number from 0, or null");
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| *number >= 0.0).ok_or_else(refused)?;
            #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
            Ok(Some((number.round() as i64).min(INTEGER_MAX)))
        }
        _ => Err(refused()),
    }
}

/// A decimal number, as text or as a number.
fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        Value::String(text) => text,
        // Small amounts are written with an exponent.
        Value::Number(number) => {
            number.as_f64().map(|cost| format!("{cost:.PLACES$}")).unwrap_or_default()
        }
        _ => String::new(),
    };
    let refused =
        || D::Error::custom("expected a decimal number from 0 in text, such as \"0.0125\"");
    units(&text).map(shown_units).map(Some).ok_or_else(refused)
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Text(name) = Text::deserialize(deserializer)?;
    if name.as_ref().is_some_and(|name| name.len() > MODEL_BYTES_MAX) {
        return Err(D::Error::custom(format!("too long: at most {MODEL_BYTES_MAX} bytes")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::{Usage, cost_micros};
    use serde_json::json;

    fn usage(value: serde_json::Value) -> Usage {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn unknown_is_not_zero() {
        let one = usage(json!({"input_tokens": 5, "cost_usd": "0.10", "model": "a"}));
        let two = usage(json!({"input_tokens": 7, "output_tokens": 1, "cost_usd": 0.025}));
        let sum = one.plus(&two);
        assert_eq!((sum.input_tokens, sum.output_tokens), (Some(12), Some(1)));
        assert_eq!((sum.cached_tokens, sum.turns, sum.wall_seconds), (None, None, None));
        assert_eq!(sum.cost_usd.as_deref(), Some("0.125"));
        assert_eq!(sum.model.as_deref(), Some("a"));
        assert_eq!(Usage::stored(&sum.text()), sum);
    }

    #[test]
    fn stored_texts_are_added_up_and_the_first_was_counted() {
        let one = usage(json!({"turns": 5, "cost_usd": "0.1", "model": "a"}));
        let two = usage(json!({"turns": 3, "cost_usd": "0.2", "model": "b"}));
        let texts = format!("{} {} {}", one.text(), two.text(), two.text());
        assert_eq!(Usage::stored(&texts), one.plus(&two).plus(&two));
        assert_eq!(cost_micros(Some(&texts)), 100_000);
        assert_eq!(cost_micros(Some(&Usage::stored(&texts).text())), 500_000);
        assert_eq!((Usage::stored(""), Usage::stored("x")), Default::default());
    }

    #[test]
    fn a_part_is_taken_from_the_sum_again() {
        let one = usage(json!({"turns": 5, "cost_usd": "0.1"}));
        let two = usage(json!({"turns": 3, "output_tokens": 9, "cost_usd": "0.2"}));
        let rest = one.plus(&two).minus(&two);
        assert_eq!((rest.turns, rest.output_tokens), (Some(5), None));
        assert_eq!(rest.cost_usd.as_deref(), Some("0.1"));
        assert_eq!(one.minus(&one).cost_usd, None);
    }

    #[test]
    fn amounts_are_decimal() {
        let cost = |value: serde_json::Value| usage(json!({"cost_usd": value})).cost_usd.unwrap();
        assert_eq!(cost(json!("12")), "12");
        assert_eq!(cost(json!("0.100")), "0.1");
        assert_eq!(cost(json!(1e-7)), "0.0000001");
        for bad in [json!("-1"), json!("1e3"), json!(""), json!("1."), json!(".5"), json!(true)] {
            let body = json!({"cost_usd": bad});
            let read = serde_json::from_value::<Usage>(body).is_ok();
            assert_eq!(read, bad == json!("1."), "{bad}");
        }
        assert!(serde_json::from_value::<Usage>(json!({"turns": -1})).is_err());
        assert!(serde_json::from_value::<Usage>(json!({"turns": "1"})).is_err());
        assert_eq!(usage(json!({"wall_seconds": 1.6})).wall_seconds, Some(2));
    }
}
