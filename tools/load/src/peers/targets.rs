//! What this project wants to reach beside the others and beside the build before.

use super::{
    contenders::{BEFORE, BULLMQ, GRAPHILE_WORKER, Group, OURS, PG_BOSS},
    figures::{Comparison, Run, Series, Spread},
};

/// A bound on a ratio: this build's figure divided by that of another queue, or by the best of
/// several.
struct Target {
    name: &'static str,
    group: Group,
    agents: usize,
    figure: fn(&Run) -> f64,
    others: &'static [&'static str],
    bound: f64,
    is_least: bool,
}

const fn rate(
    name: &'static str,
    group: Group,
    agents: usize,
    others: &'static [&'static str],
    bound: f64,
) -> Target {
    Target { name, group, agents, figure: Run::rate, others, bound, is_least: true }
}

const fn processor(name: &'static str, figure: fn(&Run) -> f64, bound: f64) -> Target {
    let (group, others) = (Group::Postgres, &[BEFORE]);
    Target { name, group, agents: 32, figure, others, bound, is_least: false }
}

const TARGETS: &[Target] = &[
    rate("SQLite, 64 agents: tasks/s, of BullMQ", Group::Embedded, 64, &[BULLMQ], 0.8),
    rate("SQLite, 64 agents: tasks/s, of the build before", Group::Embedded, 64, &[BEFORE], 1.4),
    rate("SQLite, 1 agent: tasks/s, of the build before", Group::Embedded, 1, &[BEFORE], 1.0),
    rate(
        "PostgreSQL, 32 agents: tasks/s, of the better of pg-boss and Graphile Worker",
        Group::Postgres,
        32,
        &[PG_BOSS, GRAPHILE_WORKER],
        1.5,
    ),
    rate(
        "PostgreSQL, 32 agents: tasks/s, of the build before",
        Group::Postgres,
        32,
        &[BEFORE],
        1.8,
    ),
    rate(
        "PostgreSQL, 256 agents: tasks/s, of the build before",
        Group::Postgres,
        256,
        &[BEFORE],
        3.0,
    ),
    rate("PostgreSQL, 1 agent: tasks/s, of the build before", Group::Postgres, 1, &[BEFORE], 0.95),
    processor(
        "PostgreSQL, 32 agents: the database's processor time for a task, of the build before",
        Run::database_us,
        0.4,
    ),
    processor(
        "PostgreSQL, 32 agents: the server's processor time for a task, of the build before",
        Run::server_us,
        0.6,
    ),
];

/// A target beside what was measured.
#[derive(Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) name: &'static str,
    pub(super) ratio: Spread,
    pub(super) bound: String,
    pub(super) is_met: bool,
}

/// The targets that these comparisons can judge.
pub(super) fn verdicts(comparisons: &[Comparison]) -> Vec<Verdict> {
    TARGETS.iter().filter_map(|target| target.verdict(comparisons)).collect()
}

impl Target {
    fn verdict(&self, comparisons: &[Comparison]) -> Option<Verdict> {
        let mut all = comparisons.iter();
        let among = all.find(|one| one.group == self.group && one.agents == self.agents)?;
        among.series.first().filter(|first| first.name == OURS)?;
        // The best of some is not the best of all.
        let others: Option<Vec<&Series>> = self.others.iter().map(|name| among.of(name)).collect();
        let ratio = among.ratio(&others?, self.figure)?;
        let (sign, is_met) = if self.is_least {
            ("at least", ratio.median >= self.bound)
        } else {
            ("at most", ratio.median <= self.bound)
        };
        Some(Verdict { name: self.name, ratio, bound: format!("{sign} {}", self.bound), is_met })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::figures::tests::{comparison, series},
        *,
    };

    #[test]
    fn a_target_is_judged_by_the_median_of_the_ratios() {
        let rounds = [Some(90), Some(70), Some(85)];
        let others = [Some(100), Some(100), Some(100)];
        let all = [comparison(vec![series(OURS, &rounds), series(BULLMQ, &others)])];
        let verdicts = verdicts(&all);
        assert_eq!(verdicts.len(), 1);
        assert_eq!(verdicts[0].bound, "at least 0.8");
        assert!(verdicts[0].is_met && (verdicts[0].ratio.median - 0.85).abs() < 1e-9);
    }

    #[test]
    fn a_target_is_left_out_if_one_of_the_others_was_not_measured() {
        let ours = series(OURS, &[Some(100)]);
        let theirs = series(PG_BOSS, &[Some(10)]);
        let mut all = comparison(vec![ours, theirs]);
        (all.group, all.agents) = (Group::Postgres, 32);
        assert_eq!(verdicts(&[all]), []);
    }
}
