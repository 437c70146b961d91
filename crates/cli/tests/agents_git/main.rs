//! Agents that work on real repositories: from a task to the commit in its base branch. The agents are
//! small shell scripts, the servers and the runners are the binary `octopoid`.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod attempts;
mod lines;
mod machine;
mod merges;
#[path = "../e2e/program.rs"]
#[allow(dead_code, reason = "the tests of the command line use the rest")]
mod program;
mod pull_requests;
mod remotes;
mod reviews;
mod trees;
mod up;
