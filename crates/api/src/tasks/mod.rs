//! The queue.

pub(crate) mod accept;
pub(crate) mod claim;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod force_queue;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod hooks;
pub(crate) mod list;
pub(crate) mod reject;
pub(crate) mod requeue;
pub(crate) mod submit;
pub(crate) mod update;
