//! The server under test, as its users run it, and what it takes of the machine.

use std::{io, path::Path, process::Command};

use anyhow::Context;
use octopoid_testbed::Server;

/// Starts a server's binary on a database. Its log is read, as in production.
pub(crate) fn start(binary: &Path, database: &str) -> anyhow::Result<Server> {
    let mut command = Command::new(binary);
    command.args(["--listen", "127.0.0.1:0", "--database", database]);
    command.env_remove("API_SECRET_KEY").env_remove("RUST_LOG");
    Server::start(&mut command, io::sink())
}

/// Processor time that the process has used so far, in seconds.
pub(crate) fn cpu_seconds(server: &Server) -> anyhow::Result<f64> {
    /// What Linux counts in, on every machine it supports.
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.process.id()))?;
    // The process's name, in parentheses, may contain blanks.
    let (_, rest) = stat.rsplit_once(')').context("no name in the process's statistics")?;
    let ticks: Vec<f64> =
        rest.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
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
