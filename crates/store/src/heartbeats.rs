//! Heartbeats: noting that a machine is alive, and renewing its leases, all in one batch.

use std::collections::HashMap;

use octopoid_domain::{
    Millis,
    event::{Kind, NewEvent},
    heartbeat::{Heartbeat, HeartbeatRequest, LeaseAnswer, LeaseEntry, MachineDirective},
    input::{Count, Texts},
    lease::Directive,
    orchestrator::Status,
};
use serde_json::json;

use crate::{
    Result, Sql, Stamp, Store, all,
    engine::{Rows, bind},
    first,
    journal::Subject,
    orchestrators::not_found,
    row::RowReader,
    write::Write,
};

/// Only an offline machine is marked: other heartbeats are not events. What a heartbeat leaves out
/// stays.
const HEARTBEAT: &str = "UPDATE orchestrators SET last_heartbeat = ?3, \
     write_id = CASE status WHEN 'offline' THEN ?4 ELSE write_id END, \
     status = CASE status WHEN 'offline' THEN 'active' ELSE status END, \
     slots = COALESCE(?5, slots), busy = COALESCE(?6, busy), roles = COALESCE(?7, roles), \
     queues = COALESCE(?8, queues), pools = COALESCE(?9, pools), \
     version = COALESCE(?10, version) \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) RETURNING last_heartbeat, status";

/// The entries of a heartbeat that have a token, from one parameter.
macro_rules! leases {
    () => {
        "(SELECT json_extract(value, '$.n') AS n, json_extract(value, '$.task') AS task, \
         json_extract(value, '$.run') AS lease_of, json_extract(value, '$.hash') AS hash, \
         json_extract(value, '$.until') AS until FROM json_each(?1)) AS lease"
    };
}

/// The same for PostgreSQL.
macro_rules! postgres_leases {
    () => {
        "(SELECT n, task, run AS lease_of, hash, until FROM json_to_recordset(?1::json) \
         AS given (n bigint, task text, run bigint, hash text, until bigint)) AS lease"
    };
}

/// Tasks whose current token an entry has, as far as the caller sees them (`?3`).
macro_rules! is_current {
    () => {
        "tasks.id = lease.task AND tasks.lease_run = lease.lease_of \
         AND (?3 IS NULL OR tasks.scope = ?3) AND EXISTS (SELECT 1 FROM runs \
         WHERE runs.task_id = lease.task AND runs.run = lease.lease_of \
         AND runs.token_hash = lease.hash)"
    };
}

/// Of those, the ones that were not taken back, if the machine is known (`?4`). The version stays:
/// nothing was decided.
macro_rules! goes_on {
    () => {
        concat!(
            is_current!(),
            " AND tasks.claimed_in = tasks.queue AND tasks.lease_expires_at IS NOT NULL \
             AND EXISTS (SELECT 1 FROM orchestrators WHERE orchestrators.id = ?4 \
             AND (?3 IS NULL OR orchestrators.scope = ?3))"
        )
    };
}

/// PostgreSQL locks the rows in the order of their ids first, so that no two heartbeats wait for
/// each other.
const RENEW: Sql = Sql::Differs {
    sqlite: concat!(
        "UPDATE tasks SET lease_expires_at = lease.until, write_id = ?2 FROM ",
        leases!(),
        " WHERE ",
        goes_on!()
    ),
    postgres: concat!(
        "WITH held AS (SELECT tasks.seq, lease.until FROM ",
        postgres_leases!(),
        " JOIN tasks ON ",
        goes_on!(),
        " ORDER BY tasks.id FOR UPDATE OF tasks) \
         UPDATE tasks SET lease_expires_at = held.until, write_id = ?2 \
         FROM held WHERE tasks.seq = held.seq"
    ),
};

/// What became of the entries whose token is current: their numbers, when those leases end that were
/// renewed, whether their tasks are to be cancelled, and whether there are messages to their agents.
macro_rules! told {
    ($leases:expr) => {
        concat!(
            "SELECT n, CASE WHEN tasks.write_id = ?2 THEN lease_expires_at END AS ends_at, \
             cancel_requested_at IS NOT NULL AS is_cancelled, \
             EXISTS (SELECT 1 FROM messages WHERE messages.scope = tasks.scope \
             AND messages.task_id = tasks.id AND messages.created_at >= runs.started_at \
             AND messages.seq > COALESCE(runs.heard, 0) \
             AND messages.to_actor IN ('agent', runs.agent) \
             AND messages.type <> 'action_command') AS has_messages FROM ",
            $leases,
            " JOIN tasks ON tasks.id = lease.task AND tasks.lease_run = lease.lease_of \
             JOIN runs ON runs.task_id = lease.task AND runs.run = lease.lease_of \
             AND runs.token_hash = lease.hash WHERE ?3 IS NULL OR tasks.scope = ?3"
        )
    };
}

const TOLD: Sql = Sql::Differs { sqlite: told!(leases!()), postgres: told!(postgres_leases!()) };

impl Store {
    /// Notes that an orchestrator is alive, and what it says of itself, and renews its leases. One
    /// that was offline is active again; one in maintenance or being drained stays there.
    pub async fn note_heartbeat(
        &self,
        id: &str,
        within: Option<&str>,
        body: &HeartbeatRequest,
        stamp: Stamp,
    ) -> Result<Heartbeat> {
        body.check()?;
        let mut write = Write::new(stamp);
        let noted = write.run(bind!(
            HEARTBEAT,
            id,
            within,
            stamp.now,
            stamp.write_id,
            body.slots.map(|Count(slots)| slots),
            body.busy.map(|Count(busy)| busy),
            names(body.roles.as_ref()),
            names(body.queues.as_ref()),
            names(body.pools.as_ref()),
            &body.version.0,
        ));
        write.record(Subject::Orchestrator(id), &NewEvent::new(Kind::CameOnline, None));
        let entries = body.leases.as_deref();
        let given = entries.and_then(|entries| given(entries, stamp.now));
        let told = given.map(|given| {
            write.run(bind!(RENEW, &given, stamp.write_id, within, id));
            write.run(bind!(TOLD, &given, stamp.write_id, within))
        });
        let mut answers = self.commit(write).await?;
        let (last_heartbeat, status): (Millis, Status) = first(answers.take(noted), |row| {
            let mut row = RowReader::new(row);
            Ok((row.next()?, row.next()?))
        })?
        .ok_or_else(not_found)?;
        let told = told.map(|told| answers.take(told)).unwrap_or_default();
        let leases = entries.map(|entries| answered(entries, told, status)).transpose()?;
        let directive = MachineDirective::of(status);
        Ok(Heartbeat { success: true, last_heartbeat, directive, leases })
    }
}

/// A list of names as it is stored, if there is one.
fn names(list: Option<&Texts>) -> Option<String> {
    list.map(|Texts(names)| json!(names).to_string())
}

/// The entries that have a token as one parameter, each with its number; `None` if there are none.
fn given(entries: &[LeaseEntry], now: Millis) -> Option<String> {
    let given: Vec<_> = (0_i64..)
        .zip(entries)
        .filter_map(|(n, entry)| {
            let (task, token) = entry.task_id.0.as_deref().zip(entry.lease_token.0.as_ref())?;
            let until = now.plus(entry.lease_duration_seconds.as_ms()).0;
            let (run, hash) = (token.run, token.hash());
            Some(json!({"n": n, "task": task, "run": run, "hash": hash, "until": until}))
        })
        .collect();
    (!given.is_empty()).then(|| json!(given).to_string())
}

/// The answers about all entries, in their order.
fn answered(entries: &[LeaseEntry], told: Rows, machine: Status) -> Result<Vec<LeaseAnswer>> {
    let current: HashMap<i64, LeaseAnswer> = all(told, |row| {
        let mut row = RowReader::new(row);
        let (n, ends_at): (i64, Option<Millis>) = (row.next()?, row.next()?);
        let (is_cancelled, has_messages) = (row.next()?, row.next()?);
        let directive = Directive::of(is_cancelled, machine == Status::Draining);
        let answer = match ends_at {
            Some(until) => LeaseAnswer::renewed(until, directive, has_messages),
            None => LeaseAnswer::lapsed(has_messages),
        };
        Ok((n, answer))
    })?
    .into_iter()
    .collect();
    let answers = (0..).zip(entries).map(|(n, entry)| {
        let answer = current.get(&n).cloned().unwrap_or_else(LeaseAnswer::lost);
        LeaseAnswer { task_id: entry.task_id.0.clone(), ..answer }
    });
    Ok(answers.collect())
}
