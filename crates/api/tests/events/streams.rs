//! The journal as a stream of server-sent events.

use axum::{
    body::{Body, BodyDataStream},
    http::{HeaderMap, Request, StatusCode},
};
use futures_util::StreamExt;
use octopoid_api::Settings;
use serde_json::{Value, json};

use crate::{
    EVENTS, app_with,
    common::{ADMIN, Answer, TestApp},
    cursor, guarded_app, line, lines, waiting_app,
};

/// An open stream.
pub(crate) struct Stream {
    headers: HeaderMap,
    body: BodyDataStream,
    text: String,
}

fn request(query: &str, last_event_id: Option<&str>) -> Request<Body> {
    let mut request =
        Request::get(format!("{EVENTS}?{query}")).header("accept", "text/event-stream");
    if let Some(id) = last_event_id {
        request = request.header("last-event-id", id);
    }
    request.body(Body::empty()).unwrap()
}

pub(crate) async fn open(app: &TestApp, query: &str) -> Stream {
    resume(app, query, None).await
}

async fn resume(app: &TestApp, query: &str, last_event_id: Option<&str>) -> Stream {
    let (parts, body) = app.open(request(query, last_event_id)).await.into_parts();
    assert_eq!(parts.status, StatusCode::OK);
    Stream { headers: parts.headers, body: body.into_data_stream(), text: String::new() }
}

/// The answer to a request for a stream that is refused.
async fn refused(app: &TestApp, query: &str) -> Answer {
    app.send(request(query, None)).await
}

impl Stream {
    /// The next block of lines; `None` at the end.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let piece = self.body.next().await?.unwrap();
            self.text.push_str(str::from_utf8(&piece).unwrap());
        }
    }

    /// The next event, with its `id` as the stream has it.
    async fn event(&mut self) -> Option<(String, Value)> {
        loop {
            let block = self.block().await?;
            let Some((head, data)) = block.split_once("\ndata: ") else { continue };
            let id = head.strip_prefix("id: ").unwrap().to_owned();
            return Some((id, serde_json::from_str(data).unwrap()));
        }
    }

    /// The cursor with which a stream begins that has missed nothing.
    pub(crate) async fn start(&mut self) -> String {
        assert_eq!(self.block().await.unwrap(), "retry: 2000");
        self.block().await.unwrap().strip_prefix("id: ").unwrap().to_owned()
    }

    pub(crate) async fn line(&mut self) -> String {
        line(&self.event().await.expect("the stream goes on").1)
    }
}

#[tokio::test]
async fn a_stream_has_the_same_events_with_their_cursors() {
    let app = waiting_app().await;
    let mut stream = open(&app, "scope=s").await;
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
        ("connection", "close"),
    ] {
        assert_eq!(stream.headers[name], value, "{name}");
    }
    let now = app.get(&format!("{EVENTS}?scope=s")).await.expect(200);
    assert_eq!(stream.block().await.unwrap(), "retry: 2000");
    let expected = format!("id: {}", cursor(&now));
    assert_eq!(stream.block().await.unwrap(), expected, "from where on it is");
    app.task("theirs", json!({"scope": "other"})).await;
    app.task("a", json!({"title": "two\nlines"})).await;
    let (id, event) = stream.event().await.unwrap();
    let page = format!("{EVENTS}?scope=s&cursor={}", cursor(&now));
    let page = app.get(&page).await.expect(200);
    assert_eq!((&event, &json!(id)), (&page["events"][0], &event["id"]));
    app.claim(json!({})).await.expect(200);
    assert_eq!(stream.line().await, "task.claimed a");
}

#[tokio::test]
async fn a_stream_goes_on_where_the_last_one_ended() {
    let app = waiting_app().await;
    for id in ["a", "b", "c"] {
        app.task(id, json!({})).await;
    }
    let mut stream = open(&app, "scope=s&cursor=0").await;
    let (first, _) = stream.event().await.unwrap();
    drop(stream);
    app.task("d", json!({})).await;
    // The query is the one that the stream was opened with.
    let mut stream = resume(&app, "scope=s&cursor=0", Some(&first)).await;
    app.task("e", json!({})).await;
    for id in ["b", "c", "d", "e"] {
        assert_eq!(stream.line().await, format!("task.created {id}"));
    }
}

#[tokio::test]
async fn a_long_history_is_streamed_without_gaps_into_the_present() {
    const TASKS: usize = 300;
    let app = waiting_app().await;
    for number in 0..TASKS {
        app.task(&format!("t{number}"), json!({})).await;
    }
    let mut stream = open(&app, "scope=s&cursor=0").await;
    for number in 0..10 {
        app.task(&format!("t{}", TASKS + number), json!({})).await;
    }
    for number in 0..TASKS + 10 {
        assert_eq!(stream.line().await, format!("task.created t{number}"));
    }
}

#[tokio::test]
async fn a_stream_is_filtered_and_says_where_it_is_in_quiet_times() {
    let app = waiting_app().await;
    let mut stream = open(&app, "scope=s&types=task.claimed&task_id=a").await;
    let mut other = open(&app, "scope=s").await;
    let start = stream.start().await;
    app.task("a", json!({})).await;
    assert_eq!(other.line().await, "task.created a", "both have got it, and one passes over it");
    app.passes(15_000);
    let now = app.get(&format!("{EVENTS}?scope=s")).await.expect(200);
    let block = stream.block().await.unwrap();
    assert_eq!(block, format!(":\nid: {}", cursor(&now)));
    assert_ne!(start, cursor(&now));
    app.claim(json!({})).await.expect(200);
    assert_eq!(stream.line().await, "task.claimed a");
}

#[tokio::test]
async fn bad_requests_are_refused_before_the_stream() {
    let app = waiting_app().await;
    app.task("a", json!({})).await;
    assert_eq!(refused(&app, "").await.status, 400);
    assert_eq!(refused(&app, "scope=s&cursor=x").await.status, 400);
    assert_eq!(app.send(request("scope=s", Some("x"))).await.status, 400);
    let ahead = octopoid_domain::journal::Cursor(99).to_string();
    assert_eq!(refused(&app, &format!("scope=s&cursor={ahead}")).await.status, 410);
}

#[tokio::test]
async fn a_host_that_cannot_wait_does_not_stream() {
    let app = TestApp::new().await;
    let answer = refused(&app, "scope=s").await;
    let body = answer.expect(406);
    assert_eq!(body["code"], "not_acceptable");
    let expected = "This server does not stream events: accept application/json, and read on with \
                    cursor";
    assert_eq!(body["error"], expected);
}

#[tokio::test]
async fn streams_end_with_the_server_and_none_begins() {
    let app = waiting_app().await;
    let mut stream = open(&app, "scope=s").await;
    app.app.stop_claiming();
    assert!(stream.event().await.is_none());
    let answer = refused(&app, "scope=s").await;
    assert_eq!(answer.expect(503)["code"], "stopping");
}

#[tokio::test]
async fn there_is_a_maximum_of_streams_in_all() {
    let app = app_with(Settings { streams_max: 2, ..Settings::default() }).await;
    let streams = [open(&app, "scope=s").await, open(&app, "scope=t").await];
    let answer = refused(&app, "scope=s").await;
    assert_eq!(answer.headers["retry-after"], "1");
    let body = answer.expect(503);
    assert_eq!(body["code"], "too_many_streams");
    let expected = "The server has as many event streams as it may have: try again later, or read \
                    this path as JSON";
    assert_eq!(body["message"], expected);
    drop(streams);
    open(&app, "scope=s").await;
}

#[tokio::test]
async fn there_is_a_maximum_of_streams_of_a_key() {
    let app = guarded_app().await;
    let (ours, theirs) = (app.holder("ours").await, app.holder("theirs").await);
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(open(&ours, "").await);
    }
    let body = refused(&ours, "").await.expect(503);
    assert_eq!(body["code"], "too_many_streams");
    assert!(body["message"].as_str().unwrap().contains("The key has 100 event streams"), "{body}");
    open(&theirs, "").await;
    streams.pop();
    open(&ours, "").await;
}

#[tokio::test]
async fn a_stream_ends_when_its_key_is_revoked() {
    let app = guarded_app().await;
    let admin = app.holding(ADMIN);
    let (first, second) = (app.holder("s").await, app.holder("s").await);
    let keys = admin.get("/api/v1/admin/keys?scope=s").await.expect(200);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    let (mut kept, mut ended) = (open(&first, "").await, open(&second, "").await);
    let page = admin.get(&format!("{EVENTS}?scope=s&cursor=0")).await.expect(200);
    let id = lines(&page)[1].strip_prefix("key.issued ").unwrap().to_owned();
    admin.delete(&format!("/api/v1/admin/keys/{id}")).await.expect(200);
    assert!(ended.event().await.is_none(), "without the event of its own end");
    assert_eq!(kept.line().await, format!("key.revoked {id}"));
    assert_eq!(refused(&second, "").await.status, 401);
}

#[tokio::test]
async fn a_stream_ends_when_its_key_expires() {
    let app = guarded_app().await;
    let admin = app.holding(ADMIN);
    let body = json!({"scope": "s", "expires_at": "2026-11-21T20:59:58Z"});
    let issued = admin.post("/api/v1/admin/keys", body).await.expect(201);
    let holder = app.holding(issued["api_key"].as_str().unwrap());
    let mut stream = open(&holder, "").await;
    holder.task("a", json!({})).await;
    assert_eq!(stream.line().await, "task.created a");
    app.passes(60_000);
    // Any event wakes it.
    admin.task("b", json!({})).await;
    assert!(stream.event().await.is_none());
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_ended_and_goes_on_by_cursor() {
    let app = waiting_app().await;
    let (mut slow, mut fast) = (open(&app, "scope=s").await, open(&app, "scope=s").await);
    let mut ids = Vec::new();
    // Each is a batch of its own, because it has been delivered before the next.
    for number in 0..200 {
        let id = format!("t{number}");
        app.task(&id, json!({})).await;
        assert_eq!(fast.line().await, format!("task.created {id}"));
        ids.push(id);
    }
    let start = slow.start().await;
    assert!(slow.event().await.is_none(), "what was not taken is not kept");
    let mut again = resume(&app, "scope=s", Some(&start)).await;
    for id in ids {
        assert_eq!(again.line().await, format!("task.created {id}"));
    }
}
