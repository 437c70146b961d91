//! Many agents on many servers that want what is most urgent.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use octopoid_domain::{input::parse_body, task::ClaimRequest};
use octopoid_store::{Store, StoreError};
use octopoid_store_testkit::{World, audit, world::SCOPE};
use serde_json::json;

use crate::{Arena, at_once, new_with};

/// How many create at once: few, for they share a pool.
const MAKERS: usize = 16;

fn claim(agent: &str) -> ClaimRequest {
    let body = json!({ "agent_name": agent, "orchestrator_id": "m" });
    parse_body(body.to_string().as_bytes()).expect("a claim")
}

/// Creates tasks of several roles and priorities, many at once.
async fn creates(world: &Arc<World>, tasks: usize) {
    let makers = (0..MAKERS).map(|maker| {
        let world = Arc::clone(world);
        async move {
            for number in (maker..tasks).step_by(MAKERS) {
                let priority = ["P0", "P1", "P2", "P3"][number % 4];
                let fields = json!({ "priority": priority, "type": format!("k{}", number % 3) });
                let new = new_with(&format!("t{number}"), &fields);
                world.store.create_task(new, None, world.stamp()).await?;
            }
            Ok::<_, StoreError>(())
        }
    });
    for made in at_once(makers.collect()).await {
        made.expect("every task is created");
    }
}

/// Lets agents claim until nothing is left, and checks that each task was handed out once, and that
/// none was told there is nothing while there was.
async fn share_out(arena: &Arena, servers: &[Store], agents: usize, tasks: usize) {
    let world = &arena.world;
    creates(world, tasks).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let claimers = (0..agents).map(|agent| {
        let server = servers[agent % servers.len()].clone();
        let (world, begun) = (Arc::clone(world), Arc::clone(&begun));
        async move {
            let (request, mut mine) = (claim(&agent.to_string()), Vec::new());
            loop {
                begun.fetch_add(1, Ordering::SeqCst);
                // An error would be a false conflict: there is a task, or there is none.
                let (secret, stamp) = (world.secret(), world.stamp());
                match server.claim_task(SCOPE, None, &request, &secret, stamp).await? {
                    Some(claimed) => mine.push((claimed.task.id, claimed.task.claim.by)),
                    // This claim is over and took nothing.
                    None => return Ok((mine, begun.fetch_sub(1, Ordering::SeqCst) - 1)),
                }
            }
        }
    });
    let mut holders: BTreeMap<String, Option<String>> = BTreeMap::new();
    for answer in at_once(claimers.collect()).await {
        let (claimed, others): (_, usize) =
            answer.unwrap_or_else(|error: StoreError| panic!("a claim never fails: {error}"));
        // Only what another claim has taken, or is just taking, is not there to be had.
        assert!(
            others >= tasks,
            "told that nothing is left when {others} of {tasks} were asked for"
        );
        for (id, holder) in claimed {
            let other = holders.insert(id.clone(), holder);
            assert_eq!(other, None, "{id} was handed out twice");
        }
    }
    assert_eq!(holders.len(), tasks, "every task was handed out");
    for (id, holder) in holders {
        let task = world.reads(&id).await.unwrap();
        assert_eq!((task.queue, task.claim.by), ("claimed".to_owned(), holder), "{id} is held");
        assert_eq!(world.events(&id).await.unwrap(), ["created", "claimed"], "history of {id}");
    }
    audit::check(world).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_agents_claim_two_thousand_tasks_each_once() {
    let arena = Arena::new().await;
    let server = arena.world.store.clone();
    share_out(&arena, &[server], 64, 2_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_of_three_servers_claim_each_task_once_and_are_never_told_nothing_falsely() {
    let arena = Arena::new().await;
    let servers = arena.servers(3);
    share_out(&arena, &servers, 32, 600).await;
}

/// As many as each claim looks at, in each lane, before it takes whatever is free.
#[tokio::test(flavor = "multi_thread")]
async fn eight_claims_at_once_take_the_eight_most_urgent_tasks() {
    const AT_ONCE: usize = 8;
    const ROUNDS: usize = 40;
    let arena = Arena::new().await;
    let (world, servers) = (&arena.world, arena.servers(2));
    let mut waiting = Vec::new();
    for number in 0..AT_ONCE * ROUNDS {
        // A walk through all of them in no order.
        let (rank, kind) = (number * 7 % 5, number * 11 % 3);
        let priority = ["P0", "P1", "P2", "P3", "odd"][rank];
        let id = format!("t{number:03}");
        world
            .creates_with(&id, json!({ "priority": priority, "type": format!("k{kind}") }))
            .await
            .unwrap();
        waiting.push((rank, id));
    }
    waiting.sort();
    for round in waiting.chunks(AT_ONCE) {
        let claims = (0..AT_ONCE).map(|agent| {
            let server = servers[agent % servers.len()].clone();
            let (secret, stamp) = (world.secret(), world.stamp());
            async move { server.claim_task(SCOPE, None, &claim("a"), &secret, stamp).await }
        });
        let claimed = at_once(claims.collect()).await;
        let claimed =
            claimed.into_iter().map(|answer| answer.unwrap().expect("tasks are left").task.id);
        let mut claimed: Vec<_> = claimed.collect();
        claimed.sort();
        let mut expected: Vec<_> = round.iter().map(|(_, id)| id.clone()).collect();
        expected.sort();
        assert_eq!(claimed, expected, "the most urgent, and of those the oldest");
    }
}
