//! Projects and their tasks.

use octopoid_domain::project::Project;
use octopoid_store::{Result, lists::Page, projects::Filter};
use serde_json::json;

use crate::{World, why};

#[tokio::test]
async fn a_project_is_answered_as_it_is_stored() {
    let world = World::new().await;
    let made = world.creates_project("p", json!({"pr_number": 7, "flow": "f"})).await;
    assert_eq!(world.store.get_project("p", None).await.unwrap(), made);
    assert_eq!((made.pr_number, made.flow.as_deref()), (Some(7), Some("f")));
    assert_eq!(
        why(world.tries_to_create_project("p", json!({})).await),
        "Project p already exists"
    );
}

#[tokio::test]
async fn a_patch_changes_only_the_fields_it_mentions() {
    let world = World::new().await;
    let made = world.creates_project("p", json!({"description": "d", "auto_accept": true})).await;
    let body = json!({"pr_url": "u", "pr_number": 3, "description": null, "auto_accept": null});
    let changed = world.patches_project("p", body).await.unwrap();
    let expected = Project {
        pr_url: Some("u".to_owned()),
        pr_number: Some(3),
        description: None,
        auto_accept: false,
        ..made
    };
    assert_eq!(changed, expected);
    assert_eq!(world.store.get_project("p", None).await.unwrap(), expected);
}

#[tokio::test]
async fn completing_a_project_notes_the_time_once() {
    let world = World::new().await;
    world.creates_project("p", json!({})).await;
    let done = world.patches_project("p", json!({"status": "completed"})).await.unwrap();
    assert!(done.completed_at.is_some());
    let again = world.patches_project("p", json!({"status": "completed"})).await.unwrap();
    assert_eq!(again.completed_at, done.completed_at);
    let body = json!({"status": "completed", "completed_at": "2026-01-01T00:00:00+01:00"});
    let named = world.patches_project("p", body).await.unwrap();
    assert_eq!(named.completed_at.unwrap().to_iso(), "2025-12-31T23:00:00.000Z");
    let cleared = json!({"status": "completed", "completed_at": null});
    assert_eq!(world.patches_project("p", cleared).await.unwrap().completed_at, None);
    let other = world.patches_project("p", json!({"status": "done"})).await.unwrap();
    assert_eq!(other.completed_at, None);
}

#[tokio::test]
async fn a_missing_project_is_said_before_a_bad_patch() {
    let world = World::new().await;
    assert_eq!(why(world.patches_project("p", json!({})).await), "Project p not found");
    assert_eq!(why(world.patches_project("p", json!({"flow": "f"})).await), "Project p not found");
    world.creates_project("p", json!({})).await;
    assert_eq!(why(world.patches_project("p", json!({"scope": "x"})).await), "No fields to update");
}

#[tokio::test]
async fn a_project_with_tasks_is_not_deleted() {
    let world = World::new().await;
    world.creates_project("p", json!({})).await;
    world.creates_task("t", json!({"project_id": "p"})).await;
    let refused = world.store.delete_project("p", None).await;
    assert_eq!(why(refused), "Cannot delete project p: has 1 tasks");
    world.store.delete_task("t", None, world.stamp()).await.unwrap();
    assert_eq!(why(world.store.delete_project("p", Some("x")).await), "Project p not found");
    world.store.delete_project("p", None).await.unwrap();
    assert_eq!(why(world.store.delete_project("p", None).await), "Project p not found");
}

#[tokio::test]
async fn a_projects_tasks_come_by_urgency_then_newest_first() {
    let world = World::new().await;
    world.creates_project("p", json!({"scope": null})).await;
    for (id, priority, scope) in
        [("a", "P2", "s"), ("b", "P0", "s"), ("c", "P2", "s"), ("d", "odd", "s"), ("e", "P0", "x")]
    {
        let fields = json!({"project_id": "p", "priority": priority, "scope": scope});
        world.creates_task(id, fields).await;
    }
    let ids = async |within, scope| {
        let tasks = world.store.list_project_tasks("p", within, scope).await?;
        Ok(tasks.into_iter().map(|task| task.id).collect::<Vec<_>>())
    };
    let all: Result<_> = ids(None, None).await;
    assert_eq!(all.unwrap(), ["e", "b", "c", "a", "d"]);
    assert_eq!(ids(None, Some("x")).await.unwrap(), ["e"]);
    assert!(ids(None, Some("none")).await.unwrap().is_empty());
    assert_eq!(why(ids(Some("s"), None).await), "Project p not found");
}

#[tokio::test]
async fn projects_are_listed_newest_first_and_filtered() {
    let world = World::new().await;
    for (id, scope, status) in [("a", "s", "active"), ("b", "x", "active"), ("c", "s", "done")] {
        world.creates_project(id, json!({"scope": scope, "status": status})).await;
    }
    let ids = async |filter: Filter, limit, offset| {
        let listed = world.store.list_projects(&filter, Page { limit, offset }).await.unwrap();
        let ids: Vec<_> = listed.items.into_iter().map(|project| project.id).collect();
        (ids.join(""), listed.total)
    };
    let scope = Some("s".to_owned());
    let own = Filter { scope: scope.clone(), ..Default::default() };
    let active = Filter { scope, status: Some("active".to_owned()), created_by: None };
    assert_eq!(ids(Filter::default(), 50, 0).await, ("cba".to_owned(), 3));
    assert_eq!(ids(Filter::default(), 1, 1).await, ("b".to_owned(), 3));
    assert_eq!(ids(own, 50, 0).await, ("ca".to_owned(), 2));
    assert_eq!(ids(active, 50, 0).await, ("a".to_owned(), 1));
}
