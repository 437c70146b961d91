//! Following a task: its log, and what happens to it.

use std::time::Duration;

use octopoid_domain::{journal::JournalEvent, log::LogPart, queue};

use crate::{
    clock::{now, pause_if_early},
    commands::events::Follow,
    failure::{Exit, Failure, Outcome},
    output::{Format, Printer},
    session::{Run, Session},
};

/// So many seconds a server is asked to wait for more of a log.
const LOG_WAIT: u64 = 5;

/// The event after which there is no task any more.
const DELETED: &str = "task.deleted";

/// Print a log.
#[derive(Debug, clap::Args)]
pub(crate) struct Log {
    /// Id of the task, or its unique beginning or end.
    id: String,
    /// Number of the run [default: the newest].
    #[arg(long, value_name = "NUMBER")]
    run: Option<i64>,
    /// Go on until the run has ended.
    #[arg(short, long)]
    follow: bool,
}

/// Watch a task.
#[derive(Debug, clap::Args)]
pub(crate) struct Watch {
    /// Id of the task, or its unique beginning or end.
    id: String,
}

impl Run for Log {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<LogPart>()?;
        let get = async |id: &str| session.client.get_task(id).await;
        let task = session.about_task(&self.id, get).await?;
        let run = self.run.unwrap_or(task.run);
        if run == 0 {
            let text = format!("no agent has claimed {} yet", task.id);
            return Err(Failure::new(Exit::NotFound, text)
                .remedy(format!("octopoid task why {} says why", task.id)));
        }
        let mut reader = Reader { session, printer, task_id: task.id, run, offset: 0 };
        loop {
            while reader.print(0).await? {}
            if !self.follow {
                return Ok(());
            }
            let has_ended = reader.has_ended().await?;
            let asked = now();
            // What was appended between the last look and the end of the run is there by now.
            let is_more = reader.print(if has_ended { 0 } else { LOG_WAIT }).await?;
            if has_ended && !is_more {
                return Ok(());
            }
            if !is_more {
                pause_if_early(asked, Duration::from_secs(1)).await;
            }
        }
    }
}

/// A place in the log of a run.
struct Reader<'a> {
    session: &'a Session,
    printer: Printer<'a, LogPart>,
    task_id: String,
    run: i64,
    offset: i64,
}

impl Reader<'_> {
    /// Prints what comes next, or waits so many seconds for it. Returns whether there was any.
    async fn print(&mut self, seconds: u64) -> Outcome<bool> {
        let Session { client, output, .. } = self.session;
        let offset = self.offset.to_string();
        let query = [("offset", &*offset)];
        let part = if seconds > 0 {
            client.follow_log(&self.task_id, self.run, &query, seconds).await?
        } else {
            client.read_log(&self.task_id, self.run, &query).await?
        };
        if part.text.is_empty() {
            return Ok(false);
        }
        match output.format {
            Format::Table => output.verbatim(&part.text)?,
            Format::Json | Format::Ndjson => self.printer.line(&part)?,
        }
        self.offset = part.next_offset;
        Ok(true)
    }

    async fn has_ended(&self) -> Outcome<bool> {
        let details = self.session.client.get_run(&self.task_id, self.run).await?;
        Ok(details.run.ended_at.is_some())
    }
}

impl Run for Watch {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<JournalEvent>()?;
        let get = async |id: &str| session.client.get_task(id).await;
        let id = session.about_task(&self.id, get).await?.id;
        let mut events = Follow::start(session, Some(&id), &[], None).await?;
        // What happens between this look and the start of the journal is in the journal.
        let mut queue = session.client.get_task(&id).await?.queue;
        loop {
            if let Some(end) = ended(&id, &queue) {
                return end;
            }
            for event in events.wait(session).await? {
                printer.line(&event)?;
                if event.name == DELETED {
                    return Err(Failure::new(Exit::NotFound, format!("{id} is deleted")));
                }
                queue = event.queue.unwrap_or(queue);
            }
        }
    }
}

/// What watching comes to once a task is in a queue where nothing more happens.
fn ended(id: &str, queue: &str) -> Option<Outcome> {
    match queue {
        queue::DONE => Some(Ok(())),
        queue::FAILED | queue::CANCELLED => {
            let failure = Failure::other(format!("{id} is {queue}"));
            Some(Err(failure.remedy(format!("octopoid task retry {id} takes it up again"))))
        }
        _ => None,
    }
}
