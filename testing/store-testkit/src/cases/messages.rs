//! Messages and their threads.

use octopoid_domain::message::Message;
use octopoid_store::{
    Result,
    lists::{Listed, Page},
    messages::Filter,
};
use serde_json::json;

use crate::{
    Verdict, World, ensure, ensure_eq,
    nouns::{PAGE, why},
};

cases! {
    without_a_stretch_the_newest_messages_are_listed_in_order,
    messages_are_filtered_by_task_reader_kind_and_replies,
    a_parent_must_be_of_the_same_scope_and_task,
    a_thread_is_the_root_and_everything_below_it,
}

fn contents(listed: &Listed<Message>) -> Vec<&str> {
    listed.items.iter().map(|message| &*message.content).collect()
}

async fn without_a_stretch_the_newest_messages_are_listed_in_order(world: &World) -> Verdict {
    let world = world.nouns();
    for n in 0..7 {
        world.writes_message(json!({"content": n.to_string(), "to_actor": "human"})).await;
    }
    let filter =
        Filter { scope: "s".to_owned(), to_actor: Some("human".to_owned()), ..Default::default() };
    let newest = world.store.list_newest_messages(&filter, &Page::first(3)).await?;
    ensure_eq!((contents(&newest), newest.total), (vec!["4", "5", "6"], Some(7)));
    let stretch = world.store.list_messages(&filter, &Page::at(2, 1)).await?;
    ensure_eq!((contents(&stretch), stretch.total), (vec!["1", "2"], Some(7)));
    Ok(())
}

async fn messages_are_filtered_by_task_reader_kind_and_replies(world: &World) -> Verdict {
    let world = world.nouns();
    let root = world.writes_message(json!({"content": "root", "to_actor": "fixer"})).await;
    world.writes_message(json!({"content": "reply", "parent_message_id": root.id})).await;
    world.writes_message(json!({"content": "other", "task_id": 5, "type": "warning"})).await;
    world.writes_message(json!({"content": "foreign", "scope": "x"})).await;
    let found = async |filter: Filter| {
        let filter = Filter { scope: "s".to_owned(), ..filter };
        let listed = world.store.list_newest_messages(&filter, &PAGE).await?;
        Result::Ok(contents(&listed).join(" "))
    };
    let all = Filter::default();
    let some = |text: &str| Some(text.to_owned());
    ensure_eq!(found(all.clone()).await?, "root reply other");
    ensure_eq!(found(Filter { task_id: some("5"), ..all.clone() }).await?, "other");
    ensure_eq!(found(Filter { kind: some("warning"), ..all.clone() }).await?, "other");
    let both = Filter { task_id: some("t"), to_actor: some("fixer"), ..all.clone() };
    ensure_eq!(found(both).await?, "root");
    let reader = Filter { to_actor: some("fixer"), ..all.clone() };
    ensure_eq!(found(Filter { is_unreplied: true, ..reader }).await?, "");
    ensure_eq!(found(Filter { is_unreplied: true, ..all }).await?, "reply other");
    Ok(())
}

async fn a_parent_must_be_of_the_same_scope_and_task(world: &World) -> Verdict {
    let world = world.nouns();
    let root = world.writes_message(json!({})).await;
    let missing = world.tries_to_write_message(json!({"parent_message_id": "msg-0"})).await;
    ensure_eq!(why(missing), "Parent message not found: msg-0");
    let foreign = json!({"scope": "x", "parent_message_id": root.id});
    let foreign = world.tries_to_write_message(foreign).await;
    ensure_eq!(why(foreign), format!("Parent message not found: {}", root.id));
    let other = json!({"task_id": "u", "parent_message_id": root.id});
    let other = world.tries_to_write_message(other).await;
    ensure_eq!(why(other), "Parent message belongs to a different task");
    Ok(())
}

async fn a_thread_is_the_root_and_everything_below_it(world: &World) -> Verdict {
    let world = world.nouns();
    let mut ids = vec![world.writes_message(json!({})).await.id];
    world.writes_message(json!({"content": "beside"})).await;
    for parent in [0, 1, 0, 2] {
        let reply = world.writes_message(json!({"parent_message_id": ids[parent]})).await;
        ids.push(reply.id);
    }
    let thread = world.store.list_thread(&ids[0], "s", &PAGE).await?.items;
    ensure_eq!(thread.into_iter().map(|message| message.id).collect::<Vec<_>>(), ids);
    ensure_eq!(world.store.list_thread(&ids[2], "s", &PAGE).await?.items.len(), 2);
    ensure!(world.store.list_thread(&ids[0], "x", &PAGE).await?.items.is_empty());
    ensure!(world.store.list_thread("none", "s", &PAGE).await?.items.is_empty());
    Ok(())
}
