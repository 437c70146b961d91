//! Roles: registering and finding them. A role belongs to its orchestrator's scope.

use const_format::concatcp;
use octopoid_domain::{
    Refusal,
    event::{Kind, NewEvent},
    role::{Registration, Role},
    text::shown,
};

use crate::{
    Result, Sql, Stamp, Store, StoreError, all,
    columns::Column,
    engine::bind,
    first,
    journal::Subject,
    lists::{Listed, Listing, Order, Page, Place},
    record::{self, Columns as _, Layout, record},
    write::Write,
};

record!(Role { name, description, claims_from, orchestrator_id, created_at, scope });

pub(crate) const TABLE: Layout =
    Layout::of::<Role>("roles", &["name", "scope"]).with(&[Column::int("write_id")]);

/// A caller confined to a scope does not see the orchestrators of others.
macro_rules! find_orchestrator {
    ($lock:literal) => {
        concat!("SELECT 1 FROM orchestrators WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)", $lock)
    };
}

/// Where many write, the row is held, so that the orchestrator does not change its scope before its
/// roles and their events are written.
const FIND_ORCHESTRATOR: Sql =
    Sql::Differs { sqlite: find_orchestrator!(""), postgres: find_orchestrator!(" FOR SHARE") };

/// The last registration of a role overwrites it. Without the orchestrator, nothing is written.
macro_rules! register {
    ($list:literal) => {
        concat!(
            "INSERT INTO roles \
             (name, scope, description, claims_from, orchestrator_id, created_at, write_id) \
             SELECT value ->> 'name', orchestrators.scope, value ->> 'description', \
             value ->> 'claims_from', orchestrators.id, ?3, ?5 FROM ",
            $list,
            " CROSS JOIN orchestrators \
             WHERE orchestrators.id = ?1 AND (?2 IS NULL OR orchestrators.scope = ?2) \
             ON CONFLICT (name, scope) DO UPDATE SET description = excluded.description, \
             claims_from = excluded.claims_from, orchestrator_id = excluded.orchestrator_id, \
             created_at = excluded.created_at, write_id = excluded.write_id"
        )
    };
}

const REGISTER: Sql = Sql::Differs {
    sqlite: register!("json_each(?4)"),
    postgres: register!("json_array_elements(?4::json) AS listed (value)"),
};

const LIST_OWN: &str = concatcp!(
    "SELECT ",
    Role::NAMES,
    " FROM roles WHERE scope = (SELECT scope FROM orchestrators WHERE id = ?1) \
     AND orchestrator_id = ?1 ORDER BY name LIMIT 10000"
);

/// Sorted by name.
const OF_SCOPE: Order = Order {
    name: "roles",
    columns: Role::NAMES,
    table: "roles",
    places: &[Place::text("name").indexed("(name || '')")],
    is_descending: false,
    is_counted: false,
};

const OF_ALL: Order = Order { places: &[Place::text("name"), Place::text("scope")], ..OF_SCOPE };

/// As registered in its own scope, or else the last registration in any: clients register a role in
/// one scope and claim with it in another.
const FIND: &str = concatcp!(
    "SELECT ",
    Role::NAMES,
    " FROM roles WHERE name = ?1 \
     ORDER BY CASE WHEN scope = ?2 THEN 0 ELSE 1 END, created_at DESC, scope LIMIT 1"
);

impl Store {
    /// Registers roles of an orchestrator and returns all it has. `within` confines the caller to a
    /// scope.
    pub async fn register_roles(
        &self,
        new: &Registration,
        within: Option<&str>,
        stamp: Stamp,
    ) -> Result<Vec<Role>> {
        let orchestrator = &new.orchestrator_id;
        let roles = serde_json::to_string(&new.roles)
            .map_err(|_| StoreError::Corrupt("roles cannot be written as JSON"))?;
        let mut write = Write::new(stamp);
        let known = write.run(bind!(FIND_ORCHESTRATOR, orchestrator, within));
        write.run(bind!(REGISTER, orchestrator, within, stamp.now, roles, stamp.write_id));
        let event = NewEvent::new(Kind::Registered, Some(orchestrator.clone()));
        write.record(Subject::RolesOf(orchestrator), &event);
        let own = write.run(bind!(LIST_OWN, orchestrator));
        let mut answers = self.commit(write).await?;
        if answers.is_empty(known) {
            let text = format!("Orchestrator '{}' not found", shown(orchestrator));
            return Err(Refusal::invalid(text).into());
        }
        all(answers.take(own), record::read)
    }

    /// Lists the roles of a scope, or of all, by name.
    pub async fn list_roles(&self, scope: Option<&str>, page: &Page) -> Result<Listed<Role>> {
        let order = if scope.is_some() { &OF_SCOPE } else { &OF_ALL };
        let mut listing = Listing::new(order, &scope);
        listing.and_if("scope = ?#", scope);
        self.list_page(scope, &listing, page, record::read).await
    }

    /// The role of this name: the scope's own, or else the one registered last.
    pub async fn get_role(&self, name: &str, scope: Option<&str>) -> Result<Role> {
        let [rows] = self.read([bind!(FIND, name, scope)]).await?;
        first(rows, record::read)?
            .ok_or_else(|| Refusal::NotFound("Role not found".to_owned()).into())
    }
}
