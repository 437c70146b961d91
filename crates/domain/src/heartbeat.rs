//! Heartbeats: how a machine says that it is alive and what it can do, and renews its leases.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    input::{Count, Id, Text, Texts},
    lease::{Directive, Token},
    limits::{check_filter, check_keys},
    orchestrator::Status,
    refusal::Refusal,
    task::LeaseSeconds,
    time::Millis,
};

/// The leases that one heartbeat may renew.
pub const LEASES_MAX: usize = 100;

/// The reason that is given for a lease that was taken back.
const LAPSED: &str =
    "The lease was not renewed in time and the task was taken back: call renew to go on";
/// The reason that is given for a lease that is lost.
const LOST: &str =
    "The token is not that of the task's current lease: stop, renew tells what happened";

/// The optional body of a heartbeat. What it leaves out stays as the machine's last heartbeats said.
/// Other members, such as a client's `timestamp`, are ignored.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct HeartbeatRequest {
    /// How many agents the machine can run at the same time.
    #[schema(value_type = Option<i64>, minimum = 0)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<Count>,
    /// How many it runs.
    #[schema(value_type = Option<i64>, minimum = 0)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy: Option<Count>,
    /// The roles whose tasks it takes, at most 100; an empty list means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Texts>,
    /// The queues that it claims from, at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queues: Option<Texts>,
    /// The pools that its agents use, at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pools: Option<Texts>,
    /// The version of its software.
    pub version: Text,
    /// The leases to renew, at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leases: Option<Vec<LeaseEntry>>,
}

impl HeartbeatRequest {
    /// Refuses more leases than are renewed at once, and names that are too many or too long.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.leases.as_ref().is_some_and(|leases| leases.len() > LEASES_MAX) {
            return Err(Refusal::invalid(format!(
                "Too many leases: at most {LEASES_MAX}; send the others in another heartbeat"
            )));
        }
        let lists = [("roles", &self.roles), ("queues", &self.queues), ("pools", &self.pools)];
        for (field, names) in lists {
            if let Some(Texts(names)) = names {
                check_filter(field, names)?;
            }
        }
        check_keys(&[("version", &self.version)])
    }
}

/// A lease that a heartbeat renews.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct LeaseEntry {
    /// The task.
    pub task_id: Id,
    /// The lease token of the claim.
    #[schema(value_type = Option<String>)]
    pub lease_token: Token,
    /// 1 to 86400, default 300: the lease ends so many seconds from now.
    #[schema(value_type = Option<f64>)]
    pub lease_duration_seconds: LeaseSeconds,
}

/// Reads a malformed entry as one without a token, so that it harms no other.
impl<'de> Deserialize<'de> for LeaseEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Entry {
            task_id: Id,
            lease_token: Token,
            lease_duration_seconds: LeaseSeconds,
        }
        let value = Value::deserialize(deserializer)?;
        if let Some(Ok(entry)) = value.is_object().then(|| Entry::deserialize(&value)) {
            let Entry { task_id, lease_token, lease_duration_seconds } = entry;
            return Ok(Self { task_id, lease_token, lease_duration_seconds });
        }
        let id = value.get("task_id").map(Id::deserialize);
        Ok(Self { task_id: id.and_then(Result::ok).unwrap_or_default(), ..Self::default() })
    }
}

/// What became of a lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeaseState {
    /// It goes on.
    Renewed,
    /// It was taken back, and its token is still current: renew resumes it.
    Lapsed,
    /// The token is not current, or the entry is malformed.
    #[default]
    Lost,
}

/// The answer about one lease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseAnswer {
    /// The task of the entry; null if the entry names none.
    pub task_id: Option<String>,
    /// What became of the lease.
    pub state: LeaseState,
    /// When the lease ends; null unless it was renewed.
    pub lease_expires_at: Option<Millis>,
    /// What the agent is to do; null unless the lease was renewed.
    pub directive: Option<Directive>,
    /// Why, unless the agent is to go on.
    pub reason: Option<String>,
    /// Whether there are messages that renew would return.
    pub has_messages: bool,
}

impl LeaseAnswer {
    /// The answer about a lease that was renewed.
    pub fn renewed(until: Millis, directive: Directive, has_messages: bool) -> Self {
        Self {
            state: LeaseState::Renewed,
            lease_expires_at: Some(until),
            directive: Some(directive),
            reason: directive.reason().map(str::to_owned),
            has_messages,
            ..Self::default()
        }
    }

    /// The answer about a lease that was taken back.
    pub fn lapsed(has_messages: bool) -> Self {
        let reason = Some(LAPSED.to_owned());
        Self { state: LeaseState::Lapsed, reason, has_messages, ..Self::default() }
    }

    /// The answer about a lease that is lost.
    pub fn lost() -> Self {
        Self { reason: Some(LOST.to_owned()), ..Self::default() }
    }
}

/// What the server tells a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MachineDirective {
    /// Go on.
    #[default]
    Continue,
    /// Claim nothing more, and let the agents finish.
    Drain,
}

impl MachineDirective {
    /// What follows from the machine's status.
    pub fn of(status: Status) -> Self {
        if status == Status::Draining { Self::Drain } else { Self::Continue }
    }
}

/// The response to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Heartbeat {
    /// Always true.
    pub success: bool,
    /// When the server received it.
    pub last_heartbeat: Millis,
    /// What the machine is to do.
    #[serde(default)]
    pub directive: MachineDirective,
    /// The leases of the request, in its order; only if the request has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub leases: Option<Vec<LeaseAnswer>>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{HeartbeatRequest, LeaseAnswer, LeaseState};
    use crate::input::parse_body;

    #[expect(clippy::needless_pass_by_value, reason = "`json!({..})` reads better so")]
    fn read(body: Value) -> Result<HeartbeatRequest, String> {
        let body: HeartbeatRequest =
            parse_body(body.to_string().as_bytes()).map_err(|error| error.to_string())?;
        body.check().map_err(|refusal| refusal.to_string())?;
        Ok(body)
    }

    #[test]
    fn a_malformed_lease_has_no_token_and_harms_no_other() {
        let token = format!("olt_7_{}", "a".repeat(32));
        let leases = json!([
            {"task_id": "good", "lease_token": token, "lease_duration_seconds": 60},
            {"task_id": 5, "lease_token": token},
            {"task_id": "bad token", "lease_token": "olt"},
            {"task_id": "bad duration", "lease_token": token, "lease_duration_seconds": [1]},
            {"task_id": ["bad id"], "lease_token": token},
            {"lease_token": token},
            7,
            null,
        ]);
        let read = read(json!({ "leases": leases })).unwrap().leases.unwrap();
        let seen: Vec<_> = read
            .iter()
            .map(|entry| (entry.task_id.0.as_deref(), entry.lease_token.0.is_some()))
            .collect();
        let expected = [
            (Some("good"), true),
            (Some("5"), true),
            (Some("bad token"), false),
            (Some("bad duration"), false),
            (None, false),
            (None, true),
            (None, false),
            (None, false),
        ];
        assert_eq!(seen, expected);
        assert_eq!(read[0].lease_duration_seconds.as_ms(), 60_000);
    }

    #[test]
    fn lists_are_bounded_and_wrong_types_are_refused_by_name() {
        let text = |body| read(body).unwrap_err();
        assert_eq!(
            text(json!({"leases": vec![json!({}); 101]})),
            "Too many leases: at most 100; send the others in another heartbeat"
        );
        assert!(read(json!({"leases": vec![json!({}); 100]})).is_ok());
        assert_eq!(
            text(json!({"roles": vec!["r"; 101]})),
            "Too many entries in roles: at most 100"
        );
        assert_eq!(
            text(json!({"pools": ["x".repeat(513)]})),
            "pools is too long: at most 512 bytes"
        );
        for field in ["leases", "slots", "busy", "queues", "version"] {
            let refused = text(json!({ field: {"a": 1} }));
            assert!(refused.starts_with(&format!("Invalid value for {field}")), "{refused}");
        }
    }

    #[test]
    fn a_list_that_is_empty_is_not_one_that_is_left_out() {
        let body = read(json!({"roles": [], "queues": null})).unwrap();
        assert!(body.roles.is_some_and(|roles| roles.0.is_empty()));
        assert!(body.queues.is_none() && body.leases.is_none());
    }

    #[test]
    fn only_a_renewed_lease_has_a_directive() {
        for answer in [LeaseAnswer::lapsed(true), LeaseAnswer::lost()] {
            assert!(answer.directive.is_none() && answer.reason.is_some());
        }
        assert_eq!(LeaseAnswer::lost().state, LeaseState::Lost);
    }
}
