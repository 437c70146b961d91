//! Changing tasks: the domain decides, and the store writes what it decided if the task is still
//! what the decision was made on.

use std::sync::Arc;

use const_format::{concatcp, str_replace};
use octopoid_domain::{
    Refusal, Task,
    change::Change,
    decide::{Decision, Presented, Request, Situation, decide},
    event::NewEvent,
    lease::LeaseToken,
    queue,
    run::Run,
    task::{TaskPatch, blockers},
    text::shown,
};

use crate::{
    Result, Sql, Stamp, Store, actions, counts,
    cycles::closes_cycle,
    dependencies,
    engine::{Row, Statement, Value, bind},
    first,
    idempotency::unless_done,
    journal::{self, Subject},
    locks::Lock,
    merge::{Merge, Turn},
    messages,
    meter::{EndedRun, Moved},
    pauses,
    recent::KnownFlow,
    record::{self, Columns as _, Record as _, binding, parameters},
    row::RowReader,
    runs,
    tasks::{Details, FIND, State, not_found, rules_columns},
    write::{Answer, Write},
};

/// How often a write is tried when others keep changing what it was decided by.
pub(crate) const TRIES: usize = 32;

/// The first parameter of [`MOVE`] that is a column's.
const FIRST: usize = 14;

/// Writes what the state machine may change, and touches no index but its own. A lease that was
/// renewed since it was read (`?10`) is not taken away: renewals leave the version alone. A task that another
/// has begun to wait for is finished only by a batch that looks for dependents (`?5`), and one that
/// joins a project (`?6`) joins it only while that is there.
macro_rules! moving {
    ($condition:expr) => {
        concatcp!(
            "UPDATE tasks SET version = version + 1, write_id = ?3, events = events + ?4, (",
            State::NAMES,
            ") = (",
            parameters(FIRST, State::COUNT),
            ") WHERE id = ?1 AND version = ?2 AND lease_expires_at IS NOT DISTINCT FROM ?10 \
             AND (?5 = 1 OR is_awaited = 0) \
             AND (?6 IS NULL OR EXISTS (SELECT 1 FROM projects WHERE projects.id = ?6 \
             AND (projects.scope IS NULL OR projects.scope = tasks.scope)))",
            unless_done!("?11", "?12", "?13"),
            $condition,
            " RETURNING id"
        )
    };
}

const MOVE: Sql = Sql::merged(moving!(""), Merge::update(Turn::Change));

/// The same for a task that begins to wait, which must not wait for itself. If another task has
/// begun to wait for it since it was read (`?9`), nothing is written and it is read again: this
/// statement would not see what that other one waits for.
const MOVE_WAITING: Sql = Sql::same(moving!(concat!(
    " AND NOT ",
    closes_cycle!("is_awaited = 1", "?1", "?7", "?8"),
    " AND (?9 = 1 OR is_awaited = 0)"
)));

/// The same for a task that was not read but copied from what this process has written: the row and
/// its flow must have the marks that they had then.
const MOVE_COPIED: Sql = Sql::same(moving!(concatcp!(
    " AND tasks.write_id = ",
    parameters(FIRST + State::COUNT, 1),
    " AND (SELECT flows.write_id FROM flows WHERE flows.scope = tasks.scope \
     AND flows.name = COALESCE(tasks.flow, 'default')) IS NOT DISTINCT FROM ",
    parameters(FIRST + State::COUNT + 1, 1)
)));

/// Writes what only an update may change, after [`MOVE`] has written the rest.
const EDIT: Sql = Sql::merged(
    concatcp!(
        "UPDATE tasks SET branch = ?3, (",
        Details::NAMES,
        ") = (",
        parameters(4, Details::COUNT),
        ") WHERE id = ?1 AND write_id = ?2"
    ),
    Merge::update(Turn::Follow),
);

/// A task as it was found, before it is changed.
pub(crate) struct CurrentTask {
    pub(crate) task: Task,
    pub(crate) is_awaited: bool,
    /// Its flow.
    pub(crate) flow: KnownFlow,
    /// The run of its current lease, if there is one.
    pub(crate) lease: Option<Run>,
    /// Another run of the task whose token the request has.
    pub(crate) other: Option<Run>,
    /// The mark of the write from whose result it was copied; `None` if it was read.
    pub(crate) copied_from: Option<i64>,
}

impl CurrentTask {
    /// What is to be decided about.
    pub(crate) fn situation(&self, request: &Request, stamp: Stamp) -> Situation<'_> {
        let token = match request.token() {
            None => Presented::Nothing,
            Some(token) if self.is_lease_of(token) => Presented::Current,
            Some(_) => Presented::Other(self.other.as_ref()),
        };
        Situation {
            task: &self.task,
            lease: self.lease.as_ref(),
            token,
            rules: self.flow.rules.as_deref(),
            now: stamp.now,
            chance: stamp.write_id.unsigned_abs(),
        }
    }

    /// Whether a token is that of the current lease.
    fn is_lease_of(&self, token: &LeaseToken) -> bool {
        self.lease.as_ref().is_some_and(|run| run.has_token(token))
    }
}

/// A task after a step.
#[derive(Clone, Debug)]
pub struct Stepped {
    /// The task.
    pub task: Task,
    /// Whether the step was taken before, so that nothing has changed.
    pub is_repeated: bool,
}

/// The columns of the run of a lease by names of their own, because a task has some of the same names
/// and D1 tells columns apart by them.
pub(crate) const LEASE: &str = str_replace!(parameters(1, Run::COUNT), "?", "lease_");

/// Finds tasks that are about to change, each with the run of its lease if there is one, and with its
/// flow if the scope has registered it. Other columns may come first. A run's columns begin with its
/// task and its number.
macro_rules! find_to_change {
    ($columns:literal, $condition:literal) => {
        const_format::concatcp!(
            "WITH leases (",
            $crate::changes::LEASE,
            ") AS (SELECT ",
            <octopoid_domain::run::Run as $crate::record::Columns>::NAMES,
            " FROM runs) SELECT ",
            $columns,
            $crate::changes::LEASE,
            ", ",
            <octopoid_domain::Task as $crate::record::Columns>::NAMES,
            ", is_awaited, flow_mark, flow_name, states, transitions, child_flow FROM tasks \
             LEFT JOIN leases ON lease_1 = id AND lease_2 = lease_run LEFT JOIN \
             (SELECT scope AS flow_scope, write_id AS flow_mark, name AS flow_name, states, transitions, child_flow \
             FROM flows) AS known \
             ON flow_scope = scope AND flow_name = COALESCE(flow, 'default') WHERE ",
            $condition
        )
    };
}
pub(crate) use find_to_change;

const FIND_TO_CHANGE: &str = find_to_change!("", "id = ?1 AND (?2 IS NULL OR scope = ?2)");

/// Reads a row of [`find_to_change`].
pub(crate) fn found(mut row: Row) -> Result<CurrentTask> {
    let rest = row.split_off(row.len().min(Run::COUNT));
    let has_lease = row.first().is_some_and(|id| *id != Value::Null);
    let lease = has_lease.then(|| record::read(row)).transpose()?;
    let mut row = RowReader::new(rest);
    let task = Task::read(&mut row)?;
    let is_awaited = row.next()?;
    let mark = row.next()?;
    let rules = match row.next::<Option<String>>()? {
        None => None,
        Some(name) => Some(Arc::new(rules_columns(&name, &mut row)?)),
    };
    let flow = KnownFlow { mark, rules };
    Ok(CurrentTask { task, is_awaited, flow, lease, other: None, copied_from: None })
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

    /// Takes a step of a task.
    pub async fn change_task(
        &self,
        id: &str,
        within: Option<&str>,
        request: &Request,
        stamp: Stamp,
    ) -> Result<Task> {
        Ok(self.take_step(id, within, request, stamp).await?.task)
    }

    /// Lets the domain decide about a request, and writes what it decided if nobody else changed
    /// the task in between.
    pub async fn take_step(
        &self,
        id: &str,
        within: Option<&str>,
        request: &Request,
        stamp: Stamp,
    ) -> Result<Stepped> {
        request.check()?;
        let stepped = Box::pin(self.step_from_copy(id, within, request, stamp)).await?;
        if let Some(task) = stepped {
            return Ok(Stepped { task, is_repeated: false });
        }
        for _ in 0..TRIES {
            let was = self.find_to_change(id, within, request).await?;
            let decision = self.decide(&was, request, stamp);
            // What a token says of the request goes before the version: the lost answer of the same
            // request has raised that.
            let is_told_by_token = matches!(
                (request.token(), &decision),
                (Some(_), Ok(Decision::AsItIs) | Err(Refusal::LeaseLost { .. }))
            );
            if !is_told_by_token {
                self.check_precondition(&was.task)?;
            }
            let change = match decision? {
                Decision::Change(change) => change,
                Decision::AsItIs => match Box::pin(self.leave_as_it_is(was.task, stamp)).await? {
                    Some(task) => return Ok(Stepped { task, is_repeated: true }),
                    None => continue,
                },
            };
            if let Some(project) = joins(&was.task, &change.task) {
                self.check_project(project, &was.task.scope, within).await?;
            }
            if change.task.role != was.task.role || change.task.kind != was.task.kind {
                self.check_lane(&change.task).await?;
            }
            if was.is_awaited && change.task.blocked_by != was.task.blocked_by {
                self.check_cycle(&change.task).await?;
            }
            if let Some(task) = self.write_change(&was, change, stamp).await? {
                return Ok(Stepped { task, is_repeated: false });
            }
        }
        Err(Refusal::Race { step: request.step() }.into())
    }

    /// Finds a task that a request is about.
    pub(crate) async fn find_to_change(
        &self,
        id: &str,
        within: Option<&str>,
        request: &Request,
    ) -> Result<Box<CurrentTask>> {
        let [rows] = self.read_by_key([bind!(FIND_TO_CHANGE, id, within)]).await?;
        let mut was = first(rows, found)?.map(Box::new).ok_or_else(|| not_found(id))?;
        self.note_flow(&was);
        if let Some(token) = request.token().filter(|token| !was.is_lease_of(token)) {
            // Its run has ended, so that it says the same now.
            was.other = Box::pin(self.find_run_of_token(&was.task, token)).await?;
        }
        Ok(was)
    }

    /// The run of a token that is not current. An earlier task of this id is another's, or is not
    /// there any more.
    async fn find_run_of_token(&self, task: &Task, token: &LeaseToken) -> Result<Option<Run>> {
        let [rows] = self.read_by_key([bind!(runs::FIND, &task.id, token.run)]).await?;
        let is_seen = |run: &Run| {
            run.has_token(token) && run.scope == task.scope && run.started_at >= task.created_at
        };
        Ok(first(rows, record::read)?.filter(is_seen))
    }

    /// Writes a change. Returns `None` if the task has changed since it was read.
    pub(crate) async fn write_change(
        &self,
        was: &CurrentTask,
        change: Box<Change>,
        stamp: Stamp,
    ) -> Result<Option<Task>> {
        let blocks = change.task.blocked_by != was.task.blocked_by;
        let mut write = self.begin(stamp);
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
        write.remember(Subject::Task(&was.task.id));
        let found = blocks.then(|| write.run(bind!(FIND, &was.task.id, None::<&str>)));
        let mut answers = self.commit(write).await?;
        if answers.is_empty(moved) {
            return Ok(None);
        }
        self.report_change(was, &change, stamp);
        if let Some(found) = found {
            return first(answers.take(found), record::read);
        }
        self.keep_changed(was, &change, stamp);
        Ok(Some(change.task))
    }

    /// Lets the domain decide about a request.
    pub(crate) fn decide(
        &self,
        was: &CurrentTask,
        request: &Request,
        stamp: Stamp,
    ) -> std::result::Result<Decision, Refusal> {
        decide(&was.situation(request, stamp), request).inspect_err(|refusal| {
            if matches!(refusal, Refusal::LeaseLost { .. }) {
                self.meter.lease_refused();
            }
        })
    }

    /// Reports a change that was written.
    pub(crate) fn report_change(&self, was: &CurrentTask, change: &Change, stamp: Stamp) {
        let ended = was.lease.as_ref().zip(change.run.as_ref()).and_then(|(run, change)| {
            change.ended_at.map(|_| EndedRun {
                outcome: change.outcome,
                reason: change.reason.as_deref(),
                kind: run.kind,
                usage: change.usage.as_deref().or(run.usage.as_deref()),
                started_at: run.started_at,
            })
        });
        let moved = Moved { was: &was.task, is: &change.task, ended, at: stamp.now };
        self.meter.changed(&moved);
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
    let copied = was.copied_from.map(|mark| (mark, was.flow.mark));
    let CurrentTask { task: was, is_awaited, .. } = was;
    let (is, stamp) = (&change.task, write.stamp);
    let finishes = is.queue == queue::DONE && was.queue != queue::DONE;
    let mut statement = moving(write, was, change, *is_awaited, finishes);
    if let Some((mark, flow_mark)) = copied {
        statement.sql = MOVE_COPIED;
        statement.parameters.extend([mark.into(), flow_mark.into()]);
    }
    let moved = write.run(statement);
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
    write.run_all(counts::add_hourly(was, is, stamp));
    if is.blocked_by != was.blocked_by {
        let list = is.blocked_by.as_deref().unwrap_or_default();
        write.run_all(dependencies::wait_for(&is.id, &blockers(list), stamp));
    }
    if let Some(run) = &change.run {
        write.run_all(runs::change(&is.id, run, stamp));
    }
    if change.is_rejection {
        write.run(runs::reject(&is.id, stamp));
    }
    if let Some(question) = &change.question {
        actions::ask(write, is, question);
    }
    if let Some(pause) = &change.pause {
        pauses::pause_pool(write, is, pause);
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
    write: &Write,
    was: &Task,
    change: &Change,
    is_awaited: bool,
    finishes: bool,
) -> Statement {
    let is = &change.task;
    // Whether the batch looks for dependents, or need not.
    let looks = is_awaited || !finishes;
    let waits = is.blocked_by != was.blocked_by && is.blocked_by.is_some();
    let statement = bind!(
        if waits { MOVE_WAITING } else { MOVE },
        &is.id,
        was.version,
        write.stamp.write_id,
        count(&change.events),
        looks,
        joins(was, is),
        &is.scope,
        dependencies::listed(is.blocked_by.as_deref()),
        is_awaited,
        was.claim.expires_at,
    );
    binding::<State>(write.bind_once(statement), is)
}
