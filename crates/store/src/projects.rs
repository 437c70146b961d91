//! Projects: creating, reading, changing and deleting them, and listing their tasks.

use octopoid_domain::{
    Refusal, Task,
    input::{Flag, Patch},
    limits::shown,
    project::{Project, ProjectPatch},
};

use crate::{
    Result, Stamp, Store, StoreError, answers,
    engine::{Row, Statement, bind},
    first,
    lists::{Listed, Listing, Order, Page, Place, Tasks},
    locks::Lock,
    patch::{field, set},
    row::RowReader,
};

/// The columns of a project, in the order [`project`] reads them.
macro_rules! columns {
    () => {
        "id, title, description, status, branch, base_branch, auto_accept, created_at, \
         created_by, completed_at, scope, pr_url, pr_number, flow"
    };
}

/// Reads the columns of a project.
fn project(row: Row) -> Result<Project> {
    let mut row = RowReader::new(row);
    Ok(Project {
        id: row.next()?,
        title: row.next()?,
        description: row.next()?,
        status: row.next()?,
        branch: row.next()?,
        base_branch: row.next()?,
        auto_accept: row.next()?,
        created_at: row.next()?,
        created_by: row.next()?,
        completed_at: row.next()?,
        scope: row.next()?,
        pr_url: row.next()?,
        pr_number: row.next()?,
        flow: row.next()?,
    })
}

/// Creates a project if its id is free, and under a further condition.
macro_rules! insert {
    ($condition:literal) => {
        concat!(
            "INSERT INTO projects (",
            columns!(),
            ", write_id) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15 \
             WHERE ",
            $condition,
            " ON CONFLICT DO NOTHING RETURNING id"
        )
    };
}

const INSERT: &str = insert!("TRUE");

/// The condition is the same as for a task made from a draft.
const INSERT_FROM_DRAFT: &str = insert!(
    "EXISTS (SELECT 1 FROM drafts WHERE id = ?16 AND linked_task_id IS NULL \
     AND linked_project_id IS NULL)"
);

/// A caller confined to a scope does not see the projects of others.
const FIND: &str =
    concat!("SELECT ", columns!(), " FROM projects WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)");

/// The newest first.
const OF_SCOPE: Order = Order {
    name: "projects",
    columns: columns!(),
    table: "projects",
    places: &[Place::number("seq").indexed("(seq + 0)")],
    is_descending: true,
    is_counted: true,
};

const OF_ALL: Order = Order { places: &[Place::number("seq")], ..OF_SCOPE };

/// Completing a project notes the time, unless it is noted already or the body says otherwise.
const UPDATE: &str = concat!(
    "UPDATE projects SET ",
    set!("title", 4, 5),
    ", ",
    set!("description", 6, 7),
    ", ",
    set!("status", 8, 9),
    ", ",
    set!("branch", 10, 11),
    ", ",
    set!("base_branch", 12, 13),
    ", ",
    set!("auto_accept", 14, 15),
    ", ",
    set!("pr_url", 16, 17),
    ", ",
    set!("pr_number", 18, 19),
    ", ",
    set!("flow", 20, 21),
    ", completed_at = CASE WHEN ?22 = 1 THEN ?23 \
     WHEN ?9 = 'completed' THEN COALESCE(completed_at, ?3) ELSE completed_at END \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) RETURNING ",
    columns!()
);

const DELETE: &str = "DELETE FROM projects WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) \
     AND NOT EXISTS (SELECT 1 FROM tasks WHERE project_id = ?1) RETURNING id";

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

/// The statement that creates a project; it returns no row if the id is taken. With a draft, the
/// project is created only if that draft has not been promoted.
pub(crate) fn inserting(new: &Project, draft: Option<i64>, stamp: Stamp) -> Statement {
    let mut insert = bind!(
        INSERT,
        &new.id,
        &new.title,
        &new.description,
        &new.status,
        &new.branch,
        &new.base_branch,
        new.auto_accept,
        new.created_at,
        &new.created_by,
        new.completed_at,
        &new.scope,
        &new.pr_url,
        new.pr_number,
        &new.flow,
        stamp.write_id,
    );
    if let Some(draft) = draft {
        insert.sql = INSERT_FROM_DRAFT.into();
        insert.parameters.push(draft.into());
    }
    insert
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
        let [inserted] = self.write([inserting(&new, None, stamp)]).await?;
        if inserted.is_empty() {
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
        self.list_page(scope, &listing, page, project).await
    }

    /// The project with this id. `within` confines the caller to a scope.
    pub async fn get_project(&self, id: &str, within: Option<&str>) -> Result<Project> {
        let [rows] = self.read_by_key([bind!(FIND, id, within)]).await?;
        first(rows, project)?.ok_or_else(|| not_found(id))
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
            // That there is no such project is said first.
            self.get_project(id, within).await?;
            return Err(refusal.into());
        }
        let [rows] = self.write([updating(id, within, patch, stamp)]).await?;
        first(rows, project)?.ok_or_else(|| not_found(id))
    }

    /// Deletes a project that has no tasks.
    pub async fn delete_project(&self, id: &str, within: Option<&str>) -> Result<()> {
        let batch = vec![bind!(DELETE, id, within), bind!(COUNT_TASKS, id, within)];
        let [deleted, tasks] = answers(self.write_holding(vec![Lock::project(id)], batch).await?)?;
        if !deleted.is_empty() {
            return Ok(());
        }
        match first(tasks, |row| RowReader::new(row).next())? {
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
    let mut update = bind!(UPDATE, id, within, stamp.now);
    update.parameters.extend(
        [
            field(patch.title),
            field(patch.description),
            field(patch.status),
            field(patch.branch),
            field(patch.base_branch),
            field(auto_accept),
            field(patch.pr_url),
            field(patch.pr_number),
            field(patch.flow),
            field(patch.completed_at),
        ]
        .into_iter()
        .flatten(),
    );
    update
}
