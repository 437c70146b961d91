//! The Model Context Protocol (MCP): the queue as seven tools for coding agents.
//!
//! A message goes through [`answer`], whichever way it came: `POST /mcp` of the server and of the
//! Worker, or the standard input of `octopoid mcp`. The tools call operations of the HTTP API
//! through a [`Backend`], so they permit, refuse and record exactly what the API does. Nothing is
//! kept between two messages.
//!
//! Both eras of the protocol are spoken: the life cycle of `initialize` (up to 2025-11-25), and
//! requests that stand for themselves (2026-07-28). See `docs/mcp.md`.

mod arguments;
mod backend;
mod dispatch;
mod failure;
mod headers;
mod message;
mod parameter;
mod protocol;
mod text;
mod tools;

pub use backend::{Answer, Backend, Call, Defaults, Verb};
pub use dispatch::{Reply, answer};
pub use headers::Headers;
pub use protocol::{LEGACY_VERSIONS, MODERN_VERSIONS};
