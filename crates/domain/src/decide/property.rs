//! Any request to any task.

use proptest::prelude::*;
use serde_json::json;

use super::{
    Decision, Request, Situation,
    tests::{NOW, QUEUES, body, flow, held},
};
use crate::{
    Claim, Millis, Task, TaskView,
    failure::REASONS,
    step::Step,
    transition::{Raises, transition},
};

/// A request of any kind, with fields that fit and fields that do not.
fn any_request() -> impl Strategy<Value = Request> {
    let text = || prop::sample::select(vec!["", "agent", "reviewer", "claimed", "done", "\u{e4}"]);
    let version = || prop::sample::select(vec![json!(null), json!(41), json!(7)]);
    let queue = prop::sample::select(QUEUES.to_vec());
    let counts = (0..3_i64, 0..200_i64);
    prop_oneof![
        (counts, text(), version()).prop_map(|((commits, turns), agent, version)| {
            Request::Submit(body(&json!({
                "commits_count": commits, "turns_used": turns, "agent_name": agent,
                "version": version,
            })))
        }),
        (text(), version()).prop_map(|(by, version)| Request::Accept(body(
            &json!({ "accepted_by": by, "version": version })
        ))),
        (text(), text(), version()).prop_map(|(by, reason, version)| Request::Reject(body(
            &json!({ "rejected_by": by, "reason": reason, "version": version })
        ))),
        version().prop_map(|version| Request::Requeue(body(&json!({ "version": version })))),
        Just(Request::Release),
        (prop::sample::select(&REASONS[..]), any::<bool>(), version()).prop_map(
            |(reason, is_final, version)| Request::Fail(body(&json!({
                "reason": reason.name, "retry": if is_final { "never" } else { "auto" },
                "version": version,
            })))
        ),
        (text(), version()).prop_map(|(by, version)| Request::Cancel(body(
            &json!({ "by": by, "reason": "r", "version": version })
        ))),
        (text(), version()).prop_map(|(by, version)| Request::Retry(body(
            &json!({ "by": by, "version": version })
        ))),
        (queue.clone(), text()).prop_map(|(queue, reason)| Request::ForceQueue(body(
            &json!({ "queue": queue, "reason": reason })
        ))),
        (queue, text(), any::<bool>(), version()).prop_map(|(queue, other, has_role, version)| {
            let mut patch = json!({ "queue": queue, "blocked_by": other, "version": version });
            if has_role {
                patch["role"] = other.into();
            }
            Request::Update(body(&patch))
        }),
        text().prop_map(|status| Request::CompleteHook(
            "h".to_owned(),
            body(&json!({ "status": status, "evidence": { "a": 1 } }))
        )),
    ]
}

fn any_task() -> impl Strategy<Value = Task> {
    let queue = prop::sample::select(QUEUES.to_vec());
    let lease = prop::option::of(NOW.0 - 2..NOW.0 + 2);
    let counter = || prop::option::of(0..5_i64);
    let hooks = prop::sample::select(vec!["", "{", "[]", "[null]", r#"[{"name":"h"}]"#, "7"]);
    let flags = (any::<bool>(), any::<bool>(), prop::option::of(1..3_i64), 0..4_i64);
    (queue.clone(), queue, lease, counter(), counter(), flags, hooks).prop_map(
        |(queue, claimed_in, lease, attempts, rejections, flags, hooks)| Task {
            cancel_requested_at: (flags.1
                && (queue == "claimed" || lease.is_some() && queue == claimed_in))
                .then_some(NOW),
            max_attempts: flags.2,
            failure_count: flags.3,
            lapse_count: flags.3,
            claim: Claim {
                queue: Some(claimed_in.to_owned()),
                expires_at: lease.map(Millis),
                ..held(queue).claim
            },
            attempt_count: attempts,
            rejection_count: rejections,
            needs_intervention: flags.0,
            hooks: Some(hooks.to_owned()),
            ..held(queue)
        },
    )
}

/// What the state machine may change of a task.
const WORK: &str = "queue blocked_by claimed_by claimed_at orchestrator_id lease_expires_at \
    needs_intervention commits_count turns_used attempt_count rejection_count check_results \
    execution_notes submitted_at completed_at updated_at version failure_count not_before \
    cancel_requested_at usage";

/// What only an edit may change.
fn rest(task: &Task) -> serde_json::Value {
    let mut task = json!(TaskView::from(task.clone()));
    task.as_object_mut().unwrap().retain(|field, _| !WORK.split(' ').any(|work| work == field));
    task
}

proptest! {
    // A failure shows its shrunk input, which says more than a seed in a file.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is asked of whatever task: there is an answer, and a change is one change.
    #[test]
    fn every_decision_is_a_refusal_or_one_whole_change(
        task in any_task(),
        request in any_request(),
        has_flow in any::<bool>(),
    ) {
        let rules = has_flow.then(flow);
        let at = Situation { rules: rules.as_ref(), ..Situation::of(&task, NOW) };
        let Ok(Decision::Change(change)) = super::decide(&at, &request) else { return Ok(()) };
        let is = &change.task;
        prop_assert_eq!(is.version, task.version + 1, "the version rises by one");
        prop_assert_eq!(is.updated_at, NOW);
        let identity = |task: &Task| {
            (task.id.clone(), task.scope.clone(), task.file_path.clone(), task.created_at)
        };
        prop_assert_eq!(identity(is), identity(&task), "who it is never changes");
        prop_assert!(!change.events.is_empty(), "every change is told");
        prop_assert!(is.queue != "done" || is.completed_at.is_some(), "what is done was finished");
        let is_update = request.step() == Step::Update;
        prop_assert!(is_update || !change.is_edit, "only an edit changes other fields");
        prop_assert!(change.is_edit || rest(is) == rest(&task), "no edit is left unwritten");
        let is_marked = is.cancel_requested_at.is_some();
        prop_assert!(!is_marked || is.is_held() || is.queue == "claimed", "free tasks are cancelled");
        if !is_update && !is_marked {
            prop_assert!(!is.is_held() && is.claim.by.is_none(), "only an edit leaves a claim");
        }
        let raised = |before: Option<i64>, after: Option<i64>| {
            after.unwrap_or(0) - before.unwrap_or(0)
        };
        let attempts = raised(task.attempt_count, is.attempt_count);
        let rejections = raised(task.rejection_count, is.rejection_count);
        let expected = match transition(request.step()).raises {
            Raises::Nothing => (0, 0),
            Raises::Attempts => (1, 0),
            // A review that is released was no attempt at the work.
            Raises::WorkAttempts => (i64::from(!task.is_held_in_place()), 0),
            Raises::Rejections => (0, 1),
        };
        prop_assert_eq!((attempts, rejections), expected);
    }
}
