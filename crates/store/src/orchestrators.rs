//! Orchestrators: registering them, reading them, and noticing when they fall silent.

use const_format::concatcp;
use octopoid_domain::{
    Millis, Refusal,
    event::{Kind, NewEvent},
    orchestrator::{Orchestrator, Status},
};

use crate::{
    Result, Sql, Stamp, Store, StoreError, all,
    columns::Column,
    engine::bind,
    first,
    journal::Subject,
    keys,
    lists::{Listed, Listing, Order, Page, Place, json},
    locks::Lock,
    record::{self, Columns as _, Layout, record},
    row::RowReader,
    write::Write,
};

record!(Orchestrator {
    id,
    cluster,
    machine_id,
    hostname,
    repo_url,
    registered_at,
    last_heartbeat,
    status,
    version,
    capabilities,
    scope,
    slots,
    busy,
    roles,
    queues,
    pools,
});

pub(crate) const TABLE: Layout =
    Layout::of::<Orchestrator>("orchestrators", &["id"]).with(&[Column::int("write_id")]);

/// By id, which no heartbeat changes.
const OF_SCOPE: Order = Order {
    name: "orchestrators",
    columns: Orchestrator::NAMES,
    table: "orchestrators",
    places: &[Place::text("id").indexed("(id || '')")],
    is_descending: false,
    is_counted: true,
};

const OF_ALL: Order = Order { places: &[Place::text("id")], ..OF_SCOPE };

/// Whether an id is taken.
const FIND_HOLDER: &str = "SELECT 1 FROM orchestrators WHERE id = ?1";

/// Only the pair that an id was made from may register under it again; a caller confined to a scope
/// (`?10`) may not take a machine over from another. Only its operator ends that it is drained.
const REGISTER: &str = concatcp!(
    "INSERT INTO orchestrators (id, cluster, machine_id, hostname, repo_url, registered_at, \
     last_heartbeat, status, version, capabilities, scope, write_id) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 'active', ?7, ?8, ?9, ?11) ON CONFLICT (id) DO UPDATE SET \
     hostname = excluded.hostname, repo_url = excluded.repo_url, \
     last_heartbeat = excluded.last_heartbeat, status = CASE orchestrators.status \
     WHEN 'draining' THEN 'draining' ELSE excluded.status END, version = excluded.version, \
     capabilities = excluded.capabilities, scope = excluded.scope, \
     write_id = excluded.write_id \
     WHERE orchestrators.cluster = excluded.cluster \
     AND orchestrators.machine_id = excluded.machine_id \
     AND (?10 IS NULL OR orchestrators.scope = ?10) RETURNING ",
    Orchestrator::NAMES
);

const FIND: &str = concatcp!(
    "SELECT ",
    Orchestrator::NAMES,
    " FROM orchestrators WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)"
);

const SET_STATUS: &str = concatcp!(
    "UPDATE orchestrators SET status = ?3, write_id = ?4 WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) RETURNING ",
    Orchestrator::NAMES
);

/// Machines that have fallen silent, a stretch at a time, so that the write stays short; the next
/// run takes the rest.
macro_rules! silent {
    () => {
        "id IN (SELECT id FROM orchestrators WHERE status = 'active' AND last_heartbeat < ?1 \
         ORDER BY last_heartbeat LIMIT 1000)"
    };
}

macro_rules! record_silence {
    ($from:expr) => {
        concat!(
            "INSERT INTO events (scope, kind, subject, event, at) \
             SELECT scope, 'orchestrator', id, 'went_offline', ?2 FROM ",
            $from
        )
    };
}

/// With a single writer the events are recorded before the update: both statements choose the same
/// machines.
const RECORD_SILENCE: Sql =
    Sql::OnlySqlite(record_silence!(concat!("orchestrators WHERE ", silent!())));

/// The conditions stand twice, because another server may have marked some of the stretch, or heard
/// of them, since it was chosen.
macro_rules! mark_offline {
    () => {
        concat!(
            "UPDATE orchestrators SET status = 'offline', write_id = ?3 WHERE ",
            silent!(),
            " AND status = 'active' AND last_heartbeat < ?1 RETURNING id"
        )
    };
}

const MARK_OFFLINE: Sql = Sql::Differs {
    sqlite: mark_offline!(),
    postgres: concat!(
        "WITH marked AS (",
        mark_offline!(),
        ", scope), recorded AS (",
        record_silence!("marked"),
        ") SELECT id FROM marked"
    ),
};

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
    /// Whether it is new.
    pub is_new: bool,
    /// Whether it was handed its scope's first key.
    pub is_key_issued: bool,
}

pub(crate) fn not_found() -> StoreError {
    Refusal::NotFound("Orchestrator not found".to_owned()).into()
}

impl Store {
    /// Registers an orchestrator, for the first time or again, and hands out the key with this hash if its
    /// scope never had one. `within` confines the caller to a scope.
    pub async fn register_orchestrator(
        &self,
        new: &Orchestrator,
        first_key_hash: &str,
        within: Option<&str>,
        stamp: Stamp,
    ) -> Result<Outcome> {
        let mut write = Write::new(stamp);
        write.hold(Lock::keys(&new.scope));
        let holder = write.run(bind!(FIND_HOLDER, &new.id));
        let registered = write.run(bind!(
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
            stamp.write_id,
        ));
        write.record(Subject::Orchestrator(&new.id), &NewEvent::new(Kind::Registered, None));
        let key = keys::issue_first(&mut write, first_key_hash, new);
        let mut answers = self.commit(write).await?;
        match first(answers.take(registered), record::read)? {
            Some(orchestrator) => Ok(Outcome {
                orchestrator,
                is_new: answers.is_empty(holder),
                is_key_issued: !answers.is_empty(key),
            }),
            None => Err(taken(&new.id).into()),
        }
    }

    /// The orchestrator with this id. `within` confines the caller to a scope.
    pub async fn get_orchestrator(&self, id: &str, within: Option<&str>) -> Result<Orchestrator> {
        let [rows] = self.read([bind!(FIND, id, within)]).await?;
        first(rows, record::read)?.ok_or_else(not_found)
    }

    /// Gives an orchestrator a status and returns it as it is now.
    pub async fn set_orchestrator_status(
        &self,
        id: &str,
        within: Option<&str>,
        status: Status,
        stamp: Stamp,
    ) -> Result<Orchestrator> {
        let mut write = Write::new(stamp);
        let set = write.run(bind!(SET_STATUS, id, within, status.as_str(), stamp.write_id));
        let event = NewEvent::new(Kind::Updated, None).with(status.as_str());
        write.record(Subject::Orchestrator(id), &event);
        first(self.commit(write).await?.take(set), record::read)?.ok_or_else(not_found)
    }

    /// Lists orchestrators. A page is chosen by their ids, because a heartbeat must not move any
    /// from one page to another; within it, those heard of last come first.
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
        let mut listed: Listed<Orchestrator> =
            self.list_page(scope, &listing, page, record::read).await?;
        // By id already, which decides among those heard of at the same moment.
        listed.items.sort_by_key(|found| std::cmp::Reverse(found.last_heartbeat));
        Ok(listed)
    }

    /// Marks active orchestrators offline that were not heard of since `silent_since`, and returns
    /// their ids.
    pub async fn mark_offline(&self, silent_since: Millis, stamp: Stamp) -> Result<Vec<String>> {
        let Stamp { write_id, now } = stamp;
        let mut write = Write::new(stamp);
        write.run(bind!(RECORD_SILENCE, silent_since, now));
        let marked = write.run(bind!(MARK_OFFLINE, silent_since, now, write_id));
        let rows = self.commit(write).await?.take(marked);
        all(rows, |row| RowReader::new(row).next())
    }
}

/// A machine of another scope is another machine, whatever it calls itself: a caller confined to a
/// scope is told the same of both.
fn taken(id: &str) -> Refusal {
    let text = format!("Orchestrator {id} is already registered by another cluster and machine");
    Refusal::Duplicate(text)
}

#[cfg(test)]
mod tests {
    use octopoid_domain::event::Kind;

    #[test]
    fn the_statement_names_the_event_as_the_domain_does() {
        let text = super::RECORD_SILENCE.sqlite().unwrap();
        assert!(text.contains(&format!("'{}'", Kind::WentOffline.as_str())), "{text}");
    }
}
