//! Why runs fail, and what follows from it.

use crate::{refusal::Refusal, text::shown};

/// How often an attempt may fail, where the task does not say.
pub const ATTEMPTS_MAX_DEFAULT: i64 = 3;
/// The largest number of attempts that a task may allow.
pub const ATTEMPTS_MAX: i64 = 100;
/// After so many failures of the environment in a row a person is asked.
pub const SETBACKS_MAX: i64 = 10;
/// The longest delay that a failure may ask for: providers reset their limits within a week.
pub const DELAY_MS_MAX: i64 = 8 * 86_400_000;

/// The marker in `blocked_by` of a task that waits for a person's answer.
pub const AWAITING_INPUT: &str = "awaiting-input";

/// What a failure means for the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The agent gives the task back; it is claimable at once.
    Returned,
    /// The agent's surroundings failed; the task is tried later, and nothing is counted.
    Environment,
    /// The attempt failed, and is counted.
    Attempt,
    /// Another attempt would fail as well.
    Final,
    /// The agent needs an answer from a person.
    Ask,
}

/// A reason that agents may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The word on the wire.
    pub name: &'static str,
    /// What it means for the task.
    pub class: Class,
    /// Whether it may pause a pool.
    pub is_of_provider: bool,
}

const fn reason(name: &'static str, class: Class) -> Reason {
    Reason { name, class, is_of_provider: false }
}

const fn of_provider(name: &'static str) -> Reason {
    Reason { name, class: Class::Environment, is_of_provider: true }
}

/// The agent stopped because the task is cancelled.
pub const CANCELLED: &str = "cancelled";

/// All reasons.
pub const REASONS: [Reason; 24] = {
    use Class::{Ask, Attempt, Environment, Final, Returned};
    [
        reason("drained", Returned),
        reason(CANCELLED, Returned),
        of_provider("provider_limit"),
        of_provider("provider_auth"),
        of_provider("provider_quota"),
        reason("provider_error", Environment),
        reason("network", Environment),
        reason("missing_tool", Environment),
        reason("bad_config", Environment),
        reason("worktree_error", Environment),
        reason("setup_failed", Environment),
        reason("empty_output", Attempt),
        reason("no_change", Attempt),
        reason("stalled", Attempt),
        reason("timeout", Attempt),
        reason("oom", Attempt),
        reason("crash", Attempt),
        reason("check_failed", Attempt),
        reason("other", Attempt),
        reason("turn_limit", Final),
        reason("budget", Final),
        reason("context_overflow", Final),
        reason("needs_input", Ask),
        reason("blocked", Ask),
    ]
};

impl Reason {
    /// The reason with this name. An unknown one is refused.
    pub fn parse(name: &str) -> Result<Self, Refusal> {
        let known = REASONS.iter().find(|reason| reason.name == name);
        known.copied().ok_or_else(|| {
            let names: Vec<_> = REASONS.iter().map(|reason| reason.name).collect();
            let (name, names) = (shown(name), names.join(", "));
            Refusal::invalid(format!("Unknown reason \"{name}\". Valid reasons: {names}"))
        })
    }
}

/// The base of the delay after failures of the environment.
const ENVIRONMENT_MS: i64 = 30_000;
/// The base of the delay after failed attempts and lapses.
const ATTEMPT_MS: i64 = 10_000;
/// The longest delay that the server chooses.
const BACKOFF_MS_MAX: i64 = 600_000;

/// The delay after the failure of the environment number `nth` in a row, from 1.
pub fn environment_delay_ms(nth: i64) -> i64 {
    backoff_ms(ENVIRONMENT_MS, nth)
}

/// The delay after the failed attempt number `nth`, from 1. `chance` spreads tasks that failed
/// together: up to a fifth is added.
pub fn attempt_delay_ms(nth: i64, chance: u64) -> i64 {
    let delay = backoff_ms(ATTEMPT_MS, nth);
    let fifth = u64::try_from(delay / 5).unwrap_or_default().max(1);
    delay + i64::try_from(chance % fifth).unwrap_or_default()
}

fn backoff_ms(base: i64, nth: i64) -> i64 {
    let doublings = u32::try_from(nth.clamp(1, 20) - 1).unwrap_or_default();
    base.saturating_mul(1 << doublings).min(BACKOFF_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::{Class, REASONS, Reason, attempt_delay_ms, environment_delay_ms};

    #[test]
    fn an_unknown_reason_is_refused_with_the_known_ones() {
        for reason in REASONS {
            assert_eq!(Reason::parse(reason.name), Ok(reason));
            assert!(!reason.is_of_provider || reason.class == Class::Environment);
        }
        let text = Reason::parse("lease_lost").unwrap_err().to_string();
        assert!(
            text.starts_with("Unknown reason \"lease_lost\". Valid reasons: drained, "),
            "{text}"
        );
        assert!(text.ends_with(", needs_input, blocked"), "{text}");
    }

    #[test]
    fn delays_double_up_to_ten_minutes() {
        let environment = [1, 2, 3, 5, 6, 100].map(environment_delay_ms);
        assert_eq!(environment, [30_000, 60_000, 120_000, 480_000, 600_000, 600_000]);
        for (nth, least) in [(1, 10_000), (2, 20_000), (7, 600_000), (i64::MAX, 600_000)] {
            for chance in [0, 1, 1_999, u64::MAX] {
                let delay = attempt_delay_ms(nth, chance);
                assert!((least..least + least / 5).contains(&delay), "{nth} {chance}: {delay}");
            }
        }
    }
}
