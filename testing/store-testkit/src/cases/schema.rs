//! The schema, and what every engine promises about batches.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::BoxFuture;
use octopoid_domain::Millis;
use octopoid_store::{
    Engine, EngineError, Sql, Store, StoreError,
    copy::CopyError,
    engine::{Parameter, Rows, SharedEngine, Statement, Value},
};

use crate::{Failure, Verdict, World, ensure, ensure_eq};

cases! {
    migrating_again_changes_nothing,
    a_database_from_a_newer_server_is_refused_untouched,
    a_database_of_a_build_before_the_first_release_is_refused,
    a_database_that_is_being_filled_is_refused,
    the_contents_are_counted,
    a_failed_batch_leaves_nothing_behind,
    a_broken_statement_is_a_bug_and_not_a_refusal,
    a_batch_answers_in_its_order,
    a_batch_sees_what_it_has_written,
    every_kind_of_value_comes_back_as_it_went,
    a_write_that_failed_shows_until_a_probe_can_be_written,
}

/// Every table, index and column there is.
const SCHEMA: Sql = Sql::Differs {
    sqlite: "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name",
    postgres: "SELECT table_name, column_name, data_type, NULL FROM information_schema.columns \
         WHERE table_schema = current_schema() \
         UNION ALL SELECT tablename, indexname, NULL, indexdef FROM pg_indexes \
         WHERE schemaname = current_schema() ORDER BY 1, 2",
};
const VERSIONS: &str = "SELECT version, applied_at FROM schema_versions ORDER BY version";
const ADD_FLOW: &str = "INSERT INTO flows (scope, name, states, transitions, registered_at, updated_at) \
     VALUES ('s', ?1, '', '', 0, 0)";
const FLOWS: &str = "SELECT name FROM flows ORDER BY name";

fn statement(sql: &'static str, parameters: Vec<Parameter>) -> Statement {
    Statement { sql: sql.into(), parameters }
}

async fn migrating_again_changes_nothing(world: &World) -> Verdict {
    let before = (world.runs(SCHEMA, vec![]).await?, world.runs(VERSIONS, vec![]).await?);
    let (found, known) = world.store.migrate(Millis(5)).await?;
    ensure_eq!(found, known, "it was up to date");
    let after = (world.runs(SCHEMA, vec![]).await?, world.runs(VERSIONS, vec![]).await?);
    ensure_eq!(after, before, "the schema and its versions");
    world.store.check_ready().await?;
    Ok(())
}

async fn a_database_from_a_newer_server_is_refused_untouched(world: &World) -> Verdict {
    const NEWER: &str = "INSERT INTO schema_versions (version, applied_at, readable_from) \
         VALUES (1000, 0, 1000)";
    world.creates("a").await?;
    world.runs(NEWER, vec![]).await?;
    let before = (world.runs(SCHEMA, vec![]).await?, world.runs(VERSIONS, vec![]).await?);
    for answer in [world.store.migrate(Millis(5)).await.map(drop), world.store.check_ready().await]
    {
        let Err(StoreError::Newer { found, known }) = answer else {
            return Err(Failure::new(format!("expected a refusal, found {answer:?}")));
        };
        ensure!(found == 1000 && known < found, "found {found}, known {known}");
    }
    let after = (world.runs(SCHEMA, vec![]).await?, world.runs(VERSIONS, vec![]).await?);
    ensure_eq!(after, before, "the schema and its versions");
    Ok(())
}

async fn a_database_of_a_build_before_the_first_release_is_refused(world: &World) -> Verdict {
    const OLD: &str = "DELETE FROM schema_versions";
    const ENTER: &str = "INSERT INTO schema_versions (version, applied_at, readable_from) \
         VALUES (1, 0, 1), (2, 0, 2)";
    world.runs(OLD, vec![]).await?;
    world.runs(ENTER, vec![]).await?;
    let before = world.runs(SCHEMA, vec![]).await?;
    for answer in [world.store.migrate(Millis(5)).await.map(drop), world.store.check_ready().await]
    {
        let is_refused = matches!(answer, Err(StoreError::Unreleased { found: 2 }));
        ensure!(is_refused, "expected a refusal, found {answer:?}");
    }
    ensure_eq!(world.runs(SCHEMA, vec![]).await?, before, "the schema");
    Ok(())
}

/// Half an import or a copy must not be worked with.
async fn a_database_that_is_being_filled_is_refused(world: &World) -> Verdict {
    let store = &world.store;
    let before = world.runs(VERSIONS, vec![]).await?;
    store.begin_filling().await?;
    let copied = match store.check_newest().await {
        Err(CopyError::Store(error)) => Err(error),
        other => return Err(Failure::new(format!("expected a refusal, found {other:?}"))),
    };
    for answer in [store.migrate(Millis(5)).await.map(drop), store.check_ready().await, copied] {
        let is_refused = matches!(answer, Err(StoreError::Unfinished));
        ensure!(is_refused, "expected a refusal, found {answer:?}");
    }
    let again = store.begin_filling().await;
    ensure!(again.is_err(), "two fill it at once");
    store.finish_filling().await?;
    store.check_ready().await?;
    ensure_eq!(world.runs(VERSIONS, vec![]).await?, before, "the versions");
    Ok(())
}

async fn the_contents_are_counted(world: &World) -> Verdict {
    let store = &world.store;
    ensure_eq!(store.contents().await?.tasks, BTreeMap::new(), "the tasks of a new database");
    ensure_eq!(store.version_to_migrate().await?, None, "it is migrated");
    for id in ["a", "b", "c"] {
        world.creates(id).await?;
    }
    world.claims().await?;
    store.number_events().await?;
    let contents = store.contents().await?;
    let expected = [("claimed".to_owned(), 1), ("incoming".to_owned(), 2)];
    ensure_eq!(contents.tasks, BTreeMap::from(expected), "the tasks");
    ensure_eq!(contents.last_event, 4, "the last event");
    let (version, _) = store.migrate(Millis(5)).await?;
    ensure_eq!(contents.schema_version, version, "the version of the schema");
    Ok(())
}

async fn a_failed_batch_leaves_nothing_behind(world: &World) -> Verdict {
    let add = |name: &str| statement(ADD_FLOW, vec![name.into()]);
    let answer = world.engine.write(vec![add("a"), add("b"), add("a")]).await;
    let is_constraint = matches!(answer, Err(EngineError::Constraint(_)));
    ensure!(is_constraint, "expected a broken constraint, found {answer:?}");
    ensure!(world.runs(FLOWS, vec![]).await?.is_empty(), "nothing of the batch is left");
    world.engine.write(vec![add("a"), add("b")]).await?;
    ensure_eq!(world.runs(FLOWS, vec![]).await?.len(), 2, "the next batch works");
    Ok(())
}

async fn a_broken_statement_is_a_bug_and_not_a_refusal(world: &World) -> Verdict {
    let broken = || vec![statement("SELECT nothing FROM nowhere", vec![])];
    for answer in [world.engine.read(broken()).await, world.engine.write(broken()).await] {
        let is_statement = matches!(answer, Err(EngineError::Statement(_)));
        ensure!(is_statement, "expected a refused statement, found {answer:?}");
    }
    world.creates("a").await?;
    Ok(())
}

async fn a_batch_answers_in_its_order(world: &World) -> Verdict {
    let say = |number: i64| statement("SELECT ?1, ?1 + 1", vec![number.into()]);
    let none = statement("SELECT 1 WHERE ?1 = 1", vec![0.into()]);
    let batch = vec![say(1), none, say(5)];
    let expected = vec![
        vec![vec![Value::Int(1), Value::Int(2)]],
        vec![],
        vec![vec![Value::Int(5), Value::Int(6)]],
    ];
    ensure_eq!(world.engine.read(batch.clone()).await?, expected, "a read");
    ensure_eq!(world.engine.write(batch).await?, expected, "a write");
    ensure_eq!(world.engine.read(vec![]).await?.len(), 0, "an empty batch");
    Ok(())
}

async fn a_batch_sees_what_it_has_written(world: &World) -> Verdict {
    let look = || statement(FLOWS, vec![]);
    let add = statement(ADD_FLOW, vec!["a".into()]);
    let answers = world.engine.write(vec![look(), add, look()]).await?;
    let seen: Vec<_> = answers.iter().map(Vec::len).collect();
    ensure_eq!(seen, [0, 0, 1], "before, the insertion, and after");
    Ok(())
}

async fn every_kind_of_value_comes_back_as_it_went(world: &World) -> Verdict {
    for parameter in [
        Parameter::Int(None),
        Parameter::Int(Some(0)),
        Parameter::Int(Some(-1)),
        Parameter::Int(Some((1 << 53) - 1)),
        Parameter::Text(None),
        Parameter::Text(Some(String::new())),
        Parameter::Text(Some("it's \u{1f419}\n\"quoted\" \\ 50%".to_owned())),
        Parameter::Text(Some("5".to_owned())),
        Parameter::Text(Some("x".repeat(2_100_000))),
    ] {
        let value = match &parameter {
            Parameter::Int(number) => number.map_or(Value::Null, Value::Int),
            Parameter::Text(text) => text.clone().map_or(Value::Null, Value::Text),
        };
        let batch = vec![statement("SELECT ?1", vec![parameter])];
        let read = world.engine.read(batch.clone()).await?;
        ensure!(read == [[[value.clone()]]], "a read changed a value");
        let written = world.engine.write(batch).await?;
        ensure!(written == [[[value]]], "a write changed a value");
    }
    Ok(())
}

/// An engine without room: it takes what writes nothing, and nothing else.
struct Full {
    inner: SharedEngine,
    is_full: AtomicBool,
}

impl Engine for Full {
    fn read(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        self.inner.read(batch)
    }

    fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, EngineError>> {
        if self.is_full.load(Ordering::Relaxed) && !batch.is_empty() {
            return Box::pin(async { Err(EngineError::Unavailable("no room".to_owned())) });
        }
        self.inner.write(batch)
    }
}

async fn a_write_that_failed_shows_until_a_probe_can_be_written(world: &World) -> Verdict {
    const ROLES: &str = "SELECT name FROM roles";
    let inner = world.engine.clone();
    let engine = Arc::new(Full { inner, is_full: AtomicBool::new(true) });
    let store = Store::new(engine.clone());
    store.check_ready().await?;
    let failed = store.touch_key("nobody's", world.now()).await;
    ensure!(failed.is_err(), "the engine takes no writes");
    for _ in 0..2 {
        ensure!(store.check_ready().await.is_err(), "the last write failed");
    }
    engine.is_full.store(false, Ordering::Relaxed);
    store.check_ready().await?;
    store.check_ready().await?;
    ensure!(world.runs(ROLES, vec![]).await?.is_empty(), "the probe leaves nothing");
    Ok(())
}
