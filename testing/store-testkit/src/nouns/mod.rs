//! A store for the cases of the other nouns: projects, drafts, messages and actions here;
//! orchestrators, keys, roles and flows in `fleet.rs`.
//!
//! Its helpers take the fields that matter, as JSON, and add those that are required. They panic
//! where what they do is only the setting of a test.

#![allow(clippy::needless_pass_by_value, reason = "`json!({..})` reads better than `&json!({..})`")]

mod fleet;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use octopoid_domain::{
    Millis, Task,
    action::{Action, NewAction, Outcome},
    draft::{Draft, NewDraft, Promoted, Promotion},
    input::parse_body,
    message::{Message, NewMessage},
    project::{NewProject, Project},
    task::NewTask,
};
use octopoid_store::{Result, Stamp, Store, actions::Filter, engine::SharedEngine, lists::Page};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// When its clock begins.
pub const START: i64 = 1_795_294_738_605;
/// A page that holds all that a test makes.
pub const PAGE: Page = Page::first(50);

const READS: &str = "a body that a test has written is right";
const DONE: &str = "the setting of a test can be made";

/// A store whose clock moves on by a millisecond with every write.
#[derive(Clone)]
pub struct Nouns {
    /// The operations under test.
    pub store: Store,
    writes: Arc<AtomicU64>,
}

impl Nouns {
    /// On this engine, with the newest schema.
    pub async fn on(engine: SharedEngine) -> Self {
        let store = Store::new(engine);
        store.migrate(Millis(START)).await.expect("the database takes the schema");
        Self::over(store)
    }

    /// On a store that is ready.
    pub(crate) fn over(store: Store) -> Self {
        Self { store, writes: Arc::default() }
    }

    /// A stamp of its own for a write, so many milliseconds after the start.
    pub fn at(&self, ms: i64) -> Stamp {
        Stamp { now: Millis(START + ms), ..self.stamp() }
    }

    /// A stamp of its own for a write, a millisecond after the last one.
    pub fn stamp(&self) -> Stamp {
        let write = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        Stamp::new(write << 20, Millis(START + i64::try_from(write).expect("writes are few")))
    }

    /// Makes a project, with these fields besides the required ones.
    pub async fn creates_project(&self, id: &str, fields: Value) -> Project {
        self.tries_to_create_project(id, fields).await.expect(DONE)
    }

    /// The same where it may be refused.
    pub async fn tries_to_create_project(&self, id: &str, fields: Value) -> Result<Project> {
        let body = with(json!({"id": id, "title": id, "branch": "b", "scope": "s"}), fields);
        let stamp = self.stamp();
        let new = read::<NewProject>(&body).into_project(None, stamp.now).expect(READS);
        self.store.create_project(new, stamp).await
    }

    /// Changes a project.
    pub async fn patches_project(&self, id: &str, body: Value) -> Result<Project> {
        self.store.update_project(id, None, read(&body), self.stamp()).await
    }

    /// Creates a task, with these fields besides the required ones.
    pub async fn creates_task(&self, id: &str, fields: Value) -> Task {
        self.tries_to_create_task(id, fields).await.expect(DONE)
    }

    /// The same where it may be refused.
    pub async fn tries_to_create_task(&self, id: &str, fields: Value) -> Result<Task> {
        let body = with(json!({"id": id, "file_path": id, "branch": "main", "scope": "s"}), fields);
        let stamp = self.stamp();
        let new = read::<NewTask>(&body).into_task(None, stamp.now).expect(READS);
        self.store.create_task(new, None, stamp).await
    }

    /// Writes a draft, with these fields besides the required ones.
    pub async fn creates_draft(&self, fields: Value) -> Draft {
        let body = with(json!({"title": "idea", "author": "human", "scope": "s"}), fields);
        let new = read::<NewDraft>(&body);
        let stamp = self.stamp();
        let new = new.into_draft(None, stamp.now).expect(READS);
        self.store.create_draft(new, stamp).await.expect(DONE)
    }

    /// Changes a draft.
    pub async fn patches_draft(&self, id: i64, body: Value) -> Result<Draft> {
        self.store.update_draft(id, None, read(&body), self.stamp()).await
    }

    /// Makes a task or a project of a draft.
    pub async fn promotes(&self, id: i64, body: Value) -> Result<Promoted> {
        let promotion = Promotion::parse(body.to_string().as_bytes()).expect(READS);
        self.store.promote_draft(id, None, promotion, self.stamp()).await
    }

    /// Writes a message, with these fields besides the required ones.
    pub async fn writes_message(&self, fields: Value) -> Message {
        self.tries_to_write_message(fields).await.expect(DONE)
    }

    /// The same where it may be refused.
    pub async fn tries_to_write_message(&self, fields: Value) -> Result<Message> {
        let body = json!({"task_id": "t", "from_actor": "a", "type": "info", "content": "c",
            "scope": "s"});
        let stamp = self.stamp();
        let new =
            read::<NewMessage>(&with(body, fields)).into_message(None, stamp.now).expect(READS);
        self.store.create_message(new, stamp).await
    }

    /// Proposes an action, with these fields besides the required ones.
    pub async fn proposes(&self, fields: Value) -> Action {
        let body = json!({"entity_type": "task", "entity_id": "t", "label": "l",
            "proposed_by": "p", "scope": "s"});
        let stamp = self.stamp();
        let new = read::<NewAction>(&with(body, fields));
        self.store
            .create_action(new.into_action(None, stamp.now).expect(READS), stamp)
            .await
            .expect(DONE)
    }

    /// Changes an action.
    pub async fn patches_action(&self, id: &str, body: Value) -> Result<Action> {
        self.store.update_action(id, None, read(&body), self.stamp()).await
    }

    /// Says how an action ended.
    pub async fn ends(&self, id: &str, outcome: Outcome, body: Value) -> Result<Action> {
        self.store.end_action(id, None, outcome, read(&body), self.stamp()).await
    }

    /// The ids of the actions that a filter finds at some time.
    pub async fn lists_actions(&self, fields: Filter, now: i64) -> Vec<String> {
        let filter = Filter { scope: "s".to_owned(), ..fields };
        let listed = self.store.list_actions(&filter, &PAGE, Millis(now)).await.expect(DONE);
        assert_eq!(listed.total, i64::try_from(listed.items.len()).ok(), "all are on the page");
        listed.items.into_iter().map(|action| action.id).collect()
    }
}

/// The text of a refusal.
pub fn why<T>(result: Result<T>) -> String {
    result.err().map_or_else(|| "no refusal".to_owned(), |error| error.to_string())
}

/// Reads a body that a test has written.
pub fn read<T: DeserializeOwned>(body: &Value) -> T {
    parse_body(body.to_string().as_bytes()).expect(READS)
}

/// A body with more fields.
pub fn with(mut body: Value, fields: Value) -> Value {
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
        body.extend(fields);
    }
    body
}
