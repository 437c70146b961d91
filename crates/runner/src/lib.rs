//! Runs coding agents on the tasks of a queue.
//!
//! [`run`] registers the machine and claims tasks for its free slots. A run prepares a work tree
//! ([`workspace`]), starts the agent's program under a guard that outlives the runner ([`process`]),
//! renews the lease, reads what the program prints ([`adapter`], [`lines`], [`facts`]) and writes
//! ([`mailbox`]), and judges its end ([`classify`], [`judge`]): a success is only what git and the
//! checks show, because agents end with exit code 0 and a friendly text also when they were not
//! permitted to do anything, when the commit failed, or when they did nothing.
//!
//! The crate talks to the server only through `octopoid_client`.

pub mod adapter;
mod answers;
pub mod classify;
pub mod clock;
pub mod config;
mod costs;
mod crew;
mod disk;
pub mod environment;
pub mod facts;
pub mod git;
mod hand_in;
mod janitor;
mod json;
pub mod judge;
mod keeper;
pub mod lines;
mod lock;
mod log;
mod machine;
pub mod mailbox;
pub mod notice;
pub mod preflight;
pub mod process;
pub mod prompt;
pub mod reasons;
pub mod records;
mod recovery;
mod run;
mod runner;
pub mod workspace;

pub use run::shown;
pub use runner::{Error, Stage, run};

/// Random bytes.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("a system that has processes has random numbers");
    bytes
}
