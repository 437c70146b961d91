//! Messages between people, agents and the server. They are only ever added.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    input::{Id, Prose, Text},
    limits::{check_id, check_keys},
    refusal::Refusal,
    time::Millis,
};

/// A message as it is stored and shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// Made by the server: `msg-<milliseconds>-<6 characters>`.
    pub id: String,
    /// The task it is about, or any other name for what it is about.
    pub task_id: String,
    /// Who wrote it.
    pub from_actor: String,
    /// Whom it is for, if anyone in particular.
    pub to_actor: Option<String>,
    /// A kind of message, by the clients' own convention.
    #[serde(rename = "type")]
    pub kind: String,
    /// The text.
    pub content: String,
    /// When it was written.
    pub created_at: Millis,
    /// The tenant it belongs to.
    pub scope: String,
    /// The message it answers.
    pub parent_message_id: Option<String>,
}

/// The body that writes a message.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewMessage {
    /// Required: the task it is about; no such task need exist.
    pub task_id: Id,
    /// Required: who writes.
    pub from_actor: Text,
    /// Required: a kind of message.
    #[serde(rename = "type")]
    pub kind: Text,
    /// Required: the text.
    pub content: Prose,
    /// Required without a key.
    pub scope: Text,
    /// Whom it is for.
    pub to_actor: Text,
    /// The message it answers: one of the same scope, about the same task.
    pub parent_message_id: Id,
}

impl NewMessage {
    /// The message this body asks for, before the store has named it. `scope` is the caller's, for
    /// a body that names none.
    pub fn into_message(self, scope: Option<&str>, now: Millis) -> Result<Message, Refusal> {
        let (Some(task_id), Some(from_actor), Some(kind), Some(content)) =
            (self.task_id.0, self.from_actor.0, self.kind.0, self.content.0)
        else {
            return Err(Refusal::invalid(
                "Missing required fields: task_id, from_actor, type, content",
            ));
        };
        let scope = self.scope.0.or_else(|| scope.map(str::to_owned)).ok_or(Refusal::invalid(
            "Missing required field: scope. All messages must belong to a scope.",
        ))?;
        check_id("task_id", &task_id)?;
        check_keys(&[
            ("from_actor", &from_actor),
            ("type", &kind),
            ("scope", &scope),
            ("to_actor", &self.to_actor),
            ("parent_message_id", &self.parent_message_id),
        ])?;
        Ok(Message {
            id: String::new(),
            task_id,
            from_actor,
            to_actor: self.to_actor.0,
            kind,
            content,
            created_at: now,
            scope,
            parent_message_id: self.parent_message_id.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::NewMessage;
    use crate::{input::parse_body, time::Millis};

    #[test]
    fn required_fields_are_asked_for_in_the_contracts_order() {
        let text = |body: &str| {
            let new: NewMessage = parse_body(body.as_bytes()).unwrap();
            new.into_message(None, Millis(0)).unwrap_err().to_string()
        };
        assert_eq!(
            text(r#"{"scope":"s","task_id":0,"from_actor":"f","type":"y","content":"c"}"#),
            "Missing required fields: task_id, from_actor, type, content"
        );
        assert_eq!(
            text(r#"{"task_id":1,"from_actor":"f","type":"y","content":"c"}"#),
            "Missing required field: scope. All messages must belong to a scope."
        );
    }
}
