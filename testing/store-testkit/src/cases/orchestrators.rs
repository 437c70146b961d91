//! Registering orchestrators, hearing from them, and noticing when they fall silent.

use octopoid_domain::{
    Millis,
    heartbeat::HeartbeatRequest,
    orchestrator::{Orchestrator, Status},
};
use octopoid_store::orchestrators::Filter;
use serde_json::{Value, json};

use crate::{
    Verdict, World, ensure, ensure_eq,
    nouns::{PAGE, START, why},
};

cases! {
    a_registration_is_stored_as_it_was_sent,
    registering_again_overwrites_everything_but_the_first_time,
    registering_ends_maintenance_and_no_draining,
    an_id_belongs_to_the_pair_that_made_it,
    a_machine_may_move_to_another_scope_unless_the_caller_is_confined,
    the_first_registration_of_a_scope_takes_its_only_first_key,
    a_scope_whose_keys_are_revoked_has_had_its_first_key,
    a_heartbeat_moves_the_clock_and_revives_only_the_offline,
    an_orchestrator_of_another_scope_is_not_found,
    orchestrators_are_listed_by_their_last_heartbeat,
    the_list_of_orchestrators_is_filtered_by_scope_cluster_and_status,
    only_active_orchestrators_that_fell_silent_are_marked_offline,
}

fn pair(cluster: &str, machine: &str, scope: &str) -> Value {
    json!({"cluster": cluster, "machine_id": machine, "scope": scope})
}

async fn a_registration_is_stored_as_it_was_sent(world: &World) -> Verdict {
    let world = world.nouns();
    let body = json!({"cluster": "prb", "machine_id": 7, "scope": "s", "hostname": "h",
        "repo_url": "https://x/y", "version": "2.0.0", "capabilities": {"roles": ["implement"]}});
    let outcome = world.tries_to_register(body, 0).await?;
    ensure!(outcome.is_new);
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
        ..Orchestrator::default()
    };
    ensure_eq!(outcome.orchestrator, expected);
    ensure_eq!(world.orchestrator("prb-7").await, expected);
    Ok(())
}

async fn registering_again_overwrites_everything_but_the_first_time(world: &World) -> Verdict {
    let world = world.nouns();
    let body = json!({"cluster": "c", "machine_id": "m", "scope": "a", "hostname": "h",
        "repo_url": "r", "version": "1", "capabilities": "{}"});
    world.tries_to_register(body, 0).await?;
    let outcome = world.registers("m", "b", 500).await;
    ensure!(!outcome.is_new);
    let found = world.orchestrator("c-m").await;
    ensure_eq!(found, outcome.orchestrator);
    ensure_eq!(found.registered_at, Millis(START));
    ensure_eq!(found.last_heartbeat, Millis(START + 500));
    ensure_eq!((found.hostname, found.version, found.capabilities), (None, None, None));
    ensure_eq!((&*found.repo_url, &*found.scope), ("", "b"));
    Ok(())
}

async fn registering_ends_maintenance_and_no_draining(world: &World) -> Verdict {
    let world = world.nouns();
    world.registers("m", "s", 0).await;
    for (before, after) in
        [(Status::Maintenance, Status::Active), (Status::Draining, Status::Draining)]
    {
        world.store.set_orchestrator_status("c-m", None, before, world.stamp()).await?;
        ensure_eq!(world.registers("m", "s", 1).await.orchestrator.status, after);
    }
    Ok(())
}

async fn an_id_belongs_to_the_pair_that_made_it(world: &World) -> Verdict {
    let world = world.nouns();
    world.tries_to_register(pair("x-q", "z", "a"), 0).await?;
    let before = world.orchestrator("x-q-z").await;
    ensure_eq!(
        why(world.tries_to_register(pair("x", "q-z", "b"), 1).await),
        "Orchestrator x-q-z is already registered by another cluster and machine"
    );
    ensure_eq!(world.orchestrator("x-q-z").await, before);
    let keys = world.store.list_keys(Some("b"), &PAGE).await?;
    ensure_eq!(keys.total, Some(0), "a refused registration hands out no key");
    Ok(())
}

async fn a_machine_may_move_to_another_scope_unless_the_caller_is_confined(
    world: &World,
) -> Verdict {
    let world = world.nouns();
    world.registers("m", "a", 0).await;
    let body = json!({"cluster": "c", "machine_id": "m", "scope": "b"});
    ensure_eq!(
        why(world.tries_to_register_within(body.clone(), Some("b"), 1).await),
        "Orchestrator c-m is already registered by another cluster and machine"
    );
    ensure_eq!(world.orchestrator("c-m").await.scope, "a");
    let keys = world.store.list_keys(None, &PAGE).await?;
    ensure_eq!(keys.total, Some(1), "a refused registration hands out no key");
    world.tries_to_register(body.clone(), 2).await?;
    ensure_eq!(world.orchestrator("c-m").await.scope, "b");
    let again = world.tries_to_register_within(body, Some("b"), 3).await?;
    ensure!(!again.is_new);
    Ok(())
}

async fn the_first_registration_of_a_scope_takes_its_only_first_key(world: &World) -> Verdict {
    let world = world.nouns();
    ensure!(world.registers("m1", "s", 0).await.is_key_issued);
    ensure!(!world.registers("m1", "s", 1).await.is_key_issued);
    ensure!(!world.registers("m2", "s", 2).await.is_key_issued);
    // A machine that moves into a scope without a key takes that scope's.
    let moved = world.registers("m1", "t", 3).await;
    ensure!(!moved.is_new && moved.is_key_issued);
    Ok(())
}

async fn a_scope_whose_keys_are_revoked_has_had_its_first_key(world: &World) -> Verdict {
    let world = world.nouns();
    let key = world.issues("h", "s", None, 0).await;
    world.store.revoke_key(&key.id, None, world.at(0)).await?;
    ensure!(!world.registers("m", "s", 1).await.is_key_issued);
    Ok(())
}

async fn a_heartbeat_moves_the_clock_and_revives_only_the_offline(world: &World) -> Verdict {
    let world = world.nouns();
    world.registers("m", "s", 0).await;
    let after = [
        (Status::Active, Status::Active),
        (Status::Offline, Status::Active),
        (Status::Maintenance, Status::Maintenance),
        (Status::Draining, Status::Draining),
    ];
    for (number, (before, after)) in (1..).zip(after) {
        world.store.set_orchestrator_status("c-m", None, before, world.stamp()).await?;
        let now = Millis(START + number);
        let body = HeartbeatRequest::default();
        let beat = world.store.note_heartbeat("c-m", None, &body, world.at(now.0 - START)).await?;
        let heard = beat.answer;
        ensure_eq!(heard.last_heartbeat, now);
        let found = world.orchestrator("c-m").await;
        ensure_eq!((found.status, found.last_heartbeat), (after, now));
    }
    Ok(())
}

async fn an_orchestrator_of_another_scope_is_not_found(world: &World) -> Verdict {
    let world = world.nouns();
    world.registers("m", "a", 0).await;
    for (id, within) in [("c-m", Some("b")), ("nobody", None)] {
        let store = &world.store;
        let texts = [
            why(store.get_orchestrator(id, within).await),
            why(store.note_heartbeat(id, within, &HeartbeatRequest::default(), world.at(0)).await),
            why(store.set_orchestrator_status(id, within, Status::Offline, world.stamp()).await),
        ];
        ensure_eq!(texts, ["Orchestrator not found"; 3]);
    }
    ensure_eq!(world.orchestrator("c-m").await.status, Status::Active);
    ensure!(world.store.get_orchestrator("c-m", Some("a")).await.is_ok());
    Ok(())
}

async fn orchestrators_are_listed_by_their_last_heartbeat(world: &World) -> Verdict {
    let world = world.nouns();
    for (ms, machine) in [(0, "old"), (20, "new"), (10, "mid")] {
        world.registers(machine, "a", ms).await;
    }
    let all = Filter::default();
    ensure_eq!(world.lists(all.clone()).await, ["c-new", "c-mid", "c-old"]);
    world.store.note_heartbeat("c-old", None, &HeartbeatRequest::default(), world.at(30)).await?;
    ensure_eq!(world.lists(all).await, ["c-old", "c-new", "c-mid"]);
    Ok(())
}

async fn the_list_of_orchestrators_is_filtered_by_scope_cluster_and_status(
    world: &World,
) -> Verdict {
    let world = world.nouns();
    for (cluster, machine, scope, status) in [
        ("c", "1", "a", Status::Active),
        ("c", "2", "a", Status::Offline),
        ("d", "3", "a", Status::Maintenance),
        ("c", "4", "b", Status::Active),
    ] {
        let body = json!({"cluster": cluster, "machine_id": machine, "scope": scope});
        let id = world.tries_to_register(body, 0).await?.orchestrator.id;
        world.store.set_orchestrator_status(&id, None, status, world.stamp()).await?;
    }
    let filter = |scope: &str, cluster: &str, statuses: &[&str]| Filter {
        scope: (!scope.is_empty()).then(|| scope.to_owned()),
        cluster: (!cluster.is_empty()).then(|| cluster.to_owned()),
        statuses: statuses.iter().map(ToString::to_string).collect(),
    };
    ensure_eq!(world.lists(filter("", "", &[])).await, ["c-1", "c-2", "c-4", "d-3"]);
    ensure_eq!(world.lists(filter("a", "", &[])).await, ["c-1", "c-2", "d-3"]);
    ensure_eq!(world.lists(filter("a", "c", &[])).await, ["c-1", "c-2"]);
    ensure_eq!(world.lists(filter("", "c", &["active"])).await, ["c-1", "c-4"]);
    ensure_eq!(world.lists(filter("a", "", &["offline", "maintenance"])).await, ["c-2", "d-3"]);
    ensure!(world.lists(filter("", "", &["banana"])).await.is_empty());
    Ok(())
}

async fn only_active_orchestrators_that_fell_silent_are_marked_offline(world: &World) -> Verdict {
    let world = world.nouns();
    for machine in [("silent", 0), ("edge", 10), ("heard", 20), ("resting", 0), ("drained", 0)] {
        world.registers(machine.0, "s", machine.1).await;
    }
    for (id, status) in [("c-resting", Status::Maintenance), ("c-drained", Status::Draining)] {
        world.store.set_orchestrator_status(id, None, status, world.stamp()).await?;
    }
    let since = Millis(START + 10);
    ensure_eq!(world.store.mark_offline(since, world.at(0)).await?, ["c-silent"]);
    ensure!(world.store.mark_offline(since, world.at(0)).await?.is_empty());
    ensure_eq!(world.orchestrator("c-silent").await.status, Status::Offline);
    ensure_eq!(world.orchestrator("c-edge").await.status, Status::Active);
    ensure_eq!(world.orchestrator("c-resting").await.status, Status::Maintenance);
    ensure_eq!(world.orchestrator("c-drained").await.status, Status::Draining);
    Ok(())
}
