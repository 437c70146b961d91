//! Finding, issuing, replacing and revoking keys.

use octopoid_domain::{
    Millis, Refusal,
    key::{BOARD_KEY_LABEL, BOARD_KEY_LIFE_MS, Grant, Key, Permission},
};
use octopoid_store::lists::Page;

use crate::{
    Verdict, World, ensure, ensure_eq,
    nouns::{Nouns, PAGE, START, why},
};

cases! {
    a_key_is_found_by_its_hash_in_whatever_state_it_is,
    the_use_of_a_key_is_noted_at_most_once_a_minute,
    revoking_twice_keeps_the_first_time,
    keys_are_listed_by_scope_in_pages,
    a_holder_replaces_the_key_it_came_with_and_no_other,
    a_rotation_keeps_the_expiry,
    a_key_that_was_rotated_can_be_rotated_again_until_its_overlap_ends,
    with_an_overlap_replaced_keys_work_until_it_ends,
    a_key_has_the_permission_it_was_issued_with,
    the_first_key_of_a_scope_manages_it,
    a_rotation_keeps_the_permission,
    the_key_that_replaces_all_is_like_the_newest_that_permits_the_most,
    a_confined_caller_revokes_no_key_of_another_scope,
    the_administrator_replaces_all_live_keys_of_the_scope,
    there_must_be_a_live_key_to_rotate,
    of_two_rotations_with_one_key_the_second_finds_none,
    a_code_is_exchanged_for_a_key_that_manages_its_scope,
    a_code_is_good_for_one_exchange,
    a_code_that_does_not_count_is_exchanged_for_nothing,
    a_rotation_ends_codes_and_is_not_like_them,
}

const MINUTE: i64 = 60_000;

/// The permissions of keys that are no codes for signing in.
const KEYS: [Permission; 3] = [Permission::Read, Permission::Work, Permission::Manage];

fn ids(keys: &[Key]) -> Vec<&str> {
    keys.iter().map(|key| &*key.id).collect()
}

async fn a_key_is_found_by_its_hash_in_whatever_state_it_is(world: &World) -> Verdict {
    let world = world.nouns();
    ensure_eq!(world.store.find_key("h").await?, None);
    let grant = Grant {
        scope: "s".into(),
        label: Some("ci".into()),
        permission: Permission::Manage,
        expires_at: Some(Millis(START + 1)),
    };
    let issued = world.store.issue_key("h", &grant, world.at(0)).await?;
    ensure!(issued.id.starts_with("key-"), "{}", issued.id);
    ensure_eq!((&*issued.scope, issued.label.as_deref()), ("s", Some("ci")));
    ensure_eq!((issued.created_at, issued.expires_at), (Millis(START), Some(Millis(START + 1))));
    ensure_eq!((issued.last_used_at, issued.revoked_at), (None, None));
    ensure_eq!(world.key("h").await, issued);
    let revoked = world.store.revoke_key(&issued.id, None, world.at(5)).await?;
    ensure_eq!(revoked.revoked_at, Some(Millis(START + 5)));
    ensure_eq!(world.key("h").await, revoked);
    Ok(())
}

async fn the_use_of_a_key_is_noted_at_most_once_a_minute(world: &World) -> Verdict {
    let world = world.nouns();
    let id = world.issues("h", "s", None, 0).await.id;
    for (ms, noted) in [(5, 5), (MINUTE, 5), (MINUTE + 5, MINUTE + 5)] {
        world.store.touch_key(&id, Millis(START + ms)).await?;
        ensure_eq!(world.key("h").await.last_used_at, Some(Millis(START + noted)), "{ms}");
    }
    Ok(())
}

async fn revoking_twice_keeps_the_first_time(world: &World) -> Verdict {
    let world = world.nouns();
    let id = world.issues("h", "s", None, 0).await.id;
    world.store.revoke_key(&id, None, world.at(1)).await?;
    let again = world.store.revoke_key(&id, None, world.at(2)).await?;
    ensure_eq!(again.revoked_at, Some(Millis(START + 1)));
    let unknown = world.store.revoke_key("key-0", None, world.at(0)).await;
    ensure_eq!(why(unknown), "API key not found");
    Ok(())
}

async fn keys_are_listed_by_scope_in_pages(world: &World) -> Verdict {
    let world = world.nouns();
    let mut own = Vec::new();
    for (ms, hash, scope) in [(1, "1", "a"), (2, "2", "b"), (3, "3", "a"), (4, "4", "a")] {
        let key = world.issues(hash, scope, None, ms).await;
        if scope == "a" {
            own.push(key.id);
        }
    }
    let a = world.store.list_keys(Some("a"), &PAGE).await?;
    ensure_eq!((ids(&a.items), a.total), (own.iter().map(|id| &**id).collect(), Some(3)));
    let page = Page::at(1, 1);
    let second = world.store.list_keys(Some("a"), &page).await?;
    ensure_eq!((ids(&second.items), second.total), (vec![&*own[1]], Some(3)));
    let all = world.store.list_keys(None, &PAGE).await?;
    ensure_eq!((all.items.len(), all.total), (4, Some(4)));
    Ok(())
}

async fn a_holder_replaces_the_key_it_came_with_and_no_other(world: &World) -> Verdict {
    let world = world.nouns();
    let mine = world.issues("mine", "s", Some("laptop"), 0).await;
    let other = world.issues("other", "s", Some("ci"), 1).await;
    let new = world.store.rotate_key("s", Some(&mine.id), "new", 0, world.at(9)).await?;
    ensure_eq!((new.label.as_deref(), new.expires_at), (Some("laptop"), None));
    ensure_eq!(world.key("new").await, new);
    ensure_eq!(world.key("mine").await.revoked_at, Some(Millis(START + 9)));
    ensure_eq!(world.key("other").await, other);
    Ok(())
}

async fn with_an_overlap_replaced_keys_work_until_it_ends(world: &World) -> Verdict {
    let world = world.nouns();
    world.issues("mine", "s", None, 0).await;
    let sooner = Grant {
        scope: "s".into(),
        label: None,
        permission: Permission::Read,
        expires_at: Some(Millis(START + MINUTE)),
    };
    world.store.issue_key("sooner", &sooner, world.at(1)).await?;
    let code = Grant { permission: Permission::Login, ..sooner.clone() };
    world.store.issue_key("code", &code, world.at(2)).await?;
    world.store.rotate_key("s", None, "new", 2 * MINUTE, world.at(9)).await?;
    let end = |key: Key| (key.revoked_at, key.ends_at());
    ensure_eq!(end(world.key("mine").await), (None, Some(Millis(START + 9 + 2 * MINUTE))));
    ensure_eq!(end(world.key("sooner").await), (None, Some(Millis(START + MINUTE))), "no later");
    ensure_eq!(world.key("code").await.revoked_at, Some(Millis(START + 9)), "a code at once");
    ensure_eq!(end(world.key("new").await), (None, None));
    Ok(())
}

/// The answer to the first rotation may be lost: the old key is then used again.
async fn a_key_that_was_rotated_can_be_rotated_again_until_its_overlap_ends(
    world: &World,
) -> Verdict {
    let world = world.nouns();
    let grant = Grant {
        scope: "s".into(),
        label: None,
        permission: Permission::Work,
        expires_at: Some(Millis(START + 9 * MINUTE)),
    };
    let old = world.store.issue_key("old", &grant, world.at(0)).await?;
    let rotate = async |hash: &str, overlap_ms, ms| {
        world.store.rotate_key("s", Some(&old.id), hash, overlap_ms, world.at(ms)).await
    };
    for (hash, overlap_ms, ms) in [("first", MINUTE, 1), ("second", 2 * MINUTE, 2)] {
        ensure_eq!(rotate(hash, overlap_ms, ms).await?.expires_at, grant.expires_at, "{hash}");
        let ends = Some(Millis(START + 1 + MINUTE));
        ensure_eq!(world.key("old").await.overlap_ends_at, ends, "the first overlap ends it");
    }
    let late = rotate("third", 0, MINUTE + 1).await;
    ensure_eq!(why(late), "No API key found for this scope");
    ensure_eq!(rotate("third", 0, MINUTE).await?.expires_at, grant.expires_at);
    ensure_eq!(world.key("old").await.revoked_at, Some(Millis(START + MINUTE)));
    Ok(())
}

async fn a_rotation_keeps_the_expiry(world: &World) -> Verdict {
    let world = world.nouns();
    let end = Some(Millis(START + MINUTE));
    let grant =
        Grant { scope: "s".into(), label: None, permission: Permission::Manage, expires_at: end };
    let old = world.store.issue_key("old", &grant, world.at(0)).await?;
    let new = world.store.rotate_key("s", Some(&old.id), "new", 0, world.at(1)).await?;
    ensure_eq!(new.expires_at, end);
    Ok(())
}

/// Issues a key with this hash and permission for the scope `s`.
async fn issues(world: &Nouns, hash: &str, permission: Permission, ms: i64) -> Key {
    let label = Some(hash.to_owned());
    let grant = Grant { scope: "s".into(), label, permission, expires_at: None };
    world.store.issue_key(hash, &grant, world.at(ms)).await.expect("a key can be issued")
}

async fn a_key_has_the_permission_it_was_issued_with(world: &World) -> Verdict {
    let world = world.nouns();
    for permission in Permission::ALL {
        let hash = permission.as_str();
        ensure_eq!(issues(&world, hash, permission, 0).await.permission, permission);
        ensure_eq!(world.key(hash).await.permission, permission);
    }
    let listed = world.store.list_keys(Some("s"), &PAGE).await?.items;
    let mut listed: Vec<_> = listed.iter().map(|key| key.permission).collect();
    listed.sort_unstable();
    ensure_eq!(listed, Permission::ALL);
    Ok(())
}

async fn the_first_key_of_a_scope_manages_it(world: &World) -> Verdict {
    let world = world.nouns();
    world.registers("m", "s", 0).await;
    let listed = world.store.list_keys(Some("s"), &PAGE).await?.items;
    let permissions: Vec<_> = listed.iter().map(|key| key.permission).collect();
    ensure_eq!(permissions, [Permission::Manage]);
    Ok(())
}

async fn a_rotation_keeps_the_permission(world: &World) -> Verdict {
    let world = world.nouns();
    issues(&world, "other", Permission::Manage, 9).await;
    for permission in KEYS {
        let hash = permission.as_str();
        let old = issues(&world, hash, permission, 0).await;
        let new = format!("{hash} new");
        let rotated = world.store.rotate_key("s", Some(&old.id), &new, 0, world.at(1)).await?;
        ensure_eq!(rotated.permission, permission);
        ensure_eq!(world.key(&new).await, rotated);
    }
    Ok(())
}

async fn the_key_that_replaces_all_is_like_the_newest_that_permits_the_most(
    world: &World,
) -> Verdict {
    let world = world.nouns();
    let (read, work, manage) = (Permission::Read, Permission::Work, Permission::Manage);
    for (start, replaced, expected) in [
        (0, &[("1", read)][..], ("1", read)),
        (10, &[("2", read), ("3", work), ("4", read)], ("3", work)),
        (20, &[("5", manage), ("6", manage), ("7", work)], ("6", manage)),
    ] {
        for (place, (hash, permission)) in (1..).zip(replaced) {
            issues(&world, hash, *permission, start + place).await;
        }
        let hash = format!("new {start}");
        let new = world.store.rotate_key("s", None, &hash, 0, world.at(start + 9)).await?;
        ensure_eq!((new.label.as_deref(), new.permission), (Some(expected.0), expected.1));
        // The next keys replace only each other.
        world.store.revoke_key(&new.id, None, world.at(start + 9)).await?;
    }
    Ok(())
}

async fn a_confined_caller_revokes_no_key_of_another_scope(world: &World) -> Verdict {
    let world = world.nouns();
    let key = world.issues("h", "s", None, 0).await;
    let refused = world.store.revoke_key(&key.id, Some("t"), world.at(1)).await;
    ensure_eq!(why(refused), "API key not found");
    ensure_eq!(world.key("h").await, key);
    let revoked = world.store.revoke_key(&key.id, Some("s"), world.at(2)).await?;
    ensure_eq!(revoked.revoked_at, Some(Millis(START + 2)));
    Ok(())
}

async fn the_administrator_replaces_all_live_keys_of_the_scope(world: &World) -> Verdict {
    let world = world.nouns();
    let revoked = world.issues("revoked", "s", None, 0).await;
    world.store.revoke_key(&revoked.id, None, world.at(0)).await?;
    world.issues("first", "s", Some("first"), 1).await;
    world.issues("last", "s", Some("last"), 2).await;
    let foreign = world.issues("foreign", "t", None, 3).await;
    let new = world.store.rotate_key("s", None, "new", 0, world.at(9)).await?;
    ensure_eq!(new.label.as_deref(), Some("last"));
    ensure_eq!(world.key("new").await.revoked_at, None);
    for (hash, at) in [("revoked", 0), ("first", 9), ("last", 9)] {
        ensure_eq!(world.key(hash).await.revoked_at, Some(Millis(START + at)), "{hash}");
    }
    ensure_eq!(world.key("foreign").await, foreign);
    Ok(())
}

async fn there_must_be_a_live_key_to_rotate(world: &World) -> Verdict {
    let world = world.nouns();
    let text = "No API key found for this scope";
    ensure_eq!(why(world.store.rotate_key("s", None, "new", 0, world.at(0)).await), text);
    let grant = Grant {
        scope: "s".into(),
        label: None,
        permission: Permission::Manage,
        expires_at: Some(Millis(START + 5)),
    };
    let expired = world.store.issue_key("h", &grant, world.at(0)).await?;
    let late = world.store.rotate_key("s", Some(&expired.id), "new", 0, world.at(5)).await;
    ensure_eq!(why(late), text);
    // A key of another scope is none of this scope's.
    let foreign = world.issues("f", "t", None, 0).await;
    let foreign = world.store.rotate_key("s", Some(&foreign.id), "new", 0, world.at(0)).await;
    ensure_eq!(why(foreign), text);
    ensure_eq!(world.store.find_key("new").await?, None);
    Ok(())
}

async fn of_two_rotations_with_one_key_the_second_finds_none(world: &World) -> Verdict {
    let world = world.nouns();
    let old = world.issues("old", "s", None, 0).await;
    world.store.rotate_key("s", Some(&old.id), "new", 0, world.at(1)).await?;
    let again = world.store.rotate_key("s", Some(&old.id), "newer", 0, world.at(2)).await;
    ensure_eq!(why(again), "No API key found for this scope");
    ensure_eq!(world.key("new").await.revoked_at, None);
    Ok(())
}

/// Issues a code for signing in with this hash, which expires a minute after the start.
async fn issues_code(world: &Nouns, hash: &str, ms: i64) -> Key {
    let expires_at = Some(Millis(START + MINUTE));
    let grant = Grant { scope: "s".into(), label: None, permission: Permission::Login, expires_at };
    world.store.issue_key(hash, &grant, world.at(ms)).await.expect("a code can be issued")
}

async fn a_code_is_exchanged_for_a_key_that_manages_its_scope(world: &World) -> Verdict {
    let world = world.nouns();
    let code = issues_code(&world, "code", 0).await;
    let other = issues_code(&world, "other", 0).await;
    let new = world.store.sign_in("code", "new", world.at(5)).await?;
    ensure_eq!((&*new.scope, new.permission), ("s", Permission::Manage));
    ensure_eq!(new.label.as_deref(), Some(BOARD_KEY_LABEL));
    ensure_eq!((new.created_at, new.revoked_at), (Millis(START + 5), None));
    ensure_eq!(new.expires_at, Some(Millis(START + 5 + BOARD_KEY_LIFE_MS)));
    ensure_eq!(world.key("new").await, new);
    let used = Some(Millis(START + 5));
    ensure_eq!(world.key("code").await, Key { revoked_at: used, last_used_at: used, ..code });
    ensure_eq!(world.key("other").await, other);
    Ok(())
}

async fn a_code_is_good_for_one_exchange(world: &World) -> Verdict {
    let world = world.nouns();
    issues_code(&world, "code", 0).await;
    world.store.sign_in("code", "new", world.at(1)).await?;
    let used = world.key("code").await;
    ensure_eq!(why(world.store.sign_in("code", "newer", world.at(2)).await), invalid_code());
    ensure_eq!(world.store.find_key("newer").await?, None);
    ensure_eq!(world.key("code").await, used);
    Ok(())
}

async fn a_code_that_does_not_count_is_exchanged_for_nothing(world: &World) -> Verdict {
    let world = world.nouns();
    let revoked = issues_code(&world, "revoked", 0).await;
    world.store.revoke_key(&revoked.id, None, world.at(0)).await?;
    issues_code(&world, "expired", 0).await;
    for permission in KEYS {
        issues(&world, permission.as_str(), permission, 0).await;
    }
    for hash in ["revoked", "expired", "unknown", "read", "work", "manage"] {
        let before = world.store.find_key(hash).await?;
        let refused = world.store.sign_in(hash, "new", world.at(MINUTE)).await;
        ensure_eq!(why(refused), invalid_code(), "{hash}");
        ensure_eq!(world.store.find_key(hash).await?, before, "{hash}");
    }
    ensure_eq!(world.store.find_key("new").await?, None);
    Ok(())
}

fn invalid_code() -> String {
    Refusal::InvalidCode.to_string()
}

async fn a_rotation_ends_codes_and_is_not_like_them(world: &World) -> Verdict {
    let world = world.nouns();
    let code = issues_code(&world, "code", 9).await;
    let text = "No API key found for this scope";
    ensure_eq!(why(world.store.rotate_key("s", None, "new", 0, world.at(10)).await), text);
    ensure_eq!(world.key("code").await, code);
    issues(&world, "read", Permission::Read, 0).await;
    let new = world.store.rotate_key("s", None, "new", 0, world.at(10)).await?;
    ensure_eq!(new.permission, Permission::Read);
    ensure_eq!(world.key("code").await.revoked_at, Some(Millis(START + 10)));
    Ok(())
}
