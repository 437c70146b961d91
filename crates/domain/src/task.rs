//! Tasks: the row, and the bodies that create and change it.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::{
    blockers::{check_blockers, check_no_marker, check_not_itself},
    failure::ATTEMPTS_MAX,
    input::{
        Count, Flag, Id, Instant, JsonText, Patch, PatchCount, PatchFlag, PatchId, PatchInstant,
        PatchJson, PatchProse, PatchText, Prose, Text, Texts,
    },
    limits::{
        PATH_BYTES_MAX, TITLE_BYTES_MAX, check_bytes, check_each, check_filter, check_id,
        check_keys, check_lane,
    },
    queue,
    refusal::Refusal,
    time::Millis,
};

pub use crate::blockers::{blockers, blockers_text};

/// How long a lease lasts if the claim does not say, in seconds.
pub const LEASE_SECONDS_DEFAULT: f64 = 300.0;
/// The shortest lease, in seconds.
pub const LEASE_SECONDS_MIN: f64 = 1.0;
/// The longest lease, in seconds.
pub const LEASE_SECONDS_MAX: f64 = 86_400.0;

/// When a lease ends that a caller sets to end at `end`: at the latest, when the longest lease that
/// is given now does. An end that has passed gives the lease up.
pub fn lease_end(end: Millis, now: Millis) -> Millis {
    end.min(now.plus(LeaseSeconds::new(LEASE_SECONDS_MAX).as_ms()))
}

/// The priority of a task that names none.
pub const PRIORITY_DEFAULT: &str = "P2";

/// A priority as it is stored: `p0` to `p3` are meant as `P0` to `P3`, and any other word stays.
pub fn priority(word: String) -> String {
    match &*word {
        "p0" | "p1" | "p2" | "p3" => word.to_ascii_uppercase(),
        _ => word,
    }
}

/// A task as it is stored. [`TaskView`](crate::TaskView) says what each field means.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "the columns of the wire contract")]
#[expect(missing_docs, reason = "the fields are those of `TaskView`")]
pub struct Task {
    pub id: String,
    pub file_path: String,
    pub queue: String,
    pub priority: Option<String>,
    pub complexity: Option<String>,
    pub role: Option<String>,
    pub branch: String,
    pub blocked_by: Option<String>,
    pub commits_count: Option<i64>,
    pub turns_used: Option<i64>,
    pub attempt_count: Option<i64>,
    pub has_plan: bool,
    pub plan_id: Option<String>,
    pub project_id: Option<String>,
    pub auto_accept: bool,
    pub rejection_count: Option<i64>,
    pub pr_number: Option<i64>,
    pub pr_url: Option<String>,
    pub checks: Option<String>,
    pub check_results: Option<String>,
    pub needs_rebase: bool,
    pub last_rebase_attempt_at: Option<String>,
    pub staging_url: Option<String>,
    pub submitted_at: Option<Millis>,
    pub completed_at: Option<Millis>,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub version: i64,
    pub needs_breakdown: bool,
    pub review_round: Option<i64>,
    pub execution_notes: Option<String>,
    pub title: Option<String>,
    pub kind: Option<String>,
    pub hooks: Option<String>,
    pub flow: Option<String>,
    pub flow_overrides: Option<String>,
    pub scope: String,
    pub content: Option<String>,
    pub needs_intervention: bool,
    pub max_attempts: Option<i64>,
    pub not_before: Option<Millis>,
    pub failure_count: i64,
    pub cancel_requested_at: Option<Millis>,
    pub usage: Option<String>,
    /// The number of runs that tasks of its id have had.
    pub run: i64,
    /// How many of them were attempts at the work.
    pub attempt: i64,
    /// The last attempt whose work was accepted.
    pub accepted_attempt: Option<i64>,
    /// The run whose lease token is current, if any. It stays when the lease lapses.
    pub lease_run: Option<i64>,
    /// Lapsed leases in a row.
    pub lapse_count: i64,
    /// Failures of the environment in a row.
    pub setback_count: i64,
    pub traceparent: Option<String>,
    /// The claim on it, if it has one.
    pub claim: Claim,
}

/// The claim of an agent on a task. All fields are `None` if the task is not claimed. A client that
/// changes tasks itself can set some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// The agent.
    pub by: Option<String>,
    /// When it claimed the task.
    pub at: Option<Millis>,
    /// The machine of the agent.
    pub orchestrator_id: Option<String>,
    /// When the lease expires.
    pub expires_at: Option<Millis>,
    /// The queue after the claim. It distinguishes a review, which keeps the task in its queue, from
    /// a claim whose task was moved afterwards.
    pub queue: Option<String>,
}

impl Task {
    /// Whether an agent holds the task in the queue it is in: as a worker or as a reviewer.
    pub fn is_held(&self) -> bool {
        self.claim.queue.as_deref() == Some(&*self.queue) && self.claim.expires_at.is_some()
    }

    /// Whether an agent holds the task and it has stayed in its queue, as in a review.
    pub fn is_held_in_place(&self) -> bool {
        self.is_held() && self.queue != queue::CLAIMED
    }

    /// Takes the task away from its holder and lowers the flag for the fixer.
    pub fn clear_claim(&mut self) {
        self.claim = Claim::default();
        self.needs_intervention = false;
    }

    /// The flow whose rules it follows.
    pub fn flow_name(&self) -> &str {
        self.flow.as_deref().unwrap_or(crate::flow::DEFAULT)
    }
}

/// An id for a task, made of a random number. It is short enough to be typed: with a million tasks,
/// one random number in four thousand is taken, and another one must be tried.
pub fn short_id(random: u32) -> String {
    format!("{random:08x}")
}

/// The path of a task that no file belongs to. Paths must be there, and unique in a scope.
pub fn path_of(id: &str) -> String {
    format!("tasks/{id}.md")
}

/// The body that creates a task.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewTask {
    /// Required; unique.
    pub id: Id,
    /// Required; unique in the scope.
    pub file_path: Text,
    /// Required. The project's branch takes precedence.
    pub branch: Text,
    /// Required without a key.
    pub scope: Text,
    /// Default: the id.
    pub title: Prose,
    /// Default: `incoming`.
    pub queue: Text,
    /// Default: `P2`.
    pub priority: Text,
    /// The size.
    pub complexity: Text,
    /// The role required for the task.
    pub role: Text,
    /// The type of the task.
    #[serde(rename = "type")]
    pub kind: Text,
    /// Ids of tasks to wait for, separated by commas, or any marker.
    pub blocked_by: Id,
    /// The project it belongs to.
    pub project_id: Id,
    /// Hooks.
    pub hooks: JsonText,
    /// Overrides of the flow.
    pub flow_overrides: JsonText,
    /// The content of the task.
    pub content: Prose,
    /// Stored for clients; not used by the server.
    pub auto_accept: Flag,
    /// Default: `default`.
    pub flow: Text,
    /// Not claimable before this instant.
    pub not_before: Instant,
    /// The number of failed attempts, or of lapsed leases in a row, after which the task is
    /// `failed`: 1 to 100. Default: 3 for failed attempts, no limit for lapses.
    pub max_attempts: Attempts,
}

impl NewTask {
    /// The task this body asks for, as it is before the store has seen blockers and project.
    /// `scope` is the caller's, for a body that names none.
    pub fn into_task(self, scope: Option<&str>, now: Millis) -> Result<Task, Refusal> {
        let (Some(id), Some(file_path)) = (self.id.0, self.file_path.0) else {
            return Err(Refusal::invalid("Missing required fields: id, file_path"));
        };
        let branch = self.branch.0.ok_or(Refusal::invalid(
            "Missing required field: branch. Caller must set branch explicitly.",
        ))?;
        let scope = self.scope.0.or_else(|| scope.map(str::to_owned)).ok_or(Refusal::invalid(
            "Missing required field: scope. All tasks must belong to a scope.",
        ))?;
        check_id("id", &id)?;
        check_no_marker(&id)?;
        check_bytes("file_path", Some(&file_path), PATH_BYTES_MAX)?;
        check_keys(&[
            ("branch", &branch),
            ("scope", &scope),
            ("queue", &self.queue),
            ("priority", &self.priority),
            ("complexity", &self.complexity),
            ("role", &self.role),
            ("type", &self.kind),
            ("project_id", &self.project_id),
            ("flow", &self.flow),
        ])?;
        check_each(TITLE_BYTES_MAX, &[("title", &self.title)])?;
        check_lane("role", self.role.0.as_deref())?;
        check_lane("type", self.kind.0.as_deref())?;
        check_blockers(self.blocked_by.0.as_deref().unwrap_or_default())?;
        let blocked_by = self.blocked_by.0.and_then(|list| blockers_text(&list));
        check_not_itself(&id, blocked_by.as_deref())?;
        let queue = self.queue.0.unwrap_or_else(|| queue::INCOMING.to_owned());
        Ok(Task {
            title: Some(self.title.0.unwrap_or_else(|| id.clone())),
            id,
            file_path,
            queue,
            priority: Some(self.priority.0.map_or_else(|| PRIORITY_DEFAULT.to_owned(), priority)),
            complexity: self.complexity.0,
            role: self.role.0,
            branch,
            blocked_by,
            commits_count: Some(0),
            attempt_count: Some(0),
            rejection_count: Some(0),
            review_round: Some(0),
            project_id: self.project_id.0,
            auto_accept: self.auto_accept.0,
            created_at: now,
            updated_at: now,
            version: 1,
            kind: self.kind.0,
            hooks: self.hooks.0,
            flow: Some(self.flow.0.unwrap_or_else(|| crate::flow::DEFAULT.to_owned())),
            flow_overrides: self.flow_overrides.0,
            scope,
            content: self.content.0,
            not_before: self.not_before.0.filter(|instant| *instant > now),
            max_attempts: self.max_attempts.0,
            ..Task::default()
        })
    }
}

/// The body that changes a task; only the fields that are present change.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are those of `Task`")]
pub struct TaskPatch {
    pub title: PatchProse,
    pub queue: PatchText,
    pub priority: PatchText,
    pub complexity: PatchText,
    pub role: PatchText,
    #[serde(rename = "type")]
    pub kind: PatchText,
    pub branch: PatchText,
    pub blocked_by: PatchId,
    pub claimed_by: PatchText,
    pub claimed_at: PatchInstant,
    pub lease_expires_at: PatchInstant,
    pub commits_count: PatchCount,
    pub turns_used: PatchCount,
    pub attempt_count: PatchCount,
    pub rejection_count: PatchCount,
    pub has_plan: PatchFlag,
    pub plan_id: PatchId,
    pub project_id: PatchId,
    pub auto_accept: PatchFlag,
    pub pr_number: PatchCount,
    pub pr_url: PatchText,
    pub checks: PatchJson,
    pub check_results: PatchJson,
    pub needs_rebase: PatchFlag,
    pub last_rebase_attempt_at: PatchText,
    pub staging_url: PatchText,
    pub submitted_at: PatchInstant,
    pub completed_at: PatchInstant,
    pub hooks: PatchJson,
    pub flow: PatchText,
    pub flow_overrides: PatchJson,
    pub content: PatchProse,
    pub needs_intervention: PatchFlag,
    pub execution_notes: PatchProse,
    pub not_before: PatchInstant,
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 100)]
    pub max_attempts: Patch<Attempts>,
    /// The expected version. The response is 409 if the task has a different one.
    pub version: PatchCount,
}

/// The body that claims a task.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ClaimRequest {
    /// Required: the orchestrator, which need not be registered.
    pub orchestrator_id: Id,
    /// Required: the agent, which becomes `claimed_by`.
    pub agent_name: Text,
    /// Required without a key.
    pub scope: Text,
    /// Only tasks with these roles, at most 100; an empty list does not filter.
    pub role_filter: Texts,
    /// Only tasks of these types, at most 100; an empty list does not filter.
    pub type_filter: Texts,
    /// The queue. Default: the queue of the first role, or `incoming`.
    pub queue: Text,
    /// 1 to 86400, default 300.
    #[schema(value_type = Option<f64>)]
    pub lease_duration_seconds: LeaseSeconds,
    /// Leave the task in its queue, as in a review. Always so from `provisional`.
    pub in_place: Flag,
    /// Return a key for the agent alone, which opens its own task as long as the run goes on.
    pub run_key: Flag,
    /// The pools that the agent would use, at most 100. If one of them is paused, the claim returns
    /// no task.
    pub pools: Texts,
}

impl ClaimRequest {
    /// Whether it says who claims, and nothing at too great a length; that comes before anything
    /// else.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.orchestrator_id.0.is_none() || self.agent_name.0.is_none() {
            return Err(Refusal::invalid("Missing required fields: orchestrator_id, agent_name"));
        }
        check_keys(&[
            ("orchestrator_id", &self.orchestrator_id),
            ("agent_name", &self.agent_name),
            ("scope", &self.scope),
            ("queue", &self.queue),
        ])?;
        check_filter("role_filter", &self.role_filter.0)?;
        check_filter("type_filter", &self.type_filter.0)?;
        check_filter("pools", &self.pools.0)
    }
}

/// A number of attempts that a task allows; `null` and 0 count as absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(value_type = Option<i64>, minimum = 1, maximum = 100)]
pub struct Attempts(pub Option<i64>);

impl From<Attempts> for Option<i64> {
    fn from(attempts: Attempts) -> Self {
        attempts.0
    }
}

impl<'de> Deserialize<'de> for Attempts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        match Count::deserialize(deserializer)?.0 {
            0 => Ok(Self(None)),
            attempts if attempts <= ATTEMPTS_MAX => Ok(Self(Some(attempts))),
            _ => Err(D::Error::custom(format!("expected a whole number from 1 to {ATTEMPTS_MAX}"))),
        }
    }
}

/// The length of a lease in seconds, as a number or its text; held between the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LeaseSeconds(f64);

impl Default for LeaseSeconds {
    fn default() -> Self {
        Self(LEASE_SECONDS_DEFAULT)
    }
}

impl LeaseSeconds {
    /// So many seconds, held between the bounds.
    pub fn new(seconds: f64) -> Self {
        Self(seconds.clamp(LEASE_SECONDS_MIN, LEASE_SECONDS_MAX))
    }

    /// The length in milliseconds.
    #[expect(clippy::cast_possible_truncation, reason = "at most a day of milliseconds")]
    pub fn as_ms(self) -> i64 {
        (self.0 * 1000.0) as i64
    }
}

impl<'de> Deserialize<'de> for LeaseSeconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let seconds = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Null | serde_json::Value::Bool(false) => 0.0,
            serde_json::Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
            serde_json::Value::String(text) if text.is_empty() => 0.0,
            serde_json::Value::String(text) => text.trim().parse().unwrap_or(f64::NAN),
            _ => f64::NAN,
        };
        if !seconds.is_finite() {
            return Err(D::Error::custom("expected a number of seconds"));
        }
        if seconds == 0.0 {
            return Ok(Self::default());
        }
        Ok(Self::new(seconds))
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
