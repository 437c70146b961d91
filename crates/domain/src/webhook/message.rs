//! What is sent: which events make the next message, and its form.

use std::{collections::HashMap, fmt::Write as _};

use serde_json::{Value, json};

use super::{Format, NEEDS_PERSON, Webhook};
use crate::{
    journal::{Cursor, JournalEvent},
    queue,
    text::{cut, shown},
    time::Millis,
};

/// How long what needs a person is gathered, in milliseconds.
pub const GATHER_MS: i64 = 30_000;

/// So many things a text names.
const NAMED_MAX: usize = 10;
/// The most bytes of a text: Discord takes 2,000 characters, ntfy 4,096 bytes.
const TEXT_BYTES_MAX: usize = 1_900;

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The same in all attempts, so that a receiver recognizes what it has taken.
    pub id: String,
    /// Its type: that of its event, or `needs_person`.
    pub name: String,
    /// When its first event happened.
    pub event_at: Millis,
    /// The first of its events.
    pub first: Cursor,
    /// The last event that is done with once it is delivered.
    pub end: Cursor,
    /// The body.
    pub body: String,
    /// The headers that its form needs.
    pub headers: Vec<(&'static str, &'static str)>,
}

/// What a webhook has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send this.
    Send(Box<Message>),
    /// Gather until then.
    Wait(Millis),
    /// Nothing about the events up to this one: what they were about needs no person any more.
    Skip(Cursor),
    /// Nothing about any of the events.
    Nothing,
}

/// Whether something needs a person with this event.
pub fn raises(event: &JournalEvent) -> bool {
    let queue = event.queue.as_deref();
    match &*event.name {
        "action.created" => true,
        "task.submitted" => queue == Some(queue::PROVISIONAL),
        "task.failed" => queue == Some(queue::FAILED),
        _ => false,
    }
}

/// Whether what an event has raised still needs a person after a later event.
fn is_open_after(raised: &JournalEvent, last: &JournalEvent) -> bool {
    match &*last.name {
        "task.deleted" | "task.review_claimed" => false,
        "action.created" | "action.updated" => true,
        name => name.starts_with("task.") && last.queue == raised.queue,
    }
}

/// What a webhook has to do about events, which are a stretch of those that its filter passes.
pub fn next(webhook: &Webhook, events: &[JournalEvent], now: Millis) -> Next {
    let Some(at) = events.iter().position(|event| webhook.wants(event)) else {
        return Next::Nothing;
    };
    let first = &events[at];
    if !webhook.gathers() || webhook.is_test(first) {
        return Next::Send(Box::new(of_event(webhook, first)));
    }
    let until = first.at.plus(GATHER_MS);
    if now < until {
        return Next::Wait(until);
    }
    let is_gathered = |event: &&JournalEvent| event.at <= until && !webhook.is_test(event);
    let gathered: Vec<_> = events[at..].iter().take_while(is_gathered).collect();
    let end = gathered.last().map_or(first.id, |event| event.id);
    let open = open(&gathered);
    if open.is_empty() {
        Next::Skip(end)
    } else {
        Next::Send(Box::new(of_several(webhook, first, end, &open)))
    }
}

/// The events that have raised what is still open, the last one of each subject.
fn open<'a>(events: &[&'a JournalEvent]) -> Vec<&'a JournalEvent> {
    let mut last = HashMap::new();
    for &event in events {
        last.insert((&event.subject.kind, &event.subject.id), event);
    }
    let mut raised: Vec<&JournalEvent> = Vec::new();
    for &event in events.iter().filter(|event| raises(event)) {
        raised.retain(|known| known.subject != event.subject);
        raised.push(event);
    }
    raised.retain(|event| {
        let last = last.get(&(&event.subject.kind, &event.subject.id));
        last.is_some_and(|last| is_open_after(event, last))
    });
    raised
}

fn of_event(webhook: &Webhook, event: &JournalEvent) -> Message {
    let body = match webhook.format {
        Format::Standard => json!({"type": event.name, "timestamp": event.at, "data": event}),
        _ => Value::String(sentence(event)),
    };
    formed(webhook, &event.name, (event, event.id), &body)
}

fn of_several(
    webhook: &Webhook,
    first: &JournalEvent,
    end: Cursor,
    events: &[&JournalEvent],
) -> Message {
    let body = match webhook.format {
        Format::Standard => json!({
            "type": NEEDS_PERSON, "timestamp": first.at,
            "data": {"scope": webhook.scope, "events": events},
        }),
        _ => Value::String(sentences(&webhook.scope, events)),
    };
    formed(webhook, NEEDS_PERSON, (first, end), &body)
}

/// A message with this content: JSON, or the text for formats that show one.
fn formed(
    webhook: &Webhook,
    name: &str,
    (first, end): (&JournalEvent, Cursor),
    content: &Value,
) -> Message {
    const JSON: (&str, &str) = ("content-type", "application/json");
    let text = content.as_str().unwrap_or_default();
    let (body, headers) = match webhook.format {
        Format::Standard => (content.to_string(), vec![JSON]),
        Format::Slack => (json!({"text": escaped(text)}).to_string(), vec![JSON]),
        Format::Discord => {
            // A name in a text must not notify everybody.
            let body = json!({"content": text, "allowed_mentions": {"parse": []}});
            (body.to_string(), vec![JSON])
        }
        Format::Ntfy => {
            let mut headers =
                vec![("content-type", "text/plain; charset=utf-8"), ("title", "Octopoid")];
            if name == NEEDS_PERSON {
                headers.push(("priority", "high"));
            }
            (text.to_owned(), headers)
        }
    };
    Message {
        id: format!("{}-{}", webhook.id, first.id),
        name: name.to_owned(),
        event_at: first.at,
        first: first.id,
        end,
        body,
        headers,
    }
}

/// Slack's three characters with a meaning.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An event in a line of text.
fn sentence(event: &JournalEvent) -> String {
    let what = event.name.split_once('.').map_or(&*event.name, |(_, what)| what);
    let mut text =
        format!("{} {}: {}", event.subject.kind, line(&event.subject.id), what.replace('_', " "));
    if let Some(actor) = &event.actor {
        let _ = write!(text, " by {}", line(actor));
    }
    if let Some(queue) = &event.queue {
        let _ = write!(text, ", queue {}", line(queue));
    }
    if let Some(scope) = &event.scope {
        let _ = write!(text, " ({})", line(scope));
    }
    text
}

fn sentences(scope: &str, events: &[&JournalEvent]) -> String {
    let scope = line(scope);
    let mut text = match events.len() {
        1 => format!("Something in {scope} needs a person:"),
        count => format!("{count} things in {scope} need a person:"),
    };
    for event in events.iter().take(NAMED_MAX) {
        text.extend(["\n- ", &sentence(event)]);
    }
    if events.len() > NAMED_MAX {
        let _ = write!(text, "\n- and {} more", events.len() - NAMED_MAX);
    }
    cut(&text, TEXT_BYTES_MAX).to_owned()
}

/// A name on one line.
fn line(name: &str) -> String {
    shown(name).replace(char::is_control, " ")
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
