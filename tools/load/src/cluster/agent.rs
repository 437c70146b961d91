//! Agents as they are in the field. Each takes tasks through their life with the tokens of its
//! leases. It repeats a request that is not answered, with the same idempotency key, on the next
//! server.

use std::time::{Duration, Instant};

use octopoid_domain::ClaimedTask;
use serde_json::{Value, json};

use super::{
    answers::{Answer, Reply, Request},
    verdict::Confirmed,
    work::{ALONE, ReviewPlan, SCOPE, TEAM, Work, WorkPlan},
};
use crate::clock::{now, pause};

/// How long a claim holds.
const LEASE: Duration = Duration::from_secs(3);
/// How long an agent sleeps whose lease is taken back: the lease, the server's grace, the interval
/// of its reaper, and time in which others may claim the task.
const SLEEP: Duration = Duration::from_millis(5_500);
/// How often a lease is renewed that is kept for longer than its length, and when.
const RENEWALS: usize = 4;
const RENEW: Duration = Duration::from_secs(1);
/// What a 503 asks for.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Between two looks at an empty queue, and after a server that is gone.
const IDLE: Duration = Duration::from_millis(50);

/// One of the agents.
pub(crate) struct Agent<'a> {
    name: String,
    work: &'a Work,
    server: usize,
    is_first: bool,
    /// The number of idempotency keys used.
    keys: usize,
}

/// A lease of an agent.
struct Held {
    id: String,
    token: String,
    /// The number of the attempt at the work.
    attempt: Option<i64>,
    role: Option<String>,
    rejections: i64,
    /// Before it was claimed or renewed: the lease ends only later than `LEASE` after this.
    since: Instant,
}

impl Held {
    fn may_have_ended(&self) -> bool {
        self.since.elapsed() >= LEASE
    }
}

impl<'a> Agent<'a> {
    /// An agent that begins at one of the servers.
    pub(crate) fn new(work: &'a Work, number: usize) -> Self {
        let (name, is_first) = (format!("agent-{number}"), number == 0);
        Self { name, work, server: number, is_first, keys: 0 }
    }

    /// Works until all tasks are finished.
    pub(crate) async fn run(mut self) {
        while !self.work.is_over() {
            if let Some((id, role)) = self.work.next_task() {
                self.create(&id, role).await;
            }
            let held = self.claim("claim", "incoming", "claimed").await;
            let has_work = held.is_some();
            if let Some(held) = held {
                self.work_on(held).await;
            }
            match self.claim("review", "provisional", "review_claimed").await {
                Some(held) => self.review(held).await,
                None if has_work => {}
                None => pause(IDLE).await,
            }
        }
    }

    async fn create(&mut self, id: &str, role: &str) {
        let body = json!({
            "id": id, "file_path": format!("{id}.md"), "branch": "main", "scope": SCOPE,
            "role": role
        });
        let answer = self.ask_once("create", "/api/v1/tasks", &body).await;
        if answer.status == 201 {
            self.work.confirm(id, confirmed(&answer, "created", None));
        } else {
            self.unexpected("create", id, &answer);
        }
    }

    /// A task from a queue, if there is one.
    async fn claim(&mut self, operation: &str, queue: &str, event: &'static str) -> Option<Held> {
        let since = now();
        let body = json!({
            "scope": SCOPE, "agent_name": self.name, "orchestrator_id": "cluster",
            "queue": queue, "role_filter": self.roles(queue),
            "lease_duration_seconds": LEASE.as_secs()
        });
        let answer = self.ask_once(operation, "/api/v1/tasks/claim", &body).await;
        if answer.status == 404 {
            return None;
        }
        if answer.is_lease_lost() && since.elapsed() >= LEASE {
            self.work.confirm_unseen(event, &self.name);
            return None;
        }
        let task = (answer.status == 200)
            .then(|| serde_json::from_value::<ClaimedTask>(answer.body.clone()).ok())
            .flatten();
        // A replay has the task as it is now, and the lease may have been taken back.
        let is_ours = |task: &ClaimedTask| {
            answer.is_replayed || task.claimed_by.as_deref() == Some(&*self.name)
        };
        let Some(task) = task.filter(is_ours) else {
            self.unexpected(operation, "", &answer);
            return None;
        };
        self.work.confirm(&task.id, confirmed(&answer, event, Some(&self.name)));
        Some(Held {
            id: task.id.clone(),
            token: task.lease_token.clone(),
            attempt: task.attempt,
            role: task.role.clone(),
            rejections: task.rejection_count.unwrap_or_default(),
            since,
        })
    }

    /// The roles of the tasks that it takes from a queue; all if there are none.
    fn roles(&self, queue: &str) -> &'static [&'static str] {
        match queue {
            "incoming" if self.is_first => &[ALONE, TEAM],
            "incoming" => &[TEAM],
            _ => &[],
        }
    }

    async fn work_on(&mut self, mut held: Held) {
        match self.work.next_work(held.role.as_deref()) {
            WorkPlan::Submit => {}
            WorkPlan::RenewOnce => self.renew(&mut held).await,
            WorkPlan::KeepRenewing => {
                for _ in 0..RENEWALS {
                    pause(RENEW).await;
                    self.renew(&mut held).await;
                }
            }
            WorkPlan::GiveBack => {
                self.note("(agent gave its task back)");
                let body = json!({"reason": "given back"});
                self.end("requeue", "requeued", body, &held).await;
                return;
            }
            WorkPlan::Fail => {
                // A failed attempt delays the task, and after some it is given up.
                let is_first = held.attempt == Some(1);
                let reason = if is_first { "crash" } else { "drained" };
                let body = json!({"reason": reason, "message": "the agent failed"});
                self.end("fail", "failed", body, &held).await;
                return;
            }
            WorkPlan::Oversleep => {
                self.note("(agent overslept)");
                pause(SLEEP).await;
            }
            WorkPlan::Forget => return self.note("(agent forgot its task)"),
        }
        let body = json!({"commits_count": 1, "turns_used": 7, "agent_name": self.name});
        self.end("submit", "submitted", body, &held).await;
    }

    async fn review(&mut self, held: Held) {
        match self.work.next_review() {
            ReviewPlan::Reject if held.rejections == 0 => {
                let body = json!({"rejected_by": self.name, "reason": "not good enough"});
                self.end("reject", "rejected", body, &held).await;
                return;
            }
            ReviewPlan::Accept | ReviewPlan::Reject => {}
            ReviewPlan::Oversleep => {
                self.note("(reviewer overslept)");
                pause(SLEEP).await;
            }
            ReviewPlan::Forget => return self.note("(reviewer forgot its task)"),
        }
        let body = json!({"accepted_by": self.name});
        if self.end("accept", "accepted", body, &held).await {
            self.work.finish();
        }
    }

    /// Ends a lease with its token. `false` if the token is refused because the lease is over.
    async fn end(
        &mut self,
        operation: &str,
        event: &'static str,
        mut body: Value,
        held: &Held,
    ) -> bool {
        body["lease_token"] = held.token.as_str().into();
        let path = format!("/api/v1/tasks/{}/{operation}", held.id);
        let answer = self.ask_once(operation, &path, &body).await;
        if answer.status == 200 {
            self.work.confirm(&held.id, confirmed(&answer, event, Some(&self.name)));
            return true;
        }
        if !(answer.is_lease_lost() && held.may_have_ended()) {
            self.unexpected(operation, &held.id, &answer);
        }
        false
    }

    /// Renews a lease, and shows progress on the streams.
    async fn renew(&mut self, held: &mut Held) {
        let since = now();
        let body = json!({
            "lease_token": held.token, "lease_duration_seconds": LEASE.as_secs(),
            "progress": {"message": "at work"}
        });
        let path = format!("/api/v1/tasks/{}/renew", held.id);
        let answer = self.ask("renew", &path, &body, None).await;
        if answer.status == 200 {
            held.since = since;
        } else if !(answer.is_lease_lost() && held.may_have_ended()) {
            self.unexpected("renew", &held.id, &answer);
        }
    }

    /// Asks for something that is carried out once, however often the request is sent.
    async fn ask_once(&mut self, operation: &str, path: &str, body: &Value) -> Answer {
        self.keys += 1;
        let key = format!("cluster-{}-{:08}", self.name, self.keys);
        self.ask(operation, path, body, Some(&key)).await
    }

    /// Sends the same request until it is answered. A server that is gone is left for the next one;
    /// one that asks for time gets it.
    async fn ask(
        &mut self,
        operation: &str,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Answer {
        let request = Request { operation, path, body: Some(body), key };
        loop {
            match self.work.servers.ask(self.server, request).await {
                Reply::Answered(answer) => return answer,
                Reply::NotDone => pause(RETRY_AFTER).await,
                Reply::Unsure | Reply::Gone => {
                    self.server += 1;
                    pause(IDLE).await;
                }
            }
        }
    }

    fn note(&self, what: &str) {
        self.work.servers.tally.count(what);
    }

    fn unexpected(&self, operation: &str, id: &str, answer: &Answer) {
        let Answer { status, body, .. } = answer;
        let what = format!("{operation} {id} by {}: {status} {body}", self.name);
        self.work.servers.tally.broken(what);
    }
}

/// What an answer confirms. A replay has the version that the task has now, not that of the write.
fn confirmed(answer: &Answer, event: &'static str, agent: Option<&str>) -> Confirmed {
    let version = answer.body["version"].as_i64().filter(|_| !answer.is_replayed);
    Confirmed { version, event, agent: agent.map(str::to_owned) }
}
