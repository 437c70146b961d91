//! The bodies of the requests that move a task from one state to another.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    failure::Reason,
    input::{Id, Instant, JsonText, Patch, PatchCount, Prose, Text, lenient},
    lease::Token,
    limits::{NOTE_BYTES_MAX, check_each, check_keys},
    refusal::Refusal,
    report::{Checkpoint, NewProgress, RunResult},
    schema::AnyJson,
    task::LeaseSeconds,
    text::{cut, shown},
    usage::Usage,
};

/// Turns from which an agent without a commit counts as burnt out.
pub const BURNOUT_TURNS_IDLE: i64 = 80;
/// Turns from which any agent counts as burnt out.
pub const BURNOUT_TURNS: i64 = 100;

/// The body that submits work.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Submit {
    /// Required; null counts as 0.
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub commits_count: PatchCount,
    /// Required; null counts as 0.
    #[serde(skip_serializing_if = "Patch::is_absent")]
    pub turns_used: PatchCount,
    /// Results of checks.
    pub check_results: JsonText,
    /// Notes of the agent.
    pub execution_notes: Prose,
    /// The submitting agent. The response is 409 if another agent holds the task.
    pub agent_name: Text,
    /// The submitting orchestrator. The response is 409 if another one holds the task.
    pub orchestrator_id: Id,
    /// The lease token of the claim. As long as it is current, the work is accepted even if the
    /// lease has expired.
    #[schema(value_type = Option<String>)]
    pub lease_token: Token,
    /// What was done.
    pub result: Option<RunResult>,
    /// What the run has used.
    pub usage: Option<Usage>,
    /// The expected version. The response is 409 if the task has a different one.
    pub version: PatchCount,
}

impl Submit {
    /// The counts, which must be there.
    pub fn counts(&self) -> Result<(i64, i64), Refusal> {
        if self.commits_count.is_absent() || self.turns_used.is_absent() {
            return Err(Refusal::invalid("Missing required fields: commits_count, turns_used"));
        }
        check_keys(&[
            ("agent_name", &self.agent_name),
            ("orchestrator_id", &self.orchestrator_id),
        ])?;
        let number = |count: &PatchCount| count.value().map_or(0, |count| count.0);
        Ok((number(&self.commits_count), number(&self.turns_used)))
    }
}

/// Whether an agent used up its turns, so that another should go on instead of a reviewer.
pub fn is_burnout(commits: i64, turns: i64) -> bool {
    turns >= BURNOUT_TURNS || (commits == 0 && turns >= BURNOUT_TURNS_IDLE)
}

/// The body that accepts work.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Accept {
    /// Required: the reviewer.
    pub accepted_by: Text,
    /// When it was finished. Default: now.
    pub completed_at: Instant,
    /// The reviewing agent. The response is 409 if another agent holds the review.
    pub agent_name: Text,
    /// The reviewer's orchestrator. The response is 409 if another one holds the review.
    pub orchestrator_id: Id,
    /// The lease token of the review.
    #[schema(value_type = Option<String>)]
    pub lease_token: Token,
    /// Another queue to which the flow has a step. The task is not done then, and tasks that wait
    /// for it go on waiting. Default: `done`.
    pub queue: Text,
    /// Whether the caller may do this only as the holder of a review, with its lease token.
    #[serde(skip)]
    #[schema(ignore)]
    pub needs_review: bool,
    /// The expected version. The response is 409 if the task has a different one.
    pub version: PatchCount,
}

impl Accept {
    /// Who accepts, which must be there.
    pub fn by(&self) -> Result<&str, Refusal> {
        let by = self.accepted_by.0.as_deref();
        let by = by.ok_or(Refusal::invalid("Missing required field: accepted_by"))?;
        check_keys(&[("accepted_by", &self.accepted_by), ("queue", &self.queue)])?;
        Ok(by)
    }
}

/// The body that rejects work.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Reject {
    /// Required: the feedback.
    pub reason: Prose,
    /// Required: the reviewer.
    pub rejected_by: Text,
    /// The reviewing agent. The response is 409 if another agent holds the review.
    pub agent_name: Text,
    /// The reviewer's orchestrator. The response is 409 if another one holds the review.
    pub orchestrator_id: Id,
    /// The lease token of the review.
    #[schema(value_type = Option<String>)]
    pub lease_token: Token,
    /// Whether the caller may do this only as the holder of a review, with its lease token.
    #[serde(skip)]
    #[schema(ignore)]
    pub needs_review: bool,
    /// The expected version. The response is 409 if the task has a different one.
    pub version: PatchCount,
}

impl Reject {
    /// The feedback and who gives it, which must be there.
    pub fn verdict(&self) -> Result<(&str, &str), Refusal> {
        let verdict = self.reason.0.as_deref().zip(self.rejected_by.0.as_deref());
        let verdict =
            verdict.ok_or(Refusal::invalid("Missing required fields: reason, rejected_by"))?;
        check_keys(&[("rejected_by", &self.rejected_by)])?;
        check_each(NOTE_BYTES_MAX, &[("reason", &self.reason)])?;
        Ok(verdict)
    }
}

/// The optional body that requeues a task. The first server did not read it, so clients may send
/// anything: invalid values count as absent.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Requeue {
    /// The reason.
    #[serde(deserialize_with = "lenient")]
    pub reason: Prose,
    /// The lease token of the claim.
    #[schema(value_type = Option<String>)]
    pub lease_token: Token,
    /// The expected version. The response is 409 if the task has a different one.
    #[serde(deserialize_with = "lenient")]
    pub version: PatchCount,
}

impl Requeue {
    /// Why, as far as history keeps it: a long reason is cut, because the task must not stay
    /// claimed for its sake.
    pub fn reason(&self) -> Option<&str> {
        self.reason.0.as_deref().map(|reason| cut(reason, NOTE_BYTES_MAX))
    }
}

/// The body that reports a failure.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Fail {
    /// The lease token of the claim.
    #[schema(value_type = Option<String>)]
    pub lease_token: Token,
    /// The agent. The response is 409 if another agent holds the task.
    pub agent_name: Text,
    /// The orchestrator. The response is 409 if another one holds the task.
    pub orchestrator_id: Id,
    /// Required: one of the known reasons, which decides what happens to the task.
    pub reason: Text,
    /// What happened, or the question; the first 4 KiB are kept.
    pub message: Prose,
    /// `auto` or `never`. Default: `auto`.
    pub retry: Text,
    /// Not before this instant, at most 8 days from now.
    pub not_before: Instant,
    /// The pool that is to be paused, with the reasons `provider_limit`, `provider_auth` and
    /// `provider_quota`.
    pub pool: Text,
    /// What the run has used.
    pub usage: Option<Usage>,
    /// What was done.
    pub result: Option<RunResult>,
    /// The expected version. The response is 409 if the task has a different one.
    pub version: PatchCount,
}

impl Fail {
    /// The reason, and whether the task must not be tried again.
    pub fn order(&self) -> Result<(Reason, bool), Refusal> {
        let name = self.reason.0.as_deref();
        let name = name.ok_or(Refusal::invalid("Missing required field: reason"))?;
        let reason = Reason::parse(name)?;
        check_keys(&[
            ("agent_name", &self.agent_name),
            ("orchestrator_id", &self.orchestrator_id),
            ("pool", &self.pool),
        ])?;
        match self.retry.0.as_deref() {
            None | Some("auto") => Ok((reason, false)),
            Some("never") => Ok((reason, true)),
            Some(other) => Err(Refusal::invalid(format!(
                "Invalid value for retry: \"{}\". Valid values: auto, never",
                shown(other)
            ))),
        }
    }
}

/// The body that cancels a task.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Cancel {
    /// Required: who cancels it.
    pub by: Text,
    /// Required: the reason.
    pub reason: Prose,
    /// The expected version. The response is 409 if the task has a different one.
    pub version: PatchCount,
}

impl Cancel {
    /// Who cancels and why, which must be there.
    pub fn order(&self) -> Result<(&str, &str), Refusal> {
        let order = self.by.0.as_deref().zip(self.reason.0.as_deref());
        let order = order.ok_or(Refusal::invalid("Missing required fields: by, reason"))?;
        check_keys(&[("by", &self.by)])?;
        check_each(NOTE_BYTES_MAX, &[("reason", &self.reason)])?;
        Ok(order)
    }
}

/// The body that takes a failed or cancelled task up again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Retry {
    /// Required: who takes it up.
    pub by: Text,
    /// The reason.
    pub reason: Prose,
    /// The expected version. The response is 409 if the task has a different one.
    pub version: PatchCount,
}

impl Retry {
    /// Who takes it up, which must be there.
    pub fn by(&self) -> Result<&str, Refusal> {
        let by = self.by.0.as_deref().ok_or(Refusal::invalid("Missing required field: by"))?;
        check_keys(&[("by", &self.by)])?;
        check_each(NOTE_BYTES_MAX, &[("reason", &self.reason)])?;
        Ok(by)
    }
}

/// The body that renews a lease.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Renew {
    /// Required: the lease token of the claim.
    #[schema(value_type = Option<String>)]
    pub lease_token: Token,
    /// 1 to 86400, default 300: the lease ends so many seconds from now.
    #[schema(value_type = Option<f64>)]
    pub lease_duration_seconds: LeaseSeconds,
    /// What the agent does.
    pub progress: Option<NewProgress>,
    /// Any JSON, at most 64 KiB, which is given to the next run.
    pub checkpoint: Checkpoint,
    /// What the run has used so far.
    pub usage: Option<Usage>,
    /// The last message that the agent has read: only later ones are returned.
    pub messages_after: Id,
}

impl Renew {
    /// Refuses a body without a token, and values beyond their limits.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.lease_token.0.is_none() {
            return Err(Refusal::invalid("Missing required field: lease_token"));
        }
        check_keys(&[("messages_after", &self.messages_after)])
    }
}

/// The body that moves a task to any queue.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ForceQueue {
    /// Required: the queue.
    pub queue: Text,
    /// Required: the reason.
    pub reason: Prose,
}

impl ForceQueue {
    /// Where to and why, which must be there.
    pub fn order(&self) -> Result<(&str, &str), Refusal> {
        let order = self.queue.0.as_deref().zip(self.reason.0.as_deref());
        let (to, reason) =
            order.ok_or(Refusal::invalid("Missing required fields: queue, reason"))?;
        check_keys(&[("queue", &self.queue)])?;
        check_each(NOTE_BYTES_MAX, &[("reason", &self.reason)])?;
        Ok((to, reason))
    }
}

/// The body that reports on a hook.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CompleteHook {
    /// `passed` or `failed`.
    pub status: Id,
    /// The evidence.
    #[schema(value_type = AnyJson)]
    pub evidence: Value,
}

#[cfg(test)]
mod tests {
    use super::{Accept, Requeue, Submit};
    use crate::{
        input::{Instant, Patch, parse_body},
        limits::NOTE_BYTES_MAX,
    };

    #[test]
    fn nothing_in_the_body_that_puts_back_is_refused() {
        for bad in ["[]", "{}", "true", "-5", "1.5"] {
            let body = format!("{{\"reason\":{bad},\"version\":{bad}}}");
            let body: Requeue = parse_body(body.as_bytes()).unwrap();
            assert_eq!((body.reason.0, body.version), (None, Patch::Absent), "{bad}");
        }
        let body: Requeue = parse_body(br#"{"reason":"r","version":3}"#).unwrap();
        assert_eq!((body.reason(), &body.version), (Some("r"), &3.into()));
        let long = Requeue { reason: "ü".repeat(NOTE_BYTES_MAX).into(), ..Requeue::default() };
        assert_eq!(long.reason().map(str::len), Some(NOTE_BYTES_MAX));
    }

    #[test]
    fn an_empty_time_of_completion_counts_as_left_out() {
        for falsy in ["\"\"", "null", "0", "false"] {
            let body = format!("{{\"completed_at\":{falsy}}}");
            let body: Accept = parse_body(body.as_bytes()).unwrap();
            assert_eq!(body.completed_at, Instant(None), "{falsy}");
        }
    }

    #[test]
    fn a_machine_may_be_a_number() {
        let body: Submit = parse_body(br#"{"orchestrator_id":7}"#).unwrap();
        assert_eq!(body.orchestrator_id.0.as_deref(), Some("7"));
    }
}
