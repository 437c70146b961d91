//! Drafts: creating, reading, changing and deleting them, and making tasks and projects of them.

use octopoid_domain::{
    Task,
    draft::{Draft, DraftPatch, PROMOTED, Promoted, Promotion, not_found},
    project::Project,
};

use crate::{
    Result, Stamp, Store, StoreError, answers,
    engine::{Row, Statement, bind},
    first,
    lists::{Listed, Listing, Order, Page, Place, json},
    locks::Lock,
    patch::{field, set},
    projects,
    row::{RowReader, number},
    tasks::{self, creating, task},
};

/// The columns of a draft, in the order [`draft`] reads them.
macro_rules! columns {
    () => {
        "id, title, status, author, domain, file_path, created_at, updated_at, linked_task_id, \
         linked_project_id, tags, scope"
    };
}

/// Reads the columns of a draft.
fn draft(row: Row) -> Result<Draft> {
    let mut row = RowReader::new(row);
    Ok(Draft {
        id: row.next()?,
        title: row.next()?,
        status: row.next()?,
        author: row.next()?,
        domain: row.next()?,
        file_path: row.next()?,
        created_at: row.next()?,
        updated_at: row.next()?,
        linked_task_id: row.next()?,
        linked_project_id: row.next()?,
        tags: row.next()?,
        scope: row.next()?,
    })
}

const INSERT: &str = "INSERT INTO drafts (title, status, author, domain, file_path, created_at, \
     updated_at, linked_task_id, linked_project_id, tags, scope) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10) RETURNING id";

/// A caller confined to a scope does not see the drafts of others.
const FIND: &str =
    concat!("SELECT ", columns!(), " FROM drafts WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)");

/// The newest first.
const OF_SCOPE: Order = Order {
    name: "drafts",
    columns: columns!(),
    table: "drafts",
    places: &[Place::number("id").indexed("(id + 0)")],
    is_descending: true,
    is_counted: true,
};

const OF_ALL: Order = Order { places: &[Place::number("id")], ..OF_SCOPE };

const UPDATE: &str = concat!(
    "UPDATE drafts SET ",
    set!("title", 4, 5),
    ", ",
    set!("status", 6, 7),
    ", ",
    set!("author", 8, 9),
    ", ",
    set!("domain", 10, 11),
    ", ",
    set!("file_path", 12, 13),
    ", ",
    set!("linked_task_id", 14, 15),
    ", ",
    set!("linked_project_id", 16, 17),
    ", ",
    set!("tags", 18, 19),
    ", updated_at = ?3 WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) RETURNING ",
    columns!()
);

const DELETE: &str = "DELETE FROM drafts WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) RETURNING id";

/// Links a draft to what this write has made of it. Nothing made, nothing linked.
macro_rules! link {
    ($column:literal, $table:literal) => {
        concat!(
            "UPDATE drafts SET ",
            $column,
            " = ?2, status = ?4, updated_at = ?5 \
             WHERE id = ?1 AND EXISTS (SELECT 1 FROM ",
            $table,
            " WHERE id = ?2 AND write_id = ?3) RETURNING ",
            columns!()
        )
    };
}

const LINK_TASK: &str = link!("linked_task_id", "tasks");
const LINK_PROJECT: &str = link!("linked_project_id", "projects");

/// Which drafts to list. An empty list does not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this tenant; of all, and of none, if absent.
    pub scope: Option<String>,
    /// With one of these statuses.
    pub statuses: Vec<String>,
    /// Written by this person or agent.
    pub author: Option<String>,
    /// About this part of the work.
    pub domain: Option<String>,
    /// Linked to this task.
    pub linked_task_id: Option<String>,
    /// Linked to this project.
    pub linked_project_id: Option<String>,
}

impl Filter {
    fn listing(&self) -> Listing {
        let order = if self.scope.is_some() { &OF_SCOPE } else { &OF_ALL };
        let mut listing = Listing::new(order, self);
        listing.and_if("scope = ?#", self.scope.as_deref());
        match &*self.statuses {
            [] => {}
            [status] => listing.and("status = ?#", status),
            // Hidden from the index, which would have to be sorted.
            several => {
                listing.and("status || '' IN (SELECT value FROM json_each(?#))", json(several));
            }
        }
        listing.and_if("author = ?#", self.author.as_deref());
        listing.and_if("domain = ?#", self.domain.as_deref());
        listing.and_if("linked_task_id = ?#", self.linked_task_id.as_deref());
        listing.and_if("linked_project_id = ?#", self.linked_project_id.as_deref());
        listing
    }
}

impl Store {
    /// Creates a draft and returns it with its number.
    pub async fn create_draft(&self, new: Draft) -> Result<Draft> {
        let insert = bind!(
            INSERT,
            &new.title,
            &new.status,
            &new.author,
            &new.domain,
            &new.file_path,
            new.created_at,
            &new.linked_task_id,
            &new.linked_project_id,
            &new.tags,
            &new.scope,
        );
        let [inserted] = self.write([insert]).await?;
        Ok(Draft { id: number(inserted)?, ..new })
    }

    /// Lists drafts, the newest first. Without a scope, counting them reads the whole table;
    /// only those can ask for it whom no key confines.
    pub async fn list_drafts(&self, filter: &Filter, page: &Page) -> Result<Listed<Draft>> {
        self.list_page(filter.scope.as_deref(), &filter.listing(), page, draft).await
    }

    /// The draft with this number. `within` confines the caller to a scope.
    pub async fn get_draft(&self, id: i64, within: Option<&str>) -> Result<Draft> {
        let [rows] = self.read_by_key([bind!(FIND, id, within)]).await?;
        Ok(first(rows, draft)?.ok_or_else(|| not_found(id))?)
    }

    /// Changes the fields that a body mentions.
    pub async fn update_draft(
        &self,
        id: i64,
        within: Option<&str>,
        patch: DraftPatch,
        stamp: Stamp,
    ) -> Result<Draft> {
        if let Err(refusal) = patch.check() {
            // That there is no such draft is said first.
            self.get_draft(id, within).await?;
            return Err(refusal.into());
        }
        let [rows] = self.write([updating(id, within, patch, stamp)]).await?;
        Ok(first(rows, draft)?.ok_or_else(|| not_found(id))?)
    }

    /// Deletes a draft. What was made of it stays.
    pub async fn delete_draft(&self, id: i64, within: Option<&str>) -> Result<()> {
        let [deleted] = self.write([bind!(DELETE, id, within)]).await?;
        if deleted.is_empty() { Err(not_found(id).into()) } else { Ok(()) }
    }

    /// Makes a task or a project of a draft, and links the draft to it. A draft that is linked to
    /// either was promoted already; however many try at once, one succeeds.
    pub async fn promote_draft(
        &self,
        id: i64,
        within: Option<&str>,
        promotion: Promotion,
        stamp: Stamp,
    ) -> Result<Promoted> {
        let draft = self.get_draft(id, within).await?;
        // Neither scope nor number of a draft ever changes, so this holds until the write.
        if let (Some(named), Some(own)) = (promotion.scope(), &draft.scope)
            && named != own
        {
            return Err(not_found(id).into());
        }
        draft.check_promotable()?;
        match promotion {
            Promotion::Task(new) => {
                self.promote_to_task(id, within, draft.to_task(*new, stamp.now)?, stamp).await
            }
            Promotion::Project(new) => {
                self.promote_to_project(id, draft.to_project(*new, stamp.now)?, stamp).await
            }
        }
    }

    async fn promote_to_task(
        &self,
        id: i64,
        within: Option<&str>,
        new: Task,
        stamp: Stamp,
    ) -> Result<Promoted> {
        self.check_new(&new).await?;
        let mut batch = creating(&new, within, Some(id), stamp);
        batch.push(linking(LINK_TASK, id, &new.id, stamp));
        batch.push(bind!(tasks::FIND, &new.id, None::<&str>));
        let mut locks = tasks::locks(&new);
        locks.push(Lock::draft(id));
        let mut answers = self.write_holding(locks, batch).await?;
        if answers[0].is_empty() {
            self.get_draft(id, None).await?.check_promotable()?;
            return Err(self.why_not_created(&new).await?);
        }
        self.hints().tell(&new.scope);
        let task = first(answers.pop().unwrap_or_default(), task)?;
        promoted(first(answers.pop().unwrap_or_default(), draft)?, task, None)
    }

    async fn promote_to_project(&self, id: i64, new: Project, stamp: Stamp) -> Result<Promoted> {
        let batch = vec![
            projects::inserting(&new, Some(id), stamp),
            linking(LINK_PROJECT, id, &new.id, stamp),
        ];
        let [inserted, linked] = answers(self.write_holding(vec![Lock::draft(id)], batch).await?)?;
        if inserted.is_empty() {
            self.get_draft(id, None).await?.check_promotable()?;
            return Err(projects::taken(&new.id).into());
        }
        promoted(first(linked, draft)?, None, Some(new))
    }
}

fn promoted(
    draft: Option<Draft>,
    task: Option<Task>,
    project: Option<Project>,
) -> Result<Promoted> {
    let draft = draft.ok_or(StoreError::Corrupt("a promoted draft was not linked"))?;
    Ok(Promoted { draft, task, project })
}

fn linking(sql: &'static str, id: i64, target: &str, stamp: Stamp) -> Statement {
    bind!(sql, id, target, stamp.write_id, PROMOTED, stamp.now)
}

fn updating(id: i64, within: Option<&str>, patch: DraftPatch, stamp: Stamp) -> Statement {
    let mut update = bind!(UPDATE, id, within, stamp.now);
    update.parameters.extend(
        [
            field(patch.title),
            field(patch.status),
            field(patch.author),
            field(patch.domain),
            field(patch.file_path),
            field(patch.linked_task_id),
            field(patch.linked_project_id),
            field(patch.tags),
        ]
        .into_iter()
        .flatten(),
    );
    update
}
