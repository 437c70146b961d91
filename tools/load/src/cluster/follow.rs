//! Followers of the journal, who read it while servers die, and read on from another one.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use octopoid_client::{Client, Error};
use octopoid_domain::journal::{Cursor, JournalEvent};
use tokio::{sync::watch, task::JoinHandle};

use super::work::{SCOPE, Work};
use crate::{
    clock::{now, pause},
    journal,
};

/// How many followers read streams, each from another server at first.
const STREAMS: usize = 2;
/// How long a request waits that reads pages.
const WAIT_SECONDS: u64 = 5;
/// The pause before another server is tried.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the journal may take until all events have their places, and the followers until they
/// have received them.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// The pause between two looks at the end of the journal.
const LOOK: Duration = Duration::from_millis(100);

/// Followers at work.
pub(crate) struct Followers {
    work: Arc<Work>,
    clients: Vec<Client>,
    end: watch::Sender<Option<Cursor>>,
    running: Vec<(String, JoinHandle<Follower>)>,
}

/// What a follower has received.
struct Follower {
    work: Arc<Work>,
    name: String,
    clients: Vec<Client>,
    server: usize,
    is_stream: bool,
    cursor: Option<Cursor>,
    events: Vec<JournalEvent>,
}

impl Followers {
    /// Starts followers at the beginning of the journal: some that read a stream, and one that reads
    /// pages and waits for new events.
    pub(crate) fn start(work: &Arc<Work>) -> anyhow::Result<Self> {
        let client = |address: &String| Client::new(&format!("http://{address}"));
        let clients: Vec<_> =
            work.servers.addresses.iter().map(client).collect::<Result<_, _>>()?;
        let end = watch::Sender::new(None);
        let mut running = Vec::new();
        for number in 0..=STREAMS {
            let is_stream = number < STREAMS;
            let name = format!("{} {number}", if is_stream { "stream" } else { "pages" });
            let follower = Follower {
                work: Arc::clone(work),
                name: name.clone(),
                clients: clients.clone(),
                server: number,
                is_stream,
                cursor: None,
                events: Vec::new(),
            };
            running.push((name, tokio::spawn(follower.follow(end.subscribe()))));
        }
        Ok(Self { work: Arc::clone(work), clients, end, running })
    }

    /// The journal as it is read now, from its beginning. Notes whatever is wrong with what a
    /// follower has received, and what another server tells differently.
    pub(crate) async fn finish(mut self, tasks: usize) -> anyhow::Result<Vec<JournalEvent>> {
        let first = self.clients.first().context("there is no server")?;
        let journal = read_all(first, tasks).await?;
        for (server, client) in self.clients.iter().enumerate().skip(1) {
            self.compare(&format!("server {server}"), &read_all(client, tasks).await?, &journal);
        }
        self.end.send_replace(journal.last().map(|event| event.id));
        for (name, mut running) in std::mem::take(&mut self.running) {
            if let Ok(follower) = tokio::time::timeout(SETTLE_MAX, &mut running).await {
                self.compare(&name, &follower?.events, &journal);
            } else {
                running.abort();
                let what = format!("{name} did not reach the journal's end in {SETTLE_MAX:?}");
                self.work.servers.tally.broken(what);
            }
        }
        Ok(journal)
    }

    fn compare(&self, who: &str, received: &[JournalEvent], journal: &[JournalEvent]) {
        if let Some(wrong) = difference(received, journal) {
            self.work.servers.tally.broken(format!("the journal as {who} has it: {wrong}"));
        }
    }
}

/// Followers end with the test, also if it fails.
impl Drop for Followers {
    fn drop(&mut self) {
        for (_, running) in &self.running {
            running.abort();
        }
    }
}

impl Follower {
    /// Reads until the end of the journal, which is told when all tasks are finished.
    async fn follow(mut self, end: watch::Receiver<Option<Cursor>>) -> Self {
        let mut told = end.clone();
        while !self.is_at(&end) {
            let outcome = tokio::select! {
                outcome = self.read(&end) => outcome,
                // From here on the follower compares what it has with the end.
                changed = told.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return self,
                },
            };
            self.judge(outcome);
            if self.is_at(&end) {
                break;
            }
            pause(PAUSE).await;
        }
        self
    }

    fn is_at(&self, end: &watch::Receiver<Option<Cursor>>) -> bool {
        let end = *end.borrow();
        end.is_some() && self.events.last().map(|event| event.id) >= end
    }

    /// Reads a stream to its end, or a page.
    async fn read(&mut self, end: &watch::Receiver<Option<Cursor>>) -> Result<(), Error> {
        let client = self.clients[self.server % self.clients.len()].clone();
        let cursor = self.cursor.map_or_else(|| "0".to_owned(), |cursor| cursor.to_string());
        let query = [("scope", SCOPE), ("cursor", &*cursor)];
        if !self.is_stream {
            let page = client.wait_for_events(&query, WAIT_SECONDS).await?;
            self.count("200");
            self.events.extend(page.events);
            self.cursor = Some(page.next_cursor);
            return Ok(());
        }
        let mut stream = client.follow_events(&query).await?;
        self.count("200");
        while !self.is_at(end) {
            let next = stream.next().await;
            self.cursor = stream.cursor().or(self.cursor);
            let Some(event) = next? else {
                self.count("ended");
                self.server += 1;
                return Ok(());
            };
            self.events.push(event);
        }
        Ok(())
    }

    /// Goes to another server after an error, and notes one that should not have come.
    fn judge(&mut self, outcome: Result<(), Error>) {
        let Err(error) = outcome else { return };
        self.server += 1;
        match error {
            Error::Transport(_) => self.count("lost"),
            Error::Refused { status: 503, code, .. } => self.count(&format!("503 {code}")),
            other => self.work.servers.tally.broken(format!("{} got {other}", self.name)),
        }
    }

    fn count(&self, what: &str) {
        let kind = if self.is_stream { "stream" } else { "events" };
        self.work.servers.tally.count(format!("{kind} {what}"));
    }
}

/// Reads the journal from its beginning to its end. An event has its place soon after its answer,
/// so the end is where all tasks are finished.
async fn read_all(client: &Client, tasks: usize) -> anyhow::Result<Vec<JournalEvent>> {
    let since = now();
    let (mut events, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        events.extend(journal::read_on(client, SCOPE, &mut cursor).await?);
        let accepted = events.iter().filter(|event: &&JournalEvent| event.name == "task.accepted");
        if accepted.count() >= tasks || since.elapsed() >= SETTLE_MAX {
            return Ok(events);
        }
        pause(LOOK).await;
    }
}

/// The first difference between the events that were received and the journal.
fn difference(received: &[JournalEvent], journal: &[JournalEvent]) -> Option<String> {
    let first = received.iter().zip(journal).position(|(received, kept)| received != kept);
    if let Some(number) = first {
        let (received, kept) = (&received[number], &journal[number]);
        return Some(format!("event {number} was {received:?}, and is {kept:?}"));
    }
    let (received, kept) = (received.len(), journal.len());
    (received != kept).then(|| format!("{received} events were received, and there are {kept}"))
}

#[cfg(test)]
mod tests {
    use super::{super::verdict::tests::journal, difference};

    #[test]
    fn a_missed_a_repeated_and_a_moved_event_are_differences() {
        let whole = journal(&[("created", None), ("claimed", Some("a")), ("submitted", Some("a"))]);
        assert_eq!(difference(&whole, &whole), None);
        let mut missed = whole.clone();
        missed.remove(1);
        let mut repeated = whole.clone();
        repeated.insert(1, whole[0].clone());
        let mut moved = whole.clone();
        moved.swap(0, 1);
        for received in [&missed, &repeated, &moved, &whole[..2].to_vec()] {
            assert!(difference(received, &whole).is_some());
        }
    }
}
