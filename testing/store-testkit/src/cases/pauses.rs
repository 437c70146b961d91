//! What is paused is not handed out.

use octopoid_domain::{Millis, orchestrator::Status, task::ClaimRequest};
use octopoid_store::{Barrier, engine::Value, lists::Page};
use serde_json::json;

use crate::{
    Verdict, World, ensure_eq, ensure_refused,
    world::{AGENT, LEASE, MACHINE, SCOPE, SECOND, read},
};

cases! {
    a_pause_is_stored_and_listed,
    a_pause_that_is_put_again_is_changed,
    a_deleted_pause_is_gone,
    a_pause_that_has_ended_is_none,
    the_jobs_remove_what_has_ended,
    pauses_are_journaled,
    a_scope_has_a_thousand_pauses_at_most,
    nothing_is_handed_out_in_a_paused_scope,
    nothing_is_handed_out_of_a_paused_queue,
    nothing_is_handed_out_for_a_paused_role,
    a_claim_gets_nothing_if_a_pool_that_it_would_use_is_paused,
    a_review_that_has_ended_stays_with_its_reviewer_while_it_is_paused,
    what_is_paused_can_still_be_worked_on,
    a_failed_run_pauses_the_pool_of_its_provider,
    a_failed_run_never_ends_the_pause_of_a_person,
    a_machine_that_is_drained_gets_nothing,
    a_claim_is_told_when_to_come_back,
}

async fn listed(world: &World) -> octopoid_store::Result<Vec<(String, Option<Millis>)>> {
    let listed = world.store.list_pauses(SCOPE, &Page::first(100), world.now()).await?;
    Ok(listed.items.into_iter().map(|pause| (pause.target, pause.until)).collect())
}

async fn a_pause_is_stored_and_listed(world: &World) -> Verdict {
    let until = world.now().plus(SECOND);
    let pause = world.pauses("role:review", Some(until)).await?;
    ensure_eq!((&*pause.scope, &*pause.target), (SCOPE, "role:review"), "what is paused");
    ensure_eq!((&*pause.by, &*pause.reason), ("ann", "lunch"), "who and why");
    ensure_eq!((pause.until, pause.created_at), (Some(until), world.now()), "from when to when");
    ensure_eq!(pause.is_automatic, false, "a person has paused it");
    world.pauses("pool:a", None).await?;
    world.pauses_in("other", "scope", None).await?;
    let expected = vec![("pool:a".to_owned(), None), ("role:review".to_owned(), Some(until))];
    ensure_eq!(listed(world).await?, expected, "the pauses of the scope by target");
    Ok(())
}

async fn a_pause_that_is_put_again_is_changed(world: &World) -> Verdict {
    let first = world.pauses("scope", None).await?;
    world.passes(SECOND);
    let until = Some(world.now().plus(SECOND));
    let second = world.pauses("scope", until).await?;
    ensure_eq!((second.until, second.created_at), (until, first.created_at), "it goes on");
    ensure_eq!(listed(world).await?.len(), 1, "there is one");
    world.passes(2 * SECOND);
    let third = world.pauses("scope", None).await?;
    ensure_eq!(third.created_at, world.now(), "one that had ended begins again");
    Ok(())
}

async fn a_deleted_pause_is_gone(world: &World) -> Verdict {
    world.pauses("scope", None).await?;
    world.pauses_in("other", "queue:a", None).await?;
    world.resumes("scope").await?;
    ensure_eq!(listed(world).await?, [], "the pauses that are left");
    ensure_refused!(world.resumes("scope").await, "not_found", "Pause not found");
    ensure_refused!(world.resumes("queue:a").await, "not_found", "Pause not found");
    Ok(())
}

async fn a_pause_that_has_ended_is_none(world: &World) -> Verdict {
    world.creates("a").await?;
    world.pauses("scope", Some(world.now().plus(SECOND))).await?;
    world.passes(SECOND - 1);
    ensure_eq!(world.claims().await?, None, "a millisecond before its end");
    world.passes(1);
    ensure_eq!(listed(world).await?, [], "it is not listed");
    ensure_refused!(world.resumes("scope").await, "not_found", "Pause not found");
    ensure_eq!(world.drains(json!({})).await?, ["a"], "and keeps nothing");
    Ok(())
}

async fn the_jobs_remove_what_has_ended(world: &World) -> Verdict {
    let rows = async || world.runs("SELECT target FROM pauses ORDER BY target", vec![]).await;
    world.pauses("scope", Some(world.now().plus(1))).await?;
    world.pauses("queue:a", Some(world.now().plus(2))).await?;
    world.pauses("queue:b", None).await?;
    ensure_eq!(world.store.end_pauses(10, world.stamp()).await?, 0, "none has ended");
    world.passes(1);
    ensure_eq!(world.store.end_pauses(10, world.stamp()).await?, 1, "one has ended");
    ensure_eq!(world.store.end_pauses(10, world.stamp()).await?, 0, "once");
    let left = vec![vec![Value::from("queue:a")], vec![Value::from("queue:b")]];
    ensure_eq!(rows().await?, left, "the others stay");
    world.passes(1);
    world.pauses("queue:c", Some(world.now().plus(1))).await?;
    world.passes(1);
    ensure_eq!(world.store.end_pauses(1, world.stamp()).await?, 1, "a page");
    ensure_eq!(world.store.end_pauses(1, world.stamp()).await?, 1, "and the next");
    ensure_eq!(rows().await?, [[Value::from("queue:b")]], "what does not end");
    Ok(())
}

async fn pauses_are_journaled(world: &World) -> Verdict {
    const EVENTS: &str = "SELECT event, actor, details FROM events \
         WHERE kind = 'pause' AND subject = 'scope' AND scope = 's' ORDER BY position";
    world.pauses("scope", Some(world.now().plus(1))).await?;
    world.pauses("scope", None).await?;
    world.resumes("scope").await?;
    ensure_refused!(world.resumes("scope").await, "not_found");
    world.pauses("scope", Some(world.now().plus(1))).await?;
    world.passes(1);
    world.store.end_pauses(10, world.stamp()).await?;
    let [ann, lunch, ended] = ["ann", "lunch", "ended"].map(Value::from);
    let expected = [
        ["created".into(), ann.clone(), lunch.clone()],
        ["updated".into(), ann.clone(), lunch.clone()],
        ["deleted".into(), Value::Null, Value::Null],
        ["created".into(), ann, lunch],
        ["deleted".into(), Value::Null, ended],
    ];
    ensure_eq!(world.runs(EVENTS, vec![]).await?, expected, "what the journal says");
    Ok(())
}

async fn a_scope_has_a_thousand_pauses_at_most(world: &World) -> Verdict {
    const MANY: &str = "INSERT INTO pauses (scope, target, reason, paused_by, is_automatic, \
         created_at, changes) WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL \
         SELECT n + 1 FROM n WHERE n < 999) SELECT 's', 'pool:' || n, 'r', 'b', 0, 0, 1 FROM n";
    world.runs(MANY, vec![]).await?;
    world.pauses("scope", None).await?;
    let text = "Too many pauses in this scope: at most 1000. Delete one that is not needed";
    ensure_refused!(world.pauses("queue:a", None).await, "invalid_request", text);
    world.pauses("scope", Some(world.now().plus(1))).await?;
    world.pauses_in("other", "scope", None).await?;
    Ok(())
}

async fn nothing_is_handed_out_in_a_paused_scope(world: &World) -> Verdict {
    world.creates_with("a", json!({ "role": "r", "type": "t" })).await?;
    world.creates_with("b", json!({ "queue": "provisional" })).await?;
    world.creates_with("c", json!({ "scope": "other" })).await?;
    world.pauses("scope", None).await?;
    for fields in [
        json!({}),
        json!({ "type_filter": ["t"] }),
        json!({ "in_place": true }),
        json!({ "queue": "provisional" }),
    ] {
        ensure_eq!(world.claims_with(fields.clone()).await?, None, "claiming with {fields}");
    }
    ensure_eq!(
        world.claims_in("other", json!({})).await?.map(|task| task.id),
        Some("c".into()),
        "another scope"
    );
    world.resumes("scope").await?;
    ensure_eq!(world.drains(json!({})).await?, ["a"], "after the pause");
    ensure_eq!(world.drains(json!({ "queue": "provisional" })).await?, ["b"], "reviews too");
    Ok(())
}

async fn nothing_is_handed_out_of_a_paused_queue(world: &World) -> Verdict {
    world.creates("a").await?;
    world.creates_with("b", json!({ "queue": "provisional" })).await?;
    world.pauses("queue:provisional", None).await?;
    world.pauses("queue:incoming2", None).await?;
    ensure_eq!(world.claims_with(json!({ "queue": "provisional" })).await?, None, "reviews");
    ensure_eq!(world.drains(json!({})).await?, ["a"], "work");
    Ok(())
}

async fn nothing_is_handed_out_for_a_paused_role(world: &World) -> Verdict {
    for (id, role) in [("a", Some("implement")), ("b", Some("review")), ("c", None)] {
        world.creates_with(id, json!({ "role": role })).await?;
        world
            .creates_with(&format!("{id}-in"), json!({ "role": role, "queue": "provisional" }))
            .await?;
    }
    world.pauses("role:implement", None).await?;
    ensure_eq!(world.drains(json!({})).await?, ["b", "c"], "the other roles");
    let reviews = json!({ "queue": "provisional" });
    ensure_eq!(world.drains(reviews.clone()).await?, ["b-in", "c-in"], "the other reviews");
    world.resumes("role:implement").await?;
    ensure_eq!(world.drains(json!({})).await?, ["a"], "what was paused");
    ensure_eq!(world.drains(reviews).await?, ["a-in"], "the review that was paused");
    Ok(())
}

async fn a_claim_gets_nothing_if_a_pool_that_it_would_use_is_paused(world: &World) -> Verdict {
    world.creates("a").await?;
    world.pauses("pool:anthropic", None).await?;
    for pools in [json!(["anthropic"]), json!(["local", "anthropic"])] {
        let claimed = world.claims_with(json!({ "pools": pools })).await?;
        ensure_eq!(claimed, None, "claiming with {pools}");
    }
    ensure_eq!(world.drains(json!({ "pools": ["local"] })).await?, ["a"], "another pool");
    world.creates("b").await?;
    ensure_eq!(world.drains(json!({})).await?, ["b"], "no pool");
    Ok(())
}

async fn a_review_that_has_ended_stays_with_its_reviewer_while_it_is_paused(
    world: &World,
) -> Verdict {
    let reviews = json!({ "queue": "provisional" });
    world.creates_with("a", json!({ "queue": "provisional", "role": "r" })).await?;
    world.claims_with(reviews.clone()).await?;
    world.passes(LEASE + 1);
    let held = world.reads("a").await?;
    for target in ["scope", "queue:provisional", "role:r"] {
        world.pauses(target, None).await?;
        ensure_eq!(world.claims_with(reviews.clone()).await?, None, "{target} is paused");
        ensure_eq!(world.reads("a").await?, held, "nothing has changed");
        world.resumes(target).await?;
    }
    ensure_eq!(world.events("a").await?, ["created", "review_claimed"], "its history");
    ensure_eq!(world.drains(reviews).await?, ["a"], "another reviewer gets it afterwards");
    Ok(())
}

async fn what_is_paused_can_still_be_worked_on(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.pauses("scope", None).await?;
    world.submits("a").await?;
    ensure_eq!(world.accepts("a").await?.queue, "done", "the run goes on");
    Ok(())
}

async fn fails(world: &World, not_before: Option<Millis>) -> Verdict {
    let body = json!({
        "agent_name": AGENT, "reason": "provider_limit", "message": "too many requests",
        "pool": "anthropic", "not_before": not_before.map(Millis::to_iso),
    });
    world.fails_with("a", body).await?;
    Ok(())
}

async fn a_failed_run_pauses_the_pool_of_its_provider(world: &World) -> Verdict {
    world.works_on("a").await?;
    let until = world.now().plus(3_600 * SECOND);
    fails(world, Some(until)).await?;
    let listed = world.store.list_pauses(SCOPE, &Page::first(100), world.now()).await?.items;
    let [pause] = &*listed else { return Err(crate::Failure::new("one pause")) };
    ensure_eq!((&*pause.target, pause.until), ("pool:anthropic", Some(until)), "what is paused");
    ensure_eq!((&*pause.by, pause.is_automatic), (AGENT, true), "who paused it");
    ensure_eq!(&*pause.reason, "provider_limit", "why");
    world.creates("b").await?;
    ensure_eq!(world.claims_with(json!({ "pools": ["anthropic"] })).await?, None, "a claim");
    Ok(())
}

async fn a_failed_run_never_ends_the_pause_of_a_person(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.pauses("pool:anthropic", Some(world.now().plus(SECOND))).await?;
    fails(world, Some(world.now().plus(3_600 * SECOND))).await?;
    let expected = vec![("pool:anthropic".to_owned(), Some(world.now().plus(SECOND)))];
    ensure_eq!(listed(world).await?, expected, "the person's pause");
    Ok(())
}

async fn a_machine_that_is_drained_gets_nothing(world: &World) -> Verdict {
    world.creates("a").await?;
    world.creates_with("b", json!({ "queue": "provisional" })).await?;
    let reviews = |id: &str| json!({ "orchestrator_id": id, "queue": "provisional" });
    let id = world.has_machine("m", Status::Draining).await?;
    ensure_eq!(world.claims_with(json!({ "orchestrator_id": id })).await?, None, "work");
    ensure_eq!(world.claims_with(reviews(&id)).await?, None, "a review");
    // What another scope's machine of this name does says nothing about this one.
    world.creates_with("c", json!({ "scope": "other" })).await?;
    let elsewhere = world.claims_in("other", json!({ "orchestrator_id": id })).await?;
    ensure_eq!(elsewhere.map(|task| task.id), Some("c".into()), "in another scope");
    ensure_eq!(world.drains(json!({})).await?, ["a"], "other machines");
    world.has_machine("m", Status::Active).await?;
    ensure_eq!(world.drains(reviews(&id)).await?, ["b"], "when it is active again");
    Ok(())
}

async fn a_claim_is_told_when_to_come_back(world: &World) -> Verdict {
    let barrier = async |fields: serde_json::Value| -> octopoid_store::Result<Barrier> {
        let mut body = json!({ "agent_name": AGENT, "orchestrator_id": MACHINE });
        for (key, value) in fields.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let request: ClaimRequest = read(&body)?;
        world.store.barrier(SCOPE, None, &request, world.now()).await
    };
    let after = |seconds: i64| Barrier { retry_after_seconds: Some(seconds), ..Barrier::default() };
    ensure_eq!(barrier(json!({})).await?, Barrier::default(), "without any pause");
    world.pauses("role:r", Some(world.now().plus(5 * SECOND))).await?;
    world.pauses("pool:p", Some(world.now().plus(7 * SECOND))).await?;
    ensure_eq!(barrier(json!({})).await?, Barrier::default(), "pauses of something else");
    let roles = json!({ "role_filter": ["r"] });
    ensure_eq!(barrier(roles).await?, after(5), "all its roles");
    let roles = json!({ "role_filter": ["r", "other"] });
    ensure_eq!(barrier(roles).await?, Barrier::default(), "some of its roles");
    ensure_eq!(barrier(json!({ "pools": ["p", "q"] })).await?, after(7), "a pool");
    world.pauses("queue:incoming", Some(world.now().plus(9 * SECOND))).await?;
    ensure_eq!(barrier(json!({ "pools": ["p"] })).await?, after(9), "its queue");
    let reviews = json!({ "queue": "provisional" });
    ensure_eq!(barrier(reviews).await?, Barrier::default(), "another queue");
    world.pauses("scope", None).await?;
    ensure_eq!(barrier(json!({})).await?, after(300), "its scope");
    let id = world.has_machine("m", Status::Draining).await?;
    let drained = barrier(json!({ "orchestrator_id": id })).await?;
    ensure_eq!(drained.is_draining, true, "its machine");
    Ok(())
}
