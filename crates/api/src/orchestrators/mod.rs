//! The machines that run agents.

pub(crate) mod get;
pub(crate) mod heartbeat;
pub(crate) mod list;
pub(crate) mod register;
pub(crate) mod rotate_key;
pub(crate) mod update;
