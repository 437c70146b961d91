//! Random programs: what clients, operators and the reaper might do, in any order; and how such a
//! program is run against the store and the model side by side.

use std::collections::BTreeMap;

use octopoid_domain::event::Event;
use octopoid_store::{Result, StoreError, lists::Filter};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    Failure, World, audit, ensure_eq,
    model::{Answer, Model, Row, STEPS, STRICT},
    setting::Flow,
    world::{DAY, LEASE, SCOPE},
};

/// The scopes tasks live in; most of them in the first.
const SCOPES: [&str; 2] = [SCOPE, "other"];
/// Few ids, so that steps meet; the last is never a task, only a marker.
const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "awaiting-approval"];
const QUEUES: [&str; 7] =
    ["incoming", "claimed", "provisional", "needs_continuation", "backlog", "done", "failed"];
const PRIORITIES: [&str; 5] = ["P0", "P1", "P2", "P3", "odd"];
const ROLES: [&str; 3] = ["implement", "review", "it's"];
const KINDS: [&str; 2] = ["hotfix", "product"];
const AGENTS: [&str; 2] = ["agent-1", "agent-2"];

/// The judgement a reviewer may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Verdict {
    Accept,
    Reject,
    Requeue,
}

/// A step of a program. `age` is how many versions behind the caller's view of the task is.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Step {
    Create(Create),
    Claim(Claim),
    Submit {
        id: &'static str,
        agent: Option<&'static str>,
        commits: i64,
        turns: i64,
        age: Option<i64>,
    },
    Judge {
        id: &'static str,
        verdict: Verdict,
        age: Option<i64>,
    },
    Patch(Patch),
    Force {
        id: &'static str,
        queue: &'static str,
    },
    Delete {
        id: &'static str,
    },
    Tick {
        ms: i64,
    },
    Reap {
        grace_ms: i64,
    },
}

/// A creation.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Create {
    pub id: &'static str,
    pub scope: &'static str,
    pub queue: &'static str,
    pub blocked_by: Vec<&'static str>,
    pub role: Option<&'static str>,
    pub kind: Option<&'static str>,
    pub priority: &'static str,
    pub is_strict: bool,
}

/// A claim.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Claim {
    pub scope: &'static str,
    pub agent: &'static str,
    pub queue: Option<&'static str>,
    pub roles: Vec<&'static str>,
    pub kinds: Vec<&'static str>,
    pub lease_ms: i64,
}

/// A partial update; the inner option is a `null`.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Patch {
    pub id: &'static str,
    pub queue: Option<&'static str>,
    pub claimed_by: Option<Option<&'static str>>,
    pub lease_ms: Option<Option<i64>>,
    pub blocked_by: Option<Vec<&'static str>>,
    pub priority: Option<Option<&'static str>>,
    pub role: Option<Option<&'static str>>,
    pub needs_intervention: Option<bool>,
    pub age: Option<i64>,
}

impl Patch {
    /// Whether it mentions no field that can be changed.
    pub fn is_empty(&self) -> bool {
        self.queue.is_none()
            && self.claimed_by.is_none()
            && self.lease_ms.is_none()
            && self.blocked_by.is_none()
            && self.priority.is_none()
            && self.role.is_none()
            && self.needs_intervention.is_none()
    }
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(
    items: &'static [T],
) -> impl Strategy<Value = T> + Clone {
    prop::sample::select(items)
}

fn some_of(items: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(one_of(items), 1..3)]
}

fn maybe<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.25, strategy)
}

fn id() -> impl Strategy<Value = &'static str> + Clone {
    one_of(&IDS[..5])
}

fn scope() -> impl Strategy<Value = &'static str> {
    prop_oneof![7 => Just(SCOPES[0]), 1 => Just(SCOPES[1])]
}

fn age() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![6 => Just(None), 2 => Just(Some(0)), 1 => Just(Some(1)), 1 => Just(Some(-1))]
}

fn create() -> impl Strategy<Value = Step> {
    let queue = prop_oneof![8 => Just("incoming"), 2 => one_of(&QUEUES)];
    let place = (id(), scope(), queue, some_of(&IDS));
    let rest = (maybe(one_of(&ROLES)), maybe(one_of(&KINDS)), one_of(&PRIORITIES), any::<bool>());
    (place, rest).prop_map(|((id, scope, queue, blocked_by), (role, kind, priority, is_strict))| {
        Step::Create(Create { id, scope, queue, blocked_by, role, kind, priority, is_strict })
    })
}

fn claim() -> impl Strategy<Value = Step> {
    let queue = prop_oneof![4 => Just(None), 2 => Just(Some("provisional")),
        1 => one_of(&QUEUES).prop_map(Some)];
    let lease = one_of(&[1_000, LEASE, 14_400_000]);
    (scope(), one_of(&AGENTS), queue, some_of(&ROLES), some_of(&KINDS), lease).prop_map(
        |(scope, agent, queue, roles, kinds, lease_ms)| {
            Step::Claim(Claim { scope, agent, queue, roles, kinds, lease_ms })
        },
    )
}

fn submit() -> impl Strategy<Value = Step> {
    let counts = (one_of(&[0, 0, 1, 5]), one_of(&[0, 5, 79, 80, 99, 100]));
    (id(), maybe(one_of(&AGENTS)), counts, age()).prop_map(|(id, agent, (commits, turns), age)| {
        Step::Submit { id, agent, commits, turns, age }
    })
}

fn judge() -> impl Strategy<Value = Step> {
    let verdict = one_of(&[Verdict::Accept, Verdict::Accept, Verdict::Reject, Verdict::Requeue]);
    (id(), verdict, age()).prop_map(|(id, verdict, age)| Step::Judge { id, verdict, age })
}

fn patch() -> impl Strategy<Value = Step> {
    let claim = (
        maybe(one_of(&QUEUES)),
        maybe(maybe(one_of(&AGENTS))),
        maybe(prop::option::of(one_of(&[-1_000, 0, 1_000, LEASE, DAY, DAY + 1, 365 * DAY]))),
    );
    let rest = (
        maybe(some_of(&IDS)),
        maybe(prop::option::of(one_of(&PRIORITIES))),
        maybe(prop::option::of(one_of(&ROLES))),
        maybe(any::<bool>()),
    );
    (id(), claim, rest, age()).prop_map(
        |(
            id,
            (queue, claimed_by, lease_ms),
            (blocked_by, priority, role, needs_intervention),
            age,
        )| {
            Step::Patch(Patch {
                id,
                queue,
                claimed_by,
                lease_ms,
                blocked_by,
                priority,
                role,
                needs_intervention,
                age,
            })
        },
    )
}

/// A step, the common ones more often.
pub fn step() -> impl Strategy<Value = Step> {
    let tick = one_of(&[1, 999, 1_000, LEASE, LEASE + 1, DAY, DAY + 1]);
    let force = (id(), one_of(&QUEUES)).prop_map(|(id, queue)| Step::Force { id, queue });
    let grace = one_of(&[0, 1, 120_000]);
    prop_oneof![
        6 => create(),
        8 => claim(),
        4 => submit(),
        5 => judge(),
        4 => patch(),
        1 => force,
        1 => id().prop_map(|id| Step::Delete { id }),
        2 => tick.prop_map(|ms| Step::Tick { ms }),
        2 => grace.prop_map(|grace_ms| Step::Reap { grace_ms }),
    ]
}

/// Runs a program against the store and the model, and says where they part.
pub async fn agree(world: &World, program: &[Step]) -> crate::Verdict {
    for scope in SCOPES {
        let flow = Flow { scope, name: STRICT, steps: &STEPS, ..Flow::default() };
        world.registers(flow).await?;
    }
    let mut model = Model::default();
    for (number, step) in program.iter().enumerate() {
        let answer = answer(world, step).await?;
        let place = format!("after step {number}, {step:?}");
        ensure_eq!(answer, model.run(step), "the answer {place}");
        ensure_eq!(rows(world).await?, model.rows(), "the tasks {place}");
        for scope in SCOPES {
            for queue in ["done", "failed", "incoming"] {
                let counted = count(world, scope, queue).await?;
                let expected = model.count(scope, queue);
                ensure_eq!(counted, expected, "how many are {queue} in {scope} {place}");
            }
        }
    }
    let rows: BTreeMap<_, _> = model.rows().into_iter().map(|row| (row.id.clone(), row)).collect();
    for id in IDS {
        let history = world.history(id).await?;
        let told: Vec<_> = history.iter().map(|event| (&*event.event, &event.agent)).collect();
        let expected = model.history.get(id).map(Vec::as_slice).unwrap_or_default();
        let expected: Vec<_> = expected.iter().map(|(event, agent)| (*event, agent)).collect();
        ensure_eq!(told, expected, "the history of {id}");
        let queue = rows.get(id).map(|row| row.queue.clone());
        ensure_eq!(replay(&history)?, queue, "where its history leads {id}");
    }
    audit::check(world).await
}

/// Does a step on the store.
async fn answer(world: &World, step: &Step) -> Result<Answer> {
    let outcome = match step {
        Step::Create(new) => world.creates_with(new.id, creation(new)).await.map(Some),
        Step::Claim(claim) => {
            let body = json!({
                "agent_name": claim.agent, "queue": claim.queue, "role_filter": claim.roles,
                "type_filter": claim.kinds, "lease_duration_seconds": claim.lease_ms / 1_000,
            });
            world.claims_in(claim.scope, body).await
        }
        Step::Submit { id, agent, commits, turns, age } => {
            let body = json!({
                "commits_count": commits, "turns_used": turns, "agent_name": agent,
                "version": seen(world, id, *age).await?,
            });
            world.submits_with(id, body).await.map(Some)
        }
        Step::Judge { id, verdict, age } => {
            let mut body = json!({
                "accepted_by": "reviewer", "rejected_by": "reviewer", "reason": "not yet",
            });
            body["version"] = seen(world, id, *age).await?;
            match verdict {
                Verdict::Accept => world.accepts_with(id, body).await.map(Some),
                Verdict::Reject => world.rejects_with(id, body).await.map(Some),
                Verdict::Requeue => world.requeues_with(id, body).await.map(Some),
            }
        }
        Step::Patch(patch) => {
            let mut body = update(world, patch);
            body["version"] = seen(world, patch.id, patch.age).await?;
            world.patches(patch.id, body).await.map(Some)
        }
        Step::Force { id, queue } => world.forces(id, queue).await.map(Some),
        Step::Delete { id } => world.deletes(id).await.map(|()| None),
        Step::Tick { ms } => {
            world.passes(*ms);
            Ok(None)
        }
        Step::Reap { grace_ms } => {
            let ended_before = world.now().plus(-grace_ms);
            let released = world.releases(ended_before, 100).await?;
            let mut ids: Vec<_> = released.into_iter().map(|task| task.id).collect();
            ids.sort();
            return Ok(Answer::Released(ids));
        }
    };
    match outcome {
        Ok(Some(task)) => Ok(Answer::Task(Box::new(task.into()))),
        Ok(None) => Ok(Answer::Nothing),
        Err(StoreError::Refused(refusal)) => Ok(Answer::Refused(refusal.code())),
        Err(error) => Err(error),
    }
}

fn creation(new: &Create) -> Value {
    json!({
        "scope": new.scope, "queue": new.queue, "blocked_by": new.blocked_by.join(","),
        "role": new.role, "type": new.kind, "priority": new.priority,
        "flow": new.is_strict.then_some(STRICT),
    })
}

fn update(world: &World, patch: &Patch) -> Value {
    let mut body = json!({});
    let mut set = |field: &str, value: Option<Value>| {
        if let Some(value) = value {
            body[field] = value;
        }
    };
    set("queue", patch.queue.map(Value::from));
    set("claimed_by", patch.claimed_by.map(Value::from));
    set("blocked_by", patch.blocked_by.as_ref().map(|list| list.join(",").into()));
    set("priority", patch.priority.map(Value::from));
    set("role", patch.role.map(Value::from));
    set("needs_intervention", patch.needs_intervention.map(Value::from));
    let lease = |ms: Option<i64>| ms.map(|ms| world.now().plus(ms).to_iso()).into();
    set("lease_expires_at", patch.lease_ms.map(lease));
    body
}

/// The version that a caller gives whose view of the task has this age.
async fn seen(world: &World, id: &str, age: Option<i64>) -> Result<Value> {
    let Some(age) = age else { return Ok(Value::Null) };
    match world.reads(id).await {
        Ok(task) => Ok((task.version - age).into()),
        Err(StoreError::Refused(_)) => Ok(1.into()),
        Err(error) => Err(error),
    }
}

async fn rows(world: &World) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for scope in SCOPES {
        let filter = Filter { scope: scope.to_owned(), ..Filter::default() };
        rows.extend(world.tasks(&filter).await?.into_iter().map(Row::from));
    }
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(rows)
}

async fn count(world: &World, scope: &str, queue: &str) -> Result<i64> {
    let queues = vec![queue.to_owned()];
    let filter = Filter { scope: scope.to_owned(), queues, ..Filter::default() };
    Ok(world.lists(filter).await?.1)
}

/// Where a task is, by its history alone; `None` if it was deleted or never was. Fails if it was
/// handed out while somebody held it.
fn replay(history: &[Event]) -> std::result::Result<Option<String>, Failure> {
    let mut queue: Option<String> = None;
    let mut is_held = false;
    for event in history {
        let details = event.details.as_deref().unwrap_or_default();
        let details: Value = serde_json::from_str(details).unwrap_or_default();
        let told = |field: &str| details[field].as_str().map(str::to_owned);
        let before = queue.clone();
        queue = match &*event.event {
            "created" => Some(told("queue").unwrap_or_else(|| "incoming".to_owned())),
            "claimed" => Some("claimed".to_owned()),
            "review_claimed" | "submitted" | "review_released" => Some("provisional".to_owned()),
            "burnout_detected" => Some("needs_continuation".to_owned()),
            "accepted" => Some("done".to_owned()),
            "rejected" | "requeued" => Some("incoming".to_owned()),
            "force_queue" => told("to"),
            "edited" => told("to").or(queue),
            "deleted" => None,
            _ => queue,
        };
        let is_claim = ["claimed", "review_claimed"].contains(&&*event.event);
        if is_claim && is_held {
            return Err(Failure::new(format!("handed out while it was held: {event:?}")));
        }
        let mentions_lease = details["fields"]
            .as_array()
            .is_some_and(|fields| fields.contains(&"lease_expires_at".into()));
        let keeps = ["edited", "unblocked", "hook_completed"].contains(&&*event.event);
        is_held = is_claim || (is_held && keeps && queue == before && !mentions_lease);
    }
    Ok(queue)
}
