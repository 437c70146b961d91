//! The server under test, as its users run it, and what it takes of the machine.

use std::{io, path::Path, process::Command};

use anyhow::Context;
use octopoid_testbed::Server;

use crate::processes;

/// Starts a server's binary on a database. Its log is read, as in production.
pub(crate) fn start(binary: &Path, database: &str) -> anyhow::Result<Server> {
    let mut command = Command::new(binary);
    command.args(["--listen", "127.0.0.1:0", "--database", database]);
    command.env_remove("API_SECRET_KEY").env_remove("RUST_LOG");
    Server::start(&mut command, io::sink())
}

/// Processor time that the process has used so far, in seconds.
pub(crate) fn cpu_seconds(server: &Server) -> anyhow::Result<f64> {
    processes::own_seconds(server.process.id())
}

/// Memory in use by the process now, and at its peak, in MB.
pub(crate) fn memory_mb(server: &Server) -> anyhow::Result<(f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.id()))?;
    let field = |name: &str| -> anyhow::Result<f64> {
        let line = status.lines().find(|line| line.starts_with(name)).context("no such field")?;
        let kib: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
        Ok(kib * 1024.0 / 1e6)
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}
