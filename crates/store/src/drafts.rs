//! Drafts: creating, reading, changing and deleting them, and making tasks and projects of them.

use const_format::concatcp;
use octopoid_domain::{
    Task,
    draft::{Draft, DraftPatch, PROMOTED, Promoted, Promotion, not_found, parse_id},
    event::{Kind, NewEvent},
    project::Project,
};

use crate::{
    Result, Sql, Stamp, Store, StoreError,
    columns::Column,
    engine::{Statement, bind},
    first,
    idempotency::{Memory, into_memory, unless_done},
    journal::Subject,
    lists::{Listed, Listing, Order, Page, Place, json},
    locks::Lock,
    patch::Update,
    projects,
    record::{self, Columns as _, Layout, binding, parameters, record},
    row::number,
    tasks,
    write::{Answer, Write},
};

record!(Draft {
    /// What the database gives a draft.
    Number {
        id,
    }
    /// What a draft is created with.
    Contents {
        title,
        status,
        author,
        domain,
        file_path,
        created_at,
        updated_at,
        linked_task_id,
        linked_project_id,
        tags,
        scope,
    }
});

pub(crate) const TABLE: Layout =
    Layout::of::<Draft>("drafts", &["id"]).with(&[Column::int("write_id")]);

const INSERT: &str = concatcp!(
    "INSERT INTO drafts (write_id, ",
    Contents::NAMES,
    ") SELECT ?1, ",
    parameters(7, Contents::COUNT),
    " WHERE 1 = 1",
    unless_done!("?2", "?3", "?4"),
    " RETURNING id"
);

/// The number of a new draft is known when it has been inserted. PostgreSQL records the event in the
/// same statement, and what the request has done (`?5`, `?6`); with a single writer, the next
/// statements find the draft by the highest number.
const CREATE: Sql = Sql::Differs {
    sqlite: INSERT,
    postgres: concatcp!(
        "WITH created AS (",
        INSERT,
        ", scope, author, created_at), \
         recorded AS (INSERT INTO events (scope, kind, subject, event, actor, at) \
         SELECT scope, 'draft', CAST(id AS TEXT), 'created', author, created_at FROM created), \
         remembered AS (",
        into_memory!(),
        "SELECT ?2, ?3, ?4, ?5, ?6, created_at, ?1, CAST(id AS TEXT), NULL, NULL FROM created \
         WHERE ?4 IS NOT NULL) SELECT id FROM created"
    ),
};

/// A caller confined to a scope does not see the drafts of others.
const FIND: &str =
    concatcp!("SELECT ", Draft::NAMES, " FROM drafts WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)");

/// Newest first.
const OF_SCOPE: Order = Order {
    name: "drafts",
    columns: Draft::NAMES,
    table: "drafts",
    places: &[Place::number("id").indexed("(id + 0)")],
    is_descending: true,
    is_counted: true,
};

const OF_ALL: Order = Order { places: &[Place::number("id")], ..OF_SCOPE };

/// Marks a draft before its deletion, so that later statements of the batch can check the mark.
const MARK: &str = "UPDATE drafts SET write_id = ?3 \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) RETURNING id";

const DELETE: &str = "DELETE FROM drafts WHERE id = ?1 AND write_id = ?2";

/// Links a draft to what this write has made of it. Nothing made, nothing linked.
macro_rules! link {
    ($column:literal, $table:literal) => {
        concatcp!(
            "UPDATE drafts SET ",
            $column,
            " = ?2, status = ?4, updated_at = ?5, write_id = ?3 \
             WHERE id = ?1 AND EXISTS (SELECT 1 FROM ",
            $table,
            " WHERE id = ?2 AND write_id = ?3) RETURNING ",
            Draft::NAMES
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
    pub async fn create_draft(&self, new: Draft, stamp: Stamp) -> Result<Draft> {
        let mut write = self.begin(stamp);
        let mut insert = write.bind_once(bind!(CREATE, stamp.write_id));
        let once = write.once.as_ref();
        insert.parameters.push(once.map(|once| &*once.body_hash).into());
        insert.parameters.push(once.map(|once| i64::from(once.status)).into());
        let inserted = write.run(binding::<Contents>(insert, &new));
        let event = NewEvent::new(Kind::Created, Some(new.author.clone()));
        write.record(Subject::NewDraft, &event);
        write.remember(Subject::NewDraft);
        let id = number(self.commit(write).await?.take(inserted))?;
        Ok(Draft { id, ..new })
    }

    /// Lists drafts, the newest first. Without a scope, counting them reads the whole table;
    /// only those can ask for it whom no key confines.
    pub async fn list_drafts(&self, filter: &Filter, page: &Page) -> Result<Listed<Draft>> {
        self.list_page(filter.scope.as_deref(), &filter.listing(), page, record::read).await
    }

    /// The draft with this number. `within` confines the caller to a scope.
    pub async fn get_draft(&self, id: i64, within: Option<&str>) -> Result<Draft> {
        let [rows] = self.read_by_key([bind!(FIND, id, within)]).await?;
        Ok(first(rows, record::read)?.ok_or_else(|| not_found(id))?)
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
            // A missing draft takes precedence.
            self.get_draft(id, within).await?;
            return Err(refusal.into());
        }
        let mut write = Write::new(stamp);
        let updated = write.run(updating(id, within, patch, stamp));
        write.record(Subject::Draft(id), &NewEvent::new(Kind::Updated, None));
        let rows = self.commit(write).await?.take(updated);
        Ok(first(rows, record::read)?.ok_or_else(|| not_found(id))?)
    }

    /// Deletes a draft. What was made of it stays.
    pub async fn delete_draft(&self, id: i64, within: Option<&str>, stamp: Stamp) -> Result<()> {
        let mut write = Write::new(stamp);
        write.hold(Lock::draft(id));
        let marked = write.run(bind!(MARK, id, within, stamp.write_id));
        write.record(Subject::Draft(id), &NewEvent::new(Kind::Deleted, None));
        write.run(bind!(DELETE, id, stamp.write_id));
        let is_unknown = self.commit(write).await?.is_empty(marked);
        if is_unknown { Err(not_found(id).into()) } else { Ok(()) }
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

    /// A draft that a request has created, as it is now.
    pub async fn draft_created_before(
        &self,
        memory: &Memory,
        within: Option<&str>,
    ) -> Result<Draft> {
        self.get_draft(parse_id(&memory.subject)?, within).await
    }

    /// A draft that was promoted, with what was made of it, as far as that is still there.
    pub async fn promoted_before(&self, memory: &Memory, within: Option<&str>) -> Result<Promoted> {
        let draft = self.draft_created_before(memory, within).await?;
        let (task, project) = (&draft.linked_task_id, &draft.linked_project_id);
        let batch = [bind!(tasks::FIND, task, within), bind!(projects::FIND, project, within)];
        let [task, project] = self.read_by_key(batch).await?;
        let (task, project) = (first(task, record::read)?, first(project, record::read)?);
        promoted(Some(draft), task, project)
    }

    async fn promote_to_task(
        &self,
        id: i64,
        within: Option<&str>,
        new: Task,
        stamp: Stamp,
    ) -> Result<Promoted> {
        self.check_new(&new).await?;
        let mut write = self.begin(stamp);
        write.hold(Lock::draft(id));
        let created = tasks::create(&mut write, &new, within, Some(id));
        let linked = link(&mut write, LINK_TASK, id, &new.id);
        write.remember(Subject::Draft(id));
        let found = write.run(bind!(tasks::FIND, &new.id, None::<&str>));
        let mut answers = self.commit(write).await?;
        if answers.is_empty(created) {
            self.get_draft(id, None).await?.check_promotable()?;
            return Err(self.why_not_created(&new).await?);
        }
        self.meter.created(&new);
        let task = first(answers.take(found), record::read)?;
        promoted(first(answers.take(linked), record::read)?, task, None)
    }

    async fn promote_to_project(&self, id: i64, new: Project, stamp: Stamp) -> Result<Promoted> {
        let mut write = self.begin(stamp);
        write.hold(Lock::draft(id));
        let created = projects::create(&mut write, &new, Some(id));
        let linked = link(&mut write, LINK_PROJECT, id, &new.id);
        write.remember(Subject::Draft(id));
        let mut answers = self.commit(write).await?;
        if answers.is_empty(created) {
            self.get_draft(id, None).await?.check_promotable()?;
            return Err(projects::taken(&new.id).into());
        }
        promoted(first(answers.take(linked), record::read)?, None, Some(new))
    }
}

fn promoted(
    draft: Option<Draft>,
    task: Option<Task>,
    project: Option<Project>,
) -> Result<Promoted> {
    let draft = draft.ok_or(StoreError::Corrupt("a promoted draft was not linked"))?;
    Ok(Promoted { draft, task: task.map(Into::into), project })
}

/// Adds to a write that a draft is linked to what the write has made of it.
fn link(write: &mut Write, sql: &'static str, id: i64, target: &str) -> Answer {
    let Stamp { write_id, now } = write.stamp;
    let linked = write.run(bind!(sql, id, target, write_id, PROMOTED, now));
    write.record(Subject::Draft(id), &NewEvent::new(Kind::Promoted, None).with(target));
    linked
}

fn updating(id: i64, within: Option<&str>, patch: DraftPatch, stamp: Stamp) -> Statement {
    let mut update = Update::of("drafts", stamp);
    update.set("title", patch.title);
    update.set("status", patch.status);
    update.set("author", patch.author);
    update.set("domain", patch.domain);
    update.set("file_path", patch.file_path);
    update.set("linked_task_id", patch.linked_task_id);
    update.set("linked_project_id", patch.linked_project_id);
    update.set("tags", patch.tags);
    update.set_to("updated_at", "?#", stamp.now);
    update.of_row(id, within, "", Draft::NAMES)
}
