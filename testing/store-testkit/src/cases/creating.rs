//! Creating tasks.

use octopoid_domain::{Millis, Task, task::NewTask};
use serde_json::json;

use crate::{
    Verdict, World, ensure, ensure_eq, ensure_refused,
    world::{SCOPE, START, read},
};

cases! {
    a_task_that_says_no_more_than_it_must_has_the_defaults,
    a_task_keeps_every_field_it_was_given,
    a_task_keeps_the_trace_in_which_it_was_created,
    a_task_may_be_created_in_any_queue,
    a_task_must_name_itself_its_branch_and_its_scope,
    an_id_is_unique_across_scopes_and_a_duplicate_leaves_no_trace,
    a_file_path_is_unique_in_its_scope_only,
    a_number_is_read_as_the_id_it_spells,
    a_priority_in_small_letters_is_the_priority,
    a_role_must_be_registered_where_roles_are,
    a_queue_must_be_one_of_the_flows,
    a_project_lends_its_branch,
    a_project_of_no_scope_is_open_to_every_scope,
    a_project_must_exist_in_the_tasks_scope,
}

async fn a_task_that_says_no_more_than_it_must_has_the_defaults(world: &World) -> Verdict {
    let expected = Task {
        id: "a".to_owned(),
        file_path: "a.md".to_owned(),
        queue: "incoming".to_owned(),
        priority: Some("P2".to_owned()),
        branch: "main".to_owned(),
        commits_count: Some(0),
        attempt_count: Some(0),
        rejection_count: Some(0),
        review_round: Some(0),
        created_at: START,
        updated_at: START,
        version: 1,
        title: Some("a".to_owned()),
        flow: Some("default".to_owned()),
        scope: SCOPE.to_owned(),
        ..Task::default()
    };
    ensure_eq!(world.creates("a").await?, expected, "a fresh task");
    let history = world.history("a").await?;
    ensure_eq!(history.len(), 1, "one event");
    ensure_eq!(history[0].event, "created", "the event");
    ensure_eq!(history[0].timestamp, START, "when it happened");
    Ok(())
}

async fn a_task_keeps_every_field_it_was_given(world: &World) -> Verdict {
    world.passes(1);
    let task = world
        .creates_with(
            "a",
            json!({
                "title": "Title", "priority": "P0", "complexity": "XL", "role": "implement",
                "type": "hotfix", "hooks": [{"name": "tests"}], "flow_overrides": {"b": 1, "a": 2},
                "content": "long \u{1f419} text", "auto_accept": true, "flow": "other",
                "blocked_by": "x",
            }),
        )
        .await?;
    let text = |text: &str| Some(text.to_owned());
    ensure_eq!(task.title, text("Title"), "title");
    ensure_eq!(task.priority, text("P0"), "priority");
    ensure_eq!(task.complexity, text("XL"), "complexity");
    ensure_eq!(task.role, text("implement"), "role");
    ensure_eq!(task.kind, text("hotfix"), "type");
    ensure_eq!(task.hooks, text(r#"[{"name":"tests"}]"#), "hooks");
    ensure_eq!(task.flow_overrides, text(r#"{"b":1,"a":2}"#), "overrides");
    ensure_eq!(task.content, text("long \u{1f419} text"), "content");
    ensure!(task.auto_accept, "auto_accept is kept");
    ensure_eq!(task.flow, text("other"), "flow");
    ensure_eq!(task.blocked_by, text("x"), "blocked_by");
    ensure_eq!(task.created_at, Millis(START.0 + 1), "created_at");
    Ok(())
}

async fn a_task_keeps_the_trace_in_which_it_was_created(world: &World) -> Verdict {
    let trace = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    let body = json!({ "id": "a", "file_path": "a", "branch": "main", "scope": SCOPE });
    let new = read::<NewTask>(&body)?.into_task(None, world.now())?;
    let new = Task { traceparent: trace.clone(), ..new };
    let created = world.store.create_task(new, None, world.stamp()).await?;
    ensure_eq!(created.traceparent, trace, "in the answer");
    let claimed = world.claims().await?.map(|task| task.traceparent);
    ensure_eq!(claimed, Some(trace.clone()), "in the claim");
    world.submits("a").await?;
    world.accepts("a").await?;
    let done = world.store.get_task("a", None).await?;
    ensure_eq!(done.traceparent, trace, "when it is done");
    Ok(())
}

async fn a_task_may_be_created_in_any_queue(world: &World) -> Verdict {
    for queue in ["claimed", "provisional", "done", "failed", "anything"] {
        let task = world.creates_with(queue, json!({ "queue": queue })).await?;
        ensure_eq!(task.queue, queue, "the queue asked for");
        ensure_eq!(task.claim.expires_at, None, "nobody holds it");
    }
    Ok(())
}

async fn a_task_must_name_itself_its_branch_and_its_scope(world: &World) -> Verdict {
    for (field, words) in [
        ("id", "Missing required fields: id, file_path"),
        ("file_path", "Missing required fields: id, file_path"),
        ("branch", "Missing required field: branch. Caller must set branch explicitly."),
        ("scope", "Missing required field: scope. All tasks must belong to a scope."),
    ] {
        for falsy in [json!(null), json!("")] {
            let mut fields = json!({});
            fields[field] = falsy;
            let answer = world.creates_with("a", fields).await;
            ensure_refused!(answer, "invalid_request", words);
        }
    }
    ensure_refused!(world.reads("a").await, "task_not_found");
    Ok(())
}

async fn an_id_is_unique_across_scopes_and_a_duplicate_leaves_no_trace(world: &World) -> Verdict {
    let first = world.creates("a").await?;
    for scope in [SCOPE, "other"] {
        let fields = json!({ "file_path": "b.md", "scope": scope, "title": "another" });
        let answer = world.creates_with("a", fields).await;
        ensure_refused!(answer, "already_exists", "Task a already exists");
    }
    ensure_eq!(world.reads("a").await?, first, "the first stays as it was");
    ensure_eq!(world.events("a").await?, ["created"], "history tells of one");
    // The path was not taken by the refused ones.
    world.creates("b").await?;
    Ok(())
}

async fn a_file_path_is_unique_in_its_scope_only(world: &World) -> Verdict {
    world.creates("a").await?;
    let answer = world.creates_with("b", json!({ "file_path": "a.md" })).await;
    ensure_refused!(
        answer,
        "already_exists",
        "A task with file_path a.md already exists in this scope"
    );
    ensure_eq!(world.events("b").await?, [""; 0], "the refused one has no history");
    let other = json!({ "file_path": "a.md", "scope": "other" });
    world.creates_with("b", other).await?;
    Ok(())
}

async fn a_number_is_read_as_the_id_it_spells(world: &World) -> Verdict {
    let fields = json!({ "id": 12_345, "blocked_by": 5 });
    let task = world.creates_with("a", fields).await?;
    ensure_eq!(task.id, "12345", "the id");
    ensure_eq!(task.blocked_by.as_deref(), Some("5"), "the blocker's id");
    Ok(())
}

async fn a_role_must_be_registered_where_roles_are(world: &World) -> Verdict {
    world.creates_with("a", json!({ "role": "anything" })).await?;
    world.registers_role("other", "cook", "incoming").await?;
    world.creates_with("b", json!({ "role": "anything" })).await?;
    world.registers_role(SCOPE, "review", "incoming").await?;
    world.registers_role(SCOPE, "implement", "incoming").await?;
    let answer = world.creates_with("c", json!({ "role": "cook" })).await;
    let words = "Unknown role 'cook'. Registered roles: implement, review";
    ensure_refused!(answer, "unknown_role", words);
    world.creates_with("d", json!({ "role": "review" })).await?;
    world.creates("e").await?;
    Ok(())
}

async fn a_queue_must_be_one_of_the_flows(world: &World) -> Verdict {
    world.registers(crate::setting::Flow::default()).await?;
    let answer = world.creates_with("a", json!({ "queue": "backlog" })).await;
    let words = "Invalid queue \"backlog\". Valid queues for flow \"default\": \
                 incoming, claimed, done, failed, provisional";
    ensure_refused!(answer, "invalid_queue", words);
    world.creates_with("a", json!({ "queue": "provisional" })).await?;
    // Neither a flow that nobody registered nor one of another scope has a say.
    let other_flow = json!({ "queue": "backlog", "flow": "other" });
    world.creates_with("b", other_flow).await?;
    let other_scope = json!({ "queue": "backlog", "scope": "other" });
    world.creates_with("c", other_scope).await?;
    Ok(())
}

async fn a_project_lends_its_branch(world: &World) -> Verdict {
    world.makes_project("p", "feature", Some(SCOPE)).await?;
    world.makes_project("bare", "gone", Some(SCOPE)).await?;
    let no_branch = read(&json!({ "branch": null }))?;
    world.store.update_project("bare", None, no_branch, world.stamp()).await?;
    let task = world.creates_with("a", json!({ "project_id": "p" })).await?;
    ensure_eq!(task.branch, "feature", "the project's branch");
    ensure_eq!(task.project_id.as_deref(), Some("p"), "its project");
    let task = world.creates_with("b", json!({ "project_id": "bare" })).await?;
    ensure_eq!(task.branch, "main", "its own branch, as the project has none");
    Ok(())
}

async fn a_priority_in_small_letters_is_the_priority(world: &World) -> Verdict {
    for (id, priority, stored) in [("a", "p3", "P3"), ("b", "p0", "P0"), ("c", "p1x", "p1x")] {
        let task = world.creates_with(id, json!({ "priority": priority })).await?;
        ensure_eq!(task.priority.as_deref(), Some(stored), "as it is stored");
    }
    let task = world.patches("c", json!({ "priority": "p1" })).await?;
    ensure_eq!(task.priority.as_deref(), Some("P1"), "by an edit");
    ensure_eq!(world.drains(json!({})).await?, ["b", "c", "a"], "the most urgent first");
    Ok(())
}

async fn a_project_of_no_scope_is_open_to_every_scope(world: &World) -> Verdict {
    world.makes_project("p", "feature", None).await?;
    for scope in [SCOPE, "other"] {
        let fields = json!({ "project_id": "p", "scope": scope });
        let task = world.creates_with(scope, fields).await?;
        ensure_eq!(task.branch, "feature", "the project's branch");
    }
    Ok(())
}

async fn a_project_must_exist_in_the_tasks_scope(world: &World) -> Verdict {
    world.makes_project("theirs", "b", Some("other")).await?;
    for project in ["theirs", "nobodys"] {
        let answer = world.creates_with("a", json!({ "project_id": project })).await;
        let words = format!("Unknown project '{project}'");
        ensure_refused!(answer, "invalid_request", words);
    }
    ensure_eq!(world.events("a").await?, [""; 0], "no history of it");
    world.creates("a").await?;
    Ok(())
}
