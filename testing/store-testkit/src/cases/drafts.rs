//! Drafts and what becomes of them.

use octopoid_domain::{TaskView, draft::Draft};
use octopoid_store::{Result, drafts::Filter};
use serde_json::json;

use crate::{
    Failure, Verdict, World, ensure, ensure_eq,
    nouns::{PAGE, why, with},
};

cases! {
    a_drafts_number_is_never_used_again,
    a_draft_patch_keeps_the_rest_and_renews_the_time,
    drafts_are_filtered_by_several_statuses_and_links,
    a_draft_becomes_a_task_in_one_step,
    a_draft_becomes_a_project_in_one_step,
    a_refused_promotion_leaves_nothing_behind,
}

async fn a_drafts_number_is_never_used_again(world: &World) -> Verdict {
    let world = world.nouns();
    let first = world.creates_draft(json!({"tags": ["a"], "linked_task_id": 5})).await;
    ensure_eq!(world.store.get_draft(first.id, None).await?, first);
    ensure_eq!(first.linked_task_id.as_deref(), Some("5"));
    let second = world.creates_draft(json!({})).await;
    world.store.delete_draft(second.id, None, world.stamp()).await?;
    ensure_eq!(world.creates_draft(json!({})).await.id, second.id + 1);
    let gone = format!("Draft {} not found", second.id);
    ensure_eq!(why(world.store.delete_draft(second.id, None, world.stamp()).await), gone);
    ensure_eq!(why(world.patches_draft(second.id, json!({})).await), gone);
    Ok(())
}

async fn a_draft_patch_keeps_the_rest_and_renews_the_time(world: &World) -> Verdict {
    let world = world.nouns();
    let made = world.creates_draft(json!({"tags": ["a"], "domain": "d"})).await;
    let body = json!({"tags": null, "status": "review", "linked_project_id": 9});
    let changed = world.patches_draft(made.id, body).await?;
    ensure!(changed.updated_at > made.updated_at);
    let expected = Draft {
        tags: None,
        status: "review".to_owned(),
        linked_project_id: Some("9".to_owned()),
        updated_at: changed.updated_at,
        ..made
    };
    ensure_eq!(changed, expected);
    ensure_eq!(world.store.get_draft(changed.id, None).await?, expected);
    Ok(())
}

async fn drafts_are_filtered_by_several_statuses_and_links(world: &World) -> Verdict {
    let world = world.nouns();
    world.creates_draft(json!({"status": "idea", "author": "x"})).await;
    world.creates_draft(json!({"status": "review", "linked_task_id": "t"})).await;
    world.creates_draft(json!({"status": "archived", "scope": null})).await;
    let ids = async |filter: Filter| {
        let listed = world.store.list_drafts(&filter, &PAGE).await?;
        Result::Ok(listed.items.into_iter().map(|draft| draft.id).collect::<Vec<_>>())
    };
    let texts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let scope = Some("s".to_owned());
    ensure_eq!(ids(Filter::default()).await?, [3, 2, 1]);
    ensure_eq!(ids(Filter { scope, ..Default::default() }).await?, [2, 1]);
    let statuses = texts(&["idea", "archived"]);
    ensure_eq!(ids(Filter { statuses, ..Default::default() }).await?, [3, 1]);
    let statuses = texts(&["review"]);
    ensure_eq!(ids(Filter { statuses, ..Default::default() }).await?, [2]);
    let author = Some("x".to_owned());
    ensure_eq!(ids(Filter { author, ..Default::default() }).await?, [1]);
    let linked_task_id = Some("t".to_owned());
    ensure_eq!(ids(Filter { linked_task_id, ..Default::default() }).await?, [2]);
    Ok(())
}

async fn a_draft_becomes_a_task_in_one_step(world: &World) -> Verdict {
    let world = world.nouns();
    let draft = world.creates_draft(json!({"title": "Do it"})).await;
    let body = json!({"to": "task", "id": "t", "file_path": "t.md", "branch": "main",
        "blocked_by": "other"});
    let promoted = world.promotes(draft.id, body).await?;
    let task = promoted.task.ok_or(Failure::new("no task was made"))?;
    ensure_eq!(TaskView::from(world.store.get_task("t", None).await?), task);
    ensure_eq!(task.title.as_deref(), Some("Do it"));
    ensure_eq!(task.content.as_deref(), Some("Do it"));
    ensure_eq!((&*task.scope, task.blocked_by.as_deref()), ("s", Some("other")));
    ensure_eq!(promoted.draft.linked_task_id.as_deref(), Some("t"));
    ensure_eq!(promoted.draft.status, "approved");
    ensure_eq!(world.store.get_draft(draft.id, None).await?, promoted.draft);
    let history = world.store.task_history("t", None, &PAGE).await?.items;
    ensure_eq!(history.len(), 1);
    ensure_eq!(history[0].event, "created");
    ensure_eq!(history[0].details.as_deref(), Some("promoted from draft 1"));
    Ok(())
}

async fn a_draft_becomes_a_project_in_one_step(world: &World) -> Verdict {
    let world = world.nouns();
    let draft = world.creates_draft(json!({"title": "Do it"})).await;
    let body = json!({"to": "project", "id": "p", "branch": "b"});
    let promoted = world.promotes(draft.id, body).await?;
    let project = promoted.project.ok_or(Failure::new("no project was made"))?;
    ensure_eq!(world.store.get_project("p", None).await?, project);
    ensure_eq!((&*project.title, project.scope.as_deref()), ("Do it", Some("s")));
    ensure_eq!(promoted.draft.linked_project_id.as_deref(), Some("p"));
    ensure_eq!(world.store.get_draft(draft.id, None).await?, promoted.draft);
    Ok(())
}

async fn a_refused_promotion_leaves_nothing_behind(world: &World) -> Verdict {
    let world = world.nouns();
    let draft = world.creates_draft(json!({})).await;
    world.creates_task("t", json!({})).await;
    world.creates_project("p", json!({})).await;
    let task =
        |id: &str, path: &str| json!({"to": "task", "id": id, "file_path": path, "branch": "main"});
    ensure_eq!(why(world.promotes(draft.id, task("t", "new")).await), "Task t already exists");
    ensure_eq!(
        why(world.promotes(draft.id, task("new", "t")).await),
        "A task with file_path t already exists in this scope"
    );
    let unknown = with(task("new", "new"), json!({"project_id": "none"}));
    ensure_eq!(why(world.promotes(draft.id, unknown).await), "Unknown project 'none'");
    let project = json!({"to": "project", "id": "p", "branch": "b"});
    ensure_eq!(why(world.promotes(draft.id, project).await), "Project p already exists");
    let other = with(task("new", "new"), json!({"scope": "x"}));
    ensure_eq!(why(world.promotes(draft.id, other).await), "Draft 1 not found");
    ensure_eq!(why(world.promotes(2, task("new", "new")).await), "Draft 2 not found");
    ensure_eq!(world.store.get_draft(draft.id, None).await?, draft);
    ensure!(world.store.get_task("new", None).await.is_err());
    Ok(())
}
