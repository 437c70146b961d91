//! The journal over HTTP: pages of events, waiting for new ones, and streams.
//!
//! One task per process, the tail, reads the journal while anybody waits for events, and delivers
//! them to all who do (`feed`). A stream first reads from the database what it has missed, and
//! then waits for the tail (`stream`).

mod feed;
mod passing;
mod places;
mod stream;

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use octopoid_domain::{
    Refusal,
    journal::{Cursor, Filter, JournalEvent, Start, Types},
};
use octopoid_store::Events;
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use feed::Feed;
pub(crate) use passing::{show_heartbeat, show_renewal};
pub(crate) use places::Places;
pub use stream::IsStream;

use crate::{
    app::App,
    auth::Caller,
    list::ListQuery,
    listing::{Listing, long_field},
    openapi::Problems,
    prefer::Wait,
    problem::Problem,
    query::missing,
};
use feed::{Delivery, Subscription};

/// A page of the journal.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventList {
    events: Vec<JournalEvent>,
    /// The cursor of the next page, also at the end of the journal.
    #[schema(value_type = String)]
    next_cursor: Cursor,
}

long_field!(EventList, events: JournalEvent);

/// What a caller wants to read.
struct Wanted {
    scope: String,
    filter: Filter,
    start: Start,
    limit: i64,
}

/// Read or follow the journal.
///
/// Oldest first, or newest first with `before`. Without `cursor` from now on. A page may be empty
/// although there are more events: go on with `next_cursor`. With `Prefer: wait=N` the response to
/// a request at the end of the journal is sent when there is an event, or after N seconds, at most
/// 50. With `Accept: text/event-stream` the response is a stream of server-sent events that does
/// not end.
#[utoipa::path(get, path = "/api/v1/events", tag = "events",
    params(
        ("scope" = Option<String>, Query, description = "The scope. Required without a key."),
        ("cursor" = Option<String>, Query, 
            description = "`next_cursor` of the previous page, the `id` of an event, or `0` for the oldest event."),
        ("before" = Option<String>, Query,
            description = "Read backwards, the events up to this cursor. `next_cursor` is the next `before`."),
        ("limit" = Option<String>, Query, description = "Maximum 500, default 50."),
        ("types" = Option<String>, Query, 
            description = "Comma-separated types, such as `task.claimed`, or `task.*` for all of a kind. At most 100."),
        ("task_id" = Option<String>, Query, description = "Only events of this task."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for an event"),
        ("Last-Event-ID" = Option<String>, Header, 
            description = "In streams: the `id` of the last event received. It precedes `cursor`."),
    ),
    responses(
        (status = 200, content((EventList = "application/json"), (String = "text/event-stream"))),
        (status = 406, body = crate::problem::Body, description = "This server does not stream."),
        (status = 410, body = crate::problem::Body, description = "Events after the cursor are no longer kept."),
        Problems))]
pub(crate) async fn list_events(
    State(app): State<App>,
    caller: Caller,
    wait: Wait,
    headers: HeaderMap,
    query: ListQuery,
) -> Result<Response, Problem> {
    let scope = caller.scope(query.get("scope")).ok_or_else(|| {
        missing("Missing required parameter: scope. Events are read in one scope.")
    })?;
    let types = Types::parse(&query.list("types")?)?;
    let filter = Filter { types, task_id: query.text("task_id") };
    let is_stream = accepts_stream(&headers);
    let resumed = headers.get("last-event-id").filter(|_| is_stream);
    let resumed = resumed.and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
    if let Some(before) = query.get("before") {
        if is_stream || query.has("cursor") {
            let text = "before reads backwards: it goes neither with cursor nor with a stream";
            return Err(Refusal::invalid(text).into());
        }
        let list = read_before(&app, scope, &filter, before, query.length()).await?;
        return Ok(Listing(list).into_response());
    }
    let start = Start::parse(resumed.or(query.get("cursor")))?;
    let wanted = Wanted { scope: scope.to_owned(), filter, start, limit: query.length() };
    if is_stream {
        return stream::open(app, caller, &headers, wanted).await;
    }
    let wait = if wait.is_asked() && app.pause(0).is_none() { Wait::default() } else { wait };
    let page = if wait.is_asked() {
        wait_for_page(&app, wanted, wait).await?
    } else {
        read(&app, &wanted, wanted.start).await?
    };
    let list = EventList { events: page.events, next_cursor: page.next };
    Ok(wait.applied(Listing(list).into_response()))
}

/// Reads what precedes a cursor. Nothing precedes the oldest event.
async fn read_before(
    app: &App,
    scope: &str,
    filter: &Filter,
    before: &str,
    limit: i64,
) -> Result<EventList, Problem> {
    let before = match Start::parse(Some(before))? {
        Start::After(cursor) => cursor,
        Start::Now | Start::Oldest => Cursor::default(),
    };
    let page = app.store.read_events_before(scope, filter, before, limit).await?;
    Ok(EventList { events: page.events, next_cursor: page.next })
}

async fn read(app: &App, wanted: &Wanted, start: Start) -> Result<Events, Problem> {
    let Wanted { scope, filter, limit, .. } = wanted;
    Ok(app.store.read_events(Some(scope), filter, start, *limit).await?)
}

/// Reads until there is an event, or the wait is over.
async fn wait_for_page(app: &App, wanted: Wanted, wait: Wait) -> Result<Events, Problem> {
    let until_ms = app.elapsed_ms().saturating_add(wait.ms());
    // Before the first read, so that nothing that comes after it is missed.
    let mut subscription = feed::subscribe(app, &wanted.scope).await?;
    let mut start = wanted.start;
    loop {
        let page = read(app, &wanted, start).await?;
        start = Start::After(page.next);
        if !page.events.is_empty() || app.elapsed_ms() >= until_ms {
            return Ok(page);
        }
        if page.is_last
            && !turns_up(app, &mut subscription, &wanted.filter, page.next, until_ms).await
        {
            return Ok(page);
        }
    }
}

/// Waits until an event behind a cursor passes a filter. `false` if the wait is over.
async fn turns_up(
    app: &App,
    subscription: &mut Subscription,
    filter: &Filter,
    after: Cursor,
    until_ms: i64,
) -> bool {
    loop {
        match subscription.next(app, until_ms).await {
            Delivery::Messages(batch) => {
                if batch.events().any(|event| event.id > after && filter.passes(event)) {
                    return true;
                }
            }
            // What was missed is read.
            Delivery::Missed => return true,
            Delivery::Nothing | Delivery::Ended => return false,
        }
    }
}

/// Whether the client asks for a stream.
fn accepts_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = accepted.flat_map(|list| list.split(','));
    ranges.any(|range| {
        let kind = range.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("text/event-stream")
    })
}
