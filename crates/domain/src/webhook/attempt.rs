//! What follows from an attempt to send a message.

use crate::{time::Millis, words::words};

/// The delay after the first failure, in milliseconds. It doubles with each failure that follows.
const FIRST_DELAY_MS: i64 = 5_000;
/// The longest delay: an hour.
const DELAY_MS_MAX: i64 = 60 * 60 * 1_000;
/// A webhook that has failed for so long is disabled: three days.
pub const FAILING_MS_MAX: i64 = 3 * 24 * 60 * 60 * 1_000;
/// How long an attempt may take, in milliseconds.
pub const ATTEMPT_MS_MAX: i64 = 10_000;
/// The most bytes of an error that is stored.
pub const ERROR_BYTES_MAX: usize = 300;
/// The status of an address that is gone for good.
const GONE: i64 = 410;

words!(
    /// How an attempt to send a message ended.
    DeliveryResult {
        /// The receiver has taken it.
        Delivered = "delivered",
        /// It will be sent again, as long as the webhook is enabled.
        Failed = "failed",
    }
);

/// How an attempt ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The status of the response, if there was one.
    pub status: Option<i64>,
    /// Why there was none.
    pub error: Option<String>,
    /// How long the receiver asks to wait.
    pub retry_after_seconds: Option<i64>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
}

/// What a failure leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Another attempt at this time.
    Retry(Millis),
    /// No more attempts, for this reason.
    Disable(String),
}

/// The seconds that a `Retry-After` header asks to wait. One with a date asks for nothing.
pub fn retry_after_seconds(header: &str) -> Option<i64> {
    header.parse().ok().filter(|seconds| *seconds >= 0)
}

impl Attempt {
    /// An attempt that got no response.
    pub fn failed(error: impl Into<String>, duration_ms: i64) -> Self {
        Self { error: Some(error.into()), duration_ms, ..Self::default() }
    }

    /// How it ended.
    pub fn result(&self) -> DeliveryResult {
        match self.status {
            Some(200..=299) => DeliveryResult::Delivered,
            _ => DeliveryResult::Failed,
        }
    }

    /// Why it failed, as it is stored.
    pub fn why(&self) -> Option<String> {
        match (self.result(), &self.error, self.status) {
            (DeliveryResult::Delivered, ..) => None,
            (_, Some(error), _) => Some(crate::text::cut(error, ERROR_BYTES_MAX).to_owned()),
            (_, None, Some(status @ 300..=399)) => {
                Some(format!("The response has the status {status}: redirects are not followed"))
            }
            (_, None, Some(status)) => Some(format!("The response has the status {status}")),
            (_, None, None) => Some("There was no response".to_owned()),
        }
    }

    /// What follows from a failure, which is the `attempts`-th in a row since `failing_since`.
    /// `random` spreads the attempts of webhooks that failed together.
    pub fn consequence(
        &self,
        attempts: i64,
        failing_since: Millis,
        now: Millis,
        random: u64,
    ) -> Consequence {
        if self.status == Some(GONE) {
            return Consequence::Disable("The receiver is gone: it answered with 410".to_owned());
        }
        if now.0.saturating_sub(failing_since.0) >= FAILING_MS_MAX {
            let why = self.why().unwrap_or_default();
            return Consequence::Disable(format!("No attempt succeeded for three days. {why}"));
        }
        let asked = self.retry_after_seconds.unwrap_or_default().saturating_mul(1_000);
        let delay = delay_ms(attempts, random).max(asked.min(DELAY_MS_MAX));
        Consequence::Retry(now.plus(delay))
    }
}

/// The delay after so many failures in a row: from three quarters of its length to all of it.
fn delay_ms(attempts: i64, random: u64) -> i64 {
    let doublings = u32::try_from((attempts - 1).clamp(0, 20)).unwrap_or_default();
    let delay = (FIRST_DELAY_MS << doublings).min(DELAY_MS_MAX);
    let spread = delay / 4;
    delay - i64::try_from(random % (spread.unsigned_abs() + 1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Consequence, DeliveryResult, FAILING_MS_MAX, delay_ms};
    use crate::time::Millis;

    const NOW: Millis = Millis(1_795_294_738_605);

    fn status(status: i64) -> Attempt {
        Attempt { status: Some(status), ..Attempt::default() }
    }

    #[test]
    fn only_a_status_of_success_is_a_delivery() {
        for (code, result) in [
            (199, DeliveryResult::Failed),
            (200, DeliveryResult::Delivered),
            (299, DeliveryResult::Delivered),
            (302, DeliveryResult::Failed),
            (404, DeliveryResult::Failed),
            (500, DeliveryResult::Failed),
        ] {
            assert_eq!(status(code).result(), result, "{code}");
        }
        assert_eq!(status(204).why(), None);
        assert_eq!(status(500).why().unwrap(), "The response has the status 500");
        let redirect = "The response has the status 302: redirects are not followed";
        assert_eq!(status(302).why().unwrap(), redirect);
        let long = Attempt::failed("ü".repeat(1_000), 7);
        assert_eq!((long.why().unwrap().len(), long.duration_ms), (300, 7));
    }

    #[test]
    fn delays_double_up_to_an_hour_and_are_spread() {
        let least = |attempts| delay_ms(attempts, u64::MAX - u64::MAX % 1_000_000_007);
        for (attempts, delay) in [
            (1, 5_000),
            (2, 10_000),
            (3, 20_000),
            (10, 2_560_000),
            (11, 3_600_000),
            (99, 3_600_000),
        ] {
            assert_eq!(delay_ms(attempts, 0), delay, "{attempts}");
            assert!((delay - delay / 4..=delay).contains(&least(attempts)), "{attempts}");
        }
        assert_eq!(delay_ms(1, 1_250), 3_750);
        assert_eq!(delay_ms(1, 1_251), 5_000);
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_delay() {
        let busy = Attempt { retry_after_seconds: Some(60), ..status(429) };
        assert_eq!(busy.consequence(1, NOW, NOW, 0), Consequence::Retry(NOW.plus(60_000)));
        let ages = Attempt { retry_after_seconds: Some(i64::MAX), ..status(503) };
        assert_eq!(ages.consequence(1, NOW, NOW, 0), Consequence::Retry(NOW.plus(3_600_000)));
    }

    #[test]
    fn three_days_of_failure_or_a_receiver_that_is_gone_end_the_attempts() {
        let since = NOW.plus(1 - FAILING_MS_MAX);
        let tried = status(500).consequence(80, since, NOW, 0);
        assert_eq!(tried, Consequence::Retry(NOW.plus(3_600_000)));
        let text = "No attempt succeeded for three days. The response has the status 500";
        let tried = status(500).consequence(81, since.plus(-1), NOW, 0);
        assert_eq!(tried, Consequence::Disable(text.to_owned()));
        let gone = status(410).consequence(1, NOW, NOW, 0);
        assert!(matches!(gone, Consequence::Disable(why) if why.contains("gone")));
    }
}
