//! `octopoid events`: the journal of all changes.

use std::{io::Write as _, time::Duration};

use octopoid_client::Error;
use octopoid_domain::{
    Millis,
    journal::{Cursor, JournalEvent, Subject},
};

use crate::{
    clock::{now, pause, pause_if_early},
    commands::verbs,
    failure::Outcome,
    output::{Cell, Noun, Times, one_line},
    page::Filters,
    session::{Run, Session},
};

verbs! {
    /// Print events as they happen.
    Tail => Tail,
}

/// So many seconds a server is asked to wait for an event.
const WAIT: u64 = 50;

/// How long a server may be away, in milliseconds, before following it comes to nothing.
const AWAY_MS_MAX: i64 = 60_000;

/// Print events.
#[derive(Debug, clap::Args)]
pub(crate) struct Tail {
    /// Begin behind this event; 0 is the oldest that is kept [default: the next that happens].
    #[arg(long, value_name = "ID")]
    since: Option<String>,
    /// Only events of this type, such as task.claimed, or all of a kind, task.*; may be repeated.
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// Only events of this task.
    #[arg(long, value_name = "ID")]
    task: Option<String>,
    /// Stop at the end of the journal instead of waiting for more.
    #[arg(long)]
    no_follow: bool,
}

impl Noun for JournalEvent {
    const MANY: &'static str = "events";
    const COLUMNS: &'static [&'static str] = &["WHEN", "TYPE", "SUBJECT", "BY", "DETAILS"];

    fn example() -> Self {
        let text = String::new;
        Self {
            id: Cursor(0),
            name: text(),
            at: Millis(0),
            scope: None,
            subject: Subject { kind: text(), id: text() },
            actor: None,
            version: Some(0),
            queue: Some(text()),
            details: None,
        }
    }

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        vec![
            times.cell(self.at),
            Cell::new(&self.name),
            Cell::new(&self.subject.id),
            Cell::maybe(self.actor.as_ref()),
            Cell::maybe(self.details.as_ref()),
        ]
    }
}

impl Run for Tail {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<JournalEvent>()?;
        let since = self.since.as_deref();
        let mut follow = Follow::start(session, self.task.as_deref(), &self.types, since).await?;
        loop {
            let events = if self.no_follow {
                follow.read(session).await?
            } else {
                Some(follow.wait(session).await?)
            };
            let Some(events) = events else { return Ok(()) };
            for event in events {
                printer.line(&event)?;
            }
        }
    }
}

/// A place in the journal, from which it is read on.
pub(crate) struct Follow {
    filters: Filters,
    cursor: String,
}

impl Follow {
    /// Begins behind an event, or with what happens from now on.
    pub(crate) async fn start(
        session: &Session,
        task: Option<&str>,
        types: &[String],
        since: Option<&str>,
    ) -> Outcome<Self> {
        let filters = Filters::default().with("task_id", task).with_all("types", types);
        let cursor = match since {
            Some(since) => since.to_owned(),
            None => session.client.list_events(&filters.query()).await?.next_cursor.to_string(),
        };
        Ok(Self { filters, cursor })
    }

    /// Waits for events. There may be none after a while.
    pub(crate) async fn wait(&mut self, session: &Session) -> Outcome<Vec<JournalEvent>> {
        let mut away = Away::default();
        loop {
            let asked = now();
            let answer = session.client.wait_for_events(&self.query(), WAIT).await;
            match answer {
                Err(error) if is_passing(&error) && away.may_return(now()) => {
                    session.note(&format!("{error}; it is asked again"));
                    pause(Duration::from_secs(2)).await;
                }
                answer => {
                    let page = answer?;
                    self.cursor = page.next_cursor.to_string();
                    if page.events.is_empty() {
                        pause_if_early(asked, Duration::from_secs(2)).await;
                    }
                    return Ok(page.events);
                }
            }
        }
    }

    /// Reads a page without waiting; none at the end of the journal.
    async fn read(&mut self, session: &Session) -> Outcome<Option<Vec<JournalEvent>>> {
        let page = session.client.list_events(&self.query()).await?;
        let cursor = page.next_cursor.to_string();
        // A page may be empty although there are more.
        let is_end = page.events.is_empty() && cursor == self.cursor;
        self.cursor = cursor;
        Ok((!is_end).then_some(page.events))
    }

    fn query(&self) -> Vec<(&str, &str)> {
        let mut query = self.filters.query();
        query.push(("cursor", &self.cursor));
        query
    }
}

/// Since when a server has been away.
#[derive(Default)]
struct Away(Option<Millis>);

impl Away {
    /// Whether a server that has not answered by now may still be waited for. It counts from the end
    /// of the first attempt that failed, because an attempt may have waited for long.
    fn may_return(&mut self, now: Millis) -> bool {
        now.0 - self.0.get_or_insert(now).0 < AWAY_MS_MAX
    }
}

/// Whether the server may be back soon.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::Transport(_) => true,
        error => matches!(error.status(), Some(502..=504)),
    }
}

impl Session {
    /// Tells a person something beside the output.
    fn note(&self, text: &str) {
        if self.output.is_for_people() {
            let _ = writeln!(std::io::stderr(), "{}", one_line(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use octopoid_domain::Millis;

    use super::{AWAY_MS_MAX, Away};

    #[test]
    fn a_server_is_away_from_the_first_failed_attempt_on() {
        let mut away = Away::default();
        let first = Millis(1_000_000);
        assert!(away.may_return(first));
        assert!(away.may_return(first.plus(AWAY_MS_MAX - 1)));
        assert!(!away.may_return(first.plus(AWAY_MS_MAX)));
    }
}
