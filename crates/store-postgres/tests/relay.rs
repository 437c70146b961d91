//! Hints between servers.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::{sync::Arc, time::Duration};

use octopoid_store::{
    Stamp, Store, Watch,
    engine::{Engine, Statement},
    lapses::Lapses,
};
use octopoid_store_postgres::{Location, Options, Postgres, Relay};
use octopoid_store_testkit::{World, world::SCOPE};
use octopoid_testbed::database::Schema;
use tokio::task::JoinHandle;

/// Longer than anything takes on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server's store with its relay.
struct Server {
    world: World,
    engine: Arc<Postgres>,
    relay: JoinHandle<()>,
}

impl Server {
    /// A server whose relay is connected under this name.
    async fn start(schema: &Schema, name: &str, origin: u64) -> Self {
        let location: Location =
            format!("{}&application_name={name}", schema.url()).parse().unwrap();
        let options = Options { connections: 2, ..Options::default() };
        let engine = Arc::new(Postgres::open(&location, options).unwrap());
        let world = World::on(engine.clone()).await.unwrap();
        let relay = Relay::new(&location, Arc::clone(world.store.hints()), origin).unwrap();
        let mut watch = world.store.hints().watch(SCOPE, "");
        let relay = tokio::spawn(async move { relay.run().await });
        // Once it listens, everybody is told to look.
        hinted(&mut watch).await;
        Self { world, engine, relay }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

async fn hinted(watch: &mut Watch) {
    tokio::time::timeout(PATIENCE, watch.hinted()).await.expect("a hint comes");
}

#[tokio::test]
async fn what_is_created_on_one_server_is_hinted_at_on_the_other() {
    let Some(schema) = Schema::fresh().await else { return };
    let (one, two) = tokio::join!(
        Server::start(&schema, "relay-one", 1),
        Server::start(&schema, "relay-two", 2)
    );
    let mut watch = two.world.store.hints().watch(SCOPE, "");
    one.world.creates("a").await.unwrap();
    hinted(&mut watch).await;
    assert!(two.world.claims().await.unwrap().is_some());
}

#[tokio::test]
async fn a_relay_that_was_cut_off_connects_again_and_makes_everybody_look() {
    const CUT: &str = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE application_name = ?1 AND query LIKE 'LISTEN%'";
    let Some(schema) = Schema::fresh().await else { return };
    // The name is this test's own, whatever else runs on the server.
    let name = format!("relay-cut-{}", std::process::id());
    let server = Server::start(&schema, &name, 3).await;
    let mut watch = server.world.store.hints().watch(SCOPE, "");
    let cut = Statement { sql: CUT.into(), parameters: vec![name.into()] };
    let answers = server.engine.write(vec![cut]).await.unwrap();
    assert_eq!(answers, [[[1_i64.into()]]], "one connection listens");
    hinted(&mut watch).await;
}

/// Nothing depends on hints: a store without a relay does its work.
#[tokio::test]
async fn without_a_relay_nothing_is_kept_for_it() {
    let Some(schema) = Schema::fresh().await else { return };
    let engine = Arc::new(schema.engine(Options { connections: 1, ..Options::default() }));
    let world = World::on(engine.clone()).await.unwrap();
    world.creates("a").await.unwrap();
    let other = Store::new(engine);
    let mut lapses = Lapses::before(world.now());
    let released = other.release_lapsed(&mut lapses, 10, Stamp::new(1, world.now())).await;
    assert!(released.unwrap().tasks.is_empty());
    assert!(world.claims().await.unwrap().is_some());
}
