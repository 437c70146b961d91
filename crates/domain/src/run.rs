//! Runs: what happens to a task under one lease.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    input::INTEGER_MAX, lease::LeaseToken, report::ResultDigest, schema::AnyJson, time::Millis,
    usage::Usage, words::words,
};

/// Reads the number of a run, from 1 to [`INTEGER_MAX`], or returns `None` if the text is not one as
/// it is written.
pub fn run_number(text: &str) -> Option<i64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|run| is_number && *run <= INTEGER_MAX)
}

words!(
    /// What a run is for.
    #[derive(Default)]
    #[schema(as = RunKind)]
    Kind {
        /// To do the task. The task is in `claimed` meanwhile.
        #[default]
        Work = "work",
        /// To review it, or to do anything else that leaves it in its queue.
        Review = "review",
    }
);

words!(
    /// How a run ended, if it has.
    #[derive(Default)]
    #[schema(as = RunOutcome)]
    Outcome {
        /// It has not ended.
        #[default]
        Running = "running",
        /// The work was submitted.
        Submitted = "submitted",
        /// The agent reported a failure.
        Failed = "failed",
        /// The task was taken from the agent, or given back, without a result.
        Released = "released",
        /// Nobody renewed the lease.
        Lapsed = "lapsed",
        /// It ended because the task was cancelled.
        Cancelled = "cancelled",
        /// A review accepted the work.
        Accepted = "accepted",
        /// A review rejected the work.
        Rejected = "rejected",
    }
);

/// A run as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The task.
    pub task_id: String,
    /// The number of the run among all of the task's id, from 1, over deletions.
    pub run: i64,
    /// The scope.
    pub scope: String,
    /// The number among the runs for work; `None` for a review.
    pub attempt: Option<i64>,
    /// What it is for.
    pub kind: Kind,
    /// The queue that the task was claimed from.
    pub source: String,
    /// The agent.
    pub agent: Option<String>,
    /// The agent's machine.
    pub orchestrator_id: Option<String>,
    /// When the task was claimed.
    pub started_at: Millis,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// How it ended.
    pub outcome: Outcome,
    /// The reason of a failure.
    pub reason: Option<String>,
    /// What was said at its end.
    pub message: Option<String>,
    /// What it has used, as JSON.
    pub usage: Option<String>,
    /// What was done, in short.
    pub summary: Option<String>,
    /// The names of the checks that failed, as a JSON array.
    pub failed_checks: Option<String>,
    /// What lists of tasks show of its result, as JSON.
    pub digest: Option<String>,
    /// Whether its work was rejected. That it was accepted is noted in the task.
    pub is_rejected: bool,
    /// The last progress report, as JSON.
    pub progress: Option<String>,
    /// The step that ended it.
    pub ended_by: Option<String>,
    /// The hash of its lease token.
    pub token_hash: String,
    /// The hash of its run key, if it has one.
    pub key_hash: Option<String>,
    /// The number of the last message that its agent has confirmed.
    pub heard: Option<i64>,
}

impl Run {
    /// Whether a lease token is the one of this run.
    pub fn has_token(&self, token: &LeaseToken) -> bool {
        self.run == token.run && self.token_hash == token.hash()
    }
}

/// What changes about a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunChange {
    /// Which run of the task.
    pub run: i64,
    /// How it ended, or that it goes on.
    pub outcome: Outcome,
    /// When it ended; `None` if it goes on.
    pub ended_at: Option<Millis>,
    /// The step that ended it.
    pub ended_by: Option<&'static str>,
    /// The reason of a failure.
    pub reason: Option<String>,
    /// What was said.
    pub message: Option<String>,
    /// What it has used, as JSON; `None` keeps what was reported.
    pub usage: Option<String>,
    /// What was done; `None` keeps it.
    pub summary: Option<String>,
    /// The names of the checks that failed, as a JSON array.
    pub failed_checks: Option<String>,
    /// What lists of tasks show of the result, as JSON; `None` keeps it.
    pub digest: Option<String>,
    /// The whole result, as JSON, to be stored beside the row.
    pub result: Option<String>,
}

/// A run, as clients see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Run)]
pub struct RunView {
    /// The task.
    pub task_id: String,
    /// The number of the run among all of the task's id, from 1, over deletions.
    pub run: i64,
    /// The number among the runs for work; null for a review.
    pub attempt: Option<i64>,
    /// What it is for.
    pub kind: Kind,
    /// The agent.
    pub agent: Option<String>,
    /// The agent's machine.
    pub orchestrator_id: Option<String>,
    /// When the task was claimed.
    pub started_at: Millis,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// How it ended.
    pub outcome: Outcome,
    /// The reason of a failure.
    pub reason: Option<String>,
    /// What was said at its end.
    pub message: Option<String>,
    /// What it has used.
    pub usage: Option<Usage>,
    /// What was done, in short.
    pub summary: Option<String>,
    /// The verdict on the submitted work: `accepted` or `rejected`.
    pub verdict: Option<String>,
    /// The last progress report.
    pub progress: Option<Progress>,
}

/// A run with all that it left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunDetails {
    /// The run.
    #[serde(flatten)]
    pub run: RunView,
    /// The result that was handed in; null if there is none.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub result: Value,
    /// The last checkpoint that was saved; null if there is none.
    #[serde(default)]
    #[schema(value_type = AnyJson)]
    pub checkpoint: Value,
}

/// A run that has not ended, in a list of several tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunningView {
    /// The run.
    #[serde(flatten)]
    pub run: RunView,
    /// The title of its task.
    pub title: Option<String>,
    /// The queue that the task is in.
    pub queue: String,
}

/// The last run for work of a task, as lists of tasks show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LastRun {
    /// The run.
    #[serde(flatten)]
    pub run: RunView,
    /// What its result says of the work.
    #[serde(flatten)]
    pub result: ResultDigest,
}

/// A progress report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// What the agent does.
    pub message: Option<String>,
    /// How far it is, from 0 to 100.
    pub percent: Option<f64>,
    /// When it was reported.
    pub at: Millis,
}

impl LastRun {
    /// A run of a task of which this attempt was accepted last.
    pub fn of(run: Run, accepted_attempt: Option<i64>) -> Self {
        let result = run.digest.as_deref().map(ResultDigest::stored).unwrap_or_default();
        Self { run: RunView::of(run, accepted_attempt), result }
    }
}

impl RunView {
    /// A run of a task of which this attempt was accepted last.
    pub fn of(run: Run, accepted_attempt: Option<i64>) -> Self {
        let is_accepted = run.attempt.is_some() && run.attempt == accepted_attempt;
        let verdict = match (run.is_rejected, is_accepted) {
            (true, _) => Some("rejected".to_owned()),
            (false, true) => Some("accepted".to_owned()),
            (false, false) => None,
        };
        Self {
            task_id: run.task_id,
            run: run.run,
            attempt: run.attempt,
            kind: run.kind,
            agent: run.agent,
            orchestrator_id: run.orchestrator_id,
            started_at: run.started_at,
            ended_at: run.ended_at,
            outcome: run.outcome,
            reason: run.reason,
            message: run.message,
            usage: run.usage.as_deref().map(Usage::stored),
            summary: run.summary,
            verdict,
            progress: run.progress.and_then(|text| serde_json::from_str(&text).ok()),
        }
    }
}
