//! The clock of this machine.

use std::time::{SystemTime, UNIX_EPOCH};

use octopoid_domain::Millis;

/// The time now.
pub(crate) fn now() -> Millis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
