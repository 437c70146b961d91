//! What every server does by itself, on all of them at once: it is done once.

use octopoid_domain::{input::parse_body, orchestrator::Registration};
use octopoid_store::{Store, engine::Value, lapses::Lapses};
use octopoid_store_testkit::{
    World, audit,
    world::{LEASE, START},
};
use octopoid_testbed::database::Database;
use serde_json::json;

use crate::{Arena, at_once};

const SERVERS: usize = 4;
const ROUNDS: usize = 10;
const LAPSED: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn leases_that_end_are_taken_back_once_however_many_servers_look() {
    let arena = Arena::new().await;
    let (world, servers) = (&arena.world, arena.servers(SERVERS));
    for round in 0..ROUNDS {
        let mut ids: Vec<_> = (0..LAPSED).map(|number| format!("t{round}-{number:02}")).collect();
        for id in &ids {
            world.works_on(id).await.unwrap();
        }
        world.passes(LEASE + 1);
        let reapers = servers.iter().map(|server| {
            let (server, now, stamp) = (server.clone(), world.now(), world.stamp());
            async move { server.release_lapsed(&mut Lapses::before(now), 100, stamp).await }
        });
        let released = at_once(reapers.collect()).await;
        let released = released.into_iter().flat_map(|page| page.expect("no reaper fails").tasks);
        let mut released: Vec<_> = released.map(|task| task.id).collect();
        released.sort();
        assert_eq!(released, ids, "each is taken back once");
        for id in ids.drain(..) {
            let events = world.events(&id).await.unwrap();
            assert_eq!(events, ["created", "claimed", "requeued"], "history of {id}");
            world.deletes(&id).await.unwrap();
        }
    }
    audit::check(world).await.unwrap();
}

async fn registers(world: &World, machine: &str) -> String {
    let body = json!({ "cluster": "c", "machine_id": machine, "scope": "s" });
    let machine: Registration = parse_body(body.to_string().as_bytes()).unwrap();
    let machine = machine.into_orchestrator(None, world.now()).unwrap();
    let registered =
        world.store.register_orchestrator(&machine, &machine.id, None, world.stamp()).await;
    registered.unwrap().orchestrator.id
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_that_fall_silent_are_reported_once_however_many_servers_look() {
    let arena = Arena::new().await;
    let (world, servers) = (&arena.world, arena.servers(SERVERS));
    for round in 0..ROUNDS {
        let mut silent = Vec::new();
        for number in 0..LAPSED {
            silent.push(registers(world, &format!("{round}-{number:02}")).await);
        }
        world.passes(1);
        let watchers = servers.iter().map(|server| {
            let (server, stamp) = (server.clone(), world.stamp());
            async move { server.mark_offline(stamp.now, stamp).await }
        });
        let reported = at_once(watchers.collect()).await;
        let reported = reported.into_iter().flat_map(|ids| ids.expect("no watcher fails"));
        let mut reported: Vec<_> = reported.collect();
        reported.sort();
        assert_eq!(reported, silent, "each is reported once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_tasks_are_deleted_once_however_many_servers_look() {
    let arena = Arena::new().await;
    let (world, servers) = (&arena.world, arena.servers(SERVERS));
    for round in 0..ROUNDS {
        let ids: Vec<_> = (0..LAPSED).map(|number| format!("t{round}-{number:02}")).collect();
        for id in &ids {
            world.creates_with(id, json!({ "queue": "done" })).await.unwrap();
        }
        world.passes(1);
        let jobs = servers.iter().map(|server| {
            let (server, stamp) = (server.clone(), world.stamp());
            async move { server.delete_expired(stamp.now, 100, stamp).await }
        });
        let deleted = at_once(jobs.collect()).await;
        let deleted = deleted.into_iter().flat_map(|tasks| tasks.expect("no job fails"));
        let mut deleted: Vec<_> = deleted.map(|task| task.id).collect();
        deleted.sort();
        assert_eq!(deleted, ids, "each is deleted once");
        for id in ids {
            assert_eq!(world.events(&id).await.unwrap(), ["created", "deleted"], "history of {id}");
        }
    }
    audit::check(world).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_servers_that_start_on_an_empty_database_migrate_it_once() {
    const APPLIED: &str = "SELECT version, COUNT(*) FROM schema_versions GROUP BY version \
         ORDER BY version";
    let database = Database::shared().await;
    let servers = (0..10).map(|_| {
        let server = Store::new(database.another_server());
        async move { server.migrate(START).await }
    });
    let migrated = at_once(servers.collect()).await;
    let mut newest = 0;
    for answer in migrated {
        let (before, after) = answer.expect("a server that comes second finds it done");
        assert!(before <= after && after > 0, "from {before} to {after}");
        newest = after;
    }
    let world = World::on(database.engine.clone()).await.unwrap();
    let applied = world.runs(APPLIED, Vec::new()).await.unwrap();
    let first = applied.first().map_or(Value::Int(0), |row| row[0].clone());
    let Value::Int(first) = first else { panic!("versions are numbers") };
    let once: Vec<_> = (first..=newest).map(|version| vec![version.into(), 1.into()]).collect();
    assert_eq!(applied, once, "each version and how often it was applied");
    world.creates("a").await.unwrap();
}
