//! Actions: proposed, executed, ended.

use octopoid_domain::action::{Action, Outcome, Status};
use octopoid_store::actions::Filter;
use serde_json::json;

use crate::{START, World, why};

#[tokio::test]
async fn expired_actions_are_neither_listed_nor_executed() {
    let world = World::new().await;
    let past = world.proposes(json!({"expires_at": "2026-11-21T20:58:58.000Z"})).await;
    let never = world.proposes(json!({"expires_at": "soon"})).await;
    let future = world.proposes(json!({"expires_at": "2026-11-21 21:00:00"})).await;
    let all = Filter::default();
    assert_eq!(world.lists_actions(all.clone(), START).await, [&*future.id, &*never.id]);
    let expiry = future.expiry().unwrap().0;
    assert_eq!(world.lists_actions(all, expiry).await, [&*never.id]);
    let refused = world.store.execute_action(&past.id, None, world.stamp()).await;
    assert_eq!(why(refused), "Action has expired");
    let executed = world.store.execute_action(&never.id, None, world.stamp()).await.unwrap();
    assert_eq!(executed.status, Status::ExecuteRequested);
    assert!(executed.executed_at.is_some());
    assert_eq!(executed.expires_at.as_deref(), Some("soon"));
}

#[tokio::test]
async fn of_many_who_execute_an_action_one_succeeds() {
    let world = World::new().await;
    let action = world.proposes(json!({})).await;
    let tries = (0..8).map(|_| {
        let (world, id) = (world.clone(), action.id.clone());
        tokio::spawn(async move { world.store.execute_action(&id, None, world.stamp()).await })
    });
    let mut executed = 0;
    for answer in tries.collect::<Vec<_>>() {
        match answer.await.unwrap() {
            Ok(_) => executed += 1,
            Err(error) => assert_eq!(
                error.to_string(),
                "Cannot execute action with status \"execute_requested\". Only \"proposed\" \
                 actions can be executed."
            ),
        }
    }
    assert_eq!(executed, 1);
}

#[tokio::test]
async fn an_action_that_has_ended_stays_ended() {
    let world = World::new().await;
    for (outcome, status) in
        [(Outcome::Completed, Status::Completed), (Outcome::Failed, Status::Failed)]
    {
        let action = world.proposes(json!({})).await;
        let body = json!({"result": {"ok": [1]}});
        let ended = world.ends(&action.id, outcome, body).await.unwrap();
        assert_eq!((ended.status, ended.result.as_deref()), (status, Some(r#"{"ok":[1]}"#)));
        let again = world.ends(&action.id, Outcome::Completed, json!({})).await;
        assert_eq!(
            why(again),
            format!(
                "Cannot complete action with status \"{}\". Only \"proposed\", \
                 \"execute_requested\" or \"executing\" actions can be completed.",
                status.as_str()
            )
        );
        let reopened = world.patches_action(&action.id, json!({"status": "proposed"})).await;
        let text =
            format!("Cannot change the status of an action with status \"{}\"", status.as_str());
        assert_eq!(why(reopened), text);
        let same = json!({"status": status, "result": null});
        assert_eq!(world.patches_action(&action.id, same).await.unwrap().result, None);
    }
}

#[tokio::test]
async fn an_action_may_go_anywhere_until_it_ends() {
    let world = World::new().await;
    let action = world.proposes(json!({"metadata": {"k": 1}})).await;
    let executing = world.patches_action(&action.id, json!({"status": "executing"})).await.unwrap();
    assert_eq!(executing, Action { status: Status::Executing, ..action.clone() });
    let noted = world.patches_action(&action.id, json!({"result": "r"})).await.unwrap();
    assert_eq!((noted.status, noted.result.as_deref()), (Status::Executing, Some("r")));
    // Without a result, the one that is stored stays.
    let ended = world.ends(&action.id, Outcome::Completed, json!({})).await.unwrap();
    assert_eq!(ended.result.as_deref(), Some("r"));
}

#[tokio::test]
async fn a_missing_action_is_said_before_a_bad_patch() {
    let world = World::new().await;
    assert_eq!(why(world.patches_action("x", json!({"status": "odd"})).await), "Action not found");
    assert_eq!(why(world.patches_action("x", json!({"result": "r"})).await), "Action not found");
    assert_eq!(why(world.ends("x", Outcome::Failed, json!({})).await), "Action not found");
    let execute = world.store.execute_action("x", None, world.stamp()).await;
    assert_eq!(why(execute), "Action not found");
}

#[tokio::test]
async fn actions_are_listed_newest_first_and_filtered() {
    let world = World::new().await;
    let first = world.proposes(json!({"entity_id": 5, "entity_type": "draft"})).await;
    let second = world.proposes(json!({})).await;
    world.proposes(json!({"scope": "x"})).await;
    world.store.execute_action(&first.id, None, world.stamp()).await.unwrap();
    let some = |text: &str| Some(text.to_owned());
    let all = Filter::default();
    assert_eq!(world.lists_actions(all.clone(), START).await, [&*second.id, &*first.id]);
    let entity = Filter { entity_id: some("5"), ..all.clone() };
    assert_eq!(world.lists_actions(entity.clone(), START).await, [&*first.id]);
    let both = Filter { status: some("execute_requested"), ..entity };
    assert_eq!(world.lists_actions(both, START).await, [&*first.id]);
    let proposed = Filter { status: some("proposed"), ..all.clone() };
    assert_eq!(world.lists_actions(proposed, START).await, [&*second.id]);
    let pending = Filter { status: some("pending"), ..all };
    assert!(world.lists_actions(pending, START).await.is_empty());
}
