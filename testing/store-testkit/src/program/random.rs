//! The choices of which random programs are made.

use proptest::prelude::*;

use super::{Caller, Claim, Create, Fail, IDS, LAST, Patch, SCOPES, Step, Token, Verdict};
use crate::world::{DAY, LEASE, SCOPE};

const QUEUES: [&str; 9] = [
    "incoming",
    "claimed",
    "provisional",
    "needs_continuation",
    "approved",
    "backlog",
    "done",
    "failed",
    "cancelled",
];
const PRIORITIES: [&str; 5] = ["P0", "P1", "P2", "P3", "odd"];
const ROLES: [&str; 3] = ["implement", "review", "it's"];
const KINDS: [&str; 2] = ["hotfix", "product"];
const AGENTS: [&str; 2] = ["agent-1", "agent-2"];
/// The type of tasks that a claim can be sure to get.
const OWN: &str = "own";
/// The reasons of failures, and two that agents cannot give.
const REASONS: [&str; 26] = [
    "drained",
    "cancelled",
    "provider_limit",
    "provider_auth",
    "provider_quota",
    "provider_error",
    "network",
    "missing_tool",
    "bad_config",
    "worktree_error",
    "setup_failed",
    "empty_output",
    "no_change",
    "stalled",
    "timeout",
    "oom",
    "crash",
    "check_failed",
    "other",
    "turn_limit",
    "budget",
    "context_overflow",
    "needs_input",
    "blocked",
    "lease_lost",
    "odd",
];

fn one_of<T: Copy + std::fmt::Debug + 'static>(
    items: &'static [T],
) -> impl Strategy<Value = T> + Clone {
    prop::sample::select(items)
}

fn some_of(items: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![7 => Just(Vec::new()), 1 => prop::collection::vec(one_of(items), 1..3)]
}

fn maybe<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.25, strategy)
}

fn id() -> impl Strategy<Value = &'static str> + Clone {
    one_of(&IDS[..5])
}

/// Whom most requests are about: the task that was claimed last.
fn target() -> impl Strategy<Value = &'static str> + Clone {
    prop_oneof![3 => Just(LAST), 2 => id()]
}

fn scope() -> impl Strategy<Value = &'static str> {
    prop_oneof![7 => Just(SCOPES[0]), 1 => Just(SCOPES[1])]
}

fn age() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![6 => Just(None), 2 => Just(Some(0)), 1 => Just(Some(1)), 1 => Just(Some(-1))]
}

fn delay() -> impl Strategy<Value = i64> + Clone {
    one_of(&[-1_000, 0, 1_000, 15_000, DAY, 8 * DAY, 8 * DAY + 1])
}

fn create() -> impl Strategy<Value = Step> {
    (id(), creation()).prop_map(|(id, create)| Step::Create(Create { id, ..create }))
}

fn creation() -> impl Strategy<Value = Create> {
    let queue = prop_oneof![8 => Just("incoming"), 2 => one_of(&QUEUES)];
    let place = (scope(), queue, some_of(&IDS));
    let rest = (maybe(one_of(&ROLES)), maybe(one_of(&KINDS)), one_of(&PRIORITIES), any::<bool>());
    let tries = (maybe(one_of(&[1, 2, 4])), prop::option::weighted(0.1, delay()));
    (place, rest, tries).prop_map(
        |((scope, queue, blocked_by), (role, kind, priority, is_strict), tries)| Create {
            id: IDS[0],
            scope,
            queue,
            blocked_by,
            role,
            kind,
            priority,
            is_strict,
            max_attempts: tries.0,
            delay_ms: tries.1,
        },
    )
}

fn claim() -> impl Strategy<Value = Step> {
    let queue = prop_oneof![4 => Just(None), 2 => Just(Some("provisional")),
        1 => one_of(&QUEUES).prop_map(Some)];
    let place = (scope(), queue, prop::bool::weighted(0.2));
    let lease = one_of(&[1_000, LEASE, 14_400_000]);
    (place, one_of(&AGENTS), some_of(&ROLES), some_of(&KINDS), lease).prop_map(
        |((scope, queue, in_place), agent, roles, kinds, lease_ms)| {
            Step::Claim(Claim { scope, agent, queue, roles, kinds, lease_ms, in_place })
        },
    )
}

fn token() -> impl Strategy<Value = Token> + Clone {
    prop_oneof![8 => Just(Token::Nothing), 12 => Just(Token::Newest), 3 => Just(Token::Earlier),
        1 => id().prop_map(Token::Of), 1 => Just(Token::Malformed)]
}

fn caller() -> impl Strategy<Value = Caller> {
    (token(), maybe(one_of(&AGENTS)), age()).prop_map(|(token, agent, age)| Caller {
        token,
        agent,
        age,
    })
}

fn submit() -> impl Strategy<Value = Step> {
    let counts = (one_of(&[0, 0, 1, 5]), one_of(&[0, 5, 79, 80, 99, 100]));
    (target(), caller(), counts).prop_map(|(id, caller, (commits, turns))| Step::Submit {
        id,
        caller,
        commits,
        turns,
    })
}

fn fail() -> impl Strategy<Value = Step> {
    let rest = (prop::bool::weighted(0.1), maybe(delay()));
    (target(), caller(), one_of(&REASONS), rest).prop_map(|(id, caller, reason, rest)| {
        let (is_final, delay_ms) = rest;
        Step::Fail(Fail { id, caller, reason, is_final, delay_ms })
    })
}

fn renew() -> impl Strategy<Value = Step> {
    let lease = one_of(&[1_000, LEASE]);
    (target(), token(), lease).prop_map(|(id, token, lease_ms)| Step::Renew { id, token, lease_ms })
}

fn judge() -> impl Strategy<Value = Step> {
    let verdict = one_of(&[Verdict::Accept, Verdict::Accept, Verdict::Reject, Verdict::Requeue]);
    let queue = prop_oneof![6 => Just(None), 1 => Just(Some("approved")),
        1 => one_of(&QUEUES).prop_map(Some)];
    (target(), caller(), verdict, queue).prop_map(|(id, caller, verdict, queue)| Step::Judge {
        id,
        caller,
        verdict,
        queue,
    })
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
    (target(), claim, rest, age()).prop_map(
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
                delay_ms: None,
                age,
            })
        },
    )
}

/// Delays a task, and does no more.
fn postpone() -> impl Strategy<Value = Step> {
    (target(), prop::option::of(delay())).prop_map(|(id, delay)| {
        Step::Patch(Patch { id, delay_ms: Some(delay), ..Patch::default() })
    })
}

/// Takes a claim back, as clients do that look after leases themselves.
fn take_back(id: &'static str, is_review: bool, clears_lease: bool) -> Step {
    Step::Patch(Patch {
        id,
        queue: (!is_review).then_some("incoming"),
        claimed_by: Some(None),
        lease_ms: clears_lease.then_some(None),
        ..Patch::default()
    })
}

/// A step, the common ones more often.
fn step() -> impl Strategy<Value = Step> {
    let tick = one_of(&[1, 999, 1_000, LEASE, LEASE + 1, DAY, DAY + 1]);
    let force = (target(), one_of(&QUEUES)).prop_map(|(id, queue)| Step::Force { id, queue });
    let grace = one_of(&[0, 0, 1, 120_000]);
    let taken_back = (target(), any::<bool>(), any::<bool>());
    prop_oneof![
        4 => create(),
        12 => claim(),
        5 => submit(),
        4 => fail(),
        3 => renew(),
        5 => judge(),
        4 => patch(),
        1 => postpone(),
        2 => taken_back.prop_map(|(id, is_review, clears)| take_back(id, is_review, clears)),
        1 => force,
        2 => (target(), age()).prop_map(|(id, age)| Step::Cancel { id, age }),
        1 => (target(), age()).prop_map(|(id, age)| Step::Retry { id, age }),
        1 => target().prop_map(|id| Step::Answer { id }),
        1 => id().prop_map(|id| Step::Delete { id }),
        4 => tick.prop_map(|ms| Step::Tick { ms }),
        3 => grace.prop_map(|grace_ms| Step::Reap { grace_ms }),
        1 => Just(Step::EndDelays),
    ]
}

/// How a run of a task ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Fails(&'static str),
    Lapses,
    IsTakenBack,
    IsCancelled,
}

/// A task of its own that is claimed again and again, and its runs end in the same way: what counts
/// in a row is seldom reached otherwise.
fn runs_in_a_row() -> impl Strategy<Value = Vec<Step>> {
    let end = prop_oneof![
        4 => one_of(&REASONS).prop_map(End::Fails),
        2 => one_of(&["network", "provider_limit"]).prop_map(End::Fails),
        2 => Just(End::Lapses),
        1 => Just(End::IsTakenBack),
        1 => Just(End::IsCancelled),
    ];
    let task = (id(), maybe(one_of(&[1, 2, 4])), any::<bool>(), any::<bool>());
    let wait = one_of(&[1_000, 600_000, DAY]);
    (task, end, 1..12_usize, wait).prop_map(
        |((id, max_attempts, is_strict, in_place), end, times, wait)| {
            let create = Create {
                id,
                scope: SCOPE,
                queue: "incoming",
                blocked_by: Vec::new(),
                role: None,
                kind: Some(OWN),
                priority: "P2",
                is_strict,
                max_attempts,
                delay_ms: None,
            };
            let mut steps = vec![Step::Delete { id }, Step::Create(create)];
            for _ in 0..times {
                steps.extend([Step::Tick { ms: wait }, Step::EndDelays]);
                steps.extend(one_run(id, end, in_place));
            }
            steps
        },
    )
}

fn one_run(id: &'static str, end: End, in_place: bool) -> Vec<Step> {
    let claim = Step::Claim(Claim {
        scope: SCOPE,
        agent: AGENTS[0],
        queue: None,
        roles: Vec::new(),
        kinds: vec![OWN],
        lease_ms: LEASE,
        in_place,
    });
    let expire = Step::Tick { ms: LEASE + 1 };
    let caller = Caller { token: Token::Newest, agent: None, age: None };
    let fail = |reason| Step::Fail(Fail { id, caller, reason, is_final: false, delay_ms: None });
    match end {
        End::Fails(reason) => vec![claim, fail(reason)],
        End::Lapses => vec![claim, expire, Step::Reap { grace_ms: 0 }],
        End::IsTakenBack => vec![claim, expire, take_back(id, in_place, true)],
        End::IsCancelled => vec![claim, Step::Cancel { id, age: None }, fail("cancelled")],
    }
}

/// A task is worked on, submitted, reviewed and judged by the holders of its leases, and after each
/// step anything may happen. A step that is asked for again is an answer that was lost.
fn life() -> impl Strategy<Value = Vec<Step>> {
    let plain = |queue, in_place| Claim {
        scope: SCOPE,
        agent: AGENTS[0],
        queue,
        roles: Vec::new(),
        kinds: Vec::new(),
        lease_ms: LEASE,
        in_place,
    };
    let caller = Caller { token: Token::Newest, agent: None, age: None };
    let verdict = one_of(&[Verdict::Accept, Verdict::Reject, Verdict::Requeue]);
    let between = || prop::option::weighted(0.5, step());
    let between = [between(), between(), between(), between()];
    let review = one_of(&["provisional", "approved", "incoming"]);
    (review, verdict, between, any::<bool>()).prop_map(move |(review, verdict, between, again)| {
        let submit = Step::Submit { id: LAST, caller, commits: 1, turns: 5 };
        let queue = (verdict == Verdict::Accept && review == "provisional").then_some("approved");
        let judge = Step::Judge { id: LAST, caller, verdict, queue };
        let judges = if again { vec![judge.clone(), judge] } else { vec![judge] };
        let steps = [
            vec![Step::Claim(plain(None, false))],
            if again { vec![submit.clone(), submit] } else { vec![submit] },
            vec![Step::Claim(plain(Some(review), true))],
            judges,
        ];
        let parts = steps.into_iter().zip(between);
        parts.flat_map(|(steps, between)| steps.into_iter().chain(between)).collect()
    })
}

/// A program of so many steps at most, after some tasks were created.
pub fn program(steps_max: usize) -> impl Strategy<Value = Vec<Step>> {
    let first = prop::collection::vec(creation(), 0..=5).prop_map(|all| {
        let named = all.into_iter().zip(IDS);
        named.map(|(create, id)| Step::Create(Create { id, ..create })).collect::<Vec<_>>()
    });
    let part = prop_oneof![80 => step().prop_map(|step| vec![step]), 1 => runs_in_a_row(),
        6 => life()];
    let parts = prop::collection::vec(part, 1..steps_max).prop_map(|parts| parts.concat());
    (first, parts)
        .prop_map(move |(first, parts)| first.into_iter().chain(parts).take(steps_max).collect())
}
