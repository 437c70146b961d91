//! Lists of tasks.

use octopoid_store::{
    Result,
    lists::{Filter, Page},
};
use serde_json::json;

use crate::{Failure, Verdict, World, ensure_eq, ensure_refused, setting::Flow, world::everything};

cases! {
    a_list_shows_the_newest_first,
    a_list_may_show_the_most_urgent_first,
    a_list_sees_its_own_scope_only,
    a_list_of_queues_shows_those_only,
    a_list_of_many_queues_shows_all_of_them,
    a_list_shows_finished_and_open_tasks_together,
    a_list_filters_by_every_field,
    filters_go_together,
    a_list_of_what_waits_for_a_task_has_nothing_else,
    a_search_finds_titles_and_the_start_of_ids,
    a_list_is_read_in_pages,
    a_list_by_urgency_is_read_in_pages,
    the_total_is_that_of_the_whole_list,
    an_empty_list_is_empty,
    a_cursor_neither_repeats_nor_skips_what_stays,
    a_cursor_is_good_for_its_own_list_only,
    a_cursor_may_begin_at_any_offset,
}

/// Tasks a0, b1, c2, … in this order, each in the queue named, one second apart.
async fn makes(world: &World, queues: &[&str]) -> Result<()> {
    for (number, queue) in queues.iter().enumerate() {
        let fields = json!({ "queue": queue });
        world.creates_with(&format!("{number}"), fields).await?;
    }
    Ok(())
}

fn in_queues(queues: &[&str]) -> Filter {
    Filter { queues: queues.iter().map(|&queue| queue.to_owned()).collect(), ..everything() }
}

async fn ids(world: &World, filter: Filter) -> Result<String> {
    let (ids, total) = world.lists(filter).await?;
    Ok(format!("{} of {total}", ids.join(" ")))
}

/// Within one instant the order of creation decides.
async fn a_list_shows_the_newest_first(world: &World) -> Verdict {
    makes(world, &["incoming"; 5]).await?;
    ensure_eq!(ids(world, everything()).await?, "4 3 2 1 0 of 5", "the newest first");
    Ok(())
}

/// D1 takes five queries in one UNION.
async fn a_list_of_many_queues_shows_all_of_them(world: &World) -> Verdict {
    let queues = ["incoming", "done", "failed", "a", "b", "c", "d", "e", "f", "g", "h", "i"];
    makes(world, &queues).await?;
    for (count, expected) in [(8, "7 6 5 4 3 2 1 0 of 8"), (10, "9 8 7 6 5 4 3 2 1 0 of 10")] {
        let found = ids(world, in_queues(&queues[..count])).await?;
        ensure_eq!(found, expected, "{count} queues, two of them finished");
    }
    Ok(())
}

async fn a_list_may_show_the_most_urgent_first(world: &World) -> Verdict {
    for (id, priority) in [("a", "P2"), ("b", "odd"), ("c", "P0"), ("d", "P3"), ("e", "P0")] {
        let queue = if id == "c" { "done" } else { "incoming" };
        let fields = json!({ "priority": priority, "queue": queue });
        world.creates_with(id, fields).await?;
    }
    let filter = Filter { by_priority: true, ..everything() };
    ensure_eq!(ids(world, filter).await?, "c e a d b of 5", "by priority, then age");
    let filter = Filter { by_priority: true, ..in_queues(&["incoming"]) };
    ensure_eq!(ids(world, filter).await?, "e a d b of 4", "of one queue");
    Ok(())
}

async fn a_list_sees_its_own_scope_only(world: &World) -> Verdict {
    for (id, scope) in [("a", "s"), ("b", "other"), ("c", "S"), ("d", "s")] {
        for queue in ["incoming", "done"] {
            let fields = json!({ "scope": scope, "queue": queue });
            world.creates_with(&format!("{id}-{queue}"), fields).await?;
        }
    }
    let expected = "d-done d-incoming a-done a-incoming of 4";
    ensure_eq!(ids(world, everything()).await?, expected, "its own");
    let filter = Filter { by_priority: true, ..everything() };
    let expected = "a-incoming a-done d-incoming d-done of 4";
    ensure_eq!(ids(world, filter).await?, expected, "its own by priority");
    Ok(())
}

async fn a_list_of_queues_shows_those_only(world: &World) -> Verdict {
    let queues = ["incoming", "done", "claimed", "failed", "done", "backlog", "zebra", "apple"];
    makes(world, &queues).await?;
    for (queues, expected) in [
        (&["incoming"][..], "0 of 1"),
        (&["done"], "4 1 of 2"),
        (&["failed", "claimed"], "3 2 of 2"),
        (&["done", "failed"], "4 3 1 of 3"),
        (&["backlog", "zebra", "apple"], "7 6 5 of 3"),
        (&["done", "done"], "4 1 of 2"),
        (&["apple", "apple", "zebra"], "7 6 of 2"),
        (&["b", "c", "d", "e", "f", "g", "zebra", "apple", "h", "done"], "7 6 4 1 of 4"),
        (&["nothing"], " of 0"),
        (&["nothing", "it's"], " of 0"),
    ] {
        ensure_eq!(ids(world, in_queues(queues)).await?, expected, "in {queues:?}");
    }
    Ok(())
}

/// Names before, between and after `done` and `failed` lie in different parts of the index.
async fn a_list_shows_finished_and_open_tasks_together(world: &World) -> Verdict {
    let queues = [
        "failed",
        "apple",
        "done",
        "easy",
        "incoming",
        "done",
        "\u{e4}",
        "doing",
        "done-ish",
        "fail",
        "failed-again",
        "failed",
        "Done",
        "zebra",
    ];
    makes(world, &queues).await?;
    let expected = "13 12 11 10 9 8 7 6 5 4 3 2 1 0 of 14";
    ensure_eq!(ids(world, everything()).await?, expected, "all of them");
    world.patches("4", json!({ "blocked_by": "x" })).await?;
    world.claims_with(json!({ "queue": "easy" })).await?;
    ensure_eq!(ids(world, everything()).await?, expected, "still in order");
    pages_agree(world, everything()).await
}

async fn a_list_filters_by_every_field(world: &World) -> Verdict {
    world.makes_project("p", "b", None).await?;
    world.registers(Flow::default()).await?;
    for (id, fields) in [
        ("urgent", json!({ "priority": "P0" })),
        ("role", json!({ "role": "r" })),
        ("project", json!({ "project_id": "p" })),
        ("done", json!({ "queue": "done", "priority": "P0", "role": "r", "project_id": "p" })),
        ("held", json!({ "type": "held" })),
        ("flagged", json!({})),
    ] {
        world.creates_with(id, fields).await?;
    }
    world.picks("held").await?;
    world.patches("flagged", json!({ "needs_intervention": true })).await?;
    let text = |text: &str| Some(text.to_owned());
    let list = |text: &str| vec![text.to_owned()];
    for (filter, expected) in [
        (Filter { priorities: list("P0"), ..everything() }, "done urgent of 2"),
        (Filter { roles: list("r"), ..everything() }, "done role of 2"),
        (Filter { project_id: text("p"), ..everything() }, "done project of 2"),
        (Filter { claimed_by: text("agent-1"), ..everything() }, "held of 1"),
        (Filter { needs_intervention: Some(true), ..everything() }, "flagged of 1"),
        (
            Filter { needs_intervention: Some(false), ..everything() },
            "held done project role urgent of 5",
        ),
        (Filter { project_id: text("x"), ..everything() }, " of 0"),
        (Filter { priorities: list("it's"), ..everything() }, " of 0"),
    ] {
        let shown = format!("{filter:?}");
        ensure_eq!(ids(world, filter).await?, expected, "{shown}");
    }
    Ok(())
}

async fn filters_go_together(world: &World) -> Verdict {
    world.makes_project("p", "b", None).await?;
    for (number, queue) in ["incoming", "done", "failed", "incoming"].into_iter().enumerate() {
        for (priority, role) in [("P0", "r"), ("P1", "r"), ("P0", "q")] {
            let fields = json!({
                "queue": queue, "priority": priority, "role": role, "project_id": "p",
            });
            let id = format!("{number}{priority}{role}");
            world.creates_with(&id, fields).await?;
        }
    }
    let filter = Filter {
        priorities: vec!["P0".to_owned(), "P9".to_owned()],
        roles: vec!["r".to_owned()],
        ..in_queues(&["incoming", "done"])
    };
    let expected = "3P0r 1P0r 0P0r of 3";
    ensure_eq!(ids(world, filter.clone()).await?, expected, "newest first");
    let in_project = Filter { project_id: Some("p".to_owned()), ..filter.clone() };
    ensure_eq!(ids(world, in_project.clone()).await?, expected, "of the project");
    let urgent = Filter { by_priority: true, ..in_project };
    ensure_eq!(ids(world, urgent).await?, "0P0r 1P0r 3P0r of 3", "most urgent first");
    let flagged = Filter { needs_intervention: Some(true), ..filter };
    ensure_eq!(ids(world, flagged).await?, " of 0", "and none of them flagged");
    Ok(())
}

async fn a_list_of_what_waits_for_a_task_has_nothing_else(world: &World) -> Verdict {
    world.makes_project("p", "b", None).await?;
    world.creates("first").await?;
    world.creates("second").await?;
    for (id, fields) in [
        ("later", json!({ "blocked_by": "first", "priority": "P3" })),
        ("both", json!({ "blocked_by": "second,first", "priority": "P0", "project_id": "p" })),
        ("other", json!({ "blocked_by": "second" })),
        ("last", json!({ "blocked_by": "first", "priority": "P1", "role": "r" })),
        ("foreign", json!({ "blocked_by": "first", "scope": "elsewhere" })),
    ] {
        world.creates_with(id, fields).await?;
    }
    world.patches("last", json!({ "needs_intervention": true })).await?;
    world.cancels("later").await?;
    let after = |id: &str| Filter { blocked_by: Some(id.to_owned()), ..everything() };
    let first = || after("first");
    for (filter, expected) in [
        (first(), "last both later of 3"),
        (Filter { by_priority: true, ..first() }, "both last later of 3"),
        (Filter { queues: vec!["incoming".to_owned()], ..first() }, "last both of 2"),
        (Filter { queues: vec!["cancelled".to_owned()], ..first() }, "later of 1"),
        (Filter { roles: vec!["r".to_owned()], ..first() }, "last of 1"),
        (Filter { project_id: Some("p".to_owned()), ..first() }, "both of 1"),
        (Filter { needs_intervention: Some(true), ..first() }, "last of 1"),
        (Filter { search: Some("bot".to_owned()), ..first() }, "both of 1"),
        (after("second"), "other both of 2"),
        (after("unknown"), " of 0"),
    ] {
        let shown = format!("{filter:?}");
        ensure_eq!(ids(world, filter).await?, expected, "{shown}");
    }
    for by_priority in [false, true] {
        pages_agree(world, Filter { by_priority, ..first() }).await?;
    }
    world.forces("first", "done").await?;
    ensure_eq!(ids(world, first()).await?, " of 0", "nothing waits for what is done");
    ensure_eq!(ids(world, after("second")).await?, "other both of 2", "the rest goes on waiting");
    Ok(())
}

async fn a_search_finds_titles_and_the_start_of_ids(world: &World) -> Verdict {
    for (id, title, queue) in [
        ("a1", "Fix the Login test", "incoming"),
        ("A2", "100% of \u{c4}pfel_", "done"),
        ("b3", "it's a1's turn \\", "claimed"),
        ("login", "Other", "failed"),
        ("c", "Caf\u{e9} \u{1f419}", "done"),
    ] {
        world.creates_with(id, json!({ "title": title, "queue": queue })).await?;
    }
    world.creates_with("a0", json!({ "title": "Login", "scope": "other" })).await?;
    let search = |text: &str| Filter { search: Some(text.to_owned()), ..everything() };
    for (text, expected) in [
        ("lOGIN", "login a1 of 2"),
        ("a1", "b3 a1 of 2"),
        ("a", "c b3 A2 a1 of 4"),
        ("1", "b3 A2 of 2"),
        ("%", "A2 of 1"),
        ("_", "A2 of 1"),
        ("\\", "b3 of 1"),
        ("t's A", "b3 of 1"),
        ("\u{c4}PFEL", "A2 of 1"),
        ("\u{e4}pfel", " of 0"),
        ("\u{e9} \u{1f419}", "c of 1"),
        (" ", "c b3 A2 a1 of 4"),
        ("z", " of 0"),
    ] {
        ensure_eq!(ids(world, search(text)).await?, expected, "with {text:?}");
    }
    let long = format!("{}{}", "x".repeat(120), "y".repeat(80));
    world.creates_with("long", json!({ "title": format!("a {long} b") })).await?;
    ensure_eq!(ids(world, search(&long)).await?, "long of 1", "200 characters");
    let done = Filter { queues: vec!["done".to_owned()], ..search("a") };
    ensure_eq!(ids(world, done).await?, "c A2 of 2", "of one queue");
    let urgent = Filter { by_priority: true, ..search("login") };
    ensure_eq!(ids(world, urgent).await?, "a1 login of 2", "by priority");
    Ok(())
}

/// Every page of a list, joined, must be the list.
async fn pages_agree(world: &World, filter: Filter) -> Verdict {
    let (whole, total) = world.lists(filter.clone()).await?;
    for limit in [1, 2, 3, 7, 100] {
        let mut joined = Vec::new();
        for offset in (0..total + limit).step_by(usize::try_from(limit).unwrap_or(1)) {
            let page = Page::at(limit, offset);
            let listed = world.store.list_tasks(&filter, &page).await?;
            ensure_eq!(listed.total, Some(total), "the total at {page:?}");
            joined.extend(listed.items.into_iter().map(|task| task.id));
        }
        ensure_eq!(joined, whole, "pages of {limit} of {filter:?}");
    }
    Ok(())
}

async fn a_list_is_read_in_pages(world: &World) -> Verdict {
    let queues = ["done", "incoming", "failed", "done", "backlog", "done", "claimed", "incoming"];
    makes(world, &queues).await?;
    pages_agree(world, everything()).await?;
    pages_agree(world, in_queues(&["done"])).await?;
    pages_agree(world, in_queues(&["incoming", "done", "backlog"])).await?;
    Ok(())
}

async fn a_list_by_urgency_is_read_in_pages(world: &World) -> Verdict {
    for number in 0..10 {
        let fields = json!({ "priority": format!("P{}", number % 4) });
        world.creates_with(&number.to_string(), fields).await?;
    }
    pages_agree(world, Filter { by_priority: true, ..everything() }).await
}

async fn the_total_is_that_of_the_whole_list(world: &World) -> Verdict {
    makes(world, &["incoming", "done", "incoming", "failed"]).await?;
    for (limit, offset, shown) in [(0, 0, 0), (2, 0, 2), (2, 3, 1), (2, 100, 0), (500, 0, 4)] {
        let page = Page::at(limit, offset);
        let listed = world.store.list_tasks(&everything(), &page).await?;
        ensure_eq!((listed.items.len(), listed.total), (shown, Some(4)), "at {page:?}");
    }
    Ok(())
}

async fn an_empty_list_is_empty(world: &World) -> Verdict {
    ensure_eq!(ids(world, everything()).await?, " of 0", "an empty database");
    ensure_eq!(ids(world, in_queues(&["done"])).await?, " of 0", "no finished task");
    Ok(())
}

/// Every list of tasks there is, in a world with a project `p`.
fn every_list() -> Vec<Filter> {
    let text = |text: &str| Some(text.to_owned());
    let list = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let mut filters = vec![
        everything(),
        in_queues(&["incoming"]),
        in_queues(&["done"]),
        in_queues(&["failed", "incoming", "done"]),
        in_queues(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "done", "incoming"]),
        Filter { priorities: list(&["P0", "P2"]), ..everything() },
        Filter { priorities: list(&["P1", "odd"]), ..in_queues(&["incoming", "done"]) },
        Filter { roles: list(&["r"]), ..everything() },
        Filter { project_id: text("p"), ..everything() },
        Filter { project_id: text("p"), roles: list(&["r"]), ..in_queues(&["done"]) },
        Filter { needs_intervention: Some(true), ..everything() },
        Filter { needs_intervention: Some(true), project_id: text("p"), ..everything() },
        Filter { needs_intervention: Some(false), ..in_queues(&["incoming"]) },
        Filter { claimed_by: text("agent-1"), ..everything() },
        Filter { search: text("s-1"), ..everything() },
        Filter { search: text("s-1"), project_id: text("p"), ..in_queues(&["done", "a"]) },
    ];
    let urgent: Vec<_> =
        filters.iter().map(|filter| Filter { by_priority: true, ..filter.clone() }).collect();
    filters.extend(urgent);
    filters
}

/// Tasks of all kinds, of which each list shows some.
async fn makes_all_kinds(world: &World, prefix: &str, count: usize) -> Result<()> {
    for number in 0..count {
        let fields = json!({
            "queue": (["incoming", "done", "failed", "a"][number % 4]),
            "priority": (["P0", "P1", "P2", "P3", "odd"][number % 5]),
            "role": (["r", "q"][number % 2]),
            "project_id": (number % 3 > 0).then_some("p"),
        });
        let id = format!("{prefix}{number}");
        world.creates_with(&id, fields).await?;
        if number % 3 < 2 {
            world.patches(&id, json!({ "needs_intervention": true })).await?;
        }
    }
    Ok(())
}

/// What is there from the first page to the last is on one page, and on no other.
async fn a_cursor_neither_repeats_nor_skips_what_stays(world: &World) -> Verdict {
    world.makes_project("p", "b", None).await?;
    makes_all_kinds(world, "stays-", 24).await?;
    world.claims_with(json!({})).await?;
    for (number, filter) in every_list().into_iter().enumerate() {
        let goes = format!("goes-{number}-");
        makes_all_kinds(world, &goes, 4).await?;
        let (whole, _) = world.lists(filter.clone()).await?;
        let mut page = Page::first(3);
        let mut seen = Vec::new();
        let mut pages = 0;
        loop {
            let listed = world.store.list_tasks(&filter, &page).await?;
            seen.extend(listed.items.into_iter().map(|task| task.id));
            let Some(cursor) = listed.next_cursor else { break };
            page = Page::after(3, cursor);
            // One that was there goes, and one comes.
            if pages < 4 {
                world.deletes(&format!("{goes}{pages}")).await?;
                makes_all_kinds(world, &format!("comes-{number}-{pages}-"), 1).await?;
            }
            pages += 1;
        }
        let stays = |id: &&String| id.starts_with("stays-");
        let expected: Vec<_> = whole.iter().filter(stays).collect();
        let found: Vec<_> = seen.iter().filter(stays).collect();
        ensure_eq!(found, expected, "pages of {filter:?}");
        for pages in 0..4.min(pages) {
            world.deletes(&format!("comes-{number}-{pages}-0")).await?;
        }
        for left in pages.min(4)..4 {
            world.deletes(&format!("{goes}{left}")).await?;
        }
    }
    Ok(())
}

async fn a_cursor_is_good_for_its_own_list_only(world: &World) -> Verdict {
    world.makes_project("p", "b", None).await?;
    makes_all_kinds(world, "t", 12).await?;
    let listed = world.store.list_tasks(&everything(), &Page::first(1)).await?;
    let Some(cursor) = listed.next_cursor else {
        return Err(Failure::new("there is a second page"));
    };
    for other in every_list().into_iter().skip(1) {
        let answer = world.store.list_tasks(&other, &Page::after(1, &*cursor)).await;
        ensure_refused!(answer, "invalid_request");
    }
    let other = Filter { scope: "other".to_owned(), ..everything() };
    let answer = world.store.list_tasks(&other, &Page::after(1, &*cursor)).await;
    ensure_refused!(answer, "invalid_request");
    for made_up in ["", "1", "zz", &cursor[1..], "100000000000000"] {
        let answer = world.store.list_tasks(&everything(), &Page::after(1, made_up)).await;
        ensure_refused!(answer, "invalid_request");
    }
    Ok(())
}

async fn a_cursor_may_begin_at_any_offset(world: &World) -> Verdict {
    world.makes_project("p", "b", None).await?;
    makes_all_kinds(world, "t", 16).await?;
    for filter in every_list() {
        let (whole, total) = world.lists(filter.clone()).await?;
        for offset in 0..=total {
            let start = usize::try_from(offset).unwrap_or_default();
            let first = world.store.list_tasks(&filter, &Page::at(2, offset)).await?;
            let rest = whole.get(start + 2..).unwrap_or_default();
            ensure_eq!(first.next_cursor.is_some(), !rest.is_empty(), "at {offset} of {filter:?}");
            let Some(cursor) = first.next_cursor else { continue };
            let next = world.store.list_tasks(&filter, &Page::after(500, cursor)).await?;
            let ids: Vec<_> = next.items.into_iter().map(|task| task.id).collect();
            ensure_eq!(ids, rest, "behind {offset} of {filter:?}");
            ensure_eq!(next.total, None, "pages behind a cursor are not counted");
        }
    }
    Ok(())
}
