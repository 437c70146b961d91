//! What the API needs of the machine that it runs on.

use futures_util::future::BoxFuture;
use octopoid_domain::Millis;

/// The impure values, which only the host may make.
pub trait Host: Send + Sync + 'static {
    /// The time of day. People and programs set this clock, so it may jump.
    fn now(&self) -> Millis;

    /// Milliseconds since a fixed moment, by the monotonic clock: for measuring durations.
    fn elapsed_ms(&self) -> i64;

    /// Fills a buffer with unpredictable bytes.
    fn fill_random(&self, bytes: &mut [u8]);

    /// Runs something that no answer waits for, or returns it if this host runs nothing beside its
    /// requests. Then the request runs it.
    fn run_aside(&self, work: BoxFuture<'static, ()>) -> Option<BoxFuture<'static, ()>> {
        Some(work)
    }

    /// Ends after so many milliseconds. A host that is paid for waiting has no such thing.
    fn pause(&self, _ms: u64) -> Option<BoxFuture<'static, ()>> {
        None
    }
}
