//! API keys: finding, issuing, replacing and revoking them. Only hashes come here.
//!
//! A revoked key keeps its row. It tells that its scope has had a key, so that registering a
//! machine hands out no second "first" one, and it tells an operator what was revoked when.

use const_format::concatcp;
use octopoid_domain::{
    Millis, Refusal,
    event::{Kind, NewEvent},
    key::{BOARD_KEY_LABEL, BOARD_KEY_LIFE_MS, Grant, Key, Permission, TOUCH_INTERVAL_MS},
    orchestrator::Orchestrator,
};

use crate::{
    Result, Stamp, Store, StoreError,
    columns::Column,
    engine::bind,
    first,
    journal::Subject,
    lists::{Listed, Listing, Order, Page, Place},
    locks::Lock,
    record::{self, Columns as _, Layout, record},
    write::{Answer, Write},
};

record!(Key {
    id,
    scope,
    label,
    permission,
    created_at,
    last_used_at,
    expires_at,
    revoked_at,
    overlap_ends_at,
});

pub(crate) const TABLE: Layout = Layout::of::<Key>("api_keys", &["key_hash"])
    .with(&[Column::text("key_hash"), Column::int("write_id")]);

/// The keys that a rotation replaces: `?1`'s, or only `?2` of them, as far as they live at `?3`.
macro_rules! replaced {
    () => {
        "scope = ?1 AND (?2 IS NULL OR id = ?2) AND revoked_at IS NULL \
         AND (expires_at IS NULL OR expires_at > ?3) \
         AND (overlap_ends_at IS NULL OR overlap_ends_at > ?3)"
    };
}

const FIND: &str = concatcp!("SELECT ", Key::NAMES, " FROM api_keys WHERE key_hash = ?1");

const TOUCH: &str = "UPDATE api_keys SET last_used_at = ?2 WHERE id = ?1 \
     AND (last_used_at IS NULL OR last_used_at <= ?3)";

const ISSUE: &str = concatcp!(
    "INSERT INTO api_keys \
     (key_hash, id, scope, label, permission, created_at, expires_at, write_id) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING ",
    Key::NAMES
);

/// The first key of a scope, if it never had one, and only once the orchestrator that takes it is
/// registered there: a refused registration hands out nothing.
const ISSUE_FIRST: &str = "INSERT INTO api_keys \
     (key_hash, id, scope, permission, created_at, write_id) \
     SELECT ?1, ?2, scope, 'manage', ?3, ?8 FROM orchestrators WHERE id = ?4 AND cluster = ?5 \
     AND machine_id = ?6 AND scope = ?7 \
     AND NOT EXISTS (SELECT 1 FROM api_keys AS known WHERE known.scope = ?7) RETURNING id";

/// The new key takes permission, label and expiry from one of those it replaces: the newest of
/// those that permit the most, so that a scope with a key that manages it still has one. A code for
/// signing in is never the model for the new key.
const REPLACE: &str = concatcp!(
    "INSERT INTO api_keys \
     (key_hash, id, scope, label, permission, created_at, expires_at, write_id) \
     SELECT ?4, ?5, scope, label, permission, ?3, expires_at, ?6 FROM api_keys WHERE ",
    replaced!(),
    " AND permission <> 'login' \
     ORDER BY CASE permission WHEN 'manage' THEN 0 WHEN 'work' THEN 1 ELSE 2 END, \
     created_at DESC, id LIMIT 1 RETURNING ",
    Key::NAMES
);

/// Nothing is revoked unless something was issued. With an overlap, which ends at `?6`, keys end
/// then at the latest; codes are revoked at once.
const REVOKE_REPLACED: &str = concat!(
    "UPDATE api_keys SET revoked_at = CASE WHEN ?6 IS NULL OR permission = 'login' THEN ?3 END, \
     overlap_ends_at = CASE WHEN ?6 < COALESCE(overlap_ends_at, ?6 + 1) THEN ?6 \
     ELSE overlap_ends_at END, write_id = ?5 WHERE ",
    replaced!(),
    " AND id <> ?4 AND EXISTS (SELECT 1 FROM api_keys AS issued WHERE issued.id = ?4)"
);

/// Marks a code as used. Of several exchanges at once, one finds it unused.
const USE_CODE: &str = "UPDATE api_keys SET revoked_at = ?2, last_used_at = ?2, write_id = ?3 \
     WHERE id = ?1 AND permission = 'login' AND revoked_at IS NULL AND expires_at > ?2";

/// The key for the code that this write has used.
const ISSUE_FOR_CODE: &str = concatcp!(
    "INSERT INTO api_keys \
     (key_hash, id, scope, label, permission, created_at, expires_at, write_id) \
     SELECT ?2, ?3, scope, ?4, 'manage', ?5, ?6, ?7 FROM api_keys \
     WHERE id = ?1 AND write_id = ?7 RETURNING ",
    Key::NAMES
);

/// Revoking a key again keeps the first time, and is not recorded.
const REVOKE: &str = concatcp!(
    "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, ?2), \
     write_id = CASE WHEN revoked_at IS NULL THEN ?3 ELSE write_id END \
     WHERE id = ?1 AND (?4 IS NULL OR scope = ?4) RETURNING ",
    Key::NAMES
);

/// By scope.
const BY_SCOPE: Order = Order {
    name: "keys",
    columns: Key::NAMES,
    table: "api_keys",
    places: &[Place::text("scope"), Place::text("id").indexed("(id || '')")],
    is_descending: false,
    is_counted: true,
};

/// Adds to a write that an orchestrator is handed its scope's first key; no row is returned if the
/// scope has had one.
pub(crate) fn issue_first(write: &mut Write, hash: &str, to: &Orchestrator) -> Answer {
    let Stamp { write_id, now } = write.stamp;
    let (id, Orchestrator { cluster, machine_id, scope, .. }) = (write.stamp.text_id("key"), to);
    let issue = bind!(ISSUE_FIRST, hash, &id, now, &to.id, cluster, machine_id, scope, write_id);
    let issued = write.run(issue);
    write.record(Subject::Key(&id), &NewEvent::new(Kind::Issued, Some(to.id.clone())));
    issued
}

impl Store {
    /// The key with this hash, whether it may still be used or not.
    pub async fn find_key(&self, hash: &str) -> Result<Option<Key>> {
        let [rows] = self.read_by_key([bind!(FIND, hash)]).await?;
        first(rows, record::read)
    }

    /// Records the use of a key, unless one was recorded within the last minute.
    pub async fn touch_key(&self, id: &str, now: Millis) -> Result<()> {
        let due = now.plus(-TOUCH_INTERVAL_MS);
        self.write([bind!(TOUCH, id, now, due)]).await?;
        Ok(())
    }

    /// Issues a key beside those the scope has.
    pub async fn issue_key(&self, hash: &str, grant: &Grant, stamp: Stamp) -> Result<Key> {
        let (id, Grant { scope, label, permission, expires_at }) = (stamp.text_id("key"), grant);
        let permission = permission.as_str();
        let mut write = Write::new(stamp);
        write.hold(Lock::keys(scope));
        let Stamp { write_id, now } = stamp;
        let issued = write.run(bind!(
            ISSUE,
            hash,
            &id,
            scope,
            label,
            permission,
            now,
            *expires_at,
            write_id
        ));
        write.record(Subject::Key(&id), &NewEvent::new(Kind::Issued, None));
        let rows = self.commit(write).await?.take(issued);
        first(rows, record::read)?.ok_or(StoreError::Corrupt("a new key left no row"))
    }

    /// Replaces keys of a scope by one new key, which keeps permission, label and expiry: the key
    /// `presented`, or all that live if the caller did not come with a key of the scope. Those go on
    /// working for the overlap, in milliseconds.
    pub async fn rotate_key(
        &self,
        scope: &str,
        presented: Option<&str>,
        hash: &str,
        overlap_ms: i64,
        stamp: Stamp,
    ) -> Result<Key> {
        let Stamp { write_id, now } = stamp;
        let id = stamp.text_id("key");
        let mut write = Write::new(stamp);
        write.hold(Lock::keys(scope));
        let ends = (overlap_ms > 0).then(|| now.plus(overlap_ms));
        let issued = write.run(bind!(REPLACE, scope, presented, now, hash, &id, write_id));
        write.record(Subject::Key(&id), &NewEvent::new(Kind::Issued, None));
        write.run(bind!(REVOKE_REPLACED, scope, presented, now, &id, write_id, ends));
        write.record(Subject::RevokedKeys(scope), &NewEvent::new(Kind::Revoked, None));
        write.record(Subject::ReplacedKeys(scope), &NewEvent::new(Kind::Rotated, None));
        let rows = self.commit(write).await?.take(issued);
        first(rows, record::read)?
            .ok_or_else(|| Refusal::NotFound("No API key found for this scope".to_owned()).into())
    }

    /// Exchanges a code for signing in, which has the hash `code`, for a key that manages its scope
    /// and has the hash `hash`. A code is good for one exchange.
    pub async fn sign_in(&self, code: &str, hash: &str, stamp: Stamp) -> Result<Key> {
        let Stamp { write_id, now } = stamp;
        // What is no code, or was used, needs no write. Of several exchanges at once, the batch decides.
        let is_good = |key: &Key| {
            key.permission == Permission::Login
                && key.revoked_at.is_none()
                && key.expires_at.is_some_and(|end| end > now)
        };
        let code = self.find_key(code).await?.filter(is_good).ok_or(Refusal::InvalidCode)?;
        let id = stamp.text_id("key");
        let expires_at = now.plus(BOARD_KEY_LIFE_MS);
        let mut write = Write::new(stamp);
        // The administrator may be replacing all keys of the scope at this moment.
        write.hold(Lock::keys(&code.scope));
        write.run(bind!(USE_CODE, &code.id, now, write_id));
        write.record(Subject::Key(&code.id), &NewEvent::new(Kind::Revoked, None));
        let issued = write.run(bind!(
            ISSUE_FOR_CODE,
            &code.id,
            hash,
            &id,
            BOARD_KEY_LABEL,
            now,
            expires_at,
            write_id
        ));
        write.record(Subject::Key(&id), &NewEvent::new(Kind::Issued, None));
        let rows = self.commit(write).await?.take(issued);
        first(rows, record::read)?.ok_or_else(|| Refusal::InvalidCode.into())
    }

    /// Revokes a key. `within` confines the caller to a scope.
    pub async fn revoke_key(&self, id: &str, within: Option<&str>, stamp: Stamp) -> Result<Key> {
        let mut write = Write::new(stamp);
        let revoked = write.run(bind!(REVOKE, id, stamp.now, stamp.write_id, within));
        write.record(Subject::Key(id), &NewEvent::new(Kind::Revoked, None));
        let rows = self.commit(write).await?.take(revoked);
        first(rows, record::read)?
            .ok_or_else(|| Refusal::NotFound("API key not found".to_owned()).into())
    }

    /// Lists the keys of a scope, or of all, revoked and expired ones too.
    pub async fn list_keys(&self, scope: Option<&str>, page: &Page) -> Result<Listed<Key>> {
        let mut listing = Listing::new(&BY_SCOPE, &scope);
        listing.and_if("scope = ?#", scope);
        self.list_page(scope, &listing, page, record::read).await
    }
}
