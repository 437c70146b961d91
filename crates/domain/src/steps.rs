//! The bodies of the requests that move a task from one state to another.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    input::{Id, Instant, JsonText, Patch, PatchCount, Prose, Text, lenient},
    limits::{NOTE_BYTES_MAX, check_each, check_keys},
    refusal::Refusal,
    schema::AnyJson,
    text::cut,
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
    /// The expected version. The response is 409 if the task has a different one.
    pub version: PatchCount,
}

impl Accept {
    /// Who accepts, which must be there.
    pub fn by(&self) -> Result<&str, Refusal> {
        let by = self.accepted_by.0.as_deref();
        let by = by.ok_or(Refusal::invalid("Missing required field: accepted_by"))?;
        check_keys(&[("accepted_by", &self.accepted_by)])?;
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
