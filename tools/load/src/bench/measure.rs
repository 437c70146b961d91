//! Counting what many agents do at once, and how long each thing took.

use std::time::{Duration, Instant};

use crate::clock::now;

/// Latencies of one kind of request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn record(&mut self, since: Instant) {
        self.record_between(since, now());
    }

    pub(crate) fn record_between(&mut self, since: Instant, until: Instant) {
        let elapsed = until.saturating_duration_since(since);
        self.0.push(u32::try_from(elapsed.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The latency in milliseconds that this share of requests stayed under.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index from a share between 0 and 1"
    )]
    pub(crate) fn quantile_ms(&mut self, share: f64) -> f64 {
        if self.0.is_empty() {
            return f64::NAN;
        }
        let index = ((self.0.len() - 1) as f64 * share).round() as usize;
        let (_, value, _) = self.0.select_nth_unstable(index);
        f64::from(*value) / 1000.0
    }
}

/// What a phase measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) latencies: Latencies,
    pub(crate) elapsed: Duration,
}

impl Measured {
    /// What each request cost, in microseconds, of so many seconds in all.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(crate) fn each_us(&self, seconds: f64) -> f64 {
        seconds * 1e6 / self.latencies.count() as f64
    }

    /// Requests, or operations, in a second.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.count() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Runs `agents` copies of a job until each has returned, and puts their latencies together.
pub(crate) async fn run<Job, Work>(agents: usize, job: Job) -> anyhow::Result<Measured>
where
    Job: Fn(usize) -> Work,
    Work: Future<Output = anyhow::Result<Latencies>> + Send + 'static,
{
    let start = now();
    let work: Vec<_> = (0..agents).map(|agent| tokio::spawn(job(agent))).collect();
    let mut latencies = Latencies::default();
    for handle in work {
        latencies.merge(handle.await??);
    }
    Ok(Measured { latencies, elapsed: start.elapsed() })
}

/// The middle of several figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
