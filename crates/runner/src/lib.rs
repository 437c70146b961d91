//! Runs coding agents on the tasks of a queue.
//!
//! For now the crate has the part that reads an agent's program. [`lines`] splits its output into
//! lines of bounded length, [`adapter`] reads from them what the program reports, and [`classify`]
//! judges the report together with the exit status. All of it is pure: no I/O, no clock.
//!
//! A success is only what the program says. Agents end with exit code 0 and a friendly text also
//! when they were not permitted to do anything, when the commit failed, or when they did nothing.
//! Whether the work is there is decided by the evidence in git, which is not looked at here.

pub mod adapter;
pub mod classify;
pub mod facts;
pub mod git;
mod json;
pub mod lines;
pub mod process;
pub mod reasons;
pub mod workspace;
