//! The availability of the server, as recorded by the scheduled jobs.
//!
//! Agents cannot renew a lease while the server is stopped, suspended, or without its database. The
//! grace period after a lease has expired therefore counts only time in which the server was
//! available. The jobs run periodically, and each run records the time: a late run ends a gap. The
//! time of a gap does not count.

use crate::time::Millis;

/// The maximum number of recorded gaps.
const GAPS_MAX: usize = 64;

/// The record of the runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    /// When the jobs last ran, if ever.
    noted_at: Option<Millis>,
    /// The gaps that still matter, the oldest first, each from its start to its end.
    gaps: Vec<(i64, i64)>,
}

impl Availability {
    /// The record as it is stored. Gaps that cannot be read are forgotten.
    pub fn new(noted_at: Millis, gaps: &str) -> Self {
        Self { noted_at: Some(noted_at), gaps: serde_json::from_str(gaps).unwrap_or_default() }
    }

    /// When the jobs last ran, if ever.
    pub fn noted_at(&self) -> Option<Millis> {
        self.noted_at
    }

    /// The gaps as JSON.
    pub fn gaps(&self) -> String {
        serde_json::json!(self.gaps).to_string()
    }

    /// Notes a run of the jobs, which run every `period_ms`. Gaps are forgotten when the server has
    /// been available for `memory_ms` since.
    ///
    /// A run may be late by half a period. What comes later shows that the server was not available
    /// from the moment when it should have run. On a new database all that was before is a gap.
    pub fn note(&mut self, now: Millis, period_ms: i64, memory_ms: i64) {
        match self.noted_at {
            None => self.gaps = vec![(0, now.0)],
            // The clock was set back, and what lies in the future now was no gap.
            Some(noted_at) if now < noted_at => {
                for (start, end) in &mut self.gaps {
                    (*start, *end) = ((*start).min(now.0), (*end).min(now.0));
                }
            }
            Some(noted_at) => {
                let due = noted_at.0.saturating_add(period_ms);
                if now.0.saturating_sub(due) > period_ms / 2 {
                    self.gaps.push((due, now.0));
                }
            }
        }
        self.noted_at = Some(now);
        let since = self.available_for(memory_ms);
        self.gaps.retain(|(start, end)| start < end && *end > since.0);
        let surplus = self.gaps.len().saturating_sub(GAPS_MAX);
        self.gaps.drain(..surplus);
    }

    /// The instant since which the server had been available for so long, when the jobs ran last.
    /// What was to happen before it has been waited for long enough, and what was to happen in a
    /// gap is waited for from the end of the gap.
    pub fn available_for(&self, ms: i64) -> Millis {
        let Some(noted_at) = self.noted_at else { return Millis(0) };
        let (mut at, mut left) = (noted_at.0, ms);
        for (start, end) in self.gaps.iter().rev() {
            let available = at.saturating_sub(*end);
            if available > left {
                break;
            }
            left -= available;
            at = *start;
        }
        Millis(at.saturating_sub(left).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::Availability;
    use crate::time::Millis;

    const PERIOD: i64 = 10;
    const GRACE: i64 = 120;

    /// A record of runs at these instants.
    fn runs(at: impl IntoIterator<Item = i64>) -> Availability {
        let mut availability = Availability::default();
        for at in at {
            availability.note(Millis(at), PERIOD, GRACE);
        }
        availability
    }

    fn every_period(from: i64, to: i64) -> impl Iterator<Item = i64> + Clone {
        (from..=to).step_by(usize::try_from(PERIOD).unwrap())
    }

    #[test]
    fn a_server_that_is_always_available_leaves_the_grace_and_no_more() {
        let availability = runs(every_period(1_000, 5_000));
        assert_eq!(availability.available_for(GRACE), Millis(5_000 - GRACE));
        assert_eq!(availability.available_for(0), Millis(5_000));
        assert_eq!(availability.gaps(), "[]");
    }

    #[test]
    fn the_grace_runs_from_the_end_of_a_gap() {
        let before = every_period(1_000, 2_000);
        for (seen, expected) in [
            // What was over before the gap is still over, and nothing in it is.
            (9_000, 2_010 - GRACE),
            (9_060, 2_010 - 60),
            (9_120, 2_010),
            (9_130, 9_010),
            (9_500, 9_500 - GRACE),
        ] {
            let availability = runs(before.clone().chain(every_period(9_000, seen)));
            assert_eq!(availability.available_for(GRACE), Millis(expected), "at {seen}");
        }
        let over = runs(every_period(1_000, 2_000).chain(every_period(9_000, 9_500)));
        assert_eq!(over.gaps(), "[]", "it is forgotten");
    }

    #[test]
    fn a_run_may_be_late_by_half_a_period() {
        let noted = |at| runs(every_period(1_000, 2_000).chain([at])).gaps();
        assert_eq!(noted(2_015), "[]");
        assert_eq!(noted(2_016), "[[2010,2016]]");
        // By hand, between two others.
        assert_eq!(noted(2_001), "[]");
    }

    #[test]
    fn before_the_first_run_there_is_nothing_but_a_gap() {
        assert_eq!(Availability::default().available_for(0), Millis(0));
        assert_eq!(runs([5_000]).available_for(GRACE), Millis(0));
        let later = runs(every_period(5_000, 5_000 + GRACE + PERIOD));
        assert_eq!(later.available_for(GRACE), Millis(5_000 + PERIOD));
    }

    /// Time in which it is available counts, however short it is at a time.
    #[test]
    fn a_server_that_stops_again_and_again_takes_back_what_has_ended() {
        // Thirty available, sixty away.
        let often = (0..40).flat_map(|round| every_period(round * 90, round * 90 + 20));
        let availability = runs(often);
        let over = availability.available_for(GRACE);
        assert!((3_530 - 5 * 90..3_530).contains(&over.0), "{over:?}");
    }

    /// Where nothing but another program's timer runs them, less often than was thought.
    #[test]
    fn jobs_that_run_rarely_count_a_period_for_each_run() {
        let availability = runs((0..100).map(|run| run * 50));
        let over = availability.available_for(GRACE);
        assert!((4_950 - 13 * 50..4_950).contains(&over.0), "{over:?}");
    }

    #[test]
    fn a_clock_that_is_set_forwards_makes_a_gap_and_one_that_is_set_back_none() {
        let forwards = runs(every_period(1_000, 2_000).chain([5_000]));
        assert_eq!(forwards.available_for(GRACE), Millis(2_010 - GRACE));
        let back = runs(every_period(5_000, 6_000).chain(every_period(3_000, 3_500)));
        assert_eq!(back.available_for(GRACE), Millis(3_500 - GRACE));
        let there_and_back = runs(every_period(1_000, 2_000).chain([9_000, 2_020, 2_030]));
        assert_eq!(there_and_back.available_for(GRACE), Millis(2_030 - GRACE - 10));
    }

    #[test]
    fn only_so_many_gaps_are_remembered() {
        let mut availability = Availability::default();
        for run in 0..1_000 {
            availability.note(Millis(run * 1_000), PERIOD, i64::MAX);
        }
        assert_eq!(availability.gaps.len(), super::GAPS_MAX);
        let stored = Availability::new(Millis(999_000), &availability.gaps());
        assert_eq!(stored, availability, "it comes back as it was stored");
        assert_eq!(Availability::new(Millis(5), "?"), Availability::new(Millis(5), "[]"));
    }
}
