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
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) \
     RETURNING last_heartbeat, status, scope, slots, busy";

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
/// renewed, whether their tasks are to be cancelled, whether there are messages to their agents, and
/// the scopes.
macro_rules! told {
    ($leases:expr) => {
        concat!(
            "SELECT n, CASE WHEN tasks.write_id = ?2 THEN lease_expires_at END AS ends_at, \
             cancel_requested_at IS NOT NULL AS is_cancelled, \
             EXISTS (SELECT 1 FROM messages WHERE messages.scope = tasks.scope \
             AND messages.task_id = tasks.id AND messages.created_at >= runs.started_at \
             AND messages.seq > COALESCE(runs.heard, 0) \
             AND messages.to_actor IN ('agent', runs.agent) \
             AND messages.type <> 'action_command') AS has_messages, tasks.scope AS scope FROM ",
            $leases,
            " JOIN tasks ON tasks.id = lease.task AND tasks.lease_run = lease.lease_of \
             JOIN runs ON runs.task_id = lease.task AND runs.run = lease.lease_of \
             AND runs.token_hash = lease.hash WHERE ?3 IS NULL OR tasks.scope = ?3"
        )
    };
}

const TOLD: Sql = Sql::Differs { sqlite: told!(leases!()), postgres: told!(postgres_leases!()) };

/// A heartbeat that was noted.
#[derive(Clone, Debug)]
pub struct Beat {
    /// What the machine is told.
    pub answer: Heartbeat,
    /// The scope of the machine.
    pub scope: String,
    /// Its status.
    pub status: Status,
    /// How many agents it can run at the same time, if it has said so.
    pub slots: Option<i64>,
    /// How many it runs, if it has said so.
    pub busy: Option<i64>,
    /// The leases that were renewed, in the order of the request.
    pub renewed: Vec<RenewedLease>,
}

/// A lease that a heartbeat has renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewedLease {
    /// The task.
    pub task_id: String,
    /// The run.
    pub run: i64,
    /// The scope of the task.
    pub scope: String,
    /// When the lease ends.
    pub lease_expires_at: Millis,
}

/// What became of an entry whose token is current.
struct Told {
    answer: LeaseAnswer,
    scope: String,
}

impl Store {
    /// Notes that an orchestrator is alive, and what it says of itself, and renews its leases. One
    /// that was offline is active again; one in maintenance or being drained stays there.
    pub async fn note_heartbeat(
        &self,
        id: &str,
        within: Option<&str>,
        body: &HeartbeatRequest,
        stamp: Stamp,
    ) -> Result<Beat> {
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
        let noted = first(answers.take(noted), |row| {
            let mut row = RowReader::new(row);
            let (last_heartbeat, status): (_, Status) = (row.next()?, row.next()?);
            let directive = MachineDirective::of(status);
            Ok(Beat {
                answer: Heartbeat { success: true, last_heartbeat, directive, leases: None },
                scope: row.next()?,
                status,
                slots: row.next()?,
                busy: row.next()?,
                renewed: Vec::new(),
            })
        })?;
        let mut beat = noted.ok_or_else(not_found)?;
        if let Some(entries) = entries {
            let rows = told.map(|told| answers.take(told)).unwrap_or_default();
            let told = read_told(rows, beat.status)?;
            beat.renewed = renewed(entries, &told);
            beat.renewed.iter().for_each(|lease| self.drop_copy(&lease.task_id));
            beat.answer.leases = Some(answered(entries, &told));
        }
        Ok(beat)
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

/// What became of the entries whose tokens are current, by their numbers.
fn read_told(rows: Rows, machine: Status) -> Result<HashMap<i64, Told>> {
    let told = all(rows, |row| {
        let mut row = RowReader::new(row);
        let (n, ends_at): (i64, Option<Millis>) = (row.next()?, row.next()?);
        let (is_cancelled, has_messages) = (row.next()?, row.next()?);
        let directive = Directive::of(is_cancelled, machine == Status::Draining);
        let answer = match ends_at {
            Some(until) => LeaseAnswer::renewed(until, directive, has_messages),
            None => LeaseAnswer::lapsed(has_messages),
        };
        Ok((n, Told { answer, scope: row.next()? }))
    })?;
    Ok(told.into_iter().collect())
}

/// The answers about all entries, in their order.
fn answered(entries: &[LeaseEntry], told: &HashMap<i64, Told>) -> Vec<LeaseAnswer> {
    let answers = (0..).zip(entries).map(|(n, entry)| {
        let answer = told.get(&n).map_or_else(LeaseAnswer::lost, |told| told.answer.clone());
        LeaseAnswer { task_id: entry.task_id.0.clone(), ..answer }
    });
    answers.collect()
}

/// The leases that go on, in the order of their entries.
fn renewed(entries: &[LeaseEntry], told: &HashMap<i64, Told>) -> Vec<RenewedLease> {
    let renewed = (0..).zip(entries).filter_map(|(n, entry)| {
        let Told { answer, scope } = told.get(&n)?;
        Some(RenewedLease {
            task_id: entry.task_id.0.clone()?,
            run: entry.lease_token.0.as_ref()?.run,
            scope: scope.clone(),
            lease_expires_at: answer.lease_expires_at?,
        })
    });
    renewed.collect()
}
