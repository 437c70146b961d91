//! The state machine: one table of transitions, and the pure function that applies it.
//!
//! Every operation that changes a task asks [`decide`]; claiming, which must choose the task and
//! take it in one statement, is the one step whose condition also stands in SQL, and takes its
//! sources from the same table.

use serde_json::json;

use crate::{
    edit::{check_hook, check_patch, check_some},
    event::{Kind, NewEvent},
    flow::{Rules, check_queue},
    input::{INTEGER_MAX, Id, PatchCount, Text},
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
    /// `attempt_count`, but none for a review: that was no attempt at the work.
    WorkAttempts,
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

impl Transition {
    /// The queue it leads to from `from`. `asked` is what the request names, if it names one.
    pub fn target(&self, from: &str, asked: Option<&str>, is_burnout: bool) -> String {
        let is_review = from == queue::PROVISIONAL;
        let to = match self.to {
            To::Queue(to) => to,
            To::Held | To::Released if is_review => queue::PROVISIONAL,
            To::Held => queue::CLAIMED,
            To::Released => queue::INCOMING,
            To::Submitted if is_burnout => queue::NEEDS_CONTINUATION,
            To::Submitted => queue::PROVISIONAL,
            To::Asked => asked.unwrap_or(from),
        };
        to.to_owned()
    }

    /// Frees a task, counts, and moves it to where this row leads.
    fn apply(&self, task: &mut Task, to: String) {
        let is_review = task.queue == queue::PROVISIONAL;
        task.clear_claim();
        task.queue = to;
        let counter = match self.raises {
            Raises::Nothing => return,
            Raises::WorkAttempts if is_review => return,
            Raises::Attempts | Raises::WorkAttempts => &mut task.attempt_count,
            Raises::Rejections => &mut task.rejection_count,
        };
        // A client may have set it to anything; no backend need hold more than this.
        *counter = Some(counter.unwrap_or(0).saturating_add(1).min(INTEGER_MAX));
    }
}

const fn row(action: Action, from: From, to: To, raises: Raises) -> Transition {
    Transition { action, from, to, raises }
}

/// The state machine. A claim is cleared by every row but the claim itself and the update.
pub const TRANSITIONS: [Transition; 8] = {
    use Action::{Accept, Claim, ForceQueue, Reject, Release, Requeue, Submit, Update};
    use Raises::{Attempts, Nothing, Rejections, WorkAttempts};
    use queue::{CLAIMED, DONE, INCOMING, NOT_CLAIMABLE, PROVISIONAL};
    [
        row(Claim, From::Except(&NOT_CLAIMABLE), To::Held, Nothing),
        row(Submit, From::Only(&[CLAIMED]), To::Submitted, Nothing),
        row(Accept, From::Flow(&[PROVISIONAL, CLAIMED]), To::Queue(DONE), Nothing),
        row(Reject, From::Flow(&[PROVISIONAL, CLAIMED]), To::Queue(INCOMING), Rejections),
        row(Requeue, From::Flow(&[CLAIMED, PROVISIONAL]), To::Queue(INCOMING), Attempts),
        row(Release, From::Only(&[CLAIMED, PROVISIONAL]), To::Released, WorkAttempts),
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

    /// The refusals that need no task. They come before "not found", so a store asks for them
    /// before it looks for the task; [`decide`] asks again.
    pub fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Submit(body) => body.counts().map(drop),
            Self::Accept(body) => body.by().map(drop),
            Self::Reject(body) => body.verdict().map(drop),
            Self::ForceQueue(body) => body.order().map(drop),
            Self::Update(patch) => check_patch(patch).and_then(|()| check_some(patch)),
            Self::CompleteHook(_, body) => check_hook(body),
            Self::Requeue(_) | Self::Release => Ok(()),
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
        Request::Reject(body) => reject(&mut change, body, rules, now)?,
        Request::Requeue(body) => requeue(&mut change, body, rules)?,
        Request::Release => release(&mut change)?,
        Request::ForceQueue(body) => force_queue(&mut change, body, rules, now)?,
        Request::Update(patch) => crate::edit::update(&mut change, patch, rules, now)?,
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

/// Checks a row's source against the flow.
fn check_source(
    row: &Transition,
    task: &Task,
    to: &str,
    rules: Option<&Rules>,
) -> Result<(), Refusal> {
    let (action, from) = (row.action, &*task.queue);
    let expected = match (row.from, rules) {
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
    let row = transition(Action::Submit);
    let burnout = is_burnout(commits, turns);
    let to = row.target(&change.task.queue, None, burnout);
    check_source(row, &change.task, &to, None)?;
    check_holder(&change.task, body, now)?;
    check_version(&change.task, row.action, body.version.value().map(|version| version.0))?;
    let task = &mut change.task;
    let agent = task.claimed_by.take();
    row.apply(task, to);
    task.commits_count = Some(commits);
    task.turns_used = Some(turns);
    task.check_results.clone_from(&body.check_results.0);
    task.execution_notes.clone_from(&body.execution_notes.0);
    task.submitted_at = Some(now);
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
    check_identity(task, Action::Submit, &body.agent_name, &body.orchestrator_id)
}

/// The identity that a caller gives must be the holder's.
fn check_identity(task: &Task, action: Action, agent: &Text, machine: &Id) -> Result<(), Refusal> {
    for (caller, holder) in [(&agent.0, &task.claimed_by), (&machine.0, &task.orchestrator_id)] {
        if caller.is_some() && caller != holder {
            let holder = holder.as_deref().unwrap_or("nobody");
            let reason = format!("Task is claimed by {holder}");
            return Err(Refusal::LeaseLost { action, reason });
        }
    }
    Ok(())
}

/// A reviewer that says who it is gives no verdict on what is another's to review by now. What
/// nobody holds, or nobody any more, anyone may judge.
fn check_reviewer(
    task: &Task,
    action: Action,
    (agent, machine): (&Text, &Id),
    now: Millis,
) -> Result<(), Refusal> {
    let runs = task.lease_expires_at.is_some_and(|end| end >= now);
    if !(task.is_held() && runs) {
        return Ok(());
    }
    check_identity(task, action, agent, machine)
}

/// Checks a step that a flow may forbid and a version may be named for; returns where it leads.
fn check_step(
    row: &Transition,
    task: &Task,
    version: &PatchCount,
    rules: Option<&Rules>,
) -> Result<String, Refusal> {
    let to = row.target(&task.queue, None, false);
    check_source(row, task, &to, rules)?;
    check_version(task, row.action, version.value().map(|version| version.0))?;
    Ok(to)
}

fn accept(
    change: &mut Change,
    body: &Accept,
    rules: Option<&Rules>,
    now: Millis,
) -> Result<(), Refusal> {
    let by = body.by()?;
    let row = transition(Action::Accept);
    let to = check_step(row, &change.task, &body.version, rules)?;
    check_reviewer(&change.task, row.action, (&body.agent_name, &body.orchestrator_id), now)?;
    row.apply(&mut change.task, to);
    change.task.completed_at = Some(body.completed_at.0.unwrap_or(now));
    change.record(NewEvent::new(Kind::Accepted, Some(by.to_owned())));
    Ok(())
}

fn reject(
    change: &mut Change,
    body: &Reject,
    rules: Option<&Rules>,
    now: Millis,
) -> Result<(), Refusal> {
    let (reason, by) = body.verdict()?;
    let row = transition(Action::Reject);
    let to = check_step(row, &change.task, &body.version, rules)?;
    check_reviewer(&change.task, row.action, (&body.agent_name, &body.orchestrator_id), now)?;
    row.apply(&mut change.task, to);
    let (reason, by) = (reason.to_owned(), by.to_owned());
    change.record(NewEvent::new(Kind::Rejected, Some(by.clone())).with(reason.clone()));
    change.notice = Some(Notice { from_actor: by, kind: "rejection", content: reason });
    Ok(())
}

fn requeue(change: &mut Change, body: &Requeue, rules: Option<&Rules>) -> Result<(), Refusal> {
    let row = transition(Action::Requeue);
    let to = check_step(row, &change.task, &body.version, rules)?;
    let mut event = NewEvent::new(Kind::Requeued, change.task.claimed_by.take());
    event.details = body.reason().map(str::to_owned);
    row.apply(&mut change.task, to);
    change.record(event);
    Ok(())
}

/// The words that history has for a lease that ran out.
const LEASE_EXPIRED: &str = "Lease expired";

fn release(change: &mut Change) -> Result<(), Refusal> {
    let row = transition(Action::Release);
    let to = row.target(&change.task.queue, None, false);
    check_source(row, &change.task, &to, None)?;
    let agent = change.task.claimed_by.take();
    let is_review = change.task.queue == to;
    let kind = if is_review { Kind::ReviewReleased } else { Kind::Requeued };
    row.apply(&mut change.task, to);
    change.record(NewEvent::new(kind, agent).with(LEASE_EXPIRED));
    Ok(())
}

fn force_queue(
    change: &mut Change,
    body: &ForceQueue,
    rules: Option<&Rules>,
    now: Millis,
) -> Result<(), Refusal> {
    let (asked, reason) = body.order()?;
    check_queue(asked, rules, change.task.project_id.is_some())?;
    let row = transition(Action::ForceQueue);
    let from = change.task.queue.clone();
    let to = row.target(&from, Some(asked), false);
    let details = json!({ "reason": reason, "from": from, "to": to });
    row.apply(&mut change.task, to);
    if change.task.queue == queue::DONE {
        change.task.completed_at = Some(now);
    }
    change.record(NewEvent::new(Kind::ForceQueue, None).with(details.to_string()));
    let from_actor = "system".to_owned();
    change.notice = Some(Notice { from_actor, kind: "force_queue", content: reason.to_owned() });
    Ok(())
}

#[cfg(test)]
#[path = "transition_tests.rs"]
mod tests;
