//! The holder of a lease against those who want the task from it.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};
use octopoid_domain::{decide::Request, input::parse_body};
use octopoid_store::{Result, engine::Value, lapses::Lapses};
use octopoid_store_testkit::{
    World, audit, verdict,
    world::{LEASE, SCOPE},
};
use serde_json::json;

use crate::{Arena, ROUNDS, at_once};

/// What a racer has done: a word, or the code of a refusal.
type Racer = BoxFuture<'static, &'static str>;

fn said<T>(answer: &Result<T>, word: &'static str) -> &'static str {
    match answer {
        Ok(_) => word,
        Err(error) => {
            verdict::code(answer).unwrap_or_else(|| panic!("neither won nor lost: {error}"))
        }
    }
}

/// A task that an agent has just claimed, and the token of its lease.
async fn leased(world: &World, id: &str) -> String {
    world.creates_with(id, json!({ "type": id })).await.unwrap();
    let claimed = world.claims_leased(json!({ "type_filter": [id] })).await.unwrap();
    claimed.expect("the task is there to claim").token.to_string()
}

/// The same after its lease has ended, and has been taken back.
async fn lapsed(world: &World, id: &str) -> String {
    let token = leased(world, id).await;
    world.passes(LEASE + 1);
    assert_eq!(world.reaps().await.unwrap(), [id]);
    token
}

fn claims(world: &Arc<World>, id: &str) -> Racer {
    let world = Arc::clone(world);
    let body = json!({ "agent_name": "other", "orchestrator_id": "m", "type_filter": [id] });
    async move {
        let request = parse_body(body.to_string().as_bytes()).expect("a claim");
        let (secret, stamp) = (world.secret(), world.stamp());
        let claimed = world.store.claim_task(SCOPE, None, &request, &secret, stamp).await;
        if claimed.expect("a claim never fails").is_some() { "claimed" } else { "nothing" }
    }
    .boxed()
}

fn changes(world: &Arc<World>, id: &str, done: &'static str, request: Request) -> Racer {
    let (world, id) = (Arc::clone(world), id.to_owned());
    async move {
        let answer = world.store.change_task(&id, None, &request, world.stamp()).await;
        said(&answer, done)
    }
    .boxed()
}

fn submits(world: &Arc<World>, id: &str, token: &str) -> Racer {
    let body = json!({ "commits_count": 1, "turns_used": 1, "lease_token": token });
    let body = parse_body(body.to_string().as_bytes()).expect("a submission");
    changes(world, id, "submitted", Request::Submit(Box::new(body)))
}

fn cancels(world: &Arc<World>, id: &str) -> Racer {
    let body = parse_body(br#"{"by":"person","reason":"not wanted"}"#).expect("a cancellation");
    changes(world, id, "cancelled", Request::Cancel(body))
}

fn renews(world: &Arc<World>, id: &str, token: &str) -> Racer {
    let (world, id) = (Arc::clone(world), id.to_owned());
    let body = json!({ "lease_token": token }).to_string();
    async move {
        let body = parse_body(body.as_bytes()).expect("a renewal");
        said(&world.store.renew_task(&id, None, &body, world.stamp()).await, "renewed")
    }
    .boxed()
}

fn reaps(world: &Arc<World>) -> Racer {
    let world = Arc::clone(world);
    async move {
        let mut lapses = Lapses::before(world.now());
        let page = world.store.release_lapsed(&mut lapses, 100, world.stamp()).await;
        let page = page.expect("the reaper never fails");
        assert!(page.refused.is_empty(), "the reaper is refused nothing: {:?}", page.refused);
        if page.tasks.is_empty() { "nothing" } else { "released" }
    }
    .boxed()
}

/// How each run of a task has ended, in order.
async fn outcomes(world: &World, id: &str) -> Vec<String> {
    const OUTCOMES: &str = "SELECT outcome FROM runs WHERE task_id = ?1 ORDER BY run";
    let rows = world.runs(OUTCOMES, vec![id.into()]).await.unwrap();
    let outcome = |row: Vec<Value>| match row.into_iter().next() {
        Some(Value::Text(outcome)) => outcome,
        other => panic!("an outcome is a word, and not {other:?}"),
    };
    rows.into_iter().map(outcome).collect()
}

/// A laptop wakes up and hands in what it finished while others take the task.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_claims_and_a_late_submission_one_gets_the_task() {
    let arena = Arena::new().await;
    let world = &arena.world;
    let mut wins: BTreeMap<&str, usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        let id = format!("t{round}");
        let token = lapsed(world, &id).await;
        // Who begins last is not always the same.
        let mut racers = vec![claims(world, &id), claims(world, &id), submits(world, &id, &token)];
        racers.rotate_left(round % 3);
        let mut answers = at_once(racers).await;
        answers.rotate_right(round % 3);
        let first_claim = usize::from(answers[0] == "nothing");
        let (queue, runs, events): (_, &[&str], &[&str]) = match answers[2] {
            "submitted" => {
                assert_eq!(answers, ["nothing", "nothing", "submitted"]);
                ("provisional", &["submitted"], &["resumed", "submitted"])
            }
            lost => {
                assert_eq!((answers[first_claim], lost), ("claimed", "lease_lost"), "{answers:?}");
                assert_eq!(answers[1 - first_claim], "nothing", "{answers:?}");
                ("claimed", &["lapsed", "running"], &["claimed"])
            }
        };
        assert_eq!(world.reads(&id).await.unwrap().queue, queue);
        assert_eq!(outcomes(world, &id).await, runs, "the runs after {answers:?}");
        assert_eq!(world.events(&id).await.unwrap()[3..], *events, "the history of {id}");
        *wins.entry(answers[2]).or_default() += 1;
        // Its lease must not end in the next round.
        world.deletes(&id).await.unwrap();
    }
    audit::check(world).await.unwrap();
    println!("the late submission: {wins:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_renewed_is_not_taken_back() {
    let arena = Arena::new().await;
    let world = &arena.world;
    let mut reaped: BTreeMap<&str, usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        let id = format!("t{round}");
        let token = leased(world, &id).await;
        world.passes(LEASE + 1);
        let answers = at_once(vec![renews(world, &id, &token), reaps(world)]).await;
        assert_eq!(answers[0], "renewed", "nobody else has claimed the task");
        let task = world.reads(&id).await.unwrap();
        let held = (task.queue, task.claim.expires_at, task.attempt_count);
        let expected = ("claimed".to_owned(), Some(world.now().plus(LEASE)), Some(0));
        assert_eq!(held, expected, "{id} is held after {answers:?}");
        assert_eq!(outcomes(world, &id).await, ["running"], "the run after {answers:?}");
        // What is taken back is resumed, and what is not is not.
        let events: &[&str] = if answers[1] == "released" { &["requeued", "resumed"] } else { &[] };
        assert_eq!(world.events(&id).await.unwrap()[2..], *events, "the history of {id}");
        *reaped.entry(answers[1]).or_default() += 1;
        world.deletes(&id).await.unwrap();
    }
    audit::check(world).await.unwrap();
    println!("the reaper: {reaped:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_submitted_while_it_is_cancelled_is_cancelled() {
    let arena = Arena::new().await;
    let world = &arena.world;
    let mut ways: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        let id = format!("t{round}");
        let token = leased(world, &id).await;
        let mut racers = vec![submits(world, &id, &token), cancels(world, &id)];
        racers.rotate_left(round % 2);
        let mut answers = at_once(racers).await;
        answers.rotate_right(round % 2);
        assert_eq!(answers, ["submitted", "cancelled"], "neither is refused");
        let task = world.reads(&id).await.unwrap();
        assert_eq!((&*task.queue, task.cancel_requested_at), ("cancelled", None));
        assert_eq!(outcomes(world, &id).await, ["submitted"]);
        let events = world.events(&id).await.unwrap().split_off(2);
        let ends =
            [vec!["submitted", "cancelled"], vec!["cancel_requested", "submitted", "cancelled"]];
        assert!(ends.iter().any(|end| *end == events), "the history of {id} ends in {events:?}");
        *ways.entry(events).or_default() += 1;
    }
    audit::check(world).await.unwrap();
    println!("{ways:?}");
}

/// An agent that gets no answer in time sends its request again, while the first is still on its way.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_submission_many_times_at_once_is_done_once_and_never_refused() {
    let arena = Arena::new().await;
    let world = &arena.world;
    for round in 0..ROUNDS {
        let id = format!("t{round}");
        let token =
            if round % 2 == 0 { leased(world, &id).await } else { lapsed(world, &id).await };
        let before = world.events(&id).await.unwrap().len();
        let racers = (0..6).map(|_| submits(world, &id, &token)).collect();
        assert_eq!(at_once(racers).await, ["submitted"; 6]);
        let events = world.events(&id).await.unwrap().split_off(before);
        let expected: &[&str] =
            if round % 2 == 0 { &["submitted"] } else { &["resumed", "submitted"] };
        assert_eq!(events, expected, "the history of {id}");
        assert_eq!(outcomes(world, &id).await, ["submitted"]);
    }
    audit::check(world).await.unwrap();
}
