//! What a task's history must be like, whatever was killed.

use octopoid_domain::event::Event;

/// A write that a server has confirmed. Each write of an agent raises the version by one and
/// leaves one event, so the version is the event's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) version: i64,
    pub(crate) event: &'static str,
    pub(crate) agent: Option<String>,
}

/// Where a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Waiting,
    Held(Option<String>),
    Submitted,
    Done,
}

/// All that is wrong with the history of a task that should be done.
pub(crate) fn judge(events: &[Event], acknowledged: &[Acknowledged]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut state = State::Unknown;
    for (number, event) in (1..).zip(events) {
        if event.id != number {
            wrong.push(format!("event {} stands where {number} belongs", event.id));
        }
        state = match (&state, &*event.event) {
            (State::Unknown, "created") | (State::Held(_), "requeued") => State::Waiting,
            (State::Waiting, "claimed") => State::Held(event.agent.clone()),
            (State::Held(holder), "submitted") if *holder == event.agent => State::Submitted,
            (State::Submitted, "accepted") => State::Done,
            (_, name) => {
                let by = event.agent.as_deref().unwrap_or("nobody");
                wrong.push(format!("{number}: {name} by {by} in state {state:?}"));
                return wrong;
            }
        };
    }
    if state != State::Done {
        wrong.push(format!("it ends in state {state:?}"));
    }
    for write in acknowledged {
        let Acknowledged { version, event, agent } = write;
        let is_there = events
            .iter()
            .any(|found| found.id == *version && found.event == *event && found.agent == *agent);
        if !is_there {
            let by = agent.as_deref().unwrap_or("nobody");
            wrong.push(format!("{event} by {by} was confirmed as {version} and is not there"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use octopoid_domain::{Millis, event::Event};

    use super::{Acknowledged, judge};

    fn history(events: &[(&str, Option<&str>)]) -> Vec<Event> {
        let event = |(id, (name, agent)): (i64, &(&str, Option<&str>))| Event {
            id,
            task_id: "a".to_owned(),
            event: (*name).to_owned(),
            agent: agent.map(str::to_owned),
            details: None,
            timestamp: Millis(id),
        };
        (1..).zip(events).map(event).collect()
    }

    const WHOLE: [(&str, Option<&str>); 6] = [
        ("created", None),
        ("claimed", Some("a")),
        ("requeued", Some("a")),
        ("claimed", Some("b")),
        ("submitted", Some("b")),
        ("accepted", Some("b")),
    ];

    #[test]
    fn a_life_with_a_lost_lease_is_right() {
        let claimed = |version, agent: &str| Acknowledged {
            version,
            event: "claimed",
            agent: Some(agent.to_owned()),
        };
        let history = history(&WHOLE);
        assert!(judge(&history, &[claimed(2, "a"), claimed(4, "b")]).is_empty());
        assert_eq!(judge(&history, &[claimed(4, "a")]).len(), 1);
        assert_eq!(judge(&history, &[claimed(7, "b")]).len(), 1);
    }

    #[test]
    fn a_task_claimed_twice_or_done_twice_or_never_is_wrong() {
        let mut twice_claimed = WHOLE.to_vec();
        twice_claimed.remove(2);
        let mut twice_done = WHOLE.to_vec();
        twice_done.push(("accepted", Some("b")));
        let not_done = WHOLE[..5].to_vec();
        let mut by_another = WHOLE.to_vec();
        by_another[4].1 = Some("a");
        for events in [twice_claimed, twice_done, not_done, by_another, Vec::new()] {
            assert_eq!(judge(&history(&events), &[]).len(), 1, "{events:?}");
        }
    }
}
