//! The threads that read, each on its own connection.

use std::{sync::Mutex, thread::JoinHandle};

use octopoid_store::engine::{Statement, TEXT_MAX};
use rusqlite::Connection;

use crate::{
    Answer, Job,
    batch::{Failure, run},
};

/// The most batches that wait; senders beyond that wait themselves.
const QUEUE_MAX: usize = 4096;

/// The reading threads. Dropping them waits for what they are doing.
pub(crate) struct Readers {
    jobs: Option<flume::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    /// For whoever reads on its own thread. As many as there are threads, so that no more read at
    /// once than both together.
    spare: Vec<Mutex<Connection>>,
}

impl Readers {
    pub(crate) fn start(connections: Vec<Connection>, spare: Vec<Connection>) -> Self {
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
        let spare = spare.into_iter().map(Mutex::new).collect();
        Self { jobs: Some(jobs), threads, spare }
    }

    /// Reads on the caller's thread, if a connection is free at this moment.
    pub(crate) fn read_here(&self, batch: &[Statement]) -> Option<Answer> {
        let connection = self.spare.iter().find_map(|connection| connection.try_lock().ok())?;
        Some(read(&connection, batch))
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
    let outcome = (|| -> Result<_, Failure> {
        if !single {
            connection.prepare_cached("BEGIN")?.execute([])?;
        }
        run(connection, batch, TEXT_MAX)
    })();
    if !connection.is_autocommit() {
        let ended = connection.prepare_cached("COMMIT").and_then(|mut end| end.execute([]));
        if let Err(error) = ended {
            return Err(Failure::from(error).into());
        }
    }
    outcome.map_err(Into::into)
}
