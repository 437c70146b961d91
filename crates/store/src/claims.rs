//! Claiming, and taking claims back.

use octopoid_domain::{
    Millis, Refusal, Task,
    flow::{self, Rules},
    queue,
    task::ClaimRequest,
    transition::{Request, decide, is_claimable},
};

use crate::{
    Result, Stamp, Store, all,
    changes::{changing, find_to_change, found},
    engine::bind,
    first,
    lists::json_unless_empty,
    row::Columns,
    sql::Sql,
    tasks::{check_roles, columns, finding_roles, rules, task},
};

/// The lanes of a queue, each found from the one before it, and those of them that fit. They are few
/// (one for each pair of role and type), so looking at the head of each finds the most urgent task
/// without passing over tasks that do not fit, however long the queue is.
macro_rules! lanes {
    ($role:literal, $kind:literal) => {
        concat!(
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
            " IN (SELECT value FROM json_each(?4)))) "
        )
    };
}

/// The same for PostgreSQL.
macro_rules! postgres_lanes {
    () => {
        lanes!("split_part(lane, chr(31), 1)", "split_part(lane, chr(31), 2)")
    };
}

/// What a claim writes.
macro_rules! take {
    () => {
        "UPDATE tasks SET queue = ?5, claimed_in = ?5, claimed_by = ?6, orchestrator_id = ?7, \
         claimed_at = ?8, updated_at = ?8, lease_expires_at = ?9, needs_intervention = 0, \
         version = version + 1, write_id = ?10, events = events + 1 "
    };
}

/// Takes the most urgent task. With one writer the head of a lane is there for the taking. Rank and
/// number are compared as one number (a task's number stays below 2^44), because a minimum needs no
/// table to sort in.
const TAKE_HEAD: &str = concat!(
    lanes!("substr(lane, 1, instr(lane, char(31)) - 1)", "substr(lane, instr(lane, char(31)) + 1)"),
    take!(),
    "WHERE seq = (SELECT MIN((SELECT claim_rank * 17592186044416 + seq FROM tasks \
     WHERE scope = ?1 AND queue = ?2 AND claim_lane = fitting.lane \
     ORDER BY claim_rank, seq LIMIT 1)) % 17592186044416 FROM fitting) \
     RETURNING ",
    columns!()
);

/// With many writers the head may be held by another claim, which is as good as gone: the claim
/// passes over it, and does not wait. A few of each lane are put in order and tried. If others hold
/// all of those, the first of any lane that nobody holds is taken; only then can a claim get less
/// than the most urgent.
const TAKE_FREE: &str = concat!(
    postgres_lanes!(),
    ", best AS (SELECT task.seq FROM fitting CROSS JOIN LATERAL \
     (SELECT seq FROM tasks WHERE scope = ?1 AND queue = ?2 AND claim_lane = fitting.lane \
     ORDER BY claim_rank, seq LIMIT 8) AS head JOIN tasks AS task ON task.seq = head.seq \
     WHERE task.scope = ?1 AND task.queue = ?2 AND task.claim_lane = fitting.lane \
     ORDER BY task.claim_rank, task.seq LIMIT 1 FOR UPDATE OF task SKIP LOCKED), \
     free AS (SELECT any_free.seq FROM fitting CROSS JOIN LATERAL \
     (SELECT seq FROM tasks WHERE scope = ?1 AND queue = ?2 AND claim_lane = fitting.lane \
     ORDER BY claim_rank, seq LIMIT 1 FOR UPDATE SKIP LOCKED) AS any_free LIMIT 1), \
     next AS (SELECT seq FROM best UNION ALL SELECT seq FROM free LIMIT 1)",
    ", taken AS (",
    take!(),
    "FROM next WHERE tasks.seq = next.seq RETURNING tasks.*), \
     told AS (INSERT INTO task_history (task_id, seq, scope, event, agent, details, at) \
     SELECT id, events, scope, CASE queue WHEN 'claimed' THEN 'claimed' ELSE 'review_claimed' END, \
     claimed_by, NULL, claimed_at FROM taken) SELECT ",
    columns!(),
    " FROM taken"
);

const CLAIM: Sql = Sql::Differs { sqlite: TAKE_HEAD, postgres: TAKE_FREE };

/// Whether something fits after all. A claim sees what was there when it began; by the time it has
/// found all of that taken, others may have come.
const LEFT: Sql = Sql::OnlyPostgres(concat!(postgres_lanes!(), "SELECT 1 FROM fitting LIMIT 1"));

/// How often a claim looks again when others took what it saw.
const TRIES: usize = 32;

/// A claim does not know its task's id, so its history finds the row by lease and mark.
/// PostgreSQL does both in one statement, which needs no BEGIN and no COMMIT around it.
const RECORD: Sql = Sql::OnlySqlite(
    "INSERT INTO task_history (task_id, seq, scope, event, agent, details, at) \
     SELECT id, events, scope, ?3, claimed_by, NULL, ?4 \
     FROM tasks WHERE reap_at = ?1 AND write_id = ?2",
);

/// Where a role claims from: as its own scope has it, or as whoever registered it last. For a caller
/// who is confined to a scope, other scopes' roles do not exist.
const CLAIMS_FROM: &str = "SELECT claims_from FROM roles WHERE name = ?1 \
     AND (?3 IS NULL OR scope = ?3) \
     ORDER BY CASE WHEN scope = ?2 THEN 0 ELSE 1 END, created_at DESC LIMIT 1";

/// Without the transitions, which say nothing about where to claim from.
const FLOWS: &str = "SELECT name, states, '[]', child_flow FROM flows WHERE scope = ?1 \
     ORDER BY CASE WHEN name = 'default' THEN 0 ELSE 1 END, name LIMIT 1000";

const LAPSED: &str = find_to_change!("reap_at < ?1 ORDER BY reap_at LIMIT ?2");

impl Store {
    /// Gives the caller a lease on the most urgent task that fits, or `None` if there is none.
    pub async fn claim_task(
        &self,
        scope: &str,
        within: Option<&str>,
        request: &ClaimRequest,
        stamp: Stamp,
    ) -> Result<Option<Task>> {
        request.check()?;
        let source = self.claim_source(scope, within, request).await?;
        let is_review = source == queue::PROVISIONAL;
        let (target, event) = if is_review {
            (queue::PROVISIONAL, "review_claimed")
        } else {
            (queue::CLAIMED, "claimed")
        };
        let expires = stamp.now.plus(request.lease_duration_seconds.as_ms());
        let (roles, kinds) = (&request.role_filter.0, &request.type_filter.0);
        for _ in 0..TRIES {
            let claim = bind!(
                CLAIM,
                scope,
                &source,
                json_unless_empty(roles),
                json_unless_empty(kinds),
                target,
                &request.agent_name.0,
                &request.orchestrator_id.0,
                stamp.now,
                expires,
                stamp.write_id,
            );
            let record = bind!(RECORD, expires, stamp.write_id, event, stamp.now);
            let [claimed, _] = self.write([claim, record]).await?;
            if let Some(claimed) = first(claimed, task)? {
                return Ok(Some(claimed));
            }
            let (roles, kinds) = (json_unless_empty(roles), json_unless_empty(kinds));
            let [left] = self.look_up([bind!(LEFT, scope, &source, roles, kinds)]).await?;
            if left.is_empty() {
                break;
            }
        }
        Ok(None)
    }

    /// Which queue a claim takes from, once its roles and its queue are known to be valid.
    async fn claim_source(
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
                if is_built_in { self.look_up(batch).await? } else { self.read(batch).await? };
            check_roles(roles, known)?;
            match asked {
                Some(queue) => check_source(queue, &all(flows, rules)?)?,
                None => {
                    if let Some(from) = first(from, |row| Columns::new(row).next())? {
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

    /// Takes back up to `limit` claims whose lease ended before `ended_before`, and returns the
    /// tasks as they are now.
    pub async fn release_lapsed(
        &self,
        ended_before: Millis,
        limit: i64,
        stamp: Stamp,
    ) -> Result<Vec<Task>> {
        let [rows] = self.read([bind!(LAPSED, ended_before, limit)]).await?;
        let mut batch = Vec::new();
        let mut released = Vec::new();
        for was in all(rows, found)? {
            let change = decide(&was.task, &Request::Release, None, stamp.now)?;
            released.push((batch.len(), change.task.clone()));
            batch.extend(changing(&was, &change, stamp));
        }
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.engine.write(batch).await?;
        // A task that was renewed or submitted in between has another version and is left alone.
        released.retain(|(index, _)| !answers[*index].is_empty());
        for (_, task) in &released {
            self.hints.tell(&task.scope);
        }
        Ok(released.into_iter().map(|(_, task)| task).collect())
    }
}

/// A queue may be named if any of the scope's flows has it, or if the scope has no default flow.
fn check_source(asked: &str, flows: &[Rules]) -> std::result::Result<(), Refusal> {
    let Some(default) = flows.iter().find(|rules| rules.name == flow::DEFAULT) else {
        return Ok(());
    };
    if flows.iter().any(|rules| rules.has_state(asked, true)) {
        return Ok(());
    }
    flow::check_queue(asked, Some(default), false)
}
