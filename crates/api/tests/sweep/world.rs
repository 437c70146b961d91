//! A server on which the scope `theirs` has one of everything, all of it secret.

use axum::http;
use octopoid_api::AuthMode;
use serde_json::{Value, json};

use crate::{
    SECRET,
    common::{ADMIN, Answer, TestApp},
    operation::Operation,
};

/// What stands in the bodies of requests, where `SECRET` stands in what was there before.
const PLAIN: &str = "plain";

/// Where a request is put together that the document alone does not tell.
pub(crate) fn by_hand() -> &'static str {
    concat!("what it needs is put together in ", file!())
}

/// A request to send.
pub(crate) struct Request {
    method: String,
    path: String,
    body: Option<Value>,
}

impl Request {
    pub(crate) async fn send(&self, caller: &TestApp) -> Answer {
        self.send_from(caller, &[]).await
    }

    /// The same request with a further text in its body.
    pub(crate) fn with(mut self, name: &str, text: &str) -> Self {
        self.body.get_or_insert_default()[name] = text.into();
        self
    }

    /// Sends it with what a browser adds.
    pub(crate) async fn send_from(&self, caller: &TestApp, headers: &[(&str, &str)]) -> Answer {
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let mut request = http::Request::builder().method(&*self.method).uri(&self.path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        caller.send(request.body(body.into()).unwrap()).await
    }
}

/// The server, and the ids that it made itself.
pub(crate) struct World {
    pub(crate) app: TestApp,
    draft: String,
    message: String,
    action: String,
    key: String,
    webhook: String,
    /// The lease token of the task `victim`.
    token: String,
}

impl World {
    pub(crate) async fn new(mode: AuthMode) -> Self {
        Self::on(TestApp::guarded(mode).await).await
    }

    /// The same on an app that has an administrator.
    pub(crate) async fn on(app: TestApp) -> Self {
        let owner = app.holding(ADMIN);
        let create = async |path: &str, mut body: Value| -> Value {
            body["scope"] = "theirs".into();
            let answer = owner.post(&format!("/api/v1/{path}"), body).await;
            assert!(answer.status.is_success(), "{path}: {}", answer.text);
            answer.json()
        };
        let flow = json!({
            "scope": "theirs", "description": SECRET,
            "states": ["incoming", "claimed", "provisional", "done", "failed", SECRET],
            "transitions": [
                {"from": "claimed", "to": "provisional"}, {"from": "claimed", "to": "done"},
                {"from": "claimed", "to": "incoming"},
            ],
        });
        owner.put("/api/v1/flows/default", flow).await.expect(200);
        create("orchestrators/register", machine(SECRET)).await;
        let role = json!({"name": "review", "description": SECRET});
        create("roles/register", json!({"orchestrator_id": "c-m", "roles": [role]})).await;
        let pause = json!({"scope": "theirs", "reason": SECRET, "by": SECRET});
        owner.put("/api/v1/pauses/pool:a", pause).await.expect(200);
        create("projects", json!({"id": "p", "title": SECRET, "branch": SECRET})).await;
        let queues = [
            ("victim", "incoming"),
            ("waiting", "incoming"),
            ("submitted", SECRET),
            ("over", "failed"),
        ];
        for (id, queue) in queues {
            create("tasks", task(id, queue, SECRET)).await;
        }
        let claim = json!({
            "orchestrator_id": "c-m", "agent_name": "a", "lease_duration_seconds": 86_400,
        });
        let claimed = create("tasks/claim", claim).await;
        assert_eq!(claimed["id"], "victim");
        let token = &claimed["lease_token"];
        let log = json!({"lease_token": token, "offset": 0, "text": SECRET});
        create("tasks/victim/log", log).await;
        let report = json!({"lease_token": token, "progress": {"message": SECRET}, "checkpoint": SECRET,
            "lease_duration_seconds": 86_400});
        create("tasks/victim/renew", report).await;
        let id = |made: Value| match &made["id"] {
            Value::String(id) => id.clone(),
            id => id.to_string(),
        };
        Self {
            draft: id(create("drafts", json!({"title": SECRET, "author": SECRET})).await),
            message: id(create("messages", message(SECRET)).await),
            action: id(create("actions", action(SECRET)).await),
            key: id(create("admin/keys", json!({"label": SECRET})).await),
            webhook: id(create("webhooks", webhook(SECRET)).await),
            token: claimed["lease_token"].as_str().unwrap().to_owned(),
            app,
        }
    }

    /// All that the owner has, as the administrator sees it: each path and its answer.
    pub(crate) async fn shown(&self) -> Vec<(String, String)> {
        let administrator = self.app.holding(ADMIN);
        let mut shown = Vec::new();
        for path in [
            "tasks",
            "orchestrators",
            "roles",
            "flows",
            "projects",
            "drafts",
            "messages",
            "actions",
            "admin/keys",
            "pauses",
            "webhooks",
            "summary",
            "tasks/waiting/why",
            "tasks/victim/history",
            "tasks/victim/runs",
            "tasks/victim/runs/1",
            "tasks/victim/runs/1/log",
            "runs",
            "tasks/waiting/history",
            "projects/p/tasks",
            "scheduler/poll",
        ] {
            let path = format!("/api/v1/{path}?scope=theirs");
            let answer = administrator.get(&path).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            shown.push((path, answer.text));
        }
        shown
    }

    /// Checks that the owner still has what it had.
    pub(crate) async fn assert_unchanged(&self, before: &[(String, String)], by: &str) {
        for ((path, before), (_, after)) in before.iter().zip(self.shown().await) {
            assert_eq!(after, *before, "{path} was changed by {by}");
        }
    }

    pub(crate) async fn expired_key(&self) -> String {
        let body = json!({"scope": "theirs", "expires_at": "2026-11-21T20:58:58.606Z"});
        let issued = self.app.holding(ADMIN).post("/api/v1/admin/keys", body).await.expect(201);
        self.app.passes(1);
        issued["api_key"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn revoked_key(&self) -> String {
        let administrator = self.app.holding(ADMIN);
        let body = json!({"scope": "theirs"});
        let issued = administrator.post("/api/v1/admin/keys", body).await.expect(201);
        let path = format!("/api/v1/admin/keys/{}", issued["id"].as_str().unwrap());
        administrator.delete(&path).await.expect(200);
        issued["api_key"].as_str().unwrap().to_owned()
    }

    /// The request of somebody who may, and whose key says for which scope.
    pub(crate) fn as_owner(&self, operation: &Operation) -> Request {
        self.request(operation, &[], self.body(operation, "new", None))
    }

    /// The same without a lease token.
    pub(crate) fn without_token(&self, operation: &Operation) -> Request {
        let mut request = self.as_owner(operation);
        if let Some(body) = &mut request.body {
            body["lease_token"] = Value::Null;
        }
        request
    }

    /// The request of somebody who must say for which scope.
    pub(crate) fn as_administrator(&self, operation: &Operation) -> Request {
        let query = [("scope", "theirs")];
        let query = if operation.method == "GET" || operation.method == "DELETE" {
            &query[..]
        } else {
            &[]
        };
        self.request(operation, query, self.body(operation, "new", Some("theirs")))
    }

    /// The requests of somebody who reaches for what is another's, and how each goes about it.
    pub(crate) fn as_stranger(&self, operation: &Operation) -> Vec<(&'static str, Request)> {
        let body = || self.body(operation, "victim", None);
        let query: Vec<_> = operation
            .query
            .iter()
            .filter(|name| *name != "scope")
            .filter_map(|name| self.value(name).map(|value| (name.as_str(), value)))
            .collect();
        let mut requests = vec![
            ("by its id", self.request(operation, &[], body())),
            ("by its query", self.request(operation, &query, body())),
            (
                "with its scope in the query",
                self.request(operation, &[("scope", "theirs")], body()),
            ),
        ];
        if operation.has_body {
            let body = self.body(operation, "victim", Some("theirs"));
            requests.push(("with its scope in the body", self.request(operation, &[], body)));
        }
        requests
    }

    /// A parameter of a query that leads to what is another's.
    fn value(&self, name: &str) -> Option<&str> {
        Some(match name {
            "orchestrator_id" => "c-m",
            "thread_id" => &self.message,
            "task_id" | "linked_task_id" | "entity_id" => "victim",
            "project_id" | "linked_project_id" => "p",
            "claimed_by" | "agent" => "a",
            "cluster" => "c",
            "entity_type" => "task",
            _ => return None,
        })
    }

    fn request(
        &self,
        operation: &Operation,
        query: &[(&str, &str)],
        body: Option<Value>,
    ) -> Request {
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let path = format!("{}?{}", self.fill(&operation.path), query.join("&"));
        Request { method: operation.method.clone(), path, body }
    }

    /// Puts the owner's ids into a path.
    fn fill(&self, path: &str) -> String {
        let id = match path.split('/').nth(3).unwrap_or_default() {
            "orchestrators" => "c-m",
            "projects" => "p",
            "drafts" => &self.draft,
            "flows" => "default",
            "pauses" => "pool:a",
            "roles" => "review",
            "actions" => &self.action,
            "admin" => &self.key,
            "webhooks" => &self.webhook,
            "tasks" if path.ends_with("/retry") => "over",
            _ => "victim",
        };
        let parts = path.split('/').map(|part| match part {
            "{hook}" => "lint",
            "{scope}" => "theirs",
            "{run}" => "1",
            part if part.starts_with('{') => id,
            part => part,
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// All fields that any operation asks for; each takes what it knows. What is created is called
    /// `id`.
    fn body(&self, operation: &Operation, id: &str, scope: Option<&str>) -> Option<Value> {
        if !operation.has_body {
            return None;
        }
        let status = match operation.path.split('/').nth(3) {
            Some("tasks") => "passed",
            Some("orchestrators") => "offline",
            Some("actions") => "executing",
            _ => "draft",
        };
        let mut body = task(id, "incoming", PLAIN);
        for more in [
            machine(PLAIN),
            message(PLAIN),
            action(PLAIN),
            webhook(PLAIN),
            json!({
                "author": "x", "status": status, "reason": "other",
                "by": "x", "lease_token": self.token, "rejected_by": "x", "to": "task",
                "accepted_by": "x", "commits_count": 1, "turns_used": 1, "agent_name": "a",
                "orchestrator_id": "c-m", "parent_message_id": self.message, "linked_task_id": id,
                "roles": [{"name": "review", "claims_from": "done"}], "result": {"a": 1},
                "states": ["incoming", "claimed", "done", "failed"], "transitions": [],
                "offset": 0, "text": PLAIN,
            }),
        ] {
            for (key, value) in more.as_object().into_iter().flatten() {
                body[key] = value.clone();
            }
        }
        if operation.path.ends_with("/heartbeat") {
            body["roles"] = json!(["review"]);
            body["leases"] = json!([{"task_id": "victim", "lease_token": self.token}]);
        }
        if operation.path.ends_with("/accept") {
            // Accepted work goes to `done`, or on.
            body["queue"] = Value::Null;
        }
        if let Some(scope) = scope {
            body["scope"] = scope.into();
        }
        Some(body)
    }
}

fn task(id: &str, queue: &str, text: &str) -> Value {
    json!({
        "id": id, "file_path": format!("{id}.md"), "branch": "main", "queue": queue,
        "title": text, "content": text, "hooks": [{"name": "lint", "evidence": text}],
    })
}

fn machine(text: &str) -> Value {
    json!({"cluster": "c", "machine_id": "m", "repo_url": text, "hostname": text})
}

fn message(text: &str) -> Value {
    json!({"task_id": "victim", "from_actor": text, "type": "comment", "content": text})
}

fn action(text: &str) -> Value {
    json!({
        "entity_type": "task", "entity_id": "victim", "label": text, "proposed_by": text,
    })
}

fn webhook(text: &str) -> Value {
    json!({"url": format!("https://example.com/{text}"), "types": ["never.happens"]})
}
