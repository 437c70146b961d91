//! Webhooks get the events of their scope, in order, through one server at a time.

use std::slice;

use octopoid_domain::webhook::{
    DeliveryResult, Rules, Secret, Webhook, WebhookPatch, attempt::FAILING_MS_MAX,
    message::GATHER_MS,
};
use octopoid_store::lists::Page;
use serde_json::{Value, json};

use crate::{
    Verdict, World, ensure, ensure_eq, ensure_refused,
    nouns::Nouns,
    world::{SCOPE, SECOND, read},
};

cases! {
    a_webhook_is_stored_and_listed,
    a_scope_has_fifty_webhooks_at_most,
    a_webhook_is_changed_and_deleted_in_its_scope_only,
    changes_of_webhooks_are_journaled,
    a_webhook_gets_the_events_that_it_wants_in_their_order,
    a_webhook_that_wants_nothing_is_not_due,
    a_failed_message_is_repeated_under_its_id_until_it_is_delivered,
    a_webhook_that_fails_for_three_days_is_disabled,
    one_server_sends_until_its_lease_ends,
    a_change_of_the_webhook_ends_the_attempt_that_is_under_way,
    an_enabled_webhook_gets_the_events_from_then_on,
    a_replaced_secret_signs_until_its_time_is_over,
    a_test_is_sent_to_its_webhook,
    what_needs_a_person_is_gathered,
    the_log_has_the_last_hundred_messages,
    events_that_are_no_longer_kept_are_passed_over,
}

/// Creates a webhook in the scope of the world. A case has one `Nouns`: another would stamp alike.
async fn hook(nouns: &Nouns, types: &[&str]) -> Webhook {
    nouns.creates_webhook(SCOPE, json!({"types": types})).await
}

async fn changed(world: &World, id: &str, body: Value) -> octopoid_store::Result<Webhook> {
    let patch: WebhookPatch = read(&body)?;
    let changes = patch.into_changes(Rules::default())?;
    world.store.update_webhook(id, None, &changes, world.stamp()).await
}

/// Sends everything that is due now, and returns the types of the messages.
async fn delivered(world: &World, nouns: &Nouns) -> octopoid_store::Result<Vec<String>> {
    let mut names = Vec::new();
    for mut due in nouns.leases_webhooks(world.now()).await {
        while let Some((name, true)) = nouns.sends(&mut due, 204, world.now()).await {
            names.push(name);
        }
        let end = world.store.events_for_webhook(&due).await?.next;
        world.store.release_webhook(&due, end, None).await?;
    }
    Ok(names)
}

async fn a_webhook_is_stored_and_listed(world: &World) -> Verdict {
    let nouns = world.nouns();
    let made = nouns.creates_webhook(SCOPE, json!({"types": ["task.*"], "format": "ntfy"})).await;
    nouns.creates_webhook("other", json!({})).await;
    ensure_eq!(world.store.get_webhook(&made.id, Some(SCOPE)).await?, made);
    let listed = world.store.list_webhooks(SCOPE, &Page::first(10)).await?;
    ensure_eq!(listed.items, slice::from_ref(&made), "those of the scope");
    let answer = world.store.get_webhook(&made.id, Some("other")).await;
    ensure_refused!(answer, "not_found", format!("Webhook {} not found", made.id));
    Ok(())
}

async fn a_scope_has_fifty_webhooks_at_most(world: &World) -> Verdict {
    let nouns = world.nouns();
    for _ in 0..50 {
        nouns.creates_webhook(SCOPE, json!({})).await;
    }
    let text = "Too many webhooks in this scope: at most 50. Delete one that is not needed";
    let refused = nouns.tries_to_create_webhook(SCOPE, json!({})).await;
    ensure_refused!(refused, "invalid_request", text);
    nouns.creates_webhook("other", json!({})).await;
    Ok(())
}

async fn a_webhook_is_changed_and_deleted_in_its_scope_only(world: &World) -> Verdict {
    let nouns = world.nouns();
    let made = hook(&nouns, &[]).await;
    let is =
        changed(world, &made.id, json!({"url": "https://b.example", "format": "slack"})).await?;
    ensure_eq!((&*is.url, is.format.as_str()), ("https://b.example", "slack"));
    ensure_eq!((is.created_at, is.types.len()), (made.created_at, 0), "the rest stays");
    ensure_eq!(changed(world, &made.id, json!({"types": ["a.b"]})).await?.types, ["a.b"]);
    let (store, other) = (&world.store, Some("other"));
    let secret = Secret::new(&[1; 32]);
    let rotated = store.rotate_webhook_secret(&made.id, other, &secret, 0, world.stamp()).await;
    ensure_refused!(rotated, "not_found");
    ensure_refused!(store.test_webhook(&made.id, other, world.stamp()).await, "not_found");
    ensure_refused!(store.delete_webhook(&made.id, other, world.stamp()).await, "not_found");
    let log = store.list_webhook_deliveries(&made.id, other, &Page::first(1)).await;
    ensure_refused!(log, "not_found");
    store.delete_webhook(&made.id, Some(SCOPE), world.stamp()).await?;
    ensure_refused!(store.get_webhook(&made.id, None).await, "not_found");
    Ok(())
}

async fn changes_of_webhooks_are_journaled(world: &World) -> Verdict {
    let nouns = world.nouns();
    let id = hook(&nouns, &["webhook.*"]).await.id;
    changed(world, &id, json!({"format": "discord"})).await?;
    let secret = Secret::new(&[1; 32]);
    world.store.rotate_webhook_secret(&id, None, &secret, 0, world.stamp()).await?;
    world.store.test_webhook(&id, None, world.stamp()).await?;
    let names = delivered(world, &nouns).await?;
    let expected = ["webhook.created", "webhook.updated", "webhook.rotated", "webhook.tested"];
    ensure_eq!(names, expected, "as the webhook itself gets them");
    let second = hook(&nouns, &["webhook.*"]).await;
    world.store.delete_webhook(&id, None, world.stamp()).await?;
    ensure_eq!(delivered(world, &nouns).await?, ["webhook.created", "webhook.deleted"]);
    ensure_eq!(second.scope, SCOPE);
    Ok(())
}

async fn a_webhook_gets_the_events_that_it_wants_in_their_order(world: &World) -> Verdict {
    world.creates("before").await?;
    let nouns = world.nouns();
    hook(&nouns, &["task.created", "task.submitted"]).await;
    nouns.creates_task("elsewhere", json!({"scope": "other"})).await;
    world.hands_in("a").await?;
    world.creates("b").await?;
    let expected = ["task.created", "task.submitted", "task.created"];
    ensure_eq!(delivered(world, &nouns).await?, expected);
    ensure_eq!(delivered(world, &nouns).await?, [""; 0], "each is delivered once");
    world.creates("c").await?;
    ensure_eq!(delivered(world, &nouns).await?, ["task.created"], "and what comes later");
    Ok(())
}

async fn a_webhook_that_wants_nothing_is_not_due(world: &World) -> Verdict {
    let nouns = world.nouns();
    hook(&nouns, &["draft.*"]).await;
    world.works_on("a").await?;
    ensure!(nouns.leases_webhooks(world.now()).await.is_empty(), "none is due");
    Ok(())
}

async fn a_failed_message_is_repeated_under_its_id_until_it_is_delivered(world: &World) -> Verdict {
    let nouns = world.nouns();
    let id = hook(&nouns, &["task.created"]).await.id;
    world.creates_all(&["a", "b"]).await?;
    let mut due = nouns.leases_webhooks(world.now()).await.remove(0);
    let first = nouns.next_message(&due, world.now()).await;
    let sent = nouns.sends(&mut due, 500, world.now()).await;
    ensure_eq!(sent, Some(("task.created".to_owned(), false)), "the lease is over");
    let failing = world.store.get_webhook(&id, None).await?;
    ensure_eq!((failing.attempts, failing.failing_since), (1, Some(world.now())));
    ensure_eq!(failing.retry_at, Some(world.now().plus(5 * SECOND)));
    world.passes(5 * SECOND - 1);
    ensure!(nouns.leases_webhooks(world.now()).await.is_empty(), "it is not due yet");
    world.passes(1);
    let mut due = nouns.leases_webhooks(world.now()).await.remove(0);
    ensure_eq!(nouns.next_message(&due, world.now()).await, first, "the same message");
    let message = first.map(|message| message.id).unwrap_or_default();
    ensure!(nouns.sends(&mut due, 200, world.now()).await.is_some_and(|(_, on)| on));
    let log = world.store.list_webhook_deliveries(&id, Some(SCOPE), &Page::first(9)).await?.items;
    ensure_eq!((log.len(), log[0].attempts, &*log[0].id), (1, 2, &*message));
    ensure_eq!((log[0].result, log[0].status), (DeliveryResult::Delivered, Some(200)));
    ensure_eq!((log[0].attempted_at, &log[0].error), (world.now(), &None));
    let well = world.store.get_webhook(&id, None).await?;
    ensure_eq!((well.attempts, well.failing_since, well.retry_at), (0, None, None));
    ensure!(nouns.sends(&mut due, 200, world.now()).await.is_some(), "then the next message");
    Ok(())
}

async fn a_webhook_that_fails_for_three_days_is_disabled(world: &World) -> Verdict {
    let nouns = world.nouns();
    let id = hook(&nouns, &["task.created"]).await.id;
    let other = hook(&nouns, &["webhook.disabled"]).await.id;
    world.creates("a").await?;
    let mut due = nouns.leases_webhooks(world.now()).await.remove(0);
    nouns.sends(&mut due, 500, world.now()).await;
    world.passes(FAILING_MS_MAX);
    let mut due = nouns.leases_webhooks(world.now()).await.remove(0);
    nouns.sends(&mut due, 503, world.now()).await;
    let disabled = world.store.get_webhook(&id, None).await?;
    let why = "No attempt succeeded for three days. The response has the status 503";
    ensure_eq!((disabled.is_enabled, disabled.disabled_reason.as_deref()), (false, Some(why)));
    let due = nouns.leases_webhooks(world.now()).await;
    ensure_eq!(due.iter().map(|due| &due.webhook.id).collect::<Vec<_>>(), [&other]);
    let message = nouns.next_message(&due[0], world.now()).await;
    let body = message.map(|message| message.body).unwrap_or_default();
    ensure!(body.contains(&id) && body.contains(why), "the journal has it: {body}");
    Ok(())
}

async fn one_server_sends_until_its_lease_ends(world: &World) -> Verdict {
    let nouns = world.nouns();
    hook(&nouns, &["task.created"]).await;
    world.creates("a").await?;
    let mut dead = nouns.leases_webhooks(world.now()).await.remove(0);
    world.passes(15 * SECOND - 1);
    ensure!(nouns.leases_webhooks(world.now()).await.is_empty(), "the lease has not ended");
    world.passes(1);
    let mut due = nouns.leases_webhooks(world.now()).await.remove(0);
    let (first, second) =
        (nouns.next_message(&dead, world.now()).await, nouns.next_message(&due, world.now()).await);
    ensure_eq!(first, second, "the message has the same id");
    let late = nouns.sends(&mut dead, 500, world.now()).await;
    ensure_eq!(late, Some(("task.created".to_owned(), false)), "who is late changes nothing");
    ensure_eq!(world.store.get_webhook(&due.webhook.id, None).await?.attempts, 0);
    ensure_eq!(nouns.sends(&mut due, 200, world.now()).await.map(|sent| sent.1), Some(true));
    Ok(())
}

async fn a_change_of_the_webhook_ends_the_attempt_that_is_under_way(world: &World) -> Verdict {
    let nouns = world.nouns();
    let id = hook(&nouns, &["task.created"]).await.id;
    world.creates("a").await?;
    let mut due = nouns.leases_webhooks(world.now()).await.remove(0);
    changed(world, &id, json!({"is_enabled": false})).await?;
    ensure_eq!(nouns.sends(&mut due, 200, world.now()).await.map(|sent| sent.1), Some(false));
    let log = world.store.list_webhook_deliveries(&id, None, &Page::first(9)).await?;
    ensure!(log.items.is_empty(), "nothing was recorded: {:?}", log.items);
    ensure!(nouns.leases_webhooks(world.now()).await.is_empty(), "it is not due");
    let refused = world.store.test_webhook(&id, None, world.stamp()).await;
    let text = "The webhook is disabled: enable it, then test it";
    ensure_refused!(refused, "invalid_request", text);
    Ok(())
}

async fn an_enabled_webhook_gets_the_events_from_then_on(world: &World) -> Verdict {
    let nouns = world.nouns();
    let id = hook(&nouns, &["task.created"]).await.id;
    world.creates("missed").await?;
    nouns.store.notice_webhooks().await?;
    changed(world, &id, json!({"is_enabled": false})).await?;
    let is = changed(world, &id, json!({"is_enabled": true})).await?;
    ensure!(is.is_enabled);
    ensure_eq!(delivered(world, &nouns).await?, [""; 0]);
    world.creates("a").await?;
    // To enable what is enabled skips nothing.
    changed(world, &id, json!({"is_enabled": true})).await?;
    ensure_eq!(delivered(world, &nouns).await?, ["task.created"]);
    Ok(())
}

async fn a_replaced_secret_signs_until_its_time_is_over(world: &World) -> Verdict {
    let nouns = world.nouns();
    let id = hook(&nouns, &["task.created"]).await.id;
    let (old, new) = (Secret::new(&[7; 32]), Secret::new(&[8; 32]));
    let is = world.store.rotate_webhook_secret(&id, None, &new, SECOND, world.stamp()).await?;
    ensure_eq!(is.old_secret_until, Some(world.now().plus(SECOND)));
    let secrets = async |name: &str| -> octopoid_store::Result<Vec<Secret>> {
        world.creates(name).await?;
        let due = nouns.leases_webhooks(world.now()).await.remove(0);
        world.store.release_webhook(&due, due.position, None).await?;
        Ok(due.secrets)
    };
    ensure_eq!(secrets("a").await?, [new.clone(), old]);
    world.passes(SECOND);
    ensure_eq!(secrets("b").await?, slice::from_ref(&new));
    world.store.rotate_webhook_secret(&id, None, &Secret::new(&[9; 32]), 0, world.stamp()).await?;
    ensure_eq!(secrets("c").await?, [Secret::new(&[9; 32])]);
    Ok(())
}

async fn a_test_is_sent_to_its_webhook(world: &World) -> Verdict {
    let nouns = world.nouns();
    let id = hook(&nouns, &["needs_person"]).await.id;
    hook(&nouns, &["task.*"]).await;
    world.store.test_webhook(&id, Some(SCOPE), world.stamp()).await?;
    ensure_eq!(delivered(world, &nouns).await?, ["webhook.tested"]);
    let log = world.store.list_webhook_deliveries(&id, None, &Page::first(9)).await?;
    ensure_eq!(log.items.len(), 1, "the webhook that was tested");
    Ok(())
}

async fn what_needs_a_person_is_gathered(world: &World) -> Verdict {
    let nouns = world.nouns();
    let id = hook(&nouns, &["needs_person"]).await.id;
    world.hands_in("a").await?;
    world.passes(SECOND);
    world.hands_in("b").await?;
    let due = nouns.leases_webhooks(world.now()).await.remove(0);
    ensure_eq!(nouns.next_message(&due, world.now()).await, None, "more may come");
    let until = world.now().plus(GATHER_MS - SECOND);
    world.store.release_webhook(&due, due.position, Some(until)).await?;
    world.passes(GATHER_MS - SECOND - 1);
    ensure!(nouns.leases_webhooks(world.now()).await.is_empty());
    world.passes(1);
    ensure_eq!(delivered(world, &nouns).await?, ["needs_person"], "both are told at once");
    let log = world.store.list_webhook_deliveries(&id, None, &Page::first(9)).await?;
    ensure_eq!(log.items.len(), 1);
    Ok(())
}

async fn the_log_has_the_last_hundred_messages(world: &World) -> Verdict {
    let nouns = world.nouns();
    let id = hook(&nouns, &["message.*"]).await.id;
    for _ in 0..102 {
        nouns.writes_message(json!({})).await;
    }
    ensure_eq!(delivered(world, &nouns).await?.len(), 102);
    let page = Page::first(500);
    let log = world.store.list_webhook_deliveries(&id, None, &page).await?.items;
    ensure_eq!(log.len(), 100);
    ensure!(log[0].event_at >= log[99].event_at, "the newest first");
    Ok(())
}

async fn events_that_are_no_longer_kept_are_passed_over(world: &World) -> Verdict {
    let nouns = world.nouns();
    hook(&nouns, &["message.*"]).await;
    for _ in 0..3 {
        nouns.writes_message(json!({})).await;
    }
    nouns.store.notice_webhooks().await?;
    while world.store.prune_events(world.now().plus(100 * SECOND)).await? {}
    ensure_eq!(delivered(world, &nouns).await?, ["message.created"], "the last one is kept");
    Ok(())
}
