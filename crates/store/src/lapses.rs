//! Taking back claims whose lease has ended.

use std::collections::BTreeSet;

use octopoid_domain::{
    Millis, Task,
    change::Change,
    decide::{Decision, Request, decide},
};

use crate::{
    EngineError, Result, Sql, Stamp, Store, StoreError, all,
    changes::{CurrentTask, add_change, find_to_change, found},
    engine::{Row, bind},
    row::RowReader,
    write::Write,
};

/// In the order of the index, from a place on.
const LAPSED: &str = find_to_change!(
    "reap_at, write_id, seq, id AS lapsed_id,",
    "reap_at < ?1 AND (reap_at, write_id, seq) > (?2, ?3, ?4) \
     ORDER BY reap_at, write_id, seq LIMIT ?5"
);

/// Ends delays, a stretch at a time. Nothing was decided, so the version stays.
macro_rules! due {
    ($locking:literal) => {
        concat!(
            "UPDATE tasks SET not_before = NULL, write_id = ?2 WHERE not_before <= ?1 \
             AND seq IN (SELECT seq FROM tasks WHERE not_before <= ?1 \
             ORDER BY not_before LIMIT ?3",
            $locking,
            ") RETURNING scope"
        )
    };
}

const END_DELAYS: Sql =
    Sql::Differs { sqlite: due!(""), postgres: due!(" FOR UPDATE SKIP LOCKED") };

/// A walk over the claims whose lease ended before an instant, page by page. What cannot be taken
/// back is passed over once.
#[derive(Clone, Debug)]
pub struct Lapses {
    ended_before: Millis,
    after: Place,
}

/// A row's place in the index of the reaper: `reap_at`, `write_id` and `seq`.
type Place = [i64; 3];

/// What became of a page of lapsed claims.
#[derive(Debug, Default)]
pub struct Released {
    /// The tasks that were taken back, as they are now.
    pub tasks: Vec<Task>,
    /// The ids of those that could not be taken back, and why.
    pub refused: Vec<(String, StoreError)>,
    /// Whether there are no more.
    pub is_last: bool,
}

/// A claim about to be taken back.
struct Lapsed {
    was: CurrentTask,
    change: Change,
}

impl Lapses {
    /// The walk from its beginning.
    pub fn before(ended_before: Millis) -> Self {
        Self { ended_before, after: [-1, 0, 0] }
    }
}

impl Store {
    /// Takes back up to `limit` claims of a walk, and moves it on.
    pub async fn release_lapsed(
        &self,
        lapses: &mut Lapses,
        limit: i64,
        stamp: Stamp,
    ) -> Result<Released> {
        let [reap_at, write_id, seq] = lapses.after;
        let before = lapses.ended_before;
        let [rows] = self.read([bind!(LAPSED, before, reap_at, write_id, seq, limit)]).await?;
        let is_last = i64::try_from(rows.len()).unwrap_or(i64::MAX) < limit;
        let mut released = Released { is_last, ..Released::default() };
        let mut after = lapses.after;
        let mut page = Vec::new();
        for row in rows {
            let (place, id, claim) = read(row, stamp)?;
            after = place;
            match claim {
                Ok(claim) => page.push(claim),
                Err(error) => released.refused.push((id, error)),
            }
        }
        match self.release(&page, stamp).await {
            Ok(tasks) => released.tasks = tasks,
            Err(error) if is_about_rows(&error) => {
                // One bad row fails the whole batch, so each is written alone.
                for claim in &page {
                    match self.release(std::slice::from_ref(claim), stamp).await {
                        Ok(tasks) => released.tasks.extend(tasks),
                        Err(error) if is_about_rows(&error) => {
                            released.refused.push((claim.was.task.id.clone(), error));
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
        lapses.after = after;
        Ok(released)
    }

    /// Makes tasks claimable whose delay has ended, at most `limit`. Returns how many.
    pub async fn end_delays(&self, limit: i64, stamp: Stamp) -> Result<i64> {
        let mut write = Write::new(stamp);
        let ended = write.run(bind!(END_DELAYS, stamp.now, stamp.write_id, limit));
        let scopes = self.commit(write).await?.take(ended);
        let scopes = all(scopes, |row| RowReader::new(row).next::<String>())?;
        let count = i64::try_from(scopes.len()).unwrap_or(i64::MAX);
        for scope in scopes.into_iter().collect::<BTreeSet<_>>() {
            self.hints.tell(&scope);
        }
        Ok(count)
    }

    /// Writes the changes of several tasks in one batch, and returns those that were made. A task
    /// that was renewed or submitted in between has another version and is left alone.
    async fn release(&self, page: &[Lapsed], stamp: Stamp) -> Result<Vec<Task>> {
        if page.is_empty() {
            return Ok(Vec::new());
        }
        let mut write = Write::new(stamp);
        let moved: Vec<_> =
            page.iter().map(|Lapsed { was, change }| add_change(&mut write, was, change)).collect();
        let answers = self.commit(write).await?;
        let made = page.iter().zip(moved).filter(|(_, moved)| !answers.is_empty(*moved));
        let made = made.map(|(Lapsed { was, change }, _)| {
            self.report_change(was, change, stamp);
            change.task.clone()
        });
        Ok(made.collect())
    }
}

/// Reads a row of [`LAPSED`]: its place, its id, and what is to become of it.
fn read(mut row: Row, stamp: Stamp) -> Result<(Place, String, Result<Lapsed>)> {
    let rest = row.split_off(row.len().min(4));
    let mut row = RowReader::new(row);
    let place = [row.next()?, row.next()?, row.next()?];
    let id = row.next()?;
    let claim = found(rest).and_then(|was| {
        let request = Request::Release;
        match decide(&was.situation(&request, stamp), &request)? {
            Decision::Change(change) => Ok(Lapsed { was, change: *change }),
            Decision::AsItIs => Err(StoreError::Corrupt("a lapse was made before")),
        }
    });
    Ok((place, id, claim))
}

/// Whether it was the rows that the database did not take, so that others may be taken.
fn is_about_rows(error: &StoreError) -> bool {
    let StoreError::Engine(error) = error else { return false };
    matches!(
        error,
        EngineError::Constraint(_) | EngineError::Statement(_) | EngineError::RowTooLarge
    )
}
