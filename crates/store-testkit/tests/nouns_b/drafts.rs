//! Drafts and what becomes of them.

use octopoid_domain::draft::Draft;
use octopoid_store::{drafts::Filter, lists, projects};
use serde_json::json;

use crate::{PAGE, World, why, with};

#[tokio::test]
async fn a_drafts_number_is_never_used_again() {
    let world = World::new().await;
    let first = world.creates_draft(json!({"tags": ["a"], "linked_task_id": 5})).await;
    assert_eq!(world.store.get_draft(first.id, None).await.unwrap(), first);
    assert_eq!(first.linked_task_id.as_deref(), Some("5"));
    let second = world.creates_draft(json!({})).await;
    world.store.delete_draft(second.id, None).await.unwrap();
    assert_eq!(world.creates_draft(json!({})).await.id, second.id + 1);
    let gone = format!("Draft {} not found", second.id);
    assert_eq!(why(world.store.delete_draft(second.id, None).await), gone);
    assert_eq!(why(world.patches_draft(second.id, json!({})).await), gone);
}

#[tokio::test]
async fn a_draft_patch_keeps_the_rest_and_renews_the_time() {
    let world = World::new().await;
    let made = world.creates_draft(json!({"tags": ["a"], "domain": "d"})).await;
    let body = json!({"tags": null, "status": "review", "linked_project_id": 9});
    let changed = world.patches_draft(made.id, body).await.unwrap();
    assert!(changed.updated_at > made.updated_at);
    let expected = Draft {
        tags: None,
        status: "review".to_owned(),
        linked_project_id: Some("9".to_owned()),
        updated_at: changed.updated_at,
        ..made
    };
    assert_eq!(changed, expected);
    assert_eq!(world.store.get_draft(changed.id, None).await.unwrap(), expected);
}

#[tokio::test]
async fn drafts_are_filtered_by_several_statuses_and_links() {
    let world = World::new().await;
    world.creates_draft(json!({"status": "idea", "author": "x"})).await;
    world.creates_draft(json!({"status": "review", "linked_task_id": "t"})).await;
    world.creates_draft(json!({"status": "archived", "scope": null})).await;
    let ids = async |filter: Filter| {
        let listed = world.store.list_drafts(&filter, PAGE).await.unwrap();
        listed.items.into_iter().map(|draft| draft.id).collect::<Vec<_>>()
    };
    let texts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let scope = Some("s".to_owned());
    assert_eq!(ids(Filter::default()).await, [3, 2, 1]);
    assert_eq!(ids(Filter { scope, ..Default::default() }).await, [2, 1]);
    let statuses = texts(&["idea", "archived"]);
    assert_eq!(ids(Filter { statuses, ..Default::default() }).await, [3, 1]);
    let statuses = texts(&["review"]);
    assert_eq!(ids(Filter { statuses, ..Default::default() }).await, [2]);
    let author = Some("x".to_owned());
    assert_eq!(ids(Filter { author, ..Default::default() }).await, [1]);
    let linked_task_id = Some("t".to_owned());
    assert_eq!(ids(Filter { linked_task_id, ..Default::default() }).await, [2]);
}

#[tokio::test]
async fn a_draft_becomes_a_task_in_one_step() {
    let world = World::new().await;
    let draft = world.creates_draft(json!({"title": "Do it"})).await;
    let body = json!({"to": "task", "id": "t", "file_path": "t.md", "branch": "main",
        "blocked_by": "other"});
    let promoted = world.promotes(draft.id, body).await.unwrap();
    let task = promoted.task.unwrap();
    assert_eq!(world.store.get_task("t", None).await.unwrap(), task);
    assert_eq!(task.title.as_deref(), Some("Do it"));
    assert_eq!(task.content.as_deref(), Some("Do it"));
    assert_eq!((&*task.scope, task.blocked_by.as_deref()), ("s", Some("other")));
    assert_eq!(promoted.draft.linked_task_id.as_deref(), Some("t"));
    assert_eq!(promoted.draft.status, "approved");
    assert_eq!(world.store.get_draft(draft.id, None).await.unwrap(), promoted.draft);
    let history = world.store.task_history("t", None, 0, 10).await.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].event, "created");
    assert_eq!(history[0].details.as_deref(), Some("promoted from draft 1"));
}

#[tokio::test]
async fn a_draft_becomes_a_project_in_one_step() {
    let world = World::new().await;
    let draft = world.creates_draft(json!({"title": "Do it"})).await;
    let body = json!({"to": "project", "id": "p", "branch": "b"});
    let promoted = world.promotes(draft.id, body).await.unwrap();
    let project = promoted.project.unwrap();
    assert_eq!(world.store.get_project("p", None).await.unwrap(), project);
    assert_eq!((&*project.title, project.scope.as_deref()), ("Do it", Some("s")));
    assert_eq!(promoted.draft.linked_project_id.as_deref(), Some("p"));
    assert_eq!(world.store.get_draft(draft.id, None).await.unwrap(), promoted.draft);
}

#[tokio::test]
async fn a_refused_promotion_leaves_nothing_behind() {
    let world = World::new().await;
    let draft = world.creates_draft(json!({})).await;
    world.creates_task("t", json!({})).await;
    world.creates_project("p", json!({})).await;
    let task =
        |id: &str, path: &str| json!({"to": "task", "id": id, "file_path": path, "branch": "main"});
    assert_eq!(why(world.promotes(draft.id, task("t", "new")).await), "Task t already exists");
    assert_eq!(
        why(world.promotes(draft.id, task("new", "t")).await),
        "A task with file_path t already exists in this scope"
    );
    let unknown = with(task("new", "new"), json!({"project_id": "none"}));
    assert_eq!(why(world.promotes(draft.id, unknown).await), "Unknown project 'none'");
    let project = json!({"to": "project", "id": "p", "branch": "b"});
    assert_eq!(why(world.promotes(draft.id, project).await), "Project p already exists");
    let other = with(task("new", "new"), json!({"scope": "x"}));
    assert_eq!(why(world.promotes(draft.id, other).await), "Draft 1 not found");
    assert_eq!(why(world.promotes(2, task("new", "new")).await), "Draft 2 not found");
    assert_eq!(world.store.get_draft(draft.id, None).await.unwrap(), draft);
    assert!(world.store.get_task("new", None).await.is_err());
}

#[tokio::test]
async fn of_many_promotions_of_one_draft_one_succeeds() {
    let world = World::new().await;
    let draft = world.creates_draft(json!({})).await;
    let tries = (0..16).map(|n| {
        let world = world.clone();
        tokio::spawn(async move {
            let id = format!("n{n}");
            let body = if n % 2 == 0 {
                json!({"to": "task", "id": id, "file_path": id, "branch": "main"})
            } else {
                json!({"to": "project", "id": id, "branch": "b"})
            };
            world.promotes(draft.id, body).await
        })
    });
    let (mut promoted, mut refused) = (0, 0);
    for answer in tries.collect::<Vec<_>>() {
        match answer.await.unwrap() {
            Ok(_) => promoted += 1,
            Err(error) => {
                assert!(error.to_string().starts_with("Draft 1 is linked to "), "{error}");
                refused += 1;
            }
        }
    }
    assert_eq!((promoted, refused), (1, 15));
    let filter = lists::Filter { scope: "s".to_owned(), ..Default::default() };
    let tasks = world.store.list_tasks(&filter, PAGE).await.unwrap().total;
    let projects = world.store.list_projects(&projects::Filter::default(), PAGE).await.unwrap();
    assert_eq!(tasks + projects.total, 1);
}
