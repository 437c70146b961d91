//! Listing scopes.

use octopoid_domain::scope::{COUNT_OF_EACH_MAX, SCOPES_MAX, Scope};
use octopoid_store::Sql;
use serde_json::json;

use crate::{Verdict, World, ensure, ensure_eq};

cases! {
    a_scope_is_listed_for_what_it_has,
    what_is_finished_is_no_open_task,
    one_scope_is_listed_whether_it_has_anything_or_not,
    what_belongs_to_no_scope_is_no_scope,
    counting_stops_at_a_bound,
    the_list_stops_at_a_bound,
}

fn scope(scope: &str, open_tasks: i64, machines: i64) -> Scope {
    Scope { scope: scope.to_owned(), open_tasks, machines, is_partial: false }
}

async fn a_scope_is_listed_for_what_it_has(world: &World) -> Verdict {
    let world = world.nouns();
    ensure_eq!(world.store.list_scopes(None).await?.scopes, []);
    world.issues("h", "of-a-key", None, 0).await;
    let machine = world.registers("m", "of-a-machine", 1).await;
    ensure!(machine.is_key_issued, "the scope is new");
    world.creates("t", "of-a-task", "incoming").await;
    world.creates_project("p", json!({"scope": "of-a-project"})).await;
    world.creates_draft(json!({"scope": "of-a-draft"})).await;
    // Each is listed once.
    world.registers("n", "of-a-task", 2).await;
    world.creates("u", "of-a-task", "provisional").await;
    let listed = world.store.list_scopes(None).await?;
    let expected = [
        scope("of-a-draft", 0, 0),
        scope("of-a-key", 0, 0),
        scope("of-a-machine", 0, 1),
        scope("of-a-project", 0, 0),
        scope("of-a-task", 2, 1),
    ];
    ensure_eq!((&*listed.scopes, listed.is_partial), (&expected[..], false));
    Ok(())
}

async fn what_is_finished_is_no_open_task(world: &World) -> Verdict {
    let world = world.nouns();
    for queue in ["a", "claimed", "done", "e", "failed", "incoming", "provisional", "z"] {
        world.creates(queue, "s", queue).await;
    }
    ensure_eq!(world.store.list_scopes(None).await?.scopes, [scope("s", 6, 0)]);
    ensure_eq!(world.store.list_scopes(Some("s")).await?.scopes, [scope("s", 6, 0)]);
    Ok(())
}

async fn one_scope_is_listed_whether_it_has_anything_or_not(world: &World) -> Verdict {
    let world = world.nouns();
    world.creates("t", "a", "incoming").await;
    world.creates("u", "b", "incoming").await;
    for (name, open) in [("b", 1), ("nobody's", 0)] {
        let listed = world.store.list_scopes(Some(name)).await?;
        ensure_eq!((listed.scopes, listed.is_partial), (vec![scope(name, open, 0)], false));
    }
    Ok(())
}

async fn what_belongs_to_no_scope_is_no_scope(world: &World) -> Verdict {
    let world = world.nouns();
    world.creates_project("p", json!({"scope": null})).await;
    world.creates_draft(json!({"scope": null})).await;
    ensure_eq!(world.store.list_scopes(None).await?.scopes, []);
    Ok(())
}

/// Makes machines in a scope, or, without one, a scope for each.
async fn fill(world: &World, count: i64, scope: &str) -> Verdict {
    let numbers = |series| {
        format!(
            "{series} INSERT INTO orchestrators (id, cluster, machine_id, repo_url, \
             registered_at, last_heartbeat, status, scope) \
             SELECT 'm' || n, 'c', n, '', 0, 0, 'active', {scope} FROM numbers"
        )
    };
    let sqlite = numbers(format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers \
         WHERE n < {count})"
    ));
    let postgres = numbers(format!("WITH numbers (n) AS (SELECT generate_series(1, {count}))"));
    world.runs(Sql::Made { sqlite, postgres }, vec![]).await?;
    Ok(())
}

async fn counting_stops_at_a_bound(world: &World) -> Verdict {
    fill(world, COUNT_OF_EACH_MAX, "'s'").await?;
    ensure_eq!(world.store.list_scopes(None).await?.scopes, [scope("s", 0, COUNT_OF_EACH_MAX)]);
    world.nouns().registers("m", "s", 0).await;
    let partial = Scope { is_partial: true, ..scope("s", 0, COUNT_OF_EACH_MAX) };
    ensure_eq!(world.store.list_scopes(None).await?.scopes, [partial]);
    let all = scope("s", 0, COUNT_OF_EACH_MAX + 1);
    ensure_eq!(world.store.list_scopes(Some("s")).await?.scopes, [all]);
    Ok(())
}

async fn the_list_stops_at_a_bound(world: &World) -> Verdict {
    fill(world, SCOPES_MAX, "'s' || (n + 10000)").await?;
    let listed = world.store.list_scopes(None).await?;
    ensure_eq!((listed.scopes.len(), listed.is_partial), (1_000, false));
    world.nouns().registers("m", "a", 0).await;
    let listed = world.store.list_scopes(None).await?;
    ensure_eq!((listed.scopes.len(), listed.is_partial), (1_000, true));
    ensure_eq!((&*listed.scopes[0].scope, &*listed.scopes[999].scope), ("a", "s10999"));
    Ok(())
}
