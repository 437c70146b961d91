//! Runs the cases that every engine has to pass, each in a schema of its own: once as servers do,
//! and once with all statements merged that can be.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use octopoid_store_postgres::{Groups, Options};
use octopoid_store_testkit::{Case, World, cases};
use octopoid_testbed::database::{Schema, server};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // Without a server each case is named as ignored.
    let is_ignored = !arguments.list && server().is_none();
    let ways = [("postgres", Groups::Waiting), ("postgres-groups", Groups::Always)];
    let trials = ways.into_iter().flat_map(|(way, groups)| {
        cases().map(move |case| {
            let trial = Trial::test(format!("{way}::{}", case.name), move || run(case, groups));
            trial.with_ignored_flag(is_ignored)
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn run(case: &'static Case, groups: Groups) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let schema = Schema::fresh().await.ok_or("the server has gone")?;
        let engine = std::sync::Arc::new(schema.engine(Options { groups, ..Options::default() }));
        let world = World::on(engine).await.map_err(|error| error.to_string())?;
        case.run(&world).await.map_err(|failure| failure.to_string())?;
        Ok(())
    })
}
