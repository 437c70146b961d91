//! `octopoid pause`: work that is not handed out for a while.

use octopoid_client::Query;
use octopoid_domain::{
    Millis,
    input::{Instant, Prose, Text},
    pause::{NewPause, Pause},
};

use crate::{
    clock::instant,
    commands::verbs,
    failure::Outcome,
    output::{Cell, Noun, Times, Tone},
    page::{Filters, Page},
    session::{Run, Session},
};

verbs! {
    /// Pause a target: `scope`, `queue:NAME`, `role:NAME` or `pool:NAME`. Runs that have begun go on.
    Add => Add,
    /// List the pauses that have not ended.
    List => List,
    /// End a pause.
    Remove => Remove,
}

impl Noun for Pause {
    const MANY: &'static str = "pauses";
    const COLUMNS: &'static [&'static str] = &["TARGET", "UNTIL", "REASON", "BY", "SINCE"];

    fn example() -> Self {
        Self::default()
    }

    fn id(&self) -> String {
        self.target.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        let until = match self.until {
            Some(until) => times.cell(until),
            None => Cell::new("removed").tone(Tone::Quiet),
        };
        vec![
            Cell::new(&self.target).tone(Tone::NeedsYou),
            until,
            Cell::new(&self.reason),
            Cell::new(&self.by),
            times.cell(self.created_at),
        ]
    }
}

/// Pause a target.
#[derive(Debug, clap::Args)]
struct Add {
    /// What is paused.
    target: String,
    /// Why.
    #[arg(short, long, value_name = "TEXT")]
    reason: String,
    /// When it ends: an instant, or a duration from now [default: when it is removed].
    #[arg(long, value_name = "WHEN", value_parser = instant)]
    until: Option<Millis>,
    /// Who pauses it [default: the user].
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// List pauses.
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    page: Page,
}

/// End a pause.
#[derive(Debug, clap::Args)]
struct Remove {
    /// What is paused.
    target: String,
}

impl Run for Add {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Pause>()?;
        let new = NewPause {
            until: Instant(self.until),
            reason: Prose(Some(self.reason.clone())),
            by: Text(Some(session.by(self.by.as_ref()))),
            ..NewPause::default()
        };
        let pause = session.client.put_pause(&self.target, &new).await?;
        let until = pause.until.map(|until| format!(", ends {}", session.output.times.text(until)));
        printer.changed(&pause, &format!("paused {}{}", pause.target, until.unwrap_or_default()))
    }
}

impl Run for List {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Pause>()?;
        let ask = async |query: Query<'_>| session.client.list_pauses(query).await;
        let pauses = self.page.read(&Filters::default(), None, ask).await?;
        printer.many(&pauses, "nothing is paused")
    }
}

impl Run for Remove {
    async fn run(&self, session: &Session) -> Outcome {
        session.client.delete_pause(&self.target).await?;
        session.deleted("pause", &self.target)
    }
}
