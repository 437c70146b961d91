//! Projects: creating, reading, changing and deleting them, and listing their tasks.

use const_format::concatcp;
use octopoid_domain::{
    Refusal, Task,
    event::{Kind, NewEvent},
    input::{Flag, Patch},
    project::{Project, ProjectPatch},
    text::shown,
};

use crate::{
    Result, Stamp, Store, StoreError,
    columns::Column,
    engine::{Statement, bind},
    first,
    idempotency::unless_done,
    journal::Subject,
    lists::{Listed, Listing, Order, Page, Place, Tasks},
    locks::Lock,
    patch::Update,
    record::{self, Columns as _, Layout, binding, parameters, record},
    row::RowReader,
    write::{Answer, Write},
};

/// The status of a project whose work is done.
const COMPLETED: &str = "completed";

record!(Project {
    id,
    title,
    description,
    status,
    branch,
    base_branch,
    auto_accept,
    created_at,
    created_by,
    completed_at,
    scope,
    pr_url,
    pr_number,
    flow,
});

pub(crate) const TABLE: Layout = Layout::of::<Project>("projects", &["seq"])
    .with(&[Column::int("seq"), Column::int("write_id")]);

/// Creates a project if its id is free and the draft it is made from, if any, has not been
/// promoted, as for a task made from a draft.
const INSERT: &str = concatcp!(
    "INSERT INTO projects (write_id, ",
    Project::NAMES,
    ") SELECT ?1, ",
    parameters(6, Project::COUNT),
    " WHERE (?2 IS NULL OR EXISTS (SELECT 1 FROM drafts WHERE id = ?2 AND linked_task_id IS NULL \
     AND linked_project_id IS NULL))",
    unless_done!("?3", "?4", "?5"),
    " ON CONFLICT DO NOTHING RETURNING id"
);

/// A caller confined to a scope does not see the projects of others.
pub(crate) const FIND: &str = concatcp!(
    "SELECT ",
    Project::NAMES,
    " FROM projects WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)"
);

/// Newest first.
const OF_SCOPE: Order = Order {
    name: "projects",
    columns: Project::NAMES,
    table: "projects",
    places: &[Place::number("seq").indexed("(seq + 0)")],
    is_descending: true,
    is_counted: true,
};

const OF_ALL: Order = Order { places: &[Place::number("seq")], ..OF_SCOPE };

/// Marks a project before its deletion, so that later statements of the batch can check the mark.
const MARK: &str = "UPDATE projects SET write_id = ?3 \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) \
     AND NOT EXISTS (SELECT 1 FROM tasks WHERE project_id = ?1) RETURNING id";

const DELETE: &str = "DELETE FROM projects WHERE id = ?1 AND write_id = ?2";

/// Why nothing was deleted: how many tasks a project has that is there.
const COUNT_TASKS: &str = "SELECT (SELECT COUNT(*) FROM tasks WHERE project_id = ?1) \
     FROM projects WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)";

/// Which projects to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this tenant; of all, and of none, if absent.
    pub scope: Option<String>,
    /// With this status.
    pub status: Option<String>,
    /// Created by this person or agent.
    pub created_by: Option<String>,
}

/// Adds the creation of a project to a write; the answer is empty if the id is taken. With a draft,
/// the project is created only if that draft has not been promoted.
pub(crate) fn create(write: &mut Write, new: &Project, draft: Option<i64>) -> Answer {
    let insert = write.bind_once(bind!(INSERT, write.stamp.write_id, draft));
    let inserted = write.run(binding::<Project>(insert, new));
    let event = NewEvent::new(Kind::Created, new.created_by.clone());
    write.record(Subject::Project(&new.id), &event);
    inserted
}

/// The refusal of a project whose id is taken.
pub(crate) fn taken(id: &str) -> Refusal {
    Refusal::Duplicate(format!("Project {id} already exists"))
}

fn not_found(id: &str) -> StoreError {
    Refusal::NotFound(format!("Project {} not found", shown(id))).into()
}

impl Store {
    /// Creates a project and returns it as it was stored.
    pub async fn create_project(&self, new: Project, stamp: Stamp) -> Result<Project> {
        let mut write = self.begin(stamp);
        let inserted = create(&mut write, &new, None);
        write.remember(Subject::Project(&new.id));
        if self.commit(write).await?.is_empty(inserted) {
            return Err(taken(&new.id).into());
        }
        Ok(new)
    }

    /// Lists projects, the newest first. Without a scope, counting them reads the whole table;
    /// only those can ask for it whom no key confines.
    pub async fn list_projects(&self, filter: &Filter, page: &Page) -> Result<Listed<Project>> {
        let scope = filter.scope.as_deref();
        let order = if scope.is_some() { &OF_SCOPE } else { &OF_ALL };
        let mut listing = Listing::new(order, filter);
        listing.and_if("scope = ?#", scope);
        listing.and_if("status = ?#", filter.status.as_deref());
        listing.and_if("created_by = ?#", filter.created_by.as_deref());
        self.list_page(scope, &listing, page, record::read).await
    }

    /// The project with this id. `within` confines the caller to a scope.
    pub async fn get_project(&self, id: &str, within: Option<&str>) -> Result<Project> {
        let [rows] = self.read_by_key([bind!(FIND, id, within)]).await?;
        first(rows, record::read)?.ok_or_else(|| not_found(id))
    }

    /// Lists the tasks of a project, the most urgent first, and among equals the newest. `within`
    /// confines the caller to a scope; `scope` only leaves out the tasks of others.
    pub async fn list_project_tasks(
        &self,
        id: &str,
        within: Option<&str>,
        scope: Option<&str>,
        page: &Page,
    ) -> Result<Listed<Task>> {
        let scope = scope.or(within);
        let mut tasks = Tasks::of_project(id, scope);
        let mut batch = tasks.statements(page)?;
        batch.push(bind!(FIND, id, within));
        let mut answers = self.list(scope, batch).await?;
        if answers.pop().is_none_or(|found| found.is_empty()) {
            return Err(not_found(id));
        }
        tasks.listed(page, answers)
    }

    /// Changes the fields that a body mentions.
    pub async fn update_project(
        &self,
        id: &str,
        within: Option<&str>,
        patch: ProjectPatch,
        stamp: Stamp,
    ) -> Result<Project> {
        if let Err(refusal) = patch.check() {
            // A missing project takes precedence.
            self.get_project(id, within).await?;
            return Err(refusal.into());
        }
        let mut write = Write::new(stamp);
        let updated = write.run(updating(id, within, patch, stamp));
        write.record(Subject::Project(id), &NewEvent::new(Kind::Updated, None));
        let rows = self.commit(write).await?.take(updated);
        first(rows, record::read)?.ok_or_else(|| not_found(id))
    }

    /// Deletes a project that has no tasks.
    pub async fn delete_project(&self, id: &str, within: Option<&str>, stamp: Stamp) -> Result<()> {
        let mut write = Write::new(stamp);
        write.hold(Lock::project(id));
        let marked = write.run(bind!(MARK, id, within, stamp.write_id));
        write.record(Subject::Project(id), &NewEvent::new(Kind::Deleted, None));
        write.run(bind!(DELETE, id, stamp.write_id));
        let tasks = write.run(bind!(COUNT_TASKS, id, within));
        let mut answers = self.commit(write).await?;
        if !answers.is_empty(marked) {
            return Ok(());
        }
        match first(answers.take(tasks), |row| RowReader::new(row).next())? {
            Some(tasks) => Err(Refusal::ProjectInUse { id: id.to_owned(), tasks }.into()),
            None => Err(not_found(id)),
        }
    }
}

fn updating(id: &str, within: Option<&str>, patch: ProjectPatch, stamp: Stamp) -> Statement {
    // A flag has no null: clearing it lowers it.
    let auto_accept = match patch.auto_accept {
        Patch::Null => Patch::Set(Flag(false)),
        other => other,
    };
    let is_completed = matches!(&patch.status, Patch::Set(status) if status.0 == COMPLETED);
    let mut update = Update::of("projects", stamp);
    update.set("title", patch.title);
    update.set("description", patch.description);
    update.set("status", patch.status);
    update.set("branch", patch.branch);
    update.set("base_branch", patch.base_branch);
    update.set("auto_accept", auto_accept);
    update.set("pr_url", patch.pr_url);
    update.set("pr_number", patch.pr_number);
    update.set("flow", patch.flow);
    match patch.completed_at {
        // Completing a project sets `completed_at`, unless it is already set.
        Patch::Absent if is_completed => {
            update.set_to("completed_at", "COALESCE(completed_at, ?#)", stamp.now);
        }
        completed_at => update.set("completed_at", completed_at),
    }
    update.of_row(id, within, "", Project::NAMES)
}
