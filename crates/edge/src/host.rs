//! The only place that reads the clock and the random number generator.

use octopoid_api::Host;
use octopoid_domain::Millis;
use worker::Date;

/// The Worker's runtime. Its clock advances only while the request waits for I/O, which is precise
/// enough for leases.
pub(crate) struct Edge;

impl Host for Edge {
    fn now(&self) -> Millis {
        Millis(i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX))
    }

    /// A Worker waits only for its database, and the runtime's clock does not jump.
    fn elapsed_ms(&self) -> i64 {
        self.now().0
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("a Worker that serves a request may ask for randomness");
    }
}
