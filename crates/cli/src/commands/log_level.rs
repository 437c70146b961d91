//! `octopoid log-level`: which lines the server logs.

use octopoid_client::LogFilter;

use crate::{
    failure::Outcome,
    output::{Cell, Noun, Times},
    session::{Run, Session},
};

impl Noun for LogFilter {
    const MANY: &'static str = "log_filters";
    const COLUMNS: &'static [&'static str] = &["FILTER", "PREVIOUS"];

    fn example() -> Self {
        Self { filter: String::new(), previous: None }
    }

    fn id(&self) -> String {
        self.filter.clone()
    }

    fn cells(&self, _: &Times) -> Vec<Cell> {
        vec![Cell::new(&self.filter), Cell::maybe(self.previous.as_ref())]
    }
}

/// The arguments of `log-level`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A level (off, error, warn, info, debug or trace) or TARGET=LEVEL, or several of them, separated
    /// by commas: `warn,octopoid::audit=info`. Needs the administrator's token in `OCTOPOID_KEY`.
    filter: Option<String>,
}

impl Run for Args {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<LogFilter>()?;
        let Some(wanted) = &self.filter else {
            let shown = session.client.get_log_filter().await?;
            return printer.changed(&shown, &shown.filter);
        };
        let changed = session.client.put_log_filter(wanted).await?;
        let previous = changed.previous.as_deref().unwrap_or("unknown");
        let filter = &changed.filter;
        let sentence = format!("the server logs {filter} until it restarts (before: {previous})");
        printer.changed(&changed, &sentence)
    }
}
