//! The requests that change a task, and the pure function that applies them.
//!
//! Every operation that changes one task calls [`decide`].

mod ends;
mod leases;
mod work;

use crate::{
    change::Change,
    edit::{check_hook, check_patch, check_some, complete_hook, update},
    event::{Kind, NewEvent},
    flow::Rules,
    lease::LeaseToken,
    queue,
    refusal::Refusal,
    run::Run,
    step::Step,
    steps::{
        Accept, Cancel, CompleteHook, Fail, ForceQueue, Reject, Renew, Requeue, Retry, Submit,
    },
    task::{Claim, Task, TaskPatch},
    time::Millis,
};

pub(crate) use leases::released_by_client;

/// A step with the fields of its request.
#[derive(Clone, Debug)]
pub enum Request {
    /// Submit work.
    Submit(Box<Submit>),
    /// Report a failure.
    Fail(Box<Fail>),
    /// Renew the lease, and take the task up again if it has lapsed.
    Renew(Box<Renew>),
    /// Accept work.
    Accept(Accept),
    /// Reject work.
    Reject(Reject),
    /// Requeue.
    Requeue(Requeue),
    /// Release after the lease has expired.
    Release,
    /// Cancel.
    Cancel(Cancel),
    /// Take up again.
    Retry(Retry),
    /// Move to any queue.
    ForceQueue(ForceQueue),
    /// Change fields.
    Update(Box<TaskPatch>),
    /// Record a hook's evidence: the hook's name and the report.
    CompleteHook(String, CompleteHook),
}

impl Request {
    /// The step of this request.
    pub fn step(&self) -> Step {
        match self {
            Self::Submit(_) => Step::Submit,
            Self::Fail(_) => Step::Fail,
            Self::Renew(_) => Step::Renew,
            Self::Accept(_) => Step::Accept,
            Self::Reject(_) => Step::Reject,
            Self::Requeue(_) => Step::Requeue,
            Self::Release => Step::Release,
            Self::Cancel(_) => Step::Cancel,
            Self::Retry(_) => Step::Retry,
            Self::ForceQueue(_) => Step::ForceQueue,
            Self::Update(_) | Self::CompleteHook(..) => Step::Update,
        }
    }

    /// The lease token in the request, if any.
    pub fn token(&self) -> Option<&LeaseToken> {
        let token = match self {
            Self::Submit(body) => &body.lease_token,
            Self::Fail(body) => &body.lease_token,
            Self::Renew(body) => &body.lease_token,
            Self::Accept(body) => &body.lease_token,
            Self::Reject(body) => &body.lease_token,
            Self::Requeue(body) => &body.lease_token,
            _ => return None,
        };
        token.0.as_ref()
    }

    /// The refusals that do not depend on the task. They take precedence over "not found", so the
    /// store checks them before it reads the task; [`decide`] checks them again.
    pub fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Submit(body) => body.counts().map(drop),
            Self::Fail(body) => body.order().map(drop),
            Self::Renew(body) => body.check(),
            Self::Accept(body) => body.by().map(drop),
            Self::Reject(body) => body.verdict().map(drop),
            Self::Cancel(body) => body.order().map(drop),
            Self::Retry(body) => body.by().map(drop),
            Self::ForceQueue(body) => body.order().map(drop),
            Self::Update(patch) => check_patch(patch).and_then(|()| check_some(patch)),
            Self::CompleteHook(_, body) => check_hook(body),
            Self::Requeue(_) | Self::Release => Ok(()),
        }
    }
}

/// What the lease token of a request is to the task.
#[derive(Clone, Copy, Debug)]
pub enum Presented<'a> {
    /// There is none.
    Nothing,
    /// It is that of the current lease.
    Current,
    /// It is that of another run of the task, or of none.
    Other(Option<&'a Run>),
}

/// What a decision is based on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The task.
    pub task: &'a Task,
    /// The run of the current lease, if there is one.
    pub lease: Option<&'a Run>,
    /// The request's token.
    pub token: Presented<'a>,
    /// The rules of the task's flow, if it is registered.
    pub rules: Option<&'a Rules>,
    /// The time.
    pub now: Millis,
    /// A random number, which spreads delays.
    pub chance: u64,
}

impl<'a> Situation<'a> {
    /// A task on which there is no lease and whose flow is not registered.
    pub fn of(task: &'a Task, now: Millis) -> Self {
        Self { task, lease: None, token: Presented::Nothing, rules: None, now, chance: 0 }
    }

    /// Whether the request comes from the holder of the current lease.
    fn is_holder(&self) -> bool {
        matches!(self.token, Presented::Current)
    }
}

/// What follows from a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The task changes.
    Change(Box<Change>),
    /// The request was carried out before: its answer is the task as it is.
    AsItIs,
}

/// Computes the change of a task by a request, or the refusal.
pub fn decide(at: &Situation<'_>, request: &Request) -> Result<Decision, Refusal> {
    let step = request.step();
    let mut change = Change::new(at.task);
    match at.token {
        Presented::Nothing => {}
        Presented::Current => leases::resume(&mut change, at),
        Presented::Other(Some(run)) if run.ended_by.as_deref() == Some(step.verb()) => {
            return Ok(Decision::AsItIs);
        }
        Presented::Other(run) => return Err(leases::lost(step, at.task, run)),
    }
    match request {
        Request::Submit(body) => work::submit(&mut change, at, body)?,
        Request::Fail(body) => ends::fail(&mut change, at, body)?,
        Request::Renew(body) => leases::renew(&mut change, at, body)?,
        Request::Accept(body) => work::accept(&mut change, at, body)?,
        Request::Reject(body) => work::reject(&mut change, at, body)?,
        Request::Requeue(body) => work::requeue(&mut change, at, body)?,
        Request::Release => leases::release(&mut change, at)?,
        Request::Cancel(body) => {
            if !ends::cancel(&mut change, at, body)? {
                return Ok(Decision::AsItIs);
            }
        }
        Request::Retry(body) => ends::retry(&mut change, at, body)?,
        Request::ForceQueue(body) => work::force_queue(&mut change, at, body)?,
        Request::Update(patch) => update(&mut change, at, patch)?,
        Request::CompleteHook(name, body) => complete_hook(&mut change, name, body)?,
    }
    conclude(&mut change, at);
    Ok(Decision::Change(Box::new(change)))
}

/// The refusal to repeat a claim whose token is not current any more, by its task and its run as far
/// as they are there.
pub fn claim_lost(task: Option<&Task>, run: Option<&Run>) -> Refusal {
    if let Some(task) = task {
        return leases::lost(Step::Claim, task, run);
    }
    Refusal::LeaseLost { step: Step::Claim, reason: "The task was deleted".to_owned() }
}

/// What follows from every change: a freed task that is to be cancelled is cancelled, and what has
/// left `done` is not completed.
fn conclude(change: &mut Change, at: &Situation<'_>) {
    let task = &mut change.task;
    let is_free = !task.is_held() && task.queue != queue::CLAIMED;
    if task.cancel_requested_at.is_some() && is_free {
        task.cancel_requested_at = None;
        if task.queue != queue::CANCELLED {
            task.claim = Claim::default();
            queue::CANCELLED.clone_into(&mut task.queue);
            task.not_before = None;
            change.events.push(NewEvent::new(Kind::Cancelled, None));
        }
    }
    let task = &mut change.task;
    if task.queue != queue::DONE && at.task.queue == queue::DONE {
        task.completed_at = None;
    }
    task.version = at.task.version + 1;
    task.updated_at = at.now;
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
