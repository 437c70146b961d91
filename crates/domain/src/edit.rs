//! Changing a task's fields: partial updates and the evidence of hooks.

use serde_json::{Value, json};

use crate::{
    blockers::{blockers_text, check_blockers, check_not_itself},
    change::{Change, check_version},
    decide::{Situation, released_by_client},
    event::{Kind, NewEvent},
    flow::{Rules, check_queue},
    input::{Patch, PatchText},
    json::kept_json,
    limits::{TITLE_BYTES_MAX, URL_BYTES_MAX, check_each, check_keys, check_lane},
    queue,
    refusal::Refusal,
    step::Step,
    steps::CompleteHook,
    task::{Task, TaskPatch, lease_end, priority},
    text::shown,
};

/// Applies a partial update.
pub(crate) fn update(
    change: &mut Change,
    at: &Situation<'_>,
    patch: &TaskPatch,
) -> Result<(), Refusal> {
    check(&change.task, patch, at.rules)?;
    let now = at.now;
    let task = &mut change.task;
    let from = task.queue.clone();
    // Declaring a task failed takes it from its agent, unless the body says otherwise.
    if patch.queue.value().is_some_and(|queue| queue.0 == queue::FAILED) {
        if patch.claimed_by.is_absent() {
            task.claim.by = None;
        }
        if patch.lease_expires_at.is_absent() {
            task.claim.expires_at = None;
        }
    }
    let work = apply_work(task, patch);
    let rest = apply_rest(task, patch);
    if !patch.priority.is_absent() {
        task.priority = task.priority.take().map(priority);
    }
    check_mentions(&work, &rest)?;
    if let Some(end) = patch.lease_expires_at.value() {
        task.claim.expires_at = Some(lease_end(*end, now));
    }
    task.blocked_by = task.blocked_by.as_deref().and_then(blockers_text);
    check_not_itself(&task.id, task.blocked_by.as_deref())?;
    task.not_before = task.not_before.filter(|instant| *instant > now);
    released_by_client(change, at, patch);
    let task = &mut change.task;
    let is_edit = !rest.is_empty();
    let fields = [work, rest].concat();
    let mut details = json!({ "fields": fields });
    if task.queue != from {
        details["from"] = from.into();
        details["to"] = task.queue.clone().into();
    }
    change.is_edit = is_edit;
    change.events.push(NewEvent::new(Kind::Edited, None).with(details.to_string()));
    Ok(())
}

/// The refusals that need no task, in the contract's order. They come before "not found".
pub(crate) fn check_patch(patch: &TaskPatch) -> Result<(), Refusal> {
    check_required(patch)?;
    check_keys(&[
        ("queue", &patch.queue),
        ("branch", &patch.branch),
        ("priority", &patch.priority),
        ("complexity", &patch.complexity),
        ("role", &patch.role),
        ("type", &patch.kind),
        ("claimed_by", &patch.claimed_by),
        ("plan_id", &patch.plan_id),
        ("project_id", &patch.project_id),
        ("last_rebase_attempt_at", &patch.last_rebase_attempt_at),
        ("flow", &patch.flow),
    ])?;
    check_each(TITLE_BYTES_MAX, &[("title", &patch.title)])?;
    check_each(URL_BYTES_MAX, &[("pr_url", &patch.pr_url), ("staging_url", &patch.staging_url)])?;
    check_lane("role", text(&patch.role))?;
    check_lane("type", text(&patch.kind))?;
    let list = patch.blocked_by.value().and_then(|list| list.0.as_deref());
    check_blockers(list.unwrap_or_default())
}

fn text(field: &PatchText) -> Option<&str> {
    field.value().map(|text| &*text.0)
}

fn check_required(patch: &TaskPatch) -> Result<(), Refusal> {
    match &patch.queue {
        Patch::Set(queue) if queue.0 == queue::DONE => {
            return Err(Refusal::invalid(
                "Cannot set queue to \"done\" via PATCH. Use POST /api/v1/tasks/:id/accept instead.",
            ));
        }
        Patch::Set(queue) if queue.0.is_empty() => {
            return Err(Refusal::invalid("queue must not be empty"));
        }
        Patch::Null => return Err(Refusal::invalid("queue must not be null")),
        Patch::Set(_) | Patch::Absent => {}
    }
    match &patch.branch {
        Patch::Null => Err(Refusal::invalid("branch must not be null")),
        Patch::Set(branch) if branch.0.is_empty() => {
            Err(Refusal::invalid("branch must not be empty"))
        }
        Patch::Set(_) | Patch::Absent => Ok(()),
    }
}

/// Refuses a patch that mentions no field that can be changed.
pub(crate) fn check_some(patch: &TaskPatch) -> Result<(), Refusal> {
    let task = &mut Task::default();
    check_mentions(&apply_work(task, patch), &apply_rest(task, patch))
}

fn check_mentions(work: &[&str], rest: &[&str]) -> Result<(), Refusal> {
    if work.is_empty() && rest.is_empty() {
        return Err(Refusal::invalid("No fields to update"));
    }
    Ok(())
}

fn check(task: &Task, patch: &TaskPatch, rules: Option<&Rules>) -> Result<(), Refusal> {
    check_patch(patch)?;
    if let Some(queue) = patch.queue.value() {
        check_queue(&queue.0, rules, task.project_id.is_some())?;
    }
    check_version(task, Step::Update, patch.version.value().map(|version| version.0))
}

/// The names of the fields that the body mentions.
fn mentioned<const N: usize>(fields: [(&'static str, bool); N]) -> Vec<&'static str> {
    fields.into_iter().filter_map(|(field, is_mentioned)| is_mentioned.then_some(field)).collect()
}

/// Applies the fields that the state machine changes too, if they are present, and names them.
fn apply_work(task: &mut Task, patch: &TaskPatch) -> Vec<&'static str> {
    mentioned([
        ("queue", patch.queue.apply_or(&mut task.queue, String::new())),
        ("blocked_by", patch.blocked_by.apply_flat(&mut task.blocked_by)),
        ("claimed_by", patch.claimed_by.apply(&mut task.claim.by)),
        ("claimed_at", patch.claimed_at.apply(&mut task.claim.at)),
        ("lease_expires_at", patch.lease_expires_at.apply(&mut task.claim.expires_at)),
        ("commits_count", patch.commits_count.apply(&mut task.commits_count)),
        ("turns_used", patch.turns_used.apply(&mut task.turns_used)),
        ("attempt_count", patch.attempt_count.apply(&mut task.attempt_count)),
        ("rejection_count", patch.rejection_count.apply(&mut task.rejection_count)),
        ("check_results", patch.check_results.apply_flat(&mut task.check_results)),
        ("submitted_at", patch.submitted_at.apply(&mut task.submitted_at)),
        ("completed_at", patch.completed_at.apply(&mut task.completed_at)),
        (
            "needs_intervention",
            patch.needs_intervention.apply_or(&mut task.needs_intervention, false),
        ),
        ("execution_notes", patch.execution_notes.apply(&mut task.execution_notes)),
        ("not_before", patch.not_before.apply(&mut task.not_before)),
    ])
}

/// Applies all others.
fn apply_rest(task: &mut Task, patch: &TaskPatch) -> Vec<&'static str> {
    mentioned([
        ("title", patch.title.apply(&mut task.title)),
        ("priority", patch.priority.apply(&mut task.priority)),
        ("complexity", patch.complexity.apply(&mut task.complexity)),
        ("role", patch.role.apply(&mut task.role)),
        ("type", patch.kind.apply(&mut task.kind)),
        ("branch", patch.branch.apply_or(&mut task.branch, String::new())),
        ("has_plan", patch.has_plan.apply_or(&mut task.has_plan, false)),
        ("plan_id", patch.plan_id.apply_flat(&mut task.plan_id)),
        ("project_id", patch.project_id.apply_flat(&mut task.project_id)),
        ("auto_accept", patch.auto_accept.apply_or(&mut task.auto_accept, false)),
        ("pr_number", patch.pr_number.apply(&mut task.pr_number)),
        ("pr_url", patch.pr_url.apply(&mut task.pr_url)),
        ("checks", patch.checks.apply_flat(&mut task.checks)),
        ("needs_rebase", patch.needs_rebase.apply_or(&mut task.needs_rebase, false)),
        (
            "last_rebase_attempt_at",
            patch.last_rebase_attempt_at.apply(&mut task.last_rebase_attempt_at),
        ),
        ("staging_url", patch.staging_url.apply(&mut task.staging_url)),
        ("hooks", patch.hooks.apply_flat(&mut task.hooks)),
        ("flow", patch.flow.apply(&mut task.flow)),
        ("flow_overrides", patch.flow_overrides.apply_flat(&mut task.flow_overrides)),
        ("max_attempts", patch.max_attempts.apply_flat(&mut task.max_attempts)),
        ("content", patch.content.apply(&mut task.content)),
    ])
}

/// Notes a hook's evidence in the task's `hooks`.
pub(crate) fn complete_hook(
    change: &mut Change,
    name: &str,
    body: &CompleteHook,
) -> Result<(), Refusal> {
    check_hook(body)?;
    let missing = || Refusal::NotFound(format!("Hook '{}' not found on task", shown(name)));
    let text = change.task.hooks.as_deref().ok_or_else(missing)?;
    let mut hooks = kept_json(text)
        .filter(Value::is_array)
        .ok_or(Refusal::invalid("Invalid hooks data on task"))?;
    let hook = hooks
        .as_array_mut()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
        .find(|hook| hook.get("name").and_then(Value::as_str) == Some(name))
        .ok_or_else(missing)?;
    let status = body.status.0.clone().unwrap_or_default();
    hook.insert("status".to_owned(), status.clone().into());
    if !matches!(body.evidence, Value::Null | Value::Bool(false)) {
        hook.insert("evidence".to_owned(), body.evidence.clone());
    }
    let text = hooks.to_string();
    // The evidence is deeper in the hooks than it was in the body, and reading has a limit: text
    // past it would make every later report on the task fail.
    if serde_json::from_str::<Value>(&text).is_err() {
        return Err(Refusal::invalid("evidence is nested too deeply"));
    }
    change.task.hooks = Some(text);
    change.is_edit = true;
    let details = json!({ "hook": name, "status": status });
    change.events.push(NewEvent::new(Kind::HookCompleted, None).with(details.to_string()));
    Ok(())
}

/// Checks the report itself, which comes before looking for the task.
pub(crate) fn check_hook(body: &CompleteHook) -> Result<(), Refusal> {
    match body.status.0.as_deref() {
        Some("passed" | "failed") => Ok(()),
        _ => Err(Refusal::invalid("status must be \"passed\" or \"failed\"")),
    }
}
