//! The real process: started, asked, killed and started again.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod client;
mod command;
mod copy;
mod crash;
mod doctor;
mod embedded;
mod events;
mod export;
mod import;
mod lease;
mod load;
mod logs;
mod lost;
mod metrics;
mod pages;
mod pressure;
mod reads;
mod server;
mod stop;
mod storm;
mod supervisor;
mod traces;
mod trouble;
mod waiting;
mod webhooks;
mod wire;
