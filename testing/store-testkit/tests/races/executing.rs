//! Actions that many execute at the same moment.

use std::sync::Arc;

use octopoid_store_testkit::audit;
use serde_json::json;

use crate::{Arena, ROUNDS, at_once, won};

const EXECUTORS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_that_execute_the_same_action_wins() {
    let arena = Arena::new().await;
    let nouns = arena.world.nouns();
    for round in 0..ROUNDS {
        let action = nouns.proposes(json!({})).await;
        let executors = (0..EXECUTORS).map(|_| {
            let (world, id) = (Arc::clone(&arena.world), action.id.clone());
            async move { won(world.store.execute_action(&id, None, world.stamp()).await) }
        });
        let winners = at_once(executors.collect()).await.into_iter().filter(|won| *won).count();
        assert_eq!(winners, 1, "round {round}");
    }
    audit::check(&arena.world).await.unwrap();
}
