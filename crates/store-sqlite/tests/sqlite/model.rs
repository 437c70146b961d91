//! The store against the model, on random programs.

use octopoid_store_testkit::program::{agree, step};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError},
};

/// As many programs as fit into about ten seconds; `PROPTEST_CASES` asks for more.
const PROGRAMS: u32 = 96;
const STEPS_MAX: usize = 120;

fn config() -> Config {
    let is_asked = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if is_asked { Config::default().cases } else { PROGRAMS };
    // A failure shows its shrunk program, which says more than a seed in a file.
    Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_store_agrees_with_the_model(program in prop::collection::vec(step(), 1..STEPS_MAX)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = crate::in_memory().await;
            let verdict = agree(&world, &program).await;
            verdict.map_err(|failure| TestCaseError::fail(failure.to_string()))
        })?;
    }
}
