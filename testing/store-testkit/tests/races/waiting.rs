//! Who waits for a task that somebody finishes, deletes or creates at that moment.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use octopoid_domain::{input::parse_body, task::TaskPatch};
use octopoid_store::Result;
use octopoid_store_testkit::{World, audit, verdict};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{Arena, ROUNDS, at_once, new, request, won};

type Racer = BoxFuture<'static, Result<()>>;

fn creates(world: &Arc<World>, id: &str, blocked_by: &str) -> Racer {
    let (world, new) = (Arc::clone(world), new(id, blocked_by));
    async move { world.store.create_task(new, None, world.stamp()).await.map(drop) }.boxed()
}

fn accepts(world: &Arc<World>, id: &str) -> Racer {
    let (world, id) = (Arc::clone(world), id.to_owned());
    async move {
        world.store.change_task(&id, None, &request("accept"), world.stamp()).await.map(drop)
    }
    .boxed()
}

fn deletes(world: &Arc<World>, id: &str) -> Racer {
    let (world, id) = (Arc::clone(world), id.to_owned());
    async move { world.store.delete_task(&id, None, world.stamp()).await.map(drop) }.boxed()
}

/// Gives a task other blockers.
fn edits(world: &Arc<World>, id: &str, blocked_by: &str) -> Racer {
    let (world, id) = (Arc::clone(world), id.to_owned());
    let body = json!({ "blocked_by": blocked_by });
    let patch: TaskPatch = parse_body(body.to_string().as_bytes()).expect("a patch");
    async move { world.store.update_task(&id, None, patch, world.stamp()).await.map(drop) }.boxed()
}

/// Two blockers that can be accepted, and the name of a task to wait for them.
async fn two_blockers(world: &World, round: usize) -> (String, String, String) {
    let (first, second, id) = (format!("a{round}"), format!("b{round}"), format!("c{round}"));
    for blocker in [&first, &second] {
        world.hands_in(blocker).await.unwrap();
    }
    (first, second, id)
}

/// None of these races has a loser.
async fn all_win(racers: Vec<Racer>) {
    for answer in at_once(racers).await {
        answer.expect("nobody is in anybody's way");
    }
}

/// Whether the blocker ends before, while or after they are created: nobody waits for ever.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_that_begins_to_wait_while_the_blocker_ends_is_stuck() {
    const DEPENDENTS: usize = 6;
    let arena = Arena::new().await;
    let world = &arena.world;
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
                world.store.create_task(dependent, None, world.stamp()).await.map(drop)
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

/// The blocker does not know who waits, unless the one sees the other.
#[tokio::test(flavor = "multi_thread")]
async fn who_begins_to_wait_while_the_blocker_is_created_is_freed_by_its_end() {
    let arena = Arena::new().await;
    let world = &arena.world;
    for round in 0..ROUNDS {
        let (blocker, made, edited) =
            (format!("b{round}"), format!("made-{round}"), format!("edited-{round}"));
        world.creates(&edited).await.unwrap();
        all_win(vec![
            creates(world, &made, &blocker),
            creates(world, &blocker, ""),
            edits(world, &edited, &blocker),
        ])
        .await;
        world.forces(&blocker, "done").await.unwrap();
        for id in [made, edited] {
            let task = world.reads(&id).await.unwrap();
            assert_eq!(task.blocked_by, None, "{id} waits for a task that is done");
        }
    }
    audit::check(world).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_blockers_end_at_the_same_moment_is_free() {
    let arena = Arena::new().await;
    let world = &arena.world;
    for round in 0..ROUNDS {
        let (first, second, id) = two_blockers(world, round).await;
        let waiting = json!({ "blocked_by": format!("{first},{second}") });
        world.creates_with(&id, waiting).await.unwrap();
        all_win(vec![accepts(world, &first), accepts(world, &second)]).await;
        let task = world.reads(&id).await.unwrap();
        assert_eq!((task.blocked_by, task.version), (None, 3), "{id} still waits");
        let events = world.events(&id).await.unwrap();
        assert_eq!(events, ["created", "unblocked", "unblocked"], "history of {id}");
    }
    audit::check(world).await.unwrap();
}

/// The edit takes a blocker away, keeps it or brings another one; whatever ends frees the task.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_blockers_are_edited_while_one_ends_waits_for_what_is_left() {
    let arena = Arena::new().await;
    let world = &arena.world;
    for round in 0..ROUNDS {
        let (first, second, id) = two_blockers(world, round).await;
        let (before, after, left) = match round % 3 {
            0 => (first.clone(), format!("{first},{second}"), Some(second.clone())),
            1 => (second.clone(), first.clone(), None),
            _ => (String::new(), format!("{second},{first}"), Some(second.clone())),
        };
        world.creates_with(&id, json!({ "blocked_by": before })).await.unwrap();
        all_win(vec![edits(world, &id, &after), accepts(world, &first)]).await;
        let task = world.reads(&id).await.unwrap();
        assert_eq!(task.blocked_by, left, "what {id} waits for, {before} and then {after}");
    }
    audit::check(world).await.unwrap();
}

/// Each begins to wait for the next, and one of them comes too late.
#[tokio::test(flavor = "multi_thread")]
async fn of_edits_that_would_close_a_cycle_together_one_is_refused() {
    let arena = Arena::new().await;
    let world = &arena.world;
    for round in 0..ROUNDS {
        let (first, second) = (format!("a{round}"), format!("b{round}"));
        world.creates_all(&[&first, &second]).await.unwrap();
        let racers = vec![edits(world, &first, &second), edits(world, &second, &first)];
        let answers = at_once(racers).await;
        let codes: Vec<_> = answers.iter().filter_map(verdict::code).collect();
        assert_eq!(codes, ["dependency_cycle"], "{answers:?}");
        // A cycle over a third task, which waits for one of the two already.
        let (near, far) = (format!("e{round}"), format!("g{round}"));
        world.creates_all(&[&near, &far]).await.unwrap();
        let between = format!("f{round}");
        world.creates_with(&between, json!({ "blocked_by": far })).await.unwrap();
        let racers = vec![edits(world, &near, &between), edits(world, &far, &near)];
        let answers = at_once(racers).await;
        let codes: Vec<_> = answers.iter().filter_map(verdict::code).collect();
        assert_eq!(codes, ["dependency_cycle"], "{answers:?}");
        let (made, other) = (format!("c{round}"), format!("d{round}"));
        let answers =
            at_once(vec![creates(world, &made, &other), creates(world, &other, &made)]).await;
        let codes: Vec<_> = answers.iter().filter_map(verdict::code).collect();
        assert_eq!(codes, ["dependency_cycle"], "{answers:?}");
    }
    audit::check(world).await.unwrap();
}

/// Each creation is told, each deletion too, and the history of both has no gap.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_created_and_deleted_by_many_at_once_has_a_dense_history() {
    let arena = Arena::new().await;
    let world = &arena.world;
    for round in 0..ROUNDS {
        let id = format!("t{round}");
        let mut racers = Vec::new();
        for _ in 0..3 {
            racers.push(creates(world, &id, ""));
            racers.push(deletes(world, &id));
        }
        let won: Vec<_> = at_once(racers).await.into_iter().map(won).collect();
        let wins = won.iter().filter(|won| **won).count();
        let history = world.history(&id).await.unwrap();
        assert_eq!(history.len(), wins, "{id} tells as much as was answered: {history:?}");
        for (index, event) in history.iter().enumerate() {
            let expected = ["created", "deleted"][index % 2];
            assert_eq!(event.event, expected, "{id} is created and deleted by turns");
        }
        let is_there = world.reads(&id).await.is_ok();
        assert_eq!(is_there, wins % 2 == 1, "{id} is there if it was created last");
    }
    audit::check(world).await.unwrap();
}
