//! Registering orchestrators, hearing from them, and noticing when they fall silent.

use std::sync::Arc;

use octopoid_domain::{
    Millis,
    orchestrator::{Orchestrator, Status},
};
use octopoid_store::orchestrators::Filter;
use serde_json::{Value, json};

use crate::{PAGE, START, World, refusal};

fn pair(cluster: &str, machine: &str, scope: &str) -> Value {
    json!({"cluster": cluster, "machine_id": machine, "scope": scope})
}

#[tokio::test]
async fn a_registration_is_stored_as_it_was_sent() {
    let world = World::new().await;
    let body = json!({"cluster": "prb", "machine_id": 7, "scope": "s", "hostname": "h",
        "repo_url": "https://x/y", "version": "2.0.0", "capabilities": {"roles": ["implement"]}});
    let outcome = world.tries_to_register(body, 0).await.unwrap();
    assert!(outcome.is_new);
    let expected = Orchestrator {
        id: "prb-7".into(),
        cluster: "prb".into(),
        machine_id: "7".into(),
        hostname: Some("h".into()),
        repo_url: "https://x/y".into(),
        registered_at: Millis(START),
        last_heartbeat: Millis(START),
        status: Status::Active,
        version: Some("2.0.0".into()),
        capabilities: Some(r#"{"roles":["implement"]}"#.into()),
        scope: "s".into(),
    };
    assert_eq!(outcome.orchestrator, expected);
    assert_eq!(world.orchestrator("prb-7").await, expected);
}

#[tokio::test]
async fn registering_again_overwrites_everything_but_the_first_time() {
    let world = World::new().await;
    let body = json!({"cluster": "c", "machine_id": "m", "scope": "a", "hostname": "h",
        "repo_url": "r", "version": "1", "capabilities": "{}"});
    world.tries_to_register(body, 0).await.unwrap();
    let outcome = world.registers("m", "b", 500).await;
    assert!(!outcome.is_new);
    let found = world.orchestrator("c-m").await;
    assert_eq!(found, outcome.orchestrator);
    assert_eq!(found.registered_at, Millis(START));
    assert_eq!(found.last_heartbeat, Millis(START + 500));
    assert_eq!((found.hostname, found.version, found.capabilities), (None, None, None));
    assert_eq!((&*found.repo_url, &*found.scope), ("", "b"));
}

#[tokio::test]
async fn registering_ends_maintenance() {
    let world = World::new().await;
    world.registers("m", "s", 0).await;
    world.store.set_orchestrator_status("c-m", None, Status::Maintenance).await.unwrap();
    assert_eq!(world.registers("m", "s", 1).await.orchestrator.status, Status::Active);
}

#[tokio::test]
async fn an_id_belongs_to_the_pair_that_made_it() {
    let world = World::new().await;
    world.tries_to_register(pair("x-q", "z", "a"), 0).await.unwrap();
    let before = world.orchestrator("x-q-z").await;
    assert_eq!(
        refusal(world.tries_to_register(pair("x", "q-z", "b"), 1).await),
        "Orchestrator x-q-z is already registered by another cluster and machine"
    );
    assert_eq!(world.orchestrator("x-q-z").await, before);
    let keys = world.store.list_keys(Some("b"), PAGE).await.unwrap();
    assert_eq!(keys.total, 0, "a refused registration hands out no key");
}

#[tokio::test]
async fn a_machine_may_move_to_another_scope_unless_the_caller_is_confined() {
    let world = World::new().await;
    world.registers("m", "a", 0).await;
    let body = json!({"cluster": "c", "machine_id": "m", "scope": "b"});
    assert_eq!(
        refusal(world.tries_to_register_within(body.clone(), Some("b"), 1).await),
        "Orchestrator c-m is already registered in another scope"
    );
    assert_eq!(world.orchestrator("c-m").await.scope, "a");
    let keys = world.store.list_keys(None, PAGE).await.unwrap();
    assert_eq!(keys.total, 1, "a refused registration hands out no key");
    world.tries_to_register(body.clone(), 2).await.unwrap();
    assert_eq!(world.orchestrator("c-m").await.scope, "b");
    let again = world.tries_to_register_within(body, Some("b"), 3).await.unwrap();
    assert!(!again.is_new);
}

#[tokio::test]
async fn the_first_registration_of_a_scope_takes_its_only_first_key() {
    let world = World::new().await;
    assert!(world.registers("m1", "s", 0).await.is_key_issued);
    assert!(!world.registers("m1", "s", 1).await.is_key_issued);
    assert!(!world.registers("m2", "s", 2).await.is_key_issued);
    // A machine that moves into a scope without a key takes that scope's.
    let moved = world.registers("m1", "t", 3).await;
    assert!(!moved.is_new && moved.is_key_issued);
}

#[tokio::test]
async fn a_scope_whose_keys_are_revoked_has_had_its_first_key() {
    let world = World::new().await;
    let key = world.issues("h", "s", None, 0).await;
    world.store.revoke_key(&key.id, Millis(START)).await.unwrap();
    assert!(!world.registers("m", "s", 1).await.is_key_issued);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_first_registrations_at_once_one_gets_the_key() {
    let world = Arc::new(World::new().await);
    let tasks: Vec<_> = (0..16)
        .map(|machine| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.registers(&machine.to_string(), "s", 0).await })
        })
        .collect();
    let mut keys = 0;
    for task in tasks {
        let outcome = task.await.unwrap();
        assert!(outcome.is_new);
        keys += usize::from(outcome.is_key_issued);
    }
    assert_eq!(keys, 1);
    assert_eq!(world.store.list_keys(Some("s"), PAGE).await.unwrap().total, 1);
}

#[tokio::test]
async fn a_heartbeat_moves_the_clock_and_revives_only_the_offline() {
    let world = World::new().await;
    world.registers("m", "s", 0).await;
    let after = [
        (Status::Active, Status::Active),
        (Status::Offline, Status::Active),
        (Status::Maintenance, Status::Maintenance),
    ];
    for (number, (before, after)) in (1..).zip(after) {
        world.store.set_orchestrator_status("c-m", None, before).await.unwrap();
        let now = Millis(START + number);
        assert_eq!(world.store.note_heartbeat("c-m", None, now).await.unwrap(), now);
        let found = world.orchestrator("c-m").await;
        assert_eq!((found.status, found.last_heartbeat), (after, now));
    }
}

#[tokio::test]
async fn an_orchestrator_of_another_scope_is_not_found() {
    let world = World::new().await;
    world.registers("m", "a", 0).await;
    for (id, within) in [("c-m", Some("b")), ("nobody", None)] {
        let store = &world.store;
        let texts = [
            refusal(store.get_orchestrator(id, within).await),
            refusal(store.note_heartbeat(id, within, Millis(START)).await),
            refusal(store.set_orchestrator_status(id, within, Status::Offline).await),
        ];
        assert_eq!(texts, ["Orchestrator not found"; 3]);
    }
    assert_eq!(world.orchestrator("c-m").await.status, Status::Active);
    assert!(world.store.get_orchestrator("c-m", Some("a")).await.is_ok());
}

#[tokio::test]
async fn orchestrators_are_listed_by_their_last_heartbeat() {
    let world = World::new().await;
    for (ms, machine) in [(0, "old"), (20, "new"), (10, "mid")] {
        world.registers(machine, "a", ms).await;
    }
    let all = Filter::default();
    assert_eq!(world.lists(all.clone()).await, ["c-new", "c-mid", "c-old"]);
    world.store.note_heartbeat("c-old", None, Millis(START + 30)).await.unwrap();
    assert_eq!(world.lists(all).await, ["c-old", "c-new", "c-mid"]);
}

#[tokio::test]
async fn the_list_of_orchestrators_is_filtered_by_scope_cluster_and_status() {
    let world = World::new().await;
    for (cluster, machine, scope, status) in [
        ("c", "1", "a", Status::Active),
        ("c", "2", "a", Status::Offline),
        ("d", "3", "a", Status::Maintenance),
        ("c", "4", "b", Status::Active),
    ] {
        let body = json!({"cluster": cluster, "machine_id": machine, "scope": scope});
        let id = world.tries_to_register(body, 0).await.unwrap().orchestrator.id;
        world.store.set_orchestrator_status(&id, None, status).await.unwrap();
    }
    let filter = |scope: &str, cluster: &str, statuses: &[&str]| Filter {
        scope: (!scope.is_empty()).then(|| scope.to_owned()),
        cluster: (!cluster.is_empty()).then(|| cluster.to_owned()),
        statuses: statuses.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(world.lists(filter("", "", &[])).await, ["c-1", "c-2", "c-4", "d-3"]);
    assert_eq!(world.lists(filter("a", "", &[])).await, ["c-1", "c-2", "d-3"]);
    assert_eq!(world.lists(filter("a", "c", &[])).await, ["c-1", "c-2"]);
    assert_eq!(world.lists(filter("", "c", &["active"])).await, ["c-1", "c-4"]);
    assert_eq!(world.lists(filter("a", "", &["offline", "maintenance"])).await, ["c-2", "d-3"]);
    assert!(world.lists(filter("", "", &["banana"])).await.is_empty());
}

#[tokio::test]
async fn only_active_orchestrators_that_fell_silent_are_marked_offline() {
    let world = World::new().await;
    for (machine, ms) in [("silent", 0), ("edge", 10), ("heard", 20), ("resting", 0)] {
        world.registers(machine, "s", ms).await;
    }
    world.store.set_orchestrator_status("c-resting", None, Status::Maintenance).await.unwrap();
    let since = Millis(START + 10);
    assert_eq!(world.store.mark_offline(since).await.unwrap(), ["c-silent"]);
    assert!(world.store.mark_offline(since).await.unwrap().is_empty());
    assert_eq!(world.orchestrator("c-silent").await.status, Status::Offline);
    assert_eq!(world.orchestrator("c-edge").await.status, Status::Active);
    assert_eq!(world.orchestrator("c-resting").await.status, Status::Maintenance);
}
