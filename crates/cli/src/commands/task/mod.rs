//! `octopoid task`: the queue.

mod claim;
mod follow;
mod held;
mod look;
mod nouns;
mod report;
mod verdict;

use octopoid_domain::TaskView;

use crate::{
    commands::{add, verbs},
    output::one_line,
};

verbs! {
    /// List tasks, the newest first.
    List => look::List,
    /// Show a task, what happens next, and its runs.
    Get => look::Get,
    /// Create a task, like `octopoid add`.
    Create => add::Args,
    /// Claim the most urgent task that fits, and keep its lease for submit, renew and fail.
    Claim => claim::Claim,
    /// Renew the lease of a task.
    Renew => report::Renew,
    /// Submit work for review.
    Submit => report::Submit,
    /// Report that a run has failed, and why.
    Fail => report::Fail,
    /// Accept work.
    Accept => verdict::Accept,
    /// Reject work, with a reason that the next attempt is given.
    Reject => verdict::Reject,
    /// Put a task back into its queue without a verdict; takes it from its holder.
    Requeue => verdict::Requeue,
    /// Cancel a task, or ask its holder to stop.
    Cancel => verdict::Cancel,
    /// Take a failed or cancelled task up again.
    Retry => verdict::Retry,
    /// Move a task to another queue, past the rules of its flow.
    Move => verdict::Move,
    /// Show what happened to a task, the oldest first.
    History => look::History,
    /// List the runs of a task, the newest first, or show one.
    Runs => look::Runs,
    /// Print the log of a run.
    Log => follow::Log,
    /// Say why no agent gets a task now.
    Why => look::Why,
    /// Print what happens to a task until it is done, failed, cancelled or deleted.
    Watch => follow::Watch,
}

/// Says what became of a task.
fn became(verb: &str, task: &TaskView) -> String {
    let title = task.title.as_deref().filter(|title| *title != task.id);
    let title = title.map(|title| format!("  {}", one_line(title)));
    let (id, queue) = (one_line(&task.id), one_line(&task.queue));
    format!("{verb} {id}{}  now in {queue}", title.unwrap_or_default())
}
