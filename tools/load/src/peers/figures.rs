//! What the rounds say: medians, and ratios by round.

use super::{
    clients::{Outcome, Processor},
    contenders::Group,
};
use crate::bench::measure::median;

/// One run of one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Run {
    pub(super) outcome: Outcome,
    pub(super) processor: Processor,
}

/// The runs of one queue by round. A round is missing if the queue failed in it.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) runs: Vec<Option<Run>>,
}

/// Queues that took turns with the same number of agents. The first one is this project's.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    pub(super) group: Group,
    pub(super) agents: usize,
    pub(super) series: Vec<Series>,
}

/// The middle of several figures, and the least and the greatest of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Run {
    /// Tasks in a second, from their adding to their completion.
    pub(super) fn rate(&self) -> f64 {
        f64::from(self.outcome.tasks) / self.outcome.seconds
    }

    /// The server's processor time for each task, in microseconds.
    pub(super) fn server_us(&self) -> f64 {
        self.each_us(self.processor.server)
    }

    /// The database's processor time for each task, in microseconds.
    pub(super) fn database_us(&self) -> f64 {
        self.each_us(self.processor.database)
    }

    /// The client's processor time for each task, in microseconds.
    pub(super) fn client_us(&self) -> f64 {
        self.each_us(self.processor.client)
    }

    fn each_us(&self, seconds: f64) -> f64 {
        seconds * 1e6 / f64::from(self.outcome.tasks.max(1))
    }
}

impl Series {
    /// The spread of a figure, unless the queue failed in each round.
    pub(super) fn spread(&self, figure: impl Fn(&Run) -> f64) -> Option<Spread> {
        Spread::of(self.runs.iter().flatten().map(figure).collect())
    }
}

impl Comparison {
    /// The series of a queue.
    pub(super) fn of(&self, name: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.name == name)
    }

    /// This project's figure divided by that of the others, round by round. Where there are several,
    /// the one with the greatest figure of the round counts.
    pub(super) fn ratio(
        &self,
        others: &[&Series],
        figure: impl Fn(&Run) -> f64 + Copy,
    ) -> Option<Spread> {
        let ours = self.series.first()?;
        let of_round = |(round, run): (usize, &Option<Run>)| {
            let those = others.iter().filter_map(|other| other.runs.get(round)?.as_ref());
            let greatest = those.map(figure).max_by(f64::total_cmp)?;
            Some(figure(run.as_ref()?) / greatest)
        };
        Spread::of(ours.runs.iter().enumerate().filter_map(of_round).collect())
    }
}

impl Spread {
    fn of(figures: Vec<f64>) -> Option<Self> {
        let least = figures.iter().copied().min_by(f64::total_cmp)?;
        let most = figures.iter().copied().max_by(f64::total_cmp)?;
        Some(Self { median: median(figures), least, most })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A run of one second.
    pub(crate) fn run(tasks: u32) -> Run {
        let outcome = Outcome { tasks, seconds: 1.0, p50_ms: 1.5, p99_ms: 4.0 };
        Run { outcome, processor: Processor { server: 0.5, database: 0.25, client: 1.0 } }
    }

    pub(crate) fn series(name: &str, rounds: &[Option<u32>]) -> Series {
        let runs = rounds.iter().map(|tasks| tasks.map(run)).collect();
        Series { name: name.to_owned(), runs }
    }

    pub(crate) fn comparison(series: Vec<Series>) -> Comparison {
        Comparison { group: Group::Embedded, agents: 64, series }
    }

    fn spread(median: f64, least: f64, most: f64) -> Spread {
        Spread { median, least, most }
    }

    #[test]
    fn a_rate_and_the_time_of_a_task_come_from_the_same_run() {
        let run = run(1_000);
        let figures = [run.rate(), run.server_us(), run.database_us(), run.client_us()];
        let expected = [1_000.0, 500.0, 250.0, 1_000.0];
        assert!(figures.iter().zip(expected).all(|(is, should)| (is - should).abs() < 1e-9));
    }

    #[test]
    fn the_median_leaves_out_rounds_that_failed() {
        let all = series("q", &[Some(300), None, Some(100), Some(200)]);
        assert_eq!(all.spread(Run::rate), Some(spread(200.0, 100.0, 300.0)));
        assert_eq!(series("q", &[None]).spread(Run::rate), None);
    }

    #[test]
    fn ratios_are_made_within_a_round() {
        // The medians are equal, but in each round one is twice or half as fast as the other.
        let ours = series("ours", &[Some(100), Some(200), Some(400)]);
        let theirs = series("theirs", &[Some(200), Some(400), Some(200)]);
        let both = comparison(vec![ours, theirs]);
        let ratio = both.ratio(&[&both.series[1]], Run::rate);
        assert_eq!(ratio, Some(spread(0.5, 0.5, 2.0)));
    }

    #[test]
    fn the_best_of_several_counts_in_each_round() {
        let ours = series("ours", &[Some(100), Some(100), Some(100)]);
        let one = series("one", &[Some(50), Some(200), None]);
        let other = series("other", &[Some(25), Some(100), None]);
        let all = comparison(vec![ours, one, other]);
        let ratio = all.ratio(&[&all.series[1], &all.series[2]], Run::rate);
        assert_eq!(ratio, Some(spread(2.0, 0.5, 2.0)));
    }
}
