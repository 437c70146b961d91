//! Projects and their tasks.

use octopoid_domain::{Millis, project::Project};
use octopoid_store::{Result, lists::Page, projects::Filter};
use serde_json::json;

use crate::{Verdict, World, ensure, ensure_eq, nouns::why};

cases! {
    a_project_is_answered_as_it_is_stored,
    a_patch_changes_only_the_fields_it_mentions,
    completing_a_project_notes_the_time_once,
    a_missing_project_is_said_before_a_bad_patch,
    a_project_with_tasks_is_not_deleted,
    a_projects_tasks_come_by_urgency_then_newest_first,
    projects_are_listed_newest_first_and_filtered,
}

async fn a_project_is_answered_as_it_is_stored(world: &World) -> Verdict {
    let world = world.nouns();
    let made = world.creates_project("p", json!({"pr_number": 7, "flow": "f"})).await;
    ensure_eq!(world.store.get_project("p", None).await?, made);
    ensure_eq!((made.pr_number, made.flow.as_deref()), (Some(7), Some("f")));
    ensure_eq!(
        why(world.tries_to_create_project("p", json!({})).await),
        "Project p already exists"
    );
    Ok(())
}

async fn a_patch_changes_only_the_fields_it_mentions(world: &World) -> Verdict {
    let world = world.nouns();
    let made = world.creates_project("p", json!({"description": "d", "auto_accept": true})).await;
    let body = json!({"pr_url": "u", "pr_number": 3, "description": null, "auto_accept": null});
    let changed = world.patches_project("p", body).await?;
    let expected = Project {
        pr_url: Some("u".to_owned()),
        pr_number: Some(3),
        description: None,
        auto_accept: false,
        ..made
    };
    ensure_eq!(changed, expected);
    ensure_eq!(world.store.get_project("p", None).await?, expected);
    Ok(())
}

async fn completing_a_project_notes_the_time_once(world: &World) -> Verdict {
    let world = world.nouns();
    world.creates_project("p", json!({})).await;
    let done = world.patches_project("p", json!({"status": "completed"})).await?;
    ensure!(done.completed_at.is_some());
    let again = world.patches_project("p", json!({"status": "completed"})).await?;
    ensure_eq!(again.completed_at, done.completed_at);
    let body = json!({"status": "completed", "completed_at": "2026-01-01T00:00:00+01:00"});
    let named = world.patches_project("p", body).await?;
    ensure_eq!(named.completed_at.map(Millis::to_iso).as_deref(), Some("2025-12-31T23:00:00.000Z"));
    let cleared = json!({"status": "completed", "completed_at": null});
    ensure_eq!(world.patches_project("p", cleared).await?.completed_at, None);
    let other = world.patches_project("p", json!({"status": "done"})).await?;
    ensure_eq!(other.completed_at, None);
    Ok(())
}

async fn a_missing_project_is_said_before_a_bad_patch(world: &World) -> Verdict {
    let world = world.nouns();
    ensure_eq!(why(world.patches_project("p", json!({})).await), "Project p not found");
    ensure_eq!(why(world.patches_project("p", json!({"flow": "f"})).await), "Project p not found");
    world.creates_project("p", json!({})).await;
    ensure_eq!(why(world.patches_project("p", json!({"scope": "x"})).await), "No fields to update");
    Ok(())
}

async fn a_project_with_tasks_is_not_deleted(world: &World) -> Verdict {
    let world = world.nouns();
    world.creates_project("p", json!({})).await;
    world.creates_task("t", json!({"project_id": "p"})).await;
    let refused = world.store.delete_project("p", None, world.stamp()).await;
    ensure_eq!(why(refused), "Cannot delete project p: has 1 tasks");
    world.store.delete_task("t", None, world.stamp()).await?;
    ensure_eq!(
        why(world.store.delete_project("p", Some("x"), world.stamp()).await),
        "Project p not found"
    );
    world.store.delete_project("p", None, world.stamp()).await?;
    ensure_eq!(
        why(world.store.delete_project("p", None, world.stamp()).await),
        "Project p not found"
    );
    Ok(())
}

async fn a_projects_tasks_come_by_urgency_then_newest_first(world: &World) -> Verdict {
    let world = world.nouns();
    world.creates_project("p", json!({"scope": null})).await;
    for (id, priority, scope) in
        [("a", "P2", "s"), ("b", "P0", "s"), ("c", "P2", "s"), ("d", "odd", "s"), ("e", "P0", "x")]
    {
        let fields = json!({"project_id": "p", "priority": priority, "scope": scope});
        world.creates_task(id, fields).await;
    }
    let ids = async |within, scope| {
        let tasks = world.store.list_project_tasks("p", within, scope, &Page::first(50)).await?;
        Ok(tasks.items.into_iter().map(|task| task.id).collect::<Vec<_>>())
    };
    let all: Result<_> = ids(None, None).await;
    ensure_eq!(all?, ["e", "b", "c", "a", "d"]);
    ensure_eq!(ids(None, Some("x")).await?, ["e"]);
    ensure!(ids(None, Some("none")).await?.is_empty());
    ensure_eq!(why(ids(Some("s"), None).await), "Project p not found");
    Ok(())
}

async fn projects_are_listed_newest_first_and_filtered(world: &World) -> Verdict {
    let world = world.nouns();
    for (id, scope, status) in [("a", "s", "active"), ("b", "x", "active"), ("c", "s", "done")] {
        world.creates_project(id, json!({"scope": scope, "status": status})).await;
    }
    let ids = async |filter: Filter, limit, offset| {
        let listed = world.store.list_projects(&filter, &Page::at(limit, offset)).await?;
        let ids: Vec<_> = listed.items.into_iter().map(|project| project.id).collect();
        Result::Ok((ids.join(""), listed.total.unwrap_or_default()))
    };
    let scope = Some("s".to_owned());
    let own = Filter { scope: scope.clone(), ..Default::default() };
    let active = Filter { scope, status: Some("active".to_owned()), created_by: None };
    ensure_eq!(ids(Filter::default(), 50, 0).await?, ("cba".to_owned(), 3));
    ensure_eq!(ids(Filter::default(), 1, 1).await?, ("b".to_owned(), 3));
    ensure_eq!(ids(own, 50, 0).await?, ("ca".to_owned(), 2));
    ensure_eq!(ids(active, 50, 0).await?, ("a".to_owned(), 1));
    Ok(())
}
