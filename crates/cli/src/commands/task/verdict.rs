//! Steps that a person takes: verdicts, and moving tasks back and forth.

use octopoid_client::Error;
use octopoid_domain::{
    TaskView,
    input::{Prose, Text},
    lease::{LeaseToken, Token},
    steps,
};

use crate::{
    failure::{Failure, Outcome},
    output::one_line,
    session::{Run, Session},
};

/// Accept work.
#[derive(Debug, clap::Args)]
pub(crate) struct Accept {
    /// Id of the task, or its unique beginning or end.
    id: String,
    /// Another queue than `done` to which the flow has a step.
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

/// The lease under which a step is taken.
#[derive(Debug, clap::Args)]
pub(crate) struct LeaseFlag {
    /// Lease token [default: that of `octopoid task claim` on this machine, if there is one].
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    lease_token: Option<LeaseToken>,
}

fn token(text: &str) -> Result<LeaseToken, String> {
    LeaseToken::parse(text).ok_or_else(|| "it is not the lease_token of a claim".to_owned())
}

impl LeaseFlag {
    /// The token to send: the given one, or the one kept for this task if `is_kept_used` says so of
    /// a lease for a review, or for work.
    fn token(&self, session: &Session, id: &str, is_kept_used: fn(bool) -> bool) -> Token {
        let kept = || {
            let lease = session.leases.of(id).filter(|lease| is_kept_used(lease.is_review))?;
            LeaseToken::parse(&lease.token)
        };
        Token(self.lease_token.clone().or_else(kept))
    }

    /// Takes a step that ends a lease. The lease is forgotten then, and also if it was lost.
    pub(super) async fn end<T>(
        &self,
        session: &Session,
        given: &str,
        is_kept_used: fn(bool) -> bool,
        step: impl AsyncFn(&str, Token) -> octopoid_client::Result<T>,
    ) -> Outcome<T> {
        session
            .about_task(given, async |id| {
                let answer = step(id, self.token(session, id, is_kept_used)).await;
                match &answer {
                    Ok(_) => session.leases.forget(id),
                    Err(error) => self.forget_if_lost(session, id, error),
                }
                answer
            })
            .await
    }

    /// Does something under a lease, which goes on.
    pub(super) async fn under<T>(
        &self,
        session: &Session,
        given: &str,
        step: impl AsyncFn(&str, Token) -> octopoid_client::Result<T>,
    ) -> Outcome<T> {
        session
            .about_task(given, async |id| {
                let answer = step(id, self.token(session, id, |_| true)).await;
                if let Err(error) = &answer {
                    self.forget_if_lost(session, id, error);
                }
                answer
            })
            .await
    }

    /// Forgets the kept lease if it was used and is lost, so that it is not in the way of others.
    fn forget_if_lost(&self, session: &Session, id: &str, error: &Error) {
        let is_lost = matches!(error, Error::Refused { code, .. } if code == "lease_lost");
        if is_lost && self.lease_token.is_none() {
            session.leases.forget(id);
        }
    }
}

/// The id that was given, or that of the only task which is claimed here.
pub(super) fn given_or_claimed(session: &Session, id: Option<&String>) -> Outcome<String> {
    if let Some(id) = id {
        return Ok(id.clone());
    }
    let mut leases = session.leases.all();
    match leases.len() {
        1 => Ok(leases.remove(0).task_id),
        0 => Err(Failure::usage("no task is named, and none is claimed on this machine")
            .remedy("claim one: octopoid task claim")),
        _ => {
            let ids: Vec<_> = leases.into_iter().map(|lease| lease.task_id).collect();
            Err(Failure::usage("no task is named, and several are claimed on this machine")
                .remedy(format!("name one: {}", ids.join(", "))))
        }
    }
}

/// Says what became of a task.
pub(super) fn became(verb: &str, task: &TaskView) -> String {
    let title = task.title.as_deref().filter(|title| *title != task.id);
    let title = title.map(|title| format!("  {}", one_line(title)));
    format!("{verb} {}{}  now in {}", task.id, title.unwrap_or_default(), task.queue)
}

impl Run for Accept {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<TaskView>()?;
        let step = async |id: &str, lease_token| {
            let body = steps::Accept {
                accepted_by: Text(Some(session.by(self.by.by.as_ref()))),
                queue: Text(self.queue.clone()),
                lease_token,
                ..steps::Accept::default()
            };
            session.client.accept_task(id, &body).await
        };
        let task = self.lease.end(session, &self.id, |is_review| is_review, step).await?;
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
        let task = self.lease.end(session, &self.id, |is_review| is_review, step).await?;
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
        let task = self.lease.end(session, &self.id, |_| true, step).await?;
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
