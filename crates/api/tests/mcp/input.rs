//! What is wrong is said in words: of a tool to its model, of a message to its client.

use std::sync::atomic::Ordering;

use octopoid_testbed::conversation::word_after;
use serde_json::json;

use crate::{call, common::TestApp, send, tool};

#[tokio::test]
async fn messages_that_are_none_are_refused() {
    let app = TestApp::new().await;
    for (body, code) in [
        ("{", -32700),
        ("", -32700),
        ("[]", -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, -32600),
    ] {
        let answer = app.raw("POST", "/mcp?scope=s", body).await.expect(400);
        assert_eq!(answer["error"]["code"], code, "{body}");
        assert!(answer["id"].is_null() || answer["id"] == 1, "{answer}");
    }
    let huge = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "x".repeat(5 << 20));
    assert_eq!(app.raw("POST", "/mcp", huge).await.expect(413)["code"], "body_too_large");
}

#[tokio::test]
async fn mistakes_are_results_of_the_tool() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    let claim = app.claim(json!({})).await.expect(200);
    let token = claim["lease_token"].as_str().unwrap();
    let long = "x".repeat(70_000);
    for (name, arguments, said) in [
        ("nope", json!({}), "There is no tool nope: use one of board, "),
        ("board", json!([]), "The arguments must be one JSON object"),
        ("board", json!({"limit": 5}), "There is no argument `limit`"),
        ("task_get", json!({}), "`task_id` is required"),
        ("task_get", json!({"task_id": {}}), "`task_id` must be a text"),
        ("task_get", json!({"task_id": "nope"}), "Task not found. board with `search`"),
        (
            "task_next",
            json!({"wait_seconds": 60}),
            "`wait_seconds` must be an integer from 0 to 50",
        ),
        ("task_next", json!({"agent": "x".repeat(5_000)}), "agent_name"),
        ("task_create", json!({"tasks": []}), "`tasks` must be a list of one or more"),
        (
            "task_create",
            json!({"tasks": [{"title": "a", "after": ["a,b\u{0}"]}]}),
            "Nothing was created",
        ),
        (
            "task_finish",
            json!({"task_id": "a", "outcome": "submit"}),
            "`lease_token` is required to submit",
        ),
        (
            "task_finish",
            json!({"task_id": "a", "outcome": "submit", "lease_token": "stale"}),
            "lease_token",
        ),
        ("task_update", json!({"task_id": "nope", "lease_token": token}), "Task not found"),
        ("message", json!({"text": "x"}), "`task_id` is required"),
        ("message", json!({"text": "x", "question_id": "nope"}), "not found"),
        (
            "task_update",
            json!({"task_id": "a", "lease_token": token, "checkpoint": long}),
            "checkpoint",
        ),
    ] {
        let (text, is_error) = tool(&app, name, arguments.clone()).await;
        assert!(is_error && text.contains(said), "{name} {arguments}: {text}");
    }
}

#[tokio::test]
async fn a_task_that_fails_to_be_created_does_not_hide_those_before_it() {
    let app = TestApp::new().await;
    let tasks = json!([{"title": "first"}, {"title": "second", "project": "nope"}]);
    let (text, is_error) = tool(&app, "task_create", json!({"tasks": tasks})).await;
    assert!(is_error && text.contains("do not create them again:\n* "), "{text}");
    assert!(text.contains("first"), "{text}");
    let list = app.get("/api/v1/tasks?scope=s").await.expect(200);
    assert_eq!(list["tasks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn long_texts_are_read_in_pages() {
    let app = TestApp::new().await;
    app.task("a", json!({"content": "word ".repeat(4_000)})).await;
    let (first, _) = tool(&app, "task_get", json!({"task_id": "a"})).await;
    assert!(
        first.len() <= 8_000 && first.contains("call task_get with offset="),
        "{}",
        first.len()
    );
    let (claimed, _) = tool(&app, "task_next", json!({})).await;
    assert!(claimed.len() <= 8_000 && claimed.contains("lease_token: olt_1_"), "{claimed}");
    for number in 0..40 {
        app.task(&format!("t{number}"), json!({"title": "x".repeat(200)})).await;
    }
    let (page, _) = tool(&app, "board", json!({"view": "tasks"})).await;
    assert!(page.len() <= 8_000, "{}", page.len());
    let cursor = page.split_once("cursor=").unwrap().1;
    let (rest, _) = tool(&app, "board", json!({"view": "tasks", "cursor": cursor})).await;
    assert_eq!(page.matches("\n* ").count() + 1 + rest.matches("* ").count(), 41);
}

#[tokio::test]
async fn a_lease_token_is_shown_however_much_there_is_to_say() {
    let app = TestApp::new().await;
    app.task("a", json!({"content": "word ".repeat(2_000)})).await;
    let (claimed, _) = tool(&app, "task_next", json!({})).await;
    let token = word_after(&claimed, "lease_token: ").unwrap();
    let checkpoint = "seen ".repeat(4_000);
    let update = json!({"task_id": "a", "lease_token": token, "checkpoint": checkpoint});
    tool(&app, "task_update", update).await;
    let failure = json!({
        "task_id": "a", "lease_token": token, "outcome": "fail", "message": "why ".repeat(1_000),
    });
    assert!(!tool(&app, "task_finish", failure).await.1);
    app.passes(60_000);
    app.post("/api/v1/tasks/a/force-queue", json!({"queue": "incoming", "reason": "now"})).await;
    let (claimed, _) = tool(&app, "task_next", json!({})).await;
    assert!(claimed.len() <= 8_000, "{}", claimed.len());
    word_after(&claimed, "lease_token: olt_").unwrap();
}

#[tokio::test]
async fn the_newest_messages_are_shown_and_long_ones_are_cut_for_the_agent() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    let (claimed, _) = tool(&app, "task_next", json!({})).await;
    let token = word_after(&claimed, "lease_token: ").unwrap();
    for number in 0..30 {
        app.passes(1);
        let text = format!("message {number} {}", "x".repeat(1_000));
        tool(&app, "message", json!({"task_id": "a", "text": text, "to": "agent"})).await;
    }
    let update = json!({"task_id": "a", "lease_token": token});
    let (heard, _) = tool(&app, "task_update", update).await;
    assert!(heard.len() <= 8_000 && heard.contains("messages_after=msg-"), "{heard}");
    let (mut thread, mut offset) = (String::new(), 0);
    while let (page, false) =
        tool(&app, "task_get", json!({"task_id": "a", "offset": offset})).await
    {
        thread.push_str(&page);
        let Some((_, next)) = page.split_once("with offset=") else { break };
        offset = next.trim_end_matches('.').parse().unwrap();
    }
    assert!(thread.contains("message 29 "), "{thread}");
}

#[tokio::test]
async fn work_that_is_cancelled_meanwhile_is_not_said_to_wait() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    let (claimed, _) = tool(&app, "task_next", json!({})).await;
    let token = word_after(&claimed, "lease_token: ").unwrap();
    let cancel = json!({"by": "alice", "reason": "not needed"});
    app.post("/api/v1/tasks/a/cancel", cancel).await.expect(200);
    let (text, _) = tool(&app, "task_update", json!({"task_id": "a", "lease_token": token})).await;
    assert!(text.contains("Stop: it is to be cancelled"), "{text}");
    let release = json!({"task_id": "a", "lease_token": token, "outcome": "release"});
    let (text, _) = tool(&app, "task_finish", release).await;
    assert!(text.contains("in cancelled now. It is cancelled, as a person wanted"), "{text}");
}

#[tokio::test]
async fn long_names_cost_no_more_than_short_ones() {
    let app = TestApp::new().await;
    let name = "x".repeat(3 << 20);
    let (text, is_error) = tool(&app, "board", json!({name: 1})).await;
    assert!(is_error && text.len() < 8_000, "{}", text.len());
    let key = "k".repeat(1 << 20);
    let tasks = json!([{"title": "a", "key": key}, {"title": "b", "key": key}]);
    let (text, is_error) = tool(&app, "task_create", json!({"tasks": tasks})).await;
    assert!(is_error && text.len() < 8_000, "{}", text.len());
    let after: Vec<_> = (0..200).map(|number| format!("t{number}")).collect();
    let tasks = json!([{"title": "a", "after": after}]);
    let (text, _) = tool(&app, "task_create", json!({"tasks": tasks})).await;
    assert!(text.contains("`after` has 200 entries: at most 100"), "{text}");
}

#[tokio::test]
async fn a_call_waits_for_a_task() {
    let app = TestApp::new().await;
    app.host.waits.store(true, Ordering::Relaxed);
    let waiting = app.clone();
    let waiting = tokio::spawn(async move {
        send(&waiting, &call("task_next", json!({"wait_seconds": 50})), &[]).await.expect(200)
    });
    while app.app.store.hints().watches() == 0 {
        tokio::task::yield_now().await;
    }
    app.task("a", json!({})).await;
    let text = waiting.await.unwrap()["result"]["content"][0]["text"].to_string();
    assert!(text.contains("lease_token: olt_1_"), "{text}");
}
