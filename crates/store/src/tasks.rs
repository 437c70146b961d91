//! Tasks: creating, reading, changing and deleting them.

use const_format::concatcp;
use octopoid_domain::{
    Claim, Refusal, Task,
    event::{Kind, NewEvent},
    flow::{Rules, check_queue},
    limits::{lane, too_many_lanes},
    queue,
    step::Step,
    task::blockers,
    text::{listed, shown},
};

use crate::{
    Result, Sql, Stamp, Store, StoreError,
    changes::TRIES,
    columns::Column,
    counts,
    cycles::closes_cycle,
    dependencies,
    engine::{Row, Statement, bind},
    first,
    idempotency::unless_done,
    journal::{self, Subject},
    lists::json,
    locks::Lock,
    merge::{Merge, Turn},
    record::{self, Columns as _, Layout, binding, parameters, record},
    row::RowReader,
    runs,
    write::{Answer, Write},
};

record!(Claim {
    by = "claimed_by",
    at = "claimed_at",
    orchestrator_id,
    expires_at = "lease_expires_at",
    queue = "claimed_in",
});

record!(Task {
    /// What the statements find out themselves when a task is created.
    Computed {
        branch,
        version,
        blocked_by,
        run,
        attempt,
    }
    /// What never changes.
    Fixed {
        id,
        file_path,
        scope,
        created_at,
        needs_breakdown,
        review_round,
        traceparent,
    }
    /// What the state machine changes.
    State {
        queue,
        claim: [Claim],
        needs_intervention,
        commits_count,
        turns_used,
        attempt_count,
        rejection_count,
        check_results,
        execution_notes,
        submitted_at,
        completed_at,
        updated_at,
        lease_run,
        accepted_attempt,
        failure_count,
        lapse_count,
        setback_count,
        not_before,
        cancel_requested_at,
        usage,
    }
    /// What only an update changes.
    Details {
        priority,
        complexity,
        role,
        has_plan,
        plan_id,
        project_id,
        auto_accept,
        pr_number,
        pr_url,
        checks,
        needs_rebase,
        last_rebase_attempt_at,
        staging_url,
        title,
        kind = "type",
        hooks,
        flow,
        flow_overrides,
        max_attempts,
        content,
    }
});

pub(crate) const TABLE: Layout = Layout::of::<Task>("tasks", &["seq"]).with(&[
    Column::int("seq"),
    Column::int("write_id"),
    Column::int("events"),
    Column::int("is_awaited"),
]);

/// A caller confined to a scope does not see the tasks of others.
pub(crate) const FIND: &str =
    concatcp!("SELECT ", Task::NAMES, " FROM tasks WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)");

const FIND_FLOW: &str =
    "SELECT name, states, transitions, child_flow FROM flows WHERE scope = ?1 AND name = ?2";

/// The task's project, which must be there. One of another scope is no project of this task's; one
/// of no scope is for callers whom no key confines (`?6`).
const PROJECT: &str = "FROM projects WHERE id = ?3 AND (scope = ?2 OR scope IS NULL AND ?6 = 1)";

/// The first parameter of [`INSERT`] that is a column's.
const FIRST: usize = 12;

/// A project lends its branch. Events, versions and runs go on where those of an earlier task of
/// this id ended.
macro_rules! insert {
    ($condition:expr) => {
        insert!("", $condition, "branch, version, run, attempt")
    };
    ($from:literal, $condition:expr, $returning:literal) => {
        concatcp!(
            "INSERT INTO tasks (branch, version, run, attempt, write_id, events, is_awaited, ",
            Fixed::NAMES,
            ", ",
            State::NAMES,
            ", ",
            Details::NAMES,
            ") SELECT COALESCE((SELECT CASE WHEN branch <> '' THEN branch END ",
            PROJECT,
            "), ?4), COALESCE((SELECT version FROM events WHERE subject = ?1 \
             AND seq IS NOT NULL ORDER BY seq DESC LIMIT 1), 0) + 1, \
             (SELECT COALESCE(MAX(run), 0) FROM runs WHERE task_id = ?1), \
             (SELECT COALESCE(MAX(attempt), 0) FROM runs WHERE task_id = ?1), ?5, \
             (SELECT COALESCE(MAX(seq), 0) + 1 FROM events WHERE subject = ?1 \
             AND seq IS NOT NULL), \
             CASE WHEN EXISTS (SELECT 1 FROM task_blockers WHERE scope = ?2 \
             AND blocker_id = ?1) THEN 1 ELSE 0 END, ",
            parameters(FIRST, Fixed::COUNT),
            ", ",
            parameters(FIRST + Fixed::COUNT, State::COUNT),
            ", ",
            parameters(FIRST + Fixed::COUNT + State::COUNT, Details::COUNT),
            $from,
            " WHERE (?3 IS NULL OR EXISTS (SELECT 1 ",
            PROJECT,
            "))",
            unless_done!("?9", "?10", "?11"),
            $condition,
            " ON CONFLICT DO NOTHING RETURNING ",
            $returning
        )
    };
}

/// A task that waits must not wait for itself.
macro_rules! unless_cycle {
    () => {
        concat!(
            " AND NOT ",
            closes_cycle!(
                "EXISTS (SELECT 1 FROM task_blockers WHERE scope = ?2 AND blocker_id = ?1)",
                "?1",
                "?2",
                "?7"
            )
        )
    };
}

/// A row that was inserted belongs to the batch whose number it is marked with: of two that create
/// the same task, one does.
const INSERT: Sql = Sql::merged(
    insert!(""),
    Merge::own(
        Turn::Create,
        concatcp!(
            "WITH created AS (",
            insert!(" FROM input", "", "id, write_id, branch, version, run, attempt"),
            ") SELECT n, branch, version, run, attempt FROM created \
             JOIN input ON ?1 = id AND ?5 = write_id"
        ),
        0,
    ),
);

const INSERT_WAITING: Sql = Sql::same(insert!(unless_cycle!()));

/// The condition is the same as for a project made from a draft.
const INSERT_FROM_DRAFT: Sql = Sql::same(insert!(concat!(
    unless_cycle!(),
    " AND EXISTS (SELECT 1 FROM drafts WHERE id = ?8 AND linked_task_id IS NULL \
     AND linked_project_id IS NULL)"
)));

/// Why nothing was inserted: the id is taken, or the path is.
const TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM tasks WHERE id = ?1), \
     EXISTS (SELECT 1 FROM tasks WHERE scope = ?2 AND file_path = ?3)";

/// Which of the named roles the scope has, and the first of all it has, for the error that lists
/// them: one more than that shows.
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

/// Marks a task before its deletion, so that later statements of the batch can check the mark.
const MARK: &str = concatcp!(
    "UPDATE tasks SET write_id = ?3, events = events + 1 \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) AND (?4 IS NULL OR version = ?4) RETURNING ",
    Task::NAMES
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
        first(rows, record::read)?.ok_or_else(|| not_found(id))
    }

    /// Creates a task and returns it as it was stored. `within` confines the caller to a scope.
    pub async fn create_task(&self, new: Task, within: Option<&str>, stamp: Stamp) -> Result<Task> {
        self.check_new(&new).await?;
        let mut write = self.begin(stamp);
        let created = create(&mut write, &new, within, None);
        write.remember(Subject::Task(&new.id));
        // Only what the statements may decide otherwise has to be read back.
        let found = new.blocked_by.is_some().then(|| write.run(bind!(FIND, &new.id, None::<&str>)));
        let mut answers = self.commit(write).await?;
        let Some(row) = answers.take(created).pop() else {
            return Err(self.why_not_created(&new).await?);
        };
        self.meter.created(&new);
        let Some(found) = found else {
            let mut row = RowReader::new(row);
            return Ok(Task {
                branch: row.next()?,
                version: row.next()?,
                run: row.next()?,
                attempt: row.next()?,
                ..new
            });
        };
        first(answers.take(found), record::read)?.ok_or_else(|| not_found(&new.id))
    }

    /// The checks that need the scope's roles and flows.
    pub(crate) async fn check_new(&self, new: &Task) -> Result<()> {
        let asks_flow = !queue::BUILT_IN.contains(&&*new.queue);
        if new.role.is_none() && new.kind.is_none() && !asks_flow {
            return Ok(());
        }
        let roles = finding_roles(&new.scope, new.role.as_slice());
        let [known, crowded] = self.read_by_key([roles, crowding(new)]).await?;
        check_roles(new.role.as_slice(), known)?;
        if asks_flow {
            let flow = bind!(FIND_FLOW, &new.scope, new.flow_name());
            let [flow] = Box::pin(self.read_by_key([flow])).await?;
            check_queue(&new.queue, first(flow, rules)?.as_ref(), new.project_id.is_some())?;
        }
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
        if self.terms.versions.is_none() {
            let deleted = self.delete_version(id, within, None, stamp).await?;
            return deleted.ok_or_else(|| not_found(id));
        }
        for _ in 0..TRIES {
            let found = self.get_task(id, within).await?;
            self.check_precondition(&found)?;
            let deleted = self.delete_version(id, within, Some(found.version), stamp).await?;
            if let Some(deleted) = deleted {
                return Ok(deleted);
            }
        }
        Err(Refusal::Race { step: Step::Update }.into())
    }

    /// Deletes a task of this version, or of any. Returns `None` if there is none.
    async fn delete_version(
        &self,
        id: &str,
        within: Option<&str>,
        version: Option<i64>,
        stamp: Stamp,
    ) -> Result<Option<Task>> {
        let mut write = Write::new(stamp);
        write.hold(Lock::task(id));
        let marked = write.run(bind!(MARK, id, within, stamp.write_id, version));
        write.run(journal::task_deleted(id, stamp));
        write.run_all(queue::FINISHED.map(|queue| counts::subtract(id, queue, stamp)));
        write.run_all(dependencies::release_dependents(id, stamp));
        write.run(dependencies::wait_no_more(id, stamp));
        write.run_all(runs::forget(id, stamp));
        write.run(bind!(DELETE, id, stamp.write_id));
        let deleted = first(self.commit(write).await?.take(marked), record::read::<Task>)?;
        if let Some(deleted) = &deleted {
            self.hints.tell(&deleted.scope);
        }
        Ok(deleted)
    }
}

/// Adds the creation of a task to a write; the answer is empty if it was not created. With a draft,
/// the task is created only if that draft has not been promoted.
pub(crate) fn create(
    write: &mut Write,
    new: &Task,
    within: Option<&str>,
    draft: Option<i64>,
) -> Answer {
    // What the write decides by: whether the id is free and who waits for it, what the task waits
    // for itself, and whether its project is there.
    write.hold(Lock::task(&new.id));
    write.hold_all(dependencies::locks(new));
    write.hold_all(new.project_id.as_deref().map(Lock::joining));
    let stamp = write.stamp;
    let created = write.run(inserting(write, new, within, draft));
    write.record(Subject::Task(&new.id), &creation(new, draft));
    if let Some(list) = &new.blocked_by {
        write.run_all(dependencies::wait_for(&new.id, &blockers(list), stamp));
    }
    if queue::is_finished(&new.queue) {
        write.run(counts::add(&new.id, &new.queue, 1, stamp));
    }
    if new.queue == queue::DONE {
        write.run_all(dependencies::release_dependents(&new.id, stamp));
    }
    write.wake_if(created, &new.scope);
    created
}

/// The first event of a task. History can be replayed only if it says where it begins.
fn creation(new: &Task, draft: Option<i64>) -> NewEvent {
    let event = NewEvent::new(Kind::Created, None);
    match (draft, &*new.queue) {
        (None, queue::INCOMING) => event,
        (None, queue) => event.with(serde_json::json!({ "queue": queue }).to_string()),
        (Some(draft), queue::INCOMING) => event.with(format!("promoted from draft {draft}")),
        (Some(draft), queue) => event.with(format!("promoted from draft {draft} into {queue}")),
    }
}

fn inserting(write: &Write, new: &Task, within: Option<&str>, draft: Option<i64>) -> Statement {
    let sql = match (draft, &new.blocked_by) {
        (Some(_), _) => INSERT_FROM_DRAFT,
        (None, Some(_)) => INSERT_WAITING,
        (None, None) => INSERT,
    };
    let insert = bind!(
        sql,
        &new.id,
        &new.scope,
        &new.project_id,
        &new.branch,
        write.stamp.write_id,
        within.is_none(),
        dependencies::listed(new.blocked_by.as_deref()),
        draft,
    );
    let insert = write.bind_once(insert);
    binding::<Details>(binding::<State>(binding::<Fixed>(insert, new), new), new)
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
    use octopoid_domain::limits::LANES_MAX;
    use octopoid_domain::text::LISTED_MAX;

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
