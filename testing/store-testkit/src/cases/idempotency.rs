//! Requests that are carried out once, and conditions on the version.

use octopoid_domain::{
    Task,
    action::{NewAction, Outcome},
    decide::Request,
    draft::{NewDraft, Promotion},
    message::NewMessage,
    project::NewProject,
    task::NewTask,
};
use octopoid_store::{Claimed, KEPT_MS, Memory, Once, Result, Store, StoreError, Terms};
use serde_json::{Value, json};

use crate::{
    Verdict, World, ensure, ensure_eq, ensure_refused,
    verdict::{Failure, code},
    world::{AGENT, LEASE, MACHINE, SCOPE, read},
};

cases! {
    a_task_is_created_once,
    other_nouns_are_created_once,
    a_claim_is_made_once_and_keeps_its_token,
    a_claim_is_not_repeated_once_its_token_is_not_current,
    a_claim_of_nothing_is_not_remembered,
    a_review_is_claimed_once,
    a_step_is_taken_once,
    a_step_that_changes_nothing_is_remembered_too,
    a_draft_is_promoted_once,
    an_action_is_executed_and_ended_once,
    what_was_refused_is_not_remembered,
    another_request_with_the_same_key_is_refused_and_changes_nothing,
    the_same_key_in_another_scope_or_on_another_route_is_another_request,
    requests_are_forgotten_after_a_day,
    a_task_of_another_version_is_not_changed,
}

const KEY: &str = "0123456789abcdef";

fn request(route: &str, body: &str) -> Once {
    Once {
        scope: SCOPE.to_owned(),
        route: route.to_owned(),
        key: KEY.to_owned(),
        body_hash: body.to_owned(),
        status: 201,
    }
}

/// The store for a request with the key.
fn once(world: &World, route: &str) -> Store {
    let once = Some(request(route, "a body"));
    world.store.under(Terms { once, versions: None })
}

/// What an operation did before.
fn before<T: std::fmt::Debug>(answer: Result<T>) -> std::result::Result<Memory, Failure> {
    match answer {
        Err(StoreError::Remembered(memory)) => Ok(*memory),
        other => Err(Failure::new(format!("not done before: {other:?}"))),
    }
}

fn new_task(world: &World, id: &str) -> Result<Task> {
    let body = json!({ "id": id, "file_path": id, "branch": "main", "scope": SCOPE });
    Ok(read::<NewTask>(&body)?.into_task(None, world.now())?)
}

async fn claims(world: &World, store: &Store, fields: Value) -> Result<Option<Claimed>> {
    let mut body = json!({ "agent_name": AGENT, "orchestrator_id": MACHINE });
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
        body.extend(fields);
    }
    let secret = world.secret();
    store.claim_task(SCOPE, None, &read(&body)?, &secret, world.stamp()).await
}

async fn steps(world: &World, store: &Store, id: &str, request: &Request) -> Result<Task> {
    store.change_task(id, None, request, world.stamp()).await
}

fn requeue() -> Result<Request> {
    Ok(Request::Requeue(read(&json!({}))?))
}

fn submit() -> Result<Request> {
    Ok(Request::Submit(Box::new(read(&json!({ "commits_count": 1, "turns_used": 2 }))?)))
}

async fn a_task_is_created_once(world: &World) -> Verdict {
    world.creates("blocker").await?;
    for (id, blocked_by) in [("a", None), ("b", Some("blocker".to_owned()))] {
        let store = once(world, id);
        let new = Task { blocked_by, ..new_task(world, id)? };
        let created = store.create_task(new.clone(), None, world.stamp()).await?;
        ensure_eq!(world.reads(id).await?, created);
        world.passes(1);
        let memory = before(store.create_task(new.clone(), None, world.stamp()).await)?;
        let expected = Memory { status: 201, subject: id.to_owned(), token: None };
        ensure_eq!(memory, expected);
        // Also when it would be created a second time.
        world.deletes(id).await?;
        before(store.create_task(new, None, world.stamp()).await)?;
        ensure_refused!(world.reads(id).await, "task_not_found");
        ensure_eq!(world.events(id).await?, ["created", "deleted"]);
    }
    Ok(())
}

async fn other_nouns_are_created_once(world: &World) -> Verdict {
    let now = world.now();
    let store = once(world, "projects");
    let new = || read::<NewProject>(&json!({ "id": "p", "title": "t", "branch": "b" }));
    store.create_project(new()?.into_project(None, now)?, world.stamp()).await?;
    let again = store.create_project(new()?.into_project(None, now)?, world.stamp()).await;
    ensure_eq!(before(again)?.subject, "p");

    let store = once(world, "drafts");
    let new = || read::<NewDraft>(&json!({ "title": "t", "author": "a", "scope": SCOPE }));
    let draft = store.create_draft(new()?.into_draft(None, now)?, world.stamp()).await?;
    let again = before(store.create_draft(new()?.into_draft(None, now)?, world.stamp()).await)?;
    ensure_eq!(store.draft_created_before(&again, None).await?, draft);
    let next = world.store.create_draft(new()?.into_draft(None, now)?, world.stamp()).await?;
    ensure!(next.id > draft.id, "without the key there is another");

    let body = json!({
        "task_id": "t", "from_actor": "a", "type": "info", "content": "c", "scope": SCOPE,
    });
    let store = once(world, "messages");
    let new = || read::<NewMessage>(&body);
    let message = store.create_message(new()?.into_message(None, now)?, world.stamp()).await?;
    let again = store.create_message(new()?.into_message(None, now)?, world.stamp()).await;
    let again = before(again)?.subject;
    ensure_eq!(store.get_message(&again, Some(SCOPE)).await?, message);
    ensure_refused!(store.get_message(&again, Some("other")).await, "not_found");

    let body = json!({
        "entity_type": "task", "entity_id": "t", "label": "l", "proposed_by": "p", "scope": SCOPE,
    });
    let store = once(world, "actions");
    let new = || read::<NewAction>(&body);
    let action = store.create_action(new()?.into_action(None, now)?, world.stamp()).await?;
    let again = store.create_action(new()?.into_action(None, now)?, world.stamp()).await;
    let again = before(again)?.subject;
    ensure_eq!(store.get_action(&again, Some(SCOPE)).await?, action);
    ensure_refused!(store.get_action(&again, Some("other")).await, "not_found");
    let events = "SELECT kind, COUNT(*) FROM events GROUP BY kind ORDER BY kind";
    let expected = [("action", 1), ("draft", 2), ("message", 1), ("project", 1)];
    let expected = expected.map(|(kind, count)| vec![kind.into(), count.into()]);
    ensure_eq!(world.runs(events, vec![]).await?, expected, "an event for each");
    Ok(())
}

async fn a_claim_is_made_once_and_keeps_its_token(world: &World) -> Verdict {
    world.creates_all(&["a", "b"]).await?;
    let store = once(world, "claim");
    let first = claims(world, &store, json!({ "agent_name": "x" })).await?;
    let first = first.ok_or_else(|| Failure::new("there is work"))?;
    ensure_eq!(first.task.id, "a");
    let memory = before(claims(world, &store, json!({ "agent_name": "x" })).await)?;
    ensure_eq!((&*memory.subject, &memory.token), ("a", &Some(first.token.clone())));
    ensure_eq!(world.reads("b").await?.queue, "incoming", "the other is not handed out");
    let again = store.claimed_before(&memory, Some(SCOPE)).await?;
    ensure_eq!((&again.task, &again.token), (&first.task, &first.token));
    ensure_eq!(again.kind, first.kind);
    ensure_refused!(store.claimed_before(&memory, Some("other")).await, "lease_lost");
    // The lease has ended and was taken back, but its token is current until somebody claims.
    world.passes(LEASE + 1);
    ensure_eq!(world.reaps().await?, ["a"]);
    let again = store.claimed_before(&memory, None).await?;
    ensure_eq!((&*again.task.queue, again.token), ("incoming", first.token));
    before(claims(world, &store, json!({ "agent_name": "x" })).await)?;
    ensure_eq!(world.events("a").await?, ["created", "claimed", "requeued"]);
    Ok(())
}

async fn a_claim_is_not_repeated_once_its_token_is_not_current(world: &World) -> Verdict {
    world.creates("a").await?;
    let store = once(world, "claim");
    claims(world, &store, json!({})).await?;
    let memory = before(claims(world, &store, json!({})).await)?;
    world.requeues("a").await?;
    let answer = store.claimed_before(&memory, None).await;
    ensure_refused!(answer, "lease_lost");
    world.claims().await?;
    ensure_refused!(store.claimed_before(&memory, None).await, "lease_lost");
    world.deletes("a").await?;
    let words = "Failed to claim task: The task was deleted";
    ensure_refused!(store.claimed_before(&memory, None).await, "lease_lost", words);
    Ok(())
}

async fn a_claim_of_nothing_is_not_remembered(world: &World) -> Verdict {
    let store = once(world, "claim");
    ensure!(claims(world, &store, json!({})).await?.is_none(), "there is nothing");
    ensure_eq!(store.recall().await?, None);
    world.creates("a").await?;
    ensure!(claims(world, &store, json!({})).await?.is_some(), "now there is");
    ensure_eq!(store.recall().await?.map(|memory| memory.subject).as_deref(), Some("a"));
    Ok(())
}

/// A claim may end another's review. That is recorded once as well.
async fn a_review_is_claimed_once(world: &World) -> Verdict {
    world.hands_in("a").await?;
    let review = json!({ "queue": "provisional", "agent_name": "one" });
    world.claims_with(review.clone()).await?;
    world.passes(LEASE + 1);
    let store = once(world, "claim");
    let claimed = claims(world, &store, review.clone()).await?;
    ensure!(claimed.is_some(), "the review has ended");
    let told = world.events("a").await?;
    ensure_eq!(told[3..], ["review_claimed", "review_released", "review_claimed"]);
    // It could be claimed again.
    world.passes(LEASE + 1);
    let memory = before(claims(world, &store, review).await)?;
    let again = store.claimed_before(&memory, None).await?;
    ensure_eq!(Some(again.token), claimed.map(|claimed| claimed.token));
    ensure_eq!(world.events("a").await?, told);
    Ok(())
}

async fn a_step_is_taken_once(world: &World) -> Verdict {
    let (store, requeue) = (once(world, "requeue"), requeue()?);
    world.works_on("a").await?;
    steps(world, &store, "a", &requeue).await?;
    // It could be taken again.
    let claimed = world.picks("a").await?;
    let memory = before(steps(world, &store, "a", &requeue).await)?;
    ensure_eq!((&*memory.subject, memory.status), ("a", 201));
    ensure_eq!(world.reads("a").await?, claimed);
    // Now it would be refused.
    let (store, submit) = (once(world, "submit"), submit()?);
    steps(world, &store, "a", &submit).await?;
    ensure_refused!(steps(world, &store, "a", &submit).await, "wrong_state");
    ensure_eq!(store.recall().await?, Some(memory), "the refusal is explained by the memory");
    ensure_eq!(world.events("a").await?.len(), 5, "created, claimed, requeued, claimed, submitted");
    Ok(())
}

async fn a_step_that_changes_nothing_is_remembered_too(world: &World) -> Verdict {
    world.creates("a").await?;
    let cancelled = world.cancels("a").await?;
    let store = once(world, "cancel");
    let cancel = Request::Cancel(read(&json!({ "by": "person", "reason": "r" }))?);
    ensure_eq!(steps(world, &store, "a", &cancel).await?, cancelled);
    before(steps(world, &store, "a", &cancel).await)?;
    let retried = world.retries("a").await?;
    before(steps(world, &store, "a", &cancel).await)?;
    ensure_eq!(world.reads("a").await?, retried, "it is not cancelled again");
    Ok(())
}

async fn a_draft_is_promoted_once(world: &World) -> Verdict {
    let bodies = [
        json!({ "to": "task", "id": "a", "file_path": "a", "branch": "main" }),
        json!({ "to": "project", "id": "p", "branch": "b" }),
    ];
    for body in bodies {
        let new = read::<NewDraft>(&json!({ "title": "t", "author": "a", "scope": SCOPE }))?;
        let draft = new.into_draft(None, world.now())?;
        let draft = world.store.create_draft(draft, world.stamp()).await?;
        let store = once(world, &body["to"].to_string());
        let promotion = || Promotion::parse(body.to_string().as_bytes());
        let promoted = store.promote_draft(draft.id, None, promotion()?, world.stamp()).await?;
        let again = store.promote_draft(draft.id, None, promotion()?, world.stamp()).await;
        ensure_refused!(again, "already_exists");
        let memory = store.recall().await?.ok_or_else(|| Failure::new("it is remembered"))?;
        let again = store.promoted_before(&memory, Some(SCOPE)).await?;
        ensure_eq!(again.draft, promoted.draft);
        ensure_eq!(again.task, promoted.task);
        ensure_eq!(again.project, promoted.project);
        ensure_refused!(store.promoted_before(&memory, Some("other")).await, "not_found");
    }
    // What was made of it may be gone.
    let memory = once(world, "\"task\"").recall().await?;
    let memory = memory.ok_or_else(|| Failure::new("it is remembered"))?;
    world.deletes("a").await?;
    ensure!(world.store.promoted_before(&memory, None).await?.task.is_none(), "no task");
    Ok(())
}

async fn an_action_is_executed_and_ended_once(world: &World) -> Verdict {
    let body = json!({
        "entity_type": "task", "entity_id": "t", "label": "l", "proposed_by": "p", "scope": SCOPE,
    });
    let new = read::<NewAction>(&body)?.into_action(None, world.now())?;
    let id = world.store.create_action(new, world.stamp()).await?.id;
    let store = once(world, "execute");
    store.execute_action(&id, None, world.stamp()).await?;
    let memory = before(store.execute_action(&id, None, world.stamp()).await)?;
    ensure_eq!(memory.subject, id);
    let patch = read(&json!({ "status": "proposed" }))?;
    let proposed = world.store.update_action(&id, None, patch, world.stamp()).await?;
    before(store.execute_action(&id, None, world.stamp()).await)?;
    ensure_eq!(world.store.get_action(&id, None).await?, proposed, "it could be executed");
    let store = once(world, "complete");
    let body = || read(&json!({ "result": "r" }));
    store.end_action(&id, None, Outcome::Completed, body()?, world.stamp()).await?;
    let again = store.end_action(&id, None, Outcome::Completed, body()?, world.stamp()).await;
    ensure_eq!(before(again)?.subject, id);
    // The same key does not end another action.
    let new = json!({
        "entity_type": "task", "entity_id": "t", "label": "l", "proposed_by": "p", "scope": SCOPE,
    });
    let new = read::<NewAction>(&new)?.into_action(None, world.now())?;
    let another = world.store.create_action(new, world.stamp()).await?;
    let once = Some(request("complete", "another body"));
    let store = world.store.under(Terms { once, versions: None });
    let answer = store.end_action(&another.id, None, Outcome::Completed, body()?, world.stamp());
    ensure_refused!(answer.await, "idempotency_mismatch");
    ensure_eq!(world.store.get_action(&another.id, None).await?, another, "it is still open");
    Ok(())
}

async fn what_was_refused_is_not_remembered(world: &World) -> Verdict {
    let (store, submit) = (once(world, "submit"), submit()?);
    world.creates_with("a", json!({ "type": "a" })).await?;
    ensure_refused!(steps(world, &store, "a", &submit).await, "wrong_state");
    ensure_eq!(store.recall().await?, None);
    world.picks("a").await?;
    ensure_eq!(steps(world, &store, "a", &submit).await?.queue, "provisional");
    let store = once(world, "create");
    let taken = Task { id: "b".to_owned(), ..world.reads("a").await? };
    ensure_refused!(store.create_task(taken, None, world.stamp()).await, "already_exists");
    ensure_eq!(store.recall().await?, None);
    store.create_task(new_task(world, "b")?, None, world.stamp()).await?;
    Ok(())
}

async fn another_request_with_the_same_key_is_refused_and_changes_nothing(
    world: &World,
) -> Verdict {
    let other = |route| {
        let once = Some(request(route, "another body"));
        world.store.under(Terms { once, versions: None })
    };
    once(world, "create").create_task(new_task(world, "a")?, None, world.stamp()).await?;
    let answer = other("create").create_task(new_task(world, "b")?, None, world.stamp()).await;
    ensure_refused!(answer, "idempotency_mismatch");
    ensure_refused!(world.reads("b").await, "task_not_found");
    ensure_eq!(code(&other("create").recall().await), Some("idempotency_mismatch"));
    world.creates("b").await?;
    claims(world, &once(world, "claim"), json!({})).await?;
    let answer = claims(world, &other("claim"), json!({})).await;
    ensure_refused!(answer, "idempotency_mismatch");
    let held = world.claims().await?.ok_or_else(|| Failure::new("the other is free"))?;
    let requeue = requeue()?;
    steps(world, &once(world, "requeue"), "a", &requeue).await?;
    let answer = steps(world, &other("requeue"), "b", &requeue).await;
    ensure_refused!(answer, "idempotency_mismatch");
    ensure_eq!(world.reads("b").await?, held);
    Ok(())
}

async fn the_same_key_in_another_scope_or_on_another_route_is_another_request(
    world: &World,
) -> Verdict {
    let stores = [
        request("create", "a body"),
        request("another route", "a body"),
        Once { scope: "other".to_owned(), ..request("create", "a body") },
        Once { key: "another-key-0001".to_owned(), ..request("create", "a body") },
    ];
    for (number, once) in stores.into_iter().enumerate() {
        let store = world.store.under(Terms { once: Some(once), versions: None });
        let new = new_task(world, &format!("t{number}"))?;
        store.create_task(new, None, world.stamp()).await?;
    }
    Ok(())
}

async fn requests_are_forgotten_after_a_day(world: &World) -> Verdict {
    for id in ["a", "b", "c"] {
        once(world, id).create_task(new_task(world, id)?, None, world.stamp()).await?;
        world.passes(1);
    }
    let forget = async |limit| world.store.forget_requests(world.now().plus(-KEPT_MS), limit).await;
    ensure_eq!(forget(10).await?, 0);
    world.passes(KEPT_MS - 1);
    ensure_eq!(forget(1).await?, 1, "the oldest first");
    ensure_eq!(once(world, "a").recall().await?, None);
    ensure!(once(world, "b").recall().await?.is_some(), "the next is kept");
    ensure_eq!(forget(10).await?, 1);
    ensure_eq!(forget(10).await?, 0);
    ensure!(once(world, "c").recall().await?.is_some(), "a day is not over");
    Ok(())
}

async fn a_task_of_another_version_is_not_changed(world: &World) -> Verdict {
    let task = world.works_on("a").await?;
    let on = |versions: &[i64]| {
        world.store.under(Terms { once: None, versions: Some(versions.to_vec()) })
    };
    let requeue = requeue()?;
    for versions in [&[][..], &[1], &[1, 3]] {
        let store = on(versions);
        let code = "precondition_failed";
        let words = "The task has version 2, which If-Match does not name";
        let answer = steps(world, &store, "a", &requeue).await;
        ensure_eq!(crate::verdict::words(&answer), words);
        ensure_eq!(crate::verdict::code(&answer), Some(code));
        let patch = read(&json!({ "title": "t" }))?;
        let answer = store.update_task("a", None, patch, world.stamp()).await;
        ensure_refused!(answer, "precondition_failed");
        let answer = store.delete_task("a", None, world.stamp()).await;
        ensure_refused!(answer, "precondition_failed");
    }
    ensure_eq!(world.reads("a").await?, task);
    ensure_eq!(steps(world, &on(&[1, 2]), "a", &requeue).await?.version, 3);
    ensure_refused!(on(&[3]).delete_task("b", None, world.stamp()).await, "task_not_found");
    ensure_eq!(on(&[3]).delete_task("a", None, world.stamp()).await?.id, "a");
    Ok(())
}
