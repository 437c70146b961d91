//! The binary `octopoid` as a process, against a server that is the same binary.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod add;
mod backup;
mod board;
mod doctor;
mod follow;
mod groups;
mod health;
mod lease;
mod lost;
mod manual;
mod mcp;
mod output;
mod people;
mod program;
mod server;
mod service;
mod settings;
mod shape;
mod task;
mod terminal;
mod tls;
mod tour;
mod up;
mod webhook;
