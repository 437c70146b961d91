//! Reading the journal of a server.

use anyhow::Context as _;
use octopoid_client::Client;
use octopoid_domain::journal::JournalEvent;

/// Reads the events of a scope behind the cursor, up to the present end. The cursor is there then;
/// `0` is before the first event.
pub(crate) async fn read_on(
    client: &Client,
    scope: &str,
    cursor: &mut String,
) -> anyhow::Result<Vec<JournalEvent>> {
    let mut events = Vec::new();
    loop {
        let query = [("scope", scope), ("cursor", cursor), ("limit", "500")];
        let page = client.list_events(&query).await.context("reading the journal")?;
        let next = page.next_cursor.to_string();
        // A page may be empty although there are more.
        let is_end = page.events.is_empty() && next == *cursor;
        events.extend(page.events);
        *cursor = next;
        if is_end {
            return Ok(events);
        }
    }
}
