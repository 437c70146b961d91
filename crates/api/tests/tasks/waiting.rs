//! Claims that wait, many at a time. What counts is how often they look.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{body::Body, http::Request};
use futures_util::future::BoxFuture;
use octopoid_api::{Settings, jobs::run_jobs};
use octopoid_store::{
    Engine, EngineError,
    engine::{Rows, Statement},
};
use octopoid_testbed::database::Database;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    TASKS,
    common::{Answer, TestApp},
    step,
};

/// A database that counts the claims that are tried, and what it is busy with.
struct Counting {
    database: Database,
    claims: AtomicUsize,
    open: AtomicUsize,
}

impl Engine for Counting {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        let is_look = batch.first().is_some_and(|first| {
            first.sql.postgres().is_some_and(|sql| sql.ends_with("SELECT 1 FROM fitting LIMIT 1"))
        });
        self.open.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let answer = self.database.engine.read(batch).await;
            // On PostgreSQL a claim goes on if what is there is held by one that has not committed.
            if is_look && answer.as_ref().is_ok_and(|rows| !rows[0].is_empty()) {
                self.claims.fetch_sub(1, Ordering::SeqCst);
            }
            self.open.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        let is_claim = batch.first().is_some_and(|first| {
            first.sql.sqlite().is_some_and(|sql| sql.starts_with("WITH RECURSIVE lanes"))
        });
        self.claims.fetch_add(usize::from(is_claim), Ordering::SeqCst);
        self.open.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let answer = self.database.engine.write(batch).await;
            self.open.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }
}

/// An app, and claims that wait on it.
struct Waiting {
    app: TestApp,
    engine: Arc<Counting>,
    waiters: JoinSet<Answer>,
}

impl Waiting {
    async fn new() -> Self {
        let claims = AtomicUsize::new(0);
        let engine = Arc::new(Counting {
            database: Database::shared().await,
            claims,
            open: AtomicUsize::new(0),
        });
        let app = TestApp::over(Arc::clone(&engine) as Arc<dyn Engine>, Settings::default());
        app.app.store.migrate(app.app.now()).await.unwrap();
        app.host.waits.store(true, Ordering::SeqCst);
        Self { app, engine, waiters: JoinSet::new() }
    }

    fn claims(&self) -> usize {
        self.engine.claims.load(Ordering::SeqCst)
    }

    /// So many more, each of which has found nothing.
    async fn add(&mut self, count: usize, fields: Value) {
        let before = self.claims();
        for number in 0..count {
            let mut body =
                json!({"orchestrator_id": "o", "agent_name": format!("a{number}"), "scope": "s"});
            for (key, value) in fields.as_object().into_iter().flatten() {
                body[key] = value.clone();
            }
            let request = Request::post(format!("{TASKS}/claim")).header("prefer", "wait=50");
            let request = request.body(Body::from(body.to_string())).unwrap();
            let app = self.app.clone();
            self.waiters.spawn(async move { app.send(request).await });
        }
        // A claim reads why it found nothing; each of them waits when the database is idle.
        let mut idle = 0;
        while self.claims() < before + count || idle < count {
            tokio::task::yield_now().await;
            let is_idle = self.engine.open.load(Ordering::SeqCst) == 0;
            idle = if is_idle { idle + 1 } else { 0 };
        }
    }

    /// The ids of the next tasks that are handed out.
    async fn handed_out(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let answer = self.waiters.join_next().await.unwrap().unwrap();
            ids.push(answer.expect(200)["id"].as_str().unwrap().to_owned());
        }
        ids.sort();
        ids
    }

    /// Ends those who still wait, and tells how many they are.
    async fn end(&mut self) -> usize {
        self.app.app.stop_claiming();
        let mut count = 0;
        while let Some(answer) = self.waiters.join_next().await {
            assert_eq!(answer.unwrap().status, 404);
            count += 1;
        }
        count
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_task_does_not_make_everybody_look_who_waits() {
    const WAITERS: usize = 300;
    const TASKS: usize = 10;
    let mut waiting = Waiting::new().await;
    waiting.add(WAITERS, json!({})).await;
    for number in 0..TASKS {
        let id = format!("t{number}");
        waiting.app.task(&id, json!({})).await;
        assert_eq!(waiting.handed_out(1).await, [id]);
    }
    assert_eq!(waiting.end().await, WAITERS - TASKS);
    // One has found the task, and another has looked whether there are more. At times a hint meets one
    // that has just begun to look, and one more looks after it.
    let looks = waiting.claims() - WAITERS;
    assert!((TASKS..=3 * TASKS).contains(&looks), "{looks} looks for {TASKS} tasks");
}

/// Machines and pools differ, and what they would get does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_task_makes_four_claims_look_at_most() {
    const GROUP: usize = 100;
    let mut waiting = Waiting::new().await;
    waiting.add(GROUP, json!({"pools": ["a"]})).await;
    waiting.add(GROUP, json!({"pools": ["b"]})).await;
    waiting.app.task("t", json!({})).await;
    assert_eq!(waiting.handed_out(1).await, ["t"]);
    assert_eq!(waiting.end().await, 2 * GROUP - 1);
    let looks = waiting.claims() - 2 * GROUP;
    assert!((2..=4).contains(&looks), "{looks} claims were tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_pause_wakes_the_claims_that_wait() {
    let mut waiting = Waiting::new().await;
    waiting.app.task("t", json!({})).await;
    let pause = json!({"scope": "s", "reason": "r", "by": "b"});
    waiting.app.put("/api/v1/pauses/queue:incoming", pause.clone()).await.expect(200);
    waiting.add(3, json!({})).await;
    waiting.app.delete("/api/v1/pauses/queue:incoming?scope=s").await.expect(200);
    assert_eq!(waiting.handed_out(1).await, ["t"]);
    // One that ends by time ends with the jobs, if no claim looks before.
    waiting.app.put("/api/v1/pauses/scope", pause).await.expect(200);
    waiting.app.task("u", json!({})).await;
    let until = json!({"scope": "s", "reason": "r", "by": "b", "until": 1_795_294_738_606_i64});
    waiting.app.put("/api/v1/pauses/scope", until).await.expect(200);
    waiting.app.passes(1);
    run_jobs(&waiting.app.app).await.unwrap();
    assert_eq!(waiting.handed_out(1).await, ["u"]);
    assert_eq!(waiting.end().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_machine_does_not_wait_and_leaves_the_task_to_the_others() {
    let mut waiting = Waiting::new().await;
    let machine = json!({"cluster": "c", "machine_id": "m", "scope": "s"});
    waiting.app.post("/api/v1/orchestrators/register", machine).await.expect(201);
    waiting.add(1, json!({"orchestrator_id": "c-m"})).await;
    waiting.add(2, json!({})).await;
    let status = json!({"status": "draining"});
    waiting.app.patch("/api/v1/orchestrators/c-m", status).await.expect(200);
    let (prefer, claim) =
        ("wait=50", json!({"orchestrator_id": "c-m", "agent_name": "a", "scope": "s"}));
    let request = Request::post(format!("{TASKS}/claim")).header("prefer", prefer);
    let request = request.body(Body::from(claim.to_string())).unwrap();
    let nothing = waiting.app.send(request).await.expect(404);
    assert_eq!(nothing, json!({"message": "No tasks available"}));
    // The machine has waited longest, so the hint is its own; it passes it on.
    waiting.app.task("t", json!({})).await;
    let mut found = Vec::new();
    for _ in 0..2 {
        let answer = waiting.waiters.join_next().await.unwrap().unwrap();
        found.push((answer.status.as_u16(), answer.json()["orchestrator_id"].clone()));
    }
    found.sort_by_key(|(status, _)| *status);
    assert_eq!(found, [(200, json!("o")), (404, Value::Null)]);
    assert_eq!(waiting.end().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tasks_are_handed_out_that_one_change_has_freed() {
    let mut waiting = Waiting::new().await;
    waiting.app.task("first", json!({})).await;
    waiting.app.claim(json!({})).await.expect(200);
    let ids: Vec<_> = (0..8).map(|number| format!("t{number}")).collect();
    for id in &ids {
        waiting.app.task(id, json!({"blocked_by": "first"})).await;
    }
    waiting.add(20, json!({})).await;
    step(&waiting.app, "first", "submit", json!({"commits_count": 1, "turns_used": 1}))
        .await
        .expect(200);
    step(&waiting.app, "first", "accept", json!({"accepted_by": "human"})).await.expect(200);
    assert_eq!(waiting.handed_out(8).await, ids);
    assert_eq!(waiting.end().await, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_whose_filter_does_not_fit_leave_the_task_to_those_whose_does() {
    let mut waiting = Waiting::new().await;
    waiting.add(20, json!({"type_filter": ["docs"]})).await;
    waiting.add(1, json!({"type_filter": ["code"]})).await;
    waiting.add(20, json!({"type_filter": ["tests"]})).await;
    waiting.app.task("t", json!({"type": "code"})).await;
    assert_eq!(waiting.handed_out(1).await, ["t"]);
    assert_eq!(waiting.end().await, 40);
}
