//! Servers as processes, none of which outlives this program.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use octopoid_testbed::Process;

use crate::{
    clock::{now, pause},
    server::{SERVER, binary},
};

/// How long a server may take until it is ready. Ten of them start at once.
const START_MAX: Duration = Duration::from_mins(1);
/// How often a server that starts is asked.
const ASK: Duration = Duration::from_millis(20);

/// How servers are started.
pub(crate) struct Launcher {
    binary: PathBuf,
    database: String,
    logs: PathBuf,
    watchdog: Watchdog,
    http: reqwest::Client,
}

/// A server at an address that stays its own when it is started again.
pub(crate) struct Server {
    pub(crate) address: String,
    number: usize,
    process: Process,
}

impl Launcher {
    pub(crate) fn new(database: String, logs: &Path) -> anyhow::Result<Self> {
        let http = octopoid_client::http("http://127.0.0.1").timeout(START_MAX).build()?;
        let (binary, watchdog) = (binary(SERVER)?, Watchdog::start()?);
        Ok(Self { binary, database, logs: logs.to_owned(), watchdog, http })
    }

    /// Starts a server and does not wait for it. A number has one server at a time.
    pub(crate) fn launch(&mut self, number: usize, address: String) -> anyhow::Result<Server> {
        let log = self.log(number)?;
        let mut command = Command::new(&self.binary);
        command
            .args(["--listen", &address, "--database", &self.database])
            .args(["--lease-grace", "1s", "--reap-interval", "1s"])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let process = Process::start(&mut command)?;
        self.watchdog.watch(number, Some(process.id()))?;
        Ok(Server { address, number, process })
    }

    /// Ends a server as a power cut would, as far as a process can tell.
    pub(crate) fn kill(&mut self, server: Server) -> anyhow::Result<(usize, String)> {
        let (number, address) = (server.number, server.address.clone());
        drop(server);
        self.watchdog.watch(number, None)?;
        Ok((number, address))
    }

    /// Waits until a server is ready. One that has ended is an error, with what it said.
    pub(crate) async fn ready(&self, server: &mut Server) -> anyhow::Result<()> {
        let start = now();
        let url = format!("http://{}/readyz", server.address);
        while start.elapsed() < START_MAX {
            if let Some(status) = server.process.ended()? {
                let said = self.said(server.number)?;
                bail!("server {} ended ({status}):\n{said}", server.number);
            }
            let answer = self.http.get(&url).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            pause(ASK).await;
        }
        bail!("server {} was not ready within {START_MAX:?}", server.number)
    }

    /// What the servers of this number have logged.
    pub(crate) fn said(&self, number: usize) -> anyhow::Result<String> {
        std::fs::read_to_string(self.log_path(number)).context("reading a server's log")
    }

    fn log(&self, number: usize) -> anyhow::Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        options.open(self.log_path(number)).context("cannot make a server's log")
    }

    fn log_path(&self, number: usize) -> PathBuf {
        self.logs.join(format!("server-{number}.log"))
    }
}

/// An unused address. The port is below those that systems give to outgoing
/// connections, so that it stays free while its server is dead.
pub(crate) fn free_address(from: u16) -> anyhow::Result<String> {
    const LAST: u16 = 32_000;
    for port in from..LAST {
        let address = format!("127.0.0.1:{port}");
        if TcpListener::bind(&address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port from {from} to {LAST} is free")
}

/// A shell that kills the servers when this program itself was killed. Each line that it reads has
/// all processes to kill; the end of its input comes when this program has ended.
struct Watchdog {
    shell: Child,
    servers: Vec<(usize, u32)>,
}

const WATCH: &str = r#"
while read -r line; do servers=$line; done
[ -z "$servers" ] || kill -9 $servers
"#;

impl Watchdog {
    fn start() -> anyhow::Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", WATCH])
            // What ends the whole process group of this program must not end this with it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("could not start the shell that watches over the servers")?;
        Ok(Self { shell, servers: Vec::new() })
    }

    /// The server of this number has this process now, or none.
    fn watch(&mut self, number: usize, process: Option<u32>) -> anyhow::Result<()> {
        self.servers.retain(|(known, _)| *known != number);
        self.servers.extend(process.map(|process| (number, process)));
        let all: Vec<_> = self.servers.iter().map(|(_, process)| process.to_string()).collect();
        let input = self.shell.stdin.as_mut().context("the watching shell has no input")?;
        writeln!(input, "{}", all.join(" ")).context("the watching shell is gone")
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // This program is alive and kills its servers itself.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
