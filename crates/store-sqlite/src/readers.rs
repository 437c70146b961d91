//! The threads that read, each on its own connection.

use std::thread::JoinHandle;

use octopoid_store::engine::Statement;
use rusqlite::Connection;

use crate::{
    Answer, Job,
    batch::{engine_error, run},
};

/// The most batches that wait; senders beyond that wait themselves.
const QUEUE_MAX: usize = 4096;

/// The reading threads. Dropping them waits for what they are doing.
pub(crate) struct Readers {
    jobs: Option<flume::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(crate) fn start(connections: Vec<Connection>) -> Self {
        let (jobs, inbox) = flume::bounded::<Job>(QUEUE_MAX);
        let threads = connections
            .into_iter()
            .map(|connection| {
                let inbox = inbox.clone();
                std::thread::Builder::new()
                    .name("sqlite-reader".to_owned())
                    .spawn(move || {
                        for job in &inbox {
                            let answer = read(&connection, &job.batch);
                            let _ = job.reply.send(answer);
                        }
                    })
                    .expect("the system starts a few threads")
            })
            .collect();
        Self { jobs: Some(jobs), threads }
    }

    pub(crate) fn jobs(&self) -> &flume::Sender<Job> {
        self.jobs.as_ref().expect("the sender is there until the readers are dropped")
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A panic of the thread has been reported by its hook already.
            let _ = thread.join();
        }
    }
}

/// Runs a batch on one state of the database.
fn read(connection: &Connection, batch: &[Statement]) -> Answer {
    let single = batch.len() == 1;
    let outcome = (|| {
        if !single {
            connection.prepare_cached("BEGIN")?.execute([])?;
        }
        run(connection, batch)
    })();
    if !connection.is_autocommit() {
        let ended = connection.prepare_cached("COMMIT").and_then(|mut end| end.execute([]));
        if let Err(error) = ended {
            return Err(engine_error(&error));
        }
    }
    outcome.map_err(|error| engine_error(&error))
}
