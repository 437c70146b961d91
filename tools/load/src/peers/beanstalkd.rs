//! Agents of beanstalkd, whose protocol is lines of text.

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::TcpStream,
};

use super::agents::Agent;
use crate::bench::workload::new_task;

/// What the agents do.
pub(super) const CONFIGURATION: &str = "each agent puts a job, reserves one and deletes it: three commands on one \
     connection that is kept open, of which the first and the last are durable";

/// How long a job may stay reserved, in seconds: longer than any run.
const TIME_TO_RUN: u32 = 3_600;

/// An agent with a connection of its own.
pub(super) struct Worker {
    stream: BufStream<TcpStream>,
}

/// So many agents, connected.
pub(super) async fn agents(address: &str, count: usize) -> anyhow::Result<Vec<Worker>> {
    let mut agents = Vec::with_capacity(count);
    for _ in 0..count {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        agents.push(Worker { stream: BufStream::new(stream) });
    }
    Ok(agents)
}

impl Agent for Worker {
    async fn add(&mut self) -> anyhow::Result<()> {
        let (_, body) = new_task("bench");
        let put = format!("put 0 0 {TIME_TO_RUN} {}\r\n{body}\r\n", body.len());
        let answer = self.ask(&put).await?;
        ensure!(answer.starts_with("INSERTED "), "a put was answered with {answer:?}");
        Ok(())
    }

    async fn complete(&mut self) -> anyhow::Result<()> {
        let answer = self.ask("reserve\r\n").await?;
        let (id, length) = reserved(&answer)?;
        // The body ends with a line end of its own.
        let mut body = vec![0; length + 2];
        self.stream.read_exact(&mut body).await?;
        let answer = self.ask(&format!("delete {id}\r\n")).await?;
        ensure!(answer.trim_end() == "DELETED", "a deletion was answered with {answer:?}");
        Ok(())
    }
}

impl Worker {
    /// Sends a command, and returns the first line of the answer.
    async fn ask(&mut self, command: &str) -> anyhow::Result<String> {
        self.stream.write_all(command.as_bytes()).await?;
        self.stream.flush().await?;
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        ensure!(line.ends_with('\n'), "beanstalkd closed the connection");
        Ok(line)
    }
}

/// The id and the length of a job in the answer that has reserved it.
fn reserved(answer: &str) -> anyhow::Result<(u64, usize)> {
    let mut words = answer.split_whitespace();
    let (Some("RESERVED"), Some(id), Some(length)) = (words.next(), words.next(), words.next())
    else {
        bail!("a reservation was answered with {answer:?}");
    };
    Ok((id.parse()?, length.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_and_the_length_of_a_reserved_job_are_read() {
        assert_eq!(reserved("RESERVED 12 345\r\n").unwrap(), (12, 345));
        assert!(reserved("DEADLINE_SOON\r\n").is_err());
    }
}
