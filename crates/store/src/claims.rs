//! Claiming.

use const_format::concatcp;
use octopoid_domain::{
    Millis, Refusal, Task,
    flow::{self, Rules},
    lease::{LeaseSecret, LeaseToken},
    pause::pool_target,
    queue, run,
    task::ClaimRequest,
    transition::{is_claimable, is_in_place},
};

use crate::{
    Result, Stamp, Store, all,
    claimable::is_paused,
    engine::{Statement, bind},
    first,
    idempotency::unless_done,
    journal::into_events,
    lists::json_unless_empty,
    record::{Columns as _, Record as _},
    row::RowReader,
    runs::{Before, into_runs},
    sql::Sql,
    tasks::{check_roles, finding_roles, rules},
    write::{Answer, Write},
};

/// Whether nothing of this role is handed out to the claim: a pause covers the scope, the queue, a
/// pool that the claim would use (`?5` has their targets) or the role, or the machine is drained.
macro_rules! held_back {
    ($role:literal, $now:literal) => {
        concatcp!(
            "(",
            is_paused!(
                "?1", $now;
                "= 'scope'",
                "= 'queue:' || ?2",
                "IN (SELECT value FROM json_each(?5))",
                concat!("= 'role:' || ", $role)
            ),
            " OR EXISTS (SELECT 1 FROM orchestrators WHERE orchestrators.id = ?6 \
             AND orchestrators.scope = ?1 AND orchestrators.status = 'draining'))"
        )
    };
}

/// The lanes of a queue, each found from the one before it, and those of them that fit. They are
/// few (one for each pair of role and type), so looking at the head of each finds the most urgent
/// task without passing over tasks that do not fit, however long the queue is.
macro_rules! lanes {
    ($role:literal, $kind:literal, $now:literal) => {
        concatcp!(
            "WITH RECURSIVE lanes (lane) AS ( \
             SELECT MIN(claim_lane) FROM tasks \
             WHERE scope = ?1 AND queue = ?2 AND claim_lane > '' \
             UNION ALL SELECT (SELECT MIN(claim_lane) FROM tasks \
             WHERE scope = ?1 AND queue = ?2 AND claim_lane > lanes.lane) \
             FROM lanes WHERE lanes.lane IS NOT NULL), \
             fitting AS (SELECT lane FROM lanes WHERE lane IS NOT NULL \
             AND (?3 IS NULL OR ",
            $role,
            " IN (SELECT value FROM json_each(?3))) \
             AND (?4 IS NULL OR ",
            $kind,
            " IN (SELECT value FROM json_each(?4))) AND NOT ",
            held_back!($role, $now),
            ") "
        )
    };
}

/// The same for PostgreSQL.
macro_rules! postgres_lanes {
    () => {
        postgres_lanes!("?7")
    };
    ($now:literal) => {
        lanes!("split_part(lane, chr(31), 1)", "split_part(lane, chr(31), 2)", $now)
    };
}

/// The same for SQLite.
macro_rules! sqlite_lanes {
    () => {
        lanes!(
            "substr(lane, 1, instr(lane, char(31)) - 1)",
            "substr(lane, instr(lane, char(31)) + 1)",
            "?7"
        )
    };
}

/// The reviews whose lease has ended. They are few: some of those that a scope's reviewers hold. A
/// claim may take them as well.
macro_rules! lapsed {
    () => {
        concatcp!(
            "scope = ?1 AND queue = ?2 AND claim_lane = '' AND lease_expires_at < ?7 \
             AND (?3 IS NULL OR COALESCE(role, '') IN (SELECT value FROM json_each(?3))) \
             AND (?4 IS NULL OR COALESCE(type, '') IN (SELECT value FROM json_each(?4))) \
             AND NOT ",
            held_back!("COALESCE(role, '')", "?7"),
            " "
        )
    };
}

/// What a claim writes, how many events it records, and whether it is an attempt at the work.
macro_rules! take {
    ($events:literal, $attempts:literal) => {
        concat!(
            "UPDATE tasks SET run = run + 1, lease_run = run + 1, attempt = attempt + ",
            $attempts,
            ", queue = ?8, claimed_in = ?8, claimed_by = ?9, orchestrator_id = ?6, \
             claimed_at = ?7, updated_at = ?7, lease_expires_at = ?10, needs_intervention = 0, \
             version = version + 1, write_id = ?13, events = events + ",
            $events,
            " "
        )
    };
}

/// What a claim for review writes. That another's review has ended is an event of its own, and what
/// that run has used is added to what the task has used.
macro_rules! take_review {
    () => {
        concat!(
            take!("CASE claim_lane WHEN '' THEN 2 ELSE 1 END", "0"),
            ", usage = COALESCE((SELECT COALESCE(tasks.usage, '{}') || ' ' || runs.usage FROM runs \
             WHERE tasks.claim_lane = '' AND runs.task_id = tasks.id \
             AND runs.run = tasks.lease_run AND runs.outcome = 'running'), usage) "
        )
    };
}

/// What a claim returns: the task, and whether there are messages about it.
macro_rules! claimed {
    ($task:literal) => {
        concatcp!(
            Task::NAMES,
            ", EXISTS (SELECT 1 FROM messages WHERE messages.scope = ",
            $task,
            ".scope AND messages.task_id = ",
            $task,
            ".id AND messages.created_at >= ",
            $task,
            ".created_at)"
        )
    };
}

mod lane;
mod postgres;

/// What a claim for review chooses from: the heads of the lanes that fit, and reviews that ended.
/// Rank and number are compared as one number, as in [`TAKE_HEAD`].
macro_rules! candidates {
    () => {
        concatcp!(
            sqlite_lanes!(),
            ", candidates (place) AS (\
             SELECT (SELECT claim_rank * 17592186044416 + seq FROM tasks \
             WHERE scope = ?1 AND queue = ?2 AND claim_lane = fitting.lane \
             ORDER BY claim_rank, seq LIMIT 1) FROM fitting UNION ALL \
             SELECT claim_rank * 17592186044416 + seq FROM tasks WHERE ",
            lapsed!(),
            ") "
        )
    };
}

/// Takes the most urgent task. With one writer the head of a lane is there for the taking. Rank and
/// number are compared as one number (a task's number stays below 2^44), because a minimum needs no
/// table to sort in.
const TAKE_HEAD: &str = concatcp!(
    sqlite_lanes!(),
    take!("1", "1"),
    "WHERE seq = (SELECT MIN((SELECT claim_rank * 17592186044416 + seq FROM tasks \
     WHERE scope = ?1 AND queue = ?2 AND claim_lane = fitting.lane \
     ORDER BY claim_rank, seq LIMIT 1)) % 17592186044416 FROM fitting)",
    unless_done!("?14", "?15", "?16"),
    " RETURNING ",
    claimed!("tasks"),
    ", is_awaited"
);

/// Claims the most urgent review that has no reviewer, or whose reviewer's lease has expired.
const TAKE_REVIEW: &str = concatcp!(
    candidates!(),
    take_review!(),
    "WHERE seq = (SELECT MIN(place) % 17592186044416 FROM candidates)",
    unless_done!("?14", "?15", "?16"),
    " RETURNING ",
    claimed!("tasks"),
    ", is_awaited"
);

/// Before that: if the next to be taken is a review that has ended, history says whose it was.
/// Mostly there is none, and then nothing is looked for.
const RELEASE_REVIEW: Sql = Sql::OnlySqlite(concatcp!(
    candidates!(),
    into_events!(),
    "SELECT scope, 'task', id, events + 1, 'review_released', claimed_by, 'Lease expired', ?7, \
     version + 1, queue FROM tasks \
     WHERE claim_lane = '' AND seq = (SELECT CASE WHEN EXISTS (SELECT 1 FROM tasks \
     WHERE scope = ?1 AND queue = ?2 AND claim_lane = '' AND lease_expires_at < ?7) \
     THEN (SELECT MIN(place) % 17592186044416 FROM candidates) END)",
    unless_done!("?8", "?9", "?10")
));

const CLAIM_REVIEW: Sql =
    Sql::Differs { sqlite: TAKE_REVIEW, postgres: postgres::TAKE_FREE_REVIEW };

/// Whether something fits after all. A claim sees what was there when it began; by the time it has
/// found all of that taken, others may have come.
const LEFT: Sql = Sql::OnlyPostgres(concatcp!(postgres_lanes!(), "SELECT 1 FROM fitting LIMIT 1"));

const LEFT_REVIEW: Sql = Sql::OnlyPostgres(concatcp!(
    postgres_lanes!(),
    "SELECT 1 FROM fitting UNION ALL SELECT 1 FROM tasks WHERE ",
    lapsed!(),
    "LIMIT 1"
));

/// How often a claim looks again when others took what it saw.
const TRIES: usize = 32;

/// A claim does not know its task's id, so its history finds the row by lease and mark.
/// PostgreSQL does both in one statement, which needs no BEGIN and no COMMIT around it.
const RECORD: Sql = Sql::OnlySqlite(concat!(
    into_events!(),
    "SELECT scope, 'task', id, events, ?3, claimed_by, NULL, ?4, version, queue \
     FROM tasks WHERE reap_at = ?1 AND write_id = ?2 LIMIT 1"
));

/// The run of a claim, which is found in the same way.
const BEGIN: Sql = Sql::OnlySqlite(concat!(
    into_runs!(),
    "SELECT id, run, scope, CASE ?3 WHEN 'work' THEN attempt END, ?3, ?4, claimed_by, \
     orchestrator_id, claimed_at, 'running', ?5, ?6 FROM tasks \
     WHERE reap_at = ?1 AND write_id = ?2 LIMIT 1"
));

/// The run of a review that has ended, when another reviewer takes the task.
const LAPSE: Sql = Sql::OnlySqlite(
    "UPDATE runs SET outcome = 'lapsed', ended_by = 'release', ended_at = ?3 \
     WHERE outcome = 'running' AND (task_id, run) = \
     (SELECT id, run - 1 FROM tasks WHERE reap_at = ?1 AND write_id = ?2)",
);

/// The queue that a role claims from: as registered in its own scope, or else the last registration
/// in any. A caller that is confined to a scope sees the roles of that scope only.
const CLAIMS_FROM: &str = "SELECT claims_from FROM roles WHERE name = ?1 \
     AND (?3 IS NULL OR scope = ?3) \
     ORDER BY CASE WHEN scope = ?2 THEN 0 ELSE 1 END, created_at DESC LIMIT 1";

/// Without the transitions, which say nothing about where to claim from.
pub(crate) const FLOWS: &str = "SELECT name, states, '[]', child_flow FROM flows WHERE scope = ?1 \
     ORDER BY CASE WHEN name = 'default' THEN 0 ELSE 1 END, name LIMIT 1000";

/// A claimed task, and what is for its holder alone.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The task.
    pub task: Task,
    /// The token of the lease.
    pub token: LeaseToken,
    /// Whether it is to be worked on or reviewed.
    pub kind: run::Kind,
    /// What came before.
    pub before: Before,
}

impl Store {
    /// Gives the caller a lease on the most urgent task that fits, or `None` if there is none. The
    /// token of the lease has the secret.
    pub async fn claim_task(
        &self,
        scope: &str,
        within: Option<&str>,
        request: &ClaimRequest,
        secret: &LeaseSecret,
        stamp: Stamp,
    ) -> Result<Option<Claimed>> {
        request.check()?;
        let source = self.claim_source(scope, within, request).await?;
        let expires = stamp.now.plus(request.lease_duration_seconds.as_ms());
        for attempt in 0..TRIES {
            let mut write = self.begin(stamp);
            let work = taking(request, attempt);
            let claimed = add_claim(&mut write, work, (scope, &source), request, secret, expires);
            let claimed = first(self.commit(write).await?.take(claimed), |row| {
                let mut row = RowReader::new(row);
                let (task, has_messages) = (Task::read(&mut row)?, row.next()?);
                // Only the statements of SQLite return it, and only there are copies kept.
                let is_awaited = if self.recent.is_some() { row.next()? } else { false };
                Ok((task, has_messages, is_awaited))
            })?;
            if let Some((task, has_messages, is_awaited)) = claimed {
                let kind = kind(&source, request);
                let keys = (secret, request.run_key.0);
                self.keep_claimed((&task, is_awaited), (kind, &source), keys, stamp);
                let before = self.before(&task, has_messages).await?;
                let token = LeaseToken::new(task.run, secret);
                self.meter.claimed(&task, &source, kind);
                return Ok(Some(Claimed { task, token, kind, before }));
            }
            let [left] = self.read_by_key([looking(scope, &source, request, stamp)]).await?;
            if left.is_empty() {
                break;
            }
        }
        Ok(None)
    }

    /// Which queue a claim takes from, once its roles and its queue are known to be valid.
    pub(crate) async fn claim_source(
        &self,
        scope: &str,
        within: Option<&str>,
        request: &ClaimRequest,
    ) -> Result<String> {
        let roles = &request.role_filter.0;
        let asked = request.queue.0.as_deref();
        let is_built_in = asked.is_none_or(|queue| queue::BUILT_IN.contains(&queue));
        let mut source = asked.unwrap_or(queue::INCOMING).to_owned();
        if !roles.is_empty() || !is_built_in {
            let batch = [
                finding_roles(scope, roles),
                bind!(CLAIMS_FROM, roles.first().map(String::as_str), scope, within),
                bind!(FLOWS, (!is_built_in).then_some(scope)),
            ];
            // All flows of a scope are too much to read on the caller's thread.
            let [known, from, flows] =
                if is_built_in { self.read_by_key(batch).await? } else { self.read(batch).await? };
            check_roles(roles, known)?;
            match asked {
                Some(queue) => check_source(queue, &all(flows, rules)?)?,
                None => {
                    if let Some(from) = first(from, |row| RowReader::new(row).next())? {
                        source = from;
                    }
                }
            }
        }
        if !is_claimable(&source) {
            let text =
                format!("Cannot claim from queue \"{source}\": tasks there are held or over");
            return Err(Refusal::invalid(text).into());
        }
        Ok(source)
    }
}

/// Adds a claim to a write, with this statement if it is one for work. The answer is empty if there
/// was nothing to claim.
fn add_claim(
    write: &mut Write,
    work: Sql,
    (scope, source): (&str, &str),
    request: &ClaimRequest,
    secret: &LeaseSecret,
    expires: Millis,
) -> Answer {
    let stamp = write.stamp;
    let kind = kind(source, request);
    let is_review = kind == run::Kind::Review;
    let (sql, target, event) = if is_review {
        (CLAIM_REVIEW, source, "review_claimed")
    } else {
        (work, queue::CLAIMED, "claimed")
    };
    let hash = secret.hash();
    let key_hash = request.run_key.0.then(|| secret.run_key_hash());
    if is_review {
        let release = asking(RELEASE_REVIEW, (scope, source), request, stamp);
        write.run(write.bind_once(release));
    }
    let mut claim = asking(sql, (scope, source), request, stamp);
    claim.parameters.extend([
        target.into(),
        (&request.agent_name.0).into(),
        expires.into(),
        (&hash).into(),
        (&key_hash).into(),
        stamp.write_id.into(),
    ]);
    let claimed = write.run(write.bind_once(claim));
    write.run(bind!(RECORD, expires, stamp.write_id, event, stamp.now));
    if is_review {
        write.run(bind!(LAPSE, expires, stamp.write_id, stamp.now));
    }
    write.run(bind!(BEGIN, expires, stamp.write_id, kind.as_str(), source, &hash, &key_hash));
    write.remember_claim(expires, secret);
    claimed
}

/// The statement of a claim for work. On PostgreSQL, a claim that found nothing together with others
/// looks again by itself.
fn taking(request: &ClaimRequest, attempt: usize) -> Sql {
    let sqlite = if lane::is_one(request) { lane::TAKE_FIRST } else { TAKE_HEAD };
    if attempt == 0 {
        Sql::Merged { sqlite: Some(sqlite), postgres: postgres::TAKE_FREE, merge: postgres::MERGE }
    } else {
        Sql::Differs { sqlite, postgres: postgres::TAKE_FREE }
    }
}

/// What a claim from this queue is for.
fn kind(source: &str, request: &ClaimRequest) -> run::Kind {
    if is_in_place(source, request.in_place.0) { run::Kind::Review } else { run::Kind::Work }
}

/// A statement with what all statements of a claim have: what is asked for, the targets of the pools
/// that it would use, by which machine, and when. All but the time choose the tasks, and are the
/// same in all claims that [run as one](postgres::MERGE).
fn asking(
    sql: Sql,
    (scope, source): (&str, &str),
    request: &ClaimRequest,
    stamp: Stamp,
) -> Statement {
    let roles = json_unless_empty(&request.role_filter.0);
    let kinds = json_unless_empty(&request.type_filter.0);
    let pools: Vec<_> = request.pools.0.iter().map(|pool| pool_target(pool)).collect();
    let machine = &request.orchestrator_id.0;
    bind!(sql, scope, source, roles, kinds, json_unless_empty(&pools), machine, stamp.now)
}

/// The statement that looks whether anything is left to claim.
fn looking(scope: &str, source: &str, request: &ClaimRequest, stamp: Stamp) -> Statement {
    let is_review = kind(source, request) == run::Kind::Review;
    asking(if is_review { LEFT_REVIEW } else { LEFT }, (scope, source), request, stamp)
}

fn check_source(asked: &str, flows: &[Rules]) -> std::result::Result<(), Refusal> {
    match flow::nameable_queues(flows) {
        Some(queues) if !queues.contains(&asked) => {
            let default = flows.iter().find(|rules| rules.name == flow::DEFAULT);
            flow::check_queue(asked, default, false)
        }
        _ => Ok(()),
    }
}
