//! Requests that were refused for their key, code, origin or host name: counted, and logged once a
//! minute at most, so that many of them do not fill the log.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use octopoid_domain::Millis;

/// How long lines about refusals of one kind are apart.
const INTERVAL_MS: i64 = 60_000;

/// The refusals of one kind.
#[derive(Debug)]
pub struct Tally {
    what: &'static str,
    total: AtomicU64,
    logged: AtomicU64,
    /// When the last line was written; the minimum if none was.
    logged_at: AtomicI64,
}

/// The refusals of all kinds.
#[derive(Debug)]
pub struct Refusals {
    /// A key was needed and missing, or the key or the code presented is not valid.
    pub keys: Tally,
    /// A web page of another origin called.
    pub origins: Tally,
    /// The server was called by a host name that is not its own.
    pub hosts: Tally,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            keys: Tally::new("refused requests without a valid key"),
            origins: Tally::new("refused requests of web pages of other origins"),
            hosts: Tally::new("refused requests under unknown host names"),
        }
    }
}

impl Refusals {
    /// Logs what was counted and not logged yet, if its time has come.
    pub(crate) fn log(&self, now: Millis) {
        for tally in [&self.keys, &self.origins, &self.hosts] {
            tally.log(now);
        }
    }
}

impl Tally {
    const fn new(what: &'static str) -> Self {
        Self {
            what,
            total: AtomicU64::new(0),
            logged: AtomicU64::new(0),
            logged_at: AtomicI64::new(i64::MIN),
        }
    }

    /// How many there were since the start.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Counts one more, and logs it unless there was a line within the last minute.
    pub(crate) fn note(&self, now: Millis) {
        self.total.fetch_add(1, Ordering::Relaxed);
        self.log(now);
    }

    fn log(&self, now: Millis) {
        let last = self.logged_at.load(Ordering::Relaxed);
        // A clock that was set back does not silence the log.
        let is_due = last == i64::MIN || now.0.abs_diff(last) >= INTERVAL_MS.unsigned_abs();
        if !is_due || self.total() == self.logged.load(Ordering::Relaxed) {
            return;
        }
        let (order, now) = (Ordering::Relaxed, now.0);
        if self.logged_at.compare_exchange(last, now, order, order).is_ok() {
            let total = self.total();
            let count = total - self.logged.swap(total, Ordering::Relaxed);
            tracing::warn!(count, total, "{}", self.what);
        }
    }
}
