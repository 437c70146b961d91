//! The types and rules of Octopoid.
//!
//! This crate is pure: it does no I/O and reads no clock. Time, ids and randomness come in as
//! arguments, so every rule can be tested by calling it.

pub mod action;
pub mod availability;
pub mod blockers;
pub mod causes;
pub mod change;
pub mod decide;
pub mod draft;
mod edit;
pub mod event;
pub mod failure;
pub mod flow;
pub mod heartbeat;
pub mod input;
pub mod journal;
mod json;
pub mod key;
pub mod lease;
pub mod limits;
pub mod log;
pub mod message;
pub mod orchestrator;
pub mod pause;
pub mod poll;
pub mod project;
pub mod queue;
pub mod refusal;
pub mod report;
pub mod role;
pub mod run;
pub mod schema;
pub mod scope;
pub mod step;
pub mod steps;
pub mod summary;
pub mod task;
mod task_view;
pub mod text;
pub mod time;
pub mod trace;
pub mod transition;
pub mod usage;
pub mod webhook;
pub mod why;
mod words;

pub use refusal::Refusal;
pub use task::{Claim, Task};
pub use task_view::{ClaimedTask, Feedback, PreviousRun, TaskView};
pub use time::Millis;
pub use trace::Traceparent;
