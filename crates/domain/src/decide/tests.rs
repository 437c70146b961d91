use serde_json::{Value, json};

use super::{Change, Decision, Request, Situation, Step};
use crate::{
    Claim, Millis, Refusal, Task,
    event::Kind,
    flow::Rules,
    input::{INTEGER_MAX, parse_body},
    lease::{LeaseSecret, LeaseToken},
    queue,
    steps::{BURNOUT_TURNS, BURNOUT_TURNS_IDLE, is_burnout},
    transition::{Raises, Source, TRANSITIONS, is_claimable, transition},
};

pub(super) const NOW: Millis = Millis(1_795_294_738_605);

/// What a request without a token changes about a task whose lease has no run.
fn decide(
    task: &Task,
    request: &Request,
    rules: Option<&Rules>,
    now: Millis,
) -> Result<Change, Refusal> {
    match super::decide(&Situation { rules, ..Situation::of(task, now) }, request)? {
        Decision::Change(change) => Ok(*change),
        Decision::AsItIs => panic!("the request has not been carried out before"),
    }
}

/// The queues of the tables below, in the order of their columns.
pub(super) const QUEUES: [&str; 8] = [
    "incoming",
    "claimed",
    "provisional",
    "needs_continuation",
    "done",
    "failed",
    "cancelled",
    "polish",
];

/// Where each step leads from each queue as long as no flow is registered; `-` is a refusal.
const WITHOUT_FLOW: &str = "
           incoming   claimed      provisional  needs_continuation  done      failed     cancelled  polish
claim      claimed    -            provisional  claimed             -         -          -          claimed
submit     -          provisional  -            -                   -         -          -          -
fail       incoming   incoming     provisional  needs_continuation  -         -          -          polish
renew      incoming   claimed      provisional  needs_continuation  -         -          -          polish
accept     -          done         done         -                   -         -          -          -
reject     -          incoming     incoming     -                   -         -          -          -
requeue    -          incoming     incoming     -                   -         -          -          -
release    incoming   incoming     provisional  needs_continuation  -         -          -          polish
cancel     cancelled  cancelled    cancelled    cancelled           -         cancelled  cancelled  cancelled
retry      -          -            -            -                   -         incoming   incoming   -
force      backlog    backlog      backlog      backlog             backlog   backlog    backlog    backlog
update     backlog    backlog      backlog      backlog             backlog   backlog    backlog    backlog
";

/// The same under a flow with the steps of [`flow`] and without the queue `backlog`. What the
/// server itself does, claiming, submitting and releasing, no flow forbids.
const WITH_FLOW: &str = "
           incoming   claimed      provisional  needs_continuation  done      failed     cancelled  polish
claim      claimed    -            provisional  claimed             -         -          -          claimed
submit     -          provisional  -            -                   -         -          -          -
fail       incoming   incoming     provisional  needs_continuation  -         -          -          polish
renew      incoming   claimed      provisional  needs_continuation  -         -          -          polish
accept     -          -            done         -                   -         -          -          done
reject     -          -            incoming     -                   -         incoming   -          -
requeue    -          -            incoming     -                   -         incoming   -          -
release    incoming   incoming     provisional  needs_continuation  -         -          -          polish
cancel     cancelled  cancelled    cancelled    cancelled           -         cancelled  cancelled  cancelled
retry      -          -            -            -                   -         incoming   incoming   -
force      -          -            -            -                   -         -          -          -
update     -          -            -            -                   -         -          -          -
";

pub(super) fn flow() -> Rules {
    let states = json!(["incoming", "claimed", "done", "failed", "provisional", "polish"]);
    let steps = json!([
        { "from": "incoming", "to": "claimed" },
        { "from": "claimed", "to": "provisional" },
        { "from": "provisional", "to": "done" },
        { "from": "provisional", "to": "incoming" },
        { "from": "failed", "to": "incoming" },
        { "from": "polish", "to": "done" },
    ]);
    Rules::new("default", &states.to_string(), &steps.to_string(), None)
}

pub(super) fn body<T: serde::de::DeserializeOwned>(body: &Value) -> T {
    parse_body(body.to_string().as_bytes()).expect("the tests write bodies that can be read")
}

/// The token of the run that [`lease`] makes.
fn token() -> LeaseToken {
    LeaseToken::new(7, &LeaseSecret::new([7; 16]))
}

/// The request that the tables mean by a word.
fn request(step: &str) -> Request {
    match step {
        "submit" => Request::Submit(body(&json!({ "commits_count": 3, "turns_used": 7 }))),
        "fail" => Request::Fail(body(&json!({ "reason": "crash" }))),
        "renew" => Request::Renew(body(&json!({ "lease_token": token().to_string() }))),
        "cancel" => Request::Cancel(body(&json!({ "by": "person", "reason": "unwanted" }))),
        "retry" => Request::Retry(body(&json!({ "by": "person" }))),
        "accept" => Request::Accept(body(&json!({ "accepted_by": "reviewer" }))),
        "reject" => Request::Reject(body(&json!({ "reason": "no", "rejected_by": "reviewer" }))),
        "requeue" => Request::Requeue(body(&json!({ "reason": "tired" }))),
        "release" => Request::Release,
        "force" => Request::ForceQueue(body(&json!({ "queue": "backlog", "reason": "because" }))),
        "update" => Request::Update(body(&json!({ "queue": "backlog" }))),
        other => panic!("the tables have no step {other}"),
    }
}

/// A task that an agent holds, with something in every field that a step may touch.
pub(super) fn held(queue: &str) -> Task {
    Task {
        id: "a".to_owned(),
        scope: "s".to_owned(),
        file_path: "a.md".to_owned(),
        branch: "main".to_owned(),
        queue: queue.to_owned(),
        claim: Claim {
            by: Some("agent".to_owned()),
            orchestrator_id: Some("machine".to_owned()),
            at: Some(Millis(1)),
            expires_at: Some(NOW),
            queue: Some(queue.to_owned()),
        },
        needs_intervention: true,
        commits_count: Some(1),
        turns_used: Some(2),
        attempt_count: Some(3),
        rejection_count: Some(4),
        check_results: Some("old results".to_owned()),
        execution_notes: Some("old notes".to_owned()),
        submitted_at: Some(Millis(2)),
        completed_at: Some(Millis(3)),
        created_at: Millis(0),
        updated_at: Millis(4),
        flow: Some("default".to_owned()),
        version: 41,
        ..Task::default()
    }
}

/// The same task once nobody holds it any more.
fn freed(queue: &str) -> Task {
    Task {
        queue: queue.to_owned(),
        claim: Claim::default(),
        needs_intervention: false,
        updated_at: NOW,
        version: 42,
        ..held(queue)
    }
}

/// Where a step leads from a queue, in the words of the tables.
fn leads(step: &str, from: &str, rules: Option<&Rules>) -> String {
    if step == "claim" {
        // Claiming happens in SQL; the table has its sources and its target.
        return if is_claimable(from) {
            transition(Step::Claim).target(&held(from), None, false)
        } else {
            "-".to_owned()
        };
    }
    let task = match step {
        // What is held is only marked; that is another test's.
        "cancel" => Task {
            claim: Claim::default(),
            queue: from.replace("claimed", "incoming"),
            ..held(from)
        },
        _ => held(from),
    };
    let at = Situation { rules, ..Situation::of(&task, NOW) };
    match super::decide(&at, &request(step)) {
        Ok(Decision::Change(change)) => change.task.queue,
        Ok(Decision::AsItIs) => task.queue,
        Err(Refusal::WrongState { .. } | Refusal::InvalidQueue { .. }) => "-".to_owned(),
        Err(refusal) => panic!("{step} from {from} is refused otherwise: {refusal}"),
    }
}

fn compare(table: &str, rules: Option<&Rules>) {
    let mut rows = table.lines().skip(1);
    let columns: Vec<_> = rows.next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(columns, QUEUES, "the head of the table");
    let mut steps = 0;
    for row in rows {
        let mut cells = row.split_whitespace();
        let step = cells.next().expect("a row begins with its step");
        for (from, expected) in columns.iter().zip(cells) {
            assert_eq!(leads(step, from, rules), expected, "{step} from {from}");
        }
        steps += 1;
    }
    assert_eq!(steps, TRANSITIONS.len(), "a row for every step");
}

#[test]
fn without_a_flow_every_step_leads_where_the_table_says() {
    compare(WITHOUT_FLOW, None);
}

#[test]
fn under_a_flow_every_step_leads_where_the_table_says() {
    compare(WITH_FLOW, Some(&flow()));
}

#[test]
fn the_transitions_have_one_row_for_every_step() {
    use Step::{
        Accept, Cancel, Claim, Fail, ForceQueue, Reject, Release, Renew, Requeue, Retry, Submit,
        Update,
    };
    let steps = TRANSITIONS.map(|transition| transition.step);
    let work = [Claim, Submit, Fail, Renew, Accept, Reject, Requeue, Release];
    assert_eq!(steps, *[&work[..], &[Cancel, Retry, ForceQueue, Update]].concat());
    for step in steps {
        assert_eq!(transition(step).step, step);
    }
}

#[test]
fn claims_take_from_every_queue_but_those_that_are_named() {
    assert_eq!(transition(Step::Claim).from, Source::Except(&queue::NOT_CLAIMABLE));
    assert_eq!(queue::NOT_CLAIMABLE, ["claimed", "done", "failed", "cancelled"]);
    assert_eq!(transition(Step::Requeue).raises, Raises::Attempts);
    assert_eq!(transition(Step::Release).raises, Raises::WorkAttempts);
}

#[test]
fn an_operator_and_a_client_may_move_a_task_from_any_queue_to_any() {
    for from in QUEUES {
        for to in QUEUES {
            let force = Request::ForceQueue(body(&json!({ "queue": to, "reason": "r" })));
            let change = decide(&held(from), &force, None, NOW).unwrap();
            assert_eq!(change.task.queue, to, "force from {from}");
            let update = Request::Update(body(&json!({ "queue": to })));
            match decide(&held(from), &update, None, NOW) {
                Ok(change) => assert_eq!(change.task.queue, to, "update from {from}"),
                Err(refusal) => {
                    assert_eq!(to, "done", "only finishing takes a verdict: {refusal}");
                }
            }
        }
    }
}

/// What a step makes of a held task in `claimed`.
fn effect(step: &str) -> Change {
    decide(&held("claimed"), &request(step), None, NOW).unwrap()
}

/// The one event of a change: what happened, who did it, and the details.
fn event(change: &Change) -> (Kind, Option<&str>, Option<&str>) {
    assert_eq!(change.events.len(), 1, "one event: {:?}", change.events);
    let event = &change.events[0];
    (event.kind, event.actor.as_deref(), event.details.as_deref())
}

#[test]
fn submitting_stores_the_report_and_frees_the_task() {
    let change = effect("submit");
    let expected = Task {
        commits_count: Some(3),
        turns_used: Some(7),
        check_results: None,
        execution_notes: None,
        submitted_at: Some(NOW),
        ..freed("provisional")
    };
    assert_eq!(change.task, expected);
    assert_eq!(event(&change), (Kind::Submitted, Some("agent"), None));
    assert_eq!((change.notice, change.is_edit), (None, false));
}

#[test]
fn accepting_finishes_and_frees_the_task() {
    let change = effect("accept");
    assert_eq!(
        change.task,
        Task { completed_at: Some(NOW), accepted_attempt: Some(0), ..freed("done") }
    );
    assert_eq!(event(&change), (Kind::Accepted, Some("reviewer"), None));
    assert_eq!((change.notice, change.is_edit), (None, false));
}

#[test]
fn rejecting_counts_and_leaves_the_reason() {
    let change = effect("reject");
    assert_eq!(change.task, Task { rejection_count: Some(5), ..freed("incoming") });
    assert_eq!(event(&change), (Kind::Rejected, Some("reviewer"), Some("no")));
    let notice = change.notice.unwrap();
    assert_eq!(
        (&*notice.from_actor, notice.kind, &*notice.content),
        ("reviewer", "rejection", "no")
    );
}

#[test]
fn putting_back_counts_an_attempt_and_names_who_had_it() {
    let change = effect("requeue");
    assert_eq!(change.task, Task { attempt_count: Some(4), ..freed("incoming") });
    assert_eq!(event(&change), (Kind::Requeued, Some("agent"), Some("tired")));
    assert_eq!(change.notice, None);
}

#[test]
fn releasing_work_counts_an_attempt_and_releasing_a_review_does_not() {
    let change = effect("release");
    assert_eq!(change.task, Task { attempt_count: Some(4), lapse_count: 1, ..freed("incoming") });
    assert_eq!(event(&change), (Kind::Requeued, Some("agent"), Some("Lease expired")));
    let change = decide(&held("provisional"), &Request::Release, None, NOW).unwrap();
    assert_eq!(change.task, freed("provisional"));
    assert_eq!(event(&change), (Kind::ReviewReleased, Some("agent"), Some("Lease expired")));
}

#[test]
fn forcing_frees_the_task_and_leaves_the_reason() {
    let change = effect("force");
    assert_eq!(change.task, freed("backlog"));
    let details = r#"{"reason":"because","from":"claimed","to":"backlog"}"#;
    assert_eq!(event(&change), (Kind::ForceQueue, None, Some(details)));
    let notice = change.notice.unwrap();
    let notice = (&*notice.from_actor, notice.kind, &*notice.content);
    assert_eq!(notice, ("system", "force_queue", "because"));
}

#[test]
fn updating_frees_nothing() {
    let change = effect("update");
    let expected =
        Task { queue: "backlog".to_owned(), updated_at: NOW, version: 42, ..held("claimed") };
    assert_eq!(change.task, expected);
    let details = r#"{"fields":["queue"],"from":"claimed","to":"backlog"}"#;
    assert_eq!(event(&change), (Kind::Edited, None, Some(details)));
    assert_eq!((change.notice, change.is_edit), (None, false));
}

#[test]
fn a_task_that_leaves_done_is_not_finished_any_more() {
    for step in ["force", "update"] {
        let change = decide(&held("done"), &request(step), None, NOW).unwrap();
        assert_eq!(change.task.completed_at, None, "{step}");
        assert_eq!(change.task.submitted_at, Some(Millis(2)), "{step}");
    }
    let steps = json!([{ "from": "done", "to": "incoming" }]).to_string();
    let rules = Rules::new("default", "[]", &steps, None);
    for step in ["reject", "requeue"] {
        let change = decide(&held("done"), &request(step), Some(&rules), NOW).unwrap();
        assert_eq!(change.task.completed_at, None, "{step}");
    }
}

#[test]
fn an_agent_burns_out_at_a_hundred_turns_or_at_eighty_without_a_commit() {
    assert_eq!((BURNOUT_TURNS_IDLE, BURNOUT_TURNS), (80, 100));
    for (commits, turns, expected) in
        [(0, 79, false), (0, 80, true), (1, 80, false), (1, 99, false), (1, 100, true)]
    {
        assert_eq!(is_burnout(commits, turns), expected, "{commits} commits, {turns} turns");
    }
}

#[test]
fn a_lease_holds_to_its_last_millisecond() {
    for (end, is_live) in [(NOW.0 - 1, false), (NOW.0, true), (NOW.0 + 1, true)] {
        let mut task = held("claimed");
        task.claim.expires_at = Some(Millis(end));
        let answer = decide(&task, &request("submit"), None, NOW);
        assert_eq!(answer.is_ok(), is_live, "a lease that ends {} ms from now", end - NOW.0);
    }
}

#[test]
fn counters_stop_at_the_largest_integer_everyone_can_read() {
    let most = Some(INTEGER_MAX);
    let task = Task { attempt_count: most, rejection_count: most, ..held("claimed") };
    for step in ["reject", "requeue", "release"] {
        let change = decide(&task, &request(step), None, NOW).unwrap();
        let counters = (change.task.attempt_count, change.task.rejection_count);
        assert_eq!(counters, (most, most), "{step}");
    }
}

#[test]
fn what_needs_no_task_is_refused_without_one() {
    let hook = |report: &Value| Request::CompleteHook("h".to_owned(), body(report));
    let update = |field: &str, value: Value| Request::Update(body(&json!({ field: value })));
    let many = (0..101).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let refused = [
        (Request::Submit(body(&json!({}))), "Missing required fields: commits_count, turns_used"),
        (Request::Accept(body(&json!({}))), "Missing required field: accepted_by"),
        (Request::Reject(body(&json!({}))), "Missing required fields: reason, rejected_by"),
        (Request::ForceQueue(body(&json!({}))), "Missing required fields: queue, reason"),
        (Request::Fail(body(&json!({}))), "Missing required field: reason"),
        (
            Request::Fail(body(&json!({ "reason": "crash", "retry": "later" }))),
            "Invalid value for retry: \"later\". Valid values: auto, never",
        ),
        (Request::Cancel(body(&json!({ "by": "b" }))), "Missing required fields: by, reason"),
        (Request::Retry(body(&json!({}))), "Missing required field: by"),
        (Request::Renew(body(&json!({}))), "Missing required field: lease_token"),
        (
            Request::ForceQueue(body(&json!({ "queue": "q".repeat(513), "reason": "r" }))),
            "queue is too long: at most 512 bytes",
        ),
        (hook(&json!({ "status": "good" })), "status must be \"passed\" or \"failed\""),
        (update("id", json!("z")), "No fields to update"),
        (update("branch", json!(null)), "branch must not be null"),
        (update("role", json!("a\u{1f}b")), "role must not contain control characters"),
        (update("blocked_by", json!(many)), "Too many blockers: at most 100"),
    ];
    let long = ["queue", "branch", "priority", "role", "type", "flow"].map(|field| {
        (update(field, json!("a".repeat(513))), format!("{field} is too long: at most 512 bytes"))
    });
    let refused = refused.map(|(request, text)| (request, text.to_owned()));
    for (request, text) in refused.into_iter().chain(long) {
        assert_eq!(request.check().unwrap_err().to_string(), text);
        let refusal = decide(&held("claimed"), &request, None, NOW).unwrap_err();
        assert_eq!(refusal.to_string(), text);
    }
    for step in ["submit", "accept", "reject", "requeue", "release", "force", "update"] {
        assert_eq!(request(step).check(), Ok(()), "{step}");
    }
}

#[test]
fn evidence_that_could_not_be_read_again_is_refused() {
    let task = Task { hooks: Some(r#"[{"name":"h"}]"#.to_owned()), ..held("claimed") };
    let report = |depth: usize| {
        let evidence = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let text = format!("{{\"status\":\"passed\",\"evidence\":{evidence}}}");
        let report = parse_body(text.as_bytes()).expect("the body itself can be read");
        decide(&task, &Request::CompleteHook("h".to_owned(), report), None, NOW)
    };
    let again = report(125).unwrap().task.hooks.unwrap();
    assert!(serde_json::from_str::<Value>(&again).is_ok());
    assert_eq!(report(126).unwrap_err().to_string(), "evidence is nested too deeply");
}
