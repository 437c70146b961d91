//! What happened under each lease, and the logs.

use std::time::Duration;

use octopoid_domain::{
    log::{Append, Appended, LogPart},
    run::{RunDetails, RunView, RunningView},
};
use reqwest::Method;

use crate::{ANSWER_SECONDS, Client, Listed, Query, Result, path};

impl Client {
    /// The runs of a task, the newest first. The query may name `limit` and `cursor`.
    pub async fn list_task_runs(&self, id: &str, query: Query<'_>) -> Result<Listed<RunView>> {
        self.list("runs", &path(["tasks", id, "runs"]), query).await
    }

    /// A run with its result and its last checkpoint.
    pub async fn get_run(&self, id: &str, run: i64) -> Result<RunDetails> {
        self.get(&path(["tasks", id, "runs", &run.to_string()]), &[]).await
    }

    /// The runs of a scope that have not ended. The query may name `kind`, `agent`,
    /// `orchestrator_id`, `limit` and `cursor`.
    pub async fn list_runs(&self, query: Query<'_>) -> Result<Listed<RunningView>> {
        self.list("runs", &path(["runs"]), query).await
    }

    /// Appends to the log of a run. It may be repeated: nothing is written twice.
    pub async fn append_log(&self, id: &str, body: &Append) -> Result<Appended> {
        self.post(&path(["tasks", id, "log"]), body).await
    }

    /// The log of a run. The query may name `offset` and `limit`, in bytes.
    pub async fn read_log(&self, id: &str, run: i64, query: Query<'_>) -> Result<LogPart> {
        self.get(&path(["tasks", id, "runs", &run.to_string(), "log"]), query).await
    }

    /// The same, and waits so many seconds for text if there is none: 50 at most. A server that
    /// cannot wait answers at once.
    pub async fn follow_log(
        &self,
        id: &str,
        run: i64,
        query: Query<'_>,
        seconds: u64,
    ) -> Result<LogPart> {
        let path = path(["tasks", id, "runs", &run.to_string(), "log"]);
        let timeout = Duration::from_secs(seconds + ANSWER_SECONDS);
        let request = self.request(Method::GET, &path, query);
        self.ask(request.header("prefer", format!("wait={seconds}")).timeout(timeout)).await
    }
}
