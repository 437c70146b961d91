//! Why tasks wait: the facts, of which the domain makes reasons. Whether a task can be claimed is
//! decided by the condition of the claims themselves.

use std::collections::HashMap;

use const_format::concatcp;
use octopoid_domain::{
    Millis, Task,
    flow::{Rules, nameable_queues},
    pause::Pause,
    why::{Blocker, Facts, OpenQuestion, Waiting, Why, advice, reasons},
};

use crate::{
    Result, Store, all,
    claimable::is_claimable,
    claims::FLOWS,
    engine::{Parameter, Row, Statement, bind},
    first,
    lists::json,
    record::{self, Columns as _, Record as _},
    row::RowReader,
    tasks::{not_found, rules},
};

/// The scope of the task `?1`, which a caller that is confined to `?2` may see.
macro_rules! scope_of {
    () => {
        "(SELECT scope FROM tasks WHERE id = ?1 AND (?2 IS NULL OR scope = ?2))"
    };
}

const FIND: &str = concatcp!(
    "SELECT ",
    Task::NAMES,
    ", CASE WHEN ",
    is_claimable!("tasks.scope", "?3"),
    " THEN 1 ELSE 0 END AS is_claimable FROM tasks \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)"
);

const FLOWS_OF: &str = concat!(
    "SELECT name, states, '[]', child_flow FROM flows WHERE scope = ",
    scope_of!(),
    " LIMIT 1000"
);

/// A blocker of another scope is unknown.
const BLOCKERS: &str = "SELECT pair.blocker_id, blocker.queue FROM task_blockers AS pair \
     LEFT JOIN tasks AS blocker ON blocker.id = pair.blocker_id AND blocker.scope = pair.scope \
     WHERE pair.task_id = ?1 ORDER BY pair.position LIMIT 1000";

/// The pairs that lead on from the task, the near ones first; as many as the check for cycles sees.
/// As there, what is joined to the scope keeps its index out of the plan.
const LINKS: &str = "WITH RECURSIVE links (task_id, blocker_id) AS ( \
     SELECT task_id, blocker_id FROM task_blockers WHERE task_id = ?1 \
     AND scope || '' = (SELECT scope FROM tasks WHERE id = ?1) \
     UNION SELECT pair.task_id, pair.blocker_id FROM links \
     JOIN task_blockers AS pair ON pair.task_id = links.blocker_id \
     WHERE pair.scope || '' = (SELECT scope FROM tasks WHERE id = ?1)) \
     SELECT task_id, blocker_id FROM links LIMIT 1000";

const PAUSES_OF: &str = concatcp!(
    "SELECT ",
    Pause::NAMES,
    " FROM pauses WHERE scope = ",
    scope_of!(),
    " AND (until IS NULL OR until > ?3) ORDER BY target LIMIT 1000"
);

const QUESTION: &str = concat!(
    "SELECT id, label FROM actions WHERE scope = ",
    scope_of!(),
    " AND entity_id = ?1 AND entity_type = 'task' AND action_type = 'question' \
     AND status NOT IN ('completed', 'failed', 'expired') ORDER BY seq DESC LIMIT 1"
);

/// The roles that live machines have named.
const MACHINES: &str = concat!(
    "SELECT roles FROM orchestrators WHERE scope = ",
    scope_of!(),
    " AND status = 'active' AND last_heartbeat >= ?3 LIMIT 1000"
);

/// Which of some tasks can be claimed, the queue aside.
const CLAIMABLE: &str = concatcp!(
    "SELECT id FROM tasks WHERE id IN (SELECT value FROM json_each(?2)) AND ",
    is_claimable!("?1", "?3")
);

/// The first blocker of each of some tasks.
const FIRST_BLOCKERS: &str = "SELECT pair.task_id, pair.blocker_id, blocker.queue FROM task_blockers AS pair \
     LEFT JOIN tasks AS blocker ON blocker.id = pair.blocker_id AND blocker.scope = pair.scope \
     WHERE pair.task_id IN (SELECT value FROM json_each(?1)) AND pair.position = \
     (SELECT MIN(position) FROM task_blockers AS other WHERE other.task_id = pair.task_id)";

const PAUSES: &str = concatcp!(
    "SELECT ",
    Pause::NAMES,
    " FROM pauses WHERE scope = ?1 AND (until IS NULL OR until > ?2) ORDER BY target LIMIT 1000"
);

impl Store {
    /// Why a task waits. `silent_since` is when machines that are alive have been heard of since;
    /// `within` confines the caller to a scope.
    pub async fn explain_task(
        &self,
        id: &str,
        within: Option<&str>,
        silent_since: Millis,
        now: Millis,
    ) -> Result<Why> {
        let [found, flows, blockers, links, pauses, question, machines] = self
            .read([
                bind!(FIND, id, within, now),
                bind!(FLOWS_OF, id, within),
                bind!(BLOCKERS, id),
                bind!(LINKS, id),
                bind!(PAUSES_OF, id, within, now),
                bind!(QUESTION, id, within),
                bind!(MACHINES, id, within, silent_since),
            ])
            .await?;
        let found = first(found, |row| {
            let mut row = RowReader::new(row);
            Ok((Task::read(&mut row)?, row.next::<bool>()?))
        })?;
        let (task, is_claimable) = found.ok_or_else(|| not_found(id))?;
        let is_nameable = is_nameable(&all(flows, rules)?, &task.queue);
        let question = first(question, open_question)?;
        let facts = Facts {
            task: &task,
            now,
            is_nameable,
            blockers: &all(blockers, |row| blocker(&mut RowReader::new(row)))?,
            links: &all(links, pair)?,
            pauses: &all(pauses, record::read)?,
            question: question.as_ref(),
        };
        let mut reasons = reasons(&facts);
        reasons.extend(advice(&task, &all(machines, roles)?));
        Ok(Why { claimable: is_claimable && is_nameable, reasons })
    }

    /// For each of some tasks of a scope, the first reason why it waits; `None` if it can be
    /// claimed.
    pub async fn explain_tasks(
        &self,
        scope: &str,
        tasks: &[Task],
        now: Millis,
    ) -> Result<Vec<Option<Waiting>>> {
        let ids: Vec<_> = tasks.iter().map(|task| task.id.clone()).collect();
        let [claimable, blockers, pauses, flows] = self
            .read([
                bind!(CLAIMABLE, scope, json(&ids), now),
                bind!(FIRST_BLOCKERS, json(&ids)),
                bind!(PAUSES, scope, now),
                bind!(FLOWS, scope),
            ])
            .await?;
        let claimable: Vec<String> = all(claimable, |row| RowReader::new(row).next())?;
        let blockers: HashMap<String, Blocker> = all(blockers, |row| {
            let mut row = RowReader::new(row);
            Ok((row.next()?, blocker(&mut row)?))
        })?
        .into_iter()
        .collect();
        let (flows, pauses) = (all(flows, rules)?, all(pauses, record::read)?);
        let waiting = |task: &Task| {
            let is_nameable = is_nameable(&flows, &task.queue);
            if is_nameable && claimable.contains(&task.id) {
                return None;
            }
            let blocker = blockers.get(&task.id).cloned();
            let facts = Facts {
                task,
                now,
                is_nameable,
                blockers: blocker.as_slice(),
                links: &[],
                pauses: &pauses,
                question: None,
            };
            reasons(&facts).into_iter().next().map(Waiting::from)
        };
        Ok(tasks.iter().map(waiting).collect())
    }

    /// The queues that a claim may name in a scope, as a parameter for `claimable::is_nameable`.
    pub(crate) async fn nameable_queues(&self, scope: &str) -> Result<Parameter> {
        let [flows] = self.read([finding_flows(scope)]).await?;
        let flows = all(flows, rules)?;
        let queues = nameable_queues(&flows);
        let text = queues.map(|queues| serde_json::Value::from(queues).to_string());
        Ok(text.into())
    }
}

fn finding_flows(scope: &str) -> Statement {
    bind!(FLOWS, scope)
}

/// Whether a claim may name a queue.
fn is_nameable(flows: &[Rules], queue: &str) -> bool {
    nameable_queues(flows).is_none_or(|queues| queues.contains(&queue))
}

fn blocker(row: &mut RowReader) -> Result<Blocker> {
    Ok(Blocker { id: row.next()?, queue: row.next()? })
}

fn pair(row: Row) -> Result<(String, String)> {
    let mut row = RowReader::new(row);
    Ok((row.next()?, row.next()?))
}

fn open_question(row: Row) -> Result<OpenQuestion> {
    let mut row = RowReader::new(row);
    Ok(OpenQuestion { id: row.next()?, label: row.next()? })
}

/// The roles that a machine has named. One that has named none takes all.
fn roles(row: Row) -> Result<Option<Vec<String>>> {
    let text: Option<String> = RowReader::new(row).next()?;
    let named = text.and_then(|text| serde_json::from_str::<Vec<String>>(&text).ok());
    Ok(named.filter(|names| !names.is_empty()))
}
