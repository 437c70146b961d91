//! The journal: everything that changed, in the order of the changes. A task's history is what the
//! journal says of the task.
//!
//! An event is recorded in the batch that makes the change, and only if the change was made: the
//! statements here look for the row that the write has marked.

use octopoid_domain::{
    Millis,
    event::{Event, NewEvent},
};

use crate::{
    Result, Sql, Stamp, Store,
    columns::Column,
    engine::{Parameter, Row, Statement, bind},
    lists::{Listed, Listing, Order, Page, Place},
    merge::{Merge, Turn},
    record::Layout,
    row::RowReader,
};

pub(crate) const TABLE: Layout = Layout::internal(
    "events",
    &["position"],
    &[
        Column::int("position"),
        Column::text("scope"),
        Column::text("kind"),
        Column::text("subject"),
        Column::int("seq"),
        Column::text("event"),
        Column::text("actor"),
        Column::text("details"),
        Column::int("at"),
        Column::int("version"),
        Column::text("queue"),
    ],
);

/// Up to where events may have been deleted because of their age.
pub(crate) const START_TABLE: Layout =
    Layout::internal("journal_start", &["id"], &[Column::int("id"), Column::int("position")]);

/// What an event is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    Task(&'a str),
    Project(&'a str),
    Draft(i64),
    /// The draft that the write has just created.
    NewDraft,
    Orchestrator(&'a str),
    /// All roles of an orchestrator that the write has registered.
    RolesOf(&'a str),
    Flow {
        scope: &'a str,
        name: &'a str,
    },
    Message(&'a str),
    Action(&'a str),
    Key(&'a str),
    Pause {
        scope: &'a str,
        target: &'a str,
    },
    /// A pause, if it has begun with this write.
    NewPause {
        scope: &'a str,
        target: &'a str,
    },
    /// A pause, if it had begun before this write.
    ChangedPause {
        scope: &'a str,
        target: &'a str,
    },
    /// The pauses that the write has marked because they ended before an instant.
    EndedPauses(Millis),
    /// All keys of a scope that the write has revoked.
    RevokedKeys(&'a str),
    /// All keys of a scope that the write has replaced, and that go on working for a while.
    ReplacedKeys(&'a str),
    /// The webhook that the write has changed.
    Webhook(&'a str),
}

/// The head of a statement that records events of tasks. The values follow in the order of these
/// columns.
macro_rules! into_events {
    () => {
        "INSERT OR FAIL INTO events \
         (scope, kind, subject, seq, event, actor, details, at, version, queue) "
    };
}
pub(crate) use into_events;

/// One event for the task that this write has changed. The change has counted its events already;
/// `?7` of them come after this one.
const TASK: Sql = Sql::merged(
    concat!(
        into_events!(),
        "SELECT scope, 'task', id, events - ?7, ?3, ?4, ?5, ?6, version, queue \
         FROM tasks WHERE id = ?1 AND write_id = ?2"
    ),
    Merge::insert(Turn::Follow),
);

/// The last event of a task. The next task of this id goes on from its version, so it must outlive
/// all others.
const TASK_DELETED: &str = concat!(
    into_events!(),
    "SELECT scope, 'task', id, events, 'deleted', NULL, 'was ' || queue, ?3, version, queue \
     FROM tasks WHERE id = ?1 AND write_id = ?2"
);

const TASKS_EXPIRED: &str = concat!(
    into_events!(),
    "SELECT scope, 'task', id, events, 'deleted', NULL, 'was ' || queue || ', retention expired', \
     ?3, version, queue FROM tasks WHERE id IN (SELECT value FROM json_each(?1)) AND write_id = ?2"
);

/// Records an event of each row that matches a condition and has the write id.
macro_rules! recording {
    ($kind:literal, $table:literal, $subject:literal, $condition:literal) => {
        concat!(
            "INSERT OR FAIL INTO events (scope, kind, subject, event, actor, details, at) SELECT scope, '",
            $kind,
            "', ",
            $subject,
            ", ?3, ?4, ?5, ?6 FROM ",
            $table,
            " WHERE ",
            $condition,
            " AND write_id = ?2"
        )
    };
}

const PROJECT: &str = recording!("project", "projects", "id", "id = ?1");
const DRAFT: &str = recording!("draft", "drafts", "CAST(id AS TEXT)", "id = ?1");
/// PostgreSQL records this event in the statement that creates the draft.
const NEW_DRAFT: Sql = Sql::OnlySqlite(recording!(
    "draft",
    "drafts",
    "CAST(id AS TEXT)",
    "id = (SELECT MAX(id) FROM drafts)"
));
const ORCHESTRATOR: &str = recording!("orchestrator", "orchestrators", "id", "id = ?1");
const ROLES_OF: &str = recording!(
    "role",
    "roles",
    "name",
    "scope = (SELECT scope FROM orchestrators WHERE id = ?1) AND orchestrator_id = ?1"
);
const FLOW: &str = recording!("flow", "flows", "name", "name = ?1 AND scope = ?7");
const MESSAGE: &str = recording!("message", "messages", "id", "id = ?1");
const ACTION: &str = recording!("action", "actions", "id", "id = ?1");
const KEY: &str = recording!("key", "api_keys", "id", "id = ?1");
const PAUSE: &str = recording!("pause", "pauses", "target", "target = ?1 AND scope = ?7");
const NEW_PAUSE: &str =
    recording!("pause", "pauses", "target", "target = ?1 AND scope = ?7 AND changes = 1");
const CHANGED_PAUSE: &str =
    recording!("pause", "pauses", "target", "target = ?1 AND scope = ?7 AND changes > 1");
const ENDED_PAUSES: &str = recording!("pause", "pauses", "target", "until <= ?1");
const REVOKED_KEYS: &str =
    recording!("key", "api_keys", "id", "scope = ?1 AND revoked_at IS NOT NULL");
const WEBHOOK: &str = recording!("webhook", "webhooks", "id", "id = ?1");

const REPLACED_KEYS: &str = recording!(
    "key",
    "api_keys",
    "id",
    "scope = ?1 AND revoked_at IS NULL AND overlap_ends_at IS NOT NULL"
);

/// A task's events, the oldest first.
const OLDEST_FIRST: Order = Order {
    name: "history",
    columns: "seq, subject, event, actor, details, at",
    table: "events",
    places: &[Place::number("seq")],
    is_descending: false,
    is_counted: false,
};

/// Records an event of what the write has changed by now.
pub(crate) fn recording(subject: Subject<'_>, event: &NewEvent, stamp: Stamp) -> Statement {
    match subject {
        Subject::Task(id) => of_task(id, event, 0, stamp),
        Subject::Project(id) => about(PROJECT, id, event, stamp),
        Subject::Draft(id) => about(DRAFT, id, event, stamp),
        Subject::NewDraft => about(NEW_DRAFT, None::<i64>, event, stamp),
        Subject::Orchestrator(id) => about(ORCHESTRATOR, id, event, stamp),
        Subject::RolesOf(orchestrator) => about(ROLES_OF, orchestrator, event, stamp),
        Subject::Flow { scope, name } => {
            let mut statement = about(FLOW, name, event, stamp);
            statement.parameters.push(scope.into());
            statement
        }
        Subject::Message(id) => about(MESSAGE, id, event, stamp),
        Subject::Action(id) => about(ACTION, id, event, stamp),
        Subject::Key(id) => about(KEY, id, event, stamp),
        Subject::Pause { scope, target } => of_pause(PAUSE, (scope, target), event, stamp),
        Subject::NewPause { scope, target } => of_pause(NEW_PAUSE, (scope, target), event, stamp),
        Subject::ChangedPause { scope, target } => {
            of_pause(CHANGED_PAUSE, (scope, target), event, stamp)
        }
        Subject::EndedPauses(now) => about(ENDED_PAUSES, now, event, stamp),
        Subject::RevokedKeys(scope) => about(REVOKED_KEYS, scope, event, stamp),
        Subject::ReplacedKeys(scope) => about(REPLACED_KEYS, scope, event, stamp),
        Subject::Webhook(id) => about(WEBHOOK, id, event, stamp),
    }
}

fn of_pause(
    sql: &'static str,
    (scope, target): (&str, &str),
    event: &NewEvent,
    stamp: Stamp,
) -> Statement {
    let mut statement = about(sql, target, event, stamp);
    statement.parameters.push(scope.into());
    statement
}

/// Binds the parameters that all statements about a subject have; `key` is `?1` of its condition.
fn about(
    sql: impl Into<Sql>,
    key: impl Into<Parameter>,
    event: &NewEvent,
    stamp: Stamp,
) -> Statement {
    let kind = event.kind.as_str();
    bind!(sql.into(), key.into(), stamp.write_id, kind, &event.actor, &event.details, stamp.now)
}

/// Records an event of a task; `later` is how many more of the same write follow it.
pub(crate) fn of_task(id: &str, event: &NewEvent, later: i64, stamp: Stamp) -> Statement {
    let mut statement = about(TASK, id, event, stamp);
    statement.parameters.push(later.into());
    statement
}

/// Records that a task is about to be deleted.
pub(crate) fn task_deleted(id: &str, stamp: Stamp) -> Statement {
    bind!(TASK_DELETED, id, stamp.write_id, stamp.now)
}

/// Records that tasks, a JSON array of ids, are about to be deleted because of their age.
pub(crate) fn tasks_expired(ids: &str, stamp: Stamp) -> Statement {
    bind!(TASKS_EXPIRED, ids, stamp.write_id, stamp.now)
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
        listing.and("subject = ?#", id);
        // Only events of tasks have a number; the index has this condition too.
        listing.and_always("seq IS NOT NULL");
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
