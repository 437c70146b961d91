//! The state machine: one table of transitions.
//!
//! [`decide`](crate::decide::decide) applies it. Claiming, which must choose the task and take it in
//! one statement, is the one step whose condition also stands in SQL, and takes its sources from the
//! same table.

use crate::{flow::Rules, input::INTEGER_MAX, queue, refusal::Refusal, step::Step, task::Task};

/// Which queues a step may start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Any.
    Any,
    /// Any but these.
    Except(&'static [&'static str]),
    /// These, whatever the flow says.
    Only(&'static [&'static str]),
    /// Those in which an agent holds the task.
    Held,
    /// Those from which the flow has a step to the target; these if no flow is registered.
    Flow(&'static [&'static str]),
}

/// Where a step leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To this queue.
    Queue(&'static str),
    /// To `claimed`, but a claim in place, as for a review, leaves the task where it is.
    Held,
    /// To `provisional`, but to `needs_continuation` if the agent ran out of turns.
    Submitted,
    /// To `incoming`, but a task that was held in place stays where it is.
    Released,
    /// Where the request says.
    Asked,
}

/// Which counter a step raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raises {
    /// None.
    Nothing,
    /// `attempt_count`.
    Attempts,
    /// `attempt_count`, but none for a task held in place: that was no attempt at the work.
    WorkAttempts,
    /// `rejection_count`.
    Rejections,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    /// What is done.
    pub step: Step,
    /// Where it may start.
    pub from: Source,
    /// Where it leads.
    pub to: Target,
    /// What it counts.
    pub raises: Raises,
}

impl Transition {
    /// The queue it leads to. `asked` is what the request names, if it names one.
    pub fn target(&self, task: &Task, asked: Option<&str>, is_burnout: bool) -> String {
        let from = &*task.queue;
        let to = match self.to {
            Target::Queue(to) => to,
            Target::Held if is_in_place(from, false) => from,
            Target::Held => queue::CLAIMED,
            Target::Released if task.is_held_in_place() => from,
            Target::Released => queue::INCOMING,
            Target::Submitted if is_burnout => queue::NEEDS_CONTINUATION,
            Target::Submitted => queue::PROVISIONAL,
            Target::Asked => asked.unwrap_or(from),
        };
        to.to_owned()
    }

    /// Frees a task, counts, and moves it to where this row leads.
    pub(crate) fn apply(&self, task: &mut Task, to: String) {
        let is_review = task.is_held_in_place();
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

const fn row(step: Step, from: Source, to: Target, raises: Raises) -> Transition {
    Transition { step, from, to, raises }
}

/// The state machine. A claim is cleared by every row but the claim itself and the update.
pub const TRANSITIONS: [Transition; 12] = {
    use Raises::{Attempts, Nothing, Rejections, WorkAttempts};
    use Step::{
        Accept, Cancel, Claim, Fail, ForceQueue, Reject, Release, Renew, Requeue, Retry, Submit,
        Update,
    };
    use queue::{CANCELLED, CLAIMED, DONE, FAILED, INCOMING, NOT_CLAIMABLE, PROVISIONAL};
    [
        row(Claim, Source::Except(&NOT_CLAIMABLE), Target::Held, Nothing),
        row(Submit, Source::Only(&[CLAIMED]), Target::Submitted, Nothing),
        // Where a failure leads follows from its reason.
        row(Fail, Source::Held, Target::Asked, Nothing),
        row(Renew, Source::Held, Target::Asked, Nothing),
        row(Accept, Source::Flow(&[PROVISIONAL, CLAIMED]), Target::Queue(DONE), Nothing),
        row(Reject, Source::Flow(&[PROVISIONAL, CLAIMED]), Target::Queue(INCOMING), Rejections),
        row(Requeue, Source::Flow(&[CLAIMED, PROVISIONAL]), Target::Queue(INCOMING), Attempts),
        row(Release, Source::Held, Target::Released, WorkAttempts),
        row(Cancel, Source::Except(&[DONE]), Target::Queue(CANCELLED), Nothing),
        row(Retry, Source::Only(&[FAILED, CANCELLED]), Target::Queue(INCOMING), Nothing),
        row(ForceQueue, Source::Any, Target::Asked, Nothing),
        row(Update, Source::Any, Target::Asked, Nothing),
    ]
};

/// The row of a step.
pub fn transition(step: Step) -> &'static Transition {
    TRANSITIONS
        .iter()
        .find(|transition| transition.step == step)
        .expect("the table has a row for every step, as a test shows")
}

/// Whether a claim from this queue leaves the task in it.
pub fn is_in_place(queue: &str, is_asked: bool) -> bool {
    is_asked || queue == queue::PROVISIONAL
}

/// Whether a claim may take from this queue.
pub fn is_claimable(queue: &str) -> bool {
    match transition(Step::Claim).from {
        Source::Except(queues) => !queues.contains(&queue),
        Source::Any | Source::Only(_) | Source::Held | Source::Flow(_) => true,
    }
}

/// Checks a row's source against the flow.
pub(crate) fn check_source(
    row: &Transition,
    task: &Task,
    to: &str,
    rules: Option<&Rules>,
) -> Result<(), Refusal> {
    let (step, from) = (row.step, &*task.queue);
    let expected = match (row.from, rules) {
        (Source::Any, _) => return Ok(()),
        (Source::Except(queues), _) if !queues.contains(&from) => return Ok(()),
        (Source::Except(queues), _) => {
            let reason = format!("Invalid transition: task is in {}", queues.join(" or "));
            return Err(Refusal::WrongState { step, reason });
        }
        (Source::Held, _) if from == queue::CLAIMED => return Ok(()),
        (Source::Held, _) if task.is_held() && !queue::is_finished(from) => return Ok(()),
        (Source::Held, _) => queue::CLAIMED.to_owned(),
        (Source::Only(queues), _) | (Source::Flow(queues), None) if queues.contains(&from) => {
            return Ok(());
        }
        (Source::Flow(_), Some(rules)) => {
            if rules.allows(from, to, task.project_id.is_some()) {
                return Ok(());
            }
            let reason = format!(
                "Invalid transition: flow \"{}\" does not allow {from} \u{2192} {to}",
                rules.name
            );
            return Err(Refusal::WrongState { step, reason });
        }
        (Source::Only(queues) | Source::Flow(queues), _) => queues.join(" or "),
    };
    let reason = format!("Invalid transition: task is in {from}, expected {expected}");
    Err(Refusal::WrongState { step, reason })
}
