//! Many at once, on a database file: the file's readers and its writer run side by side.

use std::{collections::BTreeMap, sync::Arc};

use octopoid_domain::{Millis, Task, input::parse_body, task::NewTask, transition::Request};
use octopoid_store::{Result, StoreError};
use octopoid_store_testkit::{World, audit, world::SCOPE};
use serde_json::json;
use tokio::task::JoinSet;

use crate::OnFile;

/// How many claim at once.
const AGENTS: usize = 64;
/// How many tasks there are for them.
const TASKS: usize = 2_000;
/// How often a race between a few is run.
const ROUNDS: usize = 100;

fn new(id: &str, blocked_by: &str) -> Task {
    let body = json!({
        "id": id, "file_path": id, "branch": "main", "scope": SCOPE, "blocked_by": blocked_by,
    });
    let new: NewTask = parse_body(body.to_string().as_bytes()).expect("a body that can be read");
    new.into_task(None, Millis(0)).expect("a task that can be created")
}

fn request(verb: &str) -> Request {
    let body =
        br#"{"accepted_by":"a","rejected_by":"r","reason":"x","commits_count":1,"turns_used":1}"#;
    match verb {
        "accept" => Request::Accept(parse_body(body).expect("an acceptance")),
        "reject" => Request::Reject(parse_body(body).expect("a rejection")),
        "submit" => Request::Submit(parse_body(body).expect("a submission")),
        _ => Request::Requeue(parse_body(body).expect("a return")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_agents_claim_two_thousand_tasks_each_once() {
    let database = OnFile::new().await;
    let world = &database.world;
    let mut creating = JoinSet::new();
    for number in 0..TASKS {
        let (world, id) = (Arc::clone(world), format!("t{number}"));
        creating.spawn(async move { world.store.create_task(new(&id, ""), world.stamp()).await });
    }
    assert!(creating.join_all().await.iter().all(Result::is_ok), "every task is created");

    let mut claiming = JoinSet::new();
    for agent in 0..AGENTS {
        let world = Arc::clone(world);
        claiming.spawn(async move {
            let mut mine = Vec::new();
            let body = json!({ "agent_name": format!("{agent}"), "orchestrator_id": "m" });
            let claim = parse_body(body.to_string().as_bytes()).expect("a claim");
            // An error would be a false conflict: there is a task, or there is none.
            while let Some(task) =
                world.store.claim_task(SCOPE, None, &claim, world.stamp()).await?
            {
                mine.push((task.id, task.claimed_by));
            }
            assert!(world.store.claim_task(SCOPE, None, &claim, world.stamp()).await?.is_none());
            Ok::<_, StoreError>(mine)
        });
    }
    let mut holders: BTreeMap<String, Option<String>> = BTreeMap::new();
    for claimed in claiming.join_all().await {
        for (id, holder) in claimed.expect("a claim never fails") {
            let other = holders.insert(id.clone(), holder);
            assert_eq!(other, None, "{id} was handed out twice");
        }
    }
    assert_eq!(holders.len(), TASKS, "every task was handed out");
    for (id, holder) in holders {
        let task = world.reads(&id).await.unwrap();
        assert_eq!((task.queue, task.claimed_by), ("claimed".to_owned(), holder), "{id} is held");
        assert_eq!(world.events(&id).await.unwrap(), ["created", "claimed"], "history of {id}");
    }
    audit::check(world).await.unwrap();
}

/// Lets some happen at once, and returns the names of those that were not refused.
async fn race(world: &Arc<World>, id: &str, verbs: &[&'static str]) -> Vec<&'static str> {
    let start = Arc::new(tokio::sync::Barrier::new(verbs.len()));
    let mut racing = JoinSet::new();
    for &verb in verbs {
        let (world, start, id) = (Arc::clone(world), Arc::clone(&start), id.to_owned());
        racing.spawn(async move {
            start.wait().await;
            let won = match verb {
                "reap" => {
                    // The reaper goes by its own clock, which may be ahead of the holder's.
                    let late = world.now().plus(1_000_000_000);
                    let released = world.store.release_lapsed(late, 100, world.stamp()).await;
                    !released.expect("the reaper never fails").is_empty()
                }
                "delete" => won(world.store.delete_task(&id, None, world.stamp()).await),
                verb => {
                    let request = request(verb);
                    won(world.store.change_task(&id, None, &request, world.stamp()).await)
                }
            };
            won.then_some(verb)
        });
    }
    racing.join_all().await.into_iter().flatten().collect()
}

/// Losing is a refusal; anything else would be a bug.
fn won<T>(answer: Result<T>) -> bool {
    match answer {
        Ok(_) => true,
        Err(StoreError::Refused(_)) => false,
        Err(error) => panic!("neither won nor lost: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_that_accept_the_same_task_wins() {
    let database = OnFile::new().await;
    let world = &database.world;
    for round in 0..ROUNDS {
        let id = format!("t{round}");
        world.hands_in(&id).await.unwrap();
        assert_eq!(race(world, &id, &["accept"; 8]).await, ["accept"], "one of eight");
        let events = world.events(&id).await.unwrap();
        assert_eq!(events, ["created", "claimed", "submitted", "accepted"], "and one event");
    }
    audit::check(world).await.unwrap();
}

/// Each of these ends the claim, so only the first can have found it.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_that_end_the_same_claim_wins() {
    let database = OnFile::new().await;
    let world = &database.world;
    let mut wins: BTreeMap<&str, usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        let id = format!("t{round}");
        world.works_on(&id).await.unwrap();
        let verbs = ["submit", "reap", "requeue", "submit", "reap"];
        let winners = race(world, &id, &verbs).await;
        // A submitted task can still be put back: that is two steps, and no race.
        let told = world.events(&id).await.unwrap().split_off(2);
        let legal: &[&[&str]] = match &*told {
            [one] if one == "submitted" => &[&["submit"]],
            [one] if one == "requeued" => &[&["reap"], &["requeue"]],
            [one, two] if one == "submitted" && two == "requeued" => {
                &[&["submit", "requeue"], &["requeue", "submit"]]
            }
            _ => panic!("history tells of {told:?}, the winners were {winners:?}"),
        };
        assert!(legal.contains(&&*winners), "history tells of {told:?}, but {winners:?} won");
        *wins.entry(winners[0]).or_default() += 1;
        world.deletes(&id).await.unwrap();
    }
    audit::check(world).await.unwrap();
    println!("first winners: {wins:?}");
}

/// Whether the blocker ends before, while or after they are created: nobody waits for ever.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_that_begins_to_wait_while_the_blocker_ends_is_stuck() {
    const DEPENDENTS: usize = 6;
    let database = OnFile::new().await;
    let world = &database.world;
    let mut freed = 0;
    for round in 0..ROUNDS {
        let blocker = format!("blocker-{round}");
        world.hands_in(&blocker).await.unwrap();
        let start = Arc::new(tokio::sync::Barrier::new(DEPENDENTS + 1));
        let mut racing = JoinSet::new();
        for number in 0..DEPENDENTS {
            let (world, start) = (Arc::clone(world), Arc::clone(&start));
            let dependent = new(&format!("{blocker}-{number}"), &blocker);
            racing.spawn(async move {
                start.wait().await;
                // Some come early and some late.
                for _ in 0..number {
                    world.store.get_task(&dependent.id, None).await.err();
                }
                world.store.create_task(dependent, world.stamp()).await.map(drop)
            });
        }
        let (other, id) = (Arc::clone(world), blocker.clone());
        racing.spawn(async move {
            start.wait().await;
            let accept = request("accept");
            other.store.change_task(&id, None, &accept, other.stamp()).await.map(drop)
        });
        for answer in racing.join_all().await {
            answer.expect("neither a creation nor the acceptance fails");
        }
        for number in 0..DEPENDENTS {
            let id = format!("{blocker}-{number}");
            let task = world.reads(&id).await.unwrap();
            assert_eq!(task.blocked_by, None, "{id} waits for a task that is done");
            freed += usize::from(task.version > 1);
        }
    }
    audit::check(world).await.unwrap();
    println!("{freed} of {} had begun to wait before the end", ROUNDS * DEPENDENTS);
}

/// An edit that lost against others is made again on what they left.
#[tokio::test(flavor = "multi_thread")]
async fn edits_of_different_fields_at_once_all_hold() {
    let database = OnFile::new().await;
    let world = &database.world;
    world.creates("a").await.unwrap();
    for round in 0..ROUNDS {
        let bodies = [
            json!({ "title": format!("{round}") }),
            json!({ "pr_number": round }),
            json!({ "content": format!("c{round}") }),
        ];
        let mut racing = JoinSet::new();
        for body in bodies {
            let world = Arc::clone(world);
            racing.spawn(async move {
                let patch = parse_body(body.to_string().as_bytes()).expect("a patch");
                world.store.update_task("a", None, patch, world.stamp()).await
            });
        }
        for answer in racing.join_all().await {
            answer.expect("three edits at once find their turn in three tries");
        }
        let task = world.reads("a").await.unwrap();
        let title = format!("{round}");
        assert_eq!(task.title, Some(title), "the title of round {round}");
        assert_eq!(task.pr_number, i64::try_from(round).ok(), "the number of round {round}");
        assert_eq!(task.content, Some(format!("c{round}")), "the content of round {round}");
    }
    let version = world.reads("a").await.unwrap().version;
    assert_eq!(version, 1 + 3 * i64::try_from(ROUNDS).unwrap(), "no edit was lost");
    audit::check(world).await.unwrap();
}
