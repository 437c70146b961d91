//! What holds for every list: pages, cursors and links.

use serde_json::{Value, json};

use crate::common::{ADMIN, TestApp};
use octopoid_api::AuthMode;

/// Every list: the path, the name of its items, and whether it takes an offset.
const LISTS: [(&str, &str, bool); 13] = [
    ("/api/v1/tasks?scope=s", "tasks", true),
    ("/api/v1/tasks?scope=s&sort=priority", "tasks", true),
    ("/api/v1/tasks?scope=s&role=r", "tasks", true),
    ("/api/v1/tasks/t0/history?scope=s", "events", false),
    ("/api/v1/tasks/t0/messages?scope=s", "messages", true),
    ("/api/v1/projects?scope=s", "projects", true),
    ("/api/v1/projects/p0/tasks?scope=s", "tasks", false),
    ("/api/v1/drafts?scope=s", "drafts", true),
    ("/api/v1/messages?scope=s", "messages", true),
    ("/api/v1/actions?scope=s", "actions", true),
    ("/api/v1/orchestrators?scope=s", "orchestrators", false),
    ("/api/v1/flows?scope=s", "flows", false),
    ("/api/v1/roles?scope=s", "roles", false),
];

/// An app with seven of everything in scope `s`, seen by its administrator.
async fn full() -> TestApp {
    let app = TestApp::guarded(AuthMode::Open).await.holding(ADMIN);
    for n in 0..7 {
        let post = async |path: &str, body: Value| {
            let answer = app.post(&format!("/api/v1/{path}"), body).await;
            assert!(answer.status.is_success(), "{path}: {}", answer.text);
        };
        let machine = json!({"cluster": "c", "machine_id": format!("m{n}"), "scope": "s"});
        post("orchestrators/register", machine).await;
        // The tasks have the first of them.
        let role = if n == 0 { "r".to_owned() } else { format!("r{n}") };
        post("roles/register", json!({"orchestrator_id": "c-m0", "roles": [{"name": role}]})).await;
        let project = json!({"id": format!("p{n}"), "title": "t", "branch": "b", "scope": "s"});
        post("projects", project).await;
        let fields = json!({"role": "r", "project_id": "p0", "priority": format!("P{}", n % 3)});
        app.task(&format!("t{n}"), fields).await;
        app.patch("/api/v1/tasks/t0", json!({"title": n.to_string()})).await.expect(200);
        post("drafts", json!({"title": "d", "author": "a", "scope": "s"})).await;
        let message =
            json!({"task_id": "t0", "from_actor": "f", "type": "y", "content": "c", "scope": "s"});
        post("messages", message).await;
        let action = json!({"entity_type": "task", "entity_id": "t0", "label": "l",
            "proposed_by": "p", "scope": "s"});
        post("actions", action).await;
        let states = ["incoming", "claimed", "done", "failed", "provisional"];
        let flow = json!({"scope": "s", "states": states, "transitions": []});
        app.put(&format!("/api/v1/flows/f{n}"), flow).await.expect(200);
        post("admin/keys", json!({"scope": "k"})).await;
    }
    app
}

fn all() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    LISTS.into_iter().chain([("/api/v1/admin/keys?scope=k", "keys", true)])
}

#[tokio::test]
async fn every_list_is_read_to_its_end_by_its_links() {
    let app = full().await;
    for (path, items, _) in all() {
        let mut found: Vec<Value> = Vec::new();
        let mut next = Some(format!("{path}&limit=3"));
        let mut pages = 0;
        while let Some(path) = next.take() {
            let answer = app.get(&path).await;
            let body = answer.expect(200);
            let link = answer.headers.get("link").map(|link| link.to_str().unwrap().to_owned());
            assert_eq!(link.is_some(), body["next_cursor"].is_string(), "{path}: {body}");
            let rows = body[items].as_array().unwrap();
            assert!(rows.len() <= 3, "{path}");
            found.extend(rows.iter().cloned());
            next = link.map(|link| {
                let link = link.strip_prefix('<').unwrap();
                link.strip_suffix(">; rel=\"next\"").unwrap().to_owned()
            });
            pages += 1;
            assert!(pages < 9, "{path} never ends");
        }
        let whole = app.get(&format!("{path}&limit=500")).await.expect(200);
        let whole = whole[items].as_array().unwrap();
        assert!(whole.len() >= 7 && pages >= 3, "{path}: {pages} pages of {}", whole.len());
        if items != "orchestrators" {
            assert_eq!(&found, whole, "{path}");
        }
        assert_eq!(found.len(), whole.len(), "{path}");
        assert!(whole.iter().all(|row| found.contains(row)), "{path}");
    }
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused_and_so_is_a_large_offset() {
    let app = full().await;
    let mut cursors = Vec::new();
    for (path, ..) in all() {
        let body = app.get(&format!("{path}&limit=1")).await.expect(200);
        cursors.push(body["next_cursor"].as_str().unwrap().to_owned());
    }
    for (n, (path, _, has_offset)) in all().enumerate() {
        let other = &cursors[(n + 1) % cursors.len()];
        for cursor in ["x", "1", "", &cursors[n][1..], other] {
            let answer = app.get(&format!("{path}&cursor={cursor}")).await;
            if cursor.is_empty() {
                answer.expect(200);
            } else {
                assert_eq!(answer.error(400), "Invalid cursor", "{path}&cursor={cursor}");
            }
        }
        let far = app.get(&format!("{path}&offset=10001")).await;
        if has_offset {
            let text = far.error(400);
            assert!(text.contains("at most 10000") && text.contains("next_cursor"), "{text}");
            let both = format!("{path}&offset=1&cursor={}", cursors[n]);
            let text = app.get(&both).await.error(400);
            assert!(text.starts_with("offset and cursor"), "{text}");
        } else {
            far.expect(200);
        }
    }
}

#[tokio::test]
async fn the_newest_messages_are_followed_by_those_before_them() {
    let app = TestApp::new().await;
    for n in 0..120 {
        let body = json!({"task_id": "t", "from_actor": "f", "type": "y", "scope": "s",
            "content": n.to_string()});
        app.post("/api/v1/messages", body).await.expect(201);
    }
    let mut path = "/api/v1/messages?scope=s".to_owned();
    let mut ends = Vec::new();
    loop {
        let page = app.get(&path).await.expect(200);
        let messages = page["messages"].as_array().unwrap();
        let content = |message: &Value| message["content"].as_str().unwrap().to_owned();
        ends.push((content(&messages[0]), content(messages.last().unwrap())));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/messages?scope=s&cursor={cursor}");
    }
    let ends: Vec<_> = ends.iter().map(|(first, last)| (&**first, &**last)).collect();
    assert_eq!(ends, [("70", "119"), ("20", "69"), ("0", "19")]);
}

#[tokio::test]
async fn a_page_behind_a_cursor_is_not_counted() {
    let app = full().await;
    let first = app.get("/api/v1/tasks?scope=s&limit=2").await.expect(200);
    assert_eq!((&first["total"], &first["offset"]), (&json!(7), &json!(0)));
    let cursor = first["next_cursor"].as_str().unwrap();
    let second =
        app.get(&format!("/api/v1/tasks?scope=s&limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((&second["total"], &second["offset"]), (&json!(null), &json!(null)));
    assert_eq!(second["limit"], 2);
}

#[tokio::test]
async fn a_filter_names_a_thousand_values_at_most() {
    let app = full().await;
    let many = vec!["x"; 1_001].join(",");
    for path in [
        "/api/v1/tasks?scope=s&queue=",
        "/api/v1/tasks?scope=s&role=",
        "/api/v1/tasks?scope=s&priority=",
        "/api/v1/drafts?scope=s&status=",
        "/api/v1/orchestrators?scope=s&status=",
    ] {
        let text = app.get(&format!("{path}{many}")).await.error(400);
        assert!(
            text.starts_with("Too many values in ") && text.ends_with("at most 1000"),
            "{text}"
        );
        app.get(&format!("{path}{}", &many[2..])).await.expect(200);
    }
}
