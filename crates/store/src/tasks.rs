//! Tasks: creating, reading, changing and deleting them.

use octopoid_domain::{
    Refusal, Task,
    event::{Kind, NewEvent},
    flow::{Rules, check_queue},
    limits::{lane, listed, shown, too_many_lanes},
    queue,
    task::blockers,
};

use crate::{
    Result, Stamp, Store, StoreError, counts,
    cycles::closes_cycle,
    dependencies,
    engine::{Row, Statement, bind},
    first, history,
    lists::json,
    locks::Lock,
    row::RowReader,
};

/// The columns of a task, in the order [`task`] reads them.
macro_rules! columns {
    () => {
        "id, file_path, queue, priority, complexity, role, branch, blocked_by, claimed_by, \
         claimed_at, commits_count, turns_used, attempt_count, has_plan, plan_id, project_id, \
         auto_accept, rejection_count, pr_number, pr_url, checks, check_results, needs_rebase, \
         last_rebase_attempt_at, staging_url, submitted_at, completed_at, created_at, updated_at, \
         orchestrator_id, lease_expires_at, version, needs_breakdown, review_round, \
         execution_notes, title, type, hooks, flow, flow_overrides, scope, needs_intervention, \
         claimed_in, content"
    };
}
pub(crate) use columns;

/// Reads a row of these columns.
pub(crate) fn task(row: Row) -> Result<Task> {
    task_columns(&mut RowReader::new(row))
}

/// Reads these columns where others follow.
pub(crate) fn task_columns(row: &mut RowReader) -> Result<Task> {
    Ok(Task {
        id: row.next()?,
        file_path: row.next()?,
        queue: row.next()?,
        priority: row.next()?,
        complexity: row.next()?,
        role: row.next()?,
        branch: row.next()?,
        blocked_by: row.next()?,
        claimed_by: row.next()?,
        claimed_at: row.next()?,
        commits_count: row.next()?,
        turns_used: row.next()?,
        attempt_count: row.next()?,
        has_plan: row.next()?,
        plan_id: row.next()?,
        project_id: row.next()?,
        auto_accept: row.next()?,
        rejection_count: row.next()?,
        pr_number: row.next()?,
        pr_url: row.next()?,
        checks: row.next()?,
        check_results: row.next()?,
        needs_rebase: row.next()?,
        last_rebase_attempt_at: row.next()?,
        staging_url: row.next()?,
        submitted_at: row.next()?,
        completed_at: row.next()?,
        created_at: row.next()?,
        updated_at: row.next()?,
        orchestrator_id: row.next()?,
        lease_expires_at: row.next()?,
        version: row.next()?,
        needs_breakdown: row.next()?,
        review_round: row.next()?,
        execution_notes: row.next()?,
        title: row.next()?,
        kind: row.next()?,
        hooks: row.next()?,
        flow: row.next()?,
        flow_overrides: row.next()?,
        scope: row.next()?,
        needs_intervention: row.next()?,
        claimed_in: row.next()?,
        content: row.next()?,
    })
}

/// A caller confined to a scope does not see the tasks of others.
pub(crate) const FIND: &str =
    concat!("SELECT ", columns!(), " FROM tasks WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)");

const FIND_FLOW: &str =
    "SELECT name, states, transitions, child_flow FROM flows WHERE scope = ?1 AND name = ?2";

/// A project lends its branch; one of another scope is no project of this task's. One of no scope is
/// for callers whom no key confines (`?19`). Events and versions go on where those of an earlier task
/// of this id ended.
macro_rules! insert {
    ($condition:expr) => {
        concat!(
            "INSERT INTO tasks (id, file_path, queue, priority, complexity, role, branch, \
             commits_count, attempt_count, has_plan, project_id, auto_accept, rejection_count, \
             needs_rebase, created_at, updated_at, version, needs_breakdown, review_round, title, \
             type, hooks, flow, flow_overrides, scope, needs_intervention, write_id, content, \
             events, is_awaited) \
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, COALESCE((SELECT NULLIF(branch, '') FROM projects \
             WHERE id = ?8 AND (scope = ?16 OR scope IS NULL AND ?19 = 1)), ?7), 0, 0, 0, ?8, ?9, 0, 0, ?10, \
             ?10, COALESCE((SELECT version FROM task_history WHERE task_id = ?1 \
             AND version IS NOT NULL ORDER BY seq DESC LIMIT 1), 0) + 1, \
             0, 0, ?11, ?12, ?13, ?14, ?15, ?16, 0, ?17, ?18, \
             (SELECT COALESCE(MAX(seq), 0) + 1 FROM task_history WHERE task_id = ?1), \
             CASE WHEN EXISTS (SELECT 1 FROM task_blockers WHERE scope = ?16 \
             AND blocker_id = ?1) THEN 1 ELSE 0 END \
             WHERE (?8 IS NULL OR EXISTS (SELECT 1 FROM projects WHERE id = ?8 \
             AND (scope = ?16 OR scope IS NULL AND ?19 = 1)))",
            $condition,
            " ON CONFLICT DO NOTHING RETURNING branch, version"
        )
    };
}

/// A task that waits must not wait for itself.
macro_rules! unless_cycle {
    () => {
        concat!(
            " AND NOT ",
            closes_cycle!(
                "EXISTS (SELECT 1 FROM task_blockers WHERE scope = ?16 AND blocker_id = ?1)",
                "?1",
                "?16",
                "?20"
            )
        )
    };
}

const INSERT: &str = insert!("");

const INSERT_WAITING: &str = insert!(unless_cycle!());

/// The condition is the same as for a project made from a draft.
const INSERT_FROM_DRAFT: &str = insert!(concat!(
    unless_cycle!(),
    " AND EXISTS (SELECT 1 FROM drafts WHERE id = ?21 AND linked_task_id IS NULL \
     AND linked_project_id IS NULL)"
));

/// Why nothing was inserted: the id is taken, or the path is.
const TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM tasks WHERE id = ?1), \
     EXISTS (SELECT 1 FROM tasks WHERE scope = ?2 AND file_path = ?3)";

/// Which of the named roles the scope has, and the first of all it has, for the error that lists them:
/// one more than that shows.
const ROLES: &str = "SELECT name, 1 = 1 FROM roles WHERE scope = ?1 \
     AND name IN (SELECT value FROM json_each(?2)) \
     UNION ALL SELECT * FROM (SELECT name, 1 = 0 FROM roles WHERE scope = ?1 \
     ORDER BY name LIMIT 21) AS first";

/// Whether a task would be the first of its lane in a queue that has as many lanes as a claim looks
/// at. They are counted only for the first of a lane.
const CROWDED: &str = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM tasks \
     WHERE scope = ?1 AND queue = ?2 AND claim_lane = ?3) \
     AND (SELECT COUNT(*) FROM (WITH RECURSIVE lanes (lane) AS ( \
     SELECT MIN(claim_lane) FROM tasks WHERE scope = ?1 AND queue = ?2 AND claim_lane > '' \
     UNION ALL SELECT (SELECT MIN(claim_lane) FROM tasks \
     WHERE scope = ?1 AND queue = ?2 AND claim_lane > lanes.lane) \
     FROM lanes WHERE lanes.lane IS NOT NULL) \
     SELECT lane FROM lanes LIMIT 1001) AS few WHERE lane IS NOT NULL) >= 1000";

/// Marks a task before it is deleted, so that what follows in the batch can tell whether it was.
const MARK: &str = concat!(
    "UPDATE tasks SET write_id = ?3, events = events + 1 \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) RETURNING ",
    columns!()
);

const DELETE: &str = "DELETE FROM tasks WHERE id = ?1 AND write_id = ?2";

pub(crate) fn rules(row: Row) -> Result<Rules> {
    let mut row = RowReader::new(row);
    let name: String = row.next()?;
    rules_columns(&name, &mut row)
}

/// Reads the columns of a flow's rules that follow its name.
pub(crate) fn rules_columns(name: &str, row: &mut RowReader) -> Result<Rules> {
    let (states, transitions): (String, String) = (row.next()?, row.next()?);
    let child: Option<String> = row.next()?;
    Ok(Rules::new(name, &states, &transitions, child.as_deref()))
}

impl Store {
    /// The task with this id. `within` confines the caller to a scope.
    pub async fn get_task(&self, id: &str, within: Option<&str>) -> Result<Task> {
        let [rows] = self.read_by_key([bind!(FIND, id, within)]).await?;
        first(rows, task)?.ok_or_else(|| not_found(id))
    }

    /// Creates a task and returns it as it was stored. `within` confines the caller to a scope.
    pub async fn create_task(&self, new: Task, within: Option<&str>, stamp: Stamp) -> Result<Task> {
        self.check_new(&new).await?;
        let mut batch = creating(&new, within, None, stamp);
        // Only what the statements may decide otherwise has to be read back.
        let is_plain = new.blocked_by.is_none();
        if !is_plain {
            batch.push(bind!(FIND, &new.id, None::<&str>));
        }
        let mut answers = self.write_holding(locks(&new), batch).await?;
        let Some(row) = answers[0].pop() else {
            return Err(self.why_not_created(&new).await?);
        };
        self.hints.tell(&new.scope);
        if is_plain {
            let mut row = RowReader::new(row);
            return Ok(Task { branch: row.next()?, version: row.next()?, ..new });
        }
        first(answers.pop().unwrap_or_default(), task)?.ok_or_else(|| not_found(&new.id))
    }

    /// The checks that need the scope's roles and flows.
    pub(crate) async fn check_new(&self, new: &Task) -> Result<()> {
        let asks_flow = !queue::BUILT_IN.contains(&&*new.queue);
        if new.role.is_none() && new.kind.is_none() && !asks_flow {
            return Ok(());
        }
        let [known, flow, crowded] = self
            .read_by_key([
                finding_roles(&new.scope, new.role.as_slice()),
                bind!(FIND_FLOW, &new.scope, new.flow_name()),
                crowding(new),
            ])
            .await?;
        check_roles(new.role.as_slice(), known)?;
        check_queue(&new.queue, first(flow, rules)?.as_ref(), new.project_id.is_some())?;
        check_crowd(new, &crowded)
    }

    /// Refuses an edit that would make the task the first of one lane too many.
    pub(crate) async fn check_lane(&self, task: &Task) -> Result<()> {
        let [crowded] = self.read_by_key([crowding(task)]).await?;
        check_crowd(task, &crowded)
    }

    /// Why a creating batch created nothing.
    pub(crate) async fn why_not_created(&self, new: &Task) -> Result<StoreError> {
        let [rows] = self.read([bind!(TAKEN, &new.id, &new.scope, &new.file_path)]).await?;
        let (id, path): (bool, bool) = first(rows, |row| {
            let mut row = RowReader::new(row);
            Ok((row.next()?, row.next()?))
        })?
        .unwrap_or_default();
        if !id && !path {
            self.check_cycle(new).await?;
        }
        Ok(match (id, path, &new.project_id) {
            (true, ..) => Refusal::Duplicate(format!("Task {} already exists", new.id)),
            (_, true, _) => Refusal::Duplicate(format!(
                "A task with file_path {} already exists in this scope",
                new.file_path
            )),
            (_, _, Some(project)) => {
                Refusal::invalid(format!("Unknown project '{}'", shown(project)))
            }
            _ => Refusal::Duplicate(format!("Task {} already exists", new.id)),
        }
        .into())
    }

    /// Deletes a task and returns it as it was. Its history and its messages stay; what waited for
    /// it waits no longer, because a deleted task can never finish.
    pub async fn delete_task(&self, id: &str, within: Option<&str>, stamp: Stamp) -> Result<Task> {
        let mut batch =
            vec![bind!(MARK, id, within, stamp.write_id), history::record_deleted(id, stamp)];
        batch.extend(queue::FINISHED.map(|queue| counts::subtract(id, queue, stamp)));
        batch.extend(dependencies::release_dependents(id, stamp));
        batch.push(dependencies::wait_no_more(id, stamp));
        batch.push(bind!(DELETE, id, stamp.write_id));
        let answers = self.write_holding(vec![Lock::task(id)], batch).await?;
        let deleted = first(answers.into_iter().next().unwrap_or_default(), task)?;
        let deleted = deleted.ok_or_else(|| not_found(id))?;
        self.hints.tell(&deleted.scope);
        Ok(deleted)
    }
}

/// What the batch that creates a task decides by: whether its id is free and who waits for it, what
/// it waits for itself, and whether its project is there.
pub(crate) fn locks(new: &Task) -> Vec<Lock> {
    let mut locks = dependencies::locks(new);
    locks.push(Lock::task(&new.id));
    locks.extend(new.project_id.as_deref().map(Lock::joining));
    locks
}

/// The batch that creates a task; its first answer is empty if it did not. With a draft, the task
/// is created only if that draft has not been promoted.
pub(crate) fn creating(
    new: &Task,
    within: Option<&str>,
    draft: Option<i64>,
    stamp: Stamp,
) -> Vec<Statement> {
    let mut insert = inserting(new, within, stamp);
    let mut event = NewEvent::new(Kind::Created, None);
    // History can be replayed only if it says where it begins.
    if new.queue != queue::INCOMING {
        event = event.with(serde_json::json!({ "queue": new.queue }).to_string());
    }
    if draft.is_some() || new.blocked_by.is_some() {
        insert.sql = INSERT_WAITING.into();
        insert.parameters.push(dependencies::listed(new.blocked_by.as_deref()));
    }
    if let Some(draft) = draft {
        insert.sql = INSERT_FROM_DRAFT.into();
        insert.parameters.push(draft.into());
        event = event.with(match &*new.queue {
            queue::INCOMING => format!("promoted from draft {draft}"),
            queue => format!("promoted from draft {draft} into {queue}"),
        });
    }
    let mut batch = vec![insert, history::record(&new.id, &event, 0, stamp)];
    if let Some(list) = &new.blocked_by {
        batch.extend(dependencies::wait_for(&new.id, &blockers(list), stamp));
    }
    if queue::is_finished(&new.queue) {
        batch.push(counts::add(&new.id, &new.queue, 1, stamp));
    }
    if new.queue == queue::DONE {
        batch.extend(dependencies::release_dependents(&new.id, stamp));
    }
    batch
}

fn inserting(new: &Task, within: Option<&str>, stamp: Stamp) -> Statement {
    bind!(
        INSERT,
        &new.id,
        &new.file_path,
        &new.queue,
        &new.priority,
        &new.complexity,
        &new.role,
        &new.branch,
        &new.project_id,
        new.auto_accept,
        new.created_at,
        &new.title,
        &new.kind,
        &new.hooks,
        &new.flow,
        &new.flow_overrides,
        &new.scope,
        stamp.write_id,
        &new.content,
        within.is_none(),
    )
}

fn crowding(task: &Task) -> Statement {
    let lane = lane(task.role.as_deref(), task.kind.as_deref());
    bind!(CROWDED, &task.scope, &task.queue, lane)
}

fn check_crowd(task: &Task, crowded: &[Row]) -> Result<()> {
    if crowded.is_empty() { Ok(()) } else { Err(too_many_lanes(&task.queue).into()) }
}

/// The statement that finds these roles in a scope, for [`check_roles`].
pub(crate) fn finding_roles(scope: &str, roles: &[String]) -> Statement {
    bind!(ROLES, scope, json(roles))
}

/// Roles must be registered, but only in a scope that registers roles at all.
pub(crate) fn check_roles(roles: &[String], found: Vec<Row>) -> Result<()> {
    let (mut known, mut registered) = (Vec::new(), Vec::<String>::new());
    for row in found {
        let mut row = RowReader::new(row);
        let name = row.next()?;
        if row.next()? { known.push(name) } else { registered.push(name) }
    }
    let unknown = roles.iter().find(|role| !known.contains(role));
    match unknown.filter(|_| !registered.is_empty()) {
        None => Ok(()),
        Some(role) => Err(Refusal::UnknownRole {
            role: shown(role).into_owned(),
            registered: listed(&registered),
        }
        .into()),
    }
}

pub(crate) fn not_found(id: &str) -> StoreError {
    Refusal::TaskNotFound { id: id.to_owned() }.into()
}

#[cfg(test)]
mod tests {
    use octopoid_domain::limits::{LANES_MAX, LISTED_MAX};

    #[test]
    fn the_statements_count_as_far_as_the_limits() {
        assert!(super::CROWDED.ends_with(&format!(
            "LIMIT {}) AS few WHERE lane IS NOT NULL) \
            >= {LANES_MAX}",
            LANES_MAX + 1
        )));
        assert!(super::ROLES.ends_with(&format!("LIMIT {}) AS first", LISTED_MAX + 1)));
    }
}
