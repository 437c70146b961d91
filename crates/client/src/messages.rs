//! Messages between actors about a task.

use octopoid_domain::message::{Message, NewMessage};

use crate::{Client, Listed, Query, Result, path};

impl Client {
    /// Writes a message.
    pub async fn create_message(&self, new: &NewMessage) -> Result<Message> {
        self.post_once(&path(["messages"]), new).await
    }

    /// Lists messages, the oldest first. The query may name `task_id`, `to_actor`, `type`,
    /// `unreplied`, `thread_id`, `limit`, `offset` and `cursor`.
    pub async fn list_messages(&self, query: Query<'_>) -> Result<Listed<Message>> {
        self.list("messages", &path(["messages"]), query).await
    }
}
