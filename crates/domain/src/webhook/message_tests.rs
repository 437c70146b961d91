use serde_json::{Value, json};

use super::{GATHER_MS, Next, next};
use crate::{
    Millis,
    journal::{Cursor, JournalEvent, Subject},
    webhook::{Format, Webhook, tests::webhook},
};

const START: Millis = Millis(1_795_294_738_605);

fn event(position: i64, name: &str, id: &str, queue: Option<&str>) -> JournalEvent {
    let kind = name.split('.').next().unwrap().to_owned();
    JournalEvent {
        id: Cursor(position),
        name: name.to_owned(),
        at: START.plus(position),
        scope: Some("s".to_owned()),
        subject: Subject { kind, id: id.to_owned() },
        actor: Some("ann".to_owned()),
        version: None,
        queue: queue.map(str::to_owned),
        details: None,
    }
}

fn gathering(format: Format) -> Webhook {
    Webhook { format, types: vec!["needs_person".to_owned()], ..webhook() }
}

/// What is sent long after the events.
fn sent(webhook: &Webhook, events: &[JournalEvent]) -> super::Message {
    match next(webhook, events, START.plus(10 * GATHER_MS)) {
        Next::Send(message) => *message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_event_that_is_wanted_is_sent_with_its_cursor_as_id() {
    let claimed = event(2, "task.claimed", "t", Some("claimed"));
    let events = [event(1, "draft.created", "1", None), claimed.clone()];
    let hook = Webhook { types: vec!["task.*".to_owned()], ..webhook() };
    let message = sent(&hook, &events);
    assert_eq!(message.id, format!("hook-1-{}", Cursor(2)));
    assert_eq!(
        (&*message.name, message.end, message.event_at),
        ("task.claimed", Cursor(2), claimed.at)
    );
    let body: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(body, json!({"type": "task.claimed", "timestamp": claimed.at, "data": claimed}));
    assert_eq!(message.headers, [("content-type", "application/json")]);
    assert_eq!(sent(&webhook(), &events).name, "draft.created");
    let elsewhere = JournalEvent { scope: Some("other".to_owned()), ..claimed };
    assert_eq!(next(&hook, &[elsewhere], START), Next::Nothing);
}

#[test]
fn a_test_is_sent_whatever_the_types_are_and_only_by_its_webhook() {
    for hook in
        [gathering(Format::Standard), Webhook { types: vec!["a.b".to_owned()], ..webhook() }]
    {
        assert_eq!(
            sent(&hook, &[event(1, "webhook.tested", "hook-1", None)]).name,
            "webhook.tested"
        );
        let other = event(1, "webhook.tested", "hook-2", None);
        assert_eq!(next(&hook, &[other], START), Next::Nothing);
        assert!(hook.filter().types.has("webhook.tested"));
    }
}

#[test]
fn what_needs_a_person_is_gathered_for_half_a_minute() {
    let hook = gathering(Format::Standard);
    let mut late = event(9, "action.created", "b", None);
    late.at = START.plus(2 + GATHER_MS);
    let events = [
        event(1, "task.claimed", "t", Some("claimed")),
        event(2, "task.submitted", "t", Some("provisional")),
        event(3, "action.created", "a", None),
        late,
    ];
    let until = START.plus(2 + GATHER_MS);
    assert_eq!(next(&hook, &events, until.plus(-1)), Next::Wait(until));
    let message = sent(&hook, &events[..3]);
    assert_eq!(
        (&*message.name, message.first, message.end),
        ("needs_person", Cursor(2), Cursor(3))
    );
    let body: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(body["data"], json!({"scope": "s", "events": [events[1], events[2]]}));
    assert_eq!(sent(&hook, &events).end, Cursor(9), "the end of the time belongs to it");
    let mut later = events;
    later[3].at = later[3].at.plus(1);
    assert_eq!(sent(&hook, &later).end, Cursor(3), "what comes later is the next message's");
}

#[test]
fn what_was_settled_meanwhile_is_left_out() {
    let hook = gathering(Format::Standard);
    let now = START.plus(2 * GATHER_MS);
    let settled = |raised: (&str, &str), then: (&str, &str)| {
        let events = [event(1, raised.0, "x", Some(raised.1)), event(2, then.0, "x", Some(then.1))];
        next(&hook, &events, now) == Next::Skip(Cursor(2))
    };
    let submitted = ("task.submitted", "provisional");
    assert!(settled(submitted, ("task.accepted", "done")));
    assert!(settled(submitted, ("task.review_claimed", "provisional")));
    assert!(settled(submitted, ("task.deleted", "provisional")));
    assert!(!settled(submitted, ("task.edited", "provisional")));
    assert!(settled(("task.failed", "failed"), ("task.retried", "incoming")));
    assert!(settled(("action.created", ""), ("action.completed", "")));
    assert!(!settled(("action.created", ""), ("action.updated", "")));
    // What is retried at once needs no person.
    let retried = [event(1, "task.failed", "t", Some("incoming"))];
    assert_eq!(next(&hook, &retried, now), Next::Nothing);
    let again = [
        event(1, "task.submitted", "t", Some("provisional")),
        event(2, "task.rejected", "t", Some("incoming")),
        event(3, "task.submitted", "t", Some("provisional")),
    ];
    let body: Value = serde_json::from_str(&sent(&hook, &again).body).unwrap();
    assert_eq!(body["data"]["events"], json!([again[2]]), "one thing is told once");
}

#[test]
fn every_format_has_its_body() {
    let hostile = event(1, "task.failed", "<a>&\n@everyone", Some("failed"));
    let text = "task <a>& @everyone: failed by ann, queue failed (s)";
    let of = |format| sent(&Webhook { format, ..webhook() }, std::slice::from_ref(&hostile));
    let ntfy = of(Format::Ntfy);
    assert_eq!(ntfy.body, text);
    let headers = [("content-type", "text/plain; charset=utf-8"), ("title", "Octopoid")];
    assert_eq!(ntfy.headers, headers);
    let json = |format| serde_json::from_str::<Value>(&of(format).body).unwrap();
    let slack = "task &lt;a&gt;&amp; @everyone: failed by ann, queue failed (s)";
    assert_eq!(json(Format::Slack), json!({"text": slack}));
    let discord = json!({"content": text, "allowed_mentions": {"parse": []}});
    assert_eq!(json(Format::Discord), discord);
    let several = sent(&gathering(Format::Ntfy), std::slice::from_ref(&hostile));
    assert_eq!(several.body, format!("Something in s needs a person:\n- {text}"));
    assert_eq!(several.headers[2], ("priority", "high"));
}

#[test]
fn a_text_names_the_first_things_and_stays_short() {
    let many: Vec<_> = (1..=30)
        .map(|number| event(number, "action.created", &format!("{number}{}", "x".repeat(50)), None))
        .collect();
    let body = sent(&gathering(Format::Ntfy), &many).body;
    assert!(body.starts_with("30 things in s need a person:\n- action 1x"), "{body}");
    assert!(body.ends_with("\n- and 20 more"), "{body}");
    let long: Vec<_> = (1..=30)
        .map(|number| {
            event(number, "action.created", &format!("{number}{}", "ü".repeat(500)), None)
        })
        .collect();
    assert!(sent(&gathering(Format::Discord), &long).body.len() < 2_100);
}
