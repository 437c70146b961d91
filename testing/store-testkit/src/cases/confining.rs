//! Callers whose key confines them to a scope: for them, other scopes' tasks are not there.

use octopoid_domain::{
    Task, decide::Request, input::parse_body, orchestrator::Registration, project::NewProject,
    task::NewTask,
};
use octopoid_store::lists::Page;
use serde_json::{Value, json};

use crate::{
    Verdict, World, ensure, ensure_eq, ensure_refused,
    verdict::{Failure, words},
    world::SCOPE,
};

cases! {
    a_confined_caller_works_in_its_own_scope,
    a_confined_caller_does_not_see_other_scopes,
    a_confined_caller_cannot_change_other_scopes,
    a_confined_caller_learns_nothing_from_a_refusal,
    a_confined_caller_joins_the_projects_of_its_scope_only,
    a_confined_caller_is_told_the_same_whoever_has_an_id,
}

async fn a_confined_caller_works_in_its_own_scope(world: &World) -> Verdict {
    world.creates("a").await?;
    let (store, within) = (&world.store, Some(SCOPE));
    store.get_task("a", within).await?;
    let patch = parse_body(br#"{"title":"t"}"#)?;
    store.update_task("a", within, patch, world.stamp()).await?;
    let forced = Request::ForceQueue(parse_body(br#"{"queue":"failed","reason":"r"}"#)?);
    store.change_task("a", within, &forced, world.stamp()).await?;
    store.delete_task("a", within, world.stamp()).await?;
    let told = store.task_history("a", within, &Page::first(10)).await?.items;
    ensure_eq!(told.len(), 4, "its whole history, also after the end");
    Ok(())
}

async fn a_confined_caller_does_not_see_other_scopes(world: &World) -> Verdict {
    world.creates("a").await?;
    let within = Some("other");
    ensure_refused!(world.store.get_task("a", within).await, "task_not_found");
    let told = world.store.task_history("a", within, &Page::first(10)).await?.items;
    ensure!(told.is_empty(), "no history");
    world.deletes("a").await?;
    let told = world.store.task_history("a", within, &Page::first(10)).await?.items;
    ensure!(told.is_empty(), "nor that of a deleted task");
    Ok(())
}

async fn a_confined_caller_cannot_change_other_scopes(world: &World) -> Verdict {
    let held = world.works_on("a").await?;
    let (store, within) = (&world.store, Some("other"));
    let requests = [
        Request::Submit(parse_body(br#"{"commits_count":1,"turns_used":1}"#)?),
        Request::Accept(parse_body(br#"{"accepted_by":"me"}"#)?),
        Request::Reject(parse_body(br#"{"reason":"r","rejected_by":"me"}"#)?),
        Request::Requeue(parse_body(b"{}")?),
        Request::ForceQueue(parse_body(br#"{"queue":"done","reason":"r"}"#)?),
        Request::CompleteHook("h".to_owned(), parse_body(br#"{"status":"passed"}"#)?),
    ];
    for request in requests {
        let answer = store.change_task("a", within, &request, world.stamp()).await;
        ensure_refused!(answer, "task_not_found");
    }
    let patch = parse_body(br#"{"title":"t"}"#)?;
    let answer = store.update_task("a", within, patch, world.stamp()).await;
    ensure_refused!(answer, "task_not_found");
    let answer = store.delete_task("a", within, world.stamp()).await;
    ensure_refused!(answer, "task_not_found");
    ensure_eq!(world.reads("a").await?, held, "it stays as it was");
    ensure_eq!(world.events("a").await?, ["created", "claimed"], "no event");
    Ok(())
}

/// Whether the task of another scope exists must not show in the words.
async fn a_confined_caller_learns_nothing_from_a_refusal(world: &World) -> Verdict {
    world.creates("a").await?;
    let mut told = Vec::new();
    for id in ["a", "nothing"] {
        let patch = parse_body(json!({ "queue": "x", "version": 7 }).to_string().as_bytes())?;
        let answer = world.store.update_task(id, Some("other"), patch, world.stamp()).await;
        told.push(words(&answer));
    }
    ensure_eq!(told[0], told[1], "the same words for both");
    Ok(())
}

/// A project of no scope is for those who may see it.
async fn a_confined_caller_joins_the_projects_of_its_scope_only(world: &World) -> Verdict {
    for (id, scope) in [("own", Some(SCOPE)), ("theirs", Some("other")), ("nobodys", None)] {
        world.makes_project(id, "feature", scope).await?;
    }
    let (store, within) = (&world.store, Some(SCOPE));
    let new = |id: &str, project: Option<&str>| {
        let fields = json!({ "id": id, "file_path": id, "project_id": project });
        new_task(world, SCOPE, fields)
    };
    store.create_task(new("a", None)?, within, world.stamp()).await?;
    for project in ["theirs", "nobodys", "nothing"] {
        let unknown = format!("Unknown project '{project}'");
        let answer = store.create_task(new("b", Some(project))?, within, world.stamp()).await;
        ensure_eq!(words(&answer), unknown, "by creating");
        let patch = parse_body(json!({ "project_id": project }).to_string().as_bytes())?;
        let answer = store.update_task("a", within, patch, world.stamp()).await;
        ensure_eq!(words(&answer), unknown, "by an update");
    }
    let task = store.create_task(new("b", Some("own"))?, within, world.stamp()).await?;
    ensure_eq!(task.branch, "feature", "its own project's branch");
    let patch = parse_body(br#"{"project_id":"own"}"#)?;
    store.update_task("a", within, patch, world.stamp()).await?;
    Ok(())
}

/// An id is refused if anybody has it, in words that do not tell who.
async fn a_confined_caller_is_told_the_same_whoever_has_an_id(world: &World) -> Verdict {
    let mut told = [Vec::new(), Vec::new()];
    for ((scope, id), told) in [(SCOPE, "own"), ("other", "any")].into_iter().zip(&mut told) {
        // In the own scope only another pair can have the orchestrator's id.
        let other = if scope == SCOPE { ("c-x", id.to_owned()) } else { ("c", format!("x-{id}")) };
        let ours = ("c", format!("x-{id}"));
        for (within, (cluster, machine), path) in [(scope, other, "a"), (SCOPE, ours, "b")] {
            for answer in [
                registers(world, within, cluster, &machine).await?,
                makes_project(world, within, id).await?,
                creates(world, within, id, &format!("{id}-{path}")).await?,
            ] {
                told.push(answer.replace(id, "it"));
            }
        }
    }
    ensure_eq!(told[0], told[1], "the same words for both");
    ensure!(told[0][3..].iter().all(|words| words.contains("already")), "they are refused");
    Ok(())
}

/// What a confined caller is told who registers a machine.
async fn registers(
    world: &World,
    within: &str,
    cluster: &str,
    machine: &str,
) -> Result<String, Failure> {
    let body = json!({ "cluster": cluster, "machine_id": machine }).to_string();
    let new: Registration = parse_body(body.as_bytes())?;
    let new = new.into_orchestrator(Some(within), world.now()).map_err(Failure::new)?;
    let hash = format!("hash of {cluster} and {machine} in {within}");
    let answer = world.store.register_orchestrator(&new, &hash, Some(within), world.stamp()).await;
    Ok(words(&answer))
}

/// What a confined caller is told who makes a project.
async fn makes_project(world: &World, within: &str, id: &str) -> Result<String, Failure> {
    let body = json!({ "id": id, "title": "t", "branch": "b" }).to_string();
    let new: NewProject = parse_body(body.as_bytes())?;
    let new = new.into_project(Some(within), world.now()).map_err(Failure::new)?;
    Ok(words(&world.store.create_project(new, world.stamp()).await))
}

/// What a confined caller is told who creates a task.
async fn creates(world: &World, within: &str, id: &str, path: &str) -> Result<String, Failure> {
    let new = new_task(world, within, json!({ "id": id, "file_path": path }))?;
    Ok(words(&world.store.create_task(new, Some(within), world.stamp()).await))
}

/// A task that a confined caller creates, with these fields.
fn new_task(world: &World, within: &str, mut fields: Value) -> Result<Task, Failure> {
    fields["branch"] = "main".into();
    let new: NewTask = parse_body(fields.to_string().as_bytes())?;
    new.into_task(Some(within), world.now()).map_err(Failure::new)
}
