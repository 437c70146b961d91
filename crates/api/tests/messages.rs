//! Writing and listing messages, and following their threads.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod common;

use common::TestApp;
use octopoid_api::AuthMode;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/messages";

/// Writes a message in scope `s` about task `t`, with these fields besides the required ones.
async fn message(app: &TestApp, content: &str, fields: Value) -> Value {
    let mut body = json!({"task_id": "t", "from_actor": "f", "type": "info", "scope": "s"});
    body["content"] = json!(content);
    for (key, value) in fields.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    app.post(PATH, body).await.expect(201)
}

fn contents(list: &Value) -> Vec<&str> {
    let messages = list["messages"].as_array().unwrap();
    messages.iter().map(|message| message["content"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_message_is_answered_in_the_contracts_shape() {
    let app = TestApp::new().await;
    let root = message(&app, "c", json!({"task_id": 12, "to_actor": ""})).await;
    let id = root["id"].as_str().unwrap();
    assert!(id.starts_with("msg-1795294738605-") && id.len() == 24, "{id}");
    let expected = json!({
        "id": id, "task_id": "12", "from_actor": "f", "to_actor": null, "type": "info",
        "content": "c", "created_at": "2026-11-21T20:58:58.605Z", "scope": "s",
        "parent_message_id": null,
    });
    assert_eq!(root, expected);
    let list = app.get("/api/v1/messages?scope=s").await.expect(200);
    assert_eq!(
        list,
        json!({"messages": [expected], "total": 1, "offset": 0, "limit": 50, "next_cursor": null})
    );
}

#[tokio::test]
async fn a_bad_message_is_refused_in_words() {
    let app = TestApp::new().await;
    let missing = "Missing required fields: task_id, from_actor, type, content";
    for field in ["task_id", "from_actor", "type", "content"] {
        let mut body = json!({"task_id": "t", "from_actor": "f", "type": "y", "content": "c"});
        body[field] = json!("");
        assert_eq!(app.post(PATH, body).await.error(400), missing);
    }
    let body = json!({"task_id": "t", "from_actor": "f", "type": "y", "content": "c"});
    let error = app.post(PATH, body).await.error(400);
    assert_eq!(error, "Missing required field: scope. All messages must belong to a scope.");
    assert_eq!(app.raw("POST", PATH, "{").await.error(400), "Invalid JSON body");
    let error = app.post(PATH, json!({"content": {"a": 1}})).await.error(400);
    assert!(error.starts_with("Invalid value for content"), "{error}");
}

#[tokio::test]
async fn a_parent_must_be_of_the_same_scope_and_task() {
    let app = TestApp::new().await;
    let id = message(&app, "c", json!({})).await["id"].clone();
    let mut body = json!({"task_id": "t", "from_actor": "f", "type": "y", "content": "c",
        "scope": "x", "parent_message_id": id});
    let error = app.post(PATH, body.clone()).await.error(400);
    assert_eq!(error, format!("Parent message not found: {}", id.as_str().unwrap()));
    body["scope"] = json!("s");
    body["task_id"] = json!("u");
    let error = app.post(PATH, body.clone()).await.error(400);
    assert_eq!(error, "Parent message belongs to a different task");
    body["task_id"] = json!("t");
    assert_eq!(app.post(PATH, body).await.expect(201)["parent_message_id"], id);
}

#[tokio::test]
async fn every_list_needs_a_scope() {
    let app = TestApp::new().await;
    for path in [PATH, "/api/v1/messages?thread_id=x", "/api/v1/tasks/t/messages?scope="] {
        assert_eq!(
            app.get(path).await.error(400),
            "Missing required query parameter: scope. Cannot list messages across all scopes."
        );
    }
}

#[tokio::test]
async fn without_a_stretch_the_newest_messages_are_listed_in_order() {
    let app = TestApp::new().await;
    for n in 0..53 {
        app.passes(1);
        message(&app, &n.to_string(), json!({"to_actor": "human"})).await;
    }
    for path in [
        "/api/v1/messages?scope=s&to_actor=human",
        "/api/v1/messages?scope=s",
        "/api/v1/tasks/t/messages?scope=s",
    ] {
        let list = app.get(path).await.expect(200);
        let found = contents(&list);
        assert_eq!((found.len(), found[0], found[49]), (50, "3", "52"));
        let numbers = (&list["total"], &list["offset"], &list["limit"]);
        assert_eq!(numbers, (&json!(53), &json!(0), &json!(50)));
        let first = app.get(&format!("{path}&offset=0")).await.expect(200);
        assert_eq!((contents(&first)[0], contents(&first)[49]), ("0", "49"));
        let some = app.get(&format!("{path}&limit=2&offset=50")).await.expect(200);
        assert_eq!(contents(&some), ["50", "51"]);
        let none = app.get(&format!("{path}&limit=0")).await.expect(200);
        assert_eq!((contents(&none).len(), &none["total"]), (0, &json!(53)));
    }
}

#[tokio::test]
async fn messages_are_filtered() {
    let app = TestApp::new().await;
    let root = message(&app, "root", json!({"to_actor": "fixer"})).await;
    message(&app, "reply", json!({"parent_message_id": root["id"]})).await;
    message(&app, "other", json!({"task_id": "u", "type": "warning"})).await;
    message(&app, "foreign", json!({"scope": "x"})).await;
    for (query, expected) in [
        ("", vec!["root", "reply", "other"]),
        ("&task_id=t", vec!["root", "reply"]),
        ("&type=warning", vec!["other"]),
        ("&to_actor=fixer", vec!["root"]),
        ("&task_id=t&to_actor=fixer&type=info", vec!["root"]),
        ("&unreplied=true", vec!["reply", "other"]),
        ("&unreplied=false", vec!["root", "reply", "other"]),
        ("&from_actor=nobody", vec!["root", "reply", "other"]),
    ] {
        let list = app.get(&format!("{PATH}?scope=s{query}")).await.expect(200);
        assert_eq!(contents(&list), expected, "{query}");
        assert_eq!(list["total"], expected.len());
    }
    let list = app.get("/api/v1/tasks/t/messages?scope=s&type=warning").await.expect(200);
    assert_eq!(contents(&list), ["root", "reply"]);
    let none = app.get("/api/v1/tasks/none/messages?scope=s").await.expect(200);
    assert_eq!(
        none,
        json!({"messages": [], "total": 0, "offset": 0, "limit": 50, "next_cursor": null})
    );
}

#[tokio::test]
async fn a_thread_is_the_root_and_everything_below_it() {
    let app = TestApp::new().await;
    let mut ids = vec![message(&app, "0", json!({})).await["id"].clone()];
    message(&app, "beside", json!({})).await;
    for (content, parent) in [("1", 0), ("2", 1), ("3", 0), ("4", 2)] {
        app.passes(1);
        let reply = message(&app, content, json!({"parent_message_id": ids[parent]})).await;
        ids.push(reply["id"].clone());
    }
    let thread = async |id: &Value, scope: &str| {
        let id = id.as_str().unwrap();
        let path = format!("{PATH}?scope={scope}&thread_id={id}&limit=1&offset=9&type=none");
        app.get(&path).await.expect(200)
    };
    let whole = thread(&ids[0], "s").await;
    assert_eq!(contents(&whole), ["0", "1", "2", "3", "4"]);
    let numbers = (&whole["total"], &whole["offset"], &whole["limit"]);
    assert_eq!(numbers, (&json!(5), &json!(0), &json!(5)));
    assert_eq!(contents(&thread(&ids[1], "s").await), ["1", "2", "4"]);
    let none = json!({"messages": [], "total": 0, "offset": 0, "limit": 0, "next_cursor": null});
    assert_eq!(thread(&ids[0], "x").await, none);
    assert_eq!(thread(&json!("none"), "s").await, none);

    let mut path = format!("{PATH}?scope=s&thread_id={}&limit=2&cursor=", ids[0].as_str().unwrap());
    let mut pages = Vec::new();
    loop {
        let page = app.get(&path).await.expect(200);
        assert_eq!(page["limit"], 2);
        pages.push(contents(&page).join(" "));
        let Some(next) = page["next_cursor"].as_str() else { break };
        path.truncate(path.rfind('=').unwrap() + 1);
        path.push_str(next);
    }
    assert_eq!(pages, ["0 1", "2 3", "4"]);
}

#[tokio::test]
async fn the_holder_of_a_key_reads_and_writes_in_its_scope() {
    let app = TestApp::guarded(AuthMode::Open).await;
    let foreign = message(&app, "foreign", json!({"scope": "x"})).await;
    let holder = app.holder("s").await;
    let body = json!({"task_id": "t", "from_actor": "f", "type": "y", "content": "own"});
    assert_eq!(holder.post(PATH, body.clone()).await.expect(201)["scope"], "s");
    assert_eq!(contents(&holder.get(PATH).await.expect(200)), ["own"]);
    assert_eq!(contents(&holder.get("/api/v1/tasks/t/messages").await.expect(200)), ["own"]);
    let path = format!("{PATH}?thread_id={}", foreign["id"].as_str().unwrap());
    assert_eq!(holder.get(&path).await.expect(200)["total"], 0);
    let mut body = body;
    body["scope"] = json!("x");
    let error = holder.post(PATH, body).await.error(403);
    assert_eq!(error, "Scope mismatch: authenticated as \"s\" but requested \"x\"");
}
