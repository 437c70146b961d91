//! Messages: adding them, listing them, and following their threads.

use octopoid_domain::{Refusal, limits::shown, message::Message};

use crate::{
    Result, Stamp, Store,
    engine::{Row, Rows, bind},
    history::message_id,
    lists::{Listed, Listing, Order, Page, Place, Start},
    row::RowReader,
};

/// The columns of a message, in the order [`message`] reads them.
macro_rules! columns {
    () => {
        "id, task_id, from_actor, to_actor, type, content, created_at, scope, parent_message_id"
    };
}

/// Reads the columns of a message.
fn message(row: Row) -> Result<Message> {
    let mut row = RowReader::new(row);
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

/// In the order they were written.
const OLDEST_FIRST: Order = Order {
    name: "messages",
    columns: columns!(),
    table: "messages",
    places: &[Place::number("created_at"), Place::number("seq")],
    is_descending: false,
    is_counted: true,
};

const NEWEST_FIRST: Order =
    Order { name: "messages, the newest first", is_descending: true, ..OLDEST_FIRST };

/// Every parent is in its child's scope, so it is enough to check the root's.
const THREAD: Order = Order {
    name: "thread",
    table: "(WITH RECURSIVE thread (seq, id) AS ( \
        SELECT seq, id FROM messages WHERE id = ?1 AND scope = ?2 \
        UNION ALL SELECT reply.seq, reply.id FROM thread \
        JOIN messages AS reply ON reply.parent_message_id = thread.id) \
        SELECT message.seq, message.id, message.task_id, message.from_actor, message.to_actor, \
        message.type, message.content, message.created_at, message.scope, \
        message.parent_message_id \
        FROM (SELECT seq FROM thread LIMIT 10000) AS bounded \
        JOIN messages AS message ON message.seq = bounded.seq) AS thread",
    ..OLDEST_FIRST
};

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

impl Filter {
    fn listing(&self, order: &'static Order) -> Listing {
        let mut listing = Listing::new(order, self);
        listing.and("scope = ?#", &self.scope);
        match (&self.task_id, &self.to_actor) {
            // A reader's index would pass over all that was ever written to that reader, so the
            // reader is hidden from it.
            (Some(task), Some(reader)) => {
                listing.and("task_id = ?#", task);
                listing.and("to_actor || '' = ?#", reader);
            }
            (task, reader) => {
                listing.and_if("task_id = ?#", task.as_deref());
                listing.and_if("to_actor = ?#", reader.as_deref());
            }
        }
        listing.and_if("type = ?#", self.kind.as_deref());
        if self.is_unreplied {
            // The offset keeps PostgreSQL from reading all replies that there are to compare them.
            listing.and_always(
                "NOT EXISTS (SELECT 1 FROM messages AS reply \
                 WHERE reply.parent_message_id = messages.id LIMIT 1 OFFSET 0)",
            );
        }
        listing
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

    /// Lists messages in the order they were written.
    pub async fn list_messages(&self, filter: &Filter, page: &Page) -> Result<Listed<Message>> {
        let newest = filter.listing(&NEWEST_FIRST);
        if matches!(&page.start, Start::Cursor(cursor) if newest.has(cursor)) {
            return self.list_newest_messages(filter, page).await;
        }
        self.list_page(Some(&filter.scope), &filter.listing(&OLDEST_FIRST), page, message).await
    }

    /// Lists the newest messages: what a caller wants to see who asks for no page. They are in the
    /// order they were written as well; the next page has the ones before them.
    pub async fn list_newest_messages(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Result<Listed<Message>> {
        let listing = filter.listing(&NEWEST_FIRST);
        let mut listed = self.list_page(Some(&filter.scope), &listing, page, message).await?;
        listed.items.reverse();
        Ok(listed)
    }

    /// Lists a message of this scope and all that answers it, directly or not, in the order they
    /// were written; none if there is no such message. At most 10,000 of a thread are seen.
    pub async fn list_thread(
        &self,
        root: &str,
        scope: &str,
        page: &Page,
    ) -> Result<Listed<Message>> {
        let mut listing = Listing::new(&THREAD, &(root, scope));
        listing.bind(root);
        listing.bind(scope);
        self.list_page(Some(scope), &listing, page, message).await
    }
}

fn why_not_created(new: &Message, parent: &Rows) -> Refusal {
    if parent.is_empty() {
        let id = new.parent_message_id.as_deref().unwrap_or_default();
        return Refusal::invalid(format!("Parent message not found: {}", shown(id)));
    }
    Refusal::invalid("Parent message belongs to a different task")
}
