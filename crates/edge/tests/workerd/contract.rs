//! What clients rely on, from outside.

use anyhow::ensure;
use octopoid_client::{Client, Error};
use octopoid_domain::{
    key::NewKey,
    message::NewMessage,
    project::NewProject,
    steps::{Accept, Reject, Submit},
};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{Edge, Verdict, claim_by, new_task};

/// A request by hand, for what the client would not send.
async fn send(
    edge: &Edge,
    method: Method,
    path: &str,
    key: Option<&str>,
    body: Option<&str>,
) -> anyhow::Result<Response> {
    let http = octopoid_client::http(&edge.url).build()?;
    let mut request = http.request(method, format!("{}{path}", edge.url));
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    if let Some(body) = body {
        request = request.body(body.to_owned());
    }
    Ok(request.header("origin", "https://page.example").send().await?)
}

/// Fails unless the server refused with this status and code.
fn expect_refusal<T>(answer: octopoid_client::Result<T>, status: u16, code: &str) -> Verdict {
    let found = match answer {
        Err(Error::Refused { status, code, .. }) => format!("{status} {code}"),
        Err(error) => error.to_string(),
        Ok(_) => "no refusal".to_owned(),
    };
    ensure!(found == format!("{status} {code}"), "expected {status} {code}, found {found}");
    Ok(())
}

fn rejection() -> Reject {
    Reject { reason: "once more".into(), rejected_by: "human".into(), ..Reject::default() }
}

pub(crate) async fn a_task_lives_from_creation_to_acceptance(edge: Edge) -> Verdict {
    let client = edge.holder("life").await?;
    let created = client.create_task(&new_task("life-1")).await?;
    ensure!(created.queue == "incoming" && created.scope == "life", "{created:?}");
    for verdict in ["reject", "accept"] {
        let claimed = client.claim_task(&claim_by("agent-1")).await?;
        let claimed = claimed.ok_or(anyhow::anyhow!("nothing to claim"))?;
        ensure!(claimed.queue == "claimed", "{claimed:?}");
        ensure!(client.claim_task(&claim_by("agent-2")).await?.is_none(), "it was claimed twice");
        let report = Submit { commits_count: 1.into(), turns_used: 7.into(), ..Submit::default() };
        let submitted = client.submit_task("life-1", &report).await?;
        ensure!(submitted.queue == "provisional", "{submitted:?}");
        if verdict == "reject" {
            let rejected = client.reject_task("life-1", &rejection()).await?;
            ensure!(rejected.rejection_count == Some(1), "{rejected:?}");
        }
    }
    let accept = Accept { accepted_by: "human".into(), ..Accept::default() };
    let accepted = client.accept_task("life-1", &accept).await?;
    ensure!(accepted.queue == "done" && accepted.completed_at.is_some(), "{accepted:?}");
    let history = client.task_history("life-1", &[]).await?;
    let events: Vec<_> = history.events.iter().map(|event| event.event.as_str()).collect();
    ensure!(
        events
            == ["created", "claimed", "submitted", "rejected", "claimed", "submitted", "accepted"],
        "{events:?}"
    );
    ensure!(client.get_task("life-1").await? == accepted, "a task is read as it was answered");
    Ok(())
}

pub(crate) async fn a_project_a_draft_and_a_message_are_kept(edge: Edge) -> Verdict {
    let client = edge.holder("nouns").await?;
    let project = NewProject {
        id: "p".into(),
        title: "P".into(),
        branch: "main".into(),
        ..NewProject::default()
    };
    client.create_project(&project).await?;
    client.create_task(&new_task("nouns-1")).await?;
    let joined = client.update_task("nouns-1", &json!({ "project_id": "p", "title": "T" })).await?;
    ensure!(joined.project_id.as_deref() == Some("p"), "{joined:?}");
    let message = NewMessage {
        task_id: "nouns-1".into(),
        from_actor: "agent".into(),
        kind: "comment".into(),
        content: "it's \u{1f419}".into(),
        ..NewMessage::default()
    };
    client.create_message(&message).await?;
    let messages = client.list_task_messages("nouns-1", &[]).await?;
    ensure!(messages.total == 1 && messages.items[0].content == "it's \u{1f419}", "{messages:?}");
    let poll = client.poll(&[]).await?;
    ensure!(poll.queue_counts.incoming == 1 && poll.scope == "nouns", "{poll:?}");
    client.delete_task("nouns-1").await?;
    expect_refusal(client.get_task("nouns-1").await, 404, "task_not_found")
}

pub(crate) async fn the_journal_is_read_in_pages(edge: Edge) -> Verdict {
    let client = edge.holder("journal").await?;
    let start = client.wait_for_events(&[], 50).await?;
    ensure!(start.events.is_empty(), "{start:?}");
    client.create_task(&new_task("journal-1")).await?;
    client.claim_task(&claim_by("agent-1")).await?;
    let cursor = start.next_cursor.to_string();
    let page = client.list_events(&[("cursor", &cursor)]).await?;
    let names: Vec<_> = page.events.iter().map(|event| &*event.name).collect();
    ensure!(names == ["task.created", "task.claimed"], "{names:?}");
    let claims = [("cursor", "0"), ("types", "task.claimed"), ("task_id", "journal-1")];
    ensure!(client.list_events(&claims).await?.events == page.events[1..], "filters select");
    expect_refusal(client.follow_events(&[]).await, 406, "not_acceptable")
}

pub(crate) async fn without_a_key_nobody_gets_in(edge: Edge) -> Verdict {
    for key in ["nonsense", "oct_unknown"] {
        let client = Client::new(&edge.url)?.with_key(key);
        expect_refusal(client.list_tasks(&[]).await, 401, "unauthorized")?;
    }
    let answer = send(&edge, Method::GET, "/api/v1/tasks", None, None).await?;
    ensure!(answer.status() == 401, "{answer:?}");
    ensure!(answer.headers()["www-authenticate"] == "Bearer", "{answer:?}");
    let admin = edge.administrator()?;
    let issued = admin.issue_key(&serde_json::from_value(json!({ "scope": "gone" }))?).await?;
    let client = Client::new(&edge.url)?.with_key(issued.api_key);
    client.list_tasks(&[]).await?;
    admin.revoke_key(&issued.key.id).await?;
    expect_refusal(client.list_tasks(&[]).await, 401, "unauthorized")
}

pub(crate) async fn a_body_that_no_handler_reads_does_not_disturb_the_next_request(
    edge: Edge,
) -> Verdict {
    // Within the limit of bodies, and beyond it: the second is read in part.
    for body in ["x".repeat(300_000), "x".repeat(3_000_000)] {
        for (path, key, status) in [
            ("/api/v1/tasks", None, 401),
            ("/api/v1/nothing", Some(&*edge.admin), 404),
            ("/api/v1/admin/jobs/run", Some("oct_unknown"), 401),
        ] {
            for _ in 0..5 {
                let refused = send(&edge, Method::POST, path, key, Some(&body)).await?;
                ensure!(refused.status() == status, "{path}: {refused:?}");
                let next = send(&edge, Method::GET, "/livez", None, None).await?;
                ensure!(next.status() == 200, "after {path}: {next:?}");
            }
        }
    }
    Ok(())
}

pub(crate) async fn a_key_is_confined_to_its_scope(edge: Edge) -> Verdict {
    let (mine, yours) = (edge.holder("mine").await?, edge.holder("yours").await?);
    mine.create_task(&new_task("secret")).await?;
    expect_refusal(yours.get_task("secret").await, 404, "task_not_found")?;
    expect_refusal(yours.list_tasks(&[("scope", "mine")]).await, 403, "scope_mismatch")?;
    ensure!(yours.claim_task(&claim_by("thief")).await?.is_none(), "another's task was claimed");
    let keys = yours.list_keys(&[]).await?.items;
    ensure!(keys.len() == 1 && keys[0].scope == "yours", "{keys:?}");
    let scopes = yours.list_scopes(&[]).await?.seen.scopes;
    ensure!(scopes.len() == 1 && scopes[0].scope == "yours", "{scopes:?}");
    expect_refusal(yours.run_jobs().await, 403, "forbidden")
}

pub(crate) async fn a_key_permits_what_it_was_issued_for(edge: Edge) -> Verdict {
    let manager = edge.holder("permitted").await?;
    manager.create_task(&new_task("permitted-1")).await?;
    let mut clients = Vec::new();
    for permission in ["read", "work"] {
        let new = NewKey { permission: permission.into(), ..NewKey::default() };
        let issued = manager.issue_key(&new).await?;
        clients.push(Client::new(&edge.url)?.with_key(issued.api_key));
    }
    let [reader, worker] = [&clients[0], &clients[1]];
    reader.get_task("permitted-1").await?;
    expect_refusal(reader.claim_task(&claim_by("a")).await, 403, "forbidden")?;
    ensure!(worker.claim_task(&claim_by("a")).await?.is_some(), "there is a task to claim");
    expect_refusal(worker.delete_task("permitted-1").await, 403, "forbidden")
}

pub(crate) async fn errors_have_their_texts_and_codes(edge: Edge) -> Verdict {
    let client = edge.holder("errors").await?;
    client.create_task(&new_task("errors-1")).await?;
    let again = client.create_task(&new_task("errors-1")).await;
    expect_refusal(again, 409, "already_exists")?;
    expect_refusal(client.reject_task("errors-1", &rejection()).await, 409, "wrong_state")?;
    expect_refusal(client.get_task("nobody").await, 404, "task_not_found")?;
    let key = Some(edge.admin.as_str());
    for (body, status) in [("{\"id\": 7", 400), ("{}", 400)] {
        let answer = send(&edge, Method::POST, "/api/v1/tasks", key, Some(body)).await?;
        let found = answer.status();
        let text: Value = answer.json().await?;
        ensure!(found == status && text["error"].is_string(), "{body}: {found} {text}");
    }
    Ok(())
}

pub(crate) async fn an_unknown_route_is_told_as_such(edge: Edge) -> Verdict {
    let key = Some(edge.admin.as_str());
    for (method, path) in [
        (Method::GET, "/nowhere"),
        (Method::GET, "/api/v1/nowhere"),
        (Method::PUT, "/api/v1/tasks"),
    ] {
        let answer = send(&edge, method, path, key, None).await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        let is_told = status == 404
            && body["code"] == "endpoint_not_found"
            && body["message"] == "Endpoint not found"
            && body["timestamp"].is_string();
        ensure!(is_told, "{path}: {status} {body}");
    }
    Ok(())
}

pub(crate) async fn pages_of_other_origins_may_call(edge: Edge) -> Verdict {
    let answer = send(&edge, Method::OPTIONS, "/api/v1/tasks", None, None).await?;
    ensure!(answer.status() == 204, "{answer:?}");
    ensure!(answer.headers()["access-control-allow-origin"] == "*", "{answer:?}");
    let answer = send(&edge, Method::GET, "/livez", None, None).await?;
    ensure!(answer.headers()["access-control-allow-origin"] == "*", "{answer:?}");
    Ok(())
}

pub(crate) async fn large_texts_come_back_whole(edge: Edge) -> Verdict {
    let client = edge.holder("large").await?;
    let mut new = new_task("large");
    let text = "\u{1f419} it's\n".repeat(100_000);
    new.content = text.as_str().into();
    client.create_task(&new).await?;
    let content = client.get_task("large").await?.content;
    ensure!(content.as_deref() == Some(text.as_str()), "the text came back otherwise");
    let body = " ".repeat(1_900_001);
    let key = Some(edge.admin.as_str());
    let answer = send(&edge, Method::POST, "/api/v1/tasks", key, Some(&body)).await?;
    ensure!(answer.status() == 413, "{answer:?}");
    Ok(())
}

pub(crate) async fn a_row_does_not_grow_beyond_what_the_database_keeps(edge: Edge) -> Verdict {
    let client = edge.holder("grown").await?;
    let mut new = new_task("grown");
    new.content = "x".repeat(1_800_000).into();
    client.create_task(&new).await?;
    client.claim_task(&claim_by("agent-1")).await?;
    let mut report = Submit { commits_count: 1.into(), turns_used: 7.into(), ..Submit::default() };
    report.execution_notes = "y".repeat(400_000).into();
    expect_refusal(client.submit_task("grown", &report).await, 413, "body_too_large")?;
    let task = client.get_task("grown").await?;
    ensure!(task.queue == "claimed" && task.version == 2, "{} {}", task.queue, task.version);
    report.execution_notes = "shorter".into();
    client.submit_task("grown", &report).await?;
    Ok(())
}

pub(crate) async fn health_and_description_are_open_to_all(edge: Edge) -> Verdict {
    let health = Client::new(&edge.url)?.health().await?;
    ensure!(health.status == "healthy" && health.database == "connected", "{health:?}");
    for path in ["/livez", "/readyz", "/openapi.json", "/docs", "/"] {
        let answer = send(&edge, Method::GET, path, None, None).await?;
        ensure!(answer.status() == 200, "{path}: {answer:?}");
    }
    let head = send(&edge, Method::HEAD, "/livez", None, None).await?;
    ensure!(head.status() == 200, "{head:?}");
    Ok(())
}
