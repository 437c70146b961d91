//! What operations cost where rows written and rows read are paid for.

use std::sync::Arc;

use octopoid_domain::input::parse_body;
use octopoid_store::{Once, Result, Terms};
use octopoid_store_sqlite::{Location, Sqlite};
use octopoid_store_testkit::{
    World,
    world::{LEASE, SCOPE},
};
use serde_json::json;

use crate::meter::{Bill, Meter};

/// The most that the life of a task may write: its creation, claim, submission and acceptance.
const LIFECYCLE_MAX: usize = 26;

/// A world that counts what it writes.
struct Metered {
    world: World,
    meter: Arc<Meter>,
    table: Vec<(&'static str, Bill)>,
    excesses: Vec<String>,
}

impl Metered {
    async fn new() -> Self {
        let engine = Arc::new(Sqlite::open(&Location::Memory).expect("memory can be opened"));
        let plain = World::on(engine.clone()).await.expect("an empty database takes the schema");
        let meter = Arc::new(Meter::of(engine));
        let world = World::over(meter.clone(), plain.engine).await.expect("the schema is there");
        meter.take();
        Self { world, meter, table: Vec::new(), excesses: Vec::new() }
    }

    /// Notes what was written since the last note under this name, and how much that is.
    fn note(&mut self, operation: &'static str) -> usize {
        let bill = self.meter.take();
        let total = bill.values().sum();
        self.table.push((operation, bill));
        total
    }

    /// Notes what was written, which should be something, and at most so much.
    fn expect(&mut self, operation: &'static str, most: usize) {
        let total = self.note(operation);
        if !(1..=most).contains(&total) {
            self.excesses.push(format!("{operation}: {total} rows, not 1 to {most}"));
        }
    }

    /// What each operation has written, a line each.
    fn lines(&self) -> String {
        let line = |(operation, bill): &(&str, Bill)| {
            let parts: Vec<_> = bill.iter().map(|(name, rows)| format!("{name} {rows}")).collect();
            let total: usize = bill.values().sum();
            format!("{operation:26} {total:3}   {}", parts.join(", "))
        };
        self.table.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[tokio::test]
async fn the_life_of_a_task_writes_no_more_than_it_did() {
    let mut metered = Metered::new().await;
    // As a client does it, in a scope that is in use already.
    for id in ["before", "a"] {
        metered.table.clear();
        let world = &metered.world;
        let fields = json!({
            "role": "implement", "type": "product", "title": "A task", "content": "Its text.",
        });
        world.creates_with(id, fields).await.unwrap();
        let mut sum = metered.note("create");
        let filters = json!({ "role_filter": ["implement"], "type_filter": ["product"] });
        metered.world.claims_with(filters).await.unwrap().unwrap();
        sum += metered.note("claim");
        let report = json!({ "commits_count": 3, "turns_used": 42, "execution_notes": "notes" });
        metered.world.submits_with(id, report).await.unwrap();
        sum += metered.note("submit");
        metered.world.accepts(id).await.unwrap();
        sum += metered.note("accept");
        println!("{}", metered.lines());
        assert!(sum <= LIFECYCLE_MAX, "the life of {id} wrote {sum} rows");
    }
}

/// The most that each operation may write. Raising a number here raises the bill of every D1 user.
#[tokio::test]
async fn no_operation_writes_more_than_it_did() {
    let mut metered = Metered::new().await;
    metered.world.creates("blocker").await.unwrap();
    metered.expect("create", 6);
    let waiting = json!({ "type": "a", "blocked_by": "blocker,other" });
    metered.world.creates_with("a", waiting).await.unwrap();
    metered.expect("create, waiting for two", 13);
    metered.world.forces("blocker", "done").await.unwrap();
    metered.expect("force to done, one waits", 17);
    metered.world.patches("a", json!({ "blocked_by": null })).await.unwrap();
    metered.expect("patch of the blockers", 8);
    metered.world.patches("a", json!({ "title": "t" })).await.unwrap();
    metered.expect("patch of the title", 6);
    metered.world.picks("a").await.unwrap();
    metered.expect("claim", 7);
    let longer = metered.world.now().plus(LEASE).to_iso();
    metered.world.patches("a", json!({ "lease_expires_at": longer })).await.unwrap();
    metered.expect("patch of the lease", 5);
    metered.world.submits("a").await.unwrap();
    metered.expect("submit", 7);
    metered.world.claims_with(json!({ "queue": "provisional" })).await.unwrap().unwrap();
    metered.expect("review claim", 7);
    metered.world.rejects("a").await.unwrap();
    metered.expect("reject", 13);
    metered.world.picks("a").await.unwrap();
    metered.expect("claim again", 7);
    metered.world.requeues("a").await.unwrap();
    metered.expect("requeue", 7);
    metered.world.picks("a").await.unwrap();
    metered.expect("claim once more", 7);
    metered.world.passes(LEASE + 1);
    assert_eq!(metered.world.reaps().await.unwrap(), ["a"]);
    metered.expect("release of a lease", 7);
    metered.world.forces("a", "failed").await.unwrap();
    metered.expect("force to failed", 11);
    metered.world.deletes("a").await.unwrap();
    // Its runs are deleted with it, but for the last for work and the last of all.
    metered.expect("delete, with five runs", 11);
    println!("{}", metered.lines());
    assert_eq!(metered.excesses, [""; 0], "some operations write more than they did");
}

/// What each step of a life writes, with an idempotency key or without.
async fn rows_of_a_life(has_keys: bool) -> Result<Vec<(&'static str, usize)>> {
    let mut metered = Metered::new().await;
    let plain = metered.world.store.clone();
    let mut rows = Vec::new();
    for step in ["create", "claim", "submit", "reject", "again", "requeue", "cancel"] {
        let once = has_keys.then(|| Once {
            scope: SCOPE.to_owned(),
            route: "route".to_owned(),
            key: step.to_owned(),
            body_hash: "body".to_owned(),
            status: 200,
        });
        metered.world.store = plain.under(Terms { once, versions: None });
        let world = &metered.world;
        match step {
            "create" => drop(world.creates("a").await?),
            "claim" | "again" => drop(world.claims().await?),
            "submit" => drop(world.submits("a").await?),
            "reject" => drop(world.rejects("a").await?),
            "requeue" => drop(world.requeues("a").await?),
            _ => drop(world.cancels("a").await?),
        }
        rows.push((step, metered.note(step)));
    }
    Ok(rows)
}

#[tokio::test]
async fn an_idempotency_key_writes_two_rows() {
    let (plain, keyed) = (rows_of_a_life(false).await, rows_of_a_life(true).await);
    let (plain, keyed) = (plain.unwrap(), keyed.unwrap());
    for ((step, plain), (_, keyed)) in plain.into_iter().zip(keyed) {
        assert_eq!(keyed, plain + 2, "{step}");
    }
}

/// What is due is deleted together, so that tasks share the rows that count them.
#[tokio::test]
async fn a_deletion_by_age_writes_no_more_than_it_did() {
    let mut metered = Metered::new().await;
    for (name, tasks, most) in [("one", 1, 8), ("ten", 10, 80)] {
        let world = &metered.world;
        for number in 0..tasks {
            let id = format!("{name}{number}");
            world.hands_in(&id).await.unwrap();
            world.accepts(&id).await.unwrap();
        }
        let before = world.now().plus(1);
        metered.note("preparation");
        let world = &metered.world;
        let expired = world.store.delete_expired(before, 100, world.stamp()).await.unwrap();
        assert_eq!(expired.len(), tasks);
        metered.expect(name, most);
        let world = &metered.world;
        world.store.delete_expired(before, 100, world.stamp()).await.unwrap();
        assert_eq!(metered.note("nothing is due"), 0);
    }
    println!("{}", metered.lines());
    assert_eq!(metered.excesses, [""; 0]);
}

/// A machine keeps its leases by one small write.
#[tokio::test]
async fn a_heartbeat_writes_three_rows_for_each_lease() {
    const LEASES: usize = 100;
    let mut metered = Metered::new().await;
    let world = &metered.world;
    world.nouns().registers("m", SCOPE, 0).await;
    let mut leases = Vec::new();
    for number in 0..LEASES {
        let id = format!("t{number}");
        world.creates(&id).await.unwrap();
        let token = world.claims_leased(json!({})).await.unwrap().unwrap().token.to_string();
        leases.push(json!({ "task_id": id, "lease_token": token }));
    }
    metered.note("preparation");
    let plain = json!({});
    let says = json!({ "slots": 8, "busy": 2, "roles": ["implement"], "version": "2" });
    for (name, body, most) in [
        ("plain heartbeat", plain, 2),
        ("heartbeat that says more", says, 2),
        ("heartbeat with 100 leases", json!({ "leases": leases }), 2 + 3 * LEASES),
    ] {
        let world = &metered.world;
        world.passes(1_000);
        let body = parse_body(body.to_string().as_bytes()).unwrap();
        world.store.note_heartbeat("c-m", None, &body, world.stamp()).await.unwrap();
        metered.expect(name, most);
    }
    println!("{}", metered.lines());
    assert_eq!(metered.excesses, [""; 0]);
}

#[tokio::test]
async fn text_for_a_log_is_a_row_and_another_at_its_beginning() {
    let mut metered = Metered::new().await;
    metered.world.creates("a").await.unwrap();
    let leased = metered.world.claims_leased(json!({})).await.unwrap().unwrap();
    metered.note("preparation");
    for (name, offset, most) in [("first", 0, 2), ("second", 100, 1), ("third", 200, 2)] {
        let body = json!({
            "lease_token": leased.token.to_string(), "offset": offset, "text": "x".repeat(100),
        });
        let body = parse_body(body.to_string().as_bytes()).unwrap();
        let world = &metered.world;
        world.store.append_log("a", None, &body, 200, world.stamp()).await.unwrap();
        metered.expect(name, most);
    }
    println!("{}", metered.lines());
    assert_eq!(metered.excesses, [""; 0]);
}

/// An agent that asks and gets nothing should cost nothing.
#[tokio::test]
async fn what_is_refused_or_empty_writes_nothing() {
    let mut metered = Metered::new().await;
    metered.world.claims().await.unwrap();
    assert_eq!(metered.note("a claim of nothing"), 0);
    metered.world.reaps().await.unwrap();
    assert_eq!(metered.note("a look for lapsed leases"), 0);
    metered.world.creates("a").await.unwrap();
    metered.note("create");
    metered.world.creates("a").await.unwrap_err();
    assert_eq!(metered.note("a duplicate"), 0);
    metered.world.accepts("a").await.unwrap_err();
    assert_eq!(metered.note("a refused verdict"), 0);
}
