//! Steps that a person takes: verdicts, and moving tasks back and forth.

use octopoid_domain::{
    TaskView,
    flow::APPROVED,
    input::{Prose, Text},
    lease::Token,
    steps,
};

use super::{
    became,
    held::{Kept, LeaseFlag},
};
use crate::{
    failure::Outcome,
    session::{Run, Session},
};

/// Accept work.
#[derive(Debug, clap::Args)]
pub(crate) struct Accept {
    /// Id of the task, or its unique beginning or end.
    id: String,
    /// Queue to which the flow has a step [default: `approved` if the flow leads there, else `done`;
    /// work in `approved` stays there until it is merged].
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    lease: LeaseFlag,
}

/// Reject work.
#[derive(Debug, clap::Args)]
pub(crate) struct Reject {
    /// Id of the task, or its unique beginning or end.
    id: String,
    /// What is wrong, and what to do instead.
    #[arg(short, long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    lease: LeaseFlag,
}

/// Put a task back.
#[derive(Debug, clap::Args)]
pub(crate) struct Requeue {
    /// Id of the task, or its unique beginning or end.
    id: String,
    /// Why.
    #[arg(short, long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    lease: LeaseFlag,
}

/// Cancel a task.
#[derive(Debug, clap::Args)]
pub(crate) struct Cancel {
    /// Id of the task, or its unique beginning or end.
    id: String,
    /// Why.
    #[arg(short, long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    by: By,
}

/// Take a task up again.
#[derive(Debug, clap::Args)]
pub(crate) struct Retry {
    /// Id of the task, or its unique beginning or end.
    id: String,
    /// Why.
    #[arg(short, long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    by: By,
}

/// Move a task.
#[derive(Debug, clap::Args)]
pub(crate) struct Move {
    /// Id of the task, or its unique beginning or end.
    id: String,
    /// The queue to move it to.
    queue: String,
    /// Why.
    #[arg(short, long, value_name = "TEXT")]
    reason: String,
}

/// Who takes a step.
#[derive(Debug, clap::Args)]
struct By {
    /// Who decides [default: the user].
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl Run for Accept {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<TaskView>()?;
        let step = async |id: &str, lease_token: Token| {
            let queue = match &self.queue {
                None => {
                    let task = session.client.get_task(id).await?;
                    if task.queue == APPROVED && lease_token.0.is_none() {
                        // Accepted before. Again, it would be done without having been merged.
                        return Ok(task);
                    }
                    session.client.next_after_review(&task).await?
                }
                queue => queue.clone(),
            };
            let body = steps::Accept {
                accepted_by: Text(Some(session.by(self.by.by.as_ref()))),
                queue: Text(queue),
                lease_token,
                ..steps::Accept::default()
            };
            session.client.accept_task(id, &body).await
        };
        let task = self.lease.end(session, &self.id, Kept::Review, step).await?;
        printer.changed(&task, &became("accepted", &task))
    }
}

impl Run for Reject {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<TaskView>()?;
        let step = async |id: &str, lease_token| {
            let body = steps::Reject {
                reason: Prose(Some(self.reason.clone())),
                rejected_by: Text(Some(session.by(self.by.by.as_ref()))),
                lease_token,
                ..steps::Reject::default()
            };
            session.client.reject_task(id, &body).await
        };
        let task = self.lease.end(session, &self.id, Kept::Review, step).await?;
        printer.changed(&task, &became("rejected", &task))
    }
}

impl Run for Requeue {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<TaskView>()?;
        let step = async |id: &str, lease_token| {
            let reason = Prose(self.reason.clone());
            let body = steps::Requeue { reason, lease_token, ..steps::Requeue::default() };
            session.client.requeue_task(id, &body).await
        };
        let task = self.lease.end(session, &self.id, Kept::Any, step).await?;
        printer.changed(&task, &became("requeued", &task))
    }
}

impl Run for Cancel {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<TaskView>()?;
        let body = steps::Cancel {
            by: Text(Some(session.by(self.by.by.as_ref()))),
            reason: Prose(Some(self.reason.clone())),
            ..steps::Cancel::default()
        };
        let cancel = async |id: &str| session.client.cancel_task(id, &body).await;
        let task = session.about_task(&self.id, cancel).await?;
        let verb = if task.cancel_requested_at.is_some() { "asked to stop" } else { "cancelled" };
        printer.changed(&task, &became(verb, &task))
    }
}

impl Run for Retry {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<TaskView>()?;
        let body = steps::Retry {
            by: Text(Some(session.by(self.by.by.as_ref()))),
            reason: Prose(self.reason.clone()),
            ..steps::Retry::default()
        };
        let retry = async |id: &str| session.client.retry_task(id, &body).await;
        let task = session.about_task(&self.id, retry).await?;
        printer.changed(&task, &became("took up", &task))
    }
}

impl Run for Move {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<TaskView>()?;
        let body = steps::ForceQueue {
            queue: Text(Some(self.queue.clone())),
            reason: Prose(Some(self.reason.clone())),
        };
        let step = async |id: &str| session.client.force_queue_task(id, &body).await;
        let task = session.about_task(&self.id, step).await?;
        printer.changed(&task, &became("moved", &task))
    }
}
