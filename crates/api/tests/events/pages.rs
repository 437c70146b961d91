//! Pages of the journal.

use octopoid_api::Settings;
use serde_json::json;

use crate::{EVENTS, app_with, common::TestApp, cursor, guarded_app, lines};

#[tokio::test]
async fn an_event_says_what_happened_to_what_when_and_by_whom() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app.claim(json!({})).await.expect(200);
    app.post("/api/v1/projects", json!({"id": "p", "title": "P", "branch": "b", "scope": "s"}))
        .await
        .expect(201);
    let page = app.get(&format!("{EVENTS}?scope=s&cursor=0")).await.expect(200);
    let events = page["events"].as_array().unwrap();
    let expected = json!({
        "id": events[1]["id"], "type": "task.claimed", "at": "2026-11-21T20:58:58.605Z",
        "scope": "s", "subject": {"kind": "task", "id": "a"}, "actor": "agent-1", "version": 2,
        "queue": "claimed", "details": null,
    });
    assert_eq!(events[1], expected);
    let expected = json!({
        "id": page["next_cursor"], "type": "project.created", "at": "2026-11-21T20:58:58.605Z",
        "scope": "s", "subject": {"kind": "project", "id": "p"}, "actor": null, "details": null,
    });
    assert_eq!(events[2], expected);
}

#[tokio::test]
async fn pages_go_on_by_cursor() {
    let app = TestApp::new().await;
    let start = app.get(&format!("{EVENTS}?scope=s")).await.expect(200);
    assert_eq!(lines(&start), [""; 0]);
    for id in ["a", "b", "c"] {
        app.task(id, json!({})).await;
    }
    let first = format!("{EVENTS}?scope=s&limit=2&cursor={}", cursor(&start));
    let first = app.get(&first).await.expect(200);
    assert_eq!(lines(&first), ["task.created a", "task.created b"]);
    let second = format!("{EVENTS}?scope=s&limit=2&cursor={}", cursor(&first));
    let second = app.get(&second).await.expect(200);
    assert_eq!(lines(&second), ["task.created c"]);
    let end = app.get(&format!("{EVENTS}?scope=s&cursor={}", cursor(&second))).await.expect(200);
    assert_eq!((lines(&end), cursor(&end)), (vec![], cursor(&second)));
    let now = app.get(&format!("{EVENTS}?scope=s")).await.expect(200);
    assert_eq!((lines(&now), cursor(&now)), (vec![], cursor(&second)));
}

#[tokio::test]
async fn pages_go_back_from_a_cursor() {
    let app = TestApp::new().await;
    for id in ["a", "b", "c"] {
        app.task(id, json!({})).await;
    }
    let now = app.get(&format!("{EVENTS}?scope=s")).await.expect(200);
    let end = cursor(&now);
    let first = format!("{EVENTS}?scope=s&limit=2&before={end}");
    let first = app.get(&first).await.expect(200);
    assert_eq!(lines(&first), ["task.created c", "task.created b"]);
    let second = format!("{EVENTS}?scope=s&limit=2&before={}", cursor(&first));
    let second = app.get(&second).await.expect(200);
    assert_eq!(lines(&second), ["task.created a"]);
    let start = format!("{EVENTS}?scope=s&before={}", cursor(&second));
    let start = app.get(&start).await.expect(200);
    assert_eq!((lines(&start), cursor(&start)), (vec![], cursor(&second)));
    let foreign = app.get(&format!("{EVENTS}?scope=other&before={end}")).await.expect(200);
    assert_eq!(lines(&foreign), [""; 0]);
    assert_eq!(lines(&app.get(&format!("{EVENTS}?scope=s&before=0")).await.expect(200)), [""; 0]);
}

#[tokio::test]
async fn what_is_read_backwards_has_no_other_direction() {
    let app = TestApp::new().await;
    let now = app.get(&format!("{EVENTS}?scope=s")).await.expect(200);
    let end = cursor(&now);
    let both = app.get(&format!("{EVENTS}?scope=s&before={end}&cursor=0")).await.error(400);
    assert!(both.contains("before reads backwards"), "{both}");
    let wrong = app.get(&format!("{EVENTS}?scope=s&before=x")).await.error(400);
    assert!(wrong.starts_with("Invalid cursor"), "{wrong}");
}

#[tokio::test]
async fn events_are_filtered_by_type_and_task() {
    let app = TestApp::new().await;
    for id in ["a", "b"] {
        app.task(id, json!({})).await;
    }
    app.claim(json!({})).await.expect(200);
    app.post("/api/v1/projects", json!({"id": "p", "title": "P", "branch": "b", "scope": "s"}))
        .await
        .expect(201);
    for (query, expected) in [
        ("types=task.claimed", &["task.claimed a"][..]),
        ("types=project.*,task.claimed", &["task.claimed a", "project.created p"]),
        ("types=role.*", &[]),
        ("task_id=a", &["task.created a", "task.claimed a"]),
        ("task_id=a&types=task.created", &["task.created a"]),
        ("types=", &["task.created a", "task.created b", "task.claimed a", "project.created p"]),
    ] {
        let page = app.get(&format!("{EVENTS}?scope=s&cursor=0&{query}")).await.expect(200);
        assert_eq!(lines(&page), expected, "{query}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_what_to_do() {
    let app = TestApp::new().await;
    for (query, expected) in [
        ("", "Missing required parameter: scope. Events are read in one scope."),
        (
            "?scope=s&cursor=17",
            "Invalid cursor: pass the id of an event, a next_cursor, or 0 for the oldest event",
        ),
        (
            "?scope=s&types=tasks",
            "Invalid value for types: \"tasks\" is neither a type, such as task.claimed, nor all \
             types of a kind, such as task.*",
        ),
    ] {
        assert_eq!(app.get(&format!("{EVENTS}{query}")).await.error(400), expected);
    }
    let many = vec!["a.b"; 101].join(",");
    let many = app.get(&format!("{EVENTS}?scope=s&types={many}")).await.error(400);
    assert_eq!(many, "types has more than 100 entries");
}

#[tokio::test]
async fn a_key_reads_the_events_of_its_scope() {
    let app = guarded_app().await;
    let (ours, theirs) = (app.holder("ours").await, app.holder("theirs").await);
    theirs.task("a", json!({"scope": "theirs"})).await;
    let page = theirs.get(&format!("{EVENTS}?cursor=0")).await.expect(200);
    assert_eq!(lines(&page).last().unwrap(), "task.created a");
    let page = ours.get(&format!("{EVENTS}?cursor=0&task_id=a")).await.expect(200);
    assert_eq!(lines(&page), [""; 0]);
    ours.get(&format!("{EVENTS}?scope=theirs")).await.expect(403);
    app.get(&format!("{EVENTS}?scope=ours")).await.expect(401);
    let admin = app.holding(crate::common::ADMIN);
    admin.get(EVENTS).await.expect(400);
    let page = admin.get(&format!("{EVENTS}?scope=theirs&cursor=0")).await.expect(200);
    assert_eq!(lines(&page).last().unwrap(), "task.created a");
}

#[tokio::test]
async fn the_jobs_delete_old_events_and_cursors_to_them_are_gone() {
    const DAY: i64 = 86_400_000;
    let admin_key_hash = Some(octopoid_api::auth::hash(crate::common::ADMIN));
    let settings = Settings { retain_events_ms: 2 * DAY, admin_key_hash, ..Settings::default() };
    let app = app_with(settings).await;
    let start = app.get(&format!("{EVENTS}?scope=s")).await.expect(200);
    app.task("a", json!({})).await;
    app.delete("/api/v1/tasks/a?scope=s").await.expect(200);
    app.task("kept", json!({})).await;
    app.passes(3 * DAY);
    app.task("new", json!({})).await;
    app.holding(crate::common::ADMIN).post("/api/v1/admin/jobs/run", json!({})).await.expect(200);

    let gone = app.get(&format!("{EVENTS}?scope=s&cursor={}", cursor(&start))).await;
    let body = gone.expect(410);
    assert_eq!(body["code"], "events_gone");
    let expected = "Events after this cursor are no longer kept: read the present state, and go on \
                    without cursor, or with cursor=0 from the oldest event";
    assert_eq!(body["error"], expected);
    let page = app.get(&format!("{EVENTS}?scope=s&cursor=0")).await.expect(200);
    assert_eq!(lines(&page), ["task.created new"]);
    for (id, events) in [("a", 1), ("kept", 1), ("new", 1)] {
        let history = app.get(&format!("/api/v1/tasks/{id}/history")).await.expect(200);
        assert_eq!(history["events"].as_array().unwrap().len(), events, "{id}");
    }
}
