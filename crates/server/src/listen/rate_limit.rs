//! Rate limiting for warnings that clients can cause, so that they do not fill the log.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The minimum time between two warnings of a kind.
const INTERVAL: Duration = Duration::from_secs(10);

/// Limits the rate of warnings of one kind.
#[derive(Default)]
pub(super) struct RateLimit(Mutex<State>);

#[derive(Default)]
struct State {
    last: Option<Instant>,
    times: u64,
}

impl RateLimit {
    /// The number of occurrences since the last warning, if another one may be logged.
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

    use super::{INTERVAL, RateLimit};

    #[test]
    fn what_is_not_logged_is_counted() {
        let (warnings, start) = (RateLimit::default(), Instant::now());
        assert_eq!([(); 3].map(|()| warnings.allows_at(start)), [Some(1), None, None]);
        let later = start + INTERVAL;
        assert_eq!([(); 2].map(|()| warnings.allows_at(later)), [Some(3), None]);
    }
}
