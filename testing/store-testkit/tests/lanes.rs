//! Over random databases: a claim of one role and one type, which goes to its lane, takes the same
//! tasks in the same order as a claim that names both twice and looks at all lanes.

use std::sync::Arc;

use octopoid_domain::orchestrator::Status;
use octopoid_store::StoreError;
use octopoid_store_testkit::{World, world::LEASE};
use octopoid_testbed::database::{Database, is_postgres};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::json;

/// As many databases as fit into a few seconds; `PROPTEST_CASES` asks for more.
const DATABASES: u32 = 48;
const STEPS_MAX: usize = 40;

const ROLES: [Option<&str>; 3] = [None, Some("r"), Some("s")];
const KINDS: [Option<&str>; 3] = [None, Some("t"), Some("u")];
const PRIORITIES: [&str; 4] = ["P0", "P1", "P2", "other"];
const QUEUES: [&str; 3] = ["incoming", "backlog", "needs_continuation"];
const TARGETS: [&str; 6] =
    ["scope", "queue:incoming", "queue:backlog", "role:r", "role:s", "pool:p"];

#[derive(Clone, Debug)]
enum Step {
    Create { queue: usize, role: usize, kind: usize, priority: usize, waits: bool },
    Pause { target: usize, ms: Option<i64> },
    Claim { role: usize },
    Reap,
}

fn step() -> impl Strategy<Value = Step> {
    let ends = prop::option::of(prop::sample::select(vec![1, LEASE]));
    prop_oneof![
        12 => (0..QUEUES.len(), 0..ROLES.len(), 0..KINDS.len(), 0..PRIORITIES.len(),
            prop::bool::weighted(0.1)).prop_map(|(queue, role, kind, priority, waits)|
            Step::Create { queue, role, kind, priority, waits }),
        1 => (0..TARGETS.len(), ends).prop_map(|(target, ms)| Step::Pause { target, ms }),
        2 => (1..ROLES.len()).prop_map(|role| Step::Claim { role }),
        1 => Just(Step::Reap),
    ]
}

async fn take(world: &World, number: usize, step: &Step) -> Result<(), StoreError> {
    match step {
        Step::Create { queue, role, kind, priority, waits } => {
            let fields = json!({
                "queue": QUEUES[*queue], "role": ROLES[*role], "type": KINDS[*kind],
                "priority": PRIORITIES[*priority], "blocked_by": waits.then_some("unknown"),
            });
            world.creates_with(&format!("t{number}"), fields).await.map(drop)
        }
        Step::Pause { target, ms } => {
            let until = ms.map(|ms| world.now().plus(ms));
            world.pauses(TARGETS[*target], until).await.map(drop)
        }
        Step::Claim { role } => {
            world.claims_with(json!({ "role_filter": [ROLES[*role]] })).await.map(drop)
        }
        Step::Reap => {
            world.passes(LEASE + 1);
            world.reaps().await.map(drop)
        }
    }
}

/// What claims of each lane get after these steps, which name its role and its type so often.
async fn claimed(steps: &[Step], times: usize) -> Result<Vec<String>, StoreError> {
    let database = Database::fresh().await;
    let world = World::on(Arc::clone(&database.engine)).await?;
    for (number, step) in steps.iter().enumerate() {
        take(&world, number, step).await?;
    }
    let drained = world.has_machine("drained", Status::Draining).await?;
    let mut claimed = Vec::new();
    for queue in QUEUES {
        for role in ROLES.into_iter().flatten() {
            for kind in KINDS.into_iter().flatten() {
                for (machine, pools) in
                    [(&*drained, json!([])), ("m", json!(["p"])), ("m", json!([]))]
                {
                    let fields = json!({
                        "queue": queue, "role_filter": vec![role; times],
                        "type_filter": vec![kind; times], "orchestrator_id": machine,
                        "pools": pools,
                    });
                    while let Some(task) = world.claims_with(fields.clone()).await? {
                        claimed.push(format!("{machine} {pools} {task:?}"));
                    }
                }
            }
        }
    }
    Ok(claimed)
}

#[test]
fn a_claim_of_one_lane_takes_what_a_claim_that_looks_at_all_takes() {
    if is_postgres() {
        // Both are one statement there.
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a test can have a runtime");
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => Config::default().cases,
        None => DATABASES,
    };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let databases = prop::collection::vec(step(), 1..STEPS_MAX);
    let outcome = TestRunner::new(config).run(&databases, |steps| {
        let (one, all) = runtime
            .block_on(async { Ok((claimed(&steps, 1).await?, claimed(&steps, 2).await?)) })
            .map_err(|error: StoreError| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(one, all);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
