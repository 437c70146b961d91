//! The server under test, as its users run it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail};

use crate::clock::now;

/// A running server; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    /// From the start of the process to its first line, which it prints when it can be called.
    pub(crate) start: Duration,
}

impl Server {
    /// Starts the release binary on a database.
    pub(crate) fn start(binary: &Path, database: &str) -> anyhow::Result<Self> {
        let start = now();
        let mut child = Command::new(binary)
            .args(["--listen", "127.0.0.1:0", "--database", database])
            .env_remove("API_SECRET_KEY")
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("no standard output")?);
        let address = loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                bail!("the server stopped before it listened");
            }
            if let Some(at) = line.find("http://") {
                let rest = &line[at + "http://".len()..];
                break rest.split_whitespace().next().unwrap_or_default().to_owned();
            }
        };
        let start = start.elapsed();
        // The log goes on; somebody must read it, as somebody does in production.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Ok(Self { child, address, start })
    }

    /// Processor time that the process has used so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        /// What Linux counts in, on every machine it supports.
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The process's name, in parentheses, may contain blanks.
        let (_, rest) = stat.rsplit_once(')').context("no name in the process's statistics")?;
        let ticks: Vec<f64> =
            rest.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
    }

    /// Memory in use by the process now, and at its peak, in MB.
    pub(crate) fn memory_mb(&self) -> anyhow::Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| -> anyhow::Result<f64> {
            let line =
                status.lines().find(|line| line.starts_with(name)).context("no such field")?;
            let kib: f64 = line.split_whitespace().nth(1).context("no figure")?.parse()?;
            Ok(kib * 1024.0 / 1e6)
        };
        Ok((field("VmRSS:")?, field("VmHWM:")?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have died already; then the phase before has said so.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
