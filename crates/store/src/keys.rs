//! API keys: finding, issuing, replacing and revoking them. Only hashes come here.
//!
//! A revoked key keeps its row. It tells that its scope has had a key, so that registering a
//! machine hands out no second "first" one, and it tells an operator what was revoked when.

use octopoid_domain::{
    Millis, Refusal,
    key::{Grant, Key, TOUCH_INTERVAL_MS},
    orchestrator::Orchestrator,
};

use crate::{
    Result, Stamp, Store, StoreError, answers,
    engine::{Row, Statement, bind},
    first, history,
    lists::{Listed, Listing, Order, Page, Place},
    locks::Lock,
    row::RowReader,
};

/// The columns of a key, in the order [`key`] reads them.
macro_rules! columns {
    () => {
        "id, scope, label, created_at, last_used_at, expires_at, revoked_at"
    };
}

/// The keys that a rotation replaces: `?1`'s, or only `?2` of them, as far as they live at `?3`.
macro_rules! replaced {
    () => {
        "scope = ?1 AND (?2 IS NULL OR id = ?2) AND revoked_at IS NULL \
         AND (expires_at IS NULL OR expires_at > ?3)"
    };
}

const FIND: &str = concat!("SELECT ", columns!(), " FROM api_keys WHERE key_hash = ?1");

const TOUCH: &str = "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1 \
     AND (last_used_at IS NULL OR last_used_at <= ?3)";

const ISSUE: &str = concat!(
    "INSERT INTO api_keys (key_hash, id, scope, label, created_at, expires_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING ",
    columns!()
);

/// The first key of a scope, if it never had one, and only once the orchestrator that takes it is
/// registered there: a refused registration hands out nothing.
const ISSUE_FIRST: &str = "INSERT INTO api_keys (key_hash, id, scope, created_at) \
     SELECT ?1, ?2, scope, ?3 FROM orchestrators WHERE id = ?4 AND cluster = ?5 \
     AND machine_id = ?6 AND scope = ?7 \
     AND NOT EXISTS (SELECT 1 FROM api_keys AS known WHERE known.scope = ?7) RETURNING id";

/// The new key takes label and expiry from the newest of those it replaces.
const REPLACE: &str = concat!(
    "INSERT INTO api_keys (key_hash, id, scope, label, created_at, expires_at) \
     SELECT ?4, ?5, scope, label, ?3, expires_at FROM api_keys WHERE ",
    replaced!(),
    " ORDER BY created_at DESC, id LIMIT 1 RETURNING ",
    columns!()
);

const REVOKE_REPLACED: &str =
    concat!("UPDATE api_keys SET revoked_at = ?3 WHERE ", replaced!(), " AND id <> ?4");

/// Revoking twice keeps the time of the first.
const REVOKE: &str = concat!(
    "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, ?2) WHERE id = ?1 RETURNING ",
    columns!()
);

/// By scope.
const BY_SCOPE: Order = Order {
    name: "keys",
    columns: columns!(),
    table: "api_keys",
    places: &[Place::text("scope"), Place::text("id").indexed("(id || '')")],
    is_descending: false,
    is_counted: true,
};

fn key(row: Row) -> Result<Key> {
    let mut row = RowReader::new(row);
    Ok(Key {
        id: row.next()?,
        scope: row.next()?,
        label: row.next()?,
        created_at: row.next()?,
        last_used_at: row.next()?,
        expires_at: row.next()?,
        revoked_at: row.next()?,
    })
}

/// A key's id, made from the write that issues it.
fn key_id(stamp: Stamp) -> String {
    history::message_id("key", stamp)
}

/// The statement that hands out a scope's first key; no row if the scope has had one.
pub(crate) fn issuing_first(hash: &str, to: &Orchestrator, stamp: Stamp) -> Statement {
    bind!(
        ISSUE_FIRST,
        hash,
        key_id(stamp),
        stamp.now,
        &to.id,
        &to.cluster,
        &to.machine_id,
        &to.scope
    )
}

impl Store {
    /// The key with this hash, whether it may still be used or not.
    pub async fn find_key(&self, hash: &str) -> Result<Option<Key>> {
        let [rows] = self.read_by_key([bind!(FIND, hash)]).await?;
        first(rows, key)
    }

    /// Notes that a key was used, unless that was noted within the last minute.
    pub async fn touch_key(&self, id: &str, now: Millis) -> Result<()> {
        let due = now.plus(-TOUCH_INTERVAL_MS);
        self.write([bind!(TOUCH, id, now, due)]).await?;
        Ok(())
    }

    /// Issues a key beside those the scope has.
    pub async fn issue_key(&self, hash: &str, grant: &Grant, stamp: Stamp) -> Result<Key> {
        let (id, Grant { scope, label, .. }) = (key_id(stamp), grant);
        let issue = bind!(ISSUE, hash, id, scope, label, stamp.now, grant.expires_at);
        let [rows] = answers(self.write_holding(vec![Lock::keys(scope)], vec![issue]).await?)?;
        first(rows, key)?.ok_or(StoreError::Corrupt("a new key left no row"))
    }

    /// Replaces keys of a scope by one new key, which keeps label and expiry: the key `presented`,
    /// or all that live if the caller did not come with a key of the scope.
    pub async fn rotate_key(
        &self,
        scope: &str,
        presented: Option<&str>,
        hash: &str,
        stamp: Stamp,
    ) -> Result<Key> {
        let (id, now) = (key_id(stamp), stamp.now);
        let batch = vec![
            bind!(REPLACE, scope, presented, now, hash, &id),
            // Nothing is revoked unless something was issued: both look for the same keys.
            bind!(REVOKE_REPLACED, scope, presented, now, &id),
        ];
        let [issued, _] = answers(self.write_holding(vec![Lock::keys(scope)], batch).await?)?;
        first(issued, key)?
            .ok_or_else(|| Refusal::NotFound("No API key found for this scope".to_owned()).into())
    }

    /// Revokes a key.
    pub async fn revoke_key(&self, id: &str, now: Millis) -> Result<Key> {
        let [rows] = self.write([bind!(REVOKE, id, now)]).await?;
        first(rows, key)?.ok_or_else(|| Refusal::NotFound("API key not found".to_owned()).into())
    }

    /// Lists the keys of a scope, or of all, revoked and expired ones too.
    pub async fn list_keys(&self, scope: Option<&str>, page: &Page) -> Result<Listed<Key>> {
        let mut listing = Listing::new(&BY_SCOPE, &scope);
        listing.and_if("scope = ?#", scope);
        self.list_page(scope, &listing, page, key).await
    }
}
