//! Why a task is not handed out, in words. The store finds the facts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    blockers::{blockers, cycle},
    failure::AWAITING_INPUT,
    pause::{Pause, Target},
    queue,
    task::Task,
    text::{listed, shown},
    time::Millis,
    words::words,
};

words!(
    /// A reason why a task waits, as programs know it. The blocking ones come first, in the order
    /// in which they are given.
    #[schema(as = WaitingCode)]
    Code {
        /// It is done, failed or cancelled.
        Finished = "finished",
        /// An agent holds it.
        Held = "held",
        /// It is cancelled as soon as its holder stops.
        CancelRequested = "cancel_requested",
        /// No claim can name its queue.
        NotClaimableQueue = "not_claimable_queue",
        /// It waits for a person's answer.
        AwaitingInput = "awaiting_input",
        /// It waits for another task, or for a marker in `blocked_by`.
        WaitsFor = "waits_for",
        /// It is delayed.
        NotBefore = "not_before",
        /// A pause covers it.
        Paused = "paused",
        /// Advisory: no live machine takes its role.
        NoMachine = "no_machine",
        /// Advisory: it is flagged for a person.
        NeedsIntervention = "needs_intervention",
    }
);

impl Code {
    /// Whether it keeps the task from being claimed. The others are advisory.
    pub fn is_blocking(self) -> bool {
        !matches!(self, Self::NoMachine | Self::NeedsIntervention)
    }
}

/// A reason why a task waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// The code.
    pub code: Code,
    /// The reason in words, and what ends it.
    pub text: String,
    /// When it ends by itself, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// The task that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// The agent that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
}

/// The answer to "why is it waiting?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// Whether a claim with matching filters gets it now.
    pub claimable: bool,
    /// All reasons, the most important first. If it is claimable, they are advisory.
    pub reasons: Vec<Reason>,
}

/// The first reason why a task in a list waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Waiting {
    /// The code.
    pub code: Code,
    /// The reason in words.
    pub text: String,
    /// When it ends by itself, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// The task that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
}

impl From<Reason> for Waiting {
    fn from(reason: Reason) -> Self {
        let Reason { code, text, until, task_id, holder: _ } = reason;
        Self { code, text, until, task_id }
    }
}

/// Something that a task waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocker {
    /// Its id.
    pub id: String,
    /// Its queue; `None` if there is no such task in the scope.
    pub queue: Option<String>,
}

/// An open question about a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenQuestion {
    /// The action.
    pub id: String,
    /// The question in short.
    pub label: String,
}

/// What decides whether a task waits.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The task.
    pub task: &'a Task,
    /// The time.
    pub now: Millis,
    /// Whether a claim may name its queue.
    pub is_nameable: bool,
    /// What it waits for, in the order of `blocked_by`; for the first reason the first is enough.
    pub blockers: &'a [Blocker],
    /// The pairs of a task and its blocker that lead on from its blockers.
    pub links: &'a [(String, String)],
    /// The pauses of the scope that have not ended.
    pub pauses: &'a [Pause],
    /// An open question about it.
    pub question: Option<&'a OpenQuestion>,
}

/// The reasons why nobody gets the task, the most important first.
pub fn reasons(facts: &Facts<'_>) -> Vec<Reason> {
    let task = facts.task;
    let mut reasons = Vec::new();
    reasons.extend(finished(task));
    reasons.extend(held(task, facts.now));
    if task.cancel_requested_at.is_some() {
        let text = "It is to be cancelled: that happens when its holder stops, or the lease ends";
        reasons.push(reason(Code::CancelRequested, text));
    }
    if !facts.is_nameable && !queue::NOT_CLAIMABLE.contains(&&*task.queue) {
        let text = format!(
            "No flow of the scope has queue \"{}\", so no claim can name it: move the task, or \
             register a flow with this queue",
            shown(&task.queue)
        );
        reasons.push(reason(Code::NotClaimableQueue, text));
    }
    reasons.extend(awaiting_input(facts));
    reasons.extend(waits_for(facts));
    reasons.extend(task.not_before.map(|until| delayed(until, facts.now)));
    if !queue::is_finished(&task.queue) {
        reasons.extend(facts.pauses.iter().filter_map(|pause| paused(task, pause)));
    }
    reasons
}

/// Reasons that do not keep the task from being claimed: `machines` are the roles that each live
/// machine has named, and `None` is one that takes all.
pub fn advice(task: &Task, machines: &[Option<Vec<String>>]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let takes = |roles: &Option<Vec<String>>| match roles {
        None => true,
        Some(roles) => task.role.as_ref().is_some_and(|role| roles.contains(role)),
    };
    let is_open = !queue::is_finished(&task.queue) && !task.is_held();
    if is_open && task.queue != queue::CLAIMED && !machines.iter().any(takes) {
        let text = match &task.role {
            _ if machines.is_empty() => {
                "No machine of the scope has sent a heartbeat lately: start one".to_owned()
            }
            Some(role) => format!(
                "No live machine takes role \"{}\": start one that does, or change the role",
                shown(role)
            ),
            None => "The live machines take only tasks with a role: start one that takes all, or \
                     give the task a role"
                .to_owned(),
        };
        reasons.push(reason(Code::NoMachine, text));
    }
    if task.needs_intervention && !queue::is_finished(&task.queue) {
        let text = "It is flagged for a person (needs_intervention is 1)";
        reasons.push(reason(Code::NeedsIntervention, text));
    }
    reasons
}

fn reason(code: Code, text: impl Into<String>) -> Reason {
    Reason { code, text: text.into(), until: None, task_id: None, holder: None }
}

fn finished(task: &Task) -> Option<Reason> {
    let text = match &*task.queue {
        queue::DONE => "It is done",
        queue::FAILED => "It has failed: retry it to have it tried again",
        queue::CANCELLED => "It was cancelled: retry it to take it up again",
        _ => return None,
    };
    Some(reason(Code::Finished, text))
}

fn held(task: &Task, now: Millis) -> Option<Reason> {
    let end = task.claim.expires_at;
    let is_under_review = task.is_held_in_place() && end.is_some_and(|end| end >= now);
    if task.queue != queue::CLAIMED && !is_under_review {
        return None;
    }
    let holder = task.claim.by.clone();
    let by = holder.as_deref().map_or("an unknown agent".into(), shown);
    let text = match end {
        Some(end) if end < now => format!(
            "It is held by {by}, whose lease ended at {}: the server takes it back shortly",
            end.to_iso()
        ),
        Some(end) => format!("It is held by {by} until {}, unless renewed", end.to_iso()),
        None => format!("It is held by {by} without a lease: the server takes it back in a day"),
    };
    Some(Reason { until: end, holder, ..reason(Code::Held, text) })
}

fn awaiting_input(facts: &Facts<'_>) -> Option<Reason> {
    let list = facts.task.blocked_by.as_deref().unwrap_or_default();
    if !blockers(list).contains(&AWAITING_INPUT) {
        return None;
    }
    let text = match facts.question {
        Some(OpenQuestion { id, label }) => {
            format!("It waits for a person's answer to \"{}\": complete action {id}", shown(label))
        }
        None => format!(
            "It waits for a person's answer: complete its open question, or take \
             \"{AWAITING_INPUT}\" out of blocked_by"
        ),
    };
    Some(reason(Code::AwaitingInput, text))
}

fn waits_for(facts: &Facts<'_>) -> Vec<Reason> {
    let tasks = facts.blockers.iter().filter(|blocker| blocker.id != AWAITING_INPUT);
    tasks
        .map(|blocker| {
            let id = shown(&blocker.id);
            let text = match (blocker.queue.as_deref(), closes_cycle(facts, blocker)) {
                (None, _) => format!(
                    "It waits for \"{id}\", and the scope has no such task: create it, or take it \
                     out of blocked_by"
                ),
                (Some(queue::FAILED), _) => format!(
                    "It waits for task {id}, which has failed: retry that one, or take it out of \
                     blocked_by"
                ),
                (Some(queue::CANCELLED), _) => format!(
                    "It waits for task {id}, which was cancelled: retry that one, or take it out \
                     of blocked_by"
                ),
                (Some(_), Some(path)) => format!(
                    "It waits for task {id}, which waits for this task in turn ({}): take one of \
                     them out of blocked_by",
                    listed(&path)
                ),
                (Some(queue), None) => {
                    format!("It waits for task {id}, which is in queue \"{}\"", shown(queue))
                }
            };
            Reason { task_id: Some(blocker.id.clone()), ..reason(Code::WaitsFor, text) }
        })
        .collect()
}

/// The ids from the task over the blocker to the task, if there is such a way.
fn closes_cycle(facts: &Facts<'_>, blocker: &Blocker) -> Option<Vec<String>> {
    cycle(&facts.task.id, &[&blocker.id], facts.links)
}

fn delayed(until: Millis, now: Millis) -> Reason {
    let text = if until > now {
        format!("It is delayed until {}", until.to_iso())
    } else {
        format!("Its delay ended at {}: the server makes it claimable shortly", until.to_iso())
    };
    Reason { until: Some(until), ..reason(Code::NotBefore, text) }
}

/// The reason that a pause is for a task, if it covers it.
fn paused(task: &Task, pause: &Pause) -> Option<Reason> {
    let target = Target::parse(&pause.target).ok()?;
    let covers = match target {
        Target::Scope => true,
        Target::Queue(name) => name == task.queue,
        Target::Role(name) => task.role.as_deref() == Some(name),
        Target::Pool(_) => false,
    };
    if !covers {
        return None;
    }
    let end = match pause.until {
        Some(until) => format!("until {}", until.to_iso()),
        None => "until that pause is deleted".to_owned(),
    };
    let (target, by, why) = (target.in_words(), shown(&pause.by), shown(&pause.reason));
    let text = format!("{target} is paused by {by} {end}: {why}");
    Some(Reason { until: pause.until, ..reason(Code::Paused, text) })
}

#[cfg(test)]
#[path = "why_tests.rs"]
mod tests;
