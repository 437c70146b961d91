//! Projects, drafts, messages and actions, on either engine.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod actions;
mod confinement;
mod drafts;
mod messages;
mod projects;

use std::{ops::Deref, sync::Arc};

use octopoid_store::Result;
use octopoid_store_testkit::nouns::{Nouns, PAGE, START, read, with};
use octopoid_test_database::Database;

/// A store on an empty database, which is gone with it.
#[derive(Clone)]
struct World {
    nouns: Nouns,
    _database: Arc<Database>,
}

impl World {
    async fn new() -> Self {
        let database = Arc::new(Database::fresh().await);
        Self { nouns: Nouns::on(Arc::clone(&database.engine)).await, _database: database }
    }
}

impl Deref for World {
    type Target = Nouns;

    fn deref(&self) -> &Nouns {
        &self.nouns
    }
}

fn why<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}
