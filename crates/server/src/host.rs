//! The only place that reads the clock and the random number generator.

use std::{
    sync::OnceLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;
use octopoid_api::Host;
use octopoid_domain::Millis;

/// The host system of the server.
pub(crate) struct System;

impl Host for System {
    #[expect(clippy::disallowed_methods, reason = "all other code gets the time from here")]
    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "all other code gets the time from here")]
    fn elapsed_ms(&self) -> i64 {
        static START: OnceLock<Instant> = OnceLock::new();
        i64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system's source of randomness works once it has booted");
    }

    fn run_aside(&self, work: BoxFuture<'static, ()>) -> Option<BoxFuture<'static, ()>> {
        tokio::spawn(work);
        None
    }

    fn pause(&self, ms: u64) -> Option<BoxFuture<'static, ()>> {
        #[expect(clippy::disallowed_methods, reason = "all other code gets the time from here")]
        let pause = tokio::time::sleep(Duration::from_millis(ms));
        Some(Box::pin(pause))
    }
}
