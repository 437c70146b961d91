//! SQLite below the wire: costs, plans and the engine's own promises.

mod copies;
mod costs;
mod engine;
mod meter;
mod noun_plans;
mod plans;
mod reads;
mod recent;
mod snapshots;
mod trouble;

use std::sync::Arc;

use octopoid_store_sqlite::{Location, Sqlite};
use octopoid_store_testkit::World;
use tempfile::TempDir;

/// A world in memory.
async fn in_memory() -> World {
    let engine = Sqlite::open(&Location::Memory).expect("memory can always be opened");
    World::on(Arc::new(engine)).await.expect("an empty database takes the schema")
}

/// A world on a database file, which is deleted with it.
struct OnFile {
    world: Arc<World>,
    directory: TempDir,
}

impl OnFile {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        let world = Arc::new(open(&directory).await);
        Self { world, directory }
    }
}

/// Where the database of a test is.
fn location(directory: &TempDir) -> Location {
    Location::File(directory.path().join("octopoid.db"))
}

async fn open(directory: &TempDir) -> World {
    let engine = Sqlite::open(&location(directory)).expect("nobody else has the file open");
    World::on(Arc::new(engine)).await.expect("the database takes the schema")
}
