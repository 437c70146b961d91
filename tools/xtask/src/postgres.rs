//! The PostgreSQL that the tests run on.

use std::env;
use std::process::Command;

use octopoid_testbed::postgres::{self, Binaries, Durability, HOW_TO_INSTALL, Options};
use octopoid_testbed::{POSTGRES_VARIABLE as URL, is_ci};

use crate::output;

/// A server for the tests. One that was started for them is stopped when this is dropped.
pub(crate) struct Postgres {
    url: String,
    _scratch: Option<Scratch>,
}

/// An empty server that is started for one run, and stopped when this is dropped.
pub(crate) struct Scratch(postgres::Scratch);

impl Scratch {
    /// Starts one for `purpose`. On a machine without a PostgreSQL it says what is skipped, and there
    /// is none; in continuous integration that is an error.
    pub(crate) fn provide(purpose: &str) -> anyhow::Result<Option<Self>> {
        if Binaries::find().is_none() {
            let text = format_args!("{purpose} needs a PostgreSQL: {HOW_TO_INSTALL}");
            output::missing(is_ci(), text)?;
            return Ok(None);
        }
        let server = postgres::Scratch::start(&Options::new(Durability::None))?;
        output::line(format_args!("PostgreSQL: {}, for this run only", server.url()));
        Ok(Some(Self(server)))
    }

    /// The server's URL.
    pub(crate) fn url(&self) -> String {
        self.0.url()
    }
}

impl Postgres {
    /// Takes the server that the caller's environment names, or starts one. On a machine that has
    /// none it says so, and there is none; in continuous integration that is an error.
    pub(crate) fn provide() -> anyhow::Result<Option<Self>> {
        if let Some(url) = env::var(URL).ok().filter(|url| !url.is_empty()) {
            output::line(format_args!("PostgreSQL: the server that {URL} names"));
            return Ok(Some(Self { url, _scratch: None }));
        }
        let scratch = Scratch::provide("every test on PostgreSQL")?;
        Ok(scratch.map(|scratch| Self { url: scratch.url(), _scratch: Some(scratch) }))
    }

    /// Tells a test runner where the server is.
    pub(crate) fn tell(&self, runner: &mut Command) {
        runner.env(URL, &self.url);
    }
}
