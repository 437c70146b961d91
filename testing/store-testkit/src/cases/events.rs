//! Reading the journal: by cursor, through filters, and as far as it is kept.

use octopoid_domain::{
    Millis, Refusal,
    journal::{Cursor, Filter, Start, Types},
};
use octopoid_store::{Events, StoreError};
use serde_json::json;

use crate::{
    Failure, Verdict, World, ensure, ensure_eq,
    world::{DAY, SCOPE, SECOND},
};

cases! {
    events_are_read_in_the_order_of_the_changes,
    a_reader_begins_now_at_the_oldest_or_behind_a_cursor,
    pages_neither_repeat_nor_skip_events,
    events_before_a_cursor_are_read_backwards,
    many_events_of_others_are_passed_over_backwards,
    what_is_no_longer_kept_is_not_read_backwards,
    a_scope_shows_its_own_events_only,
    types_and_tasks_are_filtered,
    many_events_of_others_are_passed_over_in_steps,
    the_events_of_a_task_are_found_from_any_cursor,
    many_events_of_a_task_are_passed_over_in_steps,
    old_events_are_deleted_and_cursors_to_them_refused,
    the_history_of_a_task_is_kept_as_long_as_the_task,
    a_deleted_task_keeps_its_last_event,
    the_last_event_of_all_is_kept,
    a_cursor_of_another_journal_is_refused,
}

fn types(list: &[&str]) -> Result<Filter, Failure> {
    let list: Vec<_> = list.iter().map(|&name| name.to_owned()).collect();
    let types = Types::parse(&list).map_err(StoreError::from)?;
    Ok(Filter { types, task_id: None })
}

fn of_task(id: &str) -> Filter {
    Filter { types: Types::default(), task_id: Some(id.to_owned()) }
}

/// The events of a page: type and subject.
fn lines(page: &Events) -> Vec<String> {
    page.events.iter().map(|event| format!("{} {}", event.name, event.subject.id)).collect()
}

async fn page(world: &World, filter: &Filter, start: Start) -> Result<Events, Failure> {
    Ok(world.store.read_events(Some(SCOPE), filter, start, 500).await?)
}

/// All events of the scope that pass a filter.
async fn read(world: &World, filter: &Filter) -> Result<Vec<String>, Failure> {
    Ok(lines(&page(world, filter, Start::Oldest).await?))
}

/// Everything older than this is deleted.
async fn prunes(world: &World, before: Millis) -> Verdict {
    while world.store.prune_events(before).await? {}
    Ok(())
}

fn is_gone<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Refused(Refusal::EventsGone(_))))
}

async fn events_are_read_in_the_order_of_the_changes(world: &World) -> Verdict {
    world.hands_in("a").await?;
    world.accepts("a").await?;
    let found = page(world, &Filter::default(), Start::Oldest).await?;
    let expected = ["task.created a", "task.claimed a", "task.submitted a", "task.accepted a"];
    ensure_eq!(lines(&found), expected);
    ensure!(found.is_last && found.events.is_sorted_by_key(|event| event.id));
    let event = &found.events[2];
    let shown = (event.scope.as_deref(), &*event.subject.kind, event.version, event.at);
    ensure_eq!(shown, (Some(SCOPE), "task", Some(3), world.now()));
    ensure_eq!(
        (event.queue.as_deref(), event.actor.as_deref()),
        (Some("provisional"), Some("agent-1"))
    );
    // The history is the same events, seen from the task.
    let history = world.history("a").await?;
    let names = found.events.iter().map(|event| event.name.trim_start_matches("task."));
    ensure_eq!(
        history.iter().map(|event| &*event.event).collect::<Vec<_>>(),
        names.collect::<Vec<_>>()
    );
    Ok(())
}

async fn a_reader_begins_now_at_the_oldest_or_behind_a_cursor(world: &World) -> Verdict {
    let empty = page(world, &Filter::default(), Start::Oldest).await?;
    ensure!(empty.events.is_empty() && empty.is_last);
    world.creates("a").await?;
    let now = page(world, &Filter::default(), Start::Now).await?;
    ensure!(now.events.is_empty() && now.is_last, "what was before is not shown");
    world.creates("b").await?;
    let after = page(world, &Filter::default(), Start::After(now.next)).await?;
    ensure_eq!(lines(&after), ["task.created b"]);
    ensure_eq!(after.next, after.events[0].id, "the id of an event is the cursor behind it");
    let all = page(world, &Filter::default(), Start::After(empty.next)).await?;
    ensure_eq!(lines(&all), ["task.created a", "task.created b"]);
    let end = page(world, &Filter::default(), Start::After(after.next)).await?;
    ensure!(end.events.is_empty() && end.next == after.next);
    Ok(())
}

async fn pages_neither_repeat_nor_skip_events(world: &World) -> Verdict {
    world.creates_all(&["a", "b", "c", "d", "e"]).await?;
    let (mut start, mut found, mut pages) = (Start::Oldest, Vec::new(), 0);
    loop {
        let page = world.store.read_events(Some(SCOPE), &Filter::default(), start, 2).await?;
        found.extend(lines(&page));
        (start, pages) = (Start::After(page.next), pages + 1);
        if page.is_last {
            break;
        }
    }
    let expected = ["a", "b", "c", "d", "e"].map(|id| format!("task.created {id}"));
    ensure_eq!(found, expected);
    ensure_eq!(pages, 3);
    Ok(())
}

async fn a_scope_shows_its_own_events_only(world: &World) -> Verdict {
    let nouns = world.nouns();
    world.creates("ours").await?;
    world.creates_with("theirs", json!({"scope": "other"})).await?;
    nouns.creates_project("unscoped", json!({"scope": null})).await;
    ensure_eq!(read(world, &Filter::default()).await?, ["task.created ours"]);
    ensure_eq!(read(world, &of_task("theirs")).await?, [""; 0]);
    let all = world.store.read_events(None, &Filter::default(), Start::Oldest, 500).await?;
    let expected = ["task.created ours", "task.created theirs", "project.created unscoped"];
    ensure_eq!(lines(&all), expected);
    Ok(())
}

async fn types_and_tasks_are_filtered(world: &World) -> Verdict {
    let nouns = world.nouns();
    world.works_on("a").await?;
    world.creates("b").await?;
    nouns.creates_project("p", json!({})).await;
    let claimed = types(&["task.claimed"])?;
    ensure_eq!(read(world, &claimed).await?, ["task.claimed a"]);
    let expected = ["task.created a", "task.claimed a", "task.created b"];
    ensure_eq!(read(world, &types(&["task.*"])?).await?, expected);
    let mixed = types(&["project.*", "task.claimed", "nothing.happened"])?;
    ensure_eq!(read(world, &mixed).await?, ["task.claimed a", "project.created p"]);
    ensure_eq!(read(world, &types(&["nothing.*"])?).await?, [""; 0]);
    ensure_eq!(read(world, &of_task("a")).await?, ["task.created a", "task.claimed a"]);
    // A project that is called like a task is none.
    ensure_eq!(read(world, &of_task("p")).await?, [""; 0]);
    let both = Filter { task_id: Some("a".to_owned()), ..claimed };
    let found = page(world, &both, Start::Oldest).await?;
    ensure_eq!(lines(&found), ["task.claimed a"]);
    let end = page(world, &Filter::default(), Start::Now).await?.next;
    ensure_eq!(found.next, end, "the rest of the journal was examined too");
    // The filter that a stream applies agrees.
    for event in page(world, &Filter::default(), Start::Oldest).await?.events {
        let is_found = event.name == "task.claimed" || event.subject.kind == "project";
        ensure_eq!(mixed.passes(&event), is_found, "{}", event.name);
    }
    Ok(())
}

/// Many events of another scope.
const OTHERS: &str = "INSERT INTO events (scope, kind, subject, event, at) \
     WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL \
     SELECT number + 1 FROM numbers WHERE number < 1200) \
     SELECT 'other', 'message', 'm' || number, 'created', 0 FROM numbers";

async fn many_events_of_others_are_passed_over_in_steps(world: &World) -> Verdict {
    world.creates("first").await?;
    world.runs(OTHERS, Vec::new()).await?;
    world.creates("last").await?;
    let first = page(world, &Filter::default(), Start::Oldest).await?;
    ensure_eq!(lines(&first), ["task.created first"]);
    ensure!(!first.is_last, "a read examines a bounded number of events");
    let second = page(world, &Filter::default(), Start::After(first.next)).await?;
    ensure_eq!(lines(&second), ["task.created last"]);
    ensure!(second.is_last);
    Ok(())
}

async fn the_events_of_a_task_are_found_from_any_cursor(world: &World) -> Verdict {
    world.creates_all(&["a", "b"]).await?;
    for number in 0..11 {
        let id = if number % 4 == 1 { "b" } else { "a" };
        world.patches(id, json!({ "turns_used": number })).await?;
    }
    world.deletes("b").await?;
    let all = page(world, &Filter::default(), Start::Oldest).await?.events;
    let mut starts = vec![Start::Oldest];
    starts.extend(all.iter().map(|event| Start::After(event.id)));
    for id in ["a", "b", "none"] {
        for (passed, start) in starts.iter().enumerate() {
            let expected: Vec<_> =
                all[passed..].iter().filter(|event| event.subject.id == id).map(|e| e.id).collect();
            let found = page(world, &of_task(id), *start).await?;
            let found: Vec<_> = found.events.iter().map(|event| event.id).collect();
            ensure_eq!(found, expected, "{id}, behind {passed}");
            let few = world.store.read_events(Some(SCOPE), &of_task(id), *start, 2).await?;
            ensure_eq!(few.is_last, expected.len() < 2, "{id}, behind {passed}");
            let few: Vec<_> = few.events.iter().map(|event| event.id).collect();
            ensure_eq!(few, expected[..expected.len().min(2)], "{id}, behind {passed}");
        }
    }
    Ok(())
}

async fn many_events_of_a_task_are_passed_over_in_steps(world: &World) -> Verdict {
    const MORE: &str = "INSERT INTO events (scope, kind, subject, seq, event, at) \
         WITH RECURSIVE numbers (number) AS (SELECT 2 UNION ALL \
         SELECT number + 1 FROM numbers WHERE number < 1200) \
         SELECT 's', 'task', 'a', number, 'edited', 0 FROM numbers";
    world.creates_with("a", json!({ "type": "a" })).await?;
    world.runs(MORE, Vec::new()).await?;
    world.runs("UPDATE tasks SET events = 1200", Vec::new()).await?;
    world.picks("a").await?;
    let claims = Filter { task_id: Some("a".to_owned()), ..types(&["task.claimed"])? };
    let first = page(world, &claims, Start::Oldest).await?;
    ensure!(first.events.is_empty() && !first.is_last, "a read examines a bounded number");
    let second = page(world, &claims, Start::After(first.next)).await?;
    ensure_eq!(lines(&second), ["task.claimed a"]);
    ensure!(second.is_last);
    Ok(())
}

/// All events before a cursor that pass a filter, and the number of pages.
async fn read_backwards(
    world: &World,
    filter: &Filter,
    mut before: Cursor,
    limit: i64,
) -> Result<(Vec<String>, usize), Failure> {
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = world.store.read_events_before(SCOPE, filter, before, limit).await?;
        found.extend(lines(&page));
        pages += 1;
        if page.next == before {
            ensure!(page.is_last && page.events.is_empty());
            return Ok((found, pages));
        }
        before = page.next;
    }
}

async fn events_before_a_cursor_are_read_backwards(world: &World) -> Verdict {
    for id in ["a", "b", "c"] {
        world.creates(id).await?;
    }
    world.patches("a", json!({ "title": "A" })).await?;
    world.nouns().creates_project("p", json!({})).await;
    let end = page(world, &Filter::default(), Start::Now).await?.next;
    let mut expected = read(world, &Filter::default()).await?;
    expected.reverse();
    ensure_eq!(expected.len(), 5);
    for limit in [1, 2, 5, 500] {
        let (found, _) = read_backwards(world, &Filter::default(), end, limit).await?;
        ensure_eq!(found, expected, "pages of {limit}");
    }
    let all = page(world, &Filter::default(), Start::Oldest).await?;
    let (found, _) = read_backwards(world, &Filter::default(), all.events[1].id, 500).await?;
    ensure_eq!(found, ["task.created b", "task.created a"], "with the cursor's own event");
    let (found, _) = read_backwards(world, &of_task("a"), end, 1).await?;
    ensure_eq!(found, ["task.edited a", "task.created a"], "of a task");
    let (found, _) =
        read_backwards(world, &types(&["project.*", "task.edited"])?, end, 500).await?;
    ensure_eq!(found, ["project.created p", "task.edited a"], "of some types");
    let (found, pages) = read_backwards(world, &Filter::default(), Cursor(0), 500).await?;
    ensure_eq!((found.len(), pages), (0, 1), "nothing precedes the oldest event");
    let ahead = Cursor(end.0 + 1);
    let refused = world.store.read_events_before(SCOPE, &Filter::default(), ahead, 9).await;
    ensure!(is_gone(&refused), "{refused:?}");
    Ok(())
}

async fn many_events_of_others_are_passed_over_backwards(world: &World) -> Verdict {
    world.creates("own").await?;
    world.runs(OTHERS, Vec::new()).await?;
    let end = page(world, &Filter::default(), Start::Now).await?.next;
    let first = world.store.read_events_before(SCOPE, &Filter::default(), end, 500).await?;
    ensure!(first.events.is_empty() && !first.is_last, "it looks at a thousand events");
    let (found, pages) = read_backwards(world, &Filter::default(), end, 500).await?;
    ensure_eq!((found.join(" "), pages), ("task.created own".to_owned(), 3));
    Ok(())
}

async fn what_is_no_longer_kept_is_not_read_backwards(world: &World) -> Verdict {
    world.creates("a").await?;
    world.nouns().creates_project("old", json!({})).await;
    world.passes(2 * DAY);
    world.creates("b").await?;
    let end = page(world, &Filter::default(), Start::Now).await?.next;
    prunes(world, world.now().plus(-DAY)).await?;
    let (found, _) = read_backwards(world, &Filter::default(), end, 500).await?;
    ensure_eq!(found, ["task.created b"], "the history of a task is no part of the journal then");
    Ok(())
}

async fn old_events_are_deleted_and_cursors_to_them_refused(world: &World) -> Verdict {
    let nouns = world.nouns();
    let start = page(world, &Filter::default(), Start::Now).await?.next;
    nouns.creates_project("old", json!({})).await;
    let middle = page(world, &Filter::default(), Start::Now).await?.next;
    world.passes(2 * DAY);
    world.creates("new").await?;
    prunes(world, world.now().plus(-3 * DAY)).await?;
    let all = page(world, &Filter::default(), Start::After(start)).await?;
    ensure_eq!(lines(&all), ["project.created old", "task.created new"], "nothing is so old");

    prunes(world, world.now().plus(-DAY)).await?;
    let gone =
        world.store.read_events(Some(SCOPE), &Filter::default(), Start::After(start), 9).await;
    ensure!(is_gone(&gone), "{gone:?}");
    let kept = page(world, &Filter::default(), Start::After(middle)).await?;
    ensure_eq!(lines(&kept), ["task.created new"]);
    ensure_eq!(read(world, &Filter::default()).await?, ["task.created new"]);
    prunes(world, world.now().plus(-DAY)).await?;
    ensure_eq!(
        read(world, &Filter::default()).await?,
        ["task.created new"],
        "again changes nothing"
    );
    Ok(())
}

async fn the_history_of_a_task_is_kept_as_long_as_the_task(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.passes(10 * DAY);
    world.creates("b").await?;
    prunes(world, world.now().plus(-DAY)).await?;
    ensure_eq!(world.events("a").await?, ["created", "claimed"]);
    ensure_eq!(
        read(world, &Filter::default()).await?,
        ["task.created b"],
        "followers see recent ones"
    );
    // The retention has passed them; they are deleted when the deletion itself is old.
    world.deletes("a").await?;
    prunes(world, world.now().plus(-DAY)).await?;
    ensure_eq!(world.events("a").await?, ["created", "claimed", "deleted"]);
    world.passes(2 * DAY);
    world.creates("c").await?;
    prunes(world, world.now().plus(-DAY)).await?;
    ensure_eq!(world.events("a").await?, ["deleted"]);
    ensure_eq!(world.events("b").await?, ["created"]);
    Ok(())
}

async fn a_deleted_task_keeps_its_last_event(world: &World) -> Verdict {
    world.works_on("a").await?;
    world.deletes("a").await?;
    world.passes(2 * DAY);
    world.creates("b").await?;
    prunes(world, world.now().plus(-SECOND)).await?;
    ensure_eq!(world.events("a").await?, ["deleted"]);
    let again = world.creates("a").await?;
    ensure_eq!(again.version, 3, "versions of an id never repeat");
    let numbers: Vec<_> = world.history("a").await?.iter().map(|event| event.id).collect();
    ensure_eq!(numbers, [3, 4]);
    Ok(world.deletes("a").await?)
}

async fn the_last_event_of_all_is_kept(world: &World) -> Verdict {
    let nouns = world.nouns();
    nouns.creates_project("p", json!({})).await;
    nouns.creates_project("q", json!({})).await;
    let last = page(world, &Filter::default(), Start::Now).await?.next;
    prunes(world, world.now().plus(DAY)).await?;
    let end = page(world, &Filter::default(), Start::Now).await?;
    ensure_eq!(end.next, last, "positions go on from it");
    ensure_eq!(read(world, &Filter::default()).await?, ["project.created q"]);
    nouns.creates_project("r", json!({})).await;
    let after = page(world, &Filter::default(), Start::After(last)).await?;
    ensure_eq!(lines(&after), ["project.created r"]);
    Ok(())
}

async fn a_cursor_of_another_journal_is_refused(world: &World) -> Verdict {
    world.creates("a").await?;
    let Cursor(end) = page(world, &Filter::default(), Start::Now).await?.next;
    let ahead = Start::After(Cursor(end + 1));
    let refused = world.store.read_events(Some(SCOPE), &Filter::default(), ahead, 9).await;
    ensure!(is_gone(&refused), "{refused:?}");
    Ok(())
}
