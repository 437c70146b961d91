//! Real servers on PostgreSQL, and what becomes of them when it fails.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;
#[path = "../e2e/load.rs"]
#[expect(dead_code, reason = "the tests of the process send more")]
mod load;
mod outage;
mod pgbouncer;
mod pool;
mod proxy;
#[path = "../e2e/server.rs"]
#[expect(dead_code, reason = "the tests of the process ask for more")]
mod server;
mod silent;
mod start;
mod unconfirmed;
mod upgrade;
