//! Flows: registering, reading and deleting them.

use const_format::concatcp;
use octopoid_domain::{
    Refusal,
    event::{Kind, NewEvent},
    flow::{Flow, NewFlow},
    limits::too_many_flows,
};

use crate::{
    Result, Stamp, Store, StoreError,
    columns::Column,
    engine::bind,
    first,
    journal::Subject,
    lists::{Listed, Listing, Order, Page, Place},
    record::{self, Columns as _, Layout, record},
    write::Write,
};

record!(Flow {
    name,
    scope,
    states,
    transitions,
    registered_at,
    updated_at,
    description,
    child_flow,
});

pub(crate) const TABLE: Layout =
    Layout::of::<Flow>("flows", &["scope", "name"]).with(&[Column::int("write_id")]);

const PUT: &str = concatcp!(
    "INSERT INTO flows (scope, name, states, transitions, registered_at, updated_at, \
     description, child_flow, write_id) SELECT ?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8 \
     WHERE EXISTS (SELECT 1 FROM flows WHERE scope = ?1 AND name = ?2) \
     OR (SELECT COUNT(*) FROM flows WHERE scope = ?1) < 100 \
     ON CONFLICT (scope, name) DO UPDATE SET states = excluded.states, \
     transitions = excluded.transitions, updated_at = excluded.updated_at, \
     description = excluded.description, child_flow = excluded.child_flow, \
     write_id = excluded.write_id RETURNING ",
    Flow::NAMES
);

/// Sorted by name.
const BY_NAME: Order = Order {
    name: "flows",
    columns: Flow::NAMES,
    table: "flows",
    places: &[Place::text("name")],
    is_descending: false,
    is_counted: false,
};

const FIND: &str = concatcp!("SELECT ", Flow::NAMES, " FROM flows WHERE scope = ?1 AND name = ?2");

/// Marks a flow before its deletion, so that later statements of the batch can check the mark.
const MARK: &str = "UPDATE flows SET write_id = ?3 WHERE scope = ?1 AND name = ?2 RETURNING name";

const DELETE: &str = "DELETE FROM flows WHERE scope = ?1 AND name = ?2 AND write_id = ?3";

fn not_found() -> StoreError {
    Refusal::NotFound("Flow not found".to_owned()).into()
}

impl Store {
    /// Registers or updates a flow, and returns the stored one.
    pub async fn put_flow(
        &self,
        scope: &str,
        name: &str,
        new: &NewFlow,
        stamp: Stamp,
    ) -> Result<Flow> {
        let (states, transitions) = new.check(name)?;
        let child_flow = (!new.child_flow.is_null()).then(|| new.child_flow.to_string());
        let mut write = Write::new(stamp);
        let put = write.run(bind!(
            PUT,
            scope,
            name,
            states,
            transitions,
            stamp.now,
            &new.description.0,
            child_flow,
            stamp.write_id,
        ));
        write.record(Subject::Flow { scope, name }, &NewEvent::new(Kind::Registered, None));
        first(self.commit(write).await?.take(put), record::read)?
            .ok_or_else(|| too_many_flows().into())
    }

    /// Lists the flows of a scope by name.
    pub async fn list_flows(&self, scope: &str, page: &Page) -> Result<Listed<Flow>> {
        let mut listing = Listing::new(&BY_NAME, &scope);
        listing.and("scope = ?#", scope);
        self.list_page(Some(scope), &listing, page, record::read).await
    }

    /// The flow of this name.
    pub async fn get_flow(&self, scope: &str, name: &str) -> Result<Flow> {
        let [rows] = self.read([bind!(FIND, scope, name)]).await?;
        first(rows, record::read)?.ok_or_else(not_found)
    }

    /// Deletes a flow. Its tasks stay where they are; without a flow they may go anywhere.
    pub async fn delete_flow(&self, scope: &str, name: &str, stamp: Stamp) -> Result<()> {
        let mut write = Write::new(stamp);
        let marked = write.run(bind!(MARK, scope, name, stamp.write_id));
        write.record(Subject::Flow { scope, name }, &NewEvent::new(Kind::Deleted, None));
        write.run(bind!(DELETE, scope, name, stamp.write_id));
        let is_unknown = self.commit(write).await?.is_empty(marked);
        if is_unknown { Err(not_found()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use octopoid_domain::limits::FLOWS_MAX;

    #[test]
    fn the_statement_counts_as_far_as_the_limit() {
        assert!(super::PUT.contains(&format!("WHERE scope = ?1) < {FLOWS_MAX} ")));
    }
}
