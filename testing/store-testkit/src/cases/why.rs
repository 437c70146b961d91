//! Why tasks wait.

use octopoid_domain::{orchestrator::Status, why::Code};
use octopoid_store::{
    engine::Parameter,
    lists::{Claimable, Filter},
};
use serde_json::json;

use crate::{
    Verdict, World, ensure_eq, ensure_refused,
    setting::Flow,
    world::{AGENT, LEASE, SCOPE, SECOND, everything},
};

cases! {
    a_task_that_can_be_claimed_has_no_blocking_reason,
    every_reason_is_given_by_its_code,
    what_a_task_waits_for_is_told_with_its_queue,
    a_task_of_another_tenant_is_no_blocker,
    a_cycle_that_was_closed_all_the_same_is_told,
    a_task_that_waits_for_an_answer_names_the_question,
    a_queue_that_no_flow_has_is_told,
    a_review_whose_lease_has_ended_can_be_claimed,
    a_machine_that_takes_the_role_is_asked_for,
    nobody_explains_the_tasks_of_others,
    a_list_says_why_each_of_its_tasks_waits,
    a_list_has_only_what_can_be_claimed_or_only_the_rest,
    what_can_be_claimed_is_listed_page_by_page,
}

async fn codes(world: &World, id: &str) -> octopoid_store::Result<(bool, Vec<&'static str>)> {
    let why = world.explains(id).await?;
    Ok((why.claimable, why.reasons.iter().map(|reason| reason.code.as_str()).collect()))
}

async fn a_task_that_can_be_claimed_has_no_blocking_reason(world: &World) -> Verdict {
    world.creates("a").await?;
    ensure_eq!(codes(world, "a").await?, (true, vec!["no_machine"]), "without a machine");
    world.has_machine("m", Status::Active).await?;
    ensure_eq!(codes(world, "a").await?, (true, vec![]), "with one");
    world.patches("a", json!({ "needs_intervention": true })).await?;
    ensure_eq!(codes(world, "a").await?, (true, vec!["needs_intervention"]), "flagged");
    Ok(())
}

async fn every_reason_is_given_by_its_code(world: &World) -> Verdict {
    world.has_machine("m", Status::Active).await?;
    let told = async |id: &str| {
        let why = world.explains(id).await?;
        let codes: Vec<_> = why.reasons.iter().map(|reason| reason.code.as_str()).collect();
        octopoid_store::Result::Ok(format!("{} {}", why.claimable, codes.join(",")))
    };
    world.works_on("held").await?;
    let why = world.explains("held").await?;
    ensure_eq!(why.reasons[0].holder.as_deref(), Some(AGENT), "who holds it");
    ensure_eq!(why.reasons[0].until, Some(world.now().plus(LEASE)), "until when");
    ensure_eq!(told("held").await?, "false held", "a held task");
    world.cancels("held").await?;
    ensure_eq!(told("held").await?, "false held,cancel_requested", "to be cancelled");
    for queue in ["done", "failed", "cancelled"] {
        world.creates_with(queue, json!({ "queue": queue })).await?;
        ensure_eq!(told(queue).await?, "false finished", "a task in {queue}");
    }
    let later = world.now().plus(SECOND).to_iso();
    world.creates_with("later", json!({ "not_before": later, "role": "r" })).await?;
    ensure_eq!(told("later").await?, "false not_before", "a delayed task");
    world.pauses("role:r", None).await?;
    world.pauses("queue:incoming", None).await?;
    ensure_eq!(told("later").await?, "false not_before,paused,paused", "and paused twice");
    world.passes(SECOND);
    ensure_eq!(world.store.end_delays(10, world.stamp()).await?, 1, "the delay ends");
    ensure_eq!(told("later").await?, "false paused,paused", "the pauses are left");
    Ok(())
}

async fn what_a_task_waits_for_is_told_with_its_queue(world: &World) -> Verdict {
    world.has_machine("m", Status::Active).await?;
    world.creates_with("a", json!({ "queue": "provisional" })).await?;
    world.creates_with("b", json!({ "queue": "failed" })).await?;
    world.creates_with("c", json!({ "queue": "cancelled" })).await?;
    world.creates_with("t", json!({ "blocked_by": "b,a,awaiting-approval,c" })).await?;
    let why = world.explains("t").await?;
    let told: Vec<_> =
        why.reasons.iter().map(|reason| (reason.code, reason.task_id.as_deref())).collect();
    let waits = |id| (Code::WaitsFor, Some(id));
    let expected = [waits("b"), waits("a"), waits("awaiting-approval"), waits("c")];
    ensure_eq!((why.claimable, &*told), (false, &expected[..]), "what it waits for");
    for (reason, part) in why.reasons.iter().zip([
        "has failed",
        "is in queue \"provisional\"",
        "has no such task",
        "was cancelled",
    ]) {
        ensure_eq!(reason.text.contains(part), true, "{part} in {}", reason.text);
    }
    Ok(())
}

async fn a_task_of_another_tenant_is_no_blocker(world: &World) -> Verdict {
    world.creates_with("theirs", json!({ "scope": "other", "blocked_by": "t" })).await?;
    world.creates_with("t", json!({ "blocked_by": "theirs" })).await?;
    let why = world.explains("t").await?;
    let text = &why.reasons[0].text;
    ensure_eq!(text.contains("has no such task"), true, "nothing is told of it: {text}");
    Ok(())
}

/// Two edits at once may close one where many write.
async fn a_cycle_that_was_closed_all_the_same_is_told(world: &World) -> Verdict {
    world.creates_with("a", json!({ "blocked_by": "b" })).await?;
    world.creates_with("b", json!({ "blocked_by": "c" })).await?;
    world.creates_with("c", json!({ "blocked_by": "marker" })).await?;
    let close = "UPDATE task_blockers SET blocker_id = 'a' WHERE task_id = 'c'";
    world.runs(close, vec![]).await?;
    world.runs("UPDATE tasks SET blocked_by = 'a' WHERE id = 'c'", vec![]).await?;
    let why = world.explains("b").await?;
    let text = &why.reasons[0].text;
    ensure_eq!(text.contains("in turn (b, c, a, b)"), true, "the way is told: {text}");
    // What the case leaves is to be consistent again.
    world.patches("c", json!({ "blocked_by": null })).await?;
    Ok(())
}

async fn a_task_that_waits_for_an_answer_names_the_question(world: &World) -> Verdict {
    world.has_machine("m", Status::Active).await?;
    world.works_on("a").await?;
    let body = json!({ "agent_name": AGENT, "reason": "needs_input", "message": "Which one?" });
    world.fails_with("a", body).await?;
    let why = world.explains("a").await?;
    let told: Vec<_> = why.reasons.iter().map(|reason| reason.code.as_str()).collect();
    ensure_eq!(told, ["awaiting_input", "needs_intervention"], "its reasons");
    let text = &why.reasons[0].text;
    ensure_eq!(text.contains("\"Which one?\": complete action "), true, "the question: {text}");
    Ok(())
}

async fn a_queue_that_no_flow_has_is_told(world: &World) -> Verdict {
    world.has_machine("m", Status::Active).await?;
    world.creates_with("a", json!({ "queue": "backlog" })).await?;
    ensure_eq!(codes(world, "a").await?, (true, vec![]), "without a flow");
    world.registers(Flow::default()).await?;
    let expected = (false, vec!["not_claimable_queue"]);
    ensure_eq!(codes(world, "a").await?, expected, "with a flow that does not have it");
    ensure_refused!(world.claims_with(json!({ "queue": "backlog" })).await, "invalid_queue");
    world.registers(Flow { name: "own", states: &["backlog"], ..Flow::default() }).await?;
    ensure_eq!(codes(world, "a").await?, (true, vec![]), "with a flow that has it");
    Ok(())
}

async fn a_review_whose_lease_has_ended_can_be_claimed(world: &World) -> Verdict {
    world.has_machine("m", Status::Active).await?;
    world.creates_with("a", json!({ "queue": "provisional" })).await?;
    let review = json!({ "queue": "provisional" });
    world.claims_with(review.clone()).await?;
    world.passes(LEASE);
    ensure_eq!(codes(world, "a").await?, (false, vec!["held"]), "at the end of the lease");
    world.passes(1);
    let (claimable, codes) = codes(world, "a").await?;
    ensure_eq!((claimable, codes.contains(&"held")), (true, false), "after it");
    ensure_eq!(world.drains(review).await?, ["a"], "and somebody else gets it");
    Ok(())
}

async fn a_machine_that_takes_the_role_is_asked_for(world: &World) -> Verdict {
    const SAY: &str = "UPDATE orchestrators SET roles = ?1 WHERE id = 'machine-m'";
    world.creates_with("a", json!({ "role": "r" })).await?;
    world.has_machine("m", Status::Active).await?;
    let says = async |roles: Option<&str>| {
        world.runs(SAY, vec![Parameter::Text(roles.map(str::to_owned))]).await?;
        octopoid_store::Result::Ok(codes(world, "a").await?.1)
    };
    ensure_eq!(says(Some("[\"x\"]")).await?, ["no_machine"], "one that takes others");
    ensure_eq!(says(Some("[\"x\",\"r\"]")).await?, [""; 0], "one that takes it");
    ensure_eq!(says(None).await?, [""; 0], "one that takes all");
    world.has_machine("m", Status::Draining).await?;
    ensure_eq!(says(None).await?, ["no_machine"], "one that takes nothing more");
    world.has_machine("m", Status::Active).await?;
    world.passes(121 * SECOND);
    ensure_eq!(says(None).await?, ["no_machine"], "one that has fallen silent");
    Ok(())
}

async fn nobody_explains_the_tasks_of_others(world: &World) -> Verdict {
    world.creates("a").await?;
    let now = world.now();
    let why = world.store.explain_task("a", Some("other"), now, now).await;
    ensure_refused!(why, "task_not_found");
    ensure_refused!(world.explains("b").await, "task_not_found");
    Ok(())
}

async fn a_list_says_why_each_of_its_tasks_waits(world: &World) -> Verdict {
    world.creates("a").await?;
    world.creates_with("b", json!({ "blocked_by": "a,x" })).await?;
    world.creates_with("c", json!({ "blocked_by": "x,awaiting-input" })).await?;
    world.creates_with("d", json!({ "queue": "done" })).await?;
    world.creates_with("e", json!({ "role": "r" })).await?;
    world.works_on("f").await?;
    world.pauses("role:r", Some(world.now().plus(SECOND))).await?;
    let told = world.explains_all(&everything()).await?;
    let told: Vec<_> = told
        .into_iter()
        .map(|(id, waiting)| {
            (id, waiting.map(|waiting| (waiting.code, waiting.task_id, waiting.until)))
        })
        .collect();
    let expected = [
        ("f", Some((Code::Held, None, Some(world.now().plus(LEASE))))),
        ("e", Some((Code::Paused, None, Some(world.now().plus(SECOND))))),
        ("d", Some((Code::Finished, None, None))),
        ("c", Some((Code::AwaitingInput, None, None))),
        ("b", Some((Code::WaitsFor, Some("a".to_owned()), None))),
        ("a", None),
    ]
    .map(|(id, waiting)| (id.to_owned(), waiting));
    ensure_eq!(told, expected, "the first reasons");
    ensure_eq!(
        world.explains_all(&Filter { scope: "none".into(), ..everything() }).await?,
        [],
        "nothing"
    );
    Ok(())
}

fn claimable(world: &World, is_wanted: bool) -> Claimable {
    Claimable { is_wanted, now: world.now() }
}

async fn a_list_has_only_what_can_be_claimed_or_only_the_rest(world: &World) -> Verdict {
    world.makes_project("p", "main", Some(SCOPE)).await?;
    for (id, fields) in [
        ("a", json!({ "project_id": "p" })),
        ("b", json!({ "blocked_by": "a", "project_id": "p" })),
        ("c", json!({ "role": "r" })),
        ("d", json!({ "queue": "done", "project_id": "p" })),
        ("e", json!({ "queue": "provisional" })),
        ("f", json!({ "queue": "failed" })),
    ] {
        world.creates_with(id, fields).await?;
    }
    world.pauses("role:r", None).await?;
    let lists = async |is_wanted: bool, filter: Filter| {
        let filter = Filter { claimable: Some(claimable(world, is_wanted)), ..filter };
        let (ids, total) = world.lists(filter).await?;
        octopoid_store::Result::Ok(format!("{} of {total}", ids.join("")))
    };
    let of_project = || Filter { project_id: Some("p".to_owned()), ..everything() };
    let queues = |queues: &[&str]| Filter {
        queues: queues.iter().map(|queue| (*queue).to_owned()).collect(),
        ..everything()
    };
    ensure_eq!(lists(true, everything()).await?, "ea of 2", "what can be claimed");
    ensure_eq!(lists(false, everything()).await?, "fdcb of 4", "what cannot");
    ensure_eq!(lists(true, of_project()).await?, "a of 1", "of a project");
    ensure_eq!(lists(false, of_project()).await?, "db of 2", "the rest of it");
    ensure_eq!(lists(true, queues(&["incoming"])).await?, "a of 1", "of a queue");
    ensure_eq!(lists(false, queues(&["incoming", "done"])).await?, "dcb of 3", "the rest of two");
    ensure_eq!(lists(true, queues(&["done"])).await?, " of 0", "of a finished queue");
    ensure_eq!(lists(false, queues(&["done"])).await?, "d of 1", "all of a finished queue");
    let urgent = Filter { by_priority: true, roles: vec!["r".to_owned()], ..everything() };
    ensure_eq!(lists(false, urgent).await?, "c of 1", "with other filters");
    world.patches("a", json!({ "needs_intervention": true })).await?;
    world.patches("b", json!({ "needs_intervention": true })).await?;
    let flagged = || Filter { needs_intervention: Some(true), ..everything() };
    ensure_eq!(lists(true, flagged()).await?, "a of 1", "of the flagged");
    ensure_eq!(lists(false, flagged()).await?, "b of 1", "the rest of them");
    Ok(())
}

async fn what_can_be_claimed_is_listed_page_by_page(world: &World) -> Verdict {
    use octopoid_store::lists::Page;
    for number in 0..6 {
        let blocked_by = (number % 2 == 0).then_some("x");
        world.creates_with(&format!("t{number}"), json!({ "blocked_by": blocked_by })).await?;
    }
    let filter = Filter { claimable: Some(claimable(world, true)), ..everything() };
    let first = world.store.list_tasks(&filter, &Page::first(2)).await?;
    let cursor = first.next_cursor.clone().unwrap_or_default();
    // The next page is asked for later.
    world.passes(SECOND);
    let filter = Filter { claimable: Some(claimable(world, true)), ..everything() };
    let second = world.store.list_tasks(&filter, &Page::after(2, cursor)).await?;
    let ids: Vec<_> = first.items.iter().chain(&second.items).map(|task| &*task.id).collect();
    ensure_eq!(ids, ["t5", "t3", "t1"], "all pages");
    ensure_eq!((first.total, second.next_cursor), (Some(3), None), "there are no more");
    Ok(())
}
