//! Time as it passes here, which is what this program is about.

use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "this program measures how long things take")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits. Agents have to be slow somewhere, and what goes wrong goes wrong by the clock.
#[expect(clippy::disallowed_methods, reason = "this program is about what happens meanwhile")]
pub(crate) async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}
