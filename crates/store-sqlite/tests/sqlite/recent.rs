//! Copies of what a server has written last: they spare reads, and show in nothing else.

use std::{fmt::Write as _, sync::Arc};

use octopoid_domain::{Task, decide::Request, input::parse_body, orchestrator::Status};
use octopoid_store::{Claimed, Result};
use octopoid_store_sqlite::{Location, Sqlite};
use octopoid_store_testkit::{World, recording::Recording, setting::Flow, world::LEASE};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::in_memory;

/// What another server does to the task "a", of which the first one has a copy.
#[derive(Clone, Copy, Debug)]
enum Beside {
    Nothing,
    Renewal,
    Report,
    Heartbeat,
    Edit,
    LongerText,
    Cancellation,
    Deletion,
    NewTaskOfItsId,
    NewClaim,
    Lapse,
    Waiting,
    Blocker,
    Force,
    NewFlow,
    ChangedFlow,
    NoFlow,
}

const ALL: [Beside; 17] = [
    Beside::Nothing,
    Beside::Renewal,
    Beside::Report,
    Beside::Heartbeat,
    Beside::Edit,
    Beside::LongerText,
    Beside::Cancellation,
    Beside::Deletion,
    Beside::NewTaskOfItsId,
    Beside::NewClaim,
    Beside::Lapse,
    Beside::Waiting,
    Beside::Blocker,
    Beside::Force,
    Beside::NewFlow,
    Beside::ChangedFlow,
    Beside::NoFlow,
];

/// What the first server does then.
#[derive(Clone, Copy, Debug)]
enum Step {
    Submit,
    SubmitByName,
    Fail,
    Requeue,
    Accept,
    Reject,
    Patch,
    Force,
    Cancel,
}

const STEPS: [Step; 9] = [
    Step::Submit,
    Step::SubmitByName,
    Step::Fail,
    Step::Requeue,
    Step::Accept,
    Step::Reject,
    Step::Patch,
    Step::Force,
    Step::Cancel,
];

/// A body as the server reads it.
fn read<T: DeserializeOwned>(body: &Value) -> T {
    parse_body(body.to_string().as_bytes()).expect("a body that can be read")
}

/// A flow in which nothing is accepted and nothing goes back.
fn closed() -> Flow<'static> {
    Flow { steps: &[("incoming", "claimed"), ("claimed", "provisional")], ..Flow::default() }
}

async fn claims(world: &World) -> Result<Claimed> {
    let filters = json!({ "type_filter": ["a"], "lease_duration_seconds": LEASE / 1_000 });
    Ok(world.claims_leased(filters).await?.expect("the task waits"))
}

async fn happens(world: &World, beside: Beside, claimed: &Claimed) -> Result<()> {
    let token = claimed.token.to_string();
    // The end of the lease stays, so that only the mark tells.
    let renewal = json!({ "lease_token": token, "lease_duration_seconds": LEASE / 1_000 });
    match beside {
        Beside::Nothing => {}
        Beside::Renewal => drop(world.renews_with("a", renewal).await?),
        Beside::Report => {
            let mut report = renewal;
            report["usage"] = json!({ "cost_usd": 1.5 });
            world.renews_with("a", report).await?;
        }
        Beside::Heartbeat => {
            let machine = world.has_machine("m", Status::Active).await?;
            let leases = json!([{ "task_id": "a", "lease_token": token }]);
            let beat = read(&json!({ "leases": leases }));
            world.store.note_heartbeat(&machine, None, &beat, world.stamp()).await?;
        }
        Beside::Edit => drop(world.patches("a", json!({ "title": "another" })).await?),
        Beside::LongerText => {
            world.patches("a", json!({ "content": "x".repeat(100_000) })).await?;
        }
        Beside::Cancellation => drop(world.cancels("a").await?),
        Beside::Deletion => world.deletes("a").await?,
        Beside::NewTaskOfItsId => {
            world.deletes("a").await?;
            world.creates_with("a", json!({ "type": "a" })).await?;
            claims(world).await?;
        }
        Beside::NewClaim => {
            world.requeues("a").await?;
            claims(world).await?;
        }
        Beside::Lapse => {
            world.passes(LEASE + 1);
            world.reaps().await?;
        }
        Beside::Waiting => drop(world.creates_with("b", json!({ "blocked_by": "a" })).await?),
        Beside::Blocker => drop(world.patches("a", json!({ "blocked_by": "first" })).await?),
        Beside::Force => drop(world.forces("a", "done").await?),
        Beside::NewFlow | Beside::ChangedFlow => world.registers(closed()).await?,
        Beside::NoFlow => world.store.delete_flow("s", "default", world.stamp()).await?,
    }
    Ok(())
}

async fn takes(world: &World, step: Step, claimed: &Claimed) -> String {
    let token = claimed.token.to_string();
    let answer = match step {
        Step::Submit => {
            let body = json!({ "commits_count": 1, "turns_used": 2, "lease_token": token });
            world.submits_with("a", body).await
        }
        Step::SubmitByName => world.submits("a").await,
        Step::Fail => {
            let body = json!({ "reason": "crash", "message": "m", "lease_token": token });
            world.fails_with("a", body).await
        }
        Step::Requeue => world.requeues("a").await,
        Step::Accept => world.accepts("a").await,
        Step::Reject => world.rejects("a").await,
        Step::Patch => world.patches("a", json!({ "queue": "backlog", "title": "new" })).await,
        Step::Force => world.forces("a", "done").await,
        Step::Cancel => {
            let body = json!({ "by": "person", "reason": "not wanted" });
            world.changes("a", Request::Cancel(read(&body))).await
        }
    };
    format!("{answer:?}")
}

/// All that a step may have written.
async fn contents(world: &World) -> String {
    let mut text = String::new();
    for table in [
        "SELECT * FROM tasks ORDER BY seq",
        "SELECT * FROM runs ORDER BY task_id, run",
        "SELECT * FROM events ORDER BY position",
        "SELECT * FROM task_blockers ORDER BY task_id, position",
        "SELECT * FROM finished_counts ORDER BY scope, queue, shard",
        "SELECT * FROM hourly_counts ORDER BY hour, scope, shard",
        "SELECT * FROM messages ORDER BY seq",
    ] {
        let rows = world.runs(table, Vec::new()).await.expect("a table");
        writeln!(text, "{rows:?}").expect("a text takes more text");
    }
    text
}

/// What a step answers and leaves after something has happened beside it, where the server that
/// takes it has copies, or has none.
async fn outcome(step: Step, beside: Beside, is_submitted: bool, has_copies: bool) -> String {
    let world = in_memory().await;
    if matches!(beside, Beside::ChangedFlow | Beside::NoFlow) {
        world.registers(Flow::default()).await.expect("a flow");
    }
    // By the first task the server learns about the flow.
    world.hands_in("first").await.expect("a task that is handed in");
    world.creates_with("a", json!({ "type": "a" })).await.expect("a task");
    let claimed = claims(&world).await.expect("a claim");
    if is_submitted {
        takes(&world, Step::Submit, &claimed).await;
    }
    // What cannot happen in this state is refused, which is no matter here.
    happens(&world.beside(), beside, &claimed).await.ok();
    let server = if has_copies { &world } else { &world.beside() };
    let answer = takes(server, step, &claimed).await;
    format!("{answer}\n{}", contents(&world).await)
}

#[tokio::test]
async fn a_copy_shows_in_no_answer_and_in_no_table_whatever_has_changed_beside_it() {
    for beside in ALL {
        for step in STEPS {
            for is_submitted in [false, true] {
                let expected = outcome(step, beside, is_submitted, false).await;
                let got = outcome(step, beside, is_submitted, true).await;
                assert_eq!(got, expected, "{step:?} after {beside:?}, submitted: {is_submitted}");
            }
        }
    }
}

#[tokio::test]
async fn the_steps_of_a_task_that_a_server_has_claimed_read_nothing() {
    for has_flow in [false, true] {
        let engine = Sqlite::open(&Location::Memory).expect("memory can always be opened");
        let recording = Arc::new(Recording::of(Arc::new(engine)));
        let world = World::over(recording.clone(), recording.inner()).await.expect("a database");
        if has_flow {
            world.registers(Flow::default()).await.expect("a flow");
        }
        // By the first task the server learns whether there is a flow.
        world.hands_in("first").await.expect("a task that is handed in");
        let store = &world.store;
        let new = world.reads("first").await.expect("it is there");
        let new = Task {
            id: "a".to_owned(),
            file_path: "a.md".to_owned(),
            queue: "incoming".to_owned(),
            kind: None,
            ..new
        };
        store.create_task(new, None, world.stamp()).await.expect("a task");
        let claim = read(&json!({ "agent_name": "agent", "orchestrator_id": "machine" }));
        recording.take();
        let claimed = store.claim_task("s", None, &claim, &world.secret(), world.stamp()).await;
        let claimed = claimed.expect("a claim").expect("the task waits");
        let submit = json!({
            "commits_count": 1, "turns_used": 2, "lease_token": claimed.token.to_string(),
        });
        let submit = Request::Submit(Box::new(read(&submit)));
        let accept = Request::Accept(read(&json!({ "accepted_by": "me" })));
        for request in [submit, accept] {
            store.take_step("a", None, &request, world.stamp()).await.expect("a step");
        }
        let runs = recording.take();
        assert_eq!(runs.len(), 3, "{runs:?}");
        assert!(runs.iter().all(|run| run.is_write), "{runs:?}");
    }
}
