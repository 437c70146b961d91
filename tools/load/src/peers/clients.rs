//! The programs that add and complete tasks, and what they report.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::backend::{Process, Running, first_line};
use crate::processes;

/// How long a client may take beside the time that it is asked to work: migrations, and the last
/// tasks.
const BESIDE_MAX: Duration = Duration::from_mins(1);
/// The oldest Node that all of the libraries run on.
const NODE_MIN: (u32, u32) = (22, 18);

/// A program that speaks with a backend.
#[derive(Clone, Debug)]
pub(super) enum Client {
    /// `octopoid-load client`, with a protocol.
    Own(&'static str),
    /// A script of tools/peers, and what it is told beside what all are told.
    Node(&'static str, &'static [&'static str]),
    /// The client of awa.
    Awa,
}

/// Where the programs are that are no part of this one.
#[derive(Debug)]
pub(super) struct Programs {
    /// The folder of the scripts, with the installed packages.
    pub(super) scripts: Option<PathBuf>,
    /// The client of awa.
    pub(super) awa: Option<PathBuf>,
}

/// How many agents work, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) agents: usize,
    pub(super) warm_up: Duration,
    pub(super) length: Duration,
}

/// A line of a client.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
enum Said {
    Configuration { configuration: String },
    Phase { phase: Phase },
    Outcome(Outcome),
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Phase {
    /// The warm-up is over, what follows counts.
    Measured,
    /// The time is up.
    Over,
}

/// What a client has measured.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
pub(super) struct Outcome {
    pub(super) tasks: u32,
    pub(super) seconds: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Processor time of one run, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Processor {
    pub(super) server: f64,
    pub(super) database: f64,
    pub(super) client: f64,
}

impl Client {
    /// What must be installed first, if something must.
    pub(super) fn missing(&self, programs: &Programs) -> Option<String> {
        match self {
            Self::Own(_) => None,
            Self::Node(..) if programs.scripts.is_none() => {
                Some("its package of npm is not installed".to_owned())
            }
            Self::Node(..) => {
                let (major, minor) = NODE_MIN;
                let Ok(version) = first_line(Path::new("node"), "--version") else {
                    return Some(format!("Node {major}.{minor} or newer is not installed"));
                };
                (!is_new(&version)).then(|| {
                    format!("Node {major}.{minor} or newer is needed, and this is {version}")
                })
            }
            Self::Awa => programs.awa.is_none().then(|| "its client was not built".to_owned()),
        }
    }

    fn command(&self, programs: &Programs) -> anyhow::Result<Command> {
        Ok(match self {
            Self::Own(_) => Command::new(std::env::current_exe()?),
            Self::Node(script, _) => {
                let folder = programs.scripts.as_ref().context("the scripts are missing")?;
                let mut node = Command::new("node");
                node.arg(folder.join(script)).env("NODE_ENV", "production");
                node
            }
            Self::Awa => Command::new(programs.awa.as_ref().context("the client is missing")?),
        })
    }

    /// Lets it work on a backend, and returns its configuration and the figures.
    pub(super) fn work(
        &self,
        programs: &Programs,
        backend: &Running,
        load: Load,
    ) -> anyhow::Result<(String, Outcome, Processor)> {
        let mut command = self.command(programs)?;
        if let Self::Own(protocol) = self {
            command.args(["client", protocol]);
        }
        command.arg(&backend.address).arg(load.agents.to_string());
        command.arg(load.warm_up.as_millis().to_string());
        command.arg(load.length.as_millis().to_string());
        if let Self::Node(_, more) = self {
            command.args(*more);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut client = Process(command.spawn().context("cannot start the client")?);
        let output = client.0.stdout.take().context("the client has no standard output")?;
        let limit = load.warm_up + load.length + BESIDE_MAX;
        follow(output, limit, || {
            Ok(Processor {
                server: processes::seconds(backend.server.as_slice())?,
                database: processes::seconds(backend.database.as_slice())?,
                client: processes::seconds(&[client.0.id()])?,
            })
        })
    }
}

/// Reads what a client says until it has reported, and looks at the processor time when the
/// measurement begins and ends.
fn follow(
    output: ChildStdout,
    limit: Duration,
    used: impl Fn() -> anyhow::Result<Processor>,
) -> anyhow::Result<(String, Outcome, Processor)> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            if line.is_err() || sender.send(line).is_err() {
                break;
            }
        }
    });
    let (mut configuration, mut before, mut after) = (String::new(), None, None);
    loop {
        let line = match lines.recv_timeout(limit) {
            Ok(line) => line?,
            Err(mpsc::RecvTimeoutError::Disconnected) => bail!("the client failed"),
            Err(mpsc::RecvTimeoutError::Timeout) => bail!("the client said nothing for {limit:?}"),
        };
        match said(&line)? {
            Said::Configuration { configuration: text } => configuration = text,
            Said::Phase { phase: Phase::Measured } => before = Some(used()?),
            Said::Phase { phase: Phase::Over } => after = Some(used()?),
            Said::Outcome(outcome) => {
                let (Some(before), Some(after)) = (before, after) else {
                    bail!("the client did not say when it measured");
                };
                return Ok((configuration, outcome, after.since(before)));
            }
        }
    }
}

impl Processor {
    fn since(self, before: Self) -> Self {
        Self {
            server: self.server - before.server,
            database: self.database - before.database,
            client: self.client - before.client,
        }
    }
}

fn said(line: &str) -> anyhow::Result<Said> {
    serde_json::from_str(line).with_context(|| format!("the client said {line:?}"))
}

/// Whether a version such as `v22.18.0` is new enough.
fn is_new(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(|part| part.parse().ok());
    let (Some(Some(major)), Some(Some(minor))) = (numbers.next(), numbers.next()) else {
        return false;
    };
    (major, minor) >= NODE_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_client_is_understood() {
        let configuration = Said::Configuration { configuration: "q 1.0".to_owned() };
        assert_eq!(said(r#"{"configuration":"q 1.0"}"#).unwrap(), configuration);
        let phase = Said::Phase { phase: Phase::Over };
        assert_eq!(said(r#"{"phase":"over"}"#).unwrap(), phase);
        let outcome = Outcome { tasks: 7, seconds: 1.5, p50_ms: 2.0, p99_ms: 3.25 };
        let line = r#"{"tasks":7,"seconds":1.5,"p50_ms":2,"p99_ms":3.25}"#;
        assert_eq!(said(line).unwrap(), Said::Outcome(outcome));
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for line in ["", "hello", r#"{"phase":"later"}"#, r#"{"tasks":7}"#] {
            let error = said(line).unwrap_err().to_string();
            assert_eq!(error, format!("the client said {line:?}"));
        }
    }

    #[test]
    fn versions_of_node_are_compared_as_numbers() {
        assert!(is_new("v22.18.0") && is_new("v22.23.3") && is_new("v24.1.0"));
        assert!(!is_new("v22.9.0") && !is_new("v20.20.2") && !is_new(""));
    }

    #[test]
    fn processor_time_is_the_difference() {
        let before = Processor { server: 1.0, database: 2.0, client: 3.0 };
        let after = Processor { server: 1.5, database: 2.0, client: 5.0 };
        let between = Processor { server: 0.5, database: 0.0, client: 2.0 };
        assert_eq!(after.since(before), between);
    }
}
