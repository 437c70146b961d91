//! What each field of an update takes.

use serde_json::{Value, json};

use crate::{TASKS, common::TestApp, read};

/// Each field with what is sent and what is shown.
fn fields() -> Vec<(&'static str, Value, Value)> {
    let same = |field, value: Value| (field, value.clone(), value);
    let (given, iso) = ("2026-03-02T10:00:00.123456+00:00", "2026-03-02T10:00:00.123Z");
    vec![
        same("title", json!("t")),
        same("priority", json!("P9")),
        same("complexity", json!("XL")),
        same("role", json!("r")),
        same("type", json!("y")),
        same("branch", json!("b")),
        same("claimed_by", json!("me")),
        ("claimed_at", json!(given), json!("2026-03-02 10:00:00")),
        ("lease_expires_at", json!(given), json!(iso)),
        same("commits_count", json!(1)),
        same("turns_used", json!(2)),
        same("attempt_count", json!(3)),
        same("rejection_count", json!(4)),
        ("has_plan", json!(true), json!(1)),
        ("plan_id", json!(17), json!("17")),
        ("auto_accept", json!(1), json!(1)),
        same("pr_number", json!(5)),
        same("pr_url", json!("https://x/5")),
        ("checks", json!(["a"]), json!("[\"a\"]")),
        ("check_results", json!({"a": 1}), json!("{\"a\":1}")),
        ("needs_rebase", json!("True"), json!(1)),
        same("last_rebase_attempt_at", json!("yesterday")),
        same("staging_url", json!("https://y")),
        ("submitted_at", json!(given), json!("2026-03-02 10:00:00")),
        ("completed_at", json!(given), json!(iso)),
        ("hooks", json!("[{\"name\":\"h\"}]"), json!("[{\"name\":\"h\"}]")),
        same("flow", json!("f")),
        ("flow_overrides", json!({}), json!("{}")),
        same("content", json!("# c\n")),
        ("needs_intervention", json!(true), json!(1)),
        same("execution_notes", json!("n")),
    ]
}

#[tokio::test]
async fn every_field_is_stored_and_shown() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for (field, sent, shown) in fields() {
        let answer = app.patch(&format!("{TASKS}/a"), json!({field: sent})).await;
        assert_eq!(answer.expect(200)[field], shown, "{field}");
    }
    let task = read(&app, "a").await;
    for (field, _, shown) in fields() {
        assert_eq!(task[field], shown, "{field}");
    }
}

#[tokio::test]
async fn null_clears_every_field_but_queue_and_branch() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    let flags = ["has_plan", "auto_accept", "needs_rebase", "needs_intervention"];
    for (field, sent, _) in fields().into_iter().filter(|(field, ..)| *field != "branch") {
        app.patch(&format!("{TASKS}/a"), json!({field: sent})).await.expect(200);
        let answer = app.patch(&format!("{TASKS}/a"), json!({field: null})).await;
        let cleared = if flags.contains(&field) { json!(0) } else { Value::Null };
        assert_eq!(answer.expect(200)[field], cleared, "{field}");
        assert_eq!(read(&app, "a").await[field], cleared, "{field}");
    }
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_refused_by_the_fields_name() {
    let app = TestApp::new().await;
    let before = app.task("a", json!({})).await;
    for (field, sent, _) in fields() {
        let wrong = match sent {
            // Where JSON is welcome, a plain number is not.
            Value::Array(_) | Value::Object(_) => json!(7),
            _ if field == "hooks" => json!(7),
            _ => json!({"a": 1}),
        };
        let answer = app.patch(&format!("{TASKS}/a"), json!({field: wrong})).await;
        let text = answer.error(400);
        assert!(text.starts_with(&format!("Invalid value for {field}: ")), "{field}: {text}");
    }
    for (field, wrong) in [
        ("lease_expires_at", json!("soon")),
        ("lease_expires_at", json!("2026")),
        ("claimed_at", json!(-1)),
        ("pr_number", json!(-5)),
        ("attempt_count", json!(1.5)),
        ("needs_intervention", json!("yes")),
        ("title", json!(5)),
        ("queue", json!(5)),
        ("version", json!("1")),
    ] {
        let body = json!({field: wrong, "content": "c"});
        let text = app.patch(&format!("{TASKS}/a"), body).await.error(400);
        assert!(text.starts_with(&format!("Invalid value for {field}: ")), "{field}: {text}");
    }
    assert_eq!(read(&app, "a").await, before);
}

#[tokio::test]
async fn every_form_of_an_instant_the_clients_send_is_read() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for form in [
        json!("2026-03-02T10:00:00.123456+00:00"),
        json!("2026-03-02T10:00:00.123Z"),
        json!("2026-03-02T12:00:00.123+02:00"),
        json!("2026-03-02T10:00:00.123"),
        json!("2026-03-02 10:00:00.123"),
        json!(1_772_445_600_123_i64),
    ] {
        let answer = app.patch(&format!("{TASKS}/a"), json!({"lease_expires_at": form})).await;
        let shown = answer.expect(200)["lease_expires_at"].clone();
        assert_eq!(shown, "2026-03-02T10:00:00.123Z", "{form}");
    }
}

#[tokio::test]
async fn empty_json_lists_become_null_because_clients_walk_through_them() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    for field in ["checks", "check_results", "hooks", "flow_overrides"] {
        let body = json!({field: "[1]"});
        app.patch(&format!("{TASKS}/a"), body).await.expect(200);
        let answer = app.patch(&format!("{TASKS}/a"), json!({field: []})).await;
        assert_eq!(answer.expect(200)[field], Value::Null, "{field}");
    }
}
