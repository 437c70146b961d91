//! The commands: a file for each noun.

pub(crate) mod server;
