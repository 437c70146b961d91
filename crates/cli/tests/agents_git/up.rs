//! A running `octopoid up`.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use octopoid_client::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{machine::Machine, program::wait};

/// How long something may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_mins(1);

/// A running `octopoid up`. It is killed with its guard.
pub(crate) struct Up {
    child: Child,
    lines: Receiver<String>,
    client: Client,
    seen: Vec<Value>,
}

impl Up {
    /// Starts it in the repository of a machine, and waits until it serves.
    pub(crate) fn start(machine: &Machine<'_>, flags: &str, agent: &str) -> Self {
        let script = machine.script("agent", agent);
        // One that joins another has no address of its own.
        let is_first = !machine.home.join(".local/share/octopoid/up.json").exists();
        let listen = if is_first { "--listen 127.0.0.1:0" } else { "" };
        let mut command = machine.command(&format!("up {listen} -o ndjson {flags} --"));
        command.arg(script).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = read(child.stdout.take().unwrap());
        // Sentences for people stand beside the output for programs.
        let errors = read(child.stderr.take().unwrap());
        // It is killed with its value from here on.
        let client = Client::new("http://127.0.0.1").unwrap();
        let mut up = Self { child, lines, client, seen: Vec::new() };
        let header = errors.recv_timeout(LIMIT).unwrap();
        let link = header.rsplit_once(" · ").unwrap().1;
        let url = link.split_once("/?").unwrap().0.to_owned();
        let record = machine.home.join(".local/share/octopoid/up.json");
        let record: Value = serde_json::from_str(&fs::read_to_string(record).unwrap()).unwrap();
        let member = &record["repositories"][machine.repo.to_str().unwrap()];
        let text = |name: &str| member[name].as_str().unwrap();
        let client = Client::new(&url).unwrap();
        up.client = client.with_scope(text("scope")).with_key(text("manage_key"));
        up
    }

    /// Waits until the runner has said this about a task once more than before, and gives what.
    pub(crate) fn notice(&mut self, kind: &str, id: &str) -> String {
        let is_it = |notice: &Value| notice["kind"] == kind && notice["task_id"] == id;
        loop {
            if let Some(at) = self.seen.iter().position(is_it) {
                return self.seen.remove(at)["text"].as_str().unwrap().to_owned();
            }
            let line = self.lines.recv_timeout(LIMIT);
            let line = line.unwrap_or_else(|_| panic!("no {kind} of {id}; {:?}", self.seen));
            self.seen.push(serde_json::from_str(&line).unwrap());
        }
    }

    /// The queue that a task is in.
    pub(crate) fn queue(&self, id: &str) -> String {
        wait(self.client.get_task(id)).unwrap().queue
    }

    /// The flow that a task follows.
    pub(crate) fn flow(&self, id: &str) -> Option<String> {
        wait(self.client.get_task(id)).unwrap().flow
    }

    /// Stops it as Ctrl-C does.
    pub(crate) fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

/// The lines of an output, which is read to its end whether they are wanted or not.
fn read(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
