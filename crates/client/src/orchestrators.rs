//! The machines that run agents.

use octopoid_domain::{
    heartbeat::{Heartbeat, HeartbeatRequest},
    key::{Rotate, Rotated},
    orchestrator::{OrchestratorView, Registered, Registration, Status},
    poll::Poll,
};
use serde_json::json;

use crate::{Client, Listed, Query, Result, path};

impl Client {
    /// Registers an orchestrator. The first of a scope is handed a key.
    pub async fn register_orchestrator(&self, body: &Registration) -> Result<Registered> {
        self.post(&path(["orchestrators", "register"]), body).await
    }

    /// Sends a heartbeat of an orchestrator, with what it says of itself and the leases to renew.
    pub async fn note_heartbeat(&self, id: &str, body: &HeartbeatRequest) -> Result<Heartbeat> {
        self.post(&path(["orchestrators", id, "heartbeat"]), body).await
    }

    /// Lists orchestrators. The query may name `cluster`, `status`, `limit` and `cursor`.
    pub async fn list_orchestrators(&self, query: Query<'_>) -> Result<Listed<OrchestratorView>> {
        self.list("orchestrators", &path(["orchestrators"]), query).await
    }

    /// The orchestrator with this id.
    pub async fn get_orchestrator(&self, id: &str) -> Result<OrchestratorView> {
        self.get(&path(["orchestrators", id]), &[]).await
    }

    /// Changes the status of an orchestrator.
    pub async fn update_orchestrator(&self, id: &str, status: Status) -> Result<OrchestratorView> {
        self.patch(&path(["orchestrators", id]), &json!({ "status": status })).await
    }

    /// Replaces the key presented, or, for the administrator, all keys of the scope.
    pub async fn rotate_key(&self, scope: &str, body: &Rotate) -> Result<Rotated> {
        self.post(&path(["orchestrators", "scopes", scope, "rotate-key"]), body).await
    }

    /// Asks whether there is anything to do. The query may name `orchestrator_id`.
    pub async fn poll(&self, query: Query<'_>) -> Result<Poll> {
        self.get(&path(["scheduler", "poll"]), query).await
    }
}
