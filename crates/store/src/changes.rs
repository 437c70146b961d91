//! Changing tasks: the domain decides, and the store writes what it decided if the task is still
//! what the decision was made on.

use octopoid_domain::{
    Refusal, Task,
    change::Change,
    decide::{Request, decide},
    event::NewEvent,
    flow::Rules,
    limits::shown,
    queue,
    task::{TaskPatch, blockers},
};

use crate::{
    Result, Stamp, Store, counts,
    cycles::closes_cycle,
    dependencies,
    engine::{Row, Statement, bind},
    first, history,
    locks::Lock,
    row::RowReader,
    tasks::{FIND, not_found, rules_columns, task, task_columns},
};

/// How often a change is tried when others keep changing the task in between.
const TRIES: usize = 32;

/// Writes what the state machine may change, and touches no index but its own. A task that somebody
/// has begun to wait for is finished only by a batch that looks for who waits, and one that joins a
/// project joins it only while that is there.
macro_rules! moving {
    ($condition:expr) => {
        concat!(
            "UPDATE tasks SET queue = ?3, claimed_by = ?4, claimed_at = ?5, \
             orchestrator_id = ?6, \
             lease_expires_at = ?7, claimed_in = ?8, needs_intervention = ?9, \
             commits_count = ?10, \
             turns_used = ?11, attempt_count = ?12, rejection_count = ?13, check_results = ?14, \
             execution_notes = ?15, submitted_at = ?16, completed_at = ?17, updated_at = ?18, \
             version = ?19, write_id = ?20, events = events + ?21 \
             WHERE id = ?1 AND version = ?2 AND (?22 = 1 OR is_awaited = 0) \
             AND (?23 IS NULL OR EXISTS (SELECT 1 FROM projects WHERE projects.id = ?23 \
             AND (projects.scope IS NULL OR projects.scope = tasks.scope)))",
            $condition,
            " RETURNING id"
        )
    };
}

const MOVE: &str = moving!("");

/// The same for a task that begins to wait, which must not wait for itself. If somebody has begun to
/// wait for it since it was read (`?26`), the write comes to nothing and it is read again: this
/// statement would not see what that other one waits for.
const MOVE_WAITING: &str = moving!(concat!(
    " AND NOT ",
    closes_cycle!("is_awaited = 1", "?1", "?24", "?25"),
    " AND (?26 = 1 OR is_awaited = 0)"
));

/// Writes what only an update may change, after [`MOVE`] has written the rest.
const EDIT: &str = "UPDATE tasks SET priority = ?3, complexity = ?4, role = ?5, branch = ?6, \
     has_plan = ?7, plan_id = ?8, project_id = ?9, auto_accept = ?10, pr_number = ?11, pr_url = ?12, \
     checks = ?13, needs_rebase = ?14, last_rebase_attempt_at = ?15, staging_url = ?16, \
     title = ?17, type = ?18, hooks = ?19, flow = ?20, flow_overrides = ?21, content = ?22 \
     WHERE id = ?1 AND write_id = ?2";

/// A task as it was found, before it is changed.
pub(crate) struct CurrentTask {
    pub(crate) task: Task,
    is_awaited: bool,
    /// The rules of its flow, if that is registered.
    rules: Option<Rules>,
}

/// Finds tasks that are about to change, each with its flow if the scope has registered it. Other
/// columns may come first.
macro_rules! find_to_change {
    ($condition:literal) => {
        $crate::changes::find_to_change!("", $condition)
    };
    ($columns:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            $columns,
            $crate::tasks::columns!(),
            ", is_awaited, flow_name, states, transitions, child_flow FROM tasks LEFT JOIN \
             (SELECT scope AS flow_scope, name AS flow_name, states, transitions, child_flow \
             FROM flows) AS known \
             ON flow_scope = scope AND flow_name = COALESCE(flow, 'default') WHERE ",
            $condition
        )
    };
}
pub(crate) use find_to_change;

const FIND_TO_CHANGE: &str = find_to_change!("id = ?1 AND (?2 IS NULL OR scope = ?2)");

/// Reads a row of [`find_to_change`].
pub(crate) fn found(row: Row) -> Result<CurrentTask> {
    let mut row = RowReader::new(row);
    let task = task_columns(&mut row)?;
    let is_awaited = row.next()?;
    let rules = match row.next::<Option<String>>()? {
        None => None,
        Some(name) => Some(rules_columns(&name, &mut row)?),
    };
    Ok(CurrentTask { task, is_awaited, rules })
}

impl Store {
    /// Changes the fields that a patch mentions.
    pub async fn update_task(
        &self,
        id: &str,
        within: Option<&str>,
        patch: TaskPatch,
        stamp: Stamp,
    ) -> Result<Task> {
        self.change_task(id, within, &Request::Update(Box::new(patch)), stamp).await
    }

    /// Lets the domain decide about a request, and writes what it decided if nobody else changed
    /// the task in between.
    pub async fn change_task(
        &self,
        id: &str,
        within: Option<&str>,
        request: &Request,
        stamp: Stamp,
    ) -> Result<Task> {
        request.check()?;
        for _ in 0..TRIES {
            let [rows] = self.read_by_key([bind!(FIND_TO_CHANGE, id, within)]).await?;
            let was = first(rows, found)?.ok_or_else(|| not_found(id))?;
            let change = decide(&was.task, request, was.rules.as_ref(), stamp.now)?;
            if let Some(project) = joins(&was.task, &change.task) {
                self.check_project(project, &was.task.scope, within).await?;
            }
            if change.task.role != was.task.role || change.task.kind != was.task.kind {
                self.check_lane(&change.task).await?;
            }
            if was.is_awaited && change.task.blocked_by != was.task.blocked_by {
                self.check_cycle(&change.task).await?;
            }
            if let Some(changed) = self.commit(&was, change, stamp).await? {
                return Ok(changed);
            }
        }
        Err(Refusal::Race { step: request.step() }.into())
    }

    /// Writes a change. `None` if the task is no longer what it was.
    async fn commit(
        &self,
        was: &CurrentTask,
        change: Change,
        stamp: Stamp,
    ) -> Result<Option<Task>> {
        let blocks = change.task.blocked_by != was.task.blocked_by;
        let mut locks = Vec::new();
        locks.extend(joins(&was.task, &change.task).map(Lock::joining));
        if blocks {
            locks.extend(dependencies::locks(&change.task));
        }
        // Whoever ends a task goes on to those that wait for it, and whoever edits one of those goes
        // on to what it waits for: they would meet half-way.
        if was.is_awaited && change.task.queue == queue::DONE {
            locks.push(Lock::task(&was.task.id));
        }
        let mut batch = changing(was, &change, stamp);
        if blocks {
            batch.push(bind!(FIND, &was.task.id, None::<&str>));
        }
        let mut answers = self.write_holding(locks, batch).await?;
        if answers[0].is_empty() {
            return Ok(None);
        }
        // What was finished is nothing to claim; but it may have let others go on.
        if !queue::is_finished(&change.task.queue) || was.is_awaited {
            self.hints.tell(&was.task.scope);
        }
        if blocks {
            return first(answers.pop().unwrap_or_default(), task);
        }
        Ok(Some(change.task))
    }

    /// A project of another scope is none that a task could join; one of no scope is for callers
    /// whom no key confines. A project's scope never changes.
    async fn check_project(&self, project: &str, scope: &str, within: Option<&str>) -> Result<()> {
        const KNOWN: &str =
            "SELECT 1 FROM projects WHERE id = ?1 AND (scope = ?2 OR scope IS NULL AND ?3 = 1)";
        let [rows] = self.read_by_key([bind!(KNOWN, project, scope, within.is_none())]).await?;
        if rows.is_empty() {
            return Err(Refusal::invalid(format!("Unknown project '{}'", shown(project))).into());
        }
        Ok(())
    }
}

/// The project that a task joins by a change, if it does.
fn joins<'a>(was: &Task, is: &'a Task) -> Option<&'a str> {
    is.project_id.as_deref().filter(|project| was.project_id.as_deref() != Some(project))
}

/// The batch that makes a change; its first answer is empty if the task had another version.
pub(crate) fn changing(was: &CurrentTask, change: &Change, stamp: Stamp) -> Vec<Statement> {
    let CurrentTask { task: was, is_awaited, .. } = was;
    let is = &change.task;
    let finishes = is.queue == queue::DONE && was.queue != queue::DONE;
    let looks = *is_awaited || !finishes;
    let mut update = moving(was, change, looks, stamp);
    if is.blocked_by != was.blocked_by && is.blocked_by.is_some() {
        update.sql = MOVE_WAITING.into();
        let list = dependencies::listed(is.blocked_by.as_deref());
        update.parameters.extend([is.scope.as_str().into(), list, (*is_awaited).into()]);
    }
    let mut batch = vec![update];
    if change.is_edit {
        batch.push(editing(is, stamp));
    }
    let mut later = count(&change.events);
    for event in &change.events {
        later -= 1;
        batch.push(history::record(&is.id, event, later, stamp));
    }
    if is.queue != was.queue {
        for (queue, tasks) in [(&was.queue, -1), (&is.queue, 1)] {
            if queue::is_finished(queue) {
                batch.push(counts::add(&is.id, queue, tasks, stamp));
            }
        }
        if finishes && *is_awaited {
            batch.extend(dependencies::release_dependents(&is.id, stamp));
        }
    }
    if is.blocked_by != was.blocked_by {
        let list = is.blocked_by.as_deref().unwrap_or_default();
        batch.extend(dependencies::wait_for(&is.id, &blockers(list), stamp));
    }
    if let Some(notice) = &change.notice {
        batch.push(history::leave_notice(&is.id, notice, stamp));
    }
    batch
}

fn count(events: &[NewEvent]) -> i64 {
    i64::try_from(events.len()).unwrap_or(i64::MAX)
}

/// `looks` says that the batch looks for who waits, or need not.
fn moving(was: &Task, change: &Change, looks: bool, stamp: Stamp) -> Statement {
    let is = &change.task;
    bind!(
        MOVE,
        &is.id,
        was.version,
        &is.queue,
        &is.claimed_by,
        is.claimed_at,
        &is.orchestrator_id,
        is.lease_expires_at,
        &is.claimed_in,
        is.needs_intervention,
        is.commits_count,
        is.turns_used,
        is.attempt_count,
        is.rejection_count,
        &is.check_results,
        &is.execution_notes,
        is.submitted_at,
        is.completed_at,
        is.updated_at,
        is.version,
        stamp.write_id,
        count(&change.events),
        looks,
        joins(was, is),
    )
}

fn editing(is: &Task, stamp: Stamp) -> Statement {
    bind!(
        EDIT,
        &is.id,
        stamp.write_id,
        &is.priority,
        &is.complexity,
        &is.role,
        &is.branch,
        is.has_plan,
        &is.plan_id,
        &is.project_id,
        is.auto_accept,
        is.pr_number,
        &is.pr_url,
        &is.checks,
        is.needs_rebase,
        &is.last_rebase_attempt_at,
        &is.staging_url,
        &is.title,
        &is.kind,
        &is.hooks,
        &is.flow,
        &is.flow_overrides,
        &is.content,
    )
}
