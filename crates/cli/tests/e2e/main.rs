//! The binary `octopoid` as a process, against a server that is the same binary.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod program;
mod server;
