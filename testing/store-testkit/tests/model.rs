//! The store against the model, on random programs.

use std::sync::Arc;

use octopoid_store_testkit::{
    Verdict, World,
    agreement::{agree, agree_with_two},
    program::{Step, program},
};
use octopoid_testbed::database::{Database, is_postgres};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// As many programs as fit into about ten seconds; `PROPTEST_CASES` asks for more.
const PROGRAMS: u32 = 96;
/// The same on PostgreSQL, where every step is a walk to a server and back.
const PROGRAMS_POSTGRES: u32 = 12;
const STEPS_MAX: usize = 120;

/// What a program may have left.
const EMPTY: &str = "TRUNCATE tasks, task_blockers, runs, run_outputs, finished_counts, events, \
     messages, actions, pauses, flows";

fn config() -> Config {
    let is_asked = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = match (is_asked, is_postgres()) {
        (true, _) => Config::default().cases,
        (false, true) => PROGRAMS_POSTGRES,
        (false, false) => PROGRAMS,
    };
    // A failure shows its shrunk program, which says more than a seed in a file.
    Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() }
}

#[test]
fn the_store_agrees_with_the_model() {
    run(&async |world, program| agree(world, program).await);
}

#[test]
fn two_stores_on_one_database_agree_with_the_model() {
    run(&async |world, program| agree_with_two(world, program).await);
}

/// Runs random programs.
fn run(agree: &impl AsyncFn(&World, &[Step]) -> Verdict) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a test can have a runtime");
    // A schema takes longer to make than to empty; a database in memory does not.
    let shared = is_postgres().then(|| runtime.block_on(Database::fresh()));
    let programs = program(STEPS_MAX);
    let outcome = TestRunner::new(config()).run(&programs, |program| {
        let verdict = runtime.block_on(async {
            let Some(database) = &shared else {
                let database = Database::fresh().await;
                let world = World::on(Arc::clone(&database.engine)).await?;
                return agree(&world, &program).await;
            };
            let world = World::on(Arc::clone(&database.engine)).await?;
            world.runs(EMPTY, Vec::new()).await?;
            agree(&world, &program).await
        });
        verdict.map_err(|failure| TestCaseError::fail(failure.to_string()))
    });
    // Its connections end with the runtime's tasks.
    runtime.block_on(async { drop(shared) });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
