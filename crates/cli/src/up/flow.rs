//! The flow of tasks under `octopoid up`.

use octopoid_client::Client;
use octopoid_domain::{
    flow::{APPROVED, NewFlow},
    input::{Prose, Text},
    queue::{CANCELLED, CLAIMED, DONE, FAILED, INCOMING, NEEDS_CONTINUATION, PROVISIONAL},
};
use serde_json::{Value, json};

use crate::failure::{Failure, Outcome};

/// The name of the flow. Older clients use the flow `default`, which is left alone.
pub(super) const NAME: &str = "octopoid";

/// The states, in the order in which a task goes through them; those in which it stops are last.
const STATES: [&str; 8] =
    [INCOMING, CLAIMED, PROVISIONAL, APPROVED, NEEDS_CONTINUATION, DONE, FAILED, CANCELLED];

/// The steps. What is done was reviewed and merged: a review leads to `approved`, and only from
/// there a task is done.
const STEPS: [(&str, &str); 9] = [
    (INCOMING, CLAIMED),
    (CLAIMED, PROVISIONAL),
    (PROVISIONAL, APPROVED),
    (APPROVED, DONE),
    // Given back by its agent.
    (CLAIMED, INCOMING),
    // Rejected in review, or because it could not be merged.
    (PROVISIONAL, INCOMING),
    (APPROVED, INCOMING),
    // An older client that submits after many turns without a commit ends up there.
    (CLAIMED, NEEDS_CONTINUATION),
    (NEEDS_CONTINUATION, INCOMING),
];

fn flow() -> NewFlow {
    let steps: Vec<_> = STEPS.iter().map(|(from, to)| json!({ "from": from, "to": to })).collect();
    let description = "Work, review and merge; kept up to date by octopoid up";
    NewFlow {
        scope: Text(None),
        states: json!(STATES),
        transitions: steps.into(),
        description: Prose(Some(description.to_owned())),
        child_flow: Value::Null,
    }
}

/// Registers the flow in the scope of the client's key, unless it is there as it should be: every
/// registration is an event.
pub(super) async fn register(client: &Client) -> Outcome {
    let flow = flow();
    let (states, transitions) =
        flow.check(NAME).map_err(|refusal| Failure::other(refusal.to_string()))?;
    match client.get_flow(NAME).await {
        Ok(kept) if kept.states == states && kept.transitions == transitions => return Ok(()),
        Err(error) if error.status() != Some(404) => return Err(error.into()),
        _ => {}
    }
    client.put_flow(NAME, &flow).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use octopoid_domain::flow::Rules;

    use super::{NAME, flow};

    #[test]
    fn nothing_is_done_that_was_not_approved() {
        let (states, transitions) = flow().check(NAME).unwrap();
        let rules = Rules::new(NAME, &states, &transitions, None);
        for (from, to) in [
            ("provisional", "approved"),
            ("approved", "done"),
            ("provisional", "incoming"),
            ("approved", "incoming"),
            ("claimed", "incoming"),
        ] {
            assert!(rules.allows(from, to, false), "{from} -> {to}");
        }
        for from in ["incoming", "claimed", "provisional", "needs_continuation"] {
            assert!(!rules.allows(from, "done", false), "{from}");
        }
    }
}
