//! The one place that reads a clock and makes randomness.

use octopoid_api::Host;
use octopoid_domain::Millis;
use worker::Date;

/// The Worker's runtime. Its clock stands still while a request computes and goes on when it waits
/// for the database, which is as exact as leases need.
pub(crate) struct Edge;

impl Host for Edge {
    fn now(&self) -> Millis {
        Millis(i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX))
    }

    /// A Worker waits for nothing but its database, and its runtime's clock is set by nobody else.
    fn elapsed_ms(&self) -> i64 {
        self.now().0
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("a Worker that serves a request may ask for randomness");
    }
}
