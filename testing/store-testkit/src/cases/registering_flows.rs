//! Registering, reading and deleting flows.

use octopoid_domain::Millis;
use serde_json::{Value, json};

use crate::{
    Verdict, World, ensure, ensure_eq,
    nouns::{PAGE, START, why},
};

cases! {
    a_flow_is_returned_as_it_was_given,
    a_child_flow_keeps_its_kind,
    putting_a_flow_again_keeps_when_it_was_registered,
    flows_are_listed_by_name_and_seen_only_in_their_scope,
    a_deleted_flow_is_gone_from_its_scope_only,
}

async fn a_flow_is_returned_as_it_was_given(world: &World) -> Verdict {
    let world = world.nouns();
    let fields = json!({"description": "d", "child_flow": {"transitions": {"a -> b": {}}}});
    let put = world.puts_flow("s", "f", fields, 0).await;
    ensure_eq!((&*put.name, &*put.scope), ("f", "s"));
    ensure_eq!(put.states, r#"["incoming","claimed","done","failed","provisional"]"#);
    ensure_eq!(put.transitions, r#"[{"from":"claimed","to":"provisional","agent":"reviewer"}]"#);
    ensure_eq!(put.description.as_deref(), Some("d"));
    ensure_eq!(put.child_flow, json!({"transitions": {"a -> b": {}}}));
    ensure_eq!(world.store.get_flow("s", "f").await?, put);
    Ok(())
}

async fn a_child_flow_keeps_its_kind(world: &World) -> Verdict {
    let world = world.nouns();
    for child in [json!("name"), json!("{}"), json!({"a": 1}), json!([1]), json!(null), json!("")] {
        let fields = json!({ "child_flow": child });
        ensure_eq!(world.puts_flow("s", "f", fields, 0).await.child_flow, child);
        ensure_eq!(world.store.get_flow("s", "f").await?.child_flow, child);
    }
    Ok(())
}

async fn putting_a_flow_again_keeps_when_it_was_registered(world: &World) -> Verdict {
    let world = world.nouns();
    world.puts_flow("s", "f", json!({"description": "d", "child_flow": "c"}), 0).await;
    let again = world.puts_flow("s", "f", json!({"transitions": []}), 5_000).await;
    ensure_eq!(again.registered_at, Millis(START));
    ensure_eq!(again.updated_at, Millis(START + 5_000));
    ensure_eq!((&*again.transitions, again.description), ("[]", None));
    ensure_eq!(again.child_flow, Value::Null);
    ensure_eq!(world.store.list_flows("s", &PAGE).await?.items.len(), 1);
    Ok(())
}

async fn flows_are_listed_by_name_and_seen_only_in_their_scope(world: &World) -> Verdict {
    let world = world.nouns();
    for name in ["b", "a", "default"] {
        world.puts_flow("s", name, json!({}), 0).await;
    }
    world.puts_flow("t", "other", json!({}), 0).await;
    let flows = world.store.list_flows("s", &PAGE).await?.items;
    ensure_eq!(flows.iter().map(|flow| &*flow.name).collect::<Vec<_>>(), ["a", "b", "default"]);
    ensure_eq!(why(world.store.get_flow("s", "other").await), "Flow not found");
    Ok(())
}

async fn a_deleted_flow_is_gone_from_its_scope_only(world: &World) -> Verdict {
    let world = world.nouns();
    world.puts_flow("s", "f", json!({}), 0).await;
    world.puts_flow("t", "f", json!({}), 0).await;
    world.store.delete_flow("s", "f", world.stamp()).await?;
    ensure_eq!(why(world.store.get_flow("s", "f").await), "Flow not found");
    ensure_eq!(why(world.store.delete_flow("s", "f", world.stamp()).await), "Flow not found");
    ensure!(world.store.get_flow("t", "f").await.is_ok());
    Ok(())
}
