//! Finding, issuing, replacing and revoking keys.

use octopoid_domain::{
    Millis,
    key::{Grant, Key},
};
use octopoid_store::lists::Page;

use crate::{PAGE, START, World, refusal};

const MINUTE: i64 = 60_000;

fn ids(keys: &[Key]) -> Vec<&str> {
    keys.iter().map(|key| &*key.id).collect()
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_in_whatever_state_it_is() {
    let world = World::new().await;
    assert_eq!(world.store.find_key("h").await.unwrap(), None);
    let grant =
        Grant { scope: "s".into(), label: Some("ci".into()), expires_at: Some(Millis(START + 1)) };
    let issued = world.store.issue_key("h", &grant, world.at(0)).await.unwrap();
    assert!(issued.id.starts_with("key-"), "{}", issued.id);
    assert_eq!((&*issued.scope, issued.label.as_deref()), ("s", Some("ci")));
    assert_eq!((issued.created_at, issued.expires_at), (Millis(START), Some(Millis(START + 1))));
    assert_eq!((issued.last_used_at, issued.revoked_at), (None, None));
    assert_eq!(world.key("h").await, issued);
    let revoked = world.store.revoke_key(&issued.id, Millis(START + 5)).await.unwrap();
    assert_eq!(revoked.revoked_at, Some(Millis(START + 5)));
    assert_eq!(world.key("h").await, revoked);
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_at_most_once_a_minute() {
    let world = World::new().await;
    let id = world.issues("h", "s", None, 0).await.id;
    for (ms, noted) in [(5, 5), (MINUTE, 5), (MINUTE + 5, MINUTE + 5)] {
        world.store.touch_key(&id, Millis(START + ms)).await.unwrap();
        assert_eq!(world.key("h").await.last_used_at, Some(Millis(START + noted)), "{ms}");
    }
}

#[tokio::test]
async fn revoking_twice_keeps_the_first_time() {
    let world = World::new().await;
    let id = world.issues("h", "s", None, 0).await.id;
    world.store.revoke_key(&id, Millis(START + 1)).await.unwrap();
    let again = world.store.revoke_key(&id, Millis(START + 2)).await.unwrap();
    assert_eq!(again.revoked_at, Some(Millis(START + 1)));
    let unknown = world.store.revoke_key("key-0", Millis(START)).await;
    assert_eq!(refusal(unknown), "API key not found");
}

#[tokio::test]
async fn keys_are_listed_by_scope_in_pages() {
    let world = World::new().await;
    let mut own = Vec::new();
    for (hash, scope) in [("1", "a"), ("2", "b"), ("3", "a"), ("4", "a")] {
        let key = world.issues(hash, scope, None, hash.parse().unwrap()).await;
        if scope == "a" {
            own.push(key.id);
        }
    }
    let a = world.store.list_keys(Some("a"), PAGE).await.unwrap();
    assert_eq!((ids(&a.items), a.total), (own.iter().map(|id| &**id).collect(), 3));
    let page = Page { limit: 1, offset: 1 };
    let second = world.store.list_keys(Some("a"), page).await.unwrap();
    assert_eq!((ids(&second.items), second.total), (vec![&*own[1]], 3));
    let all = world.store.list_keys(None, PAGE).await.unwrap();
    assert_eq!((all.items.len(), all.total), (4, 4));
}

#[tokio::test]
async fn a_holder_replaces_the_key_it_came_with_and_no_other() {
    let world = World::new().await;
    let mine = world.issues("mine", "s", Some("laptop"), 0).await;
    let other = world.issues("other", "s", Some("ci"), 1).await;
    let new = world.store.rotate_key("s", Some(&mine.id), "new", world.at(9)).await.unwrap();
    assert_eq!((new.label.as_deref(), new.expires_at), (Some("laptop"), None));
    assert_eq!(world.key("new").await, new);
    assert_eq!(world.key("mine").await.revoked_at, Some(Millis(START + 9)));
    assert_eq!(world.key("other").await, other);
}

#[tokio::test]
async fn a_rotation_keeps_the_expiry() {
    let world = World::new().await;
    let end = Some(Millis(START + MINUTE));
    let grant = Grant { scope: "s".into(), label: None, expires_at: end };
    let old = world.store.issue_key("old", &grant, world.at(0)).await.unwrap();
    let new = world.store.rotate_key("s", Some(&old.id), "new", world.at(1)).await.unwrap();
    assert_eq!(new.expires_at, end);
}

#[tokio::test]
async fn the_administrator_replaces_all_live_keys_of_the_scope() {
    let world = World::new().await;
    let revoked = world.issues("revoked", "s", None, 0).await;
    world.store.revoke_key(&revoked.id, Millis(START)).await.unwrap();
    world.issues("first", "s", Some("first"), 1).await;
    world.issues("last", "s", Some("last"), 2).await;
    let foreign = world.issues("foreign", "t", None, 3).await;
    let new = world.store.rotate_key("s", None, "new", world.at(9)).await.unwrap();
    assert_eq!(new.label.as_deref(), Some("last"));
    assert_eq!(world.key("new").await.revoked_at, None);
    for (hash, at) in [("revoked", 0), ("first", 9), ("last", 9)] {
        assert_eq!(world.key(hash).await.revoked_at, Some(Millis(START + at)), "{hash}");
    }
    assert_eq!(world.key("foreign").await, foreign);
}

#[tokio::test]
async fn there_must_be_a_live_key_to_rotate() {
    let world = World::new().await;
    let text = "No API key found for this scope";
    assert_eq!(refusal(world.store.rotate_key("s", None, "new", world.at(0)).await), text);
    let grant = Grant { scope: "s".into(), label: None, expires_at: Some(Millis(START + 5)) };
    let expired = world.store.issue_key("h", &grant, world.at(0)).await.unwrap();
    let late = world.store.rotate_key("s", Some(&expired.id), "new", world.at(5)).await;
    assert_eq!(refusal(late), text);
    // A key of another scope is none of this scope's.
    let foreign = world.issues("f", "t", None, 0).await;
    let foreign = world.store.rotate_key("s", Some(&foreign.id), "new", world.at(0)).await;
    assert_eq!(refusal(foreign), text);
    assert_eq!(world.store.find_key("new").await.unwrap(), None);
}

#[tokio::test]
async fn of_two_rotations_with_one_key_the_second_finds_none() {
    let world = World::new().await;
    let old = world.issues("old", "s", None, 0).await;
    world.store.rotate_key("s", Some(&old.id), "new", world.at(1)).await.unwrap();
    let again = world.store.rotate_key("s", Some(&old.id), "newer", world.at(2)).await;
    assert_eq!(refusal(again), "No API key found for this scope");
    assert_eq!(world.key("new").await.revoked_at, None);
}
