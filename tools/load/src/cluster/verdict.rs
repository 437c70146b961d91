//! What the journal must be like, whatever was killed.

use std::collections::{HashMap, HashSet};

use octopoid_domain::journal::JournalEvent;

use super::work::Confirmations;

/// The details of the events by which the server takes a lease back.
const LEASE_EXPIRED: &str = "Lease expired";
/// How many wrong claims are listed of all that nobody was told of.
const LISTED_MAX: usize = 5;

/// A write that a server has confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Confirmed {
    /// The version of the task after it; unknown if the first answer was lost.
    pub(crate) version: Option<i64>,
    pub(crate) event: &'static str,
    pub(crate) agent: Option<String>,
}

/// Where a task is. Who has lost a lease may resume it until the task is claimed again.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Waiting { lapsed: Option<String> },
    Held(String),
    Submitted { lapsed: Option<String> },
    Reviewed(String),
    Done,
}

impl State {
    /// The state after an event, unless the event is impossible in this state.
    fn after(&self, event: &JournalEvent) -> Option<Self> {
        let actor = event.actor.clone();
        let has_lapsed = event.details.as_deref() == Some(LEASE_EXPIRED);
        let lapsed = || actor.clone().filter(|_| has_lapsed);
        let is_of = |agent: &String| actor.as_ref() == Some(agent);
        Some(match (self, word(event)) {
            (Self::Unknown, "created") => Self::Waiting { lapsed: None },
            (Self::Waiting { .. }, "claimed") => Self::Held(actor?),
            (Self::Waiting { lapsed: Some(agent) }, "resumed") if is_of(agent) => {
                Self::Held(agent.clone())
            }
            (Self::Held(agent), "submitted") if is_of(agent) => Self::Submitted { lapsed: None },
            (Self::Held(agent), "failed") if is_of(agent) => Self::Waiting { lapsed: None },
            (Self::Held(agent), "requeued") if is_of(agent) => Self::Waiting { lapsed: lapsed() },
            (Self::Submitted { .. }, "review_claimed") => Self::Reviewed(actor?),
            (Self::Submitted { lapsed: Some(agent) }, "resumed") if is_of(agent) => {
                Self::Reviewed(agent.clone())
            }
            (Self::Reviewed(agent), "review_released") if is_of(agent) && has_lapsed => {
                Self::Submitted { lapsed: lapsed() }
            }
            (Self::Reviewed(agent), "rejected") if is_of(agent) => Self::Waiting { lapsed: None },
            (Self::Reviewed(agent), "accepted") if is_of(agent) => Self::Done,
            _ => return None,
        })
    }

    fn queue(&self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Waiting { .. } => "incoming",
            Self::Held(_) => "claimed",
            Self::Submitted { .. } | Self::Reviewed(_) => "provisional",
            Self::Done => "done",
        }
    }
}

/// All that is wrong with the journal of these tasks, all of which should be done.
pub(crate) fn judge(
    journal: &[JournalEvent],
    ids: &[String],
    confirmations: &Confirmations,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (before, event) in journal.iter().zip(journal.iter().skip(1)) {
        if before.id >= event.id {
            wrong.push(format!("{} stands behind {}", event.id, before.id));
        }
    }
    let mut of_task = HashMap::<&str, Vec<&JournalEvent>>::new();
    let (mut rejections, mut messages) = (0_usize, 0_usize);
    for event in journal {
        match &*event.subject.kind {
            "task" => of_task.entry(&event.subject.id).or_default().push(event),
            // A rejection is a message too.
            "message" if event.name == "message.created" => messages += 1,
            _ => wrong.push(format!("{} of {:?} is unexpected", event.name, event.subject)),
        }
        rejections += usize::from(event.name == "task.rejected");
    }
    if messages != rejections {
        wrong.push(format!("{rejections} rejections left {messages} messages"));
    }
    let mut untold = Vec::new();
    for id in ids {
        let events = of_task.remove(&**id).unwrap_or_default();
        let writes = confirmations.writes.get(id).map(Vec::as_slice).unwrap_or_default();
        wrong.extend(judge_life(&events).map(|wrong| format!("{id}: {wrong}")));
        wrong.extend(compare(&events, writes, &mut untold).map(|wrong| format!("{id}: {wrong}")));
    }
    wrong.extend(of_task.keys().map(|id| format!("{id}: nobody has created this task")));
    wrong.extend(judge_untold(untold, &confirmations.unseen));
    wrong
}

/// What is wrong with the events of a task: the first that is impossible, or the end.
fn judge_life(events: &[&JournalEvent]) -> Option<String> {
    let mut state = State::Unknown;
    let (mut version, mut before) = (0, "");
    for (number, event) in events.iter().enumerate() {
        let told = || {
            let by = event.actor.as_deref().unwrap_or("nobody");
            format!("event {number}, {} by {by} with version {:?}", event.name, event.version)
        };
        let Some(next) = state.after(event) else {
            return Some(format!("{} in state {state:?}", told()));
        };
        // One change may resume a lease and do more, or take a review from its holder and give it to
        // another.
        let may_share =
            before == "resumed" || (before, word(event)) == ("review_released", "review_claimed");
        let is_same_change = may_share && event.version == Some(version);
        if !is_same_change && event.version != Some(version + 1) {
            return Some(format!("{} after version {version}", told()));
        }
        version = event.version.unwrap_or_default();
        before = word(event);
        let has_more = events.get(number + 1).is_some_and(|next| next.version == event.version);
        if !has_more && event.queue.as_deref() != Some(next.queue()) {
            return Some(format!("{} left it in {:?}", told(), event.queue));
        }
        state = next;
    }
    (state != State::Done).then(|| format!("it ends in state {state:?}"))
}

/// Finds the event of each confirmed write, and adds events of writes that were not confirmed to
/// `untold`.
fn compare<'a>(
    events: &[&'a JournalEvent],
    writes: &[Confirmed],
    untold: &mut Vec<&'a JournalEvent>,
) -> impl Iterator<Item = String> {
    let mut found = HashSet::new();
    let mut wrong = Vec::new();
    let (with, without): (Vec<_>, Vec<_>) =
        writes.iter().partition(|write| write.version.is_some());
    for write in with.into_iter().chain(without) {
        let Confirmed { version, event, agent } = write;
        let place = events.iter().enumerate().position(|(number, kept)| {
            !found.contains(&number)
                && word(kept) == *event
                && kept.actor == *agent
                && (version.is_none() || kept.version == *version)
        });
        if let Some(number) = place {
            found.insert(number);
        } else {
            let by = agent.as_deref().unwrap_or("nobody");
            wrong.push(format!("{event} by {by}, version {version:?}, was confirmed and lost"));
        }
    }
    let others = events.iter().enumerate().filter(|(number, _)| !found.contains(number));
    untold.extend(others.map(|(_, event)| *event).filter(|event| !is_of_server(event)));
    wrong.into_iter()
}

/// Whether the server records this by itself, or beside what it was asked.
fn is_of_server(event: &JournalEvent) -> bool {
    let is_lapse = event.details.as_deref() == Some(LEASE_EXPIRED);
    word(event) == "resumed" || (is_lapse && matches!(word(event), "requeued" | "review_released"))
}

/// Agents are told of everything that they do, except of claims that they had lost before. Anything
/// else was done once more than it was asked.
fn judge_untold(untold: Vec<&JournalEvent>, unseen: &[(&str, String)]) -> Vec<String> {
    let mut unseen = unseen.to_vec();
    let mut wrong = Vec::new();
    for event in untold {
        let is_it = |(name, agent): &(&str, String)| {
            *name == word(event) && event.actor.as_ref() == Some(agent)
        };
        if let Some(number) = unseen.iter().position(is_it) {
            unseen.swap_remove(number);
        } else {
            let (id, by) = (&event.subject.id, event.actor.as_deref().unwrap_or("nobody"));
            wrong.push(format!("{id}: {} by {by} was never confirmed", event.name));
        }
    }
    let lost = unseen.into_iter().take(LISTED_MAX);
    wrong.extend(lost.map(|(name, agent)| format!("{name} by {agent} was lost without a trace")));
    wrong
}

/// The type of an event without the kind of its subject.
pub(crate) fn word(event: &JournalEvent) -> &str {
    event.name.split_once('.').map_or(&event.name, |(_, word)| word)
}

#[cfg(test)]
pub(crate) mod tests {
    use octopoid_domain::{
        Millis,
        journal::{Cursor, JournalEvent, Subject},
    };

    use super::{super::work::Confirmations, Confirmed, judge};

    type Told = (&'static str, Option<&'static str>);

    /// The journal of the task `t`. Lapses are those of agents whose name begins with "lost".
    pub(crate) fn journal(events: &[Told]) -> Vec<JournalEvent> {
        let queue = |name: &str, was: &str| match name {
            "claimed" => "claimed".to_owned(),
            "submitted" | "review_claimed" | "review_released" => "provisional".to_owned(),
            "accepted" => "done".to_owned(),
            "resumed" if was == "incoming" => "claimed".to_owned(),
            "resumed" => was.to_owned(),
            _ => "incoming".to_owned(),
        };
        let mut was = String::new();
        let mut journal = Vec::new();
        for (id, (name, actor)) in (1..).zip(events) {
            was = queue(name, &was);
            let is_lapse = matches!(*name, "requeued" | "review_released")
                && actor.is_some_and(|actor| actor.starts_with("lost"));
            journal.push(JournalEvent {
                id: Cursor(id),
                name: format!("task.{name}"),
                at: Millis(id),
                scope: Some("cluster".to_owned()),
                subject: Subject { kind: "task".to_owned(), id: "t".to_owned() },
                actor: actor.map(str::to_owned),
                version: Some(id),
                queue: Some(was.clone()),
                details: is_lapse.then(|| "Lease expired".to_owned()),
            });
        }
        journal
    }

    const LIFE: [Told; 11] = [
        ("created", None),
        ("claimed", Some("lost-a")),
        ("requeued", Some("lost-a")),
        ("claimed", Some("lost-b")),
        ("requeued", Some("lost-b")),
        ("resumed", Some("lost-b")),
        ("submitted", Some("lost-b")),
        ("review_claimed", Some("lost-r")),
        ("review_released", Some("lost-r")),
        ("review_claimed", Some("s")),
        ("accepted", Some("s")),
    ];

    /// All writes of this life, as their servers have confirmed them.
    fn confirmations(events: &[Told]) -> Confirmations {
        let mut confirmations = Confirmations::default();
        let own = (1..)
            .zip(events)
            .filter(|(_, (name, _))| !matches!(*name, "requeued" | "resumed" | "review_released"));
        let writes = own.map(|(version, (event, agent))| Confirmed {
            version: Some(version),
            event,
            agent: agent.map(str::to_owned),
        });
        confirmations.writes.insert("t".to_owned(), writes.collect());
        confirmations
    }

    fn wrong(events: &[Told]) -> Vec<String> {
        judge(&journal(events), &["t".to_owned()], &confirmations(events))
    }

    #[test]
    fn a_life_with_lost_and_resumed_leases_is_right() {
        assert_eq!(wrong(&LIFE), [""; 0]);
    }

    #[test]
    fn some_events_share_a_change() {
        let mut events = journal(&LIFE);
        events[5].queue = Some("provisional".to_owned());
        for from in [6, 9] {
            for event in &mut events[from..] {
                event.version = event.version.map(|version| version - 1);
            }
        }
        let mut confirmed = confirmations(&LIFE);
        for write in confirmed.writes.values_mut().flatten() {
            write.version = write.version.filter(|version| *version < 6);
        }
        assert_eq!(judge(&events, &["t".to_owned()], &confirmed), [""; 0]);
        // Others do not.
        events[1].version = Some(1);
        assert!(!judge(&events, &["t".to_owned()], &confirmed).is_empty());
    }

    #[test]
    fn a_task_claimed_while_held_or_done_twice_or_never_is_wrong() {
        let without = |number: usize| {
            let mut events = LIFE.to_vec();
            events.remove(number);
            events
        };
        let mut done_twice = LIFE.to_vec();
        done_twice.push(LIFE[10]);
        let mut by_another = LIFE.to_vec();
        by_another[6].1 = Some("lost-a");
        let mut resumed_too_late = LIFE.to_vec();
        resumed_too_late.insert(4, ("resumed", Some("lost-a")));
        for events in [
            without(0),
            without(2),
            without(4),
            without(9),
            LIFE[..10].to_vec(),
            done_twice,
            by_another,
            resumed_too_late,
            Vec::new(),
        ] {
            assert_eq!(wrong(&events).len(), 1, "{events:?}");
        }
    }

    #[test]
    fn every_confirmed_write_and_no_other_is_in_the_journal() {
        let ids = ["t".to_owned()];
        let events = journal(&LIFE);
        let mut more = confirmations(&LIFE);
        let writes = more.writes.get_mut("t").unwrap();
        writes.push(writes[1].clone());
        assert_eq!(judge(&events, &ids, &more).len(), 1, "a claim given to an agent twice");
        let mut less = confirmations(&LIFE);
        less.writes.get_mut("t").unwrap().remove(1);
        assert_eq!(judge(&events, &ids, &less).len(), 1, "a claim that nobody was given");
        less.unseen.push(("claimed", "lost-a".to_owned()));
        assert!(judge(&events, &ids, &less).is_empty(), "a claim lost before its answer");
        less.unseen.push(("claimed", "lost-a".to_owned()));
        assert_eq!(judge(&events, &ids, &less).len(), 1, "a claim that is not there");
    }

    #[test]
    fn places_grow_and_all_subjects_are_known() {
        let ids = ["t".to_owned()];
        let mut events = journal(&LIFE);
        events[3].id = Cursor(3);
        assert_eq!(judge(&events, &ids, &confirmations(&LIFE)).len(), 1);
        let events = journal(&LIFE);
        assert!(!judge(&events, &[], &Confirmations::default()).is_empty());
    }
}
