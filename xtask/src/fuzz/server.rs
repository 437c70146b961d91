//! The server under test.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// The administrator's key of a server that lives for one run on the loopback interface.
pub(super) const ADMIN_SECRET: &str = "fuzz-admin-secret";

/// How long the server may take until it answers.
const START_MAX: Duration = Duration::from_secs(30);

/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);

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
        server.wait_until_it_answers()?;
        Ok(server)
    }

    #[expect(clippy::disallowed_methods, reason = "another process can only be looked at again")]
    fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let start = std::time::Instant::now();
        while start.elapsed() < START_MAX {
            if let Some(status) = self.ended()? {
                bail!("the server ended ({status}); its log is {}", self.log.display());
            }
            if self.get("/livez").is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the server did not answer in {START_MAX:?}; its log is {}", self.log.display())
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
        let answer = self.get("/openapi.json")?;
        ensure!(answer.status == 200, "/openapi.json answers {}", answer.status);
        let description =
            serde_json::from_slice(&answer.body).context("/openapi.json is no JSON")?;
        let count = operation_count(&description);
        ensure!(count > 0, "/openapi.json describes no operation");
        Ok(count)
    }

    /// Asks in HTTP 1.0, where the end of the connection is the end of the body. It spares this
    /// program a whole HTTP client for two requests.
    fn get(&self, path: &str) -> anyhow::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&self.address, ANSWER_MAX)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address)?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Answer::parse(&bytes).context("the server's answer is no HTTP")
    }
}

/// An HTTP answer, as far as it matters here.
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, body: bytes[end + 4..].to_vec() })
    }
}

/// Asks the system for a port that nobody uses, and gives it back for the server to take.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    listener.local_addr().context("looking for a free port")
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
    fn an_answer_is_taken_apart() {
        let answer = Answer::parse(b"HTTP/1.0 404 Not Found\r\na: b\r\n\r\n{}\r\n\r\n").unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (404, b"{}\r\n\r\n".as_slice()));
        assert!(Answer::parse(b"HTTP/1.0 200 OK\r\n").is_none());
    }

    #[test]
    fn operations_are_counted_and_the_rest_of_a_path_is_not() {
        let description = serde_json::json!({
            "paths": { "/a": { "get": {}, "post": {}, "parameters": [] }, "/b": { "patch": {} } }
        });
        assert_eq!(operation_count(&description), 3);
    }
}
