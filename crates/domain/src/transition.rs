//! The state machine: one table of transitions, and the pure function that applies it.
//!
//! Every operation that changes a task asks [`decide`]; claiming, which must choose the task and
//! take it in one statement, is the one step whose condition also stands in SQL, and takes its
//! sources from the same table.

use serde_json::json;

use crate::{
    event::{Kind, NewEvent},
    flow::{Rules, check_queue},
    queue,
    refusal::Refusal,
    steps::{Accept, CompleteHook, ForceQueue, Reject, Requeue, Submit, is_burnout},
    task::{Task, TaskPatch},
    time::Millis,
};

/// What can be done to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An agent takes it.
    Claim,
    /// Its agent hands in the work.
    Submit,
    /// A reviewer accepts the work.
    Accept,
    /// A reviewer rejects the work.
    Reject,
    /// Someone puts it back without a verdict.
    Requeue,
    /// The reaper takes it from an agent that has gone silent.
    Release,
    /// An operator moves it.
    ForceQueue,
    /// A client changes fields, the queue perhaps among them.
    Update,
}

impl Action {
    /// The word in the wire's 409 texts.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Submit => "submit",
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Requeue => "requeue",
            Self::Release => "release",
            Self::ForceQueue => "force-queue",
            Self::Update => "update",
        }
    }
}

/// Which queues an action may start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Any.
    Any,
    /// Any but these.
    Except(&'static [&'static str]),
    /// These, whatever the flow says.
    Only(&'static [&'static str]),
    /// Those from which the flow has a step to the target; these if no flow is registered.
    Flow(&'static [&'static str]),
}

/// Where an action leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To this queue.
    Queue(&'static str),
    /// To `claimed`, but a review leaves the task in `provisional`.
    Held,
    /// To `provisional`, but to `needs_continuation` if the agent ran out of turns.
    Submitted,
    /// To `incoming`, but a released review leaves the task in `provisional`.
    Released,
    /// Where the request says.
    Asked,
}

/// Which counter an action raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raises {
    /// None.
    Nothing,
    /// `attempt_count`.
    Attempts,
    /// `rejection_count`.
    Rejections,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    /// What is done.
    pub action: Action,
    /// Where it may start.
    pub from: From,
    /// Where it leads.
    pub to: To,
    /// What it counts.
    pub raises: Raises,
}

const fn row(action: Action, from: From, to: To, raises: Raises) -> Transition {
    Transition { action, from, to, raises }
}

/// The state machine. A claim is cleared by every row but the claim itself and the update.
pub const TRANSITIONS: [Transition; 8] = {
    use Action::{Accept, Claim, ForceQueue, Reject, Release, Requeue, Submit, Update};
    use Raises::{Attempts, Nothing, Rejections};
    use queue::{CLAIMED, DONE, INCOMING, NOT_CLAIMABLE, PROVISIONAL};
    [
        row(Claim, From::Except(&NOT_CLAIMABLE), To::Held, Nothing),
        row(Submit, From::Only(&[CLAIMED]), To::Submitted, Nothing),
        row(Accept, From::Flow(&[PROVISIONAL, CLAIMED]), To::Queue(DONE), Nothing),
        row(Reject, From::Flow(&[PROVISIONAL, CLAIMED]), To::Queue(INCOMING), Rejections),
        row(Requeue, From::Flow(&[CLAIMED, PROVISIONAL]), To::Queue(INCOMING), Attempts),
        row(Release, From::Only(&[CLAIMED, PROVISIONAL]), To::Released, Attempts),
        row(ForceQueue, From::Any, To::Asked, Nothing),
        row(Update, From::Any, To::Asked, Nothing),
    ]
};

/// The row of an action.
pub fn transition(action: Action) -> &'static Transition {
    TRANSITIONS
        .iter()
        .find(|transition| transition.action == action)
        .expect("the table has a row for every action, as a test shows")
}

/// Whether a claim may take from this queue.
pub fn is_claimable(queue: &str) -> bool {
    match transition(Action::Claim).from {
        From::Except(queues) => !queues.contains(&queue),
        From::Any | From::Only(_) | From::Flow(_) => true,
    }
}

/// An action with what the request says about it.
#[derive(Clone, Debug)]
pub enum Request {
    /// Hand in work.
    Submit(Submit),
    /// Accept work.
    Accept(Accept),
    /// Reject work.
    Reject(Reject),
    /// Put back.
    Requeue(Requeue),
    /// Take back after the lease has run out.
    Release,
    /// Move past the rules.
    ForceQueue(ForceQueue),
    /// Change fields.
    Update(Box<TaskPatch>),
    /// Note a hook's evidence: the hook's name and the report.
    CompleteHook(String, CompleteHook),
}

impl Request {
    /// The action this asks for.
    pub fn action(&self) -> Action {
        match self {
            Self::Submit(_) => Action::Submit,
            Self::Accept(_) => Action::Accept,
            Self::Reject(_) => Action::Reject,
            Self::Requeue(_) => Action::Requeue,
            Self::Release => Action::Release,
            Self::ForceQueue(_) => Action::ForceQueue,
            Self::Update(_) | Self::CompleteHook(..) => Action::Update,
        }
    }
}

/// A message that an action leaves for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Who says it.
    pub from_actor: String,
    /// The message's type.
    pub kind: &'static str,
    /// The text.
    pub content: String,
}

/// What an action makes of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The task afterwards.
    pub task: Task,
    /// What history records, in order.
    pub events: Vec<NewEvent>,
    /// A message to leave, if any.
    pub notice: Option<Notice>,
    /// Whether fields outside the state machine changed, so that the whole row must be written.
    pub is_edit: bool,
}

impl Change {
    fn new(task: &Task) -> Self {
        Self { task: task.clone(), events: Vec::new(), notice: None, is_edit: false }
    }

    fn record(&mut self, event: NewEvent) {
        self.events.push(event);
    }
}

/// Decides what a request makes of a task, or why it is refused. `rules` are those of the task's
/// flow, if it is registered.
pub fn decide(
    task: &Task,
    request: &Request,
    rules: Option<&Rules>,
    now: Millis,
) -> Result<Change, Refusal> {
    let mut change = Change::new(task);
    match request {
        Request::Submit(body) => submit(&mut change, body, now)?,
        Request::Accept(body) => accept(&mut change, body, rules, now)?,
        Request::Reject(body) => reject(&mut change, body, rules)?,
        Request::Requeue(body) => requeue(&mut change, body, rules)?,
        Request::Release => release(&mut change)?,
        Request::ForceQueue(body) => force_queue(&mut change, body, rules, now)?,
        Request::Update(patch) => crate::edit::update(&mut change, patch, rules)?,
        Request::CompleteHook(name, body) => crate::edit::complete_hook(&mut change, name, body)?,
    }
    if task.queue == queue::DONE && change.task.queue != queue::DONE {
        change.task.completed_at = None;
    }
    change.task.version = task.version + 1;
    change.task.updated_at = now;
    Ok(change)
}

/// Checks the version a caller has named, if it has.
pub(crate) fn check_version(
    task: &Task,
    action: Action,
    expected: Option<i64>,
) -> Result<(), Refusal> {
    match expected {
        Some(expected) if expected != task.version => {
            Err(Refusal::VersionConflict { action, expected, found: task.version })
        }
        _ => Ok(()),
    }
}

/// Checks an action's source against the table and the flow.
fn check_source(
    task: &Task,
    action: Action,
    to: &str,
    rules: Option<&Rules>,
) -> Result<(), Refusal> {
    let from = &*task.queue;
    let expected = match (transition(action).from, rules) {
        (From::Any, _) => return Ok(()),
        (From::Except(queues), _) if !queues.contains(&from) => return Ok(()),
        (From::Only(queues), _) | (From::Flow(queues), None) if queues.contains(&from) => {
            return Ok(());
        }
        (From::Flow(_), Some(rules)) => {
            if rules.allows(from, to, task.project_id.is_some()) {
                return Ok(());
            }
            let reason = format!(
                "Invalid transition: flow \"{}\" does not allow {from} \u{2192} {to}",
                rules.name
            );
            return Err(Refusal::WrongState { action, reason });
        }
        (From::Only(queues) | From::Flow(queues) | From::Except(queues), _) => queues.join(" or "),
    };
    let reason = format!("Invalid transition: task is in {from}, expected {expected}");
    Err(Refusal::WrongState { action, reason })
}

fn submit(change: &mut Change, body: &Submit, now: Millis) -> Result<(), Refusal> {
    let (commits, turns) = body.counts()?;
    let action = Action::Submit;
    check_source(&change.task, action, queue::PROVISIONAL, None)?;
    check_holder(&change.task, body, now)?;
    check_version(&change.task, action, body.version.value().map(|version| version.0))?;
    let task = &mut change.task;
    let agent = task.claimed_by.take();
    task.clear_claim();
    task.commits_count = Some(commits);
    task.turns_used = Some(turns);
    task.check_results.clone_from(&body.check_results.0);
    task.execution_notes.clone_from(&body.execution_notes.0);
    task.submitted_at = Some(now);
    let burnout = is_burnout(commits, turns);
    let target = if burnout { queue::NEEDS_CONTINUATION } else { queue::PROVISIONAL };
    target.clone_into(&mut task.queue);
    change.record(NewEvent::new(Kind::Submitted, agent));
    if burnout {
        let details = json!({
            "commits_count": commits, "turns_used": turns,
            "threshold": crate::steps::BURNOUT_TURNS_IDLE,
        });
        change.record(NewEvent::new(Kind::BurnoutDetected, None).with(details.to_string()));
    }
    Ok(())
}

/// Submitting takes a live lease, and the identity the caller gives must be the holder's.
fn check_holder(task: &Task, body: &Submit, now: Millis) -> Result<(), Refusal> {
    let lost = |reason: String| Err(Refusal::LeaseLost { action: Action::Submit, reason });
    match task.lease_expires_at {
        None => return lost("No active lease".to_owned()),
        Some(expires) if expires < now => return lost("Lease has expired".to_owned()),
        Some(_) => {}
    }
    let holders =
        [(&body.agent_name, &task.claimed_by), (&body.orchestrator_id, &task.orchestrator_id)];
    for (caller, holder) in holders {
        if caller.0.is_some() && caller.0 != *holder {
            let holder = holder.as_deref().unwrap_or("nobody");
            return lost(format!("Task is claimed by {holder}"));
        }
    }
    Ok(())
}

fn accept(
    change: &mut Change,
    body: &Accept,
    rules: Option<&Rules>,
    now: Millis,
) -> Result<(), Refusal> {
    let by = body.accepted_by.0.clone();
    let by = by.ok_or(Refusal::invalid("Missing required field: accepted_by"))?;
    check_source(&change.task, Action::Accept, queue::DONE, rules)?;
    let version = body.version.value().map(|version| version.0);
    check_version(&change.task, Action::Accept, version)?;
    change.task.clear_claim();
    queue::DONE.clone_into(&mut change.task.queue);
    change.task.completed_at = Some(body.completed_at.unwrap_or(now));
    change.record(NewEvent::new(Kind::Accepted, Some(by)));
    Ok(())
}

fn reject(change: &mut Change, body: &Reject, rules: Option<&Rules>) -> Result<(), Refusal> {
    let (Some(reason), Some(by)) = (body.reason.0.clone(), body.rejected_by.0.clone()) else {
        return Err(Refusal::invalid("Missing required fields: reason, rejected_by"));
    };
    check_source(&change.task, Action::Reject, queue::INCOMING, rules)?;
    let version = body.version.value().map(|version| version.0);
    check_version(&change.task, Action::Reject, version)?;
    send_back(&mut change.task, Action::Reject);
    change.record(NewEvent::new(Kind::Rejected, Some(by.clone())).with(reason.clone()));
    change.notice = Some(Notice { from_actor: by, kind: "rejection", content: reason });
    Ok(())
}

fn requeue(change: &mut Change, body: &Requeue, rules: Option<&Rules>) -> Result<(), Refusal> {
    check_source(&change.task, Action::Requeue, queue::INCOMING, rules)?;
    let version = body.version.value().map(|version| version.0);
    check_version(&change.task, Action::Requeue, version)?;
    let mut event = NewEvent::new(Kind::Requeued, change.task.claimed_by.take());
    event.details.clone_from(&body.reason.0);
    send_back(&mut change.task, Action::Requeue);
    change.record(event);
    Ok(())
}

/// The words that history has for a lease that ran out.
const LEASE_EXPIRED: &str = "Lease expired";

fn release(change: &mut Change) -> Result<(), Refusal> {
    check_source(&change.task, Action::Release, queue::INCOMING, None)?;
    let agent = change.task.claimed_by.take();
    if change.task.queue == queue::PROVISIONAL {
        change.task.clear_claim();
        change.record(NewEvent::new(Kind::ReviewReleased, agent).with(LEASE_EXPIRED));
    } else {
        send_back(&mut change.task, Action::Release);
        change.record(NewEvent::new(Kind::Requeued, agent).with(LEASE_EXPIRED));
    }
    Ok(())
}

fn send_back(task: &mut Task, action: Action) {
    task.clear_claim();
    queue::INCOMING.clone_into(&mut task.queue);
    let counter = match transition(action).raises {
        Raises::Nothing => return,
        Raises::Attempts => &mut task.attempt_count,
        Raises::Rejections => &mut task.rejection_count,
    };
    *counter = Some(counter.unwrap_or(0) + 1);
}

fn force_queue(
    change: &mut Change,
    body: &ForceQueue,
    rules: Option<&Rules>,
    now: Millis,
) -> Result<(), Refusal> {
    let (Some(to), Some(reason)) = (body.queue.0.clone(), body.reason.0.clone()) else {
        return Err(Refusal::invalid("Missing required fields: queue, reason"));
    };
    check_queue(&to, rules, change.task.project_id.is_some())?;
    let task = &mut change.task;
    let from = std::mem::replace(&mut task.queue, to.clone());
    task.clear_claim();
    if to == queue::DONE {
        task.completed_at = Some(now);
    }
    let details = json!({ "reason": reason, "from": from, "to": to });
    change.record(NewEvent::new(Kind::ForceQueue, None).with(details.to_string()));
    let from_actor = "system".to_owned();
    change.notice = Some(Notice { from_actor, kind: "force_queue", content: reason });
    Ok(())
}

#[cfg(test)]
#[path = "transition_tests.rs"]
mod tests;
