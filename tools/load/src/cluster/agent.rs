//! Agents as they are in the field: each takes tasks through their life, goes to another server
//! when one is gone, and looks at the task when an answer was lost.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use octopoid_domain::TaskView;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    answers::{Answer, Reply, Servers},
    verdict::Acknowledged,
};
use crate::clock::{now, pause};

/// The tenant of all tasks.
pub(crate) const SCOPE: &str = "cluster";
/// How long a claim holds.
const LEASE: Duration = Duration::from_secs(3);
/// What a 503 asks for.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Between two looks at an empty queue, and after a server that is gone.
const IDLE: Duration = Duration::from_millis(50);
/// One of so many claims is forgotten by its agent, which has died as far as the server can tell.
const FORGOTTEN: usize = 97;

/// What all agents share.
pub(crate) struct Work {
    pub(crate) servers: Servers,
    tasks: usize,
    created: AtomicUsize,
    claims: AtomicUsize,
    finished: watch::Sender<usize>,
    acknowledged: Mutex<HashMap<String, Vec<Acknowledged>>>,
}

/// One of the agents.
pub(crate) struct Agent<'a> {
    name: String,
    work: &'a Work,
    server: usize,
}

/// A task as it stood when its agent claimed it.
struct Held {
    id: String,
    version: i64,
    asked: Instant,
}

/// What is known of a write after its answer.
enum Written {
    /// It was confirmed, or found in the task.
    Yes,
    /// The task is no longer this agent's.
    NotOurs,
}

impl Work {
    pub(crate) fn new(servers: Servers, tasks: usize) -> Self {
        Self {
            servers,
            tasks,
            created: AtomicUsize::default(),
            claims: AtomicUsize::default(),
            finished: watch::Sender::default(),
            acknowledged: Mutex::default(),
        }
    }

    /// How many tasks are known to be finished, now and whenever that changes.
    pub(crate) fn finished(&self) -> watch::Receiver<usize> {
        self.finished.subscribe()
    }

    /// The ids of all tasks.
    pub(crate) fn ids(&self) -> impl Iterator<Item = String> {
        (0..self.tasks).map(|number| format!("task-{number}"))
    }

    /// What the servers have confirmed about a task.
    pub(crate) fn acknowledged(&self, id: &str) -> Vec<Acknowledged> {
        let all = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(id).cloned().unwrap_or_default()
    }

    fn acknowledge(&self, id: &str, version: i64, event: &'static str, agent: Option<&str>) {
        let agent = agent.map(str::to_owned);
        let mut all = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(id.to_owned()).or_default().push(Acknowledged { version, event, agent });
    }

    fn is_over(&self) -> bool {
        *self.finished.borrow() >= self.tasks
    }

    fn next_id(&self) -> Option<String> {
        let number = self.created.fetch_add(1, Ordering::Relaxed);
        (number < self.tasks).then(|| format!("task-{number}"))
    }
}

impl<'a> Agent<'a> {
    /// An agent that begins at one of the servers.
    pub(crate) fn new(work: &'a Work, number: usize) -> Self {
        Self { name: format!("agent-{number}"), work, server: number }
    }

    /// Works until all tasks are finished.
    pub(crate) async fn run(mut self) {
        while !self.work.is_over() {
            if let Some(id) = self.work.next_id() {
                self.create(&id).await;
            }
            let Some(held) = self.claim().await else {
                pause(IDLE).await;
                continue;
            };
            if self.work.claims.fetch_add(1, Ordering::Relaxed) % FORGOTTEN == FORGOTTEN - 1 {
                self.work.servers.tally.count("(agent forgot its task)");
                continue;
            }
            if matches!(self.submit(&held).await, Written::Yes) {
                self.accept(&held).await;
            }
        }
    }

    async fn create(&mut self, id: &str) {
        let body = json!({
            "id": id, "file_path": format!("{id}.md"), "branch": "main", "scope": SCOPE
        });
        let mut is_unsure = false;
        loop {
            match self.ask("create", "/api/v1/tasks", Some(&body)).await {
                Reply::Answered(answer) if answer.status == 201 => {
                    self.work.acknowledge(id, 1, "created", None);
                    return;
                }
                Reply::Answered(answer) if answer.status == 409 && is_unsure => return,
                Reply::Answered(answer) => return self.unexpected("create", id, &answer),
                Reply::Unsure => is_unsure = true,
                Reply::NotDone | Reply::Gone => {}
            }
        }
    }

    /// A task, if there is one. If the answer is lost, the lease will end.
    async fn claim(&mut self) -> Option<Held> {
        let asked = now();
        let body = json!({
            "scope": SCOPE, "agent_name": self.name, "orchestrator_id": "cluster",
            "lease_duration_seconds": LEASE.as_secs()
        });
        let reply = self.ask("claim", "/api/v1/tasks/claim", Some(&body)).await;
        let Reply::Answered(answer) = reply else { return None };
        if answer.status == 404 {
            return None;
        }
        match task(&answer) {
            Some(task)
                if task.queue == "claimed" && task.claimed_by.as_deref() == Some(&*self.name) =>
            {
                self.work.acknowledge(&task.id, task.version, "claimed", Some(&self.name));
                Some(Held { id: task.id, version: task.version, asked })
            }
            _ => {
                self.unexpected("claim", "", &answer);
                None
            }
        }
    }

    async fn submit(&mut self, held: &Held) -> Written {
        let path = format!("/api/v1/tasks/{}/submit", held.id);
        let body = json!({
            "commits_count": 1, "turns_used": 7, "agent_name": self.name, "version": held.version
        });
        self.write("submit", &path, &body, held, held.version, "provisional").await
    }

    async fn accept(&mut self, held: &Held) {
        let path = format!("/api/v1/tasks/{}/accept", held.id);
        let version = held.version + 1;
        let body = json!({"accepted_by": self.name, "version": version});
        match self.write("accept", &path, &body, held, version, "done").await {
            Written::Yes => self.work.finished.send_modify(|finished| *finished += 1),
            // Only who has handed a task in accepts it here.
            Written::NotOurs => self.broken(format!("{} was accepted by another agent", held.id)),
        }
    }

    /// Moves a task of this version to a queue. If an answer is lost, the task tells.
    async fn write(
        &mut self,
        operation: &'static str,
        path: &str,
        body: &Value,
        held: &Held,
        version: i64,
        queue: &str,
    ) -> Written {
        let mut is_unsure = false;
        loop {
            match self.ask(operation, path, Some(body)).await {
                Reply::Answered(answer) if answer.status == 200 => {
                    let (event, agent) = match operation {
                        "submit" => ("submitted", &self.name),
                        _ => ("accepted", &self.name),
                    };
                    self.work.acknowledge(&held.id, version + 1, event, Some(agent));
                    return Written::Yes;
                }
                Reply::Answered(answer) => {
                    // The lease began after it was asked for, so it has ended only later than this.
                    let may_have_ended = operation == "submit" && held.asked.elapsed() >= LEASE;
                    if !is_unsure && !may_have_ended {
                        self.unexpected(operation, &held.id, &answer);
                        return Written::NotOurs;
                    }
                }
                Reply::Unsure => is_unsure = true,
                Reply::NotDone | Reply::Gone => continue,
            }
            let now = self.read(&held.id).await;
            match now.version - version {
                // A lease that has ended is refused until the reaper has come.
                0 if operation == "submit" && held.asked.elapsed() >= LEASE => {
                    return Written::NotOurs;
                }
                0 => {}
                1 if now.queue == queue => return Written::Yes,
                _ => return Written::NotOurs,
            }
        }
    }

    async fn read(&mut self, id: &str) -> TaskView {
        let path = format!("/api/v1/tasks/{id}?scope={SCOPE}");
        loop {
            if let Reply::Answered(answer) = self.ask("read", &path, None).await {
                match task(&answer) {
                    Some(task) => return task,
                    None => self.unexpected("read", id, &answer),
                }
            }
        }
    }

    /// Asks once. A server that is gone is left for the next one; one that asks for time gets it.
    async fn ask(&mut self, operation: &str, path: &str, body: Option<&Value>) -> Reply {
        let reply = self.work.servers.ask(self.server, operation, path, body).await;
        match reply {
            Reply::Answered(_) => {}
            Reply::NotDone => pause(RETRY_AFTER).await,
            Reply::Unsure | Reply::Gone => {
                self.server += 1;
                pause(IDLE).await;
            }
        }
        reply
    }

    fn unexpected(&self, operation: &str, id: &str, answer: &Answer) {
        let Answer { status, body } = answer;
        self.broken(format!("{operation} {id} by {}: {status} {body}", self.name));
    }

    fn broken(&self, what: String) {
        self.work.servers.tally.broken(what);
    }
}

/// The task in an answer that gives one.
fn task(answer: &Answer) -> Option<TaskView> {
    matches!(answer.status, 200 | 201)
        .then(|| serde_json::from_value(answer.body.clone()).ok())
        .flatten()
}
