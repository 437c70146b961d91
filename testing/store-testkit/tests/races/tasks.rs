//! Many at once who want to change the same task.

use std::{collections::BTreeMap, sync::Arc};

use octopoid_domain::input::parse_body;
use octopoid_store::lapses::Lapses;
use octopoid_store_testkit::{World, audit};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{Arena, ROUNDS, at_once, request, won};

/// Lets some happen at once, and returns the names of those that were not refused.
async fn race(world: &Arc<World>, id: &str, verbs: &[&'static str]) -> Vec<&'static str> {
    let racers = verbs.iter().map(|&verb| {
        let (world, id) = (Arc::clone(world), id.to_owned());
        async move {
            let won = match verb {
                "reap" => {
                    // The reaper goes by its own clock, which may be ahead of the holder's.
                    let late = world.now().plus(1_000_000_000);
                    let mut lapses = Lapses::before(late);
                    let page = world.store.release_lapsed(&mut lapses, 100, world.stamp()).await;
                    !page.expect("the reaper never fails").tasks.is_empty()
                }
                verb => {
                    let request = request(verb);
                    won(world.store.change_task(&id, None, &request, world.stamp()).await)
                }
            };
            won.then_some(verb)
        }
    });
    at_once(racers.collect()).await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_that_accept_the_same_task_wins() {
    let arena = Arena::new().await;
    let world = &arena.world;
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
    let arena = Arena::new().await;
    let world = &arena.world;
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

/// An edit that lost against others is made again on what they left.
#[tokio::test(flavor = "multi_thread")]
async fn edits_of_different_fields_at_once_all_hold() {
    let arena = Arena::new().await;
    let world = &arena.world;
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
