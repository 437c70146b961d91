//! Reading the journal by position, giving positions, and deleting old events.
//!
//! A position never appears behind one that was read. On SQLite and D1 the single writer gives
//! positions in the order of commits. On PostgreSQL an event has no position when it is committed:
//! [`NUMBER`] gives the next positions to all committed events that have none, one server at a time
//! (`docs/decisions/0019-positions-after-the-commit.md`).

use octopoid_domain::{
    Millis, Refusal,
    journal::{Cursor, Filter, JournalEvent, Start, Subject},
};

use crate::{
    EngineError, Result, Store, StoreError, all,
    engine::{Row, Statement, bind},
    first,
    lists::json_unless_empty,
    locks::Lock,
    row::RowReader,
    sql::Sql,
};

/// The maximum number of events that one read examines.
pub(crate) const EXAMINED_MAX: i64 = 1_000;

/// The maximum number of events that get their positions in one write.
const NUMBERED_MAX: i64 = 1_000;

/// The number of events that one step of the retention examines.
const PRUNED_MAX: i64 = 200;

/// How far events may have been deleted, and the last position.
pub(crate) const STATE: &str = "SELECT COALESCE((SELECT position FROM journal_start WHERE id = 1), 0) AS pruned, \
     COALESCE((SELECT MAX(position) FROM events), 0) AS last";

/// Returns a row if there are committed events without a position.
const BEHIND: Sql =
    Sql::OnlyPostgres("SELECT 1 FROM events WHERE position IS NULL ORDER BY n LIMIT 1");

/// The end of the stretch that a read examines, and how many events are in it.
const STRETCH: &str = "SELECT COALESCE(MAX(position), ?1) AS last, COUNT(*) AS examined \
     FROM (SELECT position FROM events WHERE position > ?1 ORDER BY position LIMIT ?2) AS stretch";

macro_rules! columns {
    () => {
        "position, kind, subject, event, actor, details, at, scope, version, queue"
    };
}
pub(crate) use columns;

/// The events of a stretch that pass a filter.
const READ: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM (SELECT ",
    columns!(),
    " FROM events WHERE position > ?1 ORDER BY position LIMIT ?2) AS stretch \
     WHERE (?3 IS NULL OR scope = ?3) AND (?4 = 1 \
     OR (kind || '.' || event) IN (SELECT value FROM json_each(?5)) \
     OR kind IN (SELECT value FROM json_each(?6))) ORDER BY position LIMIT ?7"
);

/// Looks for the last event of task `?2` that is not behind the cursor `?1`, by its number in the
/// task's history, in which positions ascend. `low` is a number up to which all events are known to
/// be before the cursor; each step tries to raise it by half as much as the step before.
macro_rules! searching {
    () => {
        "WITH RECURSIVE search (low, step) AS (SELECT CAST(0 AS BIGINT), (SELECT COALESCE(MAX(seq), 0) \
         FROM events WHERE subject = ?2 AND seq IS NOT NULL) / 2 + 1 \
         UNION ALL SELECT low + step * COALESCE((SELECT CASE WHEN position <= ?1 THEN 1 ELSE 0 END \
         FROM events WHERE subject = ?2 AND seq IS NOT NULL AND seq <= search.low + search.step \
         ORDER BY seq DESC LIMIT 1), 1), CASE step WHEN 1 THEN 0 ELSE (step + 1) / 2 END \
         FROM search WHERE step > 0) "
    };
}

/// The events of a task behind the cursor. The expression keeps the planner from walking through
/// the positions.
macro_rules! task_stretch {
    ($columns:expr, $limit:literal) => {
        concat!(
            "(SELECT ",
            $columns,
            " FROM events WHERE subject = ?2 AND seq IS NOT NULL \
             AND seq > (SELECT MAX(low) FROM search) AND position + 0 > ?1 \
             ORDER BY seq LIMIT ",
            $limit,
            ") AS stretch"
        )
    };
}

/// The same as [`STRETCH`] for the events of a task.
const STRETCH_OF_TASK: &str = concat!(
    searching!(),
    "SELECT COALESCE(MAX(position), ?1) AS last, COUNT(*) AS examined FROM ",
    task_stretch!("position", "?3")
);

/// The same as [`READ`] for the events of a task.
const READ_TASK: &str = concat!(
    searching!(),
    "SELECT ",
    columns!(),
    " FROM ",
    task_stretch!(concat!("seq, ", columns!()), "?8"),
    " WHERE (?3 IS NULL OR scope = ?3) AND (?4 = 1 \
     OR (kind || '.' || event) IN (SELECT value FROM json_each(?5)) \
     OR kind IN (SELECT value FROM json_each(?6))) ORDER BY seq LIMIT ?7"
);

/// Gives the next positions to committed events, in the order of their insertion. Its snapshot is
/// taken once the lock is held, so it sees the positions that the holder before it has given.
const NUMBER: Sql = Sql::OnlyPostgres(
    "UPDATE events SET position = numbered.position FROM (SELECT n, \
     (SELECT COALESCE(MAX(position), 0) FROM events) + ROW_NUMBER() OVER (ORDER BY n) AS position \
     FROM (SELECT n FROM events WHERE position IS NULL ORDER BY n LIMIT ?1) AS few) AS numbered \
     WHERE events.n = numbered.n AND events.position IS NULL RETURNING 1",
);

/// The events after the deleted ones, with their times.
const AGES: &str = "SELECT position, at FROM events WHERE position > \
     COALESCE((SELECT position FROM journal_start WHERE id = 1), 0) ORDER BY position LIMIT ?1";

/// Readers must not pass over events that the same batch deletes.
const ADVANCE: &str = "INSERT INTO journal_start (id, position) VALUES (1, ?1) \
     ON CONFLICT (id) DO UPDATE SET position = excluded.position \
     WHERE journal_start.position < excluded.position";

/// Deletes a stretch's events of everything but tasks.
const PRUNE: &str = "DELETE FROM events WHERE position > ?1 AND position <= ?2 AND seq IS NULL";

/// The tasks in a stretch that were deleted.
macro_rules! deleted_tasks {
    () => {
        "SELECT old.subject FROM events AS old WHERE old.position > ?1 AND old.position <= ?2 \
         AND old.seq IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.id = old.subject)"
    };
}

/// But for the last event of each. The expression keeps the planner from walking through the
/// positions.
macro_rules! but_the_last {
    () => {
        " AND events.seq IS NOT NULL AND events.position + 0 <= ?2 AND events.seq < \
         (SELECT MAX(last.seq) FROM events AS last \
         WHERE last.subject = events.subject AND last.seq IS NOT NULL)"
    };
}

/// Deletes the history of each task in a stretch that was deleted, but for the last event: the
/// next task of the same id goes on from its version.
const PRUNE_TASKS: Sql = Sql::Differs {
    sqlite: concat!(
        "DELETE FROM events WHERE subject IN (",
        deleted_tasks!(),
        ")",
        but_the_last!()
    ),
    // An array is looked up in the index; the planner might join a subquery to the whole table.
    postgres: concat!(
        "DELETE FROM events WHERE subject = ANY (ARRAY(",
        deleted_tasks!(),
        "))",
        but_the_last!()
    ),
};

/// A page of the journal.
#[derive(Clone, Debug)]
pub struct Events {
    /// The events, oldest first; newest first if they were read backwards.
    pub events: Vec<JournalEvent>,
    /// Where the next page starts.
    pub next: Cursor,
    /// Whether the page reaches the end of the journal, or its beginning.
    pub is_last: bool,
}

/// The state of the journal.
pub(crate) struct State {
    pruned: i64,
    last: i64,
}

impl Store {
    /// Reads up to `limit` events of a scope, or of all scopes. It examines a bounded number of
    /// events, so a page that is not the last one may be empty.
    pub async fn read_events(
        &self,
        scope: Option<&str>,
        filter: &Filter,
        start: Start,
        limit: i64,
    ) -> Result<Events> {
        let cursor = match start {
            Start::After(cursor) => cursor,
            Start::Now => {
                let next = self.journal_end().await?;
                return Ok(Events { events: Vec::new(), next, is_last: true });
            }
            Start::Oldest => {
                let [state] = self.read([bind!(STATE)]).await?;
                Cursor(read_state(state)?.pruned)
            }
        };
        let (mut page, is_behind) = self.read_page(scope, filter, cursor, limit).await?;
        if page.is_last && is_behind {
            self.number_events().await?;
            (page, _) = self.read_page(scope, filter, cursor, limit).await?;
        }
        Ok(page)
    }

    /// The place behind the last event that was committed by now.
    pub async fn journal_end(&self) -> Result<Cursor> {
        let [mut state, behind] = self.read([bind!(STATE), bind!(BEHIND)]).await?;
        if !behind.is_empty() {
            self.number_events().await?;
            [state] = self.read([bind!(STATE)]).await?;
        }
        Ok(Cursor(read_state(state)?.last))
    }

    /// Gives positions to all committed events that have none.
    pub async fn number_events(&self) -> Result<()> {
        loop {
            let number = vec![bind!(NUMBER, NUMBERED_MAX)];
            let answers = self.write_holding(vec![Lock::journal()], number).await?;
            let numbered = answers.first().map_or(0, Vec::len);
            if i64::try_from(numbered).is_ok_and(|numbered| numbered < NUMBERED_MAX) {
                return Ok(());
            }
        }
    }

    /// Deletes some of the events that are older than an instant. Kept are those of tasks that
    /// exist, the last event of each deleted task, and the last event of all. Returns whether there
    /// may be more to delete.
    pub async fn prune_events(&self, before: Millis) -> Result<bool> {
        let [mut oldest, behind] = self.read([bind!(AGES, 1), bind!(BEHIND)]).await?;
        if !behind.is_empty() {
            self.number_events().await?;
            [oldest] = self.read([bind!(AGES, 1)]).await?;
        }
        // Usually the oldest is young enough.
        if all(oldest, read_age)?.first().is_none_or(|(_, at)| *at >= before) {
            return Ok(false);
        }
        let [ages] = self.read([bind!(AGES, PRUNED_MAX + 1)]).await?;
        let ages = all(ages, read_age)?;
        let old = ages.iter().take_while(|(_, at)| *at < before).count();
        // The last row may be the last event of all, from whose position the next one is counted.
        let old = &ages[..old.min(ages.len().saturating_sub(1))];
        let Some(&(until, _)) = old.last() else { return Ok(false) };
        let Some(&(oldest, _)) = old.first() else { return Ok(false) };
        let after = oldest - 1;
        let batch = vec![
            bind!(ADVANCE, until),
            bind!(PRUNE, after, until),
            bind!(PRUNE_TASKS, after, until),
        ];
        self.write_holding(vec![Lock::journal()], batch).await?;
        Ok(i64::try_from(old.len()).is_ok_and(|old| old == PRUNED_MAX))
    }

    /// Reads a page, and whether there are committed events without a position. Events with long
    /// details are read in shorter pages.
    async fn read_page(
        &self,
        scope: Option<&str>,
        filter: &Filter,
        after: Cursor,
        mut limit: i64,
    ) -> Result<(Events, bool)> {
        loop {
            match self.try_page(scope, filter, after, limit).await {
                Err(StoreError::Engine(EngineError::TooLarge)) if limit > 1 => limit /= 2,
                outcome => return outcome,
            }
        }
    }

    async fn try_page(
        &self,
        scope: Option<&str>,
        filter: &Filter,
        after: Cursor,
        limit: i64,
    ) -> Result<(Events, bool)> {
        // Of a task whose events all pass, no more are examined than are shown.
        let is_page = filter.task_id.is_some() && filter.types.is_empty();
        let examined_max = if is_page { limit.min(EXAMINED_MAX) } else { EXAMINED_MAX };
        let stretch = match &filter.task_id {
            Some(id) => bind!(STRETCH_OF_TASK, after.0, id, examined_max),
            None => bind!(STRETCH, after.0, examined_max),
        };
        let batch = vec![
            bind!(STATE),
            bind!(BEHIND),
            stretch,
            reading(scope, filter, after, (examined_max, limit)),
        ];
        let answers = match scope {
            Some(_) => self.list(scope, batch).await?,
            // The server's own reading does not wait for the lists of tenants.
            None => self.engine.read_much(batch).await?,
        };
        let mut answers = answers.into_iter();
        let mut answer = || answers.next().unwrap_or_default();
        let (state, is_behind) = (read_state(answer())?, !answer().is_empty());
        let stretch = first(answer(), |row| {
            let mut row = RowReader::new(row);
            Ok((row.next::<i64>()?, row.next::<i64>()?))
        })?;
        let events = all(answer(), read_event)?;
        check_cursor(after, &state)?;
        let (end, is_last) = match stretch {
            // Behind the last event of the task there are none up to the end of the journal.
            Some((_, examined)) if filter.task_id.is_some() && examined < examined_max => {
                (state.last, true)
            }
            Some((end, examined)) => (end, examined < examined_max),
            None => (after.0, true),
        };
        let is_full = i64::try_from(events.len()).is_ok_and(|count| count >= limit);
        let page = match events.last() {
            Some(last) if is_full => Events { next: last.id, is_last: false, events },
            _ => Events { events, next: Cursor(end), is_last },
        };
        Ok((page, is_behind))
    }
}

fn reading(
    scope: Option<&str>,
    filter: &Filter,
    after: Cursor,
    (examined_max, limit): (i64, i64),
) -> Statement {
    let Filter { types, task_id } = filter;
    let all = types.is_empty();
    let names = json_unless_empty(&types.names);
    let kinds = json_unless_empty(&types.kinds);
    match task_id {
        Some(id) => {
            bind!(READ_TASK, after.0, id, scope, all, names, kinds, limit, examined_max)
        }
        None => bind!(READ, after.0, examined_max, scope, all, names, kinds, limit),
    }
}

/// Refuses a cursor that would pass over deleted events, or over events to come.
fn check_cursor(cursor: Cursor, state: &State) -> Result<()> {
    if cursor.0 < state.pruned {
        let text = "Events after this cursor are no longer kept: read the present state, and go on without \
         cursor, or with cursor=0 from the oldest event";
        return Err(Refusal::EventsGone(text).into());
    }
    check_ahead(cursor, state)
}

/// Refuses a cursor that is behind events to come.
pub(crate) fn check_ahead(cursor: Cursor, state: &State) -> Result<()> {
    if cursor.0 <= state.last {
        return Ok(());
    }
    let text = "The cursor is ahead of the journal, which was restored from a backup or belongs to \
                another database: read the present state, and go on without cursor";
    Err(Refusal::EventsGone(text).into())
}

pub(crate) fn read_state(rows: Vec<Row>) -> Result<State> {
    let state = first(rows, |row| {
        let mut row = RowReader::new(row);
        Ok(State { pruned: row.next()?, last: row.next()? })
    })?;
    state.ok_or(StoreError::Corrupt("the state of the journal is a row"))
}

fn read_age(row: Row) -> Result<(i64, Millis)> {
    let mut row = RowReader::new(row);
    Ok((row.next()?, row.next()?))
}

pub(crate) fn read_event(row: Row) -> Result<JournalEvent> {
    let mut row = RowReader::new(row);
    let id = Cursor(row.next()?);
    let subject = Subject { kind: row.next()?, id: row.next()? };
    let event: String = row.next()?;
    Ok(JournalEvent {
        id,
        name: format!("{}.{event}", subject.kind),
        subject,
        actor: row.next()?,
        details: row.next()?,
        at: row.next()?,
        scope: row.next()?,
        version: row.next()?,
        queue: row.next()?,
    })
}
