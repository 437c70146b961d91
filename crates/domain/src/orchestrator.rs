//! Orchestrators: the machines that run agents, and how they make themselves known.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    input::{Id, JsonText, Text},
    limits::{NOTE_BYTES_MAX, URL_BYTES_MAX, check_each, check_id, check_keys},
    refusal::Refusal,
    text::shown,
    time::Millis,
    words::words,
};

/// An orchestrator that has been silent for so long is marked offline, in milliseconds.
pub const SILENCE_MS_MAX: i64 = 120_000;

words!(
    /// The status of an orchestrator.
    #[derive(Default)]
    Status {
        /// It registered or sent a heartbeat lately.
        #[default]
        Active = "active",
        /// It has been silent for too long; its next heartbeat revives it.
        Offline = "offline",
        /// Its operator took it out of service; only its operator, or a registration, brings it back.
        Maintenance = "maintenance",
        /// Its operator hands it no more work, and lets its runs finish; only its operator ends that.
        Draining = "draining",
    }
);

/// An orchestrator. The names and their order are those of the first server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Orchestrator {
    /// `<cluster>-<machine_id>`.
    pub id: String,
    /// The cluster.
    pub cluster: String,
    /// The name of the machine in the cluster.
    pub machine_id: String,
    /// The host name.
    pub hostname: Option<String>,
    /// The repository of its agents; may be empty.
    pub repo_url: String,
    /// When it first registered.
    pub registered_at: Millis,
    /// The last heartbeat, by the server's clock.
    pub last_heartbeat: Millis,
    /// The status.
    pub status: Status,
    /// The version of its software.
    pub version: Option<String>,
    /// The capabilities, as JSON text.
    pub capabilities: Option<String>,
    /// The scope.
    pub scope: String,
    /// How many agents it can run at the same time, as its heartbeats say; null if they do not.
    #[serde(default)]
    pub slots: Option<i64>,
    /// How many it runs.
    #[serde(default)]
    pub busy: Option<i64>,
    /// The roles whose tasks it takes.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub roles: Value,
    /// The queues that it claims from.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub queues: Value,
    /// The pools that its agents use.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub pools: Value,
}

/// An orchestrator as clients see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrchestratorView {
    /// The orchestrator.
    #[serde(flatten)]
    pub orchestrator: Orchestrator,
    /// Whether it has been silent for longer than a machine may be, whatever its status is.
    #[serde(default)]
    pub is_stale: bool,
}

impl OrchestratorView {
    /// What is seen at some time.
    pub fn at(orchestrator: Orchestrator, now: Millis) -> Self {
        let silence_ms = now.0.saturating_sub(orchestrator.last_heartbeat.0);
        Self { orchestrator, is_stale: silence_ms > SILENCE_MS_MAX }
    }
}

/// The body that registers or updates an orchestrator.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Registration {
    /// Required: the cluster.
    pub cluster: Id,
    /// Required: the machine's name in its cluster.
    pub machine_id: Id,
    /// The repository of its agents.
    pub repo_url: Text,
    /// Required without a key.
    pub scope: Text,
    /// The host name.
    pub hostname: Text,
    /// The version of its software.
    pub version: Text,
    /// The capabilities.
    pub capabilities: JsonText,
}

impl Registration {
    /// The orchestrator this body registers. `scope` is the caller's, for a body that names none.
    pub fn into_orchestrator(
        self,
        scope: Option<&str>,
        now: Millis,
    ) -> Result<Orchestrator, Refusal> {
        let (Some(cluster), Some(machine_id)) = (self.cluster.0, self.machine_id.0) else {
            // The first server asked for the address too, and its words are the contract's.
            return Err(Refusal::invalid("Missing required fields: cluster, machine_id, repo_url"));
        };
        let scope = self.scope.0.or_else(|| scope.map(str::to_owned)).ok_or(Refusal::invalid(
            "Missing required field: scope. All orchestrators must register with a scope.",
        ))?;
        check_id("scope", &scope)?;
        let id = format!("{cluster}-{machine_id}");
        check_keys(&[
            ("cluster and machine_id", &id),
            ("hostname", &self.hostname),
            ("version", &self.version),
        ])?;
        check_each(URL_BYTES_MAX, &[("repo_url", &self.repo_url)])?;
        check_each(NOTE_BYTES_MAX, &[("capabilities", &self.capabilities)])?;
        Ok(Orchestrator {
            id,
            cluster,
            machine_id,
            hostname: self.hostname.0,
            repo_url: self.repo_url.0.unwrap_or_default(),
            registered_at: now,
            last_heartbeat: now,
            status: Status::Active,
            version: self.version.0,
            capabilities: self.capabilities.0,
            scope,
            ..Orchestrator::default()
        })
    }
}

/// The response to a registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Registered {
    /// The orchestrator's id, derived from cluster and machine.
    pub orchestrator_id: String,
    /// When it first registered.
    pub registered_at: Millis,
    /// `active`, or `draining` if it was that before.
    pub status: Status,
    /// The first key of the scope, shown only once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub api_key: Option<String>,
}

/// The body that changes an orchestrator.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct OrchestratorPatch {
    /// Required: `active`, `offline`, `maintenance` or `draining`.
    pub status: Text,
}

impl OrchestratorPatch {
    /// The status asked for.
    pub fn status(&self) -> Result<Status, Refusal> {
        let word = self.status.0.as_deref();
        let word = word.ok_or(Refusal::invalid("Missing field: status"))?;
        Status::parse(word).ok_or_else(|| {
            let valid = Status::ALL.map(Status::as_str).join(", ");
            let word = shown(word);
            Refusal::invalid(format!("Invalid status \"{word}\". Valid statuses: {valid}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Orchestrator, OrchestratorPatch, Registration, Status};
    use crate::{Refusal, input::parse_body, time::Millis};

    fn read(body: &str, scope: Option<&str>) -> Result<Orchestrator, Refusal> {
        let body: Registration = parse_body(body.as_bytes()).unwrap();
        body.into_orchestrator(scope, Millis(7))
    }

    #[test]
    fn the_id_is_made_from_cluster_and_machine() {
        let read = read(r#"{"cluster":"prb","machine_id":5,"scope":"s"}"#, None).unwrap();
        assert_eq!(read.id, "prb-5");
        assert_eq!((&*read.cluster, &*read.machine_id), ("prb", "5"));
        assert_eq!(read.repo_url, "");
        assert_eq!(read.status, Status::Active);
    }

    #[test]
    fn required_fields_are_asked_for_in_the_contracts_order() {
        let text = |body| read(body, None).unwrap_err().to_string();
        let first = "Missing required fields: cluster, machine_id, repo_url";
        assert_eq!(text("{}"), first);
        assert_eq!(text(r#"{"cluster":"c","machine_id":""}"#), first);
        assert_eq!(
            text(r#"{"cluster":"c","machine_id":"m"}"#),
            "Missing required field: scope. All orchestrators must register with a scope."
        );
    }

    #[test]
    fn a_body_without_scope_takes_the_callers() {
        let body = r#"{"cluster":"c","machine_id":"m"}"#;
        assert_eq!(read(body, Some("mine")).unwrap().scope, "mine");
    }

    #[test]
    fn only_known_statuses_are_taken() {
        let status = |body: &str| {
            let body: OrchestratorPatch = parse_body(body.as_bytes()).unwrap();
            body.status().map_err(|refusal| refusal.to_string())
        };
        assert_eq!(status(r#"{"status":"maintenance"}"#), Ok(Status::Maintenance));
        assert_eq!(status("{}"), Err("Missing field: status".to_owned()));
        assert_eq!(
            status(r#"{"status":"banana"}"#),
            Err("Invalid status \"banana\". Valid statuses: active, offline, maintenance, \
                 draining"
                .to_owned())
        );
    }

    #[test]
    fn statuses_are_written_as_they_are_stored() {
        for status in Status::ALL {
            let written = serde_json::to_value(status).unwrap();
            assert_eq!(written, status.as_str());
        }
    }
}
