//! What a board shows first of a scope.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Millis;

/// So many hours a summary has.
pub const HOURS: i64 = 24;
/// An hour in milliseconds.
pub const HOUR_MS: i64 = 3_600_000;
/// So many waiting tasks are looked at.
pub const LOOK_MAX: i64 = 10_000;
/// So far the things that need a person are counted.
pub const COUNT_MAX: i64 = 1_000;

/// The summary of a scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// The scope.
    pub scope: String,
    /// The time of the summary.
    pub at: Millis,
    /// The number of tasks by queue.
    pub queues: BTreeMap<String, i64>,
    /// The number of tasks that an agent could claim now.
    pub claimable: i64,
    /// The number of unfinished tasks outside of `claimed` by the code of the first reason why they
    /// wait.
    pub waiting: BTreeMap<String, i64>,
    /// By unfinished queue, since when the task in it waits that waits longest: in `claimed` since
    /// its claim, in `provisional` since it was submitted, elsewhere since its last change.
    #[serde(default)]
    #[schema(required = true)]
    pub oldest: BTreeMap<String, Millis>,
    /// The number of unfinished tasks by role; those without a role under the empty name.
    #[serde(default)]
    #[schema(required = true)]
    pub roles: BTreeMap<String, i64>,
    /// The number of unfinished tasks by priority; those without a priority under the empty name.
    #[serde(default)]
    #[schema(required = true)]
    pub priorities: BTreeMap<String, i64>,
    /// Whether there are more than 10,000 unfinished tasks outside of `claimed`, or more than 10,000
    /// in it. Then `claimable`, `waiting`, `oldest`, `roles` and `priorities` are of only so many of
    /// them.
    pub is_partial: bool,
    /// The runs in progress.
    pub running: RunningCounts,
    /// What needs a person.
    pub needs_person: PersonCounts,
    /// The last 24 hours, the current one last.
    pub hours: Vec<HourCounts>,
}

/// The number of runs in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningCounts {
    /// For work.
    pub work: i64,
    /// For reviews.
    pub review: i64,
}

/// The number of things that need a person; of each, at most 1,000 are counted. Actions are counted
/// among the newest 10,000 that were proposed and not executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonCounts {
    /// Open questions.
    pub questions: i64,
    /// Other actions that are proposed.
    pub actions: i64,
    /// Unfinished tasks with `needs_intervention`.
    pub interventions: i64,
    /// Tasks in `provisional`.
    pub provisional: i64,
}

/// What happened in an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HourCounts {
    /// When the hour began.
    pub hour: Millis,
    /// The number of tasks that were done.
    pub done: i64,
    /// The number of tasks that failed.
    pub failed: i64,
    /// The known cost of the runs that ended, in US dollars.
    pub cost_usd: String,
}

/// The number of the hour that an instant is in, from 1970.
pub fn hour_of(at: Millis) -> i64 {
    at.0 / HOUR_MS
}

/// The hours of a summary, the oldest first. `counted` are those in which something was counted:
/// the number of the hour, tasks done, tasks failed and cost in millionths.
pub fn hours(now: Millis, counted: &[(i64, i64, i64, i64)]) -> Vec<HourCounts> {
    let last = hour_of(now);
    let hours = (last - HOURS + 1)..=last;
    hours
        .map(|hour| {
            let found = counted.iter().find(|(known, ..)| *known == hour);
            let (_, done, failed, micros) = found.copied().unwrap_or_default();
            let hour = Millis(hour * HOUR_MS);
            HourCounts { hour, done, failed, cost_usd: crate::usage::shown_micros(micros) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{HOUR_MS, hours};
    use crate::Millis;

    #[test]
    fn a_summary_has_the_last_24_hours_whatever_happened() {
        let now = Millis(500_000 * HOUR_MS + 1);
        let told =
            hours(now, &[(500_000, 1, 2, 1_500_000), (499_977, 3, 0, 0), (499_976, 9, 9, 9)]);
        assert_eq!(told.len(), 24);
        assert_eq!(told[23].hour, Millis(500_000 * HOUR_MS));
        assert_eq!((told[23].done, told[23].failed, &*told[23].cost_usd), (1, 2, "1.5"));
        assert_eq!((told[0].done, &*told[0].cost_usd), (3, "0"));
        assert_eq!(told.iter().map(|hour| hour.done).sum::<i64>(), 4);
    }
}
