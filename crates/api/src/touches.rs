//! When the use of each key was last to be noted. A database that takes no writes is not asked
//! again with each request.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use octopoid_domain::key::TOUCH_INTERVAL_MS;

/// So many keys are remembered. The oldest is dropped, and its use may be noted sooner.
const KEYS_MAX: usize = 10_000;

/// The keys whose last use was recorded within the last minute, or could not be recorded.
#[derive(Debug, Default)]
pub(crate) struct Touches(Mutex<Tried>);

#[derive(Debug, Default)]
struct Tried {
    keys: HashSet<String>,
    /// The same keys with their times, the oldest first.
    times: VecDeque<(i64, String)>,
}

impl Touches {
    /// Whether the use of a key is to be noted now. If it is, the next time is a minute later.
    pub(crate) fn is_due(&self, key: &str, now: i64) -> bool {
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tried.times.front().is_some_and(|(at, _)| now - at >= TOUCH_INTERVAL_MS) {
            tried.drop_oldest();
        }
        if tried.keys.contains(key) {
            return false;
        }
        if tried.times.len() >= KEYS_MAX {
            tried.drop_oldest();
        }
        tried.keys.insert(key.to_owned());
        tried.times.push_back((now, key.to_owned()));
        true
    }
}

impl Tried {
    fn drop_oldest(&mut self) {
        if let Some((_, key)) = self.times.pop_front() {
            self.keys.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use octopoid_domain::key::TOUCH_INTERVAL_MS;

    use super::{KEYS_MAX, Touches};

    #[test]
    fn a_key_is_due_once_a_minute() {
        let touches = Touches::default();
        assert!(touches.is_due("a", 0));
        assert!(touches.is_due("b", 1));
        assert!(!touches.is_due("a", TOUCH_INTERVAL_MS - 1));
        assert!(touches.is_due("a", TOUCH_INTERVAL_MS));
        assert!(!touches.is_due("b", TOUCH_INTERVAL_MS));
    }

    #[test]
    fn of_many_keys_the_oldest_are_forgotten() {
        let touches = Touches::default();
        for key in 0..=KEYS_MAX {
            assert!(touches.is_due(&key.to_string(), 0));
        }
        assert!(!touches.is_due("1", 0));
        assert!(touches.is_due("0", 0));
        let tried = touches.0.lock().unwrap();
        assert_eq!((tried.keys.len(), tried.times.len()), (KEYS_MAX, KEYS_MAX));
    }
}
