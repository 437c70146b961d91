//! What history records, and the notices that go with it.

use octopoid_domain::{
    change::Notice,
    event::{Event, NewEvent},
};

use crate::{
    Result, Stamp, Store,
    engine::{Row, Statement, bind},
    lists::{Listed, Listing, Order, Page, Place},
    row::RowReader,
};

/// One event for the task that this write has changed. No change, no event. The change has counted
/// its events already; `?7` of them come after this one.
const RECORD: &str = "INSERT INTO task_history (task_id, seq, scope, event, agent, details, at) \
     SELECT id, events - ?7, scope, ?3, ?4, ?5, ?6 FROM tasks WHERE id = ?1 AND write_id = ?2";

/// The last event of a task, which names the queue it was in. It alone keeps the version, from which
/// the next task of this id goes on; so it must outlive all others.
const RECORD_DELETED: &str = "INSERT INTO task_history \
     (task_id, seq, scope, event, details, at, version) \
     SELECT id, events, scope, 'deleted', 'was ' || queue, ?3, version FROM tasks \
     WHERE id = ?1 AND write_id = ?2";

/// A message to nobody in particular, under an id made from the write's.
const NOTIFY: &str = "INSERT INTO messages (id, task_id, from_actor, to_actor, type, content, created_at, scope) \
     SELECT ?3, id, ?4, NULL, ?5, ?6, ?7, scope FROM tasks WHERE id = ?1 AND write_id = ?2";

/// The oldest first.
const OLDEST_FIRST: Order = Order {
    name: "history",
    columns: "seq, task_id, event, agent, details, at",
    table: "task_history",
    places: &[Place::number("seq")],
    is_descending: false,
    is_counted: false,
};

pub(crate) fn record_deleted(id: &str, stamp: Stamp) -> Statement {
    bind!(RECORD_DELETED, id, stamp.write_id, stamp.now)
}

/// Records an event of a write; `later` is how many more of the same write follow it.
pub(crate) fn record(id: &str, event: &NewEvent, later: i64, stamp: Stamp) -> Statement {
    let kind = event.kind.as_str();
    bind!(RECORD, id, stamp.write_id, kind, &event.agent, &event.details, stamp.now, later)
}

pub(crate) fn leave_notice(id: &str, notice: &Notice, stamp: Stamp) -> Statement {
    let message = message_id("msg", stamp);
    bind!(
        NOTIFY,
        id,
        stamp.write_id,
        message,
        &notice.from_actor,
        notice.kind,
        &notice.content,
        stamp.now
    )
}

/// `<prefix>-<milliseconds>-<6 characters>`, the form the first server gave its ids.
pub(crate) fn message_id(prefix: &str, stamp: Stamp) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut rest = stamp.write_id.unsigned_abs();
    let mut id = format!("{prefix}-{}-", stamp.now.0);
    for _ in 0..6 {
        let digit = usize::try_from(rest % 36).unwrap_or_default();
        id.push(char::from(DIGITS[digit]));
        rest /= 36;
    }
    id
}

impl Store {
    /// Lists a task's events, the oldest first.
    pub async fn task_history(
        &self,
        id: &str,
        within: Option<&str>,
        page: &Page,
    ) -> Result<Listed<Event>> {
        let mut listing = Listing::new(&OLDEST_FIRST, &(id, within));
        listing.and("task_id = ?#", id);
        listing.and_if("scope = ?#", within);
        self.list_page(within, &listing, page, event).await
    }
}

fn event(row: Row) -> Result<Event> {
    let mut row = RowReader::new(row);
    Ok(Event {
        id: row.next()?,
        task_id: row.next()?,
        event: row.next()?,
        agent: row.next()?,
        details: row.next()?,
        timestamp: row.next()?,
    })
}
