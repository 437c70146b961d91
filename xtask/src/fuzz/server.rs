//! The server under test.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::local::{self, free_address};

/// The administrator's key of a server that lives for one run on the loopback interface.
pub(super) const ADMIN_SECRET: &str = "fuzz-admin-secret";

/// How long the server may take until it answers.
const START_MAX: Duration = Duration::from_secs(30);

/// A running server. It is killed when this is dropped.
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its database is thrown away, so it need not end in order. If it has ended by itself,
        // there is nothing left to do and both calls may fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts a server on a fresh database and waits until it answers.
    pub(super) fn start(binary: &Path, scratch: &Path) -> anyhow::Result<Self> {
        let address = free_address()?;
        let log = scratch.join("server.log");
        let output = File::create(&log).context("creating the server's log")?;
        let child = Command::new(binary)
            .arg("serve")
            .args(["--listen", &address.to_string(), "--auth", "open"])
            .arg("--database")
            .arg(format!("sqlite:{}", scratch.join("octopoid.db").display()))
            .env("API_SECRET_KEY", ADMIN_SECRET)
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("sharing the server's log")?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("could not start {}", binary.display()))?;
        let mut server = Self { child, address, log };
        let Self { child, log, .. } = &mut server;
        local::wait_until_it_answers(child, address, START_MAX, "the server", log)?;
        Ok(server)
    }

    /// How the server ended, if it did.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().context("looking after the server")
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
