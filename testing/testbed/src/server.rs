//! The server's binary as a process.

use std::{
    io::{BufRead as _, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

/// How long a server may take until it listens, on a machine that is busy with something else.
const START_MAX: Duration = Duration::from_mins(1);

/// A server's process. Dropping it kills it, as a power cut would.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts it and does not wait for it.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let program = Path::new(command.get_program()).display().to_string();
        let child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        Ok(Self(child))
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.0.try_wait().context("cannot look after a server")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which was reported by the waiting code.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that takes connections, on a port of its own choice.
#[derive(Debug)]
pub struct Server {
    /// The process.
    pub process: Process,
    /// Where it listens: `127.0.0.1:<port>`.
    pub address: String,
    /// From the start of the process to the line that says where it listens.
    pub start: Duration,
}

impl Server {
    /// Starts a command that serves, and waits until it says where it listens. What it prints goes
    /// to `log`, as long as it runs.
    pub fn start(command: &mut Command, log: impl Write + Send + 'static) -> anyhow::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "the time of a start is measured")]
        let start = Instant::now();
        let mut process = Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let output = process.0.stdout.take().context("the server has no standard output")?;
        let (sender, addresses) = mpsc::channel();
        thread::spawn(move || follow(output, log, |address| drop(sender.send(address))));
        match addresses.recv_timeout(START_MAX) {
            Ok(address) => Ok(Self { process, address, start: start.elapsed() }),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                bail!("the server ended before it listened ({})", process.0.wait()?)
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("the server did not listen within {START_MAX:?}")
            }
        }
    }
}

/// Reads the output of a server until it ends. Otherwise the server would drop log lines.
fn follow(output: ChildStdout, mut log: impl Write, mut listens: impl FnMut(String)) {
    let mut lines = BufReader::new(output);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        // A log that takes nothing any more is no reason to stop reading.
        let _ = log.write_all(&line);
        if let Some(address) = address(&String::from_utf8_lossy(&line)) {
            listens(address);
        }
        line.clear();
    }
}

/// The address in the line that a server prints when it takes connections.
pub fn address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("listening on http://")?;
    let end = rest.find(|c: char| c == '"' || c.is_whitespace()).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]);
        shell
    }

    #[test]
    fn the_address_is_read_from_text_and_from_json() {
        let expected = Some("127.0.0.1:8787".to_owned());
        assert_eq!(address("INFO listening on http://127.0.0.1:8787 schema=2\n"), expected);
        assert_eq!(address("{\"message\":\"listening on http://127.0.0.1:8787\"}"), expected);
        assert_eq!(address("see http://127.0.0.1:8787"), None);
    }

    #[test]
    fn a_server_is_waited_for_until_it_listens() {
        let mut command = shell("echo hello; echo listening on http://127.0.0.1:1; exec sleep 60");
        let server = Server::start(&mut command, std::io::sink()).unwrap();
        assert_eq!(server.address, "127.0.0.1:1");
    }

    #[test]
    fn a_server_that_ends_before_it_listens_is_an_error() {
        let error = Server::start(&mut shell("echo hello; exit 3"), std::io::sink()).unwrap_err();
        let expected = "the server ended before it listened (exit status: 3)";
        assert_eq!(error.to_string(), expected);
    }
}
