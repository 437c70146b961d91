//! Changing tasks: the domain decides, and the store writes what it decided if the task is still
//! what the decision was made on.

use const_format::concatcp;
use octopoid_domain::{
    Refusal, Task,
    change::Change,
    decide::{Request, decide},
    event::NewEvent,
    flow::Rules,
    queue,
    task::{TaskPatch, blockers},
    text::shown,
};

use crate::{
    Result, Stamp, Store, counts,
    cycles::closes_cycle,
    dependencies,
    engine::{Row, Statement, bind},
    first, journal,
    locks::Lock,
    messages,
    record::{self, Columns as _, Record as _, binding, parameters},
    row::RowReader,
    tasks::{Details, FIND, State, not_found, rules_columns},
    write::{Answer, Write},
};

/// How often a change is tried when others keep changing the task in between.
const TRIES: usize = 32;

/// The first parameter of [`MOVE`] that is a column's.
const FIRST: usize = 10;

/// Writes what the state machine may change, and touches no index but its own. A task that another
/// has begun to wait for is finished only by a batch that looks for dependents (`?5`), and one that
/// joins a project (`?6`) joins it only while that is there.
macro_rules! moving {
    ($condition:expr) => {
        concatcp!(
            "UPDATE tasks SET version = version + 1, write_id = ?3, events = events + ?4, (",
            State::NAMES,
            ") = (",
            parameters(FIRST, State::COUNT),
            ") WHERE id = ?1 AND version = ?2 AND (?5 = 1 OR is_awaited = 0) \
             AND (?6 IS NULL OR EXISTS (SELECT 1 FROM projects WHERE projects.id = ?6 \
             AND (projects.scope IS NULL OR projects.scope = tasks.scope)))",
            $condition,
            " RETURNING id"
        )
    };
}

const MOVE: &str = moving!("");

/// The same for a task that begins to wait, which must not wait for itself. If another task has
/// begun to wait for it since it was read (`?9`), nothing is written and it is read again: this
/// statement would not see what that other one waits for.
const MOVE_WAITING: &str = moving!(concat!(
    " AND NOT ",
    closes_cycle!("is_awaited = 1", "?1", "?7", "?8"),
    " AND (?9 = 1 OR is_awaited = 0)"
));

/// Writes what only an update may change, after [`MOVE`] has written the rest.
const EDIT: &str = concatcp!(
    "UPDATE tasks SET branch = ?3, (",
    Details::NAMES,
    ") = (",
    parameters(4, Details::COUNT),
    ") WHERE id = ?1 AND write_id = ?2"
);

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
        const_format::concatcp!(
            "SELECT ",
            $columns,
            <octopoid_domain::Task as $crate::record::Columns>::NAMES,
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
    let task = Task::read(&mut row)?;
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
            if let Some(changed) = self.write_change(&was, change, stamp).await? {
                return Ok(changed);
            }
        }
        Err(Refusal::Race { step: request.step() }.into())
    }

    /// Writes a change. Returns `None` if the task has changed since it was read.
    async fn write_change(
        &self,
        was: &CurrentTask,
        change: Change,
        stamp: Stamp,
    ) -> Result<Option<Task>> {
        let blocks = change.task.blocked_by != was.task.blocked_by;
        let mut write = Write::new(stamp);
        write.hold_all(joins(&was.task, &change.task).map(Lock::joining));
        if blocks {
            write.hold_all(dependencies::locks(&change.task));
        }
        // A batch that ends a task goes on to its dependents, and one that edits a dependent goes
        // on to what it waits for: opposite lock orders would deadlock.
        if was.is_awaited && change.task.queue == queue::DONE {
            write.hold(Lock::task(&was.task.id));
        }
        let moved = add_change(&mut write, was, &change);
        let found = blocks.then(|| write.run(bind!(FIND, &was.task.id, None::<&str>)));
        let mut answers = self.commit(write).await?;
        if answers.is_empty(moved) {
            return Ok(None);
        }
        match found {
            Some(found) => first(answers.take(found), record::read),
            None => Ok(Some(change.task)),
        }
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

/// Adds a change to a write; the answer is empty if the task had another version.
pub(crate) fn add_change(write: &mut Write, was: &CurrentTask, change: &Change) -> Answer {
    let CurrentTask { task: was, is_awaited, .. } = was;
    let (is, stamp) = (&change.task, write.stamp);
    let finishes = is.queue == queue::DONE && was.queue != queue::DONE;
    let moved = write.run(moving(was, change, *is_awaited, finishes, stamp));
    if change.is_edit {
        let edit = bind!(EDIT, &is.id, stamp.write_id, &is.branch);
        write.run(binding::<Details>(edit, is));
    }
    let mut later = count(&change.events);
    for event in &change.events {
        later -= 1;
        write.run(journal::of_task(&is.id, event, later, stamp));
    }
    if is.queue != was.queue {
        for (queue, tasks) in [(&was.queue, -1), (&is.queue, 1)] {
            if queue::is_finished(queue) {
                write.run(counts::add(&is.id, queue, tasks, stamp));
            }
        }
        if finishes && *is_awaited {
            write.run_all(dependencies::release_dependents(&is.id, stamp));
        }
    }
    if is.blocked_by != was.blocked_by {
        let list = is.blocked_by.as_deref().unwrap_or_default();
        write.run_all(dependencies::wait_for(&is.id, &blockers(list), stamp));
    }
    if let Some(notice) = &change.notice {
        messages::notify(write, &is.id, notice);
    }
    // A finished task cannot be claimed; but its dependents may be.
    if !queue::is_finished(&is.queue) || *is_awaited {
        write.wake_if(moved, &is.scope);
    }
    moved
}

fn count(events: &[NewEvent]) -> i64 {
    i64::try_from(events.len()).unwrap_or(i64::MAX)
}

fn moving(
    was: &Task,
    change: &Change,
    is_awaited: bool,
    finishes: bool,
    stamp: Stamp,
) -> Statement {
    let is = &change.task;
    // Whether the batch looks for dependents, or need not.
    let looks = is_awaited || !finishes;
    let waits = is.blocked_by != was.blocked_by && is.blocked_by.is_some();
    let statement = bind!(
        if waits { MOVE_WAITING } else { MOVE },
        &is.id,
        was.version,
        stamp.write_id,
        count(&change.events),
        looks,
        joins(was, is),
        &is.scope,
        dependencies::listed(is.blocked_by.as_deref()),
        is_awaited,
    );
    binding::<State>(statement, is)
}
