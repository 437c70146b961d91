//! Orchestrators, keys, roles, flows and polls, on either engine.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod flows;
mod keys;
mod orchestrators;
mod poll;
mod roles;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use octopoid_domain::{
    Millis,
    flow::{Flow, NewFlow},
    input::parse_body,
    key::{Grant, Key},
    orchestrator::{Orchestrator, Registration},
    role::{Role, RolesRegistration},
    task::NewTask,
};
use octopoid_store::{
    Result, Stamp, Store,
    lists::Page,
    orchestrators::{Filter, Outcome},
};
use octopoid_test_database::Database;
use serde_json::{Value, json};

const START: i64 = 1_795_294_738_605;
/// A page that holds all that a test makes.
const PAGE: Page = Page { limit: 50, offset: 0 };

/// A store on an empty database, which is gone with it.
struct World {
    store: Store,
    _database: Database,
    writes: AtomicU64,
}

impl World {
    async fn new() -> Self {
        let database = Database::fresh().await;
        let store = Store::new(Arc::clone(&database.engine));
        store.migrate(Millis(START)).await.unwrap();
        Self { store, _database: database, writes: AtomicU64::new(0) }
    }

    /// A fresh stamp, so many milliseconds after the start.
    fn at(&self, ms: i64) -> Stamp {
        let write = self.writes.fetch_add(1, Ordering::Relaxed);
        Stamp::new(write << 20, Millis(START + ms))
    }

    async fn registers(&self, machine: &str, scope: &str, ms: i64) -> Outcome {
        self.tries_to_register(json!({"cluster": "c", "machine_id": machine, "scope": scope}), ms)
            .await
            .unwrap()
    }

    async fn tries_to_register(&self, body: Value, ms: i64) -> Result<Outcome> {
        self.tries_to_register_within(body, None, ms).await
    }

    async fn tries_to_register_within(
        &self,
        body: Value,
        within: Option<&str>,
        ms: i64,
    ) -> Result<Outcome> {
        let stamp = self.at(ms);
        let body: Registration = parse_body(body.to_string().as_bytes()).unwrap();
        let new = body.into_orchestrator(within, stamp.now).unwrap();
        let hash = format!("hash-{}", stamp.write_id);
        self.store.register_orchestrator(&new, &hash, within, stamp).await
    }

    async fn orchestrator(&self, id: &str) -> Orchestrator {
        self.store.get_orchestrator(id, None).await.unwrap()
    }

    async fn lists(&self, filter: Filter) -> Vec<String> {
        let listed = self.store.list_orchestrators(&filter).await.unwrap();
        listed.into_iter().map(|orchestrator| orchestrator.id).collect()
    }

    /// Issues a key with this hash for a scope.
    async fn issues(&self, hash: &str, scope: &str, label: Option<&str>, ms: i64) -> Key {
        let label = label.map(str::to_owned);
        let grant = Grant { scope: scope.to_owned(), label, expires_at: None };
        self.store.issue_key(hash, &grant, self.at(ms)).await.unwrap()
    }

    async fn key(&self, hash: &str) -> Key {
        self.store.find_key(hash).await.unwrap().unwrap()
    }

    async fn registers_roles(&self, orchestrator: &str, roles: Value, ms: i64) -> Vec<Role> {
        self.tries_to_register_roles(orchestrator, roles, None, ms).await.unwrap()
    }

    async fn tries_to_register_roles(
        &self,
        orchestrator: &str,
        roles: Value,
        within: Option<&str>,
        ms: i64,
    ) -> Result<Vec<Role>> {
        let body = json!({"orchestrator_id": orchestrator, "roles": roles});
        let body: RolesRegistration = parse_body(body.to_string().as_bytes()).unwrap();
        self.store.register_roles(&body.check().unwrap(), within, self.at(ms)).await
    }

    async fn puts_flow(&self, scope: &str, name: &str, fields: Value, ms: i64) -> Flow {
        let mut body = json!({
            "states": ["incoming", "claimed", "done", "failed", "provisional"],
            "transitions": [{"from": "claimed", "to": "provisional", "agent": "reviewer"}],
        });
        for (key, value) in fields.as_object().unwrap() {
            body[key] = value.clone();
        }
        let body: NewFlow = parse_body(body.to_string().as_bytes()).unwrap();
        self.store.put_flow(scope, name, &body, self.at(ms)).await.unwrap()
    }

    async fn creates(&self, id: &str, scope: &str, queue: &str) {
        let body = json!({"id": id, "file_path": id, "branch": "main", "scope": scope,
            "queue": queue, "role": "review", "hooks": "[]"});
        let body: NewTask = parse_body(body.to_string().as_bytes()).unwrap();
        let stamp = self.at(0);
        let task = body.into_task(None, stamp.now).unwrap();
        self.store.create_task(task, stamp).await.unwrap();
    }
}

/// The text of the refusal.
#[track_caller]
fn refusal<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    outcome.unwrap_err().to_string()
}
