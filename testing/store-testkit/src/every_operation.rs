//! Runs each operation of the other nouns once, for tests that check their statements.

use octopoid_domain::{
    action::Outcome,
    run::Kind,
    webhook::{Rules, Secret, WebhookPatch},
};
use octopoid_store::{actions, drafts, lists::Page, messages, orchestrators, projects, runs};
use serde_json::json;

use crate::nouns::{Nouns, PAGE, read};

const DONE: &str = "every operation can be done";

/// Uses each write and each read by id.
pub async fn uses_everything(world: &Nouns) {
    let store = &world.store;
    world.creates_project("p", json!({})).await;
    world.creates_task("t", json!({"project_id": "p"})).await;
    world.patches_project("p", json!({"title": "new"})).await.expect(DONE);
    store.list_project_tasks("p", Some("s"), None, &PAGE).await.expect(DONE);
    store
        .delete_project("p", Some("s"), world.stamp())
        .await
        .expect_err("a project with tasks stays");
    for body in [
        json!({"to": "task", "id": "u", "file_path": "u", "branch": "main", "blocked_by": "t"}),
        json!({"to": "project", "id": "q", "branch": "b"}),
    ] {
        let draft = world.creates_draft(json!({})).await;
        world.patches_draft(draft.id, json!({"title": "new"})).await.expect(DONE);
        world.promotes(draft.id, body).await.expect(DONE);
        store.delete_draft(draft.id, Some("s"), world.stamp()).await.expect(DONE);
    }
    let root = world.writes_message(json!({})).await;
    world.writes_message(json!({"parent_message_id": root.id})).await;
    store.list_thread(&root.id, "s", &PAGE).await.expect(DONE);
    let action = world.proposes(json!({})).await;
    store.execute_action(&action.id, Some("s"), world.stamp()).await.expect(DONE);
    let patch = read(&json!({"result": "r"}));
    store.update_action(&action.id, Some("s"), patch, world.stamp()).await.expect(DONE);
    let nothing = read(&json!({}));
    let (outcome, stamp) = (Outcome::Failed, world.stamp());
    store.end_action(&action.id, Some("s"), outcome, nothing, stamp).await.expect(DONE);
    uses_webhooks(world).await;
}

async fn uses_webhooks(world: &Nouns) {
    let store = &world.store;
    let id = world.creates_webhook("s", json!({})).await.id;
    let patch: WebhookPatch = read(&json!({"types": null, "is_enabled": true}));
    let changes = patch.into_changes(Rules::default()).expect(DONE);
    store.update_webhook(&id, Some("s"), &changes, world.stamp()).await.expect(DONE);
    let (secret, stamp) = (Secret::new(&[8; 32]), world.stamp());
    store.rotate_webhook_secret(&id, Some("s"), &secret, 1_000, stamp).await.expect(DONE);
    store.test_webhook(&id, Some("s"), world.stamp()).await.expect(DONE);
    let now = world.stamp().now.plus(1_000);
    for mut due in world.leases_webhooks(now).await {
        while let Some((_, true)) = world.sends(&mut due, 200, now).await {}
        store.release_webhook(&due, due.position, None).await.expect(DONE);
    }
    store.test_webhook(&id, Some("s"), world.stamp()).await.expect(DONE);
    for mut due in world.leases_webhooks(now).await {
        world.sends(&mut due, 410, now).await.expect(DONE);
    }
    store.list_webhook_deliveries(&id, Some("s"), &PAGE).await.expect(DONE);
    store.delete_webhook(&id, Some("s"), world.stamp()).await.expect(DONE);
}

/// Asks for each list that a scope is asked for, with its filters one by one and in pairs: its
/// first page, and the one after it if there is one.
pub async fn lists_everything(world: &Nouns) {
    for limit in [50, 1] {
        lists_pages(world, limit).await;
    }
}

/// Asks for a page and the one behind it.
macro_rules! pages {
    ($limit:expr, |$page:ident| $list:expr) => {{
        let $page = &Page::first($limit);
        let first = $list.await.expect(DONE);
        if let Some(cursor) = first.next_cursor {
            let $page = &Page::after($limit, cursor);
            $list.await.expect(DONE);
        }
    }};
}

async fn lists_pages(world: &Nouns, limit: i64) {
    let store = &world.store;
    let (scope, some) = (|| Some("s".to_owned()), || Some("x".to_owned()));
    for (status, created_by) in [(None, None), (some(), None), (some(), some()), (None, some())] {
        let filter = projects::Filter { scope: scope(), status, created_by };
        pages!(limit, |page| store.list_projects(&filter, page));
    }
    for statuses in [vec![], vec!["a".to_owned()], vec!["a".to_owned(), "b".to_owned()]] {
        let filter = drafts::Filter { scope: scope(), statuses, ..Default::default() };
        pages!(limit, |page| store.list_drafts(&filter, page));
        let filter = drafts::Filter { author: some(), linked_task_id: some(), ..filter };
        pages!(limit, |page| store.list_drafts(&filter, page));
    }
    for (task_id, to_actor) in [(None, None), (some(), None), (some(), some()), (None, some())] {
        for (kind, is_unreplied) in [(None, false), (some(), true)] {
            let (task_id, to_actor) = (task_id.clone(), to_actor.clone());
            let filter =
                messages::Filter { scope: "s".to_owned(), task_id, to_actor, kind, is_unreplied };
            pages!(limit, |page| store.list_messages(&filter, page));
            pages!(limit, |page| store.list_newest_messages(&filter, page));
        }
    }
    for (entity_id, status) in [(None, None), (some(), None), (some(), some()), (None, some())] {
        for entity_type in [None, some()] {
            let (entity_id, status) = (entity_id.clone(), status.clone());
            let filter = actions::Filter { scope: "s".to_owned(), entity_type, entity_id, status };
            pages!(limit, |page| store.list_actions(&filter, page, world.stamp().now));
        }
    }
    for (cluster, statuses) in [(None, vec![]), (some(), vec!["active".to_owned()])] {
        let filter = orchestrators::Filter { scope: scope(), cluster, statuses };
        pages!(limit, |page| store.list_orchestrators(&filter, page));
    }
    for (kind, agent, orchestrator_id) in
        [(None, None, None), (Some(Kind::Work), some(), None), (None, some(), some())]
    {
        let filter = runs::Filter { scope: "s".to_owned(), kind, agent, orchestrator_id };
        pages!(limit, |page| store.list_runs(&filter, page));
    }
    pages!(limit, |page| store.list_flows("s", page));
    pages!(limit, |page| store.list_roles(Some("s"), page));
    pages!(limit, |page| store.list_keys(Some("s"), page));
    pages!(limit, |page| store.list_webhooks("s", page));
}
