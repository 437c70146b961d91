//! The simulated person: rejects once, answers, accepts, and sees when everything is done.

use std::time::Duration;

use octopoid_client::{Client, Error};
use octopoid_domain::{
    input::{Prose, Text},
    queue::{DONE, PROVISIONAL},
    steps::{Accept, Reject},
};
use serde_json::json;

use super::TASKS;
use crate::{clock::pause, failure::Outcome};

/// The name in the history.
const NAME: &str = "demo person";
/// The time between two looks at what needs a person.
const LOOK: Duration = Duration::from_millis(400);

/// Decides on what needs a person, until all tasks are done.
pub(crate) async fn act(client: &Client, tell: impl Fn(&str)) -> Outcome {
    let mut has_rejected = false;
    loop {
        let questions = client.list_actions(&[("status", "proposed")]).await?;
        for action in questions.items.iter().filter(|action| action.action_type == "question") {
            tell(&format!("person answers {}: use 9090", action.entity_id));
            settle(client.complete_action_as(&action.id, NAME, &json!("Use 9090")).await)?;
        }
        let tasks = client.list_tasks(&[("limit", "10")]).await?.items;
        for task in tasks.iter().filter(|task| task.queue == PROVISIONAL) {
            if task.id == "greeting" && !has_rejected {
                let reason = "Greet the reader by name: her name is Ada.";
                tell(&format!("person rejects {}: {reason}", task.id));
                let body = Reject {
                    reason: Prose(Some(reason.to_owned())),
                    rejected_by: Text(Some(NAME.to_owned())),
                    ..Reject::default()
                };
                has_rejected = settle(client.reject_task(&task.id, &body).await)?;
            } else {
                tell(&format!("person accepts {}", task.id));
                let body = Accept {
                    accepted_by: Text(Some(NAME.to_owned())),
                    queue: Text(client.next_after_review(task).await?),
                    ..Accept::default()
                };
                settle(client.accept_task(&task.id, &body).await)?;
            }
        }
        if tasks.len() == TASKS.len() && tasks.iter().all(|task| task.queue == DONE) {
            return Ok(());
        }
        pause(LOOK).await;
    }
}

/// Whether it was done. That it has changed meanwhile is no failure: the person looks again.
fn settle<T>(answer: Result<T, Error>) -> Outcome<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(Error::Refused { status: 409 | 412, .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
