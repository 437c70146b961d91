//! Handing in work.

use octopoid_domain::{Claim, Task};
use serde_json::{Value, json};

use crate::{
    Verdict, World, ensure_eq, ensure_refused,
    setting::Flow,
    world::{AGENT, MACHINE, SECOND},
};

cases! {
    handing_in_ends_the_claim_and_asks_for_a_review,
    handing_in_overwrites_what_an_earlier_attempt_noted,
    handing_in_takes_both_counts,
    a_missing_count_is_not_a_null_one,
    only_claimed_work_can_be_handed_in,
    only_the_holder_hands_in_when_the_caller_says_who_it_is,
    an_agent_that_ran_out_of_turns_hands_over_instead,
    a_burnout_is_told_after_the_submission,
    handing_in_asks_no_flow,
    handing_in_an_unknown_task_is_refused,
}

async fn handing_in_ends_the_claim_and_asks_for_a_review(world: &World) -> Verdict {
    world.works_on("a").await?;
    let held = world.patches("a", json!({ "needs_intervention": true })).await?;
    world.passes(SECOND);
    let report = json!({
        "commits_count": 3, "turns_used": 42, "execution_notes": "notes",
        "check_results": [{"name": "tests"}], "scope": "ignored",
    });
    let expected = Task {
        queue: "provisional".to_owned(),
        claim: Claim::default(),
        lease_run: None,
        needs_intervention: false,
        commits_count: Some(3),
        turns_used: Some(42),
        execution_notes: Some("notes".to_owned()),
        check_results: Some(r#"[{"name":"tests"}]"#.to_owned()),
        submitted_at: Some(world.now()),
        updated_at: world.now(),
        version: held.version + 1,
        ..held
    };
    ensure_eq!(world.submits_with("a", report).await?, expected, "the submitted task");
    let last = world.history("a").await?.pop();
    let last = last.map(|event| (event.event, event.agent, event.timestamp));
    let expected = ("submitted".to_owned(), Some(AGENT.to_owned()), world.now());
    ensure_eq!(last, Some(expected), "the event names the holder");
    Ok(())
}

async fn handing_in_overwrites_what_an_earlier_attempt_noted(world: &World) -> Verdict {
    world.works_on("a").await?;
    let first = json!({
        "commits_count": 3, "turns_used": 42, "execution_notes": "n", "check_results": "r",
    });
    world.submits_with("a", first).await?;
    world.rejects("a").await?;
    world.picks("a").await?;
    let second = json!({ "commits_count": 0, "turns_used": 1, "execution_notes": "" });
    let task = world.submits_with("a", second).await?;
    ensure_eq!(task.commits_count, Some(0), "commits");
    ensure_eq!(task.turns_used, Some(1), "turns");
    ensure_eq!(task.execution_notes, None, "notes");
    ensure_eq!(task.check_results, None, "results");
    Ok(())
}

async fn handing_in_takes_both_counts(world: &World) -> Verdict {
    let held = world.works_on("a").await?;
    let words = "Missing required fields: commits_count, turns_used";
    for body in [json!({}), json!({ "commits_count": 1 }), json!({ "turns_used": 1 })] {
        let answer = world.submits_with("a", body).await;
        ensure_refused!(answer, "invalid_request", words);
    }
    for bad in [json!(-5), json!(5.7), json!("abc"), json!(true), json!([])] {
        let body = json!({ "commits_count": bad, "turns_used": 1 });
        ensure_refused!(world.submits_with("a", body).await, "invalid_request");
        let body = json!({ "commits_count": 1, "turns_used": bad });
        ensure_refused!(world.submits_with("a", body).await, "invalid_request");
    }
    ensure_eq!(world.reads("a").await?, held, "nothing was handed in");
    Ok(())
}

async fn a_missing_count_is_not_a_null_one(world: &World) -> Verdict {
    world.works_on("a").await?;
    let body = json!({ "commits_count": null, "turns_used": null });
    let task = world.submits_with("a", body).await?;
    ensure_eq!((task.commits_count, task.turns_used), (Some(0), Some(0)), "null is zero");
    Ok(())
}

async fn only_claimed_work_can_be_handed_in(world: &World) -> Verdict {
    for queue in ["incoming", "provisional", "done", "failed", "needs_continuation", "backlog"] {
        world.creates_with(queue, json!({ "queue": queue })).await?;
        let words = format!(
            "Failed to submit task: Invalid transition: task is in {queue}, expected claimed"
        );
        ensure_refused!(world.submits(queue).await, "wrong_state", words);
    }
    // A review is not the work: its holder accepts or rejects.
    world.hands_in("a").await?;
    world.claims_with(json!({ "queue": "provisional", "type_filter": "a" })).await?;
    ensure_refused!(world.submits("a").await, "wrong_state");
    Ok(())
}

async fn only_the_holder_hands_in_when_the_caller_says_who_it_is(world: &World) -> Verdict {
    let held = world.works_on("a").await?;
    let report = |field: &str, value: Value| {
        let mut body = json!({ "commits_count": 1, "turns_used": 1 });
        body[field] = value;
        body
    };
    for (field, value, code) in [
        ("agent_name", json!("another"), "lease_lost"),
        ("orchestrator_id", json!("another"), "lease_lost"),
        ("version", json!(held.version + 1), "version_conflict"),
        ("version", json!(held.version - 1), "version_conflict"),
    ] {
        let answer = world.submits_with("a", report(field, value)).await;
        ensure_eq!(crate::verdict::code(&answer), Some(code), "another {field}");
        ensure_eq!(world.reads("a").await?, held, "the holder keeps it");
    }
    ensure_eq!(world.events("a").await?, ["created", "claimed"], "no event");
    let all = json!({
        "commits_count": 1, "turns_used": 1, "agent_name": AGENT, "orchestrator_id": MACHINE,
        "version": held.version,
    });
    world.submits_with("a", all).await?;
    Ok(())
}

async fn an_agent_that_ran_out_of_turns_hands_over_instead(world: &World) -> Verdict {
    for (commits, turns, queue) in [
        (0, 0, "provisional"),
        (0, 79, "provisional"),
        (0, 80, "needs_continuation"),
        (1, 80, "provisional"),
        (5, 99, "provisional"),
        (5, 100, "needs_continuation"),
        (0, 100, "needs_continuation"),
    ] {
        let id = format!("{commits}-{turns}");
        world.works_on(&id).await?;
        let body = json!({ "commits_count": commits, "turns_used": turns });
        let task = world.submits_with(&id, body).await?;
        ensure_eq!(task.queue, queue, "after {commits} commits and {turns} turns");
        let expected: &[&str] = match queue {
            "provisional" => &["created", "claimed", "submitted"],
            _ => &["created", "claimed", "submitted", "burnout_detected"],
        };
        ensure_eq!(world.events(&id).await?, expected, "the events of {id}");
    }
    let order = world.drains(json!({ "queue": "needs_continuation" })).await?;
    ensure_eq!(order, ["0-80", "5-100", "0-100"], "another agent can go on");
    Ok(())
}

async fn a_burnout_is_told_after_the_submission(world: &World) -> Verdict {
    world.works_on("a").await?;
    let body = json!({ "commits_count": 0, "turns_used": 80 });
    world.submits_with("a", body).await?;
    let last = world.history("a").await?.pop();
    let (agent, details) = last.map(|event| (event.agent, event.details)).unwrap_or_default();
    ensure_eq!(agent, None, "nobody did it");
    let expected = r#"{"commits_count":0,"turns_used":80,"threshold":80}"#;
    ensure_eq!(details.as_deref(), Some(expected), "the counts");
    Ok(())
}

async fn handing_in_asks_no_flow(world: &World) -> Verdict {
    let bare = Flow { states: &[], steps: &[("claimed", "done")], ..Flow::default() };
    world.registers(bare).await?;
    ensure_eq!(world.hands_in("a").await?.queue, "provisional", "a state the flow lacks");
    Ok(())
}

async fn handing_in_an_unknown_task_is_refused(world: &World) -> Verdict {
    let answer = world.submits("nothing").await;
    ensure_refused!(answer, "task_not_found", "Task not found");
    Ok(())
}
