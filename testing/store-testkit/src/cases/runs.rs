//! Reading runs: of a task, one with all it left, and those that have not ended.

use octopoid_domain::{
    report::{CheckCounts, ResultDigest},
    run::{Kind, Outcome},
};
use octopoid_store::{lists::Page, runs::Filter};
use serde_json::{Value, json};

use crate::{
    Failure, Verdict, World, ensure, ensure_eq, ensure_refused,
    world::{LEASE, SCOPE},
};

cases! {
    the_runs_of_a_task_are_listed_from_the_newest_on,
    a_run_has_its_result_and_its_last_checkpoint,
    tasks_are_shown_with_their_last_run_for_work,
    running_runs_are_listed_with_their_tasks,
    running_runs_are_filtered,
    runs_of_another_scope_are_not_found,
    a_deleted_task_leaves_only_the_numbers_of_its_runs,
}

const PAGE: Page = Page::first(50);

/// The runs of a task: their numbers, attempts and outcomes.
async fn runs(world: &World, id: &str) -> Result<Vec<(i64, Option<i64>, Outcome)>, Failure> {
    let listed = world.store.list_task_runs(id, None, &PAGE).await?;
    Ok(listed.items.into_iter().map(|run| (run.run, run.attempt, run.outcome)).collect())
}

async fn the_runs_of_a_task_are_listed_from_the_newest_on(world: &World) -> Verdict {
    world.creates("a").await?;
    ensure_eq!(runs(world, "a").await?, []);
    world.claims().await?;
    world.requeues("a").await?;
    world.claims().await?;
    world.submits("a").await?;
    world.claims_with(json!({ "queue": "provisional" })).await?;
    let expected = [
        (3, None, Outcome::Running),
        (2, Some(2), Outcome::Submitted),
        (1, Some(1), Outcome::Released),
    ];
    ensure_eq!(runs(world, "a").await?, expected);
    let first = world.store.list_task_runs("a", None, &Page::first(2)).await?;
    ensure_eq!(first.items.len(), 2);
    let cursor = first.next_cursor.ok_or_else(|| Failure::new("there is another page"))?;
    let rest = world.store.list_task_runs("a", None, &Page::after(2, cursor)).await?;
    ensure_eq!(rest.items.iter().map(|run| run.run).collect::<Vec<_>>(), [1]);
    ensure_eq!(rest.next_cursor, None);
    ensure_refused!(world.store.list_task_runs("b", None, &PAGE).await, "task_not_found");
    Ok(())
}

async fn a_run_has_its_result_and_its_last_checkpoint(world: &World) -> Verdict {
    world.creates("a").await?;
    let leased = world.claims_leased(json!({})).await?;
    let token = leased.ok_or_else(|| Failure::new("there is a task"))?.token.to_string();
    for step in [1, 2] {
        let progress = json!({ "message": format!("step {step}"), "percent": 50 });
        let body =
            json!({ "lease_token": token, "checkpoint": { "step": step }, "progress": progress });
        world.renews_with("a", body).await?;
    }
    let run = world.store.get_run("a", 1, None).await?;
    ensure_eq!((run.result, run.checkpoint), (Value::Null, json!({ "step": 2 })));
    let message = run.run.progress.and_then(|progress| progress.message);
    ensure_eq!(message.as_deref(), Some("step 2"));
    let result = json!({ "summary": "done", "patch": "+a\n", "other": [1] });
    let body = json!({ "commits_count": 1, "turns_used": 1, "lease_token": token,
        "result": result, "usage": { "turns": 3, "cost_usd": "0.5" } });
    world.submits_with("a", body).await?;
    let run = world.store.get_run("a", 1, None).await?;
    ensure_eq!((&run.result, &run.checkpoint), (&result, &json!({ "step": 2 })));
    ensure_eq!((run.run.outcome, run.run.summary.as_deref()), (Outcome::Submitted, Some("done")));
    ensure_eq!(run.run.usage.and_then(|usage| usage.turns), Some(3));
    ensure_refused!(world.store.get_run("a", 2, None).await, "not_found", "Task has no run 2");
    ensure_refused!(world.store.get_run("b", 1, None).await, "task_not_found");
    Ok(())
}

/// The last runs for work of some tasks, each as its number and its outcome.
async fn last_runs(world: &World, ids: &[&str]) -> Result<Vec<Option<(i64, Outcome)>>, Failure> {
    let mut tasks = Vec::new();
    for id in ids {
        tasks.push(world.reads(id).await?);
    }
    let last = world.store.last_runs(&tasks).await?.into_iter();
    Ok(last.map(|last| last.map(|last| (last.run.run, last.run.outcome))).collect())
}

async fn tasks_are_shown_with_their_last_run_for_work(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.requeues("a").await?;
    world.picks("a").await?;
    let result = json!({ "summary": "done", "branch": "b", "insertions": 0, "patch": "+a",
        "checks": [{ "name": "x", "exit_code": 0 }, { "name": "y", "exit_code": 1 }] });
    let body = json!({ "commits_count": 1, "turns_used": 1, "result": result,
        "usage": { "turns": 3 } });
    world.submits_with("a", body).await?;
    world.claims_with(json!({ "queue": "provisional" })).await?;
    world.creates("b").await?;
    world.works_on("c").await?;
    let seen = last_runs(world, &["c", "b", "a"]).await?;
    let expected = [Some((1, Outcome::Running)), None, Some((2, Outcome::Submitted))];
    ensure_eq!(seen, expected, "in the order of the tasks, and not the review");
    ensure_eq!(last_runs(world, &[]).await?, []);
    let tasks = [world.reads("a").await?, world.reads("c").await?];
    let mut last = world.store.last_runs(&tasks).await?.into_iter().flatten();
    let (Some(a), Some(c)) = (last.next(), last.next()) else {
        return Err(Failure::new("both tasks have a run"));
    };
    let told = (a.run.summary.as_deref(), a.run.usage.and_then(|usage| usage.turns));
    ensure_eq!(told, (Some("done"), Some(3)), "what the run says");
    let digest = ResultDigest {
        branch: Some("b".to_owned()),
        insertions: Some(0),
        checks: Some(CheckCounts { passed: 1, failed: 1 }),
        patch_truncated: Some(false),
        ..ResultDigest::default()
    };
    ensure_eq!((a.result, c.result), (digest, ResultDigest::default()), "what the results say");
    world.rejects("a").await?;
    let last = world.store.last_runs(&[world.reads("a").await?]).await?.remove(0);
    let verdict = last.and_then(|last| last.run.verdict);
    ensure_eq!(verdict.as_deref(), Some("rejected"));
    world.passes(1);
    world.deletes("a").await?;
    world.creates("a").await?;
    ensure_eq!(last_runs(world, &["a"]).await?, [None], "the run was another task's");
    Ok(())
}

fn of_scope() -> Filter {
    Filter { scope: SCOPE.to_owned(), ..Filter::default() }
}

/// The tasks of the running runs that a filter finds.
async fn running(world: &World, filter: &Filter) -> Result<Vec<String>, Failure> {
    let listed = world.store.list_runs(filter, &PAGE).await?;
    Ok(listed.items.into_iter().map(|found| found.run.task_id).collect())
}

async fn running_runs_are_listed_with_their_tasks(world: &World) -> Verdict {
    for id in ["a", "b", "c", "d"] {
        world.creates_with(id, json!({ "title": format!("Task {id}"), "type": id })).await?;
        world.picks(id).await?;
    }
    world.requeues("b").await?;
    world.submits("c").await?;
    world.claims_with(json!({ "queue": "provisional" })).await?;
    let listed = world.store.list_runs(&of_scope(), &PAGE).await?.items;
    let seen: Vec<_> = listed
        .iter()
        .map(|found| (&*found.run.task_id, found.title.as_deref(), &*found.queue, found.run.kind))
        .collect();
    let expected = [
        ("a", Some("Task a"), "claimed", Kind::Work),
        ("c", Some("Task c"), "provisional", Kind::Review),
        ("d", Some("Task d"), "claimed", Kind::Work),
    ];
    ensure_eq!(seen, expected);
    let first = world.store.list_runs(&of_scope(), &Page::first(2)).await?;
    let cursor = first.next_cursor.ok_or_else(|| Failure::new("there is another page"))?;
    let rest = world.store.list_runs(&of_scope(), &Page::after(2, cursor)).await?;
    ensure_eq!(rest.items, listed[2..]);
    Ok(())
}

async fn running_runs_are_filtered(world: &World) -> Verdict {
    for (id, agent, machine) in [("a", "x", "m"), ("b", "y", "m"), ("c", "x", "n")] {
        world.creates_with(id, json!({ "type": id })).await?;
        let fields =
            json!({ "type_filter": [id], "agent_name": agent, "orchestrator_id": machine });
        world.claims_with(fields).await?;
    }
    world.submits("c").await?;
    let review = json!({ "queue": "provisional", "agent_name": "x", "orchestrator_id": "n" });
    world.claims_with(review).await?;
    let some = |text: &str| Some(text.to_owned());
    let work = Filter { kind: Some(Kind::Work), ..of_scope() };
    ensure_eq!(running(world, &work).await?, ["a", "b"]);
    let review = Filter { kind: Some(Kind::Review), ..of_scope() };
    ensure_eq!(running(world, &review).await?, ["c"]);
    let of_agent = Filter { agent: some("x"), ..of_scope() };
    ensure_eq!(running(world, &of_agent).await?, ["a", "c"]);
    let on_machine = Filter { orchestrator_id: some("m"), ..of_agent };
    ensure_eq!(running(world, &on_machine).await?, ["a"]);
    Ok(())
}

async fn runs_of_another_scope_are_not_found(world: &World) -> Verdict {
    world.works_on("a").await?;
    let (store, other) = (&world.store, Some("t"));
    ensure_refused!(store.list_task_runs("a", other, &PAGE).await, "task_not_found");
    ensure_refused!(store.get_run("a", 1, other).await, "task_not_found");
    ensure!(store.get_run("a", 1, Some(SCOPE)).await.is_ok());
    let filter = Filter { scope: "t".to_owned(), ..Filter::default() };
    ensure_eq!(running(world, &filter).await?, [""; 0]);
    Ok(())
}

async fn a_deleted_task_leaves_only_the_numbers_of_its_runs(world: &World) -> Verdict {
    world.works_on("a").await?;
    for _ in 0..2 {
        world.requeues("a").await?;
        world.picks("a").await?;
    }
    world.submits("a").await?;
    for _ in 0..2 {
        world.claims_with(json!({ "queue": "provisional" })).await?;
        world.passes(LEASE + 1);
        world.reaps().await?;
    }
    world.claims_with(json!({ "queue": "provisional" })).await?;
    world.deletes("a").await?;
    let expected = [(6, None, Outcome::Released), (3, Some(3), Outcome::Submitted)];
    ensure_eq!(runs(world, "a").await?, expected);
    world.creates_with("a", json!({ "type": "a" })).await?;
    world.picks("a").await?;
    let expected = [(7, Some(4), Outcome::Running), expected[0], expected[1]];
    ensure_eq!(runs(world, "a").await?, expected);
    Ok(())
}
