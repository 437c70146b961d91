//! Sending the events of the journal to webhooks.
//!
//! The journal is the queue: a webhook has the position up to which its events are done with. New
//! events are looked at once for all webhooks, and a webhook that wants one is *noticed* up to there.
//! It is due if that is beyond its position. A server that sends to a webhook holds its lease, so that
//! of many servers one does; the outcome of an attempt counts only under the lease.
//! (`docs/decisions/0030-webhooks-read-the-journal.md`)

use std::collections::BTreeSet;

use const_format::concatcp;
use octopoid_domain::{
    Millis, Refusal,
    event::{Kind, NewEvent},
    journal::{Cursor, Filter, Start},
    webhook::{
        Attempt, DeliveryResult, Secret, Webhook,
        attempt::{ATTEMPT_MS_MAX, Consequence},
        message::Message,
    },
};

use crate::{
    Events, Result, Stamp, Store, StoreError, all,
    engine::{Row, bind},
    first,
    journal::Subject,
    record::{Columns as _, Record as _},
    row::RowReader,
    write::Write,
};

/// How many events are looked at in one write.
const PAGE: i64 = 250;
/// How many events are read to find the next message.
const STRETCH: i64 = 100;
/// How long a webhook is leased for an attempt, in milliseconds: the attempt, and time to record it.
const LEASE_MS: i64 = ATTEMPT_MS_MAX + 5_000;

/// Up to where events were looked at, and from where on a webhook wants them; null if there is none.
const STATE: &str = "SELECT \
     COALESCE((SELECT position FROM webhook_cursor WHERE id = 1), 0) AS reached, \
     (SELECT MIN(position) FROM webhooks WHERE is_enabled = 1) AS wanted";

/// The webhooks of scopes in which something has happened: fifty of each at most.
const OF_SCOPES: &str = concatcp!(
    "SELECT ",
    Webhook::NAMES,
    ", position FROM webhooks WHERE scope IN (SELECT value FROM json_each(?1)) \
     AND is_enabled = 1 LIMIT 12500"
);

/// A webhook that had nothing to send need not read again what was looked at before `?3`.
const NOTICE: &str = "UPDATE webhooks SET noticed = ?2, position = CASE WHEN noticed <= position \
     AND position < ?3 THEN ?3 ELSE position END \
     WHERE id IN (SELECT value FROM json_each(?1)) AND noticed < ?2";

const REACH: &str = "INSERT INTO webhook_cursor (id, position) VALUES (1, ?1) \
     ON CONFLICT (id) DO UPDATE SET position = excluded.position \
     WHERE webhook_cursor.position < excluded.position";

/// What is due at `?1`.
macro_rules! due {
    ($table:literal) => {
        concat!(
            $table,
            ".is_enabled = 1 AND ",
            $table,
            ".noticed > ",
            $table,
            ".position AND COALESCE(",
            $table,
            ".retry_at, 0) <= ?1 AND (",
            $table,
            ".lease_until IS NULL OR ",
            $table,
            ".lease_until <= ?1)"
        )
    };
}

const IS_DUE: &str = concat!("SELECT 1 FROM webhooks WHERE ", due!("webhooks"), " LIMIT 1");

/// Of servers that lease a webhook at the same time, one does.
const LEASE: &str = concatcp!(
    "UPDATE webhooks SET lease_id = ?3, lease_until = ?4 WHERE id IN (SELECT due.id \
     FROM webhooks AS due WHERE ",
    due!("due"),
    " ORDER BY COALESCE(due.retry_at, 0) LIMIT ?2) AND ",
    due!("webhooks"),
    " RETURNING ",
    Webhook::NAMES,
    ", secret, old_secret, position"
);

const DELIVERED: &str = "UPDATE webhooks SET position = ?3, attempts = 0, failing_since = NULL, \
     retry_at = NULL, lease_until = ?4, write_id = ?5 WHERE id = ?1 AND lease_id = ?2 RETURNING id";

const FAILED: &str = "UPDATE webhooks SET attempts = attempts + 1, \
     failing_since = COALESCE(failing_since, ?3), retry_at = ?4, lease_id = NULL, \
     lease_until = NULL, write_id = ?5 WHERE id = ?1 AND lease_id = ?2 RETURNING id";

const DISABLE: &str = "UPDATE webhooks SET is_enabled = 0, disabled_reason = ?3, retry_at = NULL \
     WHERE id = ?1 AND write_id = ?2";

/// Ends the lease of a webhook for which nothing was sent.
const RELEASE: &str = "UPDATE webhooks SET retry_at = ?4, \
     position = CASE WHEN position < ?3 THEN ?3 ELSE position END, \
     lease_id = NULL, lease_until = NULL WHERE id = ?1 AND lease_id = ?2";

const LOG: &str = "INSERT INTO webhook_deliveries (webhook_id, position, id, type, event_at, \
     attempts, attempted_at, duration_ms, result, status, error) \
     SELECT id, ?3, ?4, ?5, ?6, 1, ?7, ?8, ?9, ?10, ?11 FROM webhooks WHERE id = ?1 AND write_id = ?2 \
     ON CONFLICT (webhook_id, position) DO UPDATE SET attempts = webhook_deliveries.attempts + 1, \
     attempted_at = excluded.attempted_at, duration_ms = excluded.duration_ms, \
     result = excluded.result, status = excluded.status, error = excluded.error";

/// Keeps the last hundred messages.
const TRIM: &str = "DELETE FROM webhook_deliveries WHERE webhook_id = ?1 AND position < \
     (SELECT kept.position FROM webhook_deliveries AS kept WHERE kept.webhook_id = ?1 \
     ORDER BY kept.position DESC LIMIT 1 OFFSET 99)";

/// What was found by looking at new events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// There is no enabled webhook.
    NoWebhooks,
    /// All events were looked at.
    All,
    /// There are more.
    Some,
}

/// A webhook that has something to send, and is leased.
#[derive(Clone, Debug)]
pub struct DueWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// Its secrets: with the second one, the messages are signed too.
    pub secrets: Vec<Secret>,
    /// Behind the events that are done with.
    pub position: Cursor,
    lease: i64,
}

impl DueWebhook {
    /// Goes on behind a message that was delivered.
    pub fn delivered(&mut self, end: Cursor) {
        self.position = end;
        self.webhook.attempts = 0;
        self.webhook.failing_since = None;
    }
}

impl Store {
    /// Looks at a page of new events, and notices the webhooks that want one of them.
    pub async fn notice_webhooks(&self) -> Result<Noticed> {
        let [state] = self.read([bind!(STATE)]).await?;
        let state = first(state, |row| {
            let mut row = RowReader::new(row);
            Ok((row.next::<i64>()?, row.next::<Option<i64>>()?))
        })?;
        let Some((reached, Some(wanted))) = state else { return Ok(Noticed::NoWebhooks) };
        let start = Cursor(reached.max(wanted));
        let page = self.events_after(None, &Filter::default(), start, PAGE).await?;
        let outcome = if page.is_last { Noticed::All } else { Noticed::Some };
        if page.next <= start {
            return Ok(outcome);
        }
        // Webhooks are read after the events, so that none is missed that is older than an event.
        let scopes: BTreeSet<_> =
            page.events.iter().filter_map(|event| event.scope.as_deref()).collect();
        let scopes = serde_json::Value::from_iter(scopes).to_string();
        let [rows] = self.read([bind!(OF_SCOPES, &scopes)]).await?;
        let mut noticed = Vec::new();
        for (webhook, position) in all(rows, |row| {
            let mut row = RowReader::new(row);
            Ok((Webhook::read(&mut row)?, row.next::<i64>()?))
        })? {
            let mut new = page.events.iter().filter(|event| event.id.0 > position);
            if new.any(|event| webhook.wants(event)) {
                noticed.push(webhook.id);
            }
        }
        let mut write = Vec::new();
        if !noticed.is_empty() {
            let ids = serde_json::Value::from(noticed).to_string();
            write.push(bind!(NOTICE, &ids, page.next.0, start.0));
        }
        write.push(bind!(REACH, page.next.0));
        self.write_holding(Vec::new(), write).await?;
        Ok(outcome)
    }

    /// Leases up to `limit` webhooks that are due.
    pub async fn lease_webhooks(&self, limit: i64, stamp: Stamp) -> Result<Vec<DueWebhook>> {
        let Stamp { write_id, now } = stamp;
        let [due] = self.read([bind!(IS_DUE, now)]).await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let until = now.plus(LEASE_MS);
        let [rows] = self.write([bind!(LEASE, now, limit, write_id, until)]).await?;
        all(rows, |row| due_webhook(row, stamp))
    }

    /// Reads events that a webhook may want, behind those that are done with.
    pub async fn events_for_webhook(&self, due: &DueWebhook) -> Result<Events> {
        let Webhook { scope, .. } = &due.webhook;
        self.events_after(Some(scope), &due.webhook.filter(), due.position, STRETCH).await
    }

    /// Reads events; what is no longer kept is passed over.
    async fn events_after(
        &self,
        scope: Option<&str>,
        filter: &Filter,
        after: Cursor,
        limit: i64,
    ) -> Result<Events> {
        match self.read_events(scope, filter, Start::After(after), limit).await {
            Err(StoreError::Refused(Refusal::EventsGone(_))) => {
                self.read_events(scope, filter, Start::Oldest, limit).await
            }
            page => page,
        }
    }

    /// Records an attempt to send a message, and what follows from it. Returns whether the webhook is
    /// still leased: after a failure it is not, and neither if it was changed meanwhile.
    pub async fn record_attempt(
        &self,
        due: &DueWebhook,
        message: &Message,
        attempt: &Attempt,
        random: u64,
        stamp: Stamp,
    ) -> Result<bool> {
        let (id, Stamp { write_id, now }) = (&due.webhook.id, stamp);
        let mut write = Write::new(stamp);
        let is_delivered = attempt.result() == DeliveryResult::Delivered;
        let recorded = if is_delivered {
            let until = now.plus(LEASE_MS);
            write.run(bind!(DELIVERED, id, due.lease, message.end.0, until, write_id))
        } else {
            fail(&mut write, due, attempt, random)
        };
        let (first, result) = (message.first.0, attempt.result().as_str());
        write.run(bind!(
            LOG,
            id,
            write_id,
            first,
            &message.id,
            &message.name,
            message.event_at,
            now,
            attempt.duration_ms,
            result,
            attempt.status,
            attempt.why()
        ));
        write.run(bind!(TRIM, id));
        let is_mine = !self.commit(write).await?.is_empty(recorded);
        Ok(is_mine && is_delivered)
    }

    /// Ends the lease of a webhook that has nothing to send up to a position, or not before an
    /// instant.
    pub async fn release_webhook(
        &self,
        due: &DueWebhook,
        done: Cursor,
        until: Option<Millis>,
    ) -> Result<()> {
        let release = bind!(RELEASE, &due.webhook.id, due.lease, done.0, until);
        self.write([release]).await.map(drop)
    }
}

/// Adds to a write that an attempt has failed.
fn fail(
    write: &mut Write,
    due: &DueWebhook,
    attempt: &Attempt,
    random: u64,
) -> crate::write::Answer {
    let (webhook, Stamp { write_id, now }) = (&due.webhook, write.stamp);
    let failing_since = webhook.failing_since.unwrap_or(now);
    let consequence = attempt.consequence(webhook.attempts + 1, failing_since, now, random);
    let retry_at = match &consequence {
        Consequence::Retry(at) => Some(*at),
        Consequence::Disable(_) => None,
    };
    let failed = write.run(bind!(FAILED, &webhook.id, due.lease, now, retry_at, write_id));
    if let Consequence::Disable(why) = consequence {
        write.run(bind!(DISABLE, &webhook.id, write_id, &why));
        let event = NewEvent::new(Kind::Disabled, None).with(why);
        write.record(Subject::Webhook(&webhook.id), &event);
    }
    failed
}

fn due_webhook(row: Row, stamp: Stamp) -> Result<DueWebhook> {
    let mut row = RowReader::new(row);
    let webhook = Webhook::read(&mut row)?;
    let (secret, old): (String, Option<String>) = (row.next()?, row.next()?);
    let is_rotating = webhook.old_secret_until.is_some_and(|until| until > stamp.now);
    let old = old.filter(|_| is_rotating);
    let secrets = [Some(secret), old].into_iter().flatten().map(|text| Secret::parse(&text));
    let secrets = secrets.collect::<std::result::Result<_, _>>();
    let secrets = secrets.map_err(|_| StoreError::Corrupt("the secret of a webhook is none"))?;
    Ok(DueWebhook { webhook, secrets, position: Cursor(row.next()?), lease: stamp.write_id })
}
