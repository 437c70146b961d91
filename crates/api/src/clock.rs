//! One clock for each database. Several servers on one database measure by how much their own
//! clocks differ from the database's and correct it, so that all agree about when a lease ends.

use std::sync::atomic::{AtomicI64, Ordering};

use octopoid_domain::Millis;
use octopoid_store::{Store, StoreError};

use crate::host::Host;

/// The host's time of day and its monotonic clock advance together. If they differ by more
/// than this, the clock was set, or the machine has slept.
const STEP_MS: i64 = 1_000;
/// Less than this is not corrected, and neither is less than the measuring took: clocks that are kept
/// by NTP differ by a few milliseconds, and correcting those would make time jump to and fro.
const NOISE_MS: i64 = 100;
/// From here on the server says that its clock is wrong.
const WRONG_MS: i64 = 1_000;

/// What is added to the host's time, and how the host's clocks stood to each other when that was
/// measured.
#[derive(Debug)]
pub(crate) struct Clock {
    offset_ms: AtomicI64,
    apart_ms: AtomicI64,
}

impl Default for Clock {
    /// A clock that was never compared.
    fn default() -> Self {
        Self { offset_ms: AtomicI64::new(0), apart_ms: AtomicI64::new(i64::MIN) }
    }
}

impl Clock {
    /// The time for the database, when it is this for the host.
    pub(crate) fn correct(&self, host: Millis) -> Millis {
        host.plus(self.offset_ms.load(Ordering::Relaxed))
    }

    /// Whether the time may be wrong until it is compared with the database's: it never was, or the
    /// host's clock has jumped since.
    pub(crate) fn is_doubtful(&self, host: &dyn Host) -> bool {
        let apart = self.apart_ms.load(Ordering::Relaxed);
        apart_ms(host).saturating_sub(apart).saturating_abs() > STEP_MS
    }

    /// Compares the host's clock with that of the database, if others use the database too, and goes
    /// by that from now on.
    pub(crate) async fn compare(
        &self,
        host: &dyn Host,
        store: Option<&Store>,
    ) -> Result<(), StoreError> {
        let (started, apart) = (host.elapsed_ms(), apart_ms(host));
        let theirs = match store {
            Some(store) => store.clock().await?,
            None => None,
        };
        let took = host.elapsed_ms().saturating_sub(started);
        let before = self.offset_ms.load(Ordering::Relaxed);
        // The database looked at its clock at some moment in between.
        let ours = started.saturating_add(took / 2).saturating_add(apart);
        let offset = theirs.map_or(0, |theirs| theirs.0.saturating_sub(ours));
        if offset.saturating_sub(before).saturating_abs() > took.saturating_add(NOISE_MS) {
            self.offset_ms.store(offset, Ordering::Relaxed);
            tell(before, offset);
        }
        // What was so before the measuring: a jump meanwhile leaves the result in doubt.
        self.apart_ms.store(apart, Ordering::Relaxed);
        Ok(())
    }
}

/// By how much the time of day is ahead of the monotonic clock.
fn apart_ms(host: &dyn Host) -> i64 {
    host.now().0.saturating_sub(host.elapsed_ms())
}

fn tell(before: i64, offset: i64) {
    if offset.saturating_abs() >= WRONG_MS {
        let (ms, side) = (offset.saturating_abs(), if offset < 0 { "ahead of" } else { "behind" });
        tracing::warn!(
            offset_ms = offset,
            "this server's clock is {ms} ms {side} its database's, by which it goes from now on; \
             set the clocks of both by NTP"
        );
    } else if before.saturating_abs() >= WRONG_MS {
        tracing::info!(offset_ms = offset, "this server's clock agrees with its database's again");
    }
}
