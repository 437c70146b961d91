use serde_json::{Value, json};

use crate::{TASKS, common::TestApp, ids, step};

async fn list(app: &TestApp, query: &str) -> Vec<String> {
    ids(&app.get(&format!("{TASKS}?scope=s&{query}")).await)
}

#[tokio::test]
async fn a_list_needs_a_scope() {
    let app = TestApp::new().await;
    for path in [TASKS.to_owned(), format!("{TASKS}?scope="), format!("{TASKS}?queue=incoming")] {
        assert_eq!(
            app.get(&path).await.error(400),
            "Missing required query parameter: scope. Cannot list tasks across all scopes.",
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_list_holds_whole_tasks_of_its_scope_only() {
    let app = TestApp::new().await;
    let task = app.task("a", json!({"content": "long"})).await;
    app.task("b", json!({"scope": "other"})).await;
    assert_eq!(
        app.get(&format!("{TASKS}?scope=s")).await.expect(200),
        json!({"tasks": [task], "total": 1, "offset": 0, "limit": 50, "next_cursor": null})
    );
    assert_eq!(
        app.get(&format!("{TASKS}?scope=none")).await.expect(200),
        json!({"tasks": [], "total": 0, "offset": 0, "limit": 50, "next_cursor": null})
    );
}

#[tokio::test]
async fn queues_priorities_and_roles_filter_by_one_or_several() {
    let app = TestApp::new().await;
    app.task("a", json!({"priority": "P0", "role": "x"})).await;
    app.task("b", json!({"priority": "P1", "role": "y", "queue": "done"})).await;
    app.task("c", json!({"priority": "P1", "queue": "backlog"})).await;
    app.task("d", json!({"queue": "failed"})).await;
    for (query, expected) in [
        ("queue=incoming", vec!["a"]),
        ("queue=incoming,done", vec!["b", "a"]),
        ("queue=done,failed,backlog", vec!["d", "c", "b"]),
        ("queue=none", vec![]),
        ("queue=", vec!["d", "c", "b", "a"]),
        // Values are not trimmed.
        ("queue=incoming,%20done", vec!["a"]),
        ("priority=P1", vec!["c", "b"]),
        ("priority=P0,P1", vec!["c", "b", "a"]),
        ("role=x", vec!["a"]),
        ("role=x,y", vec!["b", "a"]),
        ("role=x,y&priority=P1&queue=done", vec!["b"]),
        ("role=x,y&priority=P1&queue=incoming", vec![]),
    ] {
        assert_eq!(list(&app, query).await, expected, "{query}");
        let body = app.get(&format!("{TASKS}?scope=s&{query}")).await.json();
        assert_eq!(body["total"], expected.len(), "{query}");
    }
}

#[tokio::test]
async fn holder_project_and_flag_filter() {
    let app = TestApp::new().await;
    let project = json!({"id": "p", "title": "t", "branch": "b", "scope": "s"});
    app.post("/api/v1/projects", project).await.expect(201);
    app.task("a", json!({"project_id": "p"})).await;
    app.task("b", json!({})).await;
    app.claim(json!({"agent_name": "me"})).await.expect(200);
    app.patch(&format!("{TASKS}/b"), json!({"needs_intervention": true})).await.expect(200);
    for (query, expected) in [
        ("claimed_by=me", vec!["a"]),
        ("claimed_by=you", vec![]),
        ("project_id=p", vec!["a"]),
        ("project_id=p&queue=claimed,done", vec!["a"]),
        ("project_id=p&queue=done", vec![]),
        ("project_id=q", vec![]),
        // Python writes its booleans with a capital.
        ("needs_intervention=true", vec!["b"]),
        ("needs_intervention=True", vec!["b"]),
        ("needs_intervention=1", vec!["b"]),
        ("needs_intervention=false", vec!["a"]),
        ("needs_intervention=False", vec!["a"]),
        ("needs_intervention=perhaps", vec!["b", "a"]),
    ] {
        assert_eq!(list(&app, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn what_waits_for_a_task_is_listed() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    app.task("b", json!({"blocked_by": "a"})).await;
    app.task("c", json!({"blocked_by": "a,b", "priority": "P0"})).await;
    for (query, expected) in [
        ("waits_for=a", vec!["c", "b"]),
        ("waits_for=a&limit=1", vec!["c"]),
        ("waits_for=b", vec!["c"]),
        ("waits_for=a&priority=P0", vec!["c"]),
        ("waits_for=c", vec![]),
        // An id is one id, and not a list.
        ("waits_for=a,b", vec![]),
        ("waits_for=", vec!["c", "b", "a"]),
    ] {
        assert_eq!(list(&app, query).await, expected, "{query}");
    }
    let foreign = app.get(&format!("{TASKS}?scope=other&waits_for=a")).await.expect(200);
    assert_eq!(foreign["total"], 0, "the id means nothing in another scope");
}

#[tokio::test]
async fn a_search_looks_at_titles_and_ids() {
    let app = TestApp::new().await;
    app.task("4f1c", json!({"title": "Fix the login test"})).await;
    app.task("b", json!({"title": "About 4F1C", "queue": "done"})).await;
    app.task("c", json!({"title": "Other"})).await;
    for (query, expected) in [
        ("search=LOGIN+TEST", vec!["4f1c"]),
        ("search=4f1c", vec!["b", "4f1c"]),
        ("search=4f1c&queue=done", vec!["b"]),
        ("search=f1c", vec!["b"]),
    ] {
        assert_eq!(list(&app, query).await, expected, "{query}");
    }
    let longest = "\u{e4}".repeat(200);
    assert!(list(&app, &format!("search={longest}")).await.is_empty());
    for text in ["", &format!("{longest}x")] {
        let error = app.get(&format!("{TASKS}?scope=s&search={text}")).await.error(400);
        let expected =
            "Invalid value for search: 1 to 200 characters; leave it out to list all tasks";
        assert_eq!(error, expected);
    }
    let first = app.get(&format!("{TASKS}?scope=s&search=4f1c&limit=1")).await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(list(&app, &format!("search=4f1c&limit=1&cursor={cursor}")).await, ["4f1c"]);
    let other = app.get(&format!("{TASKS}?scope=s&search=4f&limit=1&cursor={cursor}")).await;
    assert_eq!(other.error(400), "Invalid cursor");
}

#[tokio::test]
async fn parameters_that_lists_do_not_know_are_ignored() {
    let app = TestApp::new().await;
    app.task("a", json!({})).await;
    assert_eq!(list(&app, "type=x&flow=y&pr_number=5&has_plan=1&blocked_by=z&id=q").await, ["a"]);
}

#[tokio::test]
async fn the_newest_come_first_also_within_one_second() {
    let app = TestApp::new().await;
    for id in ["a", "b", "c"] {
        app.task(id, json!({})).await;
    }
    app.passes(60_000);
    app.task("d", json!({})).await;
    app.claim(json!({})).await.expect(200);
    step(&app, "b", "force-queue", json!({"queue": "done", "reason": "r"})).await.expect(200);
    assert_eq!(list(&app, "").await, ["d", "c", "b", "a"]);
    assert_eq!(list(&app, "sort=title").await, ["d", "c", "b", "a"]);
}

#[tokio::test]
async fn the_most_urgent_come_first_if_asked_for_and_unknown_priorities_last() {
    let app = TestApp::new().await;
    for (id, priority) in
        [("a", "P3"), ("b", "P10"), ("c", "P0"), ("d", "A"), ("e", "P1"), ("f", "P0"), ("g", "P2")]
    {
        app.task(id, json!({"priority": priority})).await;
    }
    assert_eq!(list(&app, "sort=priority").await, ["c", "f", "e", "g", "a", "b", "d"]);
    assert_eq!(list(&app, "sort=priority&limit=2&offset=1").await, ["f", "e"]);
}

#[tokio::test]
async fn pages_are_cut_as_asked_and_echoed_as_they_were_cut() {
    let app = TestApp::new().await;
    for number in 0..60 {
        let queue = if number % 3 == 0 { "done" } else { "incoming" };
        app.task(&format!("t{number}"), json!({"queue": queue})).await;
    }
    for (query, offset, limit, count) in [
        ("", 0, 50, 50),
        ("limit=7", 0, 7, 7),
        ("limit=7&offset=55", 55, 7, 5),
        ("offset=60", 60, 50, 0),
        ("limit=1000", 0, 500, 60),
        ("limit=0", 0, 0, 0),
        ("limit=-1", 0, 0, 0),
        ("offset=-5", 0, 50, 50),
        ("limit=3abc&offset=2.9", 2, 3, 3),
        ("limit=abc&offset=NaN", 0, 50, 50),
        ("limit=&offset=", 0, 50, 50),
        ("limit=2&limit=9", 0, 2, 2),
        ("limit=99999999999999999999&offset=10000", 10_000, 500, 0),
    ] {
        let body = app.get(&format!("{TASKS}?scope=s&{query}")).await.expect(200);
        let found = body["tasks"].as_array().map(Vec::len);
        assert_eq!(body["total"], 60, "{query}");
        assert_eq!((&body["offset"], &body["limit"]), (&json!(offset), &json!(limit)), "{query}");
        assert_eq!(found, Some(count), "{query}");
    }
}

#[tokio::test]
async fn pages_put_together_are_the_whole_list() {
    let app = TestApp::new().await;
    for number in 0..25 {
        let queue = ["incoming", "done", "failed", "backlog"][number % 4];
        app.task(&format!("t{number}"), json!({"queue": queue})).await;
    }
    let expected: Vec<_> = (0..25).rev().map(|number| format!("t{number}")).collect();
    let mut pages = Vec::new();
    for offset in (0..25).step_by(4) {
        pages.extend(list(&app, &format!("limit=4&offset={offset}")).await);
    }
    assert_eq!(pages, expected);
}

#[tokio::test]
async fn a_filter_may_name_hundreds_of_values() {
    let app = TestApp::new().await;
    app.task("a", json!({"priority": "P299"})).await;
    let many: Vec<_> = (0..300).map(|number| format!("P{number}")).collect();
    assert_eq!(list(&app, &format!("priority={}", many.join(","))).await, ["a"]);
}

#[tokio::test]
async fn totals_follow_what_finishes_and_what_is_deleted() {
    let app = TestApp::new().await;
    let total = async |queue: &str| -> Value {
        app.get(&format!("{TASKS}?scope=s&queue={queue}")).await.expect(200)["total"].clone()
    };
    for id in ["a", "b", "c"] {
        app.task(id, json!({"queue": "done"})).await;
    }
    app.task("d", json!({})).await;
    assert_eq!(total("done").await, 3);
    step(&app, "a", "force-queue", json!({"queue": "failed", "reason": "r"})).await.expect(200);
    app.delete(&format!("{TASKS}/b")).await.expect(200);
    app.patch(&format!("{TASKS}/d"), json!({"queue": "failed"})).await.expect(200);
    assert_eq!((total("done").await, total("failed").await), (json!(1), json!(2)));
    assert_eq!(total("").await, 3);
}

#[tokio::test]
async fn a_priority_may_be_asked_for_in_small_letters() {
    let app = TestApp::new().await;
    for (id, priority) in [("a", "p0"), ("b", "P1"), ("c", "odd")] {
        app.task(id, json!({"priority": priority})).await;
    }
    for (asked, total) in [("p0", 1), ("p0,p1", 2), ("P0,p1,odd", 3), ("ODD", 0)] {
        let list = app.get(&format!("{TASKS}?scope=s&priority={asked}")).await.expect(200);
        assert_eq!(list["total"], total, "{asked}");
    }
}
