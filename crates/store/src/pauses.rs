//! Pauses: work that is not handed out for a while. What they keep from claims, `claimable.rs` says.
//!
//! A pause that has ended no longer counts, although its row stays until the jobs remove it.

use std::collections::BTreeSet;

use const_format::concatcp;
use octopoid_domain::{
    Millis, Refusal, Task,
    change::PoolPause,
    event::{Kind, NewEvent},
    pause::{Pause, pool_target, too_many_pauses},
};

use crate::{
    Result, Stamp, Store, StoreError, all,
    columns::Column,
    engine::bind,
    first,
    journal::Subject,
    lists::{Listed, Listing, Order, Page, Place},
    record::{self, Columns as _, Layout, record},
    row::RowReader,
    write::Write,
};

record!(Pause {
    scope,
    target,
    until,
    reason,
    by = "paused_by",
    is_automatic,
    created_at,
});

pub(crate) const TABLE: Layout = Layout::of::<Pause>("pauses", &["scope", "target"])
    .with(&[Column::int("changes"), Column::int("write_id")]);

/// Whether the scope has room for a pause of this target.
macro_rules! has_room {
    ($scope:literal, $target:literal) => {
        concat!(
            "(EXISTS (SELECT 1 FROM pauses WHERE scope = ",
            $scope,
            " AND target = ",
            $target,
            ") OR (SELECT COUNT(*) FROM pauses WHERE scope = ",
            $scope,
            ") < 1000)"
        )
    };
}

/// What becomes of a pause that is there already. One that has ended begins again.
macro_rules! put_again {
    ($now:literal) => {
        concat!(
            " ON CONFLICT (scope, target) DO UPDATE SET until = excluded.until, \
             reason = excluded.reason, paused_by = excluded.paused_by, \
             is_automatic = excluded.is_automatic, created_at = CASE WHEN pauses.until <= ",
            $now,
            " THEN excluded.created_at ELSE pauses.created_at END, \
             changes = CASE WHEN pauses.until <= ",
            $now,
            " THEN 1 ELSE pauses.changes + 1 END, write_id = excluded.write_id"
        )
    };
}

const PUT: &str = concatcp!(
    "INSERT INTO pauses (changes, write_id, ",
    Pause::NAMES,
    ") SELECT 1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE ",
    has_room!("?2", "?3"),
    put_again!("?8"),
    " RETURNING ",
    Pause::NAMES
);

/// A pause that a failed run causes. It never shortens another, and never replaces that of a person
/// as long as that lasts.
const PAUSE_POOL: &str = concat!(
    "INSERT INTO pauses (changes, write_id, scope, target, until, reason, paused_by, \
     is_automatic, created_at) SELECT 1, ?2, scope, ?3, ?4, ?5, ?6, 1, ?7 FROM tasks \
     WHERE id = ?1 AND write_id = ?2 AND ",
    has_room!("tasks.scope", "?3"),
    put_again!("?7"),
    " WHERE pauses.until <= ?7 OR (pauses.is_automatic = 1 AND pauses.until < excluded.until)"
);

/// Marks a pause before its deletion, so that later statements of the batch can check the mark.
const MARK: &str = "UPDATE pauses SET write_id = ?3 WHERE scope = ?1 AND target = ?2 \
     AND (until IS NULL OR until > ?4) RETURNING target";

const DELETE: &str = "DELETE FROM pauses WHERE scope = ?1 AND target = ?2 AND write_id = ?3";

/// Marks pauses that have ended, a stretch at a time.
const MARK_ENDED: &str = "UPDATE pauses SET write_id = ?2 WHERE until <= ?1 \
     AND (scope, target) IN (SELECT scope, target FROM pauses WHERE until <= ?1 \
     ORDER BY until LIMIT ?3) RETURNING scope";

const DELETE_ENDED: &str = "DELETE FROM pauses WHERE until <= ?1 AND write_id = ?2";

/// Sorted by target.
const BY_TARGET: Order = Order {
    name: "pauses",
    columns: Pause::NAMES,
    table: "pauses",
    places: &[Place::text("target")],
    is_descending: false,
    is_counted: false,
};

fn not_found() -> StoreError {
    Refusal::NotFound("Pause not found".to_owned()).into()
}

impl Store {
    /// Creates a pause, or changes the one of the same target, and returns the stored one.
    pub async fn put_pause(&self, new: &Pause, stamp: Stamp) -> Result<Pause> {
        let mut write = Write::new(stamp);
        let put = bind!(PUT, stamp.write_id);
        let put = write.run(record::binding::<Pause>(put, new));
        record_put(&mut write, &new.scope, &new.target, &new.by, &new.reason);
        first(self.commit(write).await?.take(put), record::read)?
            .ok_or_else(|| too_many_pauses().into())
    }

    /// Lists the pauses of a scope that have not ended, by target.
    pub async fn list_pauses(
        &self,
        scope: &str,
        page: &Page,
        now: Millis,
    ) -> Result<Listed<Pause>> {
        let mut listing = Listing::new(&BY_TARGET, &scope);
        listing.and("scope = ?#", scope);
        listing.and("(until IS NULL OR until > ?#)", now);
        self.list_page(Some(scope), &listing, page, record::read).await
    }

    /// Ends a pause.
    pub async fn delete_pause(&self, scope: &str, target: &str, stamp: Stamp) -> Result<()> {
        let mut write = Write::new(stamp);
        let marked = write.run(bind!(MARK, scope, target, stamp.write_id, stamp.now));
        write.record(Subject::Pause { scope, target }, &NewEvent::new(Kind::Deleted, None));
        write.run(bind!(DELETE, scope, target, stamp.write_id));
        write.wake_if(marked, scope);
        let is_unknown = self.commit(write).await?.is_empty(marked);
        if is_unknown { Err(not_found()) } else { Ok(()) }
    }

    /// Removes pauses that have ended, at most `limit`, and wakes the claims that wait in their
    /// scopes. Returns how many.
    pub async fn end_pauses(&self, limit: i64, stamp: Stamp) -> Result<i64> {
        let Stamp { now, write_id } = stamp;
        let mut write = Write::new(stamp);
        let marked = write.run(bind!(MARK_ENDED, now, write_id, limit));
        let event = NewEvent::new(Kind::Deleted, None).with("ended");
        write.record(Subject::EndedPauses(now), &event);
        write.run(bind!(DELETE_ENDED, now, write_id));
        let scopes = self.commit(write).await?.take(marked);
        let scopes = all(scopes, |row| RowReader::new(row).next::<String>())?;
        let count = i64::try_from(scopes.len()).unwrap_or(i64::MAX);
        for scope in scopes.into_iter().collect::<BTreeSet<_>>() {
            self.hints.tell(&scope);
        }
        Ok(count)
    }
}

/// Adds to a write the pause of a pool that a failed run of a task causes.
pub(crate) fn pause_pool(write: &mut Write, task: &Task, pause: &PoolPause) {
    let PoolPause { pool, until, reason, by } = pause;
    let target = pool_target(pool);
    let stamp = write.stamp;
    write.run(bind!(PAUSE_POOL, &task.id, stamp.write_id, &target, *until, reason, by, stamp.now));
    record_put(write, &task.scope, &target, by, reason);
}

/// Records that a pause was created or changed, whichever it was.
fn record_put(write: &mut Write, scope: &str, target: &str, by: &str, reason: &str) {
    let event = |kind| NewEvent::new(kind, Some(by.to_owned())).with(reason);
    write.record(Subject::NewPause { scope, target }, &event(Kind::Created));
    write.record(Subject::ChangedPause { scope, target }, &event(Kind::Updated));
}

#[cfg(test)]
mod tests {
    use octopoid_domain::limits::PAUSES_MAX;

    #[test]
    fn the_statements_count_as_far_as_the_limit() {
        for text in [super::PUT, super::PAUSE_POOL] {
            assert!(text.contains(&format!(") < {PAUSES_MAX})")), "{text}");
        }
    }
}
