//! Over random databases: `why`, the filter `claimable`, the first reasons of a list and the summary
//! say of each task what a claim that fits it finds.

use std::{collections::BTreeMap, sync::Arc};

use octopoid_domain::{Task, orchestrator::Status, queue};
use octopoid_store::{
    Result, StoreError,
    lists::{Claimable, Filter},
};
use octopoid_store_testkit::{
    Failure, Verdict, World,
    setting::Flow,
    world::{AGENT, LEASE, SCOPE, everything},
};
use octopoid_testbed::database::{Database, is_postgres};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::json;

/// As many databases as fit into a few seconds; `PROPTEST_CASES` asks for more.
const DATABASES: u32 = 96;
/// The same on PostgreSQL, where every step is a walk to a server and back.
const DATABASES_POSTGRES: u32 = 12;
const STEPS_MAX: usize = 40;

/// What a database may have left.
const EMPTY: &str = "TRUNCATE tasks, task_blockers, finished_counts, hourly_counts, events, runs, \
     messages, actions, flows, pauses, orchestrators, api_keys";

const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const BLOCKERS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "awaiting-input", "unknown"];
const QUEUES: [&str; 8] = [
    "incoming",
    "provisional",
    "needs_continuation",
    "backlog",
    "claimed",
    "done",
    "failed",
    "cancelled",
];
const ROLES: [Option<&str>; 3] = [None, Some("r"), Some("s")];
const TARGETS: [&str; 7] =
    ["scope", "queue:incoming", "queue:provisional", "queue:backlog", "role:r", "role:s", "pool:p"];
const REASONS: [&str; 5] = ["crash", "needs_input", "network", "drained", "budget"];

/// What brings a database about. What is refused changes nothing.
#[derive(Clone, Debug)]
enum Step {
    Create {
        id: &'static str,
        queue: &'static str,
        role: usize,
        blockers: Vec<&'static str>,
        delay: Option<i64>,
    },
    Claim {
        id: &'static str,
        queue: &'static str,
        in_place: bool,
    },
    Fail {
        id: &'static str,
        reason: &'static str,
    },
    Submit {
        id: &'static str,
    },
    Cancel {
        id: &'static str,
    },
    Move {
        id: &'static str,
        queue: &'static str,
    },
    Wait {
        id: &'static str,
        blockers: Vec<&'static str>,
    },
    Pause {
        target: &'static str,
        ms: Option<i64>,
        is_elsewhere: bool,
    },
    Resume {
        target: &'static str,
    },
    Flow {
        has_backlog: bool,
    },
    Tick {
        ms: i64,
    },
    Jobs,
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(items: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(items)
}

fn step() -> impl Strategy<Value = Step> {
    let id = || one_of(&IDS);
    let queue = || prop_oneof![3 => Just("incoming"), 2 => one_of(&QUEUES)];
    let blockers =
        || prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(one_of(&BLOCKERS), 1..3)];
    let delay = prop::option::weighted(0.2, one_of(&[1, 1_000, LEASE]));
    let ends = prop::option::of(one_of(&[1, 1_000, LEASE]));
    prop_oneof![
        8 => (id(), queue(), 0..ROLES.len(), blockers(), delay).prop_map(
            |(id, queue, role, blockers, delay)| Step::Create { id, queue, role, blockers, delay }),
        4 => (id(), one_of(&QUEUES), any::<bool>())
            .prop_map(|(id, queue, in_place)| Step::Claim { id, queue, in_place }),
        2 => (id(), one_of(&REASONS)).prop_map(|(id, reason)| Step::Fail { id, reason }),
        1 => id().prop_map(|id| Step::Submit { id }),
        1 => id().prop_map(|id| Step::Cancel { id }),
        1 => (id(), queue()).prop_map(|(id, queue)| Step::Move { id, queue }),
        1 => (id(), blockers()).prop_map(|(id, blockers)| Step::Wait { id, blockers }),
        3 => (one_of(&TARGETS), ends, prop::bool::weighted(0.2))
            .prop_map(|(target, ms, is_elsewhere)| Step::Pause { target, ms, is_elsewhere }),
        1 => one_of(&TARGETS).prop_map(|target| Step::Resume { target }),
        1 => any::<bool>().prop_map(|has_backlog| Step::Flow { has_backlog }),
        2 => one_of(&[1, 999, 1_000, LEASE, LEASE + 1]).prop_map(|ms| Step::Tick { ms }),
        1 => Just(Step::Jobs),
    ]
}

async fn take(world: &World, step: &Step) -> Result<()> {
    match step {
        Step::Create { id, queue, role, blockers, delay } => {
            let not_before = delay.map(|ms| world.now().plus(ms).to_iso());
            let fields = json!({
                "queue": queue, "role": ROLES[*role], "type": id, "not_before": not_before,
                "blocked_by": blockers.join(","),
            });
            world.creates_with(id, fields).await.map(drop)
        }
        Step::Claim { id, queue, in_place } => {
            let fields = json!({ "type_filter": [id], "queue": queue, "in_place": in_place });
            world.claims_with(fields).await.map(drop)
        }
        Step::Fail { id, reason } => {
            let body = json!({ "agent_name": AGENT, "reason": reason, "message": "m" });
            world.fails_with(id, body).await.map(drop)
        }
        Step::Submit { id } => world.submits(id).await.map(drop),
        Step::Cancel { id } => world.cancels(id).await.map(drop),
        Step::Move { id, queue } => world.patches(id, json!({ "queue": queue })).await.map(drop),
        Step::Wait { id, blockers } => {
            world.patches(id, json!({ "blocked_by": blockers.join(",") })).await.map(drop)
        }
        Step::Pause { target, ms, is_elsewhere } => {
            let scope = if *is_elsewhere { "other" } else { SCOPE };
            let until = ms.map(|ms| world.now().plus(ms));
            world.pauses_in(scope, target, until).await.map(drop)
        }
        Step::Resume { target } => world.resumes(target).await,
        Step::Flow { has_backlog } => {
            let states: &[_] =
                if *has_backlog { &["provisional", "backlog"] } else { &["provisional"] };
            world.registers(Flow { states, ..Flow::default() }).await
        }
        Step::Tick { ms } => {
            world.passes(*ms);
            Ok(())
        }
        Step::Jobs => {
            world.reaps().await?;
            world.store.end_delays(100, world.stamp()).await?;
            world.store.end_pauses(100, world.stamp()).await.map(drop)
        }
    }
}

/// Brings a database about, and compares what is said of its tasks with what claims get.
async fn agree(world: &World, steps: &[Step]) -> Verdict {
    for step in steps {
        match take(world, step).await {
            Ok(()) | Err(StoreError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let tasks = world.tasks(&everything()).await?;
    let lists = async |is_wanted| {
        let claimable = Some(Claimable { is_wanted, now: world.now() });
        world.lists(Filter { claimable, ..everything() }).await
    };
    let (yes, no) = (lists(true).await?.0, lists(false).await?.0);
    let waiting: BTreeMap<_, _> = world.explains_all(&everything()).await?.into_iter().collect();
    let mut counts = BTreeMap::new();
    for task in &tasks {
        let id = &task.id;
        let why = world.explains(id).await?;
        let first = why.reasons.first().filter(|reason| reason.code.is_blocking());
        let first = first.map(|reason| reason.code);
        let in_list = waiting.get(id).and_then(Option::as_ref).map(|waiting| waiting.code);
        let said = format!("{task:?}: {why:?}, listed as {in_list:?}");
        ensure(why.claimable == first.is_none(), "its reasons", &said)?;
        ensure(why.claimable == yes.contains(id), "claimable=true", &said)?;
        ensure(why.claimable != no.contains(id), "claimable=false", &said)?;
        ensure(in_list == first, "the first reason", &said)?;
        if !queue::is_finished(&task.queue) && task.queue != queue::CLAIMED {
            let code = first.map_or("claimable", |code| code.as_str());
            *counts.entry(code.to_owned()).or_insert(0_i64) += 1;
        }
    }
    let summary = world.store.summary(SCOPE, world.now()).await?;
    let mut summed = summary.waiting.clone();
    summed.extend([("claimable".to_owned(), summary.claimable)]);
    summed.retain(|_, tasks| *tasks > 0);
    ensure(summed == counts, "the summary", &format!("{summed:?}, not {counts:?}"))?;
    claims(world, &tasks, &yes).await
}

/// Compares with claims that fit.
async fn claims(world: &World, tasks: &[Task], claimable: &[String]) -> Verdict {
    let drained = world.has_machine("drained", Status::Draining).await?;
    let pool = world.pauses("pool:own", None).await?.target;
    for task in tasks {
        let fields = json!({
            "queue": task.queue, "type_filter": [task.id], "in_place": task.is_held_in_place(),
        });
        let with = |name: &str, value: serde_json::Value| {
            let mut fields = fields.clone();
            fields[name] = value;
            fields
        };
        let pools = json!([pool.strip_prefix("pool:")]);
        for fields in [with("orchestrator_id", json!(drained)), with("pools", pools)] {
            let got = world.claims_with(fields).await;
            let is_nothing = matches!(got, Ok(None) | Err(StoreError::Refused(_)));
            ensure(is_nothing, "a drained machine or a paused pool", &format!("{got:?}"))?;
        }
        let got = match world.claims_with(fields).await {
            Ok(got) => got.map(|task| task.id),
            Err(StoreError::Refused(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let expected = claimable.contains(&task.id).then(|| task.id.clone());
        ensure(got == expected, "a claim", &format!("{task:?} got {got:?}"))?;
    }
    Ok(())
}

fn ensure(holds: bool, what: &str, said: &str) -> Verdict {
    if holds { Ok(()) } else { Err(Failure::new(format!("{what} of {said}"))) }
}

fn config() -> Config {
    let is_asked = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = match (is_asked, is_postgres()) {
        (true, _) => Config::default().cases,
        (false, true) => DATABASES_POSTGRES,
        (false, false) => DATABASES,
    };
    Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() }
}

#[test]
fn what_is_said_of_a_task_is_what_a_claim_finds() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a test can have a runtime");
    // A schema takes longer to make than to empty; a database in memory does not.
    let shared = is_postgres().then(|| runtime.block_on(Database::fresh()));
    let databases = prop::collection::vec(step(), 1..STEPS_MAX);
    let outcome = TestRunner::new(config()).run(&databases, |steps| {
        let verdict = runtime.block_on(async {
            let Some(database) = &shared else {
                let database = Database::fresh().await;
                let world = World::on(Arc::clone(&database.engine)).await?;
                return agree(&world, &steps).await;
            };
            let world = World::on(Arc::clone(&database.engine)).await?;
            world.runs(EMPTY, Vec::new()).await?;
            agree(&world, &steps).await
        });
        verdict.map_err(|failure| TestCaseError::fail(failure.to_string()))
    });
    // Its connections end with the runtime's tasks.
    runtime.block_on(async { drop(shared) });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
