//! What a task's events say by themselves.

use serde_json::Value;

use super::Cells;
use crate::{Failure, World};

/// The events of a task, the oldest first, each with the queue in which the change has left it.
const EVENTS: &str = "SELECT event, details, queue FROM events \
     WHERE subject = ?1 AND kind = 'task' AND seq IS NOT NULL ORDER BY seq";

/// The state of a task as far as its events have been read.
#[derive(Default)]
struct Told {
    queue: Option<String>,
    is_held: bool,
    /// Where the last claim took it from, and where it was held.
    source: String,
    held_in: String,
}

/// Where a task is, by its history alone; `None` if it was deleted or never was. Fails if it was
/// handed out while somebody held it, or if the journal's queue is none that the event leads to.
pub(super) async fn replay(world: &World, id: &str) -> Result<Option<String>, Failure> {
    let mut told = Told::default();
    let rows = world.runs(EVENTS, vec![id.into()]).await?;
    for mut row in rows.into_iter().map(Cells::of) {
        let (event, details) = (row.text().unwrap_or_default(), row.text().unwrap_or_default());
        let ends_in = row.text().unwrap_or_default();
        told.hears(&event, &details, &ends_in)?;
    }
    Ok(told.queue)
}

impl Told {
    fn hears(&mut self, event: &str, text: &str, ends_in: &str) -> Result<(), Failure> {
        let details: Value = serde_json::from_str(text).unwrap_or_default();
        let detail = |field: &str| details[field].as_str().map(str::to_owned);
        let before = self.queue.take();
        if ["claimed", "review_claimed", "resumed"].contains(&event) && self.is_held {
            let what = format!("handed out while it was held: {event} {text}");
            return Err(Failure::new(what));
        }
        self.queue = match event {
            "created" => Some(detail("queue").unwrap_or_else(|| "incoming".to_owned())),
            "claimed" => Some("claimed".to_owned()),
            "submitted" => Some("provisional".to_owned()),
            "burnout_detected" => Some("needs_continuation".to_owned()),
            "accepted" => Some(detail("to").unwrap_or_else(|| "done".to_owned())),
            "rejected" | "requeued" | "retried" => Some("incoming".to_owned()),
            "cancelled" => Some("cancelled".to_owned()),
            "resumed" => Some(self.held_in.clone()),
            "failed" => Some(self.fails(ends_in)?),
            "force_queue" => detail("to"),
            "edited" => detail("to").or_else(|| before.clone()),
            "deleted" => None,
            _ => before.clone(),
        };
        let is_claim = ["claimed", "review_claimed"].contains(&event);
        if is_claim {
            self.source = before.clone().unwrap_or_default();
            self.held_in = self.queue.clone().unwrap_or_default();
        }
        let fields = details["fields"].as_array();
        let mentions = |field: &str| fields.is_some_and(|fields| fields.contains(&field.into()));
        let is_freed = mentions("lease_expires_at") || mentions("claimed_by");
        let keeps = ["edited", "unblocked", "hook_completed", "cancel_requested"].contains(&event);
        let goes_on = self.is_held && keeps && self.queue == before && !is_freed;
        self.is_held = is_claim || event == "resumed" || goes_on;
        Ok(())
    }

    /// Where a failure leads: back to where the task came from or was reviewed, or to `failed`. One
    /// that is to be cancelled goes on to `cancelled`, as its next event says.
    fn fails(&self, ends_in: &str) -> Result<String, Failure> {
        let is_back = self.held_in != "claimed" && ends_in == self.held_in;
        // A claim by hand comes from nowhere.
        let ends = ["failed", "cancelled", "incoming", &self.source];
        if is_back || ends.contains(&ends_in) {
            return Ok(ends_in.to_owned());
        }
        Err(Failure::new(format!("a failure leads to {ends_in}, and not to any of {ends:?}")))
    }
}
