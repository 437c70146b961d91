//! Logs of runs: appending to them, reading them, and forgetting them.

use const_format::concatcp;
use octopoid_domain::{
    Millis, Refusal,
    log::{Append, Appending, Holder, LogPart, check_open, is_closed, length},
    run::Run,
};

use crate::{
    Result, Sql, Stamp, Store, all,
    changes::TRIES,
    columns::Column,
    engine::{Rows, bind},
    first,
    record::{self, Columns as _, Layout, Record as _},
    row::{RowReader, number},
    runs,
    tasks::not_found,
    write::Write,
};

pub(crate) const TABLE: Layout = Layout::internal(
    "run_logs",
    &["task_id", "run", "start"],
    &[
        Column::text("task_id"),
        Column::int("run"),
        Column::int("start"),
        Column::int("bytes"),
        Column::text("body"),
        Column::int("at"),
    ],
);

/// Pieces that are put together for one answer.
const PIECES_MAX: i64 = 1000;

/// How long after a look at a log that is still kept the jobs look again, in milliseconds.
const LOOK_AGAIN_MS: i64 = 86_400_000;

const FIND_HOLDER: &str = "SELECT scope, lease_run, run, claimed_by FROM tasks \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)";

/// Where the log of a run ends: after its last piece, which is always kept.
macro_rules! end {
    () => {
        "COALESCE((SELECT start + bytes FROM run_logs WHERE task_id = ?1 AND run = ?2 \
         ORDER BY start DESC LIMIT 1), 0)"
    };
}

const FIND_END: &str = concat!("SELECT ", end!());

/// Appends to a log that still ends at `?3`, if neither the task nor the run was deleted. Of two at
/// once, the key lets one do it.
const APPEND: &str = concat!(
    "INSERT INTO run_logs (task_id, run, start, bytes, body, at) \
     SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE ",
    end!(),
    " = ?3 AND EXISTS (SELECT 1 FROM tasks WHERE id = ?1 AND scope = ?7) \
     AND EXISTS (SELECT 1 FROM runs WHERE task_id = ?1 AND run = ?2 AND token_hash = ?8) \
     ON CONFLICT DO NOTHING RETURNING start"
);

/// Forgets the pieces that end at `?3` or before, once the piece at `?4` is there.
macro_rules! trim {
    ($what:literal, $which:literal) => {
        concat!(
            $what,
            " WHERE task_id = ?1 AND run = ?2 AND ",
            $which,
            " AND start + bytes <= ?3 AND EXISTS (SELECT 1 FROM run_logs AS added \
             WHERE added.task_id = ?1 AND added.run = ?2 AND added.start = ?4)"
        )
    };
}

const TRIM: &str = trim!("DELETE FROM run_logs", "start > 0 AND start < ?3");

/// The first piece stays, because the jobs look for it.
const TRIM_FIRST: &str =
    trim!("UPDATE run_logs SET bytes = 0, body = ''", "start = 0 AND bytes > 0");

/// The run of a log, its task's current lease, and from where to where the log is kept.
const FIND_LOG: &str = concatcp!(
    "SELECT ",
    Run::NAMES,
    ", (SELECT lease_run FROM tasks WHERE id = ?1) AS lease_run, \
     COALESCE((SELECT start FROM run_logs WHERE task_id = ?1 AND run = ?2 AND bytes > 0 \
     ORDER BY start LIMIT 1), 0) AS first_kept, ",
    end!(),
    " AS log_end FROM runs WHERE task_id = ?1 AND run = ?2 AND (?3 IS NULL OR scope = ?3)"
);

/// The pieces from the one with offset `?3` up to `?4`.
const PIECES: &str = "SELECT start, body FROM run_logs WHERE task_id = ?1 AND run = ?2 \
     AND start >= COALESCE((SELECT start FROM run_logs WHERE task_id = ?1 AND run = ?2 \
     AND start <= ?3 ORDER BY start DESC LIMIT 1), 0) AND start < ?4 ORDER BY start LIMIT ?5";

/// The logs that the jobs look at: those whose time has come, a few at a time.
macro_rules! due {
    ($locking:literal) => {
        concat!(
            "(SELECT task_id, run FROM run_logs WHERE start = 0 AND at < ?1 ORDER BY at LIMIT ?2",
            $locking,
            ")"
        )
    };
}

/// Puts off those whose task is not over, or has not been for long enough.
macro_rules! put_off {
    ($locking:literal) => {
        concat!(
            "UPDATE run_logs SET at = ?3 WHERE start = 0 AND (task_id, run) IN ",
            due!($locking),
            " AND EXISTS (SELECT 1 FROM tasks WHERE id = run_logs.task_id \
             AND (queue NOT IN ('done', 'failed', 'cancelled') OR updated_at >= ?1))"
        )
    };
}

const PUT_OFF: Sql =
    Sql::Differs { sqlite: put_off!(""), postgres: put_off!(" FOR UPDATE SKIP LOCKED") };

/// Forgets those that are due.
macro_rules! forget {
    ($locking:literal) => {
        concat!(
            "DELETE FROM run_logs WHERE (task_id, run) IN ",
            due!($locking),
            " AND NOT EXISTS (SELECT 1 FROM tasks WHERE id = run_logs.task_id \
             AND (queue NOT IN ('done', 'failed', 'cancelled') OR updated_at >= ?1)) \
             RETURNING start"
        )
    };
}

const FORGET: Sql =
    Sql::Differs { sqlite: forget!(""), postgres: forget!(" FOR UPDATE SKIP LOCKED") };

const COUNT_DUE: &str = concat!("SELECT COUNT(*) FROM ", due!(""), " AS due");

/// What is known of a log before text is appended.
struct Found {
    scope: String,
    end: i64,
}

impl Store {
    /// Appends to the log of the run whose token is presented what it does not have yet, and returns
    /// where the log ends then. Of the log, at least the last `kept` bytes are kept. Nothing else
    /// changes: a lease that has lapsed stays lapsed.
    pub async fn append_log(
        &self,
        id: &str,
        within: Option<&str>,
        body: &Append,
        kept: usize,
        stamp: Stamp,
    ) -> Result<i64> {
        let append = body.check()?;
        let mut end = 0;
        for _ in 0..TRIES {
            let found = self.find_log(id, within, &append, stamp.now).await?;
            end = found.end;
            let text = append.rest(end)?;
            if text.is_empty() {
                return Ok(end);
            }
            let mut write = Write::new(stamp);
            let (run, hash) = (append.token.run, append.token.hash());
            let bytes = length(text.len());
            let scope = &found.scope;
            let appended =
                write.run(bind!(APPEND, id, run, end, bytes, text, stamp.now, scope, hash));
            let keeps_from = end + bytes - length(kept);
            if keeps_from > 0 {
                write.run(bind!(TRIM, id, run, keeps_from, end));
                write.run(bind!(TRIM_FIRST, id, run, keeps_from, end));
            }
            if !self.commit(write).await?.is_empty(appended) {
                self.followers.tell(id, run);
                return Ok(end + bytes);
            }
        }
        Err(Refusal::LogGap { expected: end, found: append.offset }.into())
    }

    async fn find_log(
        &self,
        id: &str,
        within: Option<&str>,
        append: &Appending<'_>,
        now: Millis,
    ) -> Result<Found> {
        let token_run = append.token.run;
        let [tasks, runs, end] = self
            .read_by_key([
                bind!(FIND_HOLDER, id, within),
                bind!(runs::FIND, id, token_run),
                bind!(FIND_END, id, token_run),
            ])
            .await?;
        let (scope, task) = first(tasks, |row| {
            let mut row = RowReader::new(row);
            let scope: String = row.next()?;
            Ok((scope, Holder { lease_run: row.next()?, last_run: row.next()?, by: row.next()? }))
        })?
        .ok_or_else(|| not_found(id))?;
        let run = first(runs, record::read::<Run>)?;
        let run = run.filter(|run| run.has_token(append.token) && run.scope == scope);
        check_open(&task, run.as_ref(), now)?;
        Ok(Found { scope, end: number(end)? })
    }

    /// The part of a run's log of at most `limit` bytes that begins at an offset.
    pub async fn read_log(
        &self,
        id: &str,
        run: i64,
        within: Option<&str>,
        (offset, limit): (i64, usize),
        now: Millis,
    ) -> Result<LogPart> {
        let [rows] = self.read_by_key([bind!(FIND_LOG, id, run, within)]).await?;
        let found = first(rows, |row| {
            let mut row = RowReader::new(row);
            let found = Run::read(&mut row)?;
            let (lease_run, kept_from, end): (_, i64, i64) =
                (row.next()?, row.next()?, row.next()?);
            Ok((is_closed(&found, lease_run, now), kept_from, end))
        })?;
        let Some((is_closed, kept_from, end)) = found else {
            return Err(self.no_run(id, run, within).await);
        };
        let offset = offset.clamp(kept_from, end.max(kept_from));
        let mut part = LogPart { offset, next_offset: offset, ..LogPart::default() };
        if offset < end {
            let until = offset.saturating_add(length(limit)).min(end);
            let [pieces] = self.read([bind!(PIECES, id, run, offset, until, PIECES_MAX)]).await?;
            part = LogPart::cut(read_pieces(pieces)?, offset, limit);
        }
        part.is_complete = is_closed && part.next_offset >= end;
        Ok(part)
    }

    /// Forgets the logs of tasks that are over since before `ended_before`, looking at up to `limit`
    /// logs. Returns how many logs were forgotten, and whether there may be more.
    pub async fn forget_logs(
        &self,
        ended_before: Millis,
        limit: i64,
        stamp: Stamp,
    ) -> Result<(usize, bool)> {
        // Mostly there is none, and then nothing is written.
        let [due] = self.read([bind!(COUNT_DUE, ended_before, limit)]).await?;
        let due = number(due)?;
        if due == 0 {
            return Ok((0, false));
        }
        let mut write = Write::new(stamp);
        let again = ended_before.plus(LOOK_AGAIN_MS);
        write.run(bind!(PUT_OFF, ended_before, limit, again));
        let forgotten = write.run(bind!(FORGET, ended_before, limit));
        let rows = self.commit(write).await?.take(forgotten);
        let starts = all(rows, |row| RowReader::new(row).next::<i64>())?;
        Ok((starts.into_iter().filter(|start| *start == 0).count(), due == limit))
    }
}

fn read_pieces(rows: Rows) -> Result<Vec<(i64, String)>> {
    all(rows, |row| {
        let mut row = RowReader::new(row);
        Ok((row.next()?, row.next()?))
    })
}
