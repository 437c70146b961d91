//! The reader threads, each with its own connection.

use std::{
    sync::{Mutex, PoisonError, TryLockError},
    thread::JoinHandle,
};

use octopoid_store::engine::Statement;

use crate::{
    Answer,
    reader::{Read, Reader},
};

/// The maximum number of queued batches. Further senders wait.
const QUEUE_MAX: usize = 4096;

/// The reader threads. Dropping them waits for running reads.
pub(crate) struct Readers {
    jobs: Option<flume::Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(crate) fn start(name: &str, readers: Vec<Reader>) -> Self {
        let (jobs, inbox) = flume::bounded::<Read>(QUEUE_MAX);
        let threads = readers
            .into_iter()
            .map(|reader| {
                let inbox = inbox.clone();
                std::thread::Builder::new()
                    .name(name.to_owned())
                    .spawn(move || inbox.iter().for_each(|read| reader.serve(read)))
                    .expect("the system starts a few threads")
            })
            .collect();
        Self { jobs: Some(jobs), threads }
    }

    pub(crate) fn jobs(&self) -> &flume::Sender<Read> {
        self.jobs.as_ref().expect("the sender is there until the readers are dropped")
    }

    pub(crate) fn count(&self) -> usize {
        self.threads.len()
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A panic of the thread was already reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// Connections for reads on the caller's thread.
pub(crate) struct Spare(Vec<Mutex<Reader>>);

impl Spare {
    pub(crate) fn new(readers: Vec<Reader>) -> Self {
        Self(readers.into_iter().map(Mutex::new).collect())
    }

    /// Reads on the caller's thread if a connection is free and the read is short.
    pub(crate) fn read_here(&self, batch: &[Statement]) -> Option<Answer> {
        let free = self.0.iter().find_map(|reader| match reader.try_lock() {
            Ok(reader) => Some(reader),
            Err(TryLockError::Poisoned(reader)) => Some(PoisonError::into_inner(reader)),
            Err(TryLockError::WouldBlock) => None,
        })?;
        free.read_here(batch)
    }
}
