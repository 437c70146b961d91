//! Talking to servers on this machine, without a whole HTTP client.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context as _, bail};

/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How long to wait between two looks at a server.
const PAUSE: Duration = Duration::from_millis(20);

/// An HTTP answer, as far as it matters here.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, body: bytes[end + 4..].to_vec() })
    }
}

/// Asks in HTTP 1.0, where the end of the connection is the end of the body.
pub(crate) fn get(address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Answer::parse(&bytes).context("the server's answer is no HTTP")
}

/// Waits until a server that was just started answers, at most so long. `name` is what it is called
/// if it does not.
#[expect(clippy::disallowed_methods, reason = "another process can only be looked at again")]
pub(crate) fn wait_until_it_answers(
    child: &mut Child,
    address: SocketAddr,
    within: Duration,
    name: &str,
    log: &Path,
) -> anyhow::Result<()> {
    let log = log.display();
    let start = std::time::Instant::now();
    while start.elapsed() < within {
        if let Some(status) = child.try_wait().with_context(|| format!("looking after {name}"))? {
            bail!("{name} ended ({status}); its log is {log}");
        }
        if get(address, "/livez").is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    bail!("{name} did not answer in {within:?}; its log is {log}")
}

/// Gets an unused port from the system, and releases it for a server.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    listener.local_addr().context("looking for a free port")
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
}
