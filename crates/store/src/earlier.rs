//! Reading the journal backwards: what precedes a place, the newest first.

use octopoid_domain::journal::{Cursor, Filter};

use crate::{
    EngineError, Events, Result, Store, StoreError, all,
    engine::bind,
    events::{EXAMINED_MAX, STATE, check_ahead, columns, read_event, read_state},
    first,
    lists::json_unless_empty,
    row::RowReader,
};

/// The events that precede a place, as far as they are kept.
macro_rules! stretch {
    ($columns:expr) => {
        concat!(
            "(SELECT ",
            $columns,
            " FROM events WHERE position <= ?1 AND position > \
             COALESCE((SELECT position FROM journal_start WHERE id = 1), 0) \
             ORDER BY position DESC LIMIT ?2) AS stretch"
        )
    };
}

/// The place before the stretch that a read examines, and how many events are in it.
const STRETCH: &str = concat!(
    "SELECT COALESCE(MIN(position) - 1, ?1) AS place, COUNT(*) AS examined FROM ",
    stretch!("position")
);

/// The events of a stretch that pass a filter.
const READ: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM ",
    stretch!(concat!("seq, ", columns!())),
    " WHERE (?3 IS NULL OR scope = ?3) AND (?4 = 1 \
     OR (kind || '.' || event) IN (SELECT value FROM json_each(?5)) \
     OR kind IN (SELECT value FROM json_each(?6))) \
     AND (?8 IS NULL OR (subject = ?8 AND seq IS NOT NULL)) ORDER BY position DESC LIMIT ?7"
);

impl Store {
    /// Reads up to `limit` events of a scope that precede a place, the newest first. It examines a
    /// bounded number of events, so a page that does not reach the beginning may be empty. `next` is
    /// the place that the next page precedes.
    pub async fn read_events_before(
        &self,
        scope: &str,
        filter: &Filter,
        before: Cursor,
        mut limit: i64,
    ) -> Result<Events> {
        loop {
            match self.try_page_before(scope, filter, before, limit).await {
                // Events with long details are read in shorter pages.
                Err(StoreError::Engine(EngineError::TooLarge)) if limit > 1 => limit /= 2,
                outcome => return outcome,
            }
        }
    }

    async fn try_page_before(
        &self,
        scope: &str,
        filter: &Filter,
        before: Cursor,
        limit: i64,
    ) -> Result<Events> {
        let Filter { types, task_id } = filter;
        let (names, kinds) = (json_unless_empty(&types.names), json_unless_empty(&types.kinds));
        let is_all = types.is_empty();
        let batch = vec![
            bind!(STATE),
            bind!(STRETCH, before.0, EXAMINED_MAX),
            bind!(READ, before.0, EXAMINED_MAX, scope, is_all, names, kinds, limit, task_id),
        ];
        let mut answers = self.list(Some(scope), batch).await?.into_iter();
        let mut answer = || answers.next().unwrap_or_default();
        check_ahead(before, &read_state(answer())?)?;
        let stretch = first(answer(), |row| {
            let mut row = RowReader::new(row);
            Ok((row.next::<i64>()?, row.next::<i64>()?))
        })?;
        let (start, examined) = stretch.unwrap_or((before.0, 0));
        let events = all(answer(), read_event)?;
        let is_full = i64::try_from(events.len()).is_ok_and(|count| count >= limit);
        Ok(match events.last() {
            Some(last) if is_full => Events { next: Cursor(last.id.0 - 1), is_last: false, events },
            _ => Events { events, next: Cursor(start), is_last: examined < EXAMINED_MAX },
        })
    }
}
