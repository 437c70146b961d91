//! Keys that many ask for at the same moment.

use std::sync::Arc;

use octopoid_domain::{
    input::parse_body,
    key::{CODE_LIFE_MS, Grant, Key, Permission},
    orchestrator::Registration,
};
use octopoid_store::lists::Page;
use octopoid_store_testkit::World;
use serde_json::json;

use crate::{Arena, at_once, won};

const SCOPES: usize = 40;
const MANY: usize = 8;

/// The keys of a scope that were not replaced.
async fn living(world: &World, scope: &str) -> Vec<Key> {
    let keys = world.store.list_keys(Some(scope), &Page::first(100)).await.unwrap();
    keys.items.into_iter().filter(|key| key.revoked_at.is_none()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_that_register_first_in_a_scope_gets_its_first_key() {
    let arena = Arena::new().await;
    let world = &arena.world;
    for round in 0..SCOPES {
        let scope = format!("scope-{round}");
        let machines = (0..MANY).map(|number| {
            let world = Arc::clone(world);
            let body = json!({
                "cluster": &scope, "machine_id": number.to_string(), "scope": &scope,
            });
            let machine: Registration = parse_body(body.to_string().as_bytes()).unwrap();
            let machine = machine.into_orchestrator(None, world.now()).unwrap();
            async move {
                let hash = format!("hash of {}", machine.id);
                let registered =
                    world.store.register_orchestrator(&machine, &hash, None, world.stamp()).await;
                let registered = registered.expect("a machine that nobody knows is registered");
                (registered.is_new, registered.is_key_issued)
            }
        });
        let answers = at_once(machines.collect()).await;
        assert!(answers.iter().all(|(is_new, _)| *is_new), "each machine is new");
        let issued = answers.iter().filter(|(_, is_key_issued)| *is_key_issued).count();
        assert_eq!(issued, 1, "first keys of {scope}");
        assert_eq!(living(world, &scope).await.len(), 1, "keys of {scope}");
    }
}

/// A holder replaces the key it came with; the administrator replaces all there are.
#[tokio::test(flavor = "multi_thread")]
async fn of_keys_that_are_replaced_by_many_at_once_one_lives_on() {
    let arena = Arena::new().await;
    let world = &arena.world;
    for round in 0..SCOPES {
        let scope = format!("scope-{round}");
        let is_holder = round % 2 == 0;
        let grant = Grant {
            scope: scope.clone(),
            label: None,
            permission: Permission::Manage,
            expires_at: None,
        };
        let stamp = world.stamp();
        let first = world.store.issue_key(&format!("{scope} first"), &grant, stamp).await.unwrap();
        let rotations = (0..MANY).map(|number| {
            let (world, scope, first) = (Arc::clone(world), scope.clone(), first.id.clone());
            async move {
                let hash = format!("{scope} {number}");
                let presented = is_holder.then_some(&*first);
                won(world.store.rotate_key(&scope, presented, &hash, 0, world.stamp()).await)
            }
        });
        let won = at_once(rotations.collect()).await.into_iter().filter(|won| *won).count();
        // The key that a holder came with can be replaced once.
        assert_eq!(won, if is_holder { 1 } else { MANY }, "rotations in {scope}");
        let living = living(world, &scope).await;
        assert_eq!(living.len(), 1, "keys of {scope} that live: {living:?}");
        assert_ne!(living[0].id, first.id, "the first key of {scope} was replaced");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_sign_in_with_one_code_one_gets_a_key() {
    let arena = Arena::new().await;
    let world = &arena.world;
    for round in 0..SCOPES {
        let scope = format!("scope-{round}");
        let code = format!("{scope} code");
        let stamp = world.stamp();
        let grant = Grant {
            scope: scope.clone(),
            label: None,
            permission: Permission::Login,
            expires_at: Some(stamp.now.plus(CODE_LIFE_MS)),
        };
        world.store.issue_key(&code, &grant, stamp).await.unwrap();
        let exchanges = (0..MANY).map(|number| {
            let (world, code) = (Arc::clone(world), code.clone());
            async move {
                let hash = format!("{code} {number}");
                won(world.store.sign_in(&code, &hash, world.stamp()).await)
            }
        });
        let won = at_once(exchanges.collect()).await.into_iter().filter(|won| *won).count();
        assert_eq!(won, 1, "exchanges in {scope}");
        let living = living(world, &scope).await;
        assert_eq!(living.len(), 1, "keys of {scope} that live: {living:?}");
        assert_eq!(living[0].permission, Permission::Manage);
    }
}
