//! Orchestrators: registering them, hearing from them, and noticing when they fall silent.

use octopoid_domain::{
    Millis, Refusal,
    orchestrator::{Orchestrator, Status},
};

use crate::{
    Result, Stamp, Store, StoreError, all, answers,
    engine::{Row, Value, bind},
    first, keys,
    lists::{Listed, Listing, Order, Page, Place, json},
    locks::Lock,
    row::{Column, RowReader},
};

/// The columns of an orchestrator, in the order [`orchestrator`] reads them.
macro_rules! columns {
    () => {
        "id, cluster, machine_id, hostname, repo_url, registered_at, last_heartbeat, status, \
         version, capabilities, scope"
    };
}

/// By id, which no heartbeat changes.
const OF_SCOPE: Order = Order {
    name: "orchestrators",
    columns: columns!(),
    table: "orchestrators",
    places: &[Place::text("id").indexed("(id || '')")],
    is_descending: false,
    is_counted: true,
};

const OF_ALL: Order = Order { places: &[Place::text("id")], ..OF_SCOPE };

/// Whether an id is taken.
const FIND_HOLDER: &str = "SELECT 1 FROM orchestrators WHERE id = ?1";

/// Only the pair that an id was made from may register under it again; a caller confined to a scope
/// (`?10`) may not take a machine over from another.
const REGISTER: &str = concat!(
    "INSERT INTO orchestrators (id, cluster, machine_id, hostname, repo_url, registered_at, \
     last_heartbeat, status, version, capabilities, scope) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 'active', ?7, ?8, ?9) ON CONFLICT (id) DO UPDATE SET \
     hostname = excluded.hostname, repo_url = excluded.repo_url, \
     last_heartbeat = excluded.last_heartbeat, status = excluded.status, \
     version = excluded.version, capabilities = excluded.capabilities, scope = excluded.scope \
     WHERE orchestrators.cluster = excluded.cluster \
     AND orchestrators.machine_id = excluded.machine_id \
     AND (?10 IS NULL OR orchestrators.scope = ?10) RETURNING ",
    columns!()
);

const HEARTBEAT: &str = "UPDATE orchestrators SET last_heartbeat = ?3, \
     status = CASE status WHEN 'offline' THEN 'active' ELSE status END \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) RETURNING last_heartbeat";

const FIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM orchestrators WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)"
);

const SET_STATUS: &str = concat!(
    "UPDATE orchestrators SET status = ?3 WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) RETURNING ",
    columns!()
);

/// A stretch at a time, so that the write stays short; the next run takes the rest. The conditions
/// stand twice, because another server may have marked some of the stretch, or heard of them, since
/// it was chosen.
const MARK_OFFLINE: &str = "UPDATE orchestrators SET status = 'offline' WHERE id IN \
     (SELECT id FROM orchestrators WHERE status = 'active' AND last_heartbeat < ?1 \
     ORDER BY last_heartbeat LIMIT 1000) AND status = 'active' AND last_heartbeat < ?1 \
     RETURNING id";

/// Which orchestrators to list. Empty filters do not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this tenant.
    pub scope: Option<String>,
    /// In this cluster.
    pub cluster: Option<String>,
    /// With one of these statuses.
    pub statuses: Vec<String>,
}

/// What a registration did.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The orchestrator as it is stored now.
    pub orchestrator: Orchestrator,
    /// Whether nobody knew it before.
    pub is_new: bool,
    /// Whether it was handed its scope's first key.
    pub is_key_issued: bool,
}

impl Column for Status {
    fn read(value: Value) -> Option<Self> {
        Self::parse(&String::read(value)?)
    }
}

fn orchestrator(row: Row) -> Result<Orchestrator> {
    let mut row = RowReader::new(row);
    Ok(Orchestrator {
        id: row.next()?,
        cluster: row.next()?,
        machine_id: row.next()?,
        hostname: row.next()?,
        repo_url: row.next()?,
        registered_at: row.next()?,
        last_heartbeat: row.next()?,
        status: row.next()?,
        version: row.next()?,
        capabilities: row.next()?,
        scope: row.next()?,
    })
}

fn not_found() -> StoreError {
    Refusal::NotFound("Orchestrator not found".to_owned()).into()
}

impl Store {
    /// Registers an orchestrator, or registers it anew, and hands out the key with this hash if its
    /// scope never had one. `within` confines the caller to a scope.
    pub async fn register_orchestrator(
        &self,
        new: &Orchestrator,
        first_key_hash: &str,
        within: Option<&str>,
        stamp: Stamp,
    ) -> Result<Outcome> {
        let batch = vec![
            bind!(FIND_HOLDER, &new.id),
            bind!(
                REGISTER,
                &new.id,
                &new.cluster,
                &new.machine_id,
                &new.hostname,
                &new.repo_url,
                stamp.now,
                &new.version,
                &new.capabilities,
                &new.scope,
                within,
            ),
            keys::issuing_first(first_key_hash, new, stamp),
        ];
        let [known, registered, key] =
            answers(self.write_holding(vec![Lock::keys(&new.scope)], batch).await?)?;
        match first(registered, orchestrator)? {
            Some(orchestrator) => Ok(Outcome {
                orchestrator,
                is_new: known.is_empty(),
                is_key_issued: !key.is_empty(),
            }),
            None => Err(taken(&new.id).into()),
        }
    }

    /// Notes that an orchestrator is alive and returns when. One that was offline is active again;
    /// one in maintenance stays there.
    pub async fn note_heartbeat(
        &self,
        id: &str,
        within: Option<&str>,
        now: Millis,
    ) -> Result<Millis> {
        let [rows] = self.write([bind!(HEARTBEAT, id, within, now)]).await?;
        first(rows, |row| RowReader::new(row).next())?.ok_or_else(not_found)
    }

    /// The orchestrator with this id. `within` confines the caller to a scope.
    pub async fn get_orchestrator(&self, id: &str, within: Option<&str>) -> Result<Orchestrator> {
        let [rows] = self.read([bind!(FIND, id, within)]).await?;
        first(rows, orchestrator)?.ok_or_else(not_found)
    }

    /// Gives an orchestrator a status and returns it as it is now.
    pub async fn set_orchestrator_status(
        &self,
        id: &str,
        within: Option<&str>,
        status: Status,
    ) -> Result<Orchestrator> {
        let set = bind!(SET_STATUS, id, within, status.as_str());
        let [rows] = self.write([set]).await?;
        first(rows, orchestrator)?.ok_or_else(not_found)
    }

    /// Lists orchestrators. A page is chosen by their ids, because a heartbeat must not move any from
    /// one page to another; within it, those heard of last come first.
    pub async fn list_orchestrators(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Result<Listed<Orchestrator>> {
        let scope = filter.scope.as_deref();
        let order = if scope.is_some() { &OF_SCOPE } else { &OF_ALL };
        let mut listing = Listing::new(order, filter);
        listing.and_if("scope = ?#", scope);
        listing.and_if("cluster = ?#", filter.cluster.as_deref());
        if !filter.statuses.is_empty() {
            listing.and("status IN (SELECT value FROM json_each(?#))", json(&filter.statuses));
        }
        let mut listed = self.list_page(scope, &listing, page, orchestrator).await?;
        // By id already, which decides among those heard of at the same moment.
        listed.items.sort_by_key(|found| std::cmp::Reverse(found.last_heartbeat));
        Ok(listed)
    }

    /// Marks active orchestrators offline that were not heard of since `silent_since`, and returns
    /// their ids.
    pub async fn mark_offline(&self, silent_since: Millis) -> Result<Vec<String>> {
        let [rows] = self.write([bind!(MARK_OFFLINE, silent_since)]).await?;
        all(rows, |row| RowReader::new(row).next())
    }
}

/// A machine of another scope is another machine, whatever it calls itself: a caller confined to a
/// scope is told the same of both.
fn taken(id: &str) -> Refusal {
    let text = format!("Orchestrator {id} is already registered by another cluster and machine");
    Refusal::Duplicate(text)
}
