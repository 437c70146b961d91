//! The journal: every change of every noun is recorded, and nothing else is.

use octopoid_domain::{
    action::Outcome,
    heartbeat::HeartbeatRequest,
    key::{Grant, Permission},
    orchestrator::Status,
};
use octopoid_store::{
    Sql,
    engine::{Statement, Value},
};
use serde_json::json;

use crate::{Failure, Verdict, World, ensure, ensure_eq, nouns::read};

cases! {
    every_change_of_a_noun_is_recorded,
    every_change_of_the_fleet_is_recorded,
    signing_in_is_recorded_as_the_end_of_a_code_and_the_issue_of_a_key,
    what_is_refused_or_changes_nothing_is_not_recorded,
    positions_only_grow,
}

/// The events since a position: kind, subject, event and actor, with the position reached.
async fn events(world: &World, after: i64) -> Result<(Vec<String>, i64), Failure> {
    const SINCE: &str = "SELECT position, kind, subject, event, actor, scope FROM events \
         WHERE position > ?1 ORDER BY position";
    world.store.number_events().await?;
    let statement = Statement { sql: Sql::from(SINCE), parameters: vec![after.into()] };
    let rows = world.engine.read(vec![statement]).await?.pop().unwrap_or_default();
    let mut last = after;
    let mut lines = Vec::new();
    for row in rows {
        let [Value::Int(position), rest @ ..] = &row[..] else {
            return Err(Failure::new(format!("an event without a position: {row:?}")));
        };
        last = *position;
        let words = rest.iter().filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            Value::Int(_) | Value::Null => None,
        });
        lines.push(words.collect::<Vec<_>>().join(" "));
    }
    Ok((lines, last))
}

async fn every_change_of_a_noun_is_recorded(world: &World) -> Verdict {
    let nouns = world.nouns();
    let store = &nouns.store;
    nouns.creates_project("p", json!({"created_by": "ann"})).await;
    nouns.patches_project("p", json!({"title": "new"})).await?;
    store.delete_project("p", None, nouns.stamp()).await?;
    let (found, position) = events(world, 0).await?;
    ensure_eq!(found, ["project p created ann s", "project p updated s", "project p deleted s"]);

    let draft = nouns.creates_draft(json!({})).await.id;
    nouns.patches_draft(draft, json!({"title": "new"})).await?;
    nouns.promotes(draft, json!({"to": "project", "id": "q", "branch": "b"})).await?;
    store.delete_draft(draft, None, nouns.stamp()).await?;
    let (found, position) = events(world, position).await?;
    let expected = [
        format!("draft {draft} created human s"),
        format!("draft {draft} updated s"),
        "project q created s".to_owned(),
        format!("draft {draft} promoted s"),
        format!("draft {draft} deleted s"),
    ];
    ensure_eq!(found, expected);

    let message = nouns.writes_message(json!({})).await.id;
    let action = nouns.proposes(json!({})).await.id;
    store.execute_action(&action, None, nouns.stamp()).await?;
    nouns.patches_action(&action, json!({"result": "r"})).await?;
    nouns.ends(&action, Outcome::Failed, json!({})).await?;
    let (found, _) = events(world, position).await?;
    let expected = [
        format!("message {message} created a s"),
        format!("action {action} created p s"),
        format!("action {action} execute_requested s"),
        format!("action {action} updated s"),
        format!("action {action} failed s"),
    ];
    ensure_eq!(found, expected);
    Ok(())
}

async fn every_change_of_the_fleet_is_recorded(world: &World) -> Verdict {
    let nouns = world.nouns();
    let store = &nouns.store;
    nouns.registers("m", "s", 0).await;
    store.set_orchestrator_status("c-m", None, Status::Offline, nouns.stamp()).await?;
    store.note_heartbeat("c-m", None, &HeartbeatRequest::default(), nouns.at(1)).await?;
    store.mark_offline(nouns.at(10).now, nouns.stamp()).await?;
    let (found, position) = events(world, 0).await?;
    // The first registration in a scope hands out the scope's first key.
    let key = found.get(1).and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let expected = [
        "orchestrator c-m registered s".to_owned(),
        format!("key {key} issued c-m s"),
        "orchestrator c-m updated s".to_owned(),
        "orchestrator c-m came_online s".to_owned(),
        "orchestrator c-m went_offline s".to_owned(),
    ];
    ensure_eq!(found, expected);

    let roles = json!([{"name": "implement"}, {"name": "review"}]);
    nouns.registers_roles("c-m", roles, 0).await;
    nouns.puts_flow("s", "f", json!({}), 0).await;
    store.delete_flow("s", "f", nouns.stamp()).await?;
    let replaced = key.to_owned();
    let first = store.rotate_key("s", None, "hash", 60_000, nouns.stamp()).await?.id;
    let issued = store.rotate_key("s", Some(&first), "new", 0, nouns.stamp()).await?.id;
    store.revoke_key(&issued, None, nouns.stamp()).await?;
    let (found, _) = events(world, position).await?;
    let expected = [
        "role implement registered c-m s".to_owned(),
        "role review registered c-m s".to_owned(),
        "flow f registered s".to_owned(),
        "flow f deleted s".to_owned(),
        format!("key {first} issued s"),
        format!("key {replaced} rotated s"),
        format!("key {issued} issued s"),
        format!("key {first} revoked s"),
        format!("key {issued} revoked s"),
    ];
    ensure_eq!(found, expected);
    Ok(())
}

async fn signing_in_is_recorded_as_the_end_of_a_code_and_the_issue_of_a_key(
    world: &World,
) -> Verdict {
    let nouns = world.nouns();
    let grant = Grant {
        scope: "s".into(),
        label: None,
        permission: Permission::Login,
        expires_at: Some(nouns.at(9).now),
    };
    let code = nouns.store.issue_key("code", &grant, nouns.at(0)).await?.id;
    let (_, position) = events(world, 0).await?;
    let issued = nouns.store.sign_in("code", "new", nouns.at(1)).await?.id;
    nouns.store.sign_in("code", "newer", nouns.at(2)).await.expect_err("the code was used");
    let (found, _) = events(world, position).await?;
    ensure_eq!(found, [format!("key {code} revoked s"), format!("key {issued} issued s")]);
    Ok(())
}

async fn what_is_refused_or_changes_nothing_is_not_recorded(world: &World) -> Verdict {
    let nouns = world.nouns();
    let store = &nouns.store;
    nouns.creates_project("p", json!({})).await;
    nouns.creates_task("t", json!({"project_id": "p"})).await;
    nouns.registers("m", "s", 0).await;
    let key = store.rotate_key("s", None, "hash", 0, nouns.stamp()).await?.id;
    store.revoke_key(&key, None, nouns.stamp()).await?;
    let (_, position) = events(world, 0).await?;

    let other = Some("another");
    ensure!(nouns.tries_to_create_project("p", json!({})).await.is_err(), "the id is taken");
    ensure!(store.delete_project("p", None, nouns.stamp()).await.is_err(), "it has a task");
    let patch = read(&json!({"title": "x"}));
    ensure!(store.update_project("p", other, patch, nouns.stamp()).await.is_err(), "not theirs");
    ensure!(store.delete_draft(1, None, nouns.stamp()).await.is_err(), "there is none");
    ensure!(store.delete_flow("s", "f", nouns.stamp()).await.is_err(), "there is none");
    let strange = json!({"parent_message_id": "nobody"});
    ensure!(nouns.tries_to_write_message(strange).await.is_err(), "there is no parent");
    ensure!(store.execute_action("a", None, nouns.stamp()).await.is_err(), "there is none");
    store.note_heartbeat("c-m", None, &HeartbeatRequest::default(), nouns.at(5)).await?;
    ensure!(store.mark_offline(nouns.at(0).now, nouns.stamp()).await?.is_empty());
    store.revoke_key(&key, None, nouns.stamp()).await?;
    store.touch_key(&key, nouns.at(9).now).await?;
    let (found, _) = events(world, position).await?;
    ensure_eq!(found, [""; 0]);
    Ok(())
}

async fn positions_only_grow(world: &World) -> Verdict {
    world.works_on("a").await?;
    let (_, before) = events(world, 0).await?;
    world.deletes("a").await?;
    world.creates("a").await?;
    let (found, after) = events(world, before).await?;
    ensure_eq!(found, ["task a deleted s", "task a created s"]);
    ensure!(after > before, "{after} is not behind {before}");
    Ok(())
}
