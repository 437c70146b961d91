//! Webhooks: creating, reading, changing, testing and deleting them. `deliveries.rs` has what their
//! sender does.

use const_format::concatcp;
use octopoid_domain::{
    Refusal,
    event::{Kind, NewEvent},
    text::shown,
    webhook::{Changes, Delivery, Secret, Webhook, is_disabled, too_many_webhooks},
};

use crate::{
    Result, Stamp, Store, StoreError,
    engine::bind,
    first,
    journal::Subject,
    lists::{Listed, Listing, Order, Page, Place},
    patch::Update,
    record::{self, Columns as _, parameters, record},
    row::Stored as _,
    write::Write,
};

record!(Webhook {
    id,
    scope,
    url,
    format,
    types,
    is_enabled,
    disabled_reason,
    created_at,
    old_secret_until,
    failing_since,
    attempts,
    retry_at,
});

record!(Delivery {
    id,
    webhook_id,
    name = "type",
    event_at,
    attempts,
    attempted_at,
    duration_ms,
    result,
    status,
    error,
});

const INSERT: &str = concatcp!(
    "INSERT INTO webhooks (write_id, secret, position, noticed, ",
    Webhook::NAMES,
    ") SELECT ?1, ?2, ?3, ?3, ",
    parameters(4, Webhook::COUNT),
    " WHERE (SELECT COUNT(*) FROM webhooks WHERE scope = ?5) < 50 RETURNING ",
    Webhook::NAMES
);

const FIND: &str = concatcp!(
    "SELECT ",
    Webhook::NAMES,
    " FROM webhooks WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)"
);

/// The replaced secret signs until `?4`; with null, not at all.
const ROTATE: &str = concatcp!(
    "UPDATE webhooks SET old_secret = CASE WHEN ?4 IS NULL THEN NULL ELSE secret END, \
     old_secret_until = ?4, secret = ?3, write_id = ?5 \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) RETURNING ",
    Webhook::NAMES
);

/// Marks a webhook that is to be tested. A test does not wait for the next attempt.
const MARK_TESTED: &str = "UPDATE webhooks SET retry_at = NULL, write_id = ?3 \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) AND is_enabled = 1 RETURNING id";

/// Marks a webhook before its deletion, so that later statements of the batch can check the mark.
const MARK: &str = "UPDATE webhooks SET write_id = ?3 \
     WHERE id = ?1 AND (?2 IS NULL OR scope = ?2) RETURNING id";

const FORGET: &str = "DELETE FROM webhook_deliveries WHERE webhook_id = ?1 \
     AND EXISTS (SELECT 1 FROM webhooks WHERE id = ?1 AND write_id = ?2)";

const DELETE: &str = "DELETE FROM webhooks WHERE id = ?1 AND write_id = ?2";

const BY_ID: Order = Order {
    name: "webhooks",
    columns: Webhook::NAMES,
    table: "webhooks",
    places: &[Place::text("id").indexed("(id || '')")],
    is_descending: false,
    is_counted: false,
};

const NEWEST_FIRST: Order = Order {
    name: "deliveries",
    columns: Delivery::NAMES,
    table: "webhook_deliveries",
    places: &[Place::number("position")],
    is_descending: true,
    is_counted: false,
};

fn not_found(id: &str) -> StoreError {
    Refusal::NotFound(format!("Webhook {} not found", shown(id))).into()
}

impl Store {
    /// Creates a webhook. It gets the events from now on.
    pub async fn create_webhook(
        &self,
        new: &Webhook,
        secret: &Secret,
        stamp: Stamp,
    ) -> Result<Webhook> {
        let new = Webhook { id: stamp.text_id("hook"), ..new.clone() };
        let end = self.journal_end().await?.0;
        let mut write = Write::new(stamp);
        let insert = bind!(INSERT, stamp.write_id, secret.as_str(), end);
        let inserted = write.run(record::binding::<Webhook>(insert, &new));
        write.record(Subject::Webhook(&new.id), &NewEvent::new(Kind::Created, None));
        first(self.commit(write).await?.take(inserted), record::read)?
            .ok_or_else(|| too_many_webhooks().into())
    }

    /// Lists the webhooks of a scope by their ids, the oldest first.
    pub async fn list_webhooks(&self, scope: &str, page: &Page) -> Result<Listed<Webhook>> {
        let mut listing = Listing::new(&BY_ID, &scope);
        listing.and("scope = ?#", scope);
        self.list_page(Some(scope), &listing, page, record::read).await
    }

    /// The webhook with this id. `within` confines the caller to a scope.
    pub async fn get_webhook(&self, id: &str, within: Option<&str>) -> Result<Webhook> {
        let [rows] = self.read_by_key([bind!(FIND, id, within)]).await?;
        first(rows, record::read)?.ok_or_else(|| not_found(id))
    }

    /// Changes a webhook. One that is enabled again gets the events from now on, and one with a new
    /// address is tried at once.
    pub async fn update_webhook(
        &self,
        id: &str,
        within: Option<&str>,
        changes: &Changes,
        stamp: Stamp,
    ) -> Result<Webhook> {
        let Changes { url, types, format, is_enabled } = changes;
        let mut update = Update::of("webhooks", stamp);
        if let Some(url) = url {
            update.set_to("url", "?#", url);
        }
        if let Some(types) = types {
            update.set_to("types", "?#", types.bind());
        }
        if let Some(format) = format {
            update.set_to("format", "?#", format.as_str());
        }
        if let Some(is_enabled) = *is_enabled {
            update.set_to("is_enabled", "?#", is_enabled);
            update.set_to("disabled_reason", "?#", None::<&str>);
        }
        if *is_enabled == Some(true) {
            let end = self.journal_end().await?.0;
            update.set_to("position", "CASE WHEN is_enabled = 1 THEN position ELSE ?# END", end);
            update.set_to("attempts", "CASE WHEN is_enabled = 1 THEN attempts ELSE ?# END", 0);
            let none = None::<i64>;
            update.set_to(
                "failing_since",
                "CASE WHEN is_enabled = 1 THEN failing_since ELSE ?# END",
                none,
            );
        }
        if *is_enabled == Some(false) {
            // The attempt that is under way changes nothing any more.
            update.set_to("lease_id", "?#", None::<i64>);
            update.set_to("lease_until", "?#", None::<i64>);
        }
        if url.is_some() || is_enabled.is_some() {
            update.set_to("retry_at", "?#", None::<i64>);
        }
        let mut write = Write::new(stamp);
        let updated = write.run(update.of_row(id, within, "", Webhook::NAMES));
        write.record(Subject::Webhook(id), &NewEvent::new(Kind::Updated, None));
        let rows = self.commit(write).await?.take(updated);
        first(rows, record::read)?.ok_or_else(|| not_found(id))
    }

    /// Replaces the secret of a webhook. The replaced one signs too for so many milliseconds.
    pub async fn rotate_webhook_secret(
        &self,
        id: &str,
        within: Option<&str>,
        secret: &Secret,
        overlap_ms: i64,
        stamp: Stamp,
    ) -> Result<Webhook> {
        let until = (overlap_ms > 0).then(|| stamp.now.plus(overlap_ms));
        let mut write = Write::new(stamp);
        let rotate = bind!(ROTATE, id, within, secret.as_str(), until, stamp.write_id);
        let rotated = write.run(rotate);
        write.record(Subject::Webhook(id), &NewEvent::new(Kind::Rotated, None));
        let rows = self.commit(write).await?.take(rotated);
        first(rows, record::read)?.ok_or_else(|| not_found(id))
    }

    /// Records an event that only this webhook is sent.
    pub async fn test_webhook(&self, id: &str, within: Option<&str>, stamp: Stamp) -> Result<()> {
        let mut write = Write::new(stamp);
        let marked = write.run(bind!(MARK_TESTED, id, within, stamp.write_id));
        write.record(Subject::Webhook(id), &NewEvent::new(Kind::Tested, None));
        if self.commit(write).await?.is_empty(marked) {
            self.get_webhook(id, within).await?;
            return Err(is_disabled().into());
        }
        Ok(())
    }

    /// Deletes a webhook and its log.
    pub async fn delete_webhook(&self, id: &str, within: Option<&str>, stamp: Stamp) -> Result<()> {
        let mut write = Write::new(stamp);
        let marked = write.run(bind!(MARK, id, within, stamp.write_id));
        write.record(Subject::Webhook(id), &NewEvent::new(Kind::Deleted, None));
        write.run(bind!(FORGET, id, stamp.write_id));
        write.run(bind!(DELETE, id, stamp.write_id));
        let is_unknown = self.commit(write).await?.is_empty(marked);
        if is_unknown { Err(not_found(id)) } else { Ok(()) }
    }

    /// Lists the last messages of a webhook, the newest first.
    pub async fn list_webhook_deliveries(
        &self,
        id: &str,
        within: Option<&str>,
        page: &Page,
    ) -> Result<Listed<Delivery>> {
        let webhook = self.get_webhook(id, within).await?;
        let mut listing = Listing::new(&NEWEST_FIRST, &id);
        listing.and("webhook_id = ?#", id);
        self.list_page(Some(&webhook.scope), &listing, page, record::read).await
    }
}

#[cfg(test)]
mod tests {
    use octopoid_domain::limits::WEBHOOKS_MAX;

    #[test]
    fn the_statement_counts_as_far_as_the_limit() {
        assert!(super::INSERT.contains(&format!(") < {WEBHOOKS_MAX} ")), "{}", super::INSERT);
    }
}
