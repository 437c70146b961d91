//! Actions: proposed, executed, ended.

use octopoid_domain::action::{Action, Outcome, Status};
use octopoid_store::actions::Filter;
use serde_json::json;

use crate::{
    Verdict, World, ensure, ensure_eq,
    nouns::{START, why},
};

cases! {
    expired_actions_are_neither_listed_nor_executed,
    an_action_that_has_ended_stays_ended,
    an_action_may_go_anywhere_until_it_ends,
    a_missing_action_is_said_before_a_bad_patch,
    actions_are_listed_newest_first_and_filtered,
}

async fn expired_actions_are_neither_listed_nor_executed(world: &World) -> Verdict {
    let world = world.nouns();
    let past = world.proposes(json!({"expires_at": "2026-11-21T20:58:58.000Z"})).await;
    let never = world.proposes(json!({})).await;
    let future = world.proposes(json!({"expires_at": "2026-11-21 21:00:00"})).await;
    let all = Filter::default();
    ensure_eq!(world.lists_actions(all.clone(), START).await, [&*future.id, &*never.id]);
    let expiry = future.expiry().map_or(START, |at| at.0);
    ensure_eq!(world.lists_actions(all, expiry).await, [&*never.id]);
    let refused = world.store.execute_action(&past.id, None, world.stamp()).await;
    ensure_eq!(why(refused), "Action has expired");
    let executed = world.store.execute_action(&never.id, None, world.stamp()).await?;
    ensure_eq!(executed.status, Status::ExecuteRequested);
    ensure!(executed.executed_at.is_some());
    ensure_eq!(executed.expires_at, None);
    Ok(())
}

async fn an_action_that_has_ended_stays_ended(world: &World) -> Verdict {
    let world = world.nouns();
    for (outcome, status) in
        [(Outcome::Completed, Status::Completed), (Outcome::Failed, Status::Failed)]
    {
        let action = world.proposes(json!({})).await;
        let body = json!({"result": {"ok": [1]}});
        let ended = world.ends(&action.id, outcome, body).await?;
        ensure_eq!((ended.status, ended.result.as_deref()), (status, Some(r#"{"ok":[1]}"#)));
        let again = world.ends(&action.id, Outcome::Completed, json!({})).await;
        ensure_eq!(
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
        ensure_eq!(why(reopened), text);
        let same = json!({"status": status, "result": null});
        ensure_eq!(world.patches_action(&action.id, same).await?.result, None);
    }
    Ok(())
}

async fn an_action_may_go_anywhere_until_it_ends(world: &World) -> Verdict {
    let world = world.nouns();
    let action = world.proposes(json!({"metadata": {"k": 1}})).await;
    let executing = world.patches_action(&action.id, json!({"status": "executing"})).await?;
    ensure_eq!(executing, Action { status: Status::Executing, ..action.clone() });
    let noted = world.patches_action(&action.id, json!({"result": "r"})).await?;
    ensure_eq!((noted.status, noted.result.as_deref()), (Status::Executing, Some("r")));
    // Without a result, the one that is stored stays.
    let ended = world.ends(&action.id, Outcome::Completed, json!({})).await?;
    ensure_eq!(ended.result.as_deref(), Some("r"));
    Ok(())
}

async fn a_missing_action_is_said_before_a_bad_patch(world: &World) -> Verdict {
    let world = world.nouns();
    ensure_eq!(why(world.patches_action("x", json!({"status": "odd"})).await), "Action not found");
    ensure_eq!(why(world.patches_action("x", json!({"result": "r"})).await), "Action not found");
    ensure_eq!(why(world.ends("x", Outcome::Failed, json!({})).await), "Action not found");
    let execute = world.store.execute_action("x", None, world.stamp()).await;
    ensure_eq!(why(execute), "Action not found");
    Ok(())
}

async fn actions_are_listed_newest_first_and_filtered(world: &World) -> Verdict {
    let world = world.nouns();
    let first = world.proposes(json!({"entity_id": 5, "entity_type": "draft"})).await;
    let second = world.proposes(json!({})).await;
    world.proposes(json!({"scope": "x"})).await;
    world.store.execute_action(&first.id, None, world.stamp()).await?;
    let some = |text: &str| Some(text.to_owned());
    let all = Filter::default();
    ensure_eq!(world.lists_actions(all.clone(), START).await, [&*second.id, &*first.id]);
    let entity = Filter { entity_id: some("5"), ..all.clone() };
    ensure_eq!(world.lists_actions(entity.clone(), START).await, [&*first.id]);
    let both = Filter { status: some("execute_requested"), ..entity };
    ensure_eq!(world.lists_actions(both, START).await, [&*first.id]);
    let proposed = Filter { status: some("proposed"), ..all.clone() };
    ensure_eq!(world.lists_actions(proposed, START).await, [&*second.id]);
    let pending = Filter { status: some("pending"), ..all };
    ensure!(world.lists_actions(pending, START).await.is_empty());
    Ok(())
}
