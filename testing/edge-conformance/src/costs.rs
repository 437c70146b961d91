//! What requests cost: the rows that D1 counts while the very router of the Worker answers them,
//! authentication and all.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use http_body_util::BodyExt;
use octopoid_api::{App, AuthMode, Host, Settings, auth};
use octopoid_domain::Millis;
use octopoid_store::Store;
use octopoid_store_d1::D1;
use serde_json::{Map, Value, json};
use tower::ServiceExt;
use worker::{D1Database, Date};

/// The administrator's token.
const ADMIN: &str = "the-administrators-token";

/// Tasks that wait, in three priorities. Creating ten thousand by requests would take minutes.
const FILL: &str = "WITH RECURSIVE numbers (n) AS \
    (SELECT 1 WHERE ?1 > 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1) \
    INSERT INTO tasks (id, file_path, queue, branch, scope, role, type, priority, title, content, \
        has_plan, auto_accept, needs_rebase, created_at, updated_at, version, \
        needs_breakdown, needs_intervention, write_id, events, is_awaited) \
    SELECT 'w' || n, 'w' || n, 'incoming', 'main', 's', 'implement', 'product', 'P' || (1 + n % 3), \
        'A task', 'Its text.', 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0 FROM numbers";

/// Messages to one reader, of which a page shows fewer.
const MESSAGES: usize = 70;

/// Everything that the jobs look for is due: leases, a delay, a pause, counts, a request, a machine,
/// events, and a log.
const ALL_DUE: [&str; 9] = [
    "UPDATE availability SET gaps = '[]'",
    "UPDATE tasks SET lease_expires_at = 1 WHERE queue = 'claimed'",
    "UPDATE tasks SET not_before = 1 WHERE not_before IS NOT NULL",
    "INSERT INTO pauses (scope, target, until, reason, paused_by, is_automatic, created_at, changes) \
     VALUES ('s', 'queue:backlog', 1, 'lunch', 'ann', 0, 0, 1)",
    "INSERT INTO hourly_counts (hour, scope, shard, done, failed, cost_micros) \
     VALUES (1, 's', 1, 1, 1, 1)",
    "INSERT INTO idempotency (scope, route, key, body_hash, status, at) VALUES ('s', 'r', 'k', '', 200, 1)",
    "UPDATE orchestrators SET last_heartbeat = 1",
    "UPDATE events SET at = 1",
    "INSERT INTO run_logs (task_id, run, start, bytes, body, at) VALUES ('first', 1, 0, 4, 'text', 1)",
];

/// What a step of this story comes to.
type Result<T> = std::result::Result<T, String>;

/// The runtime, as the Worker itself has it.
struct Edge;

impl Host for Edge {
    fn now(&self) -> Millis {
        Millis(i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX))
    }

    /// A Worker waits only for its database, and the runtime's clock does not jump.
    fn elapsed_ms(&self) -> i64 {
        self.now().0
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("a Worker that serves a request may ask for randomness");
    }
}

/// A client of the router, who looks at the bill after each request.
struct Client {
    engine: Arc<D1>,
    router: Router,
    key: String,
    bill: Map<String, Value>,
}

impl Client {
    async fn new(database: D1Database) -> Result<Self> {
        let engine = Arc::new(D1::counting(database));
        let store = Store::new(engine.clone());
        store.migrate(Edge.now()).await.map_err(|error| error.to_string())?;
        let settings = Settings {
            auth: AuthMode::Required,
            admin_key_hash: Some(auth::hash(ADMIN)),
            ..Settings::default().with_short_jobs()
        };
        let router = octopoid_api::router(App::new(store, Arc::new(Edge), settings));
        Ok(Self { engine, router, key: ADMIN.to_owned(), bill: Map::new() })
    }

    /// Sends a request and returns the body of its answer, which may be a 404.
    async fn ask(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key));
        let body = if method == "GET" { Body::empty() } else { Body::from(body.to_string()) };
        let request = request.body(body).map_err(|error| error.to_string())?;
        let Ok(answer) = self.router.clone().oneshot(request).await;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
        let body = body.to_bytes();
        if status >= 400 && status != 404 {
            return Err(format!("{method} {path}: {status} {}", String::from_utf8_lossy(&body)));
        }
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }

    /// The same, and notes what it cost under a name.
    async fn pay(&mut self, name: &str, method: &str, path: &str, body: Value) -> Result<Value> {
        self.engine.take_counted();
        let answer = self.ask(method, path, body).await?;
        let counted = self.engine.take_counted();
        let counted = json!({
            "statements": counted.statements, "read": counted.read, "written": counted.written,
        });
        self.bill.insert(name.to_owned(), counted);
        Ok(answer)
    }

    /// The life of a task, as a client lives it.
    async fn live(&mut self, id: &str) -> Result<()> {
        self.pay("create", "POST", "/tasks", task(id)).await?;
        let claim = json!({
            "orchestrator_id": "c-m", "agent_name": "agent-1",
            "role_filter": ["implement"], "type_filter": ["product"],
        });
        let claimed = self.pay("claim", "POST", "/tasks/claim", claim).await?;
        if claimed["id"] != id {
            return Err(format!("claimed {claimed} instead of {id}"));
        }
        let longer = json!({ "lease_expires_at": Edge.now().plus(3_600_000).to_iso() });
        self.pay("renew", "PATCH", &format!("/tasks/{id}"), longer).await?;
        let report = json!({ "commits_count": 3, "turns_used": 42, "execution_notes": "notes" });
        self.pay("submit", "POST", &format!("/tasks/{id}/submit"), report).await?;
        let verdict = json!({ "accepted_by": "human" });
        self.pay("accept", "POST", &format!("/tasks/{id}/accept"), verdict).await?;
        Ok(())
    }
}

/// Agents fall silent whose tasks are to be cancelled and whose runs have a cost: one more than a run
/// of the jobs takes back.
async fn fall_silent(client: &Client) -> Result<()> {
    let most = Settings::default().with_short_jobs().releases_max.unwrap_or_default();
    for number in 0..=most {
        let id = format!("silent-{number}");
        let mut new = task(&id);
        new["type"] = "silent".into();
        client.ask("POST", "/tasks", new).await?;
        let claim = json!({
            "orchestrator_id": "c-m", "agent_name": "agent-1", "type_filter": ["silent"],
            "scope": "s",
        });
        let claimed = client.ask("POST", "/tasks/claim", claim).await?;
        let renewal =
            json!({ "lease_token": claimed["lease_token"], "usage": { "cost_usd": "0.5" } });
        client.ask("POST", &format!("/tasks/{id}/renew"), renewal).await?;
        let order = json!({ "by": "ann", "reason": "no longer needed" });
        client.ask("POST", &format!("/tasks/{id}/cancel"), order).await?;
    }
    let mut delayed = task("delayed");
    delayed["not_before"] = Edge.now().plus(3_600_000).to_iso().into();
    client.ask("POST", "/tasks", delayed).await.map(drop)
}

/// A task more urgent than those that wait.
fn task(id: &str) -> Value {
    json!({
        "id": id, "file_path": format!("tasks/{id}.md"), "branch": "main", "scope": "s",
        "role": "implement", "type": "product", "priority": "P0",
        "title": "A task", "content": "Its text.",
    })
}

/// Tells, as JSON, what each kind of request reads and writes while so many tasks wait.
pub(crate) async fn tell(waiting: &str, database: D1Database) -> Result<String> {
    let waiting: u32 = waiting.parse().map_err(|_| "how many tasks wait is not a number")?;
    let fill = database.prepare(FILL);
    let all_due: Vec<_> = ALL_DUE.iter().map(|sql| database.prepare(*sql)).collect();
    let mut client = Client::new(database).await?;
    let fill = fill.bind(&[waiting.into()]).map_err(|error| error.to_string())?;
    fill.run().await.map_err(|error| error.to_string())?;
    let machine = json!({ "cluster": "c", "machine_id": "m", "scope": "s" });
    let registered = client.ask("POST", "/orchestrators/register", machine).await?;
    registered["orchestrator_id"].as_str().ok_or(format!("registering gave {registered}"))?;
    let issued = client.ask("POST", "/admin/keys", json!({ "scope": "s", "label": "l" })).await?;
    issued["api_key"].as_str().ok_or(format!("issuing gave {issued}"))?.clone_into(&mut client.key);
    let roles = json!({
        "orchestrator_id": "c-m",
        "roles": [{ "name": "implement", "claims_from": "incoming" }],
    });
    client.ask("POST", "/roles/register", roles).await?;
    // The first finished task of a scope is a new row of its counts; from then on there is none.
    client.live("first").await?;
    client.live("second").await?;
    let nothing = json!({
        "orchestrator_id": "c-m", "agent_name": "agent-1", "type_filter": ["nothing"],
    });
    client.pay("claim_of_nothing", "POST", "/tasks/claim", nothing).await?;
    let poll = "/scheduler/poll?orchestrator_id=c-m";
    client.pay("poll", "GET", poll, Value::Null).await?;
    let tasks = "/tasks?queue=incoming&limit=50";
    client.pay("list_of_50", "GET", tasks, Value::Null).await?;
    let message = json!({
        "task_id": "second", "from_actor": "human", "to_actor": "agent", "type": "info",
        "content": "A message.", "scope": "s",
    });
    for _ in 0..MESSAGES {
        client.ask("POST", "/messages", message.clone()).await?;
    }
    client.pay("messages", "GET", "/messages?to_actor=agent&limit=50", Value::Null).await?;
    client.pay("heartbeat", "POST", "/orchestrators/c-m/heartbeat", json!({})).await?;
    client.pay("get", "GET", "/tasks/second", Value::Null).await?;
    ADMIN.clone_into(&mut client.key);
    client.pay("jobs", "POST", "/admin/jobs/run", json!({})).await?;
    fall_silent(&client).await?;
    for statement in all_due {
        statement.run().await.map_err(|error| error.to_string())?;
    }
    let done = client.pay("jobs_all_due", "POST", "/admin/jobs/run", json!({})).await?;
    if done != json!({ "tasks_released": 5, "orchestrators_offline": 1, "tasks_deleted": 0 }) {
        return Err(format!("the jobs have done {done}"));
    }
    Ok(Value::Object(client.bill).to_string())
}
