//! Registering and finding roles.

use octopoid_domain::{Millis, lease::LeaseSecret, role::Role, task::ClaimRequest};
use serde_json::json;

use crate::{
    Verdict, World, ensure, ensure_eq,
    nouns::{PAGE, START, read, why},
};

cases! {
    roles_belong_to_the_scope_of_their_orchestrator,
    whoever_registers_a_role_last_has_it_and_the_rest_stay,
    a_role_of_one_name_may_differ_from_scope_to_scope,
    a_claim_takes_from_where_its_first_role_claims_in_whatever_scope_it_is_registered,
    only_a_known_orchestrator_registers_roles,
}

async fn roles_belong_to_the_scope_of_their_orchestrator(world: &World) -> Verdict {
    let world = world.nouns();
    world.registers("m", "a", 0).await;
    let roles = json!([{"name": "review", "claims_from": "provisional", "description": "Reads"},
        {"name": "implement"}]);
    let own = world.registers_roles("c-m", roles, 1).await;
    let implement = Role {
        name: "implement".into(),
        description: None,
        claims_from: "incoming".into(),
        orchestrator_id: "c-m".into(),
        created_at: Millis(START + 1),
        scope: "a".into(),
    };
    ensure_eq!(own[0], implement);
    ensure_eq!((&*own[1].name, &*own[1].claims_from), ("review", "provisional"));
    ensure_eq!(own[1].description.as_deref(), Some("Reads"));
    ensure_eq!(world.store.list_roles(Some("a"), &PAGE).await?.items, own);
    ensure!(world.store.list_roles(Some("b"), &PAGE).await?.items.is_empty());
    Ok(())
}

async fn whoever_registers_a_role_last_has_it_and_the_rest_stay(world: &World) -> Verdict {
    let world = world.nouns();
    world.registers("m", "s", 0).await;
    world.registers("n", "s", 0).await;
    world.registers_roles("c-m", json!([{"name": "a"}, {"name": "b"}]), 1).await;
    let own = world.registers_roles("c-n", json!([{"name": "a", "claims_from": "x"}]), 2).await;
    ensure_eq!(own.len(), 1);
    ensure_eq!((&*own[0].claims_from, own[0].created_at), ("x", Millis(START + 2)));
    let left = world.registers_roles("c-m", json!([]), 3).await;
    ensure_eq!(left.iter().map(|role| &*role.name).collect::<Vec<_>>(), ["b"]);
    Ok(())
}

async fn a_role_of_one_name_may_differ_from_scope_to_scope(world: &World) -> Verdict {
    let world = world.nouns();
    world.registers("m", "a", 0).await;
    world.registers("n", "b", 0).await;
    world.registers_roles("c-m", json!([{"name": "review", "claims_from": "a"}]), 1).await;
    world.registers_roles("c-n", json!([{"name": "review", "claims_from": "b"}]), 2).await;
    for (scope, from) in [(Some("a"), "a"), (Some("b"), "b"), (Some("elsewhere"), "b"), (None, "b")]
    {
        let found = world.store.get_role("review", scope).await?;
        ensure_eq!(found.claims_from, from, "{scope:?}");
    }
    ensure_eq!(world.store.list_roles(None, &PAGE).await?.items.len(), 2);
    ensure_eq!(why(world.store.get_role("banana", None).await), "Role not found");
    Ok(())
}

async fn a_claim_takes_from_where_its_first_role_claims_in_whatever_scope_it_is_registered(
    world: &World,
) -> Verdict {
    let world = world.nouns();
    world.registers("m", "s", 0).await;
    let roles = json!([{"name": "review", "claims_from": "provisional"}]);
    world.registers_roles("c-m", roles, 1).await;
    world.creates("fresh", "t", "incoming").await;
    world.creates("submitted", "t", "provisional").await;
    let claim = json!({"orchestrator_id": "o", "agent_name": "a", "role_filter": "review"});
    let claim: ClaimRequest = read(&claim);
    let secret = LeaseSecret::new([0; 16]);
    let claimed = world.store.claim_task("t", None, &claim, &secret, world.at(2)).await?;
    ensure_eq!(claimed.map(|claimed| claimed.task.id).as_deref(), Some("submitted"));

    // For the holder of a key, another tenant's role says nothing.
    let claimed = world.store.claim_task("t", Some("t"), &claim, &secret, world.at(3)).await?;
    ensure_eq!(claimed.map(|claimed| claimed.task.id).as_deref(), Some("fresh"));
    Ok(())
}

async fn only_a_known_orchestrator_registers_roles(world: &World) -> Verdict {
    let world = world.nouns();
    world.registers("m", "a", 0).await;
    let roles = json!([{"name": "r"}]);
    let unknown = world.tries_to_register_roles("nobody", roles.clone(), None, 1).await;
    ensure_eq!(why(unknown), "Orchestrator 'nobody' not found");
    let foreign = world.tries_to_register_roles("c-m", roles, Some("b"), 1).await;
    ensure_eq!(why(foreign), "Orchestrator 'c-m' not found");
    ensure!(world.store.list_roles(None, &PAGE).await?.items.is_empty());
    Ok(())
}
