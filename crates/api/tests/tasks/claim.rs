use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    TASKS, changes, claimed, common::TestApp, event, events, holders_own, last_event, read, step,
};

#[tokio::test]
async fn a_claim_says_who_where_and_for_which_scope() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    let who = "Missing required fields: orchestrator_id, agent_name";
    let scope = "Missing required field: scope. Cannot claim tasks across all scopes.";
    for (field, text) in [("orchestrator_id", who), ("agent_name", who), ("scope", scope)] {
        for falsy in [json!(null), json!(""), json!(0), json!(false)] {
            let answer = app.claim(json!({field: falsy})).await;
            assert_eq!(answer.error(400), text, "{field}: {falsy}");
        }
    }
    assert_eq!(app.post(&format!("{TASKS}/claim"), json!({})).await.error(400), who);
    assert_eq!(read(&app, "a").await["queue"], "incoming");
}

#[tokio::test]
async fn nothing_to_claim_is_a_404_with_a_message_and_no_error() {
    let app = TestApp::new().await;
    let nothing = json!({"message": "No tasks available"});
    assert_eq!(app.claim(json!({})).await.expect(404), nothing);
    app.task("theirs", json!({"scope": "other"})).await;
    app.task("blocked", json!({"blocked_by": "awaiting-approval"})).await;
    assert_eq!(app.claim(json!({})).await.expect(404), nothing);
    assert_eq!(app.claim(json!({"queue": "backlog"})).await.expect(404), nothing);
}

#[tokio::test]
async fn a_claim_changes_what_the_contract_says_and_nothing_else() {
    let app = TestApp::new().await;
    let before = app.task("a", json!({})).await;
    app.passes(578_607);
    let mut after = app.claim(json!({"agent_name": "implementer-1"})).await.expect(200);
    assert_eq!(
        holders_own(&mut after),
        json!({"attempt": 1, "feedback": [], "checkpoint": null, "previous": null})
    );
    assert_eq!(
        changes(&before, &after),
        json!({
            "queue": "claimed", "claimed_by": "implementer-1",
            "claimed_at": "2026-11-21 21:08:37", "updated_at": "2026-11-21 21:08:37",
            "orchestrator_id": "box-1", "lease_expires_at": "2026-11-22T01:08:37.212Z",
            "version": 2, "run": 1,
        })
    );
    assert_eq!(read(&app, "a").await, after);
    assert_eq!(last_event(&app, "a").await, event("claimed", "implementer-1", Value::Null));
}

#[tokio::test]
async fn what_earlier_attempts_left_stays_for_the_next_agent() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    let body = json!({
        "commits_count": 2, "turns_used": 9, "execution_notes": "n", "check_results": {"ok": true},
    });
    step(&app, "a", "submit", body).await.expect(200);
    let verdict = json!({"reason": "r", "rejected_by": "human"});
    let before = step(&app, "a", "reject", verdict).await.expect(200);
    let after = app.claim(json!({})).await.expect(200);
    let changed = changes(&before, &after);
    for key in ["submitted_at", "commits_count", "turns_used", "execution_notes", "check_results"] {
        assert!(changed.get(key).is_none() && !after[key].is_null(), "{key}: {after}");
    }
}

#[tokio::test]
async fn the_most_urgent_task_is_claimed_first_and_the_oldest_of_equals() {
    let app = TestApp::new().await;
    for (id, priority) in [
        ("third-1", "P2"),
        ("last-1", "P10"),
        ("fourth", "P3"),
        ("third-2", "P2"),
        ("first", "P0"),
        ("last-2", "A"),
        ("second", "P1"),
    ] {
        // Roles and types are lanes of their own; the order goes across them.
        app.task(id, json!({"priority": priority, "role": priority, "type": id})).await;
    }
    let mut order = Vec::new();
    for _ in 0..7 {
        order.push(app.claim(json!({})).await.expect(200)["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(order, ["first", "second", "third-1", "third-2", "fourth", "last-1", "last-2"]);
}

#[tokio::test]
async fn equal_tasks_are_claimed_in_the_order_of_their_creation() {
    let app = TestApp::new().await;
    for number in 0..30 {
        app.task(&format!("t{number}"), json!({})).await;
    }
    for number in 0..30 {
        assert_eq!(app.claim(json!({})).await.expect(200)["id"], format!("t{number}"));
    }
}

#[tokio::test]
async fn leases_are_held_between_a_second_and_a_day() {
    let app = TestApp::new().await;
    for (number, (asked, expires)) in [
        (json!(null), "2026-11-21T21:03:58.605Z"),
        (json!(0), "2026-11-21T21:03:58.605Z"),
        (json!(""), "2026-11-21T21:03:58.605Z"),
        (json!(60), "2026-11-21T20:59:58.605Z"),
        (json!(1.5), "2026-11-21T20:59:00.105Z"),
        (json!("60"), "2026-11-21T20:59:58.605Z"),
        (json!(0.001), "2026-11-21T20:58:59.605Z"),
        (json!(-5), "2026-11-21T20:58:59.605Z"),
        (json!(1e300), "2026-11-22T20:58:58.605Z"),
    ]
    .into_iter()
    .enumerate()
    {
        app.task(&format!("t{number}"), json!({})).await;
        let task = app.claim(json!({"lease_duration_seconds": asked})).await.expect(200);
        assert_eq!(task["lease_expires_at"], expires, "{asked}");
    }
    for bad in [json!("abc"), json!(true), json!([]), json!({"a": 1}), json!("NaN")] {
        let text = app.claim(json!({"lease_duration_seconds": bad})).await.error(400);
        assert!(text.starts_with("Invalid value for lease_duration_seconds: "), "{bad}: {text}");
    }
}

#[tokio::test]
async fn roles_and_types_filter_and_an_empty_filter_is_none() {
    let app = TestApp::new().await;
    for (id, role, kind) in [
        ("plain", json!(null), json!(null)),
        ("fix-product", json!("fix"), json!("product")),
        ("fix-infra", json!("fix"), json!("infra")),
        ("doc-product", json!("doc"), json!("product")),
    ] {
        app.task(id, json!({"role": role, "type": kind})).await;
    }
    for (filters, expected) in [
        (json!({"role_filter": "doc"}), "doc-product"),
        (json!({"role_filter": ["cook", "fix"], "type_filter": "infra"}), "fix-infra"),
        (json!({"type_filter": ["product"]}), "fix-product"),
        (json!({"role_filter": [], "type_filter": []}), "plain"),
    ] {
        let task = app.claim(filters.clone()).await.expect(200);
        assert_eq!(task["id"], expected, "{filters}");
    }
    app.task("plain-2", json!({})).await;
    for filters in [json!({"role_filter": "fix"}), json!({"type_filter": "infra"})] {
        app.claim(filters.clone()).await.expect(404);
    }
}

#[tokio::test]
async fn a_flag_for_the_fixer_does_not_keep_a_task_from_being_claimed_and_is_lowered() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app.patch(&format!("{TASKS}/a"), json!({"needs_intervention": true})).await.expect(200);
    assert_eq!(app.claim(json!({})).await.expect(200)["needs_intervention"], 0);
}

#[tokio::test]
async fn how_many_tasks_an_agent_holds_is_not_limited() {
    let app = TestApp::new().await;
    for id in ["a", "b", "c"] {
        app.task(id, json!({})).await;
        app.claim(json!({"max_claimed": 1, "priority_order": ["P3"]})).await.expect(200);
    }
}

#[tokio::test]
async fn agents_that_claim_at_once_get_different_tasks() {
    let app = TestApp::new().await;
    for number in 0..20 {
        app.task(&format!("t{number}"), json!({})).await;
    }
    let claims = (0..50).map(|agent| {
        let app = app.clone();
        tokio::spawn(async move { app.claim(json!({"agent_name": format!("a{agent}")})).await })
    });
    let (mut granted, mut empty) = (BTreeSet::new(), 0);
    for claim in claims.collect::<Vec<_>>() {
        let answer = claim.await.unwrap();
        if answer.status == 200 {
            assert!(granted.insert(answer.json()["id"].to_string()), "{} twice", answer.text);
        } else {
            assert_eq!(answer.expect(404), json!({"message": "No tasks available"}));
            empty += 1;
        }
    }
    assert_eq!((granted.len(), empty), (20, 30));
}

#[tokio::test]
async fn a_server_about_to_stop_hands_out_nothing_but_takes_reports() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    app.task("b", json!({})).await;
    app.app.stop_claiming();
    let answer = app.claim(json!({})).await;
    assert_eq!(answer.error(503), "Service Unavailable");
    assert_eq!(answer.json()["code"], "stopping");
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(read(&app, "b").await["queue"], "incoming");
    // A claim that is wrong in itself is told so.
    app.claim(json!({"agent_name": ""})).await.expect(400);
    let report = json!({"commits_count": 1, "turns_used": 1});
    step(&app, "a", "submit", report).await.expect(200);
}

#[tokio::test]
async fn every_claim_is_in_the_history() {
    let app = TestApp::new().await;
    claimed(&app, "a").await;
    step(&app, "a", "requeue", json!({})).await.expect(200);
    app.claim(json!({"agent_name": "agent-2"})).await.expect(200);
    assert_eq!(
        events(&app, "a").await,
        [
            event("created", Value::Null, Value::Null),
            event("claimed", "agent-1", Value::Null),
            event("requeued", "agent-1", Value::Null),
            event("claimed", "agent-2", Value::Null),
        ]
    );
}
