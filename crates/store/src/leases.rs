//! Renewing leases.

use const_format::concatcp;
use octopoid_domain::{
    Millis, Refusal,
    decide::{Decision, Request},
    lease::LeaseToken,
    message::Message,
    orchestrator::Status,
    steps::Renew,
};

use crate::{
    Result, Sql, Stamp, Store, all,
    changes::{CurrentTask, TRIES, add_change},
    engine::bind,
    first,
    merge::{Merge, Turn},
    record::{self, Columns as _},
    row::RowReader,
    runs::keep_output,
    write::{Answer, Write},
};

/// Renews a lease that was not taken back. The version stays: nothing was decided.
const RENEW: Sql = Sql::merged(
    "UPDATE tasks SET lease_expires_at = ?4, write_id = ?3 \
     WHERE id = ?1 AND lease_run = ?2 AND claimed_in = queue AND lease_expires_at IS NOT NULL \
     RETURNING id",
    Merge::update(Turn::Change),
);

/// What the agent reports with a renewal.
const REPORT: Sql = Sql::merged(
    "UPDATE runs SET progress = COALESCE(?4, progress), usage = COALESCE(?5, usage), \
     heard = COALESCE((SELECT seq FROM messages WHERE id = ?6 AND task_id = ?1), heard) \
     WHERE task_id = ?1 AND run = ?2 \
     AND EXISTS (SELECT 1 FROM tasks WHERE id = ?1 AND write_id = ?3)",
    Merge::update(Turn::Follow),
);

const CANCEL_REQUESTED: Sql = Sql::merged(
    "SELECT cancel_requested_at IS NOT NULL FROM tasks WHERE id = ?1",
    Merge::query(Turn::Read),
);

const MACHINE: Sql = Sql::merged(
    "SELECT status FROM orchestrators WHERE id = ?1 AND scope = ?2",
    Merge::query(Turn::Read),
);

/// Messages to the agent of a task since its claim, after those that it knows.
const MESSAGES: Sql = Sql::merged(
    concatcp!(
        "SELECT ",
        Message::NAMES,
        " FROM messages WHERE scope = ?1 AND task_id = ?2 AND created_at >= ?3 \
         AND seq > COALESCE((SELECT seq FROM messages WHERE id = ?4 AND task_id = ?2), 0) \
         AND to_actor IN ('agent', ?5) AND type <> 'action_command' \
         ORDER BY seq LIMIT 20"
    ),
    Merge::query(Turn::Read),
);

/// A renewed lease, and what its agent should know.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// The run.
    pub run: i64,
    /// The scope of the task.
    pub scope: String,
    /// When the lease ends.
    pub lease_expires_at: Millis,
    /// Whether the task is to be cancelled.
    pub is_cancelled: bool,
    /// Whether the agent's machine is being drained.
    pub is_draining: bool,
    /// Messages to the agent.
    pub messages: Vec<Message>,
}

impl Store {
    /// Renews the lease whose token is presented. One that lapsed and was taken back is resumed, if
    /// nobody has claimed the task since.
    pub async fn renew_task(
        &self,
        id: &str,
        within: Option<&str>,
        body: &Renew,
        stamp: Stamp,
    ) -> Result<Renewed> {
        body.check()?;
        let request = Request::Renew(Box::new(body.clone()));
        let step = request.step();
        let Some(token) = request.token() else {
            return Err(Refusal::invalid("Missing required field: lease_token").into());
        };
        let end = stamp.now.plus(body.lease_duration_seconds.as_ms());
        for _ in 0..TRIES {
            let was = self.find_to_change(id, within, &request).await?;
            let decision = self.decide(&was, &request, stamp)?;
            let mut write = Write::new(stamp);
            let renewed = match decision {
                Decision::Change(change) if !was.task.is_held() => {
                    add_change(&mut write, &was, &change)
                }
                _ => write.run(bind!(RENEW, id, token.run, stamp.write_id, end)),
            };
            report(&mut write, id, token, body)?;
            let told = Told::add(&mut write, &was, body);
            let mut answers = self.commit(write).await?;
            if answers.is_empty(renewed) {
                continue;
            }
            self.drop_copy(id);
            let flag = |row| RowReader::new(row).next::<bool>();
            let status =
                first(answers.take(told.machine), |row| RowReader::new(row).next::<Status>())?;
            return Ok(Renewed {
                run: token.run,
                scope: was.task.scope,
                lease_expires_at: end,
                is_cancelled: first(answers.take(told.cancelled), flag)?.unwrap_or_default(),
                is_draining: status == Some(Status::Draining),
                messages: all(answers.take(told.messages), record::read)?,
            });
        }
        Err(Refusal::Race { step }.into())
    }
}

/// Adds what the agent reports to the renewal.
fn report(write: &mut Write, id: &str, token: &LeaseToken, body: &Renew) -> Result<()> {
    let stamp = write.stamp;
    let progress = body.progress.as_ref().map(|progress| progress.at(stamp.now)).transpose()?;
    let progress = progress.and_then(|progress| serde_json::to_string(&progress).ok());
    let usage = body.usage.as_ref().map(octopoid_domain::usage::Usage::text);
    if progress.is_some() || usage.is_some() || body.messages_after.0.is_some() {
        let after = &body.messages_after.0;
        write.run(bind!(REPORT, id, token.run, stamp.write_id, progress, usage, after));
    }
    if let Some(checkpoint) = body.checkpoint.text()? {
        write.run(keep_output(id, token.run, "checkpoint", &checkpoint, stamp));
    }
    Ok(())
}

/// The answers that tell the agent what to do.
struct Told {
    cancelled: Answer,
    machine: Answer,
    messages: Answer,
}

impl Told {
    fn add(write: &mut Write, was: &CurrentTask, body: &Renew) -> Self {
        let task = &was.task;
        let (agent, machine, since) = match &was.lease {
            Some(run) => (&run.agent, &run.orchestrator_id, run.started_at),
            None => (&task.claim.by, &task.claim.orchestrator_id, task.created_at),
        };
        Self {
            cancelled: write.run(bind!(CANCEL_REQUESTED, &task.id)),
            machine: write.run(bind!(MACHINE, machine, &task.scope)),
            messages: write.run(bind!(
                MESSAGES,
                &task.scope,
                &task.id,
                since,
                &body.messages_after.0,
                agent,
            )),
        }
    }
}
