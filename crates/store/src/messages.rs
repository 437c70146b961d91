//! Messages: adding them, listing them, and following their threads.

use octopoid_domain::{Refusal, limits::shown, message::Message};

use crate::{
    Result, Stamp, Store, all,
    conditions::Conditions,
    engine::{Row, Rows, bind},
    history::message_id,
    lists::{Listed, Page},
    row::{Columns, number},
};

/// The columns of a message, in the order [`message`] reads them.
macro_rules! columns {
    () => {
        "id, task_id, from_actor, to_actor, type, content, created_at, scope, parent_message_id"
    };
}

/// Reads the columns of a message.
fn message(row: Row) -> Result<Message> {
    let mut row = Columns::new(row);
    Ok(Message {
        id: row.next()?,
        task_id: row.next()?,
        from_actor: row.next()?,
        to_actor: row.next()?,
        kind: row.next()?,
        content: row.next()?,
        created_at: row.next()?,
        scope: row.next()?,
        parent_message_id: row.next()?,
    })
}

/// An answer belongs to the scope and the task of the message it answers.
const INSERT: &str = concat!(
    "INSERT INTO messages (",
    columns!(),
    ") SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE ?9 IS NULL OR EXISTS \
     (SELECT 1 FROM messages WHERE id = ?9 AND scope = ?8 AND task_id = ?2) RETURNING id"
);

/// Why nothing was inserted: whether the parent is there. Messages never change.
const FIND_PARENT: &str = "SELECT task_id FROM messages WHERE id = ?1 AND scope = ?2";

const LIST: &str = concat!("SELECT ", columns!(), " FROM messages");

/// Every parent is in its child's scope, so it is enough to check the root's.
const THREAD: &str = "WITH RECURSIVE thread (seq, id) AS ( \
     SELECT seq, id FROM messages WHERE id = ?1 AND scope = ?2 \
     UNION ALL SELECT reply.seq, reply.id FROM thread \
     JOIN messages AS reply ON reply.parent_message_id = thread.id) \
     SELECT message.id, message.task_id, message.from_actor, message.to_actor, message.type, \
     message.content, message.created_at, message.scope, message.parent_message_id \
     FROM (SELECT seq FROM thread LIMIT 10000) AS bounded \
     JOIN messages AS message ON message.seq = bounded.seq \
     ORDER BY message.created_at, message.seq";

/// Which messages to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The tenant.
    pub scope: String,
    /// About this task.
    pub task_id: Option<String>,
    /// For this reader.
    pub to_actor: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Only those that no message answers.
    pub is_unreplied: bool,
}

/// Which stretch of the messages to list. Both are in the order they were written.
#[derive(Clone, Copy, Debug)]
pub enum Window {
    /// The newest ones, at most so many: what somebody who asks for no stretch wants to see.
    Newest(i64),
    /// A stretch, counted from the oldest.
    Stretch(Page),
}

impl Filter {
    fn conditions(&self) -> Conditions {
        let mut conditions = Conditions::default();
        conditions.and("scope = ?#", &self.scope);
        match (&self.task_id, &self.to_actor) {
            // A reader's index would pass over all that was ever written to that reader, so the
            // reader is hidden from it.
            (Some(task), Some(reader)) => {
                conditions.and("task_id = ?#", task);
                conditions.and("to_actor || '' = ?#", reader);
            }
            (task, reader) => {
                conditions.and_if("task_id = ?#", task.as_deref());
                conditions.and_if("to_actor = ?#", reader.as_deref());
            }
        }
        conditions.and_if("type = ?#", self.kind.as_deref());
        if self.is_unreplied {
            conditions.and_always(
                "NOT EXISTS (SELECT 1 FROM messages AS reply \
                 WHERE reply.parent_message_id = messages.id)",
            );
        }
        conditions
    }
}

impl Store {
    /// Adds a message and returns it with its id.
    pub async fn create_message(&self, new: Message, stamp: Stamp) -> Result<Message> {
        let new = Message { id: message_id("msg", stamp), ..new };
        let insert = bind!(
            INSERT,
            &new.id,
            &new.task_id,
            &new.from_actor,
            &new.to_actor,
            &new.kind,
            &new.content,
            new.created_at,
            &new.scope,
            &new.parent_message_id,
        );
        let [inserted, parent] =
            self.write([insert, bind!(FIND_PARENT, &new.parent_message_id, &new.scope)]).await?;
        if inserted.is_empty() {
            return Err(why_not_created(&new, &parent).into());
        }
        Ok(new)
    }

    /// Lists messages, the oldest of the window first.
    pub async fn list_messages(&self, filter: &Filter, window: Window) -> Result<Listed<Message>> {
        let conditions = filter.conditions();
        let total = conditions.count("messages");
        let page = match window {
            Window::Newest(limit) => {
                conditions.page(LIST, "created_at DESC, seq DESC", Page { limit, offset: 0 })
            }
            Window::Stretch(page) => conditions.page(LIST, "created_at, seq", page),
        };
        let [total, mut rows] = self.read_for(Some(&filter.scope), [total, page]).await?;
        if matches!(window, Window::Newest(_)) {
            rows.reverse();
        }
        Ok(Listed { items: all(rows, message)?, total: number(total)? })
    }

    /// A message of this scope and all that answers it, directly or not; at most 10,000, and none
    /// if there is no such message.
    pub async fn list_thread(&self, root: &str, scope: &str) -> Result<Vec<Message>> {
        let [rows] = self.read_for(Some(scope), [bind!(THREAD, root, scope)]).await?;
        all(rows, message)
    }
}

fn why_not_created(new: &Message, parent: &Rows) -> Refusal {
    if parent.is_empty() {
        let id = new.parent_message_id.as_deref().unwrap_or_default();
        return Refusal::invalid(format!("Parent message not found: {}", shown(id)));
    }
    Refusal::invalid("Parent message belongs to a different task")
}
