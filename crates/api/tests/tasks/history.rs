use serde_json::{Value, json};

use crate::{TASKS, assert_no_task, common::TestApp, done, events, step};

#[tokio::test]
async fn history_tells_the_whole_story_in_order() {
    let app = TestApp::new().await;
    app.task("a", json!({"blocked_by": "b", "hooks": [{"name": "lint"}]})).await;
    app.task("b", json!({})).await;
    step(&app, "b", "force-queue", json!({"queue": "done", "reason": "r"})).await.expect(200);
    app.claim(json!({})).await.expect(200);
    step(&app, "a", "requeue", json!({})).await.expect(200);
    app.claim(json!({})).await.expect(200);
    app.patch(&format!("{TASKS}/a"), json!({"title": "t", "pr_number": 5})).await.expect(200);
    step(&app, "a", "hooks/lint/complete", json!({"status": "passed"})).await.expect(200);
    step(&app, "a", "submit", json!({"commits_count": 0, "turns_used": 1})).await.expect(200);
    app.claim(json!({"queue": "provisional", "agent_name": "reviewer"})).await.expect(200);
    step(&app, "a", "reject", json!({"reason": "r", "rejected_by": "h"})).await.expect(200);
    app.claim(json!({})).await.expect(200);
    step(&app, "a", "submit", json!({"commits_count": 0, "turns_used": 100})).await.expect(200);
    step(&app, "a", "force-queue", json!({"queue": "provisional", "reason": "r"}))
        .await
        .expect(200);
    step(&app, "a", "accept", json!({"accepted_by": "h"})).await.expect(200);
    app.delete(&format!("{TASKS}/a")).await.expect(200);

    let names: Vec<_> = events(&app, "a").await.into_iter().map(|(name, ..)| name).collect();
    assert_eq!(
        names,
        [
            "created",
            "unblocked",
            "claimed",
            "requeued",
            "claimed",
            "edited",
            "hook_completed",
            "submitted",
            "review_claimed",
            "rejected",
            "claimed",
            "submitted",
            "burnout_detected",
            "force_queue",
            "accepted",
            "deleted",
        ]
    );
}

#[tokio::test]
async fn an_event_says_who_did_what_when() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app.passes(1_111);
    app.claim(json!({})).await.expect(200);
    assert_eq!(
        app.get(&format!("{TASKS}/a/history")).await.expect(200),
        json!({
            "task_id": "a",
            "events": [
                {"id": 1, "task_id": "a", "event": "created", "agent": null, "details": null,
                 "timestamp": "2026-11-21T20:58:58.605Z"},
                {"id": 2, "task_id": "a", "event": "claimed", "agent": "agent-1", "details": null,
                 "timestamp": "2026-11-21T20:58:59.716Z"},
            ],
            "next_cursor": null,
        })
    );
}

#[tokio::test]
async fn a_history_has_no_offset() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    let whole = app.get(&format!("{TASKS}/a/history")).await.expect(200);
    for offset in ["5", "20000"] {
        let path = format!("{TASKS}/a/history?offset={offset}");
        assert_eq!(app.get(&path).await.expect(200), whole, "{offset}");
    }
}

#[tokio::test]
async fn pages_put_together_are_the_whole_history() {
    let app = TestApp::new().await;
    done(&app, "a").await;
    for number in 0..4 {
        app.patch(&format!("{TASKS}/a"), json!({"title": number.to_string()})).await.expect(200);
    }
    let whole = app.get(&format!("{TASKS}/a/history")).await.expect(200);
    let (mut pages, mut path) = (Vec::new(), format!("{TASKS}/a/history?limit=3"));
    loop {
        let page = app.get(&path).await.expect(200);
        let events = page["events"].as_array().unwrap();
        assert!((1..=3).contains(&events.len()), "{page}");
        pages.extend(events.clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{TASKS}/a/history?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(Value::from(pages), whole["events"]);
    assert_eq!(whole["events"].as_array().map(Vec::len), Some(8));
}

#[tokio::test]
async fn the_link_leads_to_the_next_page() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app.patch(&format!("{TASKS}/a"), json!({"title": "t"})).await.expect(200);
    let first = app.get(&format!("{TASKS}/a/history?limit=1")).await;
    let link = first.headers["link"].to_str().unwrap().to_owned();
    let next =
        link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
    let page = app.get(next).await;
    assert!(page.headers.get("link").is_none());
    let page = page.expect(200);
    assert_eq!(
        (&page["events"][0]["event"], &page["next_cursor"]),
        (&json!("edited"), &json!(null))
    );
}

#[tokio::test]
async fn a_cursor_that_no_answer_gave_is_refused() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for cursor in ["x", "1", "-1", "1.5", "99999999999999999999"] {
        let answer = app.get(&format!("{TASKS}/a/history?cursor={cursor}")).await;
        assert_eq!(answer.error(400), "Invalid cursor", "{cursor}");
    }
}

#[tokio::test]
async fn a_task_that_never_was_or_belongs_to_another_scope_has_no_history() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    assert_no_task(&app.get(&format!("{TASKS}/none/history")).await, "none");
    assert_no_task(&app.get(&format!("{TASKS}/a/history?scope=other")).await, "a");
}
