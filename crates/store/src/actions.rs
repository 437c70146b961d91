//! Actions: proposing them, asking for their execution, and noting how they ended.

use const_format::concatcp;
use octopoid_domain::{
    Millis, Refusal, Task,
    action::{ANSWERED_BY_DEFAULT, Action, ActionPatch, EndAction, Outcome, QUESTION, Status},
    change::Question,
    event::{Kind, NewEvent},
};

use crate::{
    Result, Stamp, Store, StoreError,
    columns::Column,
    dependencies,
    engine::bind,
    first,
    idempotency::unless_done,
    journal::Subject,
    lists::{Listed, Listing, Order, Page, Place},
    patch::Update,
    record::{self, Columns as _, Layout, binding, parameters, record},
    write::{Answer, Write},
};

record!(Action {
    id,
    entity_type,
    entity_id,
    action_type,
    label,
    description,
    status,
    proposed_by,
    proposed_at,
    executed_at,
    result,
    expires_at,
    metadata,
    action_data,
    scope,
});

pub(crate) const TABLE: Layout = Layout::of::<Action>("actions", &["seq"]).with(&[
    Column::int("seq"),
    Column::int("expires_at_ms"),
    Column::int("write_id"),
]);

/// The condition that an action has not ended.
const IS_OPEN: &str = "status NOT IN ('completed', 'failed', 'expired')";

const INSERT: &str = concatcp!(
    "INSERT INTO actions (write_id, expires_at_ms, ",
    Action::NAMES,
    ") SELECT ?1, ?2, ",
    parameters(6, Action::COUNT),
    " WHERE 1 = 1",
    unless_done!("?3", "?4", "?5")
);

/// A caller confined to a scope does not see the actions of others.
const FIND: &str = concatcp!(
    "SELECT ",
    Action::NAMES,
    " FROM actions WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)"
);

/// Newest first.
const NEWEST_FIRST: Order = Order {
    name: "actions",
    columns: Action::NAMES,
    table: "actions",
    places: &[Place::number("seq").indexed("(seq + 0)")],
    is_descending: true,
    is_counted: true,
};

/// Of many who ask at once, one is the first.
const EXECUTE: &str = concatcp!(
    "UPDATE actions SET status = 'execute_requested', executed_at = ?3, write_id = ?4 \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) AND status = 'proposed' \
     AND (expires_at_ms IS NULL OR expires_at_ms > ?3)",
    unless_done!("?5", "?6", "?7"),
    " RETURNING ",
    Action::NAMES
);

/// The question of an agent about the task that a write has changed.
const ASK: &str = "INSERT INTO actions (id, entity_type, entity_id, action_type, label, \
     description, status, proposed_by, proposed_at, scope, write_id) \
     SELECT ?3, 'task', id, 'question', ?4, ?5, 'proposed', ?6, ?7, scope, write_id \
     FROM tasks WHERE id = ?1 AND write_id = ?2";

/// The answer to a question becomes a message, which the next claim is given.
const ANSWER: &str = "INSERT INTO messages \
     (id, task_id, from_actor, to_actor, type, content, created_at, scope, write_id) \
     SELECT ?3, entity_id, ?4, NULL, 'answer', COALESCE(result, CASE status WHEN 'completed' \
     THEN '' ELSE 'The question was closed without an answer' END), ?5, scope, write_id \
     FROM actions WHERE id = ?1 AND write_id = ?2";

/// Which actions to list. Those that have expired are never listed.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The tenant.
    pub scope: String,
    /// About this kind of thing.
    pub entity_type: Option<String>,
    /// About this one.
    pub entity_id: Option<String>,
    /// With this status, which is not validated.
    pub status: Option<String>,
}

impl Filter {
    fn listing(&self, now: Millis) -> Listing {
        let mut listing = Listing::new(&NEWEST_FIRST, self);
        listing.and("scope = ?#", &self.scope);
        match (&self.entity_id, &self.status) {
            // The index of statuses would pass over every action with that status, so the status
            // is hidden from it.
            (Some(entity), Some(status)) => {
                listing.and("entity_id = ?#", entity);
                listing.and("status || '' = ?#", status);
            }
            (entity, status) => {
                listing.and_if("entity_id = ?#", entity.as_deref());
                listing.and_if("status = ?#", status.as_deref());
            }
        }
        listing.and_if("entity_type = ?#", self.entity_type.as_deref());
        listing.and("(expires_at_ms IS NULL OR expires_at_ms > ?#)", now);
        listing
    }
}

fn not_found() -> StoreError {
    Refusal::NotFound("Action not found".to_owned()).into()
}

impl Store {
    /// Adds a proposed action and returns it with its id.
    pub async fn create_action(&self, new: Action, stamp: Stamp) -> Result<Action> {
        let new = Action { id: stamp.text_id("act"), ..new };
        let mut write = self.begin(stamp);
        let insert = write.bind_once(bind!(INSERT, stamp.write_id, new.expiry()));
        write.run(binding::<Action>(insert, &new));
        let event = NewEvent::new(Kind::Created, Some(new.proposed_by.clone()));
        write.record(Subject::Action(&new.id), &event);
        write.remember(Subject::Action(&new.id));
        self.commit(write).await?;
        Ok(new)
    }

    /// The action with this id. `within` confines the caller to a scope.
    pub async fn get_action(&self, id: &str, within: Option<&str>) -> Result<Action> {
        let [rows] = self.read_by_key([bind!(FIND, id, within)]).await?;
        first(rows, record::read)?.ok_or_else(not_found)
    }

    /// Lists the actions that have not expired, the newest first.
    pub async fn list_actions(
        &self,
        filter: &Filter,
        page: &Page,
        now: Millis,
    ) -> Result<Listed<Action>> {
        self.list_page(Some(&filter.scope), &filter.listing(now), page, record::read).await
    }

    /// Asks for the execution of a proposed action. `within` confines the caller to a scope.
    pub async fn execute_action(
        &self,
        id: &str,
        within: Option<&str>,
        stamp: Stamp,
    ) -> Result<Action> {
        let mut write = self.begin(stamp);
        let execute = bind!(EXECUTE, id, within, stamp.now, stamp.write_id);
        let executed = write.run(write.bind_once(execute));
        write.record(Subject::Action(id), &NewEvent::new(Kind::ExecuteRequested, None));
        write.remember(Subject::Action(id));
        self.change_action(id, within, write, executed, Action::why_not_executed).await
    }

    /// Changes status or result of an action.
    pub async fn update_action(
        &self,
        id: &str,
        within: Option<&str>,
        patch: ActionPatch,
        stamp: Stamp,
    ) -> Result<Action> {
        let wanted = match patch.wanted() {
            Ok(wanted) => wanted,
            Err(refusal) => {
                // A missing action takes precedence.
                let [rows] = self.read_by_key([bind!(FIND, id, within)]).await?;
                first(rows, record::read::<Action>)?.ok_or_else(not_found)?;
                return Err(refusal.into());
            }
        };
        if wanted.is_some_and(Status::is_final)
            && let Some(question) = self.question(id, within).await?
            && !question.status.is_final()
        {
            let is_open = format!(" AND {IS_OPEN}");
            let (mut write, ended) = patching(id, within, &patch, wanted, (&is_open, stamp));
            answer(&mut write, &question, ANSWERED_BY_DEFAULT);
            let ended = self.commit(write).await?.take(ended);
            if let Some(ended) = first(ended, record::read)? {
                return Ok(ended);
            }
            // Another request has ended it in the meantime.
        }
        // What has ended stays as it is; only its result may still be corrected.
        let condition = wanted.map_or_else(String::new, |wanted| {
            format!(" AND (status = '{}' OR {IS_OPEN})", wanted.as_str())
        });
        let (write, updated) = patching(id, within, &patch, wanted, (&condition, stamp));
        self.change_action(id, within, write, updated, Action::why_not_patched).await
    }

    /// Records the final status of an action, whether or not its execution was requested.
    pub async fn end_action(
        &self,
        id: &str,
        within: Option<&str>,
        outcome: Outcome,
        body: EndAction,
        stamp: Stamp,
    ) -> Result<Action> {
        let mut update = Update::of("actions", stamp);
        update.set_to("status", "?#", outcome.status().as_str());
        update.set("result", body.result.clone());
        let mut write = self.begin(stamp);
        // A key that was used for another action does nothing to this one.
        let condition = format!(" AND {IS_OPEN}{}", update.unless_done(&write));
        let question = self.question(id, within).await?;
        let ended = write.run(update.of_row(id, within, &condition, Action::NAMES));
        let kind = match outcome {
            Outcome::Completed => Kind::Completed,
            Outcome::Failed => Kind::Failed,
        };
        write.record(Subject::Action(id), &NewEvent::new(kind, None));
        write.remember(Subject::Action(id));
        if let Some(question) = question {
            let by = body.by.0.as_deref().unwrap_or(ANSWERED_BY_DEFAULT);
            answer(&mut write, &question, by);
        }
        self.change_action(id, within, write, ended, |found| found.why_not_ended(outcome)).await
    }

    /// The action, if it is an agent's question about a task. What it is about never changes.
    async fn question(&self, id: &str, within: Option<&str>) -> Result<Option<Action>> {
        let [rows] = self.read_by_key([bind!(FIND, id, within)]).await?;
        let found = first(rows, record::read::<Action>)?;
        Ok(found.filter(|found| found.entity_type == "task" && found.action_type == QUESTION))
    }

    /// Commits a conditional update, and reads the action to say why it did not happen.
    async fn change_action(
        &self,
        id: &str,
        within: Option<&str>,
        mut write: Write,
        updated: Answer,
        why_not: impl Fn(&Action) -> Refusal,
    ) -> Result<Action> {
        let found = write.run(bind!(FIND, id, within));
        let mut answers = self.commit(write).await?;
        if let Some(changed) = first(answers.take(updated), record::read)? {
            return Ok(changed);
        }
        let found = first(answers.take(found), record::read)?.ok_or_else(not_found)?;
        Err(why_not(&found).into())
    }
}

/// Adds to a write the question of an agent about the task that it changes.
pub(crate) fn ask(write: &mut Write, task: &Task, question: &Question) {
    let Question { label, text, asked_by } = question;
    let stamp = write.stamp;
    let id = stamp.text_id("act");
    write.run(bind!(ASK, &task.id, stamp.write_id, &id, label, text, asked_by, stamp.now));
    write.record(Subject::Action(&id), &NewEvent::new(Kind::Created, Some(asked_by.clone())));
}

/// A write that patches an action under a further condition.
fn patching(
    id: &str,
    within: Option<&str>,
    patch: &ActionPatch,
    wanted: Option<Status>,
    (condition, stamp): (&str, Stamp),
) -> (Write, Answer) {
    let mut update = Update::of("actions", stamp);
    update.set("result", patch.result.clone());
    if let Some(wanted) = wanted {
        update.set_to("status", "?#", wanted.as_str());
    }
    let mut write = Write::new(stamp);
    let updated = write.run(update.of_row(id, within, condition, Action::NAMES));
    write.record(Subject::Action(id), &NewEvent::new(Kind::Updated, None));
    (write, updated)
}

/// Adds the answer to a question to the write that ends it: the message, and the release of the task
/// if no other question about it is open.
fn answer(write: &mut Write, question: &Action, by: &str) {
    let stamp = write.stamp;
    let message = stamp.text_id("msg");
    write.run(bind!(ANSWER, &question.id, stamp.write_id, &message, by, stamp.now));
    write.record(Subject::Message(&message), &NewEvent::new(Kind::Created, Some(by.to_owned())));
    let released = dependencies::answered(write, &question.entity_id, &question.id);
    write.wake_if(released, &question.scope);
}

#[cfg(test)]
mod tests {
    use octopoid_domain::action::Status;

    #[test]
    fn the_condition_names_the_statuses_that_are_final() {
        let names = Status::FINAL.map(Status::as_str).join("', '");
        assert_eq!(super::IS_OPEN, format!("status NOT IN ('{names}')"));
    }
}
