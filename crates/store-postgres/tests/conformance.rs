//! Runs the cases that every engine has to pass, each in a schema of its own.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use octopoid_store_postgres::Options;
use octopoid_store_testkit::{Case, World, cases};
use octopoid_testbed::database::{Schema, server};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // Without a server each case is named as ignored.
    let is_ignored = !arguments.list && server().is_none();
    let trials = cases().map(|case| {
        let name = case.name;
        Trial::test(format!("postgres::{name}"), move || run(case)).with_ignored_flag(is_ignored)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn run(case: &'static Case) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let schema = Schema::fresh().await.ok_or("the server has gone")?;
        let engine = std::sync::Arc::new(schema.engine(Options::default()));
        let world = World::on(engine).await.map_err(|error| error.to_string())?;
        case.run(&world).await.map_err(|failure| failure.to_string())?;
        Ok(())
    })
}
