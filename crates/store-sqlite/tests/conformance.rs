//! Runs the conformance cases on SQLite: each on a database file, and in memory.

use std::{process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Failed, Trial};
use octopoid_store_sqlite::{Location, Sqlite};
use octopoid_store_testkit::{Case, World, cases};

fn main() -> ExitCode {
    let trials = cases().flat_map(|case| {
        [
            Trial::test(format!("file::{}", case.name), || in_file(case)),
            Trial::test(format!("memory::{}", case.name), || run(case, &Location::Memory)),
        ]
    });
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn in_file(case: &Case) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    run(case, &Location::File(directory.path().join("octopoid.db")))
}

fn run(case: &Case, location: &Location) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let world = World::on(Arc::new(Sqlite::open(location)?)).await?;
        case.run(&world).await.map_err(Failed::from)
    })
}
