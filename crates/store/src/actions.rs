//! Actions: proposing them, asking for their execution, and noting how they ended.

use octopoid_domain::{
    Millis, Refusal,
    action::{Action, ActionPatch, EndAction, Outcome, Status},
    input::PatchJson,
};

use crate::{
    Result, Stamp, Store, StoreError,
    engine::{Row, Statement, Value, bind},
    first,
    history::message_id,
    lists::{Listed, Listing, Order, Page, Place},
    patch::{field, set},
    row::{Column, RowReader},
};

/// The columns of an action, in the order [`action`] reads them.
macro_rules! columns {
    () => {
        "id, entity_type, entity_id, action_type, label, description, status, proposed_by, \
         proposed_at, executed_at, result, expires_at, metadata, action_data, scope"
    };
}

/// Reads the columns of an action.
fn action(row: Row) -> Result<Action> {
    let mut row = RowReader::new(row);
    Ok(Action {
        id: row.next()?,
        entity_type: row.next()?,
        entity_id: row.next()?,
        action_type: row.next()?,
        label: row.next()?,
        description: row.next()?,
        status: row.next()?,
        proposed_by: row.next()?,
        proposed_at: row.next()?,
        executed_at: row.next()?,
        result: row.next()?,
        expires_at: row.next()?,
        metadata: row.next()?,
        action_data: row.next()?,
        scope: row.next()?,
    })
}

impl Column for Status {
    fn read(value: Value) -> Option<Self> {
        Self::parse(&String::read(value)?)
    }
}

/// The condition that an action has not ended.
macro_rules! is_open {
    () => {
        "status NOT IN ('completed', 'failed', 'expired')"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO actions (",
    columns!(),
    ", expires_at_ms) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL, NULL, ?10, ?11, ?12, ?13, ?14)"
);

/// A caller confined to a scope does not see the actions of others.
const FIND: &str =
    concat!("SELECT ", columns!(), " FROM actions WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)");

/// The newest first.
const NEWEST_FIRST: Order = Order {
    name: "actions",
    columns: columns!(),
    table: "actions",
    places: &[Place::number("seq").indexed("(seq + 0)")],
    is_descending: true,
    is_counted: true,
};

/// Of many who ask at once, one is the first.
const EXECUTE: &str = concat!(
    "UPDATE actions SET status = 'execute_requested', executed_at = ?3 \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) AND status = 'proposed' \
     AND (expires_at_ms IS NULL OR expires_at_ms > ?3) RETURNING ",
    columns!()
);

/// What has ended stays as it is; only its result may still be corrected.
const UPDATE: &str = concat!(
    "UPDATE actions SET status = COALESCE(?3, status), ",
    set!("result", 4, 5),
    " WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) AND (?3 IS NULL OR ?3 = status OR ",
    is_open!(),
    ") RETURNING ",
    columns!()
);

const END: &str = concat!(
    "UPDATE actions SET status = ?3, ",
    set!("result", 4, 5),
    " WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) AND ",
    is_open!(),
    " RETURNING ",
    columns!()
);

/// Which actions to list. Those that have expired are never listed.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The tenant.
    pub scope: String,
    /// About this kind of thing.
    pub entity_type: Option<String>,
    /// About this one.
    pub entity_id: Option<String>,
    /// With this status; nobody checks that there is such a status.
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
        let new = Action { id: message_id("act", stamp), ..new };
        let insert = bind!(
            INSERT,
            &new.id,
            &new.entity_type,
            &new.entity_id,
            &new.action_type,
            &new.label,
            &new.description,
            new.status.as_str(),
            &new.proposed_by,
            new.proposed_at,
            &new.expires_at,
            &new.metadata,
            &new.action_data,
            &new.scope,
            new.expiry(),
        );
        self.write([insert]).await?;
        Ok(new)
    }

    /// Lists the actions that have not expired, the newest first.
    pub async fn list_actions(
        &self,
        filter: &Filter,
        page: &Page,
        now: Millis,
    ) -> Result<Listed<Action>> {
        self.list_page(Some(&filter.scope), &filter.listing(now), page, action).await
    }

    /// Asks for the execution of a proposed action. `within` confines the caller to a scope.
    pub async fn execute_action(
        &self,
        id: &str,
        within: Option<&str>,
        stamp: Stamp,
    ) -> Result<Action> {
        let execute = bind!(EXECUTE, id, within, stamp.now);
        self.change_action(id, within, execute, Action::why_not_executed).await
    }

    /// Changes status or result of an action.
    pub async fn update_action(
        &self,
        id: &str,
        within: Option<&str>,
        patch: ActionPatch,
    ) -> Result<Action> {
        let wanted = match patch.wanted() {
            Ok(wanted) => wanted.map(Status::as_str),
            Err(refusal) => {
                // That there is no such action is said first.
                let [rows] = self.read_by_key([bind!(FIND, id, within)]).await?;
                first(rows, action)?.ok_or_else(not_found)?;
                return Err(refusal.into());
            }
        };
        let update = with_result(bind!(UPDATE, id, within, wanted), patch.result);
        self.change_action(id, within, update, Action::why_not_patched).await
    }

    /// Notes how an action ended, whether or not anybody had asked for its execution.
    pub async fn end_action(
        &self,
        id: &str,
        within: Option<&str>,
        outcome: Outcome,
        body: EndAction,
    ) -> Result<Action> {
        let end = with_result(bind!(END, id, within, outcome.status().as_str()), body.result);
        self.change_action(id, within, end, |found| found.why_not_ended(outcome)).await
    }

    /// Runs a conditional update, and reads the action to say why it did not happen.
    async fn change_action(
        &self,
        id: &str,
        within: Option<&str>,
        update: Statement,
        why_not: impl Fn(&Action) -> Refusal,
    ) -> Result<Action> {
        let [changed, found] = self.write([update, bind!(FIND, id, within)]).await?;
        if let Some(changed) = first(changed, action)? {
            return Ok(changed);
        }
        let found = first(found, action)?.ok_or_else(not_found)?;
        Err(why_not(&found).into())
    }
}

fn with_result(mut update: Statement, result: PatchJson) -> Statement {
    update.parameters.extend(field(result));
    update
}

#[cfg(test)]
mod tests {
    use octopoid_domain::action::Status;

    #[test]
    fn the_condition_names_the_statuses_that_are_final() {
        let names = Status::FINAL.map(Status::as_str).join("', '");
        assert_eq!(is_open!(), format!("status NOT IN ('{names}')"));
    }
}
