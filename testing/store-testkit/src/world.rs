//! A store on some engine, with a clock that moves only when told and repeatable randomness.
//!
//! The helpers read as sentences: `world.claims()`, `world.submits("a")`. Each takes the body a
//! client would send, as JSON, so that a case exercises the reading of bodies too.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use octopoid_domain::{
    Millis, Refusal, Task,
    decide::Request,
    event::Event,
    input::parse_body,
    lease::LeaseSecret,
    task::{ClaimRequest, NewTask},
};
use octopoid_store::{
    Claimed, Renewed, Result, Sql, Stamp, Store, StoreError,
    engine::{Parameter, Rows, SharedEngine, Statement},
    lapses::Lapses,
    lists::{Filter, Listed, Page},
};
use serde_json::{Value, json};

use crate::nouns::Nouns;

/// The scope in which a world's tasks live unless a case says otherwise.
pub const SCOPE: &str = "s";
/// The agent that claims unless a case says otherwise.
pub const AGENT: &str = "agent-1";
/// The machine it runs on.
pub const MACHINE: &str = "machine-1";
/// When every world begins: 2026-11-21T20:58:58.605Z.
pub const START: Millis = Millis(1_795_294_738_605);

/// A second, in milliseconds.
pub const SECOND: i64 = 1_000;
/// How long a lease lasts if the claim does not say.
pub const LEASE: i64 = 300 * SECOND;
/// A day, in milliseconds.
pub const DAY: i64 = 86_400 * SECOND;

const ALL: Page = Page::first(500);

/// Where a case happens.
pub struct World {
    /// The operations under test.
    pub store: Store,
    /// What they run on, for looking where no operation looks.
    pub engine: SharedEngine,
    now: Arc<AtomicI64>,
    random: Arc<AtomicU64>,
}

impl World {
    /// A world on this engine, with the newest schema.
    pub async fn on(engine: SharedEngine) -> Result<Self> {
        Self::over(engine.clone(), engine).await
    }

    /// A world whose store runs on one engine, while the cases' own glances at the database go to
    /// another, such as the one that a decorator decorates.
    pub async fn over(engine: SharedEngine, glances: SharedEngine) -> Result<Self> {
        let world = Self {
            store: Store::new(engine),
            engine: glances,
            now: Arc::new(AtomicI64::new(START.0)),
            random: Arc::default(),
        };
        world.store.migrate(START).await?;
        Ok(world)
    }

    /// The same world with another store on the same database, which knows nothing of what this one
    /// has kept.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            store: Store::new(self.engine.clone()),
            engine: self.engine.clone(),
            now: self.now.clone(),
            random: self.random.clone(),
        }
    }

    /// The same store for what happens to other nouns than tasks.
    pub fn nouns(&self) -> Nouns {
        Nouns::over(self.store.clone())
    }

    /// The time it is.
    pub fn now(&self) -> Millis {
        Millis(self.now.load(Ordering::Relaxed))
    }

    /// Lets time pass. It stands still otherwise, so that nothing rests on two writes being apart.
    pub fn passes(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }

    /// A stamp no other write of this world has.
    pub fn stamp(&self) -> Stamp {
        // SplitMix64: different for each write, the same in every run.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.random.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Stamp::new(mixed ^ (mixed >> 31), self.now())
    }

    /// The secret of a lease token that no other of this world has.
    pub fn secret(&self) -> LeaseSecret {
        let mut random = [0; 16];
        random[..8].copy_from_slice(&self.stamp().write_id.to_le_bytes());
        LeaseSecret::new(random)
    }

    /// Someone creates a task that says no more than it must.
    pub async fn creates(&self, id: &str) -> Result<Task> {
        self.creates_with(id, json!({})).await
    }

    /// Someone creates several tasks, one after the other.
    pub async fn creates_all(&self, ids: &[&str]) -> Result<()> {
        for id in ids {
            self.creates(id).await?;
        }
        Ok(())
    }

    /// Someone creates a task with these fields.
    pub async fn creates_with(&self, id: &str, fields: Value) -> Result<Task> {
        let body = json!({
            "id": id, "file_path": format!("{id}.md"), "branch": "main", "scope": SCOPE,
        });
        let new: NewTask = read(&merged(body, fields))?;
        let new = new.into_task(None, self.now())?;
        self.stored(self.store.create_task(new, None, self.stamp()).await?).await
    }

    /// The agent claims whatever is next.
    pub async fn claims(&self) -> Result<Option<Task>> {
        self.claims_with(json!({})).await
    }

    /// The agent claims with these fields in its request.
    pub async fn claims_with(&self, fields: Value) -> Result<Option<Task>> {
        self.claims_in(SCOPE, fields).await
    }

    /// The agent claims in another scope.
    pub async fn claims_in(&self, scope: &str, fields: Value) -> Result<Option<Task>> {
        let body = json!({ "agent_name": AGENT, "orchestrator_id": MACHINE });
        let request = read(&merged(body, fields))?;
        let claimed = self.leases(scope, &request).await?;
        Ok(claimed.map(|claimed| claimed.task))
    }

    /// The agent claims with these fields in its request, and keeps what is for it alone.
    pub async fn claims_leased(&self, fields: Value) -> Result<Option<Claimed>> {
        let body = json!({ "agent_name": AGENT, "orchestrator_id": MACHINE });
        self.leases(SCOPE, &read(&merged(body, fields))?).await
    }

    async fn leases(&self, scope: &str, request: &ClaimRequest) -> Result<Option<Claimed>> {
        let secret = self.secret();
        let claimed = self.store.claim_task(scope, None, request, &secret, self.stamp()).await?;
        if let Some(claimed) = &claimed {
            self.stored(claimed.task.clone()).await?;
        }
        Ok(claimed)
    }

    /// Agents claim until nothing is left that fits; these are the ids in the order they came.
    pub async fn drains(&self, fields: Value) -> Result<Vec<String>> {
        /// More than any case creates.
        const CLAIMS_MAX: usize = 500;
        let mut ids = Vec::new();
        while let Some(task) = self.claims_with(fields.clone()).await? {
            ids.push(task.id);
            if ids.len() > CLAIMS_MAX {
                return Err(StoreError::Corrupt("claiming never ends: tasks are handed out again"));
            }
        }
        Ok(ids)
    }

    /// Someone creates a task and the agent claims it.
    pub async fn works_on(&self, id: &str) -> Result<Task> {
        self.creates_with(id, json!({ "type": id })).await?;
        self.picks(id).await
    }

    /// The agent claims the task whose type is its id, as [`World::works_on`] makes them.
    pub async fn picks(&self, id: &str) -> Result<Task> {
        let claimed = self.claims_with(json!({ "type_filter": [id] })).await?;
        claimed.ok_or_else(|| Refusal::invalid("the task was not there to claim").into())
    }

    /// Someone creates a task, and the agent claims it and hands it in.
    pub async fn hands_in(&self, id: &str) -> Result<Task> {
        self.works_on(id).await?;
        self.submits(id).await
    }

    /// The agent hands in.
    pub async fn submits(&self, id: &str) -> Result<Task> {
        self.submits_with(id, json!({ "commits_count": 1, "turns_used": 2 })).await
    }

    /// The agent hands in with exactly this body.
    pub async fn submits_with(&self, id: &str, body: Value) -> Result<Task> {
        self.changes(id, Request::Submit(Box::new(read(&body)?))).await
    }

    /// The agent reports a failure with exactly this body.
    pub async fn fails_with(&self, id: &str, body: Value) -> Result<Task> {
        self.changes(id, Request::Fail(Box::new(read(&body)?))).await
    }

    /// The agent renews its lease with exactly this body.
    pub async fn renews_with(&self, id: &str, body: Value) -> Result<Renewed> {
        self.store.renew_task(id, None, &read(&body)?, self.stamp()).await
    }

    /// A person cancels.
    pub async fn cancels(&self, id: &str) -> Result<Task> {
        let body = json!({ "by": "person", "reason": "not wanted" });
        self.changes(id, Request::Cancel(read(&body)?)).await
    }

    /// A person takes a task up again.
    pub async fn retries(&self, id: &str) -> Result<Task> {
        self.changes(id, Request::Retry(read(&json!({ "by": "person" }))?)).await
    }

    /// A reviewer accepts.
    pub async fn accepts(&self, id: &str) -> Result<Task> {
        self.accepts_with(id, json!({ "accepted_by": "reviewer" })).await
    }

    /// A reviewer accepts with exactly this body.
    pub async fn accepts_with(&self, id: &str, body: Value) -> Result<Task> {
        self.changes(id, Request::Accept(read(&body)?)).await
    }

    /// A reviewer rejects.
    pub async fn rejects(&self, id: &str) -> Result<Task> {
        let body = json!({ "reason": "not yet", "rejected_by": "reviewer" });
        self.rejects_with(id, body).await
    }

    /// A reviewer rejects with exactly this body.
    pub async fn rejects_with(&self, id: &str, body: Value) -> Result<Task> {
        self.changes(id, Request::Reject(read(&body)?)).await
    }

    /// Someone puts a task back.
    pub async fn requeues(&self, id: &str) -> Result<Task> {
        self.requeues_with(id, json!({})).await
    }

    /// Someone puts a task back with exactly this body.
    pub async fn requeues_with(&self, id: &str, body: Value) -> Result<Task> {
        self.changes(id, Request::Requeue(read(&body)?)).await
    }

    /// An operator moves a task.
    pub async fn forces(&self, id: &str, queue: &str) -> Result<Task> {
        self.forces_with(id, json!({ "queue": queue, "reason": "because" })).await
    }

    /// An operator moves a task with exactly this body.
    pub async fn forces_with(&self, id: &str, body: Value) -> Result<Task> {
        self.changes(id, Request::ForceQueue(read(&body)?)).await
    }

    /// A client reports on a hook.
    pub async fn completes_hook(&self, id: &str, hook: &str, body: Value) -> Result<Task> {
        self.changes(id, Request::CompleteHook(hook.to_owned(), read(&body)?)).await
    }

    /// A client changes fields.
    pub async fn patches(&self, id: &str, body: Value) -> Result<Task> {
        let patch = read(&body)?;
        let task = self.store.update_task(id, None, patch, self.stamp());
        self.stored(task.await?).await
    }

    /// An operator deletes a task.
    pub async fn deletes(&self, id: &str) -> Result<()> {
        self.store.delete_task(id, None, self.stamp()).await.map(drop)
    }

    /// Any request to change a task, by a caller who may see all of them.
    pub async fn changes(&self, id: &str, request: Request) -> Result<Task> {
        let task = self.store.change_task(id, None, &request, self.stamp());
        self.stored(task.await?).await
    }

    /// The reaper takes back every claim that has ended, without grace.
    pub async fn reaps(&self) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for task in self.releases(self.now(), 1_000).await? {
            ids.push(self.stored(task).await?.id);
        }
        Ok(ids)
    }

    /// The reaper takes back the first claims that ended before an instant.
    pub async fn releases(&self, ended_before: Millis, limit: i64) -> Result<Vec<Task>> {
        let mut lapses = Lapses::before(ended_before);
        let released = self.store.release_lapsed(&mut lapses, limit, self.stamp()).await?;
        match released.refused.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(released.tasks),
        }
    }

    /// An operation may answer without reading back what it wrote; here it must not show.
    async fn stored(&self, answer: Task) -> Result<Task> {
        if self.reads(&answer.id).await? == answer {
            return Ok(answer);
        }
        Err(StoreError::Corrupt("an operation answered with another task than it stored"))
    }

    /// A task as it is stored.
    pub async fn reads(&self, id: &str) -> Result<Task> {
        self.store.get_task(id, None).await
    }

    /// A task's history.
    pub async fn history(&self, id: &str) -> Result<Vec<Event>> {
        Ok(self.store.task_history(id, None, &Page::first(1_000)).await?.items)
    }

    /// The names of the events in a task's history.
    pub async fn events(&self, id: &str) -> Result<Vec<String>> {
        let history = self.history(id).await?;
        Ok(history.into_iter().map(|event| event.event).collect())
    }

    /// The tasks that a filter finds.
    pub async fn tasks(&self, filter: &Filter) -> Result<Vec<Task>> {
        Ok(self.store.list_tasks(filter, &ALL).await?.items)
    }

    /// The ids of the tasks that a filter finds, and how many there are in all.
    pub async fn lists(&self, filter: Filter) -> Result<(Vec<String>, i64)> {
        let Listed { items, total, .. } = self.store.list_tasks(&filter, &ALL).await?;
        let total = total.ok_or(StoreError::Corrupt("a first page was not counted"))?;
        Ok((items.into_iter().map(|task| task.id).collect(), total))
    }

    /// Runs a statement that is no operation of the store: to look where none looks.
    pub async fn runs(&self, sql: impl Into<Sql>, parameters: Vec<Parameter>) -> Result<Rows> {
        let statement = Statement { sql: sql.into(), parameters };
        let mut answers = self.engine.write(vec![statement]).await?;
        Ok(answers.pop().unwrap_or_default())
    }
}

/// A filter for all tasks of the world's scope.
pub fn everything() -> Filter {
    Filter { scope: SCOPE.to_owned(), ..Filter::default() }
}

/// Reads a body as the server does. One that cannot be read is refused as it is there.
pub(crate) fn read<T: serde::de::DeserializeOwned>(body: &Value) -> Result<T> {
    let text = body.to_string();
    Ok(parse_body(text.as_bytes()).map_err(Refusal::from)?)
}

fn merged(mut body: Value, fields: Value) -> Value {
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
        body.extend(fields);
    }
    body
}
