//! Lists of other nouns that are read by cursor while rows come and go.

use octopoid_domain::heartbeat::HeartbeatRequest;
use octopoid_store::{actions, drafts, lists::Page, messages, orchestrators, projects};
use serde_json::json;

use crate::{Verdict, World, ensure_eq};

cases! {
    projects_are_paged_while_others_come_and_go,
    the_tasks_of_a_project_are_paged_while_others_come,
    drafts_and_actions_are_paged_while_others_come_and_go,
    messages_are_paged_forwards_backwards_and_by_thread,
    orchestrators_that_are_heard_of_stay_on_their_page,
    flows_and_roles_are_paged_by_name,
    keys_are_paged_by_scope,
}

/// The names on all pages of two, with something done after each page but the last.
macro_rules! walked {
    (|$page:ident| $list:expr, |$row:ident| $name:expr) => {
        walked!(|$page| $list, |$row| $name, |_number| {})
    };
    (|$page:ident| $list:expr, |$row:ident| $name:expr, |$number:ident| $meanwhile:block) => {{
        let mut pages: Vec<String> = Vec::new();
        let mut page = Page::first(2);
        loop {
            let $page = &page;
            let listed = $list.await?;
            let names: Vec<String> = listed.items.iter().map(|$row| $name.clone()).collect();
            pages.push(names.join(" "));
            let Some(cursor) = listed.next_cursor else { break };
            page = Page::after(2, cursor);
            let $number = pages.len();
            $meanwhile
        }
        pages.join(" | ")
    }};
}

async fn projects_are_paged_while_others_come_and_go(world: &World) -> Verdict {
    let world = world.nouns();
    for id in ["a", "b", "c", "d", "e"] {
        world.creates_project(id, json!({})).await;
    }
    let filter = projects::Filter { scope: Some("s".to_owned()), ..Default::default() };
    let pages =
        walked!(|page| world.store.list_projects(&filter, page), |project| project.id, |number| {
            world.creates_project(&format!("new-{number}"), json!({})).await;
            // One that was shown goes, and one that was to come.
            for id in ["e", "c"] {
                world.store.delete_project(id, None, world.stamp()).await.ok();
            }
        });
    ensure_eq!(pages, "e d | b a");
    let everywhere = projects::Filter::default();
    let pages = walked!(|page| world.store.list_projects(&everywhere, page), |project| project.id);
    ensure_eq!(pages, "new-1 d | b a");
    Ok(())
}

async fn the_tasks_of_a_project_are_paged_while_others_come(world: &World) -> Verdict {
    let world = world.nouns();
    world.creates_project("p", json!({})).await;
    for (id, priority) in [("t", "P1"), ("u", "P0"), ("v", "P1"), ("w", "odd"), ("x", "P0")] {
        world.creates_task(id, json!({"project_id": "p", "priority": priority})).await;
    }
    let pages = walked!(
        |page| world.store.list_project_tasks("p", None, Some("s"), page),
        |task| task.id,
        |number| {
            let fields = json!({"project_id": "p", "priority": "P0"});
            world.creates_task(&format!("new-{number}"), fields).await;
        }
    );
    ensure_eq!(pages, "x u | v t | w");
    Ok(())
}

async fn drafts_and_actions_are_paged_while_others_come_and_go(world: &World) -> Verdict {
    let world = world.nouns();
    for n in 0..5 {
        world.creates_draft(json!({"title": n.to_string()})).await;
        world.proposes(json!({"label": n.to_string()})).await;
    }
    for scope in [Some("s".to_owned()), None] {
        let author = Some("human".to_owned());
        let filter = drafts::Filter { scope, author, ..Default::default() };
        let pages = walked!(|page| world.store.list_drafts(&filter, page), |draft| draft.title);
        ensure_eq!(pages, "4 3 | 2 1 | 0");
    }
    let filter = drafts::Filter { scope: Some("s".to_owned()), ..Default::default() };
    let pages =
        walked!(|page| world.store.list_drafts(&filter, page), |draft| draft.title, |_number| {
            world.creates_draft(json!({"title": "new"})).await;
            world.store.delete_draft(3, None, world.stamp()).await.ok();
        });
    ensure_eq!(pages, "4 3 | 1 0");
    let (scope, status) = ("s".to_owned(), Some("proposed".to_owned()));
    let filter = actions::Filter { scope, status, ..Default::default() };
    let now = world.stamp().now;
    let pages = walked!(
        |page| world.store.list_actions(&filter, page, now),
        |action| action.label,
        |_number| {
            world.proposes(json!({"label": "new"})).await;
        }
    );
    ensure_eq!(pages, "4 3 | 2 1 | 0");
    Ok(())
}

async fn messages_are_paged_forwards_backwards_and_by_thread(world: &World) -> Verdict {
    let world = world.nouns();
    let root = world.writes_message(json!({"content": "0"})).await;
    for n in 1..5 {
        let fields = json!({"content": n.to_string(), "parent_message_id": root.id});
        world.writes_message(fields).await;
    }
    let filter = messages::Filter { scope: "s".to_owned(), ..Default::default() };
    let pages = walked!(
        |page| world.store.list_newest_messages(&filter, page),
        |message| message.content,
        |_number| {
            world.writes_message(json!({"content": "new"})).await;
        }
    );
    ensure_eq!(pages, "3 4 | 1 2 | 0");
    let pages = walked!(|page| world.store.list_messages(&filter, page), |message| message.content);
    ensure_eq!(pages, "0 1 | 2 3 | 4 new | new");
    let pages =
        walked!(|page| world.store.list_thread(&root.id, "s", page), |message| message.content);
    ensure_eq!(pages, "0 1 | 2 3 | 4");
    // A cursor of the newest goes back wherever it is presented.
    let first = world.store.list_newest_messages(&filter, &Page::first(2)).await?;
    let second = Page::after(2, first.next_cursor.unwrap_or_default());
    let back = world.store.list_messages(&filter, &second).await?;
    let contents: Vec<_> = back.items.into_iter().map(|message| message.content).collect();
    ensure_eq!(contents, ["3", "4"]);
    Ok(())
}

async fn orchestrators_that_are_heard_of_stay_on_their_page(world: &World) -> Verdict {
    let world = world.nouns();
    for machine in ["c", "a", "e", "b", "d"] {
        world.registers(machine, "s", 0).await;
    }
    let filter = orchestrators::Filter { scope: Some("s".to_owned()), ..Default::default() };
    let pages =
        walked!(|page| world.store.list_orchestrators(&filter, page), |found| found.id, |number| {
            // Some that were shown are heard of, and some that are to come.
            for id in ["c-e", "c-a", "c-d"] {
                let at = world.at(100 + i64::try_from(number).unwrap_or_default());
                world.store.note_heartbeat(id, None, &HeartbeatRequest::default(), at).await?;
            }
            world.registers(&format!("a{number}"), "s", 200).await;
        });
    ensure_eq!(pages, "c-a c-b | c-d c-c | c-e");
    let whole = world.store.list_orchestrators(&filter, &Page::first(10)).await?;
    ensure_eq!((whole.total, whole.next_cursor), (Some(7), None));
    Ok(())
}

async fn flows_and_roles_are_paged_by_name(world: &World) -> Verdict {
    let world = world.nouns();
    world.registers("m", "s", 0).await;
    world.registers("n", "t", 0).await;
    for name in ["b", "d", "a", "it's", "c"] {
        world.puts_flow("s", name, json!({}), 0).await;
        world.registers_roles("c-m", json!([{ "name": name }]), 0).await;
        world.registers_roles("c-n", json!([{ "name": name }]), 0).await;
    }
    let pages = walked!(|page| world.store.list_flows("s", page), |flow| flow.name, |number| {
        world.puts_flow("s", &format!("a{number}"), json!({}), 0).await;
        world.store.delete_flow("s", "a", world.stamp()).await.ok();
    });
    ensure_eq!(pages, "a b | c d | it's");
    let pages =
        walked!(|page| world.store.list_roles(Some("t"), page), |role| role.name, |number| {
            let new = json!([{ "name": format!("a{number}") }]);
            world.registers_roles("c-n", new, 0).await;
        });
    ensure_eq!(pages, "a b | c d | it's");
    let pages = walked!(|page| world.store.list_roles(None, page), |role| format!(
        "{}-{}",
        role.name, role.scope
    ));
    ensure_eq!(pages, "a-s a-t | a1-t a2-t | b-s b-t | c-s c-t | d-s d-t | it's-s it's-t");
    Ok(())
}

async fn keys_are_paged_by_scope(world: &World) -> Verdict {
    let world = world.nouns();
    for n in 0..5 {
        world.issues(&n.to_string(), ["a", "b"][n % 2], None, 0).await;
    }
    for (scope, count) in [(None, 5), (Some("a"), 3)] {
        let pages = walked!(|page| world.store.list_keys(scope, page), |key| format!(
            "{}/{}",
            key.scope, key.id
        ));
        let all: Vec<_> = pages.split(" | ").flat_map(|page| page.split(' ')).collect();
        let mut sorted = all.clone();
        sorted.sort_unstable();
        sorted.dedup();
        ensure_eq!((&all, all.len()), (&sorted, count), "{scope:?}");
    }
    Ok(())
}
