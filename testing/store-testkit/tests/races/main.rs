//! Many at once. On SQLite they meet on a file, whose readers and whose writer run side by side; on
//! PostgreSQL in the database itself, from the pools of several servers.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod claims;
mod executing;
mod joining;
mod leases;
mod promoting;
mod registering;
mod repeating;
mod servers;
mod tasks;
mod waiting;
mod webhooks;

use std::sync::Arc;

use octopoid_domain::{Millis, Task, decide::Request, input::parse_body, task::NewTask};
use octopoid_store::{Result, Store, StoreError};
use octopoid_store_testkit::{World, world::SCOPE};
use octopoid_testbed::database::Database;
use serde_json::{Value, json};
use tokio::sync::Barrier;

/// How often a race between a few is run.
const ROUNDS: usize = 100;

/// A world where races are run, on a database that is gone with it.
struct Arena {
    world: Arc<World>,
    database: Database,
}

impl Arena {
    async fn new() -> Self {
        let database = Database::shared().await;
        let world = World::on(Arc::clone(&database.engine)).await;
        Self { world: Arc::new(world.expect("an empty database takes the schema")), database }
    }

    /// The stores of so many other servers.
    fn servers(&self, number: usize) -> Vec<Store> {
        (0..number).map(|_| Store::new(self.database.another_server())).collect()
    }
}

/// Lets all of them begin at the same moment. The answers come in the order of the racers.
async fn at_once<T: Send + 'static>(
    racers: Vec<impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let start = Arc::new(Barrier::new(racers.len()));
    let racing = racers.into_iter().map(|racer| {
        let start = Arc::clone(&start);
        tokio::spawn(async move {
            start.wait().await;
            racer.await
        })
    });
    let mut answers = Vec::new();
    for racer in racing.collect::<Vec<_>>() {
        answers.push(racer.await.expect("no racer panics"));
    }
    answers
}

fn new(id: &str, blocked_by: &str) -> Task {
    new_with(id, &json!({ "blocked_by": blocked_by }))
}

/// A task with these fields besides the required ones.
fn new_with(id: &str, fields: &Value) -> Task {
    let mut body = json!({ "id": id, "file_path": id, "branch": "main", "scope": SCOPE });
    for (key, value) in fields.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    let new: NewTask = parse_body(body.to_string().as_bytes()).expect("a body that can be read");
    new.into_task(None, Millis(0)).expect("a task that can be created")
}

fn request(verb: &str) -> Request {
    let body =
        br#"{"accepted_by":"a","rejected_by":"r","reason":"x","commits_count":1,"turns_used":1}"#;
    match verb {
        "accept" => Request::Accept(parse_body(body).expect("an acceptance")),
        "reject" => Request::Reject(parse_body(body).expect("a rejection")),
        "submit" => Request::Submit(parse_body(body).expect("a submission")),
        _ => Request::Requeue(parse_body(body).expect("a return")),
    }
}

/// Losing is a refusal; anything else would be a bug.
fn won<T>(answer: Result<T>) -> bool {
    match answer {
        Ok(_) => true,
        Err(StoreError::Refused(_)) => false,
        Err(error) => panic!("neither won nor lost: {error}"),
    }
}
