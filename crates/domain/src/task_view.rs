//! Tasks as clients see them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::{
    input::Flag,
    run::{Outcome, Run},
    task::{Claim, Task},
    time::{Millis, seconds, seconds_or_null},
    usage::Usage,
};

/// A task. The names and their order are those of the first server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Task)]
#[expect(clippy::struct_excessive_bools, reason = "the columns of the wire contract")]
pub struct TaskView {
    /// Chosen by the client.
    pub id: String,
    /// The path of the task's file on the client, unique in its scope.
    pub file_path: String,
    /// The queue.
    pub queue: String,
    /// `P0` is the most urgent, `P3` the least; other values sort last.
    pub priority: Option<String>,
    /// A size, by convention XS, S, M, L or XL.
    pub complexity: Option<String>,
    /// The role required for the task.
    pub role: Option<String>,
    /// The base branch.
    pub branch: String,
    /// The ids of unfinished tasks it waits for, separated by commas, or any marker.
    pub blocked_by: Option<String>,
    /// The agent that holds it.
    pub claimed_by: Option<String>,
    /// When it was claimed.
    #[serde(with = "seconds_or_null")]
    #[schema(value_type = Option<String>)]
    pub claimed_at: Option<Millis>,
    /// The number of commits reported by the agent.
    pub commits_count: Option<i64>,
    /// The number of turns reported by the agent.
    pub turns_used: Option<i64>,
    /// The number of attempts: requeues and expired leases.
    pub attempt_count: Option<i64>,
    /// Whether a plan exists.
    #[serde(with = "bit")]
    #[schema(value_type = i64)]
    pub has_plan: bool,
    /// The plan.
    pub plan_id: Option<String>,
    /// The project it belongs to.
    pub project_id: Option<String>,
    /// Stored for clients; not used by the server.
    #[serde(with = "bit")]
    #[schema(value_type = i64)]
    pub auto_accept: bool,
    /// The number of rejections.
    pub rejection_count: Option<i64>,
    /// The number of the pull request.
    pub pr_number: Option<i64>,
    /// The URL of the pull request.
    pub pr_url: Option<String>,
    /// Checks, as JSON text.
    pub checks: Option<String>,
    /// Results of the checks, as JSON text.
    pub check_results: Option<String>,
    /// Whether the branch must be rebased.
    #[serde(with = "bit")]
    #[schema(value_type = i64)]
    pub needs_rebase: bool,
    /// When a rebase was last attempted, as written by the client.
    pub last_rebase_attempt_at: Option<String>,
    /// The URL of a preview.
    pub staging_url: Option<String>,
    /// When it was last submitted.
    #[serde(with = "seconds_or_null")]
    #[schema(value_type = Option<String>)]
    pub submitted_at: Option<Millis>,
    /// When it was finished.
    pub completed_at: Option<Millis>,
    /// When it was created.
    #[serde(with = "seconds")]
    #[schema(value_type = String)]
    pub created_at: Millis,
    /// When it was last changed.
    #[serde(with = "seconds")]
    #[schema(value_type = String)]
    pub updated_at: Millis,
    /// The orchestrator of the agent that holds it.
    pub orchestrator_id: Option<String>,
    /// When the lease expires.
    pub lease_expires_at: Option<Millis>,
    /// Incremented with every change.
    pub version: i64,
    /// Stored for clients; no operation writes it.
    #[serde(with = "bit")]
    #[schema(value_type = i64)]
    pub needs_breakdown: bool,
    /// Stored for clients; no operation writes it.
    pub review_round: Option<i64>,
    /// Notes of the agent at submission.
    pub execution_notes: Option<String>,
    /// The title. Default: the id.
    pub title: Option<String>,
    /// The type of the task, a convention of the team.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Hooks, as JSON text: an array of objects with `name` and `status`.
    pub hooks: Option<String>,
    /// The flow that defines the allowed transitions.
    pub flow: Option<String>,
    /// Stored for clients, as JSON text; not used by the server.
    pub flow_overrides: Option<String>,
    /// The scope.
    pub scope: String,
    /// The content of the task.
    pub content: Option<String>,
    /// Whether the task needs intervention.
    #[serde(with = "bit")]
    #[schema(value_type = i64)]
    pub needs_intervention: bool,
    /// The number of failed attempts, or of lapsed leases in a row, after which it is `failed`. Null
    /// means 3 failed attempts, and no limit for lapses.
    pub max_attempts: Option<i64>,
    /// The number of failed attempts.
    pub failure_count: i64,
    /// It is not claimable before this instant; null if it is not delayed.
    pub not_before: Option<Millis>,
    /// When its holder was asked to stop, because the task is to be cancelled.
    pub cancel_requested_at: Option<Millis>,
    /// The number of runs that tasks of its id have had.
    pub run: i64,
    /// What its runs have used.
    pub usage: Option<Usage>,
    /// The `traceparent` of the request that created it, for linking the traces of its runs.
    pub traceparent: Option<String>,
}

impl From<Task> for TaskView {
    fn from(task: Task) -> Self {
        // In which queue it was claimed is the server's own.
        let Claim { by, at, orchestrator_id, expires_at, queue: _ } = task.claim;
        Self {
            id: task.id,
            file_path: task.file_path,
            queue: task.queue,
            priority: task.priority,
            complexity: task.complexity,
            role: task.role,
            branch: task.branch,
            blocked_by: task.blocked_by,
            claimed_by: by,
            claimed_at: at,
            commits_count: task.commits_count,
            turns_used: task.turns_used,
            attempt_count: task.attempt_count,
            has_plan: task.has_plan,
            plan_id: task.plan_id,
            project_id: task.project_id,
            auto_accept: task.auto_accept,
            rejection_count: task.rejection_count,
            pr_number: task.pr_number,
            pr_url: task.pr_url,
            checks: task.checks,
            check_results: task.check_results,
            needs_rebase: task.needs_rebase,
            last_rebase_attempt_at: task.last_rebase_attempt_at,
            staging_url: task.staging_url,
            submitted_at: task.submitted_at,
            completed_at: task.completed_at,
            created_at: task.created_at,
            updated_at: task.updated_at,
            orchestrator_id,
            lease_expires_at: expires_at,
            version: task.version,
            needs_breakdown: task.needs_breakdown,
            review_round: task.review_round,
            execution_notes: task.execution_notes,
            title: task.title,
            kind: task.kind,
            hooks: task.hooks,
            flow: task.flow,
            flow_overrides: task.flow_overrides,
            scope: task.scope,
            content: task.content,
            needs_intervention: task.needs_intervention,
            max_attempts: task.max_attempts,
            failure_count: task.failure_count,
            not_before: task.not_before,
            cancel_requested_at: task.cancel_requested_at,
            run: task.run,
            usage: task.usage.as_deref().map(Usage::stored),
            traceparent: task.traceparent,
        }
    }
}

/// The answer to a claim: the task, and what is for its holder alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClaimedTask {
    /// The task.
    #[serde(flatten)]
    pub task: TaskView,
    /// The token of the lease, by which the holder renews it and ends the run. It is shown nowhere
    /// else.
    pub lease_token: String,
    /// The number of the attempt at the work; null for a review.
    pub attempt: Option<i64>,
    /// What came back since the task was created, the newest first, at most 5.
    pub feedback: Vec<Feedback>,
    /// The checkpoint that an earlier run has saved last.
    pub checkpoint: serde_json::Value,
    /// The last run for work.
    pub previous: Option<PreviousRun>,
    /// The key for the agent alone, if the claim asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub run_key: Option<String>,
}

impl std::ops::Deref for ClaimedTask {
    type Target = TaskView;

    fn deref(&self) -> &TaskView {
        &self.task
    }
}

/// A rejection, or the answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Feedback {
    /// `rejection` or `answer`.
    pub kind: String,
    /// Who gave it.
    pub by: String,
    /// What was said.
    pub text: String,
    /// When.
    pub at: Millis,
}

/// What the next agent should know of the last run for work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreviousRun {
    /// The number of the run.
    pub run: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// The reason of a failure.
    pub reason: Option<String>,
    /// What was said at its end.
    pub message: Option<String>,
    /// What was done.
    pub summary: Option<String>,
    /// The names of the checks that failed.
    pub failed_checks: Vec<String>,
}

impl From<Run> for PreviousRun {
    fn from(run: Run) -> Self {
        let checks = run.failed_checks.and_then(|names| serde_json::from_str(&names).ok());
        Self {
            run: run.run,
            outcome: run.outcome,
            reason: run.reason,
            message: run.message,
            summary: run.summary,
            failed_checks: checks.unwrap_or_default(),
        }
    }
}

/// The clients assert that task booleans are the numbers 0 and 1.
mod bit {
    use super::{Deserialize, Deserializer, Flag, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde calls")]
    pub(super) fn serialize<S: Serializer>(flag: &bool, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(u8::from(*flag))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
        Flag::deserialize(d).map(bool::from)
    }
}
