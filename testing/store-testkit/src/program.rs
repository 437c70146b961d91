//! Random programs: what clients, operators and the reaper might do, in any order.

use proptest::prelude::*;

use crate::world::{DAY, LEASE, SCOPE};

/// The scopes tasks live in; most of them in the first.
pub(crate) const SCOPES: [&str; 2] = [SCOPE, "other"];
/// Few ids, so that steps meet; the last is never a task, only a marker.
pub(crate) const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "awaiting-approval"];
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
