//! Servers that send to the same webhooks at the same moment.

use std::{collections::BTreeMap, sync::Arc};

use octopoid_store_testkit::world::SCOPE;
use serde_json::json;

use crate::{Arena, at_once};

const SERVERS: usize = 4;
const HOOKS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn of_many_servers_one_sends_to_a_webhook() {
    let arena = Arena::new().await;
    let nouns = arena.world.nouns();
    for _ in 0..HOOKS {
        nouns.creates_webhook(SCOPE, json!({"types": ["task.*"]})).await;
    }
    for round in 0..10 {
        arena.world.creates(&format!("t{round}")).await.unwrap();
        let servers = arena.servers(SERVERS).into_iter().map(|store| {
            let world = Arc::clone(&arena.world);
            async move {
                store.notice_webhooks().await.unwrap();
                store.lease_webhooks(100, world.stamp()).await.unwrap()
            }
        });
        let mut leased = BTreeMap::new();
        for due in at_once(servers.collect()).await.into_iter().flatten() {
            *leased.entry(due.webhook.id.clone()).or_insert(0) += 1;
            let end = arena.world.store.events_for_webhook(&due).await.unwrap().next;
            arena.world.store.release_webhook(&due, end, None).await.unwrap();
        }
        assert_eq!(leased.len(), HOOKS, "round {round}: all are noticed");
        assert!(leased.values().all(|times| *times == 1), "round {round}: {leased:?}");
    }
}
