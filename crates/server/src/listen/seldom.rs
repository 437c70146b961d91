//! Warnings about what clients do, which must not fill the log.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// One warning of a kind is logged in this time.
const INTERVAL: Duration = Duration::from_secs(10);

/// Decides which warnings of a kind are logged.
#[derive(Default)]
pub(super) struct Seldom(Mutex<State>);

#[derive(Default)]
struct State {
    last: Option<Instant>,
    times: u64,
}

impl Seldom {
    /// How often it happened since the last warning, if it is time for the next.
    pub(super) fn allows(&self) -> Option<u64> {
        self.allows_at(Instant::now())
    }

    fn allows_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.times += 1;
        if state.last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.times))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::{INTERVAL, Seldom};

    #[test]
    fn what_is_not_logged_is_counted() {
        let (warnings, start) = (Seldom::default(), Instant::now());
        assert_eq!([(); 3].map(|()| warnings.allows_at(start)), [Some(1), None, None]);
        let later = start + INTERVAL;
        assert_eq!([(); 2].map(|()| warnings.allows_at(later)), [Some(3), None]);
    }
}
