//! The queue.

use std::time::Duration;

use octopoid_domain::{
    ClaimedTask, TaskView,
    event::Event,
    lease::Renewal,
    message::Message,
    run::LastRun,
    steps::{
        Accept, Cancel, CompleteHook, Fail, ForceQueue, Reject, Renew, Requeue, Retry, Submit,
    },
    summary::Summary,
    task::{ClaimRequest, NewTask},
    why::{Waiting, Why},
};
use reqwest::{Method, RequestBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ANSWER_SECONDS, Client, Listed, Query, Result, decode, path, retry::Answer};

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
    retry_after_seconds: Option<u64>,
}

/// The answer to a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Offer {
    /// A task, with a lease.
    Task(Box<ClaimedTask>),
    /// There is nothing to claim. While a pause covers all that the claim could get, with the number
    /// of seconds after which to claim again.
    Nothing(Option<u64>),
}

/// A task of a list, with the first reason why it waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainedTask {
    /// The task.
    #[serde(flatten)]
    pub task: TaskView,
    /// The reason; `None` if it can be claimed.
    pub waiting: Option<Waiting>,
}

/// A task of a list, with its last run for work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkedTask {
    /// The task.
    #[serde(flatten)]
    pub task: TaskView,
    /// The run; `None` if it has had none.
    pub last_run: Option<LastRun>,
}

impl Client {
    /// Creates a task.
    pub async fn create_task(&self, new: &NewTask) -> Result<TaskView> {
        self.post_once(&path(["tasks"]), new).await
    }

    /// The task with this id.
    pub async fn get_task(&self, id: &str) -> Result<TaskView> {
        self.get(&path(["tasks", id]), &[]).await
    }

    /// Lists tasks. The query may name `queue`, `priority`, `role`, `claimed_by`, `project_id`,
    /// `needs_intervention`, `claimable`, `search`, `sort`, `limit`, `offset` and `cursor`.
    pub async fn list_tasks(&self, query: Query<'_>) -> Result<Listed<TaskView>> {
        self.list("tasks", &path(["tasks"]), query).await
    }

    /// The same with the first reason why each task waits, at most 100 a page.
    pub async fn list_explained_tasks(&self, query: Query<'_>) -> Result<Listed<ExplainedTask>> {
        let query = [query, &[("include", "waiting")]].concat();
        self.list("tasks", &path(["tasks"]), &query).await
    }

    /// The same with the last run for work of each task, at most 100 a page.
    pub async fn list_worked_tasks(&self, query: Query<'_>) -> Result<Listed<WorkedTask>> {
        let query = [query, &[("include", "run")]].concat();
        self.list("tasks", &path(["tasks"]), &query).await
    }

    /// Why a task waits.
    pub async fn explain_task(&self, id: &str) -> Result<Why> {
        self.get(&path(["tasks", id, "why"]), &[]).await
    }

    /// The summary of a scope.
    pub async fn get_summary(&self) -> Result<Summary> {
        self.get(&path(["summary"]), &[]).await
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

    /// Claims like [`Self::wait_for_task`], and says as well when to claim again if everything is
    /// paused. With 0 seconds it does not wait.
    pub async fn ask_for_task(&self, request: &ClaimRequest, seconds: u64) -> Result<Offer> {
        let request = self.with_body(Method::POST, &path(["tasks", "claim"]), request)?;
        let timeout = Duration::from_secs(seconds + ANSWER_SECONDS);
        self.offer(request.header("prefer", format!("wait={seconds}")).timeout(timeout)).await
    }

    async fn claim(&self, request: RequestBuilder) -> Result<Option<ClaimedTask>> {
        match self.offer(request).await? {
            Offer::Task(task) => Ok(Some(*task)),
            Offer::Nothing(_) => Ok(None),
        }
    }

    async fn offer(&self, request: RequestBuilder) -> Result<Offer> {
        let Answer { status, body, .. } = self.exchange_once(request).await?;
        match serde_json::from_slice::<Nothing>(&body) {
            Ok(nothing) if status == 404 => Ok(Offer::Nothing(nothing.retry_after_seconds)),
            _ => decode(status, &body).map(|task| Offer::Task(Box::new(task))),
        }
    }

    /// Hands in work.
    pub async fn submit_task(&self, id: &str, body: &Submit) -> Result<TaskView> {
        self.post_once(&path(["tasks", id, "submit"]), body).await
    }

    /// Renews a lease.
    pub async fn renew_task(&self, id: &str, body: &Renew) -> Result<Renewal> {
        self.post(&path(["tasks", id, "renew"]), body).await
    }

    /// Reports that a run has failed.
    pub async fn fail_task(&self, id: &str, body: &Fail) -> Result<TaskView> {
        self.post_once(&path(["tasks", id, "fail"]), body).await
    }

    /// Cancels a task, or asks its holder to stop.
    pub async fn cancel_task(&self, id: &str, body: &Cancel) -> Result<TaskView> {
        self.post_once(&path(["tasks", id, "cancel"]), body).await
    }

    /// Takes a failed or cancelled task up again.
    pub async fn retry_task(&self, id: &str, body: &Retry) -> Result<TaskView> {
        self.post_once(&path(["tasks", id, "retry"]), body).await
    }

    /// Accepts work.
    pub async fn accept_task(&self, id: &str, body: &Accept) -> Result<TaskView> {
        self.post_once(&path(["tasks", id, "accept"]), body).await
    }

    /// Rejects work.
    pub async fn reject_task(&self, id: &str, body: &Reject) -> Result<TaskView> {
        self.post_once(&path(["tasks", id, "reject"]), body).await
    }

    /// Puts a task back without a verdict.
    pub async fn requeue_task(&self, id: &str, body: &Requeue) -> Result<TaskView> {
        self.post_once(&path(["tasks", id, "requeue"]), body).await
    }

    /// Moves a task past the rules.
    pub async fn force_queue_task(&self, id: &str, body: &ForceQueue) -> Result<TaskView> {
        self.post_once(&path(["tasks", id, "force-queue"]), body).await
    }

    /// Reports on a hook.
    pub async fn complete_hook(
        &self,
        id: &str,
        hook: &str,
        body: &CompleteHook,
    ) -> Result<TaskView> {
        self.post_once(&path(["tasks", id, "hooks", hook, "complete"]), body).await
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
