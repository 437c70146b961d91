//! What tests and measurements run on: PostgreSQL clusters, empty databases, servers as processes,
//! and pages that are scripts. It is not shipped.

pub mod conversation;
#[cfg(feature = "databases")]
pub mod database;
pub mod postgres;
mod server;
pub mod tour;

pub use server::{Process, Server, address};

/// The variable with the URL of the PostgreSQL server that tests may use.
pub const POSTGRES_VARIABLE: &str = "OCTOPOID_TEST_POSTGRES";

/// The variable that says what the tests run on that do not name an engine: `sqlite`, or
/// `postgres`.
pub const DATABASE_VARIABLE: &str = "OCTOPOID_TEST_DATABASE";

/// Whether this runs where what is missing must be an error and not a skipped check.
pub fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}

/// Says why a test is skipped. In continuous integration that is a failure.
pub fn skip(why: &str) {
    assert!(!is_ci(), "{why}");
    eprintln!("SKIPPED: {why}");
}
