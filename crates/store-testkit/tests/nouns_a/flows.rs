//! Registering, reading and deleting flows.

use octopoid_domain::Millis;
use serde_json::{Value, json};

use crate::{START, World, refusal};

#[tokio::test]
async fn a_flow_is_returned_as_it_was_given() {
    let world = World::new().await;
    let fields = json!({"description": "d", "child_flow": {"transitions": {"a -> b": {}}}});
    let put = world.puts_flow("s", "f", fields, 0).await;
    assert_eq!((&*put.name, &*put.scope), ("f", "s"));
    assert_eq!(put.states, r#"["incoming","claimed","done","failed","provisional"]"#);
    assert_eq!(put.transitions, r#"[{"from":"claimed","to":"provisional","agent":"reviewer"}]"#);
    assert_eq!(put.description.as_deref(), Some("d"));
    assert_eq!(put.child_flow, json!({"transitions": {"a -> b": {}}}));
    assert_eq!(world.store.get_flow("s", "f").await.unwrap(), put);
}

#[tokio::test]
async fn a_child_flow_keeps_its_kind() {
    let world = World::new().await;
    for child in [json!("name"), json!("{}"), json!({"a": 1}), json!([1]), json!(null), json!("")] {
        let fields = json!({ "child_flow": child });
        assert_eq!(world.puts_flow("s", "f", fields, 0).await.child_flow, child);
        assert_eq!(world.store.get_flow("s", "f").await.unwrap().child_flow, child);
    }
}

#[tokio::test]
async fn putting_a_flow_again_keeps_when_it_was_registered() {
    let world = World::new().await;
    world.puts_flow("s", "f", json!({"description": "d", "child_flow": "c"}), 0).await;
    let again = world.puts_flow("s", "f", json!({"transitions": []}), 5_000).await;
    assert_eq!(again.registered_at, Millis(START));
    assert_eq!(again.updated_at, Millis(START + 5_000));
    assert_eq!((&*again.transitions, again.description), ("[]", None));
    assert_eq!(again.child_flow, Value::Null);
    assert_eq!(world.store.list_flows("s").await.unwrap().len(), 1);
}

#[tokio::test]
async fn flows_are_listed_by_name_and_seen_only_in_their_scope() {
    let world = World::new().await;
    for name in ["b", "a", "default"] {
        world.puts_flow("s", name, json!({}), 0).await;
    }
    world.puts_flow("t", "other", json!({}), 0).await;
    let flows = world.store.list_flows("s").await.unwrap();
    assert_eq!(flows.iter().map(|flow| &*flow.name).collect::<Vec<_>>(), ["a", "b", "default"]);
    assert_eq!(refusal(world.store.get_flow("s", "other").await), "Flow not found");
}

#[tokio::test]
async fn a_deleted_flow_is_gone_from_its_scope_only() {
    let world = World::new().await;
    world.puts_flow("s", "f", json!({}), 0).await;
    world.puts_flow("t", "f", json!({}), 0).await;
    world.store.delete_flow("s", "f").await.unwrap();
    assert_eq!(refusal(world.store.get_flow("s", "f").await), "Flow not found");
    assert_eq!(refusal(world.store.delete_flow("s", "f").await), "Flow not found");
    assert!(world.store.get_flow("t", "f").await.is_ok());
}
