//! The server under test.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, ensure};
use octopoid_testbed as testbed;
use serde_json::Value;

use crate::postgres::Scratch;
use crate::workspace::Workspace;
use crate::{edge, local};

/// The administrator's key of a server that lives for one run on the loopback interface.
pub(super) const ADMIN_SECRET: &str = "fuzz-admin-secret";

/// A running server. It is stopped when this is dropped.
pub(super) struct Server {
    running: Running,
    address: SocketAddr,
    log: PathBuf,
    /// What the binary runs on; it stops after it.
    _postgres: Option<Scratch>,
}

/// What runs.
enum Running {
    /// The binary.
    Binary(testbed::Server),
    /// The Worker.
    Worker(edge::Server),
}

impl Server {
    /// Starts a server on a fresh file and waits until it answers.
    pub(super) fn on_file(binary: &Path, scratch: &Path) -> anyhow::Result<Self> {
        let database = format!("sqlite:{}", scratch.join("octopoid.db").display());
        Self::start(binary, scratch, &database, None)
    }

    /// Starts a server on an empty PostgreSQL and waits until it answers.
    pub(super) fn on_postgres(
        binary: &Path,
        scratch: &Path,
        postgres: Scratch,
    ) -> anyhow::Result<Self> {
        let database = postgres.url();
        Self::start(binary, scratch, &database, Some(postgres))
    }

    /// Builds the Worker, starts it on an empty database and waits until it answers.
    pub(super) fn of_worker(workspace: &Workspace, scratch: &Path) -> anyhow::Result<Self> {
        let state = scratch.join("worker");
        let vars = [("API_SECRET_KEY", ADMIN_SECRET), ("OCTOPOID_AUTH", "open")];
        let worker = edge::serve(workspace, &state, &vars)?;
        let (address, log) = (worker.address(), worker.log().to_owned());
        Ok(Self { running: Running::Worker(worker), address, log, _postgres: None })
    }

    fn start(
        binary: &Path,
        scratch: &Path,
        database: &str,
        postgres: Option<Scratch>,
    ) -> anyhow::Result<Self> {
        let log = scratch.join("server.log");
        let output = File::create(&log).context("creating the server's log")?;
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--auth", "open"]);
        command.args(["--database", database]).env("API_SECRET_KEY", ADMIN_SECRET);
        command.stderr(output.try_clone().context("sharing the server's log")?);
        let server = testbed::Server::start(&mut command, output)
            .with_context(|| format!("the server's log is {}", log.display()))?;
        let address = server.address.parse().context("reading where the server listens")?;
        Ok(Self { running: Running::Binary(server), address, log, _postgres: postgres })
    }

    /// How the server ended, if it did.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        match &mut self.running {
            Running::Binary(server) => server.process.ended(),
            Running::Worker(worker) => worker.ended(),
        }
    }

    /// Where the server writes what it has to say.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// The address of a path on this server.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many operations the server describes.
    pub(super) fn operation_count(&self) -> anyhow::Result<usize> {
        let answer = local::get(self.address, "/openapi.json")?;
        ensure!(answer.status == 200, "/openapi.json answers {}", answer.status);
        let description =
            serde_json::from_slice(&answer.body).context("/openapi.json is no JSON")?;
        let count = operation_count(&description);
        ensure!(count > 0, "/openapi.json describes no operation");
        Ok(count)
    }
}

fn operation_count(description: &Value) -> usize {
    const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];
    let paths = description["paths"].as_object().into_iter().flat_map(|paths| paths.values());
    let keys = paths.filter_map(Value::as_object).flat_map(|path| path.keys());
    keys.filter(|key| METHODS.contains(&key.as_str())).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_counted_and_the_rest_of_a_path_is_not() {
        let description = serde_json::json!({
            "paths": { "/a": { "get": {}, "post": {}, "parameters": [] }, "/b": { "patch": {} } }
        });
        assert_eq!(operation_count(&description), 3);
    }
}
