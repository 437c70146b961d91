//! Flows: registering, reading and deleting them.

use octopoid_domain::{
    Refusal,
    flow::{Flow, NewFlow},
    limits::too_many_flows,
};
use serde_json::Value;

use crate::{
    Result, Stamp, Store, StoreError,
    engine::{Row, bind},
    first,
    lists::{Listed, Listing, Order, Page, Place},
    row::RowReader,
};

/// The columns of a flow, in the order [`flow`] reads them.
macro_rules! columns {
    () => {
        "name, scope, states, transitions, registered_at, updated_at, description, child_flow"
    };
}

const PUT: &str = concat!(
    "INSERT INTO flows (scope, name, states, transitions, registered_at, updated_at, \
     description, child_flow) SELECT ?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7 \
     WHERE EXISTS (SELECT 1 FROM flows WHERE scope = ?1 AND name = ?2) \
     OR (SELECT COUNT(*) FROM flows WHERE scope = ?1) < 100 \
     ON CONFLICT (scope, name) DO UPDATE SET states = excluded.states, \
     transitions = excluded.transitions, updated_at = excluded.updated_at, \
     description = excluded.description, child_flow = excluded.child_flow RETURNING ",
    columns!()
);

/// By name.
const BY_NAME: Order = Order {
    name: "flows",
    columns: columns!(),
    table: "flows",
    places: &[Place::text("name")],
    is_descending: false,
    is_counted: false,
};

const FIND: &str = concat!("SELECT ", columns!(), " FROM flows WHERE scope = ?1 AND name = ?2");

const DELETE: &str = "DELETE FROM flows WHERE scope = ?1 AND name = ?2 RETURNING name";

fn flow(row: Row) -> Result<Flow> {
    let mut row = RowReader::new(row);
    Ok(Flow {
        name: row.next()?,
        scope: row.next()?,
        states: row.next()?,
        transitions: row.next()?,
        registered_at: row.next()?,
        updated_at: row.next()?,
        description: row.next()?,
        child_flow: child_flow(row.next::<Option<String>>()?.as_deref())?,
    })
}

/// The column holds JSON, so that a text comes back as a text and an object as an object.
fn child_flow(text: Option<&str>) -> Result<Value> {
    let Some(text) = text else {
        return Ok(Value::Null);
    };
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt("a child flow is not JSON"))
}

fn not_found() -> StoreError {
    Refusal::NotFound("Flow not found".to_owned()).into()
}

impl Store {
    /// Registers a flow, or registers it anew, and returns it as it is stored.
    pub async fn put_flow(
        &self,
        scope: &str,
        name: &str,
        new: &NewFlow,
        stamp: Stamp,
    ) -> Result<Flow> {
        let (states, transitions) = new.check(name)?;
        let child_flow = (!new.child_flow.is_null()).then(|| new.child_flow.to_string());
        let [rows] = self
            .write([bind!(
                PUT,
                scope,
                name,
                states,
                transitions,
                stamp.now,
                &new.description.0,
                child_flow,
            )])
            .await?;
        first(rows, flow)?.ok_or_else(|| too_many_flows().into())
    }

    /// Lists the flows of a scope by name.
    pub async fn list_flows(&self, scope: &str, page: &Page) -> Result<Listed<Flow>> {
        let mut listing = Listing::new(&BY_NAME, &scope);
        listing.and("scope = ?#", scope);
        self.list_page(Some(scope), &listing, page, flow).await
    }

    /// The flow of this name.
    pub async fn get_flow(&self, scope: &str, name: &str) -> Result<Flow> {
        let [rows] = self.read([bind!(FIND, scope, name)]).await?;
        first(rows, flow)?.ok_or_else(not_found)
    }

    /// Deletes a flow. Its tasks stay where they are; without a flow they may go anywhere.
    pub async fn delete_flow(&self, scope: &str, name: &str) -> Result<()> {
        let [rows] = self.write([bind!(DELETE, scope, name)]).await?;
        if rows.is_empty() { Err(not_found()) } else { Ok(()) }
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
