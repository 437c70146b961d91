//! Changing fields.

use octopoid_domain::{Claim, Millis, Task};
use serde_json::{Value, json};

use crate::{
    Verdict, World, ensure, ensure_eq, ensure_refused,
    setting::Flow,
    world::{AGENT, SCOPE, SECOND},
};

cases! {
    an_edit_changes_what_it_mentions_and_nothing_else,
    an_edit_clears_what_it_mentions_as_null,
    an_edit_takes_every_field_clients_send,
    an_edit_is_told_with_its_fields,
    an_edit_that_moves_the_task_tells_from_where_to_where,
    an_edit_of_nothing_is_refused,
    an_edit_to_done_is_refused,
    an_edit_cannot_empty_queue_or_branch,
    an_edit_to_failed_takes_the_task_from_its_agent,
    an_edit_to_failed_keeps_what_it_mentions,
    an_edit_out_of_done_reopens_the_task,
    an_edit_asks_only_whether_the_flow_has_the_queue,
    an_edit_of_another_version_is_refused,
    an_edit_of_an_unknown_task_is_refused,
    an_edit_takes_only_a_project_of_the_scope,
    an_edit_of_a_claimed_task_leaves_the_claim_alone,
    a_hooks_evidence_is_kept_with_the_hook,
    a_hooks_evidence_needs_the_hook,
}

async fn an_edit_changes_what_it_mentions_and_nothing_else(world: &World) -> Verdict {
    let before = world.creates_with("a", json!({ "content": "c", "role": "r" })).await?;
    world.passes(SECOND);
    let body = json!({ "title": "new", "scope": "ignored", "id": "b", "unknown": 1 });
    let expected =
        Task { title: Some("new".to_owned()), updated_at: world.now(), version: 2, ..before };
    ensure_eq!(world.patches("a", body).await?, expected, "the task");
    Ok(())
}

async fn an_edit_clears_what_it_mentions_as_null(world: &World) -> Verdict {
    let fields = json!({
        "title": "t", "complexity": "XL", "role": "r", "type": "t", "content": "c", "hooks": "h",
    });
    world.creates_with("a", fields).await?;
    let nulls = json!({
        "title": null, "complexity": null, "role": null, "type": null, "content": null,
        "hooks": null, "priority": null, "flow": null, "commits_count": null,
    });
    let task = world.patches("a", nulls).await?;
    let texts = [
        task.title,
        task.complexity,
        task.role,
        task.kind,
        task.content,
        task.hooks,
        task.priority,
        task.flow,
    ];
    ensure_eq!(texts.map(|text| text.is_some()), [false; 8], "the texts are gone");
    ensure_eq!(task.commits_count, None, "and the count");
    Ok(())
}

async fn an_edit_takes_every_field_clients_send(world: &World) -> Verdict {
    let before = world.creates("a").await?;
    let at = |seconds: i64| Some(Millis(1_772_445_600_000 + seconds * SECOND));
    let text = |text: &str| Some(text.to_owned());
    let body = json!({
        "priority": "P0", "complexity": "S", "role": "r", "type": "t", "branch": "b",
        "claimed_by": "me", "claimed_at": "2026-03-02 10:00:01",
        "lease_expires_at": "2026-03-02T10:00:02Z", "commits_count": 1, "turns_used": 2,
        "attempt_count": 3, "rejection_count": 4, "has_plan": true, "plan_id": "p",
        "auto_accept": 1, "pr_number": 5, "pr_url": "https://x", "checks": ["c"],
        "check_results": {"c": 1}, "needs_rebase": "true", "last_rebase_attempt_at": "yesterday",
        "staging_url": "https://y", "submitted_at": "2026-03-02T10:00:03Z",
        "completed_at": "2026-03-02T10:00:04Z", "hooks": [], "flow": "f", "flow_overrides": {},
        "content": "c", "needs_intervention": 1, "execution_notes": "n", "queue": "backlog",
    });
    let expected = Task {
        priority: text("P0"),
        complexity: text("S"),
        role: text("r"),
        kind: text("t"),
        branch: "b".to_owned(),
        claim: Claim { by: text("me"), at: at(1), expires_at: at(2), ..before.claim },
        commits_count: Some(1),
        turns_used: Some(2),
        attempt_count: Some(3),
        rejection_count: Some(4),
        has_plan: true,
        plan_id: text("p"),
        auto_accept: true,
        pr_number: Some(5),
        pr_url: text("https://x"),
        checks: text(r#"["c"]"#),
        check_results: text(r#"{"c":1}"#),
        needs_rebase: true,
        last_rebase_attempt_at: text("yesterday"),
        staging_url: text("https://y"),
        submitted_at: at(3),
        completed_at: at(4),
        hooks: None,
        flow: text("f"),
        flow_overrides: text("{}"),
        content: text("c"),
        needs_intervention: true,
        execution_notes: text("n"),
        queue: "backlog".to_owned(),
        version: 2,
        ..before
    };
    ensure_eq!(world.patches("a", body).await?, expected, "all of them");
    Ok(())
}

/// The details of the last event of a task.
async fn told(world: &World, id: &str) -> octopoid_store::Result<(String, Value)> {
    let last = world.history(id).await?.pop();
    let (event, details) = last.map(|event| (event.event, event.details)).unwrap_or_default();
    let details = serde_json::from_str(&details.unwrap_or_default()).unwrap_or_default();
    Ok((event, details))
}

async fn an_edit_is_told_with_its_fields(world: &World) -> Verdict {
    world.creates("a").await?;
    world.patches("a", json!({ "turns_used": 5, "title": "new" })).await?;
    let (event, details) = told(world, "a").await?;
    ensure_eq!(event, "edited", "the event");
    let fields: &[Value] = details["fields"].as_array().map_or(&[], Vec::as_slice);
    let names_both = ["turns_used", "title"].iter().all(|&field| fields.contains(&field.into()));
    ensure!(names_both && fields.len() == 2, "title and turns_used are told: {details}");
    Ok(())
}

async fn an_edit_that_moves_the_task_tells_from_where_to_where(world: &World) -> Verdict {
    world.creates("a").await?;
    world.patches("a", json!({ "queue": "backlog" })).await?;
    let expected = json!({ "fields": ["queue"], "from": "incoming", "to": "backlog" });
    ensure_eq!(told(world, "a").await?.1, expected, "its details");
    Ok(())
}

async fn an_edit_of_nothing_is_refused(world: &World) -> Verdict {
    let before = world.creates("a").await?;
    for body in [
        json!({}),
        json!({ "scope": SCOPE }),
        json!({ "version": 1 }),
        json!({ "file_path": "b", "review_round": 1, "needs_breakdown": true }),
        json!([]),
    ] {
        for id in ["a", "nothing"] {
            let answer = world.patches(id, body.clone()).await;
            ensure_refused!(answer, "invalid_request", "No fields to update");
        }
    }
    ensure_eq!(world.reads("a").await?, before, "it stays as it was");
    Ok(())
}

async fn an_edit_to_done_is_refused(world: &World) -> Verdict {
    let before = world.creates("a").await?;
    let words = "Cannot set queue to \"done\" via PATCH. \
                 Use POST /api/v1/tasks/:id/accept instead.";
    for id in ["a", "nothing"] {
        let answer = world.patches(id, json!({ "queue": "done", "title": "t" })).await;
        ensure_refused!(answer, "invalid_request", words);
    }
    ensure_eq!(world.reads("a").await?, before, "it stays as it was");
    Ok(())
}

async fn an_edit_cannot_empty_queue_or_branch(world: &World) -> Verdict {
    let before = world.creates("a").await?;
    for field in ["queue", "branch"] {
        for nothing in [json!(null), json!("")] {
            let answer = world.patches("a", json!({ field: nothing, "title": "t" })).await;
            ensure_refused!(answer, "invalid_request");
        }
    }
    ensure_eq!(world.reads("a").await?, before, "it stays as it was");
    Ok(())
}

async fn an_edit_to_failed_takes_the_task_from_its_agent(world: &World) -> Verdict {
    world.works_on("a").await?;
    let task = world.patches("a", json!({ "queue": "failed" })).await?;
    ensure_eq!(task.queue, "failed", "the queue");
    ensure_eq!(task.claim.by, None, "no agent");
    ensure_eq!(task.claim.expires_at, None, "no lease");
    ensure!(task.claim.at.is_some(), "when it was claimed is kept");
    Ok(())
}

async fn an_edit_to_failed_keeps_what_it_mentions(world: &World) -> Verdict {
    world.works_on("a").await?;
    let body = json!({ "queue": "failed", "claimed_by": "culprit" });
    let task = world.patches("a", body).await?;
    ensure_eq!(task.claim.by.as_deref(), Some("culprit"), "the agent that was named");
    ensure_eq!(task.claim.expires_at, None, "but no lease");
    Ok(())
}

async fn an_edit_out_of_done_reopens_the_task(world: &World) -> Verdict {
    world.hands_in("a").await?;
    let done = world.accepts("a").await?;
    let task = world.patches("a", json!({ "queue": "incoming" })).await?;
    ensure_eq!(task.completed_at, None, "it is not finished any more");
    ensure_eq!(task.submitted_at, done.submitted_at, "it was submitted once");
    world.picks("a").await?;
    Ok(())
}

async fn an_edit_asks_only_whether_the_flow_has_the_queue(world: &World) -> Verdict {
    world.registers(Flow::default()).await?;
    world.creates("a").await?;
    let words = "Invalid queue \"escalated\". Valid queues for flow \"default\": \
                 incoming, claimed, done, failed, provisional";
    let answer = world.patches("a", json!({ "queue": "escalated" })).await;
    ensure_refused!(answer, "invalid_queue", words);
    for queue in ["failed", "provisional", "claimed", "incoming"] {
        world.patches("a", json!({ "queue": queue })).await?;
    }
    Ok(())
}

async fn an_edit_of_another_version_is_refused(world: &World) -> Verdict {
    let before = world.works_on("a").await?;
    // As a client's reaper that has not seen the latest change.
    let stale = json!({ "queue": "incoming", "claimed_by": null, "version": 1 });
    let words = "Failed to update task: Version mismatch: expected 1, found 2";
    ensure_refused!(world.patches("a", stale).await, "version_conflict", words);
    ensure_eq!(world.reads("a").await?, before, "it stays as it was");
    let current = json!({ "title": "t", "version": 2 });
    ensure_eq!(world.patches("a", current).await?.version, 3, "the version rises");
    Ok(())
}

async fn an_edit_of_an_unknown_task_is_refused(world: &World) -> Verdict {
    let answer = world.patches("nothing", json!({ "title": "t" })).await;
    ensure_refused!(answer, "task_not_found", "Task not found");
    ensure!(world.events("nothing").await?.is_empty(), "no history");
    Ok(())
}

async fn an_edit_takes_only_a_project_of_the_scope(world: &World) -> Verdict {
    world.makes_project("ours", "b", Some(SCOPE)).await?;
    world.makes_project("theirs", "b", Some("other")).await?;
    world.makes_project("everyones", "b", None).await?;
    world.creates("a").await?;
    for project in ["theirs", "nobodys"] {
        let answer = world.patches("a", json!({ "project_id": project })).await;
        let words = format!("Unknown project '{project}'");
        ensure_refused!(answer, "invalid_request", words);
    }
    for project in [Some("ours"), Some("everyones"), None] {
        let task = world.patches("a", json!({ "project_id": project })).await?;
        ensure_eq!(task.project_id.as_deref(), project, "its project");
        ensure_eq!(task.branch, "main", "a later project lends no branch");
    }
    Ok(())
}

async fn an_edit_of_a_claimed_task_leaves_the_claim_alone(world: &World) -> Verdict {
    let held = world.works_on("a").await?;
    let task = world.patches("a", json!({ "content": "more", "pr_number": 7 })).await?;
    let claim = |task: &Task| {
        let by = (task.claim.by.clone(), task.claim.orchestrator_id.clone());
        (by, task.claim.at, task.claim.expires_at)
    };
    ensure_eq!(claim(&task), claim(&held), "the claim");
    let report = json!({ "commits_count": 0, "turns_used": 0, "agent_name": AGENT });
    world.submits_with("a", report).await?;
    Ok(())
}

async fn a_hooks_evidence_is_kept_with_the_hook(world: &World) -> Verdict {
    let hooks = json!([{"name": "lint", "z": 1}, {"name": "tests"}, {"name": "tests"}]);
    world.creates_with("a", json!({ "hooks": hooks })).await?;
    let body = json!({ "status": "passed", "evidence": {"log": "ok"} });
    let task = world.completes_hook("a", "tests", body).await?;
    let expected = json!([
        {"name": "lint", "z": 1},
        {"name": "tests", "status": "passed", "evidence": {"log": "ok"}},
        {"name": "tests"},
    ]);
    ensure_eq!(task.hooks, Some(expected.to_string()), "the first hook of that name");
    ensure_eq!(task.version, 2, "the version rises");
    let (event, details) = told(world, "a").await?;
    ensure_eq!(event, "hook_completed", "the event");
    ensure_eq!(details, json!({ "hook": "tests", "status": "passed" }), "its details");
    let task = world.completes_hook("a", "lint", json!({ "status": "failed" })).await?;
    let hooks = task.hooks.unwrap_or_default();
    let expected = r#"[{"name":"lint","z":1,"status":"failed"},"#;
    ensure!(hooks.starts_with(expected), "without evidence: {hooks}");
    Ok(())
}

async fn a_hooks_evidence_needs_the_hook(world: &World) -> Verdict {
    world.creates_with("none", json!({})).await?;
    world.creates_with("other", json!({ "hooks": [{"name": "lint"}] })).await?;
    world.creates_with("broken", json!({ "hooks": "{" })).await?;
    let passed = json!({ "status": "passed" });
    for id in ["none", "other"] {
        let answer = world.completes_hook(id, "tests", passed.clone()).await;
        ensure_refused!(answer, "not_found", "Hook 'tests' not found on task");
    }
    let answer = world.completes_hook("broken", "tests", passed.clone()).await;
    ensure_refused!(answer, "invalid_request", "Invalid hooks data on task");
    let answer = world.completes_hook("nothing", "tests", passed).await;
    ensure_refused!(answer, "task_not_found");
    ensure_eq!(world.reads("broken").await?.version, 1, "nothing changed");
    Ok(())
}
