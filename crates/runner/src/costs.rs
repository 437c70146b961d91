//! What the runs of a day have cost on this machine.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
    time::Duration,
};

use octopoid_domain::Millis;

use crate::{clock, config::Config};

const DAY_MS: i64 = 86_400_000;

/// The costs of all runners of this user that work in one scope. Each run adds a line to the file of
/// its day.
#[derive(Debug)]
pub(crate) struct Costs {
    folder: PathBuf,
    name: String,
    cost_max: Option<f64>,
}

impl Costs {
    /// The costs in the scope of a runner.
    pub(crate) fn new(config: &Config) -> Self {
        Self::at(config.state.join("costs"), config.scope_file(), config.cost_max)
    }

    fn at(folder: PathBuf, name: String, cost_max: Option<f64>) -> Self {
        Self { folder, name, cost_max }
    }

    fn file(&self, now: Millis) -> PathBuf {
        self.folder.join(format!("{}-{}", &now.to_iso()[..10], self.name))
    }

    /// Adds the cost of a run.
    pub(crate) fn add(&self, cost_usd: &str) {
        let append = || {
            fs::create_dir_all(&self.folder)?;
            let mut options = OpenOptions::new();
            let mut file = options.create(true).append(true).open(self.file(clock::now()))?;
            file.write_all(format!("{cost_usd}\n").as_bytes())
        };
        // Without it the limit is reached later; the server has the cost of each run.
        let _: std::io::Result<()> = append();
    }

    fn spent(&self, now: Millis) -> f64 {
        let text = fs::read_to_string(self.file(now)).unwrap_or_default();
        text.lines().filter_map(|line| line.parse::<f64>().ok()).sum()
    }

    /// How long no task may be begun: until the next day, if the limit is reached.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let now = clock::now();
        (self.spent(now) >= self.cost_max?).then(|| {
            let left = DAY_MS - now.0.rem_euclid(DAY_MS);
            Duration::from_millis(left.unsigned_abs())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Costs, DAY_MS, Duration};
    use crate::clock;

    #[test]
    fn costs_of_a_day_are_added_up() {
        let state = tempfile::tempdir().unwrap();
        let costs = |name: &str, max| Costs::at(state.path().join("costs"), name.to_owned(), max);
        let limited = costs("a", Some(1.0));
        assert_eq!(limited.pause(), None);
        limited.add("0.75");
        limited.add("no number");
        assert_eq!(limited.pause(), None);
        limited.add("0.25");
        // Another runner of the same user has spent the same money.
        let pause = costs("a", Some(1.0)).pause().unwrap();
        assert!(pause > Duration::ZERO && pause <= Duration::from_hours(24));
        assert_eq!((costs("a", None).pause(), costs("b", Some(1.0)).pause()), (None, None));
        assert!(limited.spent(clock::now().plus(DAY_MS)).abs() < f64::EPSILON);
        assert!(costs("b", Some(0.0)).pause().is_some());
    }
}
