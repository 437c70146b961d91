//! The clock of this machine, for programs on it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use octopoid_domain::Millis;

/// The time now.
pub fn now() -> Millis {
    let elapsed = system_now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

/// The time now, as files have it.
pub(crate) fn system_now() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "a runner is a host, like the server's program")]
    SystemTime::now()
}

/// Waits.
pub async fn pause(length: Duration) {
    #[expect(clippy::disallowed_methods, reason = "there is nothing to wait for")]
    tokio::time::sleep(length).await;
}
