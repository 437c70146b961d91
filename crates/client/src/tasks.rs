//! The queue.

use std::time::Duration;

use octopoid_domain::{
    ClaimedTask, TaskView,
    event::Event,
    lease::Renewal,
    message::Message,
    steps::{
        Accept, Cancel, CompleteHook, Fail, ForceQueue, Reject, Renew, Requeue, Retry, Submit,
    },
    task::{ClaimRequest, NewTask},
};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::Value;

use crate::{ANSWER_SECONDS, Client, Listed, Query, Result, decode, path};

/// A page of a task's history.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct History {
    /// The task.
    pub task_id: String,
    /// The oldest first.
    pub events: Vec<Event>,
    /// The cursor of the next page; `None` at the end.
    pub next_cursor: Option<String>,
}

/// The only 404 that is not an error: it has only a `message`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {
    #[serde(rename = "message")]
    _message: String,
}

impl Client {
    /// Creates a task.
    pub async fn create_task(&self, new: &NewTask) -> Result<TaskView> {
        self.post(&path(["tasks"]), new).await
    }

    /// The task with this id.
    pub async fn get_task(&self, id: &str) -> Result<TaskView> {
        self.get(&path(["tasks", id]), &[]).await
    }

    /// Lists tasks. The query may name `queue`, `priority`, `role`, `claimed_by`, `project_id`,
    /// `needs_intervention`, `sort`, `limit`, `offset` and `cursor`.
    pub async fn list_tasks(&self, query: Query<'_>) -> Result<Listed<TaskView>> {
        self.list("tasks", &path(["tasks"]), query).await
    }

    /// Claims the most urgent task that fits, if there is one.
    pub async fn claim_task(&self, request: &ClaimRequest) -> Result<Option<ClaimedTask>> {
        self.claim(self.with_body(Method::POST, &path(["tasks", "claim"]), request)?).await
    }

    /// Claims the most urgent task that fits, or waits so many seconds for one to turn up: 50 at
    /// most. A server that cannot wait answers at once.
    pub async fn wait_for_task(
        &self,
        request: &ClaimRequest,
        seconds: u64,
    ) -> Result<Option<ClaimedTask>> {
        let request = self.with_body(Method::POST, &path(["tasks", "claim"]), request)?;
        let timeout = Duration::from_secs(seconds + ANSWER_SECONDS);
        self.claim(request.header("prefer", format!("wait={seconds}")).timeout(timeout)).await
    }

    async fn claim(&self, request: RequestBuilder) -> Result<Option<ClaimedTask>> {
        let (status, body) = self.exchange(request).await?;
        if status == 404 && serde_json::from_slice::<Nothing>(&body).is_ok() {
            return Ok(None);
        }
        decode(status, &body).map(Some)
    }

    /// Hands in work.
    pub async fn submit_task(&self, id: &str, body: &Submit) -> Result<TaskView> {
        self.post(&path(["tasks", id, "submit"]), body).await
    }

    /// Renews a lease.
    pub async fn renew_task(&self, id: &str, body: &Renew) -> Result<Renewal> {
        self.post(&path(["tasks", id, "renew"]), body).await
    }

    /// Reports that a run has failed.
    pub async fn fail_task(&self, id: &str, body: &Fail) -> Result<TaskView> {
        self.post(&path(["tasks", id, "fail"]), body).await
    }

    /// Cancels a task, or asks its holder to stop.
    pub async fn cancel_task(&self, id: &str, body: &Cancel) -> Result<TaskView> {
        self.post(&path(["tasks", id, "cancel"]), body).await
    }

    /// Takes a failed or cancelled task up again.
    pub async fn retry_task(&self, id: &str, body: &Retry) -> Result<TaskView> {
        self.post(&path(["tasks", id, "retry"]), body).await
    }

    /// Accepts work.
    pub async fn accept_task(&self, id: &str, body: &Accept) -> Result<TaskView> {
        self.post(&path(["tasks", id, "accept"]), body).await
    }

    /// Rejects work.
    pub async fn reject_task(&self, id: &str, body: &Reject) -> Result<TaskView> {
        self.post(&path(["tasks", id, "reject"]), body).await
    }

    /// Puts a task back without a verdict.
    pub async fn requeue_task(&self, id: &str, body: &Requeue) -> Result<TaskView> {
        self.post(&path(["tasks", id, "requeue"]), body).await
    }

    /// Moves a task past the rules.
    pub async fn force_queue_task(&self, id: &str, body: &ForceQueue) -> Result<TaskView> {
        self.post(&path(["tasks", id, "force-queue"]), body).await
    }

    /// Reports on a hook.
    pub async fn complete_hook(
        &self,
        id: &str,
        hook: &str,
        body: &CompleteHook,
    ) -> Result<TaskView> {
        self.post(&path(["tasks", id, "hooks", hook, "complete"]), body).await
    }

    /// Changes the fields that `patch` names; `null` clears.
    pub async fn update_task(&self, id: &str, patch: &Value) -> Result<TaskView> {
        self.patch(&path(["tasks", id]), patch).await
    }

    /// Deletes a task.
    pub async fn delete_task(&self, id: &str) -> Result<()> {
        self.delete::<Value>(&path(["tasks", id]), &[]).await.map(drop)
    }

    /// What happened to a task. The query may name `cursor` and `limit`.
    pub async fn task_history(&self, id: &str, query: Query<'_>) -> Result<History> {
        self.get(&path(["tasks", id, "history"]), query).await
    }

    /// The messages about a task. The query may name `limit`, `offset` and `cursor`.
    pub async fn list_task_messages(&self, id: &str, query: Query<'_>) -> Result<Listed<Message>> {
        self.list("messages", &path(["tasks", id, "messages"]), query).await
    }
}
