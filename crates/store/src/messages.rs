//! Messages: adding them, listing them, and following their threads.

use const_format::concatcp;
use octopoid_domain::{
    Refusal,
    change::Notice,
    event::{Kind, NewEvent},
    message::Message,
    text::shown,
};

use crate::{
    Result, Stamp, Store,
    columns::Column,
    engine::{Rows, bind},
    first,
    idempotency::unless_done,
    journal::Subject,
    lists::{Listed, Listing, Order, Page, Place, Start},
    locks::Lock,
    record::{self, Columns as _, Layout, binding, parameters, record},
    write::Write,
};

record!(Message {
    id,
    task_id,
    from_actor,
    to_actor,
    kind = "type",
    content,
    created_at,
    scope,
    parent_message_id,
});

pub(crate) const TABLE: Layout = Layout::of::<Message>("messages", &["seq"])
    .with(&[Column::int("seq"), Column::int("write_id")]);

/// An answer belongs to the scope and the task of the message it answers.
const INSERT: &str = concatcp!(
    "INSERT INTO messages (write_id, ",
    Message::NAMES,
    ") SELECT ?1, ",
    parameters(8, Message::COUNT),
    " WHERE (?2 IS NULL OR EXISTS \
     (SELECT 1 FROM messages WHERE id = ?2 AND scope = ?3 AND task_id = ?4))",
    unless_done!("?5", "?6", "?7"),
    " RETURNING id"
);

/// A message about the task that a write has changed, to no reader in particular.
const NOTIFY: &str = "INSERT INTO messages \
     (id, task_id, from_actor, to_actor, type, content, created_at, scope, write_id) \
     SELECT ?3, id, ?4, NULL, ?5, ?6, ?7, scope, write_id FROM tasks \
     WHERE id = ?1 AND write_id = ?2";

/// A caller confined to a scope does not see the messages of others.
const FIND: &str = concatcp!(
    "SELECT ",
    Message::NAMES,
    " FROM messages WHERE id = ?1 AND (?2 IS NULL OR scope = ?2)"
);

/// Why nothing was inserted: whether the parent is there. Messages never change.
const FIND_PARENT: &str = "SELECT task_id FROM messages WHERE id = ?1 AND scope = ?2";

/// In the order they were written.
const OLDEST_FIRST: Order = Order {
    name: "messages",
    columns: Message::NAMES,
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
    /// To this recipient.
    pub to_actor: Option<String>,
    /// Of this type.
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
        let new = Message { id: stamp.text_id("msg"), ..new };
        let parent = &new.parent_message_id;
        let mut write = self.begin(stamp);
        write.hold(Lock::messages(&new.scope, &new.task_id));
        let insert = bind!(INSERT, stamp.write_id, parent, &new.scope, &new.task_id);
        let insert = write.bind_once(insert);
        let inserted = write.run(binding::<Message>(insert, &new));
        let event = NewEvent::new(Kind::Created, Some(new.from_actor.clone()));
        write.record(Subject::Message(&new.id), &event);
        write.remember(Subject::Message(&new.id));
        let parent = write.run(bind!(FIND_PARENT, parent, &new.scope));
        let mut answers = self.commit(write).await?;
        if answers.is_empty(inserted) {
            return Err(why_not_created(&new, &answers.take(parent)).into());
        }
        Ok(new)
    }

    /// The message with this id. `within` confines the caller to a scope.
    pub async fn get_message(&self, id: &str, within: Option<&str>) -> Result<Message> {
        let [rows] = self.read_by_key([bind!(FIND, id, within)]).await?;
        let found = first(rows, record::read)?;
        Ok(found.ok_or_else(|| Refusal::NotFound("Message not found".to_owned()))?)
    }

    /// Lists messages in the order they were written.
    pub async fn list_messages(&self, filter: &Filter, page: &Page) -> Result<Listed<Message>> {
        let newest = filter.listing(&NEWEST_FIRST);
        if matches!(&page.start, Start::Cursor(cursor) if newest.has(cursor)) {
            return self.list_newest_messages(filter, page).await;
        }
        self.list_page(Some(&filter.scope), &filter.listing(&OLDEST_FIRST), page, record::read)
            .await
    }

    /// Lists the newest messages: what a caller wants to see who asks for no page. They are in the
    /// order they were written as well; the next page has the ones before them.
    pub async fn list_newest_messages(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Result<Listed<Message>> {
        let listing = filter.listing(&NEWEST_FIRST);
        let mut listed = self.list_page(Some(&filter.scope), &listing, page, record::read).await?;
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
        self.list_page(Some(scope), &listing, page, record::read).await
    }
}

/// Adds to a write a message about the task that it changes.
pub(crate) fn notify(write: &mut Write, task: &str, notice: &Notice) {
    let Stamp { write_id, now } = write.stamp;
    let id = write.stamp.text_id("msg");
    let Notice { from_actor, kind, content } = notice;
    write.run(bind!(NOTIFY, task, write_id, &id, from_actor, *kind, content, now));
    write.record(Subject::Message(&id), &NewEvent::new(Kind::Created, Some(from_actor.clone())));
}

fn why_not_created(new: &Message, parent: &Rows) -> Refusal {
    if parent.is_empty() {
        let id = new.parent_message_id.as_deref().unwrap_or_default();
        return Refusal::invalid(format!("Parent message not found: {}", shown(id)));
    }
    Refusal::invalid("Parent message belongs to a different task")
}
