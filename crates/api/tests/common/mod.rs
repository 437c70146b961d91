//! An API on an empty database, with a clock that stands still until it is moved.

#![allow(dead_code, unreachable_pub, reason = "each test file uses what it needs")]
#![allow(clippy::needless_pass_by_value, reason = "`json!({..})` reads better than `&json!({..})`")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, Response, StatusCode, header},
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, ready},
};
use octopoid_api::{App, AuthMode, Host, Settings};
use octopoid_domain::Millis;
use octopoid_store::{Engine, Store};
use octopoid_testbed::database::Database;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tower::ServiceExt;

/// 2026-11-21T20:58:58.605Z
pub const START: i64 = 1_795_294_738_605;

/// The administrator's token of apps made by [`TestApp::guarded`].
pub const ADMIN: &str = "the-administrators-token";

pub struct TestHost {
    now: AtomicI64,
    elapsed: AtomicI64,
    random: AtomicU64,
    /// Whether claims can wait. Short pauses end at once, and long ones when a test lets so much
    /// time pass.
    pub waits: AtomicBool,
    /// The long pauses: when they end, by the monotonic clock, and those who wait.
    pauses: Mutex<Vec<(i64, oneshot::Sender<()>)>>,
    /// Whether what no answer waits for runs beside the requests.
    pub runs_aside: AtomicBool,
}

impl Host for TestHost {
    fn now(&self) -> Millis {
        Millis(self.now.load(Ordering::Relaxed))
    }

    fn elapsed_ms(&self) -> i64 {
        self.elapsed.load(Ordering::Relaxed)
    }

    /// Not random, but never the same twice.
    fn fill_random(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            chunk.copy_from_slice(&next.to_le_bytes()[..chunk.len()]);
        }
    }

    fn run_aside(&self, work: BoxFuture<'static, ()>) -> Option<BoxFuture<'static, ()>> {
        if !self.runs_aside.load(Ordering::Relaxed) {
            return Some(work);
        }
        tokio::spawn(work);
        None
    }

    fn pause(&self, ms: u64) -> Option<BoxFuture<'static, ()>> {
        let waits = self.waits.load(Ordering::Relaxed);
        waits.then(|| if ms < 1_000 { ready(()).boxed() } else { self.long_pause(ms) })
    }
}

impl TestHost {
    fn long_pause(&self, ms: u64) -> BoxFuture<'static, ()> {
        let (ends, ended) = oneshot::channel();
        let at = self.elapsed_ms().saturating_add_unsigned(ms);
        self.pauses.lock().unwrap().push((at, ends));
        ended.map(drop).boxed()
    }

    /// Ends the pauses that are over.
    fn end_pauses(&self) {
        let now = self.elapsed_ms();
        let mut pauses = self.pauses.lock().unwrap();
        for (_, ends) in pauses.extract_if(.., |(at, _)| *at <= now) {
            // The task that paused may have been dropped.
            let _ = ends.send(());
        }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body, which must be JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The body, if the status is the expected one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// The `error` text, if the status is the expected one.
    #[track_caller]
    pub fn error(&self, status: u16) -> String {
        let body = self.expect(status);
        body["error"].as_str().unwrap_or_else(|| panic!("no error in {body}")).to_owned()
    }
}

/// The API under test, seen by one caller.
#[derive(Clone)]
pub struct TestApp {
    pub app: App,
    pub host: Arc<TestHost>,
    /// Gone when the last who calls the app is, unless the test keeps it itself.
    database: Option<Arc<Database>>,
    router: Router,
    key: Option<String>,
}

impl TestApp {
    /// An app that needs no keys.
    pub async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    /// An app with an administrator, in some mode.
    pub async fn guarded(auth: AuthMode) -> Self {
        let admin_key_hash = Some(octopoid_api::auth::hash(ADMIN));
        Self::with(Settings { auth, admin_key_hash, ..Settings::default() }).await
    }

    pub async fn with(settings: Settings) -> Self {
        let database = Arc::new(Database::fresh().await);
        let test = Self::over(Arc::clone(&database.engine), settings);
        test.app.store.migrate(test.app.now()).await.unwrap();
        Self { database: Some(database), ..test }
    }

    /// An app on another engine, whose schema is the engine's own business.
    pub fn over(engine: Arc<dyn Engine>, settings: Settings) -> Self {
        // Hosts do not give the same numbers either.
        static HOSTS: AtomicU64 = AtomicU64::new(1);
        let seed = HOSTS.fetch_add(1 << 32, Ordering::Relaxed);
        let host = Arc::new(TestHost {
            now: AtomicI64::new(START),
            elapsed: AtomicI64::new(0),
            random: AtomicU64::new(seed),
            waits: AtomicBool::new(false),
            pauses: Mutex::default(),
            runs_aside: AtomicBool::new(false),
        });
        let store = Store::new(engine);
        let app = App::new(store, Arc::clone(&host) as Arc<dyn Host>, settings);
        Self { router: octopoid_api::router(app.clone()), app, host, database: None, key: None }
    }

    /// The same app, with what its host adds to the routes.
    pub fn mounting(&self, mount: impl FnOnce(Router<App>) -> Router<App>) -> Self {
        Self { router: octopoid_api::router_with(self.app.clone(), mount), ..self.clone() }
    }

    /// The same app, called with this bearer token.
    pub fn holding(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// The app of [`TestApp::guarded`], called by the holder of a fresh key for this scope.
    pub async fn holder(&self, scope: &str) -> Self {
        self.permitted(scope, "manage").await
    }

    /// The same of a key with this permission.
    pub async fn permitted(&self, scope: &str, permission: &str) -> Self {
        let body = json!({"scope": scope, "label": "test", "permission": permission});
        let issued = self.holding(ADMIN).post("/api/v1/admin/keys", body).await.expect(201);
        self.holding(issued["api_key"].as_str().unwrap())
    }

    /// Lets time pass.
    pub fn passes(&self, ms: i64) {
        self.host.now.fetch_add(ms, Ordering::Relaxed);
        self.host.elapsed.fetch_add(ms, Ordering::Relaxed);
        self.host.end_pauses();
    }

    /// Sets the host's clock forwards, or back.
    pub fn sets_clock(&self, ms: i64) {
        self.host.now.fetch_add(ms, Ordering::Relaxed);
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.open(request).await.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// Sends a request, and leaves the body of the answer to the caller.
    pub async fn open(&self, mut request: Request<Body>) -> Response<Body> {
        if let Some(key) = &self.key {
            let value = format!("Bearer {key}").parse().unwrap();
            request.headers_mut().entry(header::AUTHORIZATION).or_insert(value);
        }
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Sends a body as it is.
    pub async fn raw(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        self.send(Request::builder().method(method).uri(path).body(body.into()).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.raw("GET", path, Body::empty()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.raw("POST", path, body.to_string()).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.raw("PATCH", path, body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.raw("PUT", path, body.to_string()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.raw("DELETE", path, Body::empty()).await
    }

    /// Creates a task in scope `s`, with these fields besides the required ones.
    #[track_caller]
    pub fn task(&self, id: &str, fields: Value) -> impl Future<Output = Value> {
        let mut body =
            json!({"id": id, "file_path": format!("{id}.md"), "branch": "main", "scope": "s"});
        for (key, value) in fields.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let app = self.clone();
        async move { app.post("/api/v1/tasks", body).await.expect(201) }
    }

    /// Claims in scope `s` for four hours, with these fields besides the required ones.
    pub async fn claim(&self, fields: Value) -> Answer {
        let mut body = json!({
            "orchestrator_id": "box-1", "agent_name": "agent-1", "scope": "s",
            "lease_duration_seconds": 14_400,
        });
        for (key, value) in fields.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        self.post("/api/v1/tasks/claim", body).await
    }
}
