//! Projects, drafts, messages and actions on SQLite.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod actions;
mod confinement;
mod drafts;
mod messages;
mod plans;
mod projects;

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
use octopoid_store_sqlite::{Location, Sqlite};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const START: i64 = 1_795_294_738_605;
const PAGE: Page = Page { limit: 50, offset: 0 };

/// A store in memory, whose clock moves on by a millisecond with every write.
#[derive(Clone)]
struct World {
    store: Store,
    writes: Arc<AtomicU64>,
}

impl World {
    async fn new() -> Self {
        Self::on(Arc::new(Sqlite::open(&Location::Memory).unwrap())).await
    }

    async fn on(engine: SharedEngine) -> Self {
        let store = Store::new(engine);
        store.migrate(Millis(START)).await.unwrap();
        Self { store, writes: Arc::default() }
    }

    fn stamp(&self) -> Stamp {
        let write = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        Stamp::new(write << 20, Millis(START + i64::try_from(write).unwrap()))
    }

    async fn creates_project(&self, id: &str, fields: Value) -> Project {
        self.tries_to_create_project(id, fields).await.unwrap()
    }

    async fn tries_to_create_project(&self, id: &str, fields: Value) -> Result<Project> {
        let body = with(json!({"id": id, "title": id, "branch": "b", "scope": "s"}), fields);
        let stamp = self.stamp();
        let new = read::<NewProject>(&body).into_project(None, stamp.now).unwrap();
        self.store.create_project(new, stamp).await
    }

    async fn patches_project(&self, id: &str, body: Value) -> Result<Project> {
        self.store.update_project(id, None, read(&body), self.stamp()).await
    }

    async fn creates_task(&self, id: &str, fields: Value) -> Task {
        let body = with(json!({"id": id, "file_path": id, "branch": "main", "scope": "s"}), fields);
        let stamp = self.stamp();
        let new = read::<NewTask>(&body).into_task(None, stamp.now).unwrap();
        self.store.create_task(new, stamp).await.unwrap()
    }

    async fn creates_draft(&self, fields: Value) -> Draft {
        let body = with(json!({"title": "idea", "author": "human", "scope": "s"}), fields);
        let new = read::<NewDraft>(&body);
        self.store.create_draft(new.into_draft(None, self.stamp().now).unwrap()).await.unwrap()
    }

    async fn patches_draft(&self, id: i64, body: Value) -> Result<Draft> {
        self.store.update_draft(id, None, read(&body), self.stamp()).await
    }

    async fn promotes(&self, id: i64, body: Value) -> Result<Promoted> {
        let promotion = Promotion::parse(body.to_string().as_bytes()).unwrap();
        self.store.promote_draft(id, None, promotion, self.stamp()).await
    }

    async fn writes_message(&self, fields: Value) -> Message {
        self.tries_to_write_message(fields).await.unwrap()
    }

    async fn tries_to_write_message(&self, fields: Value) -> Result<Message> {
        let body = json!({"task_id": "t", "from_actor": "a", "type": "info", "content": "c",
            "scope": "s"});
        let stamp = self.stamp();
        let new = read::<NewMessage>(&with(body, fields)).into_message(None, stamp.now).unwrap();
        self.store.create_message(new, stamp).await
    }

    async fn proposes(&self, fields: Value) -> Action {
        let body = json!({"entity_type": "task", "entity_id": "t", "label": "l",
            "proposed_by": "p", "scope": "s"});
        let stamp = self.stamp();
        let new = read::<NewAction>(&with(body, fields));
        self.store.create_action(new.into_action(None, stamp.now).unwrap(), stamp).await.unwrap()
    }

    async fn patches_action(&self, id: &str, body: Value) -> Result<Action> {
        self.store.update_action(id, None, read(&body)).await
    }

    async fn ends(&self, id: &str, outcome: Outcome, body: Value) -> Result<Action> {
        self.store.end_action(id, None, outcome, read(&body)).await
    }

    async fn lists_actions(&self, fields: Filter, now: i64) -> Vec<String> {
        let filter = Filter { scope: "s".to_owned(), ..fields };
        let listed = self.store.list_actions(&filter, PAGE, Millis(now)).await.unwrap();
        assert_eq!(usize::try_from(listed.total).unwrap(), listed.items.len());
        listed.items.into_iter().map(|action| action.id).collect()
    }
}

fn read<T: DeserializeOwned>(body: &Value) -> T {
    parse_body(body.to_string().as_bytes()).unwrap()
}

fn with(mut body: Value, fields: Value) -> Value {
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
        body.extend(fields);
    }
    body
}

fn why<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}
