//! Delivery of new events to those who wait for them.
//!
//! The tail reads each event once, for all receivers, and sends it to the channel of its scope.
//! A channel keeps the last batches for receivers that have not taken them. It is bounded by their
//! number, and by the budget of bytes in flight: a receiver that falls behind misses batches and is
//! told so.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::body::Bytes;
use futures_util::future::{BoxFuture, Either, select};
use octopoid_domain::journal::{Cursor, Filter, JournalEvent, Passing, Start};
use octopoid_store::{Events, StoreError};
use tokio::sync::broadcast::{Receiver, Sender, channel, error::RecvError};

use crate::{app::App, budget::Share, problem::Problem};

/// How often the tail reads without a hint: where other servers write too, or after a read that
/// failed. A process that has the database alone hints at each event.
const LOOK_MS: u64 = 5_000;
/// How long the tail gathers hints.
const GATHER_MS: u64 = 5;
/// The maximum number of events that the tail reads at once.
const PAGE: i64 = 250;
/// The number of batches that a channel keeps for slow receivers.
const BATCHES_MAX: usize = 128;

/// The channels of the scopes that have subscribers.
#[derive(Default)]
pub(crate) struct Feed(Mutex<State>);

#[derive(Default)]
struct State {
    channels: HashMap<String, Sender<Arc<Batch>>>,
    /// The position that the tail has reached; `None` if no tail runs.
    reached: Option<Cursor>,
    is_over: bool,
}

/// Messages of a scope that are delivered together.
pub(super) struct Batch {
    messages: Vec<Message>,
    /// The place behind the events; the beginning of the journal if there are none.
    pub(super) end: Cursor,
    _share: Share,
}

/// What is delivered, and its text in a stream.
struct Message {
    content: Content,
    text: Bytes,
}

impl Message {
    fn is_passing(&self) -> bool {
        matches!(self.content, Content::Passing(_))
    }
}

enum Content {
    Event(JournalEvent),
    Passing(Passing),
}

/// What a subscriber gets.
pub(super) enum Delivery {
    Messages(Arc<Batch>),
    /// The subscriber has fallen behind.
    Missed,
    /// The time is up.
    Nothing,
    /// There will be no more: the server stops, or the tail has ended.
    Ended,
}

/// A place among those who wait for the events of a scope.
pub(super) struct Subscription(Receiver<Arc<Batch>>);

impl Batch {
    pub(super) fn events(&self) -> impl Iterator<Item = &JournalEvent> {
        self.messages.iter().filter_map(|message| match &message.content {
            Content::Event(event) => Some(event),
            Content::Passing(_) => None,
        })
    }

    /// The texts of what passes a filter, of events only those that follow a place.
    pub(super) fn texts(&self, filter: &Filter, after: Cursor) -> impl Iterator<Item = &Bytes> {
        let selected = self.messages.iter().filter(move |message| match &message.content {
            Content::Event(event) => event.id > after && filter.passes(event),
            Content::Passing(passing) => filter.selects(&passing.name, &passing.subject),
        });
        selected.map(|message| &message.text)
    }
}

impl Subscription {
    /// Waits for messages until the monotonic clock shows `until_ms`.
    pub(super) async fn next(&mut self, app: &App, until_ms: i64) -> Delivery {
        let left = u64::try_from(until_ms.saturating_sub(app.elapsed_ms())).unwrap_or_default();
        let Some(pause) = app.pause(left) else { return Delivery::Ended };
        match select(pin!(self.0.recv()), pause).await {
            Either::Left((Ok(batch), _)) => Delivery::Messages(batch),
            Either::Left((Err(RecvError::Lagged(_)), _)) => Delivery::Missed,
            Either::Left((Err(RecvError::Closed), _)) => Delivery::Ended,
            Either::Right(_) => Delivery::Nothing,
        }
    }
}

/// Begins to wait for the events of a scope. All that are recorded from now on will be delivered,
/// and perhaps some from before. Starts the tail if it does not run.
pub(super) async fn subscribe(app: &App, scope: &str) -> Result<Subscription, Problem> {
    loop {
        let is_running = app.feed.state().reached.is_some();
        let end = if is_running { None } else { Some(app.store.journal_end().await?) };
        let mut state = app.feed.state();
        if state.is_over {
            return Err(Problem::stopping());
        }
        let is_new = match (state.reached, end) {
            (Some(_), _) => false,
            (None, Some(end)) => {
                state.reached = Some(end);
                true
            }
            // It has just ended.
            (None, None) => continue,
        };
        let sender = state.channels.entry(scope.to_owned());
        let receiver = sender.or_insert_with(|| channel(BATCHES_MAX).0).subscribe();
        drop(state);
        if is_new && app.run_aside(Box::pin(tail(app.clone()))).is_some() {
            app.feed.stop_tail();
            return Err(Problem::no_streams());
        }
        return Ok(Subscription(receiver));
    }
}

impl Feed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all waiting, now and from now on.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        state.channels.clear();
    }

    /// No tail runs any more. Who waits for it subscribes again.
    fn stop_tail(&self) {
        let mut state = self.state();
        state.reached = None;
        state.channels.clear();
    }

    /// The position from which the tail reads on; `None`, if there are no subscribers, ends the tail.
    fn goes_on(&self) -> Option<Cursor> {
        let mut state = self.state();
        state.channels.retain(|_, channel| channel.receiver_count() > 0);
        if state.channels.is_empty() {
            state.reached = None;
        }
        state.reached
    }

    /// Delivers a page of the journal.
    fn deliver(&self, app: &App, page: Events) {
        let mut state = self.state();
        state.reached = Some(page.next);
        let mut by_scope = HashMap::<String, Vec<Message>>::new();
        for event in page.events {
            let Some(scope) = &event.scope else { continue };
            if !state.channels.contains_key(scope) {
                continue;
            }
            let (scope, text) = (scope.clone(), text(&event));
            let messages = by_scope.entry(scope).or_default();
            messages.push(Message { content: Content::Event(event), text });
        }
        for (scope, messages) in by_scope {
            state.send(app, &scope, messages, page.next);
        }
    }
}

impl State {
    fn send(&mut self, app: &App, scope: &str, messages: Vec<Message>, end: Cursor) {
        let Some(channel) = self.channels.get(scope) else { return };
        let bytes = messages.iter().map(|message| 2 * message.text.len()).sum();
        match app.budgets.answers.reserve(bytes) {
            // There may be no subscriber any more.
            Some(share) => drop(channel.send(Arc::new(Batch { messages, end, _share: share }))),
            // Too much is in flight to hold more. The subscribers go on by cursor; nothing keeps what
            // is shown in passing, so no stream ends for that.
            None if messages.iter().all(Message::is_passing) => {}
            None => drop(self.channels.remove(scope)),
        }
    }
}

/// Whether a client in this process waits for the events of a scope.
pub(super) fn is_followed(app: &App, scope: &str) -> bool {
    let state = app.feed.state();
    state.channels.get(scope).is_some_and(|channel| channel.receiver_count() > 0)
}

/// Shows things together on the streams of a scope in this process. Nothing keeps them.
pub(super) fn show_all(app: &App, scope: &str, shown: Vec<Passing>) {
    let messages = shown.into_iter().map(|passing| {
        let json = serde_json::to_string(&passing).unwrap_or_default();
        let text = format!("data: {json}\n\n").into();
        Message { content: Content::Passing(passing), text }
    });
    app.feed.state().send(app, scope, messages.collect(), Cursor(0));
}

/// The text of an event in a stream.
pub(super) fn text(event: &JournalEvent) -> Bytes {
    // A journal's values can always be written as JSON, and JSON has no line breaks.
    let json = serde_json::to_string(event).unwrap_or_default();
    format!("id: {}\ndata: {json}\n\n", event.id).into()
}

/// A tail that has panicked must not be taken for one that runs.
struct Running<'a>(&'a Feed);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop_tail();
        }
    }
}

/// Reads new events and delivers them, as long as anybody waits for some.
async fn tail(app: App) {
    let _running = Running(&app.feed);
    let mut has_failed = false;
    while let Some(look) = app.pause(LOOK_MS) {
        let is_hinted = has_hint(&app, look).await;
        if !is_hinted && !app.settings.shares_database && !has_failed {
            if app.feed.goes_on().is_none() {
                return;
            }
            continue;
        }
        if let Some(gather) = app.pause(GATHER_MS) {
            gather.await;
        }
        loop {
            // Once this is `None`, others may have started another tail.
            let Some(reached) = app.feed.goes_on() else { return };
            match read_after(&app, reached).await {
                Ok((page, is_whole)) => {
                    has_failed = !is_whole;
                    let is_last = page.is_last;
                    app.feed.deliver(&app, page);
                    if is_last {
                        break;
                    }
                }
                Err(StoreError::Refused(refusal)) => {
                    tracing::warn!(%refusal, "cannot follow the journal, ending all event streams");
                    return app.feed.stop_tail();
                }
                Err(error) => {
                    if !std::mem::replace(&mut has_failed, true) {
                        tracing::warn!(%error, "cannot read new events, will retry");
                    }
                    break;
                }
            }
        }
    }
    app.feed.stop_tail();
}

/// Waits for a hint that there are new events, or until the pause is over, and tells which.
async fn has_hint(app: &App, pause: BoxFuture<'static, ()>) -> bool {
    let hint = pin!(app.store.hints().has_events());
    matches!(select(hint, pause).await, Either::Left(_))
}

/// The events of all scopes behind a position, and whether those of all writes that have ended are
/// among them.
async fn read_after(app: &App, reached: Cursor) -> Result<(Events, bool), StoreError> {
    // Engines that servers share keep no order of writes; the tail looks every few seconds there.
    let is_whole = app.settings.shares_database || app.store.end_unheard_writes().await.is_ok();
    let page = app.store.read_events(None, &Filter::default(), Start::After(reached), PAGE).await?;
    Ok((page, is_whole))
}
