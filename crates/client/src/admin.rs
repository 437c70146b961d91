//! Keys, and what the holder of the administrator's token may do.

use octopoid_domain::key::{Issued, Key, NewKey, SignIn, SignedIn};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Client, Listed, Query, Result, path};

/// What a run of the scheduled jobs did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct JobsDone {
    /// Tasks taken back from agents whose lease had ended.
    pub tasks_released: usize,
    /// Orchestrators marked offline because they had gone silent.
    pub orchestrators_offline: usize,
    /// Finished tasks deleted because of their age. An older server does not say.
    #[serde(default)]
    pub tasks_deleted: usize,
}

/// Which lines a server logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFilter {
    /// The filter, such as `info` or `warn,octopoid::audit=info`.
    pub filter: String,
    /// The filter before, in the answer to a change.
    pub previous: Option<String>,
}

impl Client {
    /// Issues a key beside those its scope has.
    pub async fn issue_key(&self, new: &NewKey) -> Result<Issued> {
        self.post(&path(["admin", "keys"]), new).await
    }

    /// Lists keys. The query may name `limit`, `offset` and `cursor`.
    pub async fn list_keys(&self, query: Query<'_>) -> Result<Listed<Key>> {
        self.list("keys", &path(["admin", "keys"]), query).await
    }

    /// Revokes a key.
    pub async fn revoke_key(&self, id: &str) -> Result<()> {
        self.delete::<Value>(&path(["admin", "keys", id]), &[]).await.map(drop)
    }

    /// Exchanges a code for signing in for a key.
    pub async fn sign_in(&self, body: &SignIn) -> Result<SignedIn> {
        self.post("/login", body).await
    }

    /// Reads which lines the server logs. The Worker has no such filter.
    pub async fn get_log_filter(&self) -> Result<LogFilter> {
        self.get(&path(["admin", "log-filter"]), &[]).await
    }

    /// Changes which lines the server logs, until it restarts.
    pub async fn put_log_filter(&self, filter: &str) -> Result<LogFilter> {
        self.put(&path(["admin", "log-filter"]), &json!({ "filter": filter })).await
    }

    /// Runs the scheduled jobs now.
    pub async fn run_jobs(&self) -> Result<JobsDone> {
        self.post(&path(["admin", "jobs", "run"]), &json!({})).await
    }
}
