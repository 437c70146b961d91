//! Requests with the same idempotency key at the same moment.

use std::sync::Arc;

use octopoid_domain::{input::parse_body, message::NewMessage, task::ClaimRequest};
use octopoid_store::{Memory, Once, Result, Store, StoreError, Terms};
use octopoid_store_testkit::{World, audit, world::SCOPE};
use serde_json::json;

use crate::{Arena, ROUNDS, at_once, new_with, request};

/// How many send the same request.
const SENDERS: usize = 4;

/// Stores of several servers for the same request.
fn senders(servers: &[Store], key: &str) -> Vec<Store> {
    let once = Once {
        scope: SCOPE.to_owned(),
        route: "route".to_owned(),
        key: key.to_owned(),
        body_hash: "body".to_owned(),
        status: 200,
    };
    let terms = Terms { once: Some(once), versions: None };
    (0..SENDERS).map(|number| servers[number % servers.len()].under(terms.clone())).collect()
}

/// What one sender did, which all others found done.
fn one_of<T: std::fmt::Debug>(answers: Vec<Result<T>>) -> (T, Vec<Memory>) {
    let (mut done, mut found) = (Vec::new(), Vec::new());
    for answer in answers {
        match answer {
            Ok(answer) => done.push(answer),
            Err(StoreError::Remembered(memory)) => found.push(*memory),
            Err(error) => panic!("neither done nor found done: {error}"),
        }
    }
    assert_eq!((done.len(), found.len()), (1, SENDERS - 1), "{done:?} {found:?}");
    (done.remove(0), found)
}

fn claim() -> ClaimRequest {
    let body = json!({ "agent_name": "a", "orchestrator_id": "m" });
    parse_body(body.to_string().as_bytes()).expect("a claim")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_same_creations_creates() {
    let arena = Arena::new().await;
    let (world, servers) = (&arena.world, arena.servers(2));
    for round in 0..ROUNDS {
        let id = format!("t{round}");
        let racers = senders(&servers, &id).into_iter().map(|store| {
            let (new, stamp) = (new_with(&id, &json!({})), world.stamp());
            async move { store.create_task(new, None, stamp).await }
        });
        let (created, found) = one_of(at_once(racers.collect()).await);
        assert!(found.iter().all(|memory| memory.subject == created.id), "{found:?}");
        assert_eq!(world.events(&id).await.unwrap(), ["created"]);
    }
    audit::check(world).await.unwrap();
}

/// A message has an id of its own each time, so that nothing but the key tells them apart.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_same_messages_is_written() {
    let arena = Arena::new().await;
    let (world, servers) = (&arena.world, arena.servers(2));
    for round in 0..ROUNDS {
        let racers = senders(&servers, &round.to_string()).into_iter().map(|store| {
            let body = json!({
                "task_id": "t", "from_actor": "a", "type": "info", "content": "c", "scope": SCOPE,
            });
            let new: NewMessage = parse_body(body.to_string().as_bytes()).unwrap();
            let new = new.into_message(None, world.now()).unwrap();
            let stamp = world.stamp();
            async move { store.create_message(new, stamp).await }
        });
        let (created, found) = one_of(at_once(racers.collect()).await);
        assert!(found.iter().all(|memory| memory.subject == created.id), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_same_claims_takes_one_task() {
    let arena = Arena::new().await;
    let (world, servers) = (&arena.world, arena.servers(2));
    for round in 0..ROUNDS {
        for id in ["a", "b", "c"] {
            world.creates(&format!("{id}{round}")).await.unwrap();
        }
        let racers = senders(&servers, &round.to_string()).into_iter().map(|store| {
            let (secret, stamp) = (world.secret(), world.stamp());
            async move { store.claim_task(SCOPE, None, &claim(), &secret, stamp).await }
        });
        let (claimed, found) = one_of(at_once(racers.collect()).await);
        let claimed = claimed.expect("there is work");
        for memory in found {
            assert_eq!(
                (&memory.subject, memory.token.as_ref()),
                (&claimed.task.id, Some(&claimed.token))
            );
        }
        assert_eq!(rest(world).await, 2, "the others are left");
    }
    audit::check(world).await.unwrap();
}

/// How many tasks can be claimed; they are claimed.
async fn rest(world: &Arc<World>) -> usize {
    world.drains(json!({})).await.unwrap().len()
}

/// The one that comes later could do it as well: the task was claimed again in between.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_same_steps_is_taken_whatever_happens_in_between() {
    let arena = Arena::new().await;
    let (world, servers) = (&arena.world, arena.servers(2));
    world.creates("a").await.unwrap();
    for round in 0..ROUNDS {
        world.claims().await.unwrap().expect("the task is free");
        let mut racers: Vec<futures_util::future::BoxFuture<'static, Option<Result<String>>>> =
            Vec::new();
        for store in senders(&servers, &round.to_string()) {
            let stamp = world.stamp();
            racers.push(Box::pin(async move {
                let requeued = store.change_task("a", None, &request("requeue"), stamp).await;
                let requeued = match requeued {
                    Err(StoreError::Refused(refusal)) => match store.recall().await {
                        Ok(Some(memory)) => Err(StoreError::Remembered(Box::new(memory))),
                        _ => Err(StoreError::Refused(refusal)),
                    },
                    requeued => requeued,
                };
                Some(requeued.map(|task| task.id))
            }));
        }
        let (claimer, secret, stamp) = (servers[0].clone(), world.secret(), world.stamp());
        racers.push(Box::pin(async move {
            claimer.claim_task(SCOPE, None, &claim(), &secret, stamp).await.unwrap();
            None
        }));
        let answers = at_once(racers).await;
        one_of(answers.into_iter().flatten().collect());
        if world.reads("a").await.unwrap().queue == "claimed" {
            world.requeues("a").await.unwrap();
        }
    }
    let events = world.events("a").await.unwrap();
    let requeued = events.iter().filter(|event| *event == "requeued").count();
    let claimed = events.iter().filter(|event| *event == "claimed").count();
    assert_eq!(requeued, claimed, "each claim was given back once");
    audit::check(world).await.unwrap();
}
