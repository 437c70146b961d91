//! `octopoid agent run` as a process, with shell scripts as agents, against a server that is the same
//! binary. What a test asks is what the server says afterwards, what git has, and which processes live.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod crashes;
mod drain;
mod flags;
mod limits;
mod older;
#[path = "../e2e/program.rs"]
#[expect(dead_code, reason = "the other tests of the program use all of it")]
mod program;
mod reviews;
mod secrets;
mod show;
mod site;
mod trouble;
mod words;
