//! Registering and finding roles.

use octopoid_domain::{Millis, input::parse_body, role::Role, task::ClaimRequest};
use serde_json::json;

use crate::{START, World, refusal};

#[tokio::test]
async fn roles_belong_to_the_scope_of_their_orchestrator() {
    let world = World::new().await;
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
    assert_eq!(own[0], implement);
    assert_eq!((&*own[1].name, &*own[1].claims_from), ("review", "provisional"));
    assert_eq!(own[1].description.as_deref(), Some("Reads"));
    assert_eq!(world.store.list_roles(Some("a")).await.unwrap(), own);
    assert!(world.store.list_roles(Some("b")).await.unwrap().is_empty());
}

#[tokio::test]
async fn whoever_registers_a_role_last_has_it_and_the_rest_stay() {
    let world = World::new().await;
    world.registers("m", "s", 0).await;
    world.registers("n", "s", 0).await;
    world.registers_roles("c-m", json!([{"name": "a"}, {"name": "b"}]), 1).await;
    let own = world.registers_roles("c-n", json!([{"name": "a", "claims_from": "x"}]), 2).await;
    assert_eq!(own.len(), 1);
    assert_eq!((&*own[0].claims_from, own[0].created_at), ("x", Millis(START + 2)));
    let left = world.registers_roles("c-m", json!([]), 3).await;
    assert_eq!(left.iter().map(|role| &*role.name).collect::<Vec<_>>(), ["b"]);
}

#[tokio::test]
async fn a_role_of_one_name_may_differ_from_scope_to_scope() {
    let world = World::new().await;
    world.registers("m", "a", 0).await;
    world.registers("n", "b", 0).await;
    world.registers_roles("c-m", json!([{"name": "review", "claims_from": "a"}]), 1).await;
    world.registers_roles("c-n", json!([{"name": "review", "claims_from": "b"}]), 2).await;
    for (scope, from) in [(Some("a"), "a"), (Some("b"), "b"), (Some("elsewhere"), "b"), (None, "b")]
    {
        let found = world.store.get_role("review", scope).await.unwrap();
        assert_eq!(found.claims_from, from, "{scope:?}");
    }
    assert_eq!(world.store.list_roles(None).await.unwrap().len(), 2);
    assert_eq!(refusal(world.store.get_role("banana", None).await), "Role not found");
}

#[tokio::test]
async fn a_claim_takes_from_where_its_first_role_claims_in_whatever_scope_it_is_registered() {
    let world = World::new().await;
    world.registers("m", "s", 0).await;
    let roles = json!([{"name": "review", "claims_from": "provisional"}]);
    world.registers_roles("c-m", roles, 1).await;
    world.creates("fresh", "t", "incoming").await;
    world.creates("submitted", "t", "provisional").await;
    let claim = json!({"orchestrator_id": "o", "agent_name": "a", "role_filter": "review"});
    let claim: ClaimRequest = parse_body(claim.to_string().as_bytes()).unwrap();
    let claimed = world.store.claim_task("t", None, &claim, world.at(2)).await.unwrap();
    assert_eq!(claimed.map(|task| task.id).as_deref(), Some("submitted"));

    // For the holder of a key, another tenant's role says nothing.
    let claimed = world.store.claim_task("t", Some("t"), &claim, world.at(3)).await.unwrap();
    assert_eq!(claimed.map(|task| task.id).as_deref(), Some("fresh"));
}

#[tokio::test]
async fn only_a_known_orchestrator_registers_roles() {
    let world = World::new().await;
    world.registers("m", "a", 0).await;
    let roles = json!([{"name": "r"}]);
    let unknown = world.tries_to_register_roles("nobody", roles.clone(), None, 1).await;
    assert_eq!(refusal(unknown), "Orchestrator 'nobody' not found");
    let foreign = world.tries_to_register_roles("c-m", roles, Some("b"), 1).await;
    assert_eq!(refusal(foreign), "Orchestrator 'c-m' not found");
    assert!(world.store.list_roles(None).await.unwrap().is_empty());
}
