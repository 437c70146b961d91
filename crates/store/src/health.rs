//! The health of the database, derived from the outcome of the last batches, for readiness.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::{
    EngineError, Result, Store,
    engine::{Rows, SharedEngine, Statement, bind},
};

/// Something to write that needs room on the disk, and leaves nothing. No role is without a name.
const WRITE_ROLE: &str = "INSERT INTO roles (name, scope, description, claims_from, \
     orchestrator_id, created_at) VALUES ('', '', ?1, '', '', 0)";
const DELETE_ROLE: &str = "DELETE FROM roles WHERE name = '' AND scope = ''";

/// How long the probe's text is. A write that fits into a page or two may work on a disk that has
/// no room for the next task.
const PROBE_BYTES: usize = 64 * 1024;

/// An engine, and how the batches that passed through it ended.
pub(crate) struct Watched {
    engine: SharedEngine,
    /// A write failed, and no probe has worked since.
    is_failing: AtomicBool,
    /// How many probes have ended.
    probes: AtomicU64,
    /// How the last one ended. Held while one runs: more at a time would say nothing new.
    probe: Mutex<std::result::Result<(), EngineError>>,
    /// Something stored was found damaged. Nothing repairs it while the process runs.
    is_damaged: AtomicBool,
}

type Answer = std::result::Result<Vec<Rows>, EngineError>;

impl Watched {
    pub(crate) fn new(engine: SharedEngine) -> Self {
        Self {
            engine,
            is_failing: AtomicBool::new(false),
            probes: AtomicU64::new(0),
            probe: Mutex::new(Ok(())),
            is_damaged: AtomicBool::new(false),
        }
    }

    /// Reads what an operation needs. It is little, so that it takes long is the database's fault,
    /// and no caller can ask for less.
    pub(crate) async fn read(&self, batch: Vec<Statement>) -> Answer {
        unless_slow(self.read_much(batch).await)
    }

    /// Reads as much as the caller has asked for, who can ask for less if that takes too long.
    pub(crate) async fn read_much(&self, batch: Vec<Statement>) -> Answer {
        self.noted(self.engine.read(batch).await)
    }

    pub(crate) async fn read_by_key(&self, batch: Vec<Statement>) -> Answer {
        unless_slow(self.noted(self.engine.read_by_key(batch).await))
    }

    pub(crate) async fn read_for_health(&self, batch: Vec<Statement>) -> Answer {
        unless_slow(self.noted(self.engine.read_for_health(batch).await))
    }

    pub(crate) async fn write(&self, batch: Vec<Statement>) -> Answer {
        self.noted_write(self.engine.write(batch).await)
    }

    pub(crate) async fn write_for_health(&self, batch: Vec<Statement>) -> Answer {
        self.noted_write(self.engine.write_for_health(batch).await)
    }

    pub(crate) fn stop_reads(&self) {
        self.engine.stop_reads();
    }

    fn noted(&self, answer: Answer) -> Answer {
        if let Err(EngineError::Damaged(_)) = answer {
            self.is_damaged.store(true, Ordering::Relaxed);
        }
        answer
    }

    fn noted_write(&self, answer: Answer) -> Answer {
        if let Err(EngineError::Unavailable(_) | EngineError::Unconfirmed(_)) = answer {
            self.is_failing.store(true, Ordering::Relaxed);
        }
        self.noted(answer)
    }

    /// Tries to write what needs room, after a write that failed. A caller that comes while another
    /// one tries waits for that outcome, and shares it.
    async fn probe(&self) -> std::result::Result<(), EngineError> {
        let ended = self.probes.load(Ordering::Relaxed);
        let mut last = self.probe.lock().await;
        if self.probes.load(Ordering::Relaxed) != ended {
            return last.clone();
        }
        let text = "x".repeat(PROBE_BYTES);
        let batch = vec![bind!(WRITE_ROLE, text), bind!(DELETE_ROLE)];
        *last = self.write_for_health(batch).await.map(drop);
        if last.is_ok() {
            self.is_failing.store(false, Ordering::Relaxed);
        }
        self.probes.fetch_add(1, Ordering::Relaxed);
        last.clone()
    }
}

fn unless_slow(answer: Answer) -> Answer {
    answer.map_err(|error| match error {
        EngineError::TooSlow => EngineError::Unavailable(error.to_string()),
        error => error,
    })
}

impl Store {
    /// Whether the database takes writes, answers, is sound as far as is known, and has a schema
    /// that this server can work with. After a write that failed it is not ready until a probe can
    /// be written.
    pub async fn check_ready(&self) -> Result<()> {
        let engine = &self.engine;
        if engine.is_damaged.load(Ordering::Relaxed) {
            let text = "a page that cannot be read was found since the server started";
            return Err(EngineError::Damaged(text.to_owned()).into());
        }
        if engine.is_failing.load(Ordering::Relaxed) {
            engine.probe().await?;
        } else {
            // Changes nothing, but a writer that is gone or locked out cannot answer it.
            engine.write_for_health(Vec::new()).await?;
        }
        self.check_version().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures_util::{FutureExt, future::BoxFuture};
    use tokio::sync::Semaphore;

    use super::{Answer, Watched};
    use crate::{Engine, EngineError, engine::Statement};

    /// Fails each batch in the same way, and probes only when it is let.
    struct Failing {
        error: EngineError,
        probes: AtomicUsize,
        permits: Semaphore,
    }

    impl Engine for Failing {
        fn read(&self, _: Vec<Statement>) -> BoxFuture<'_, Answer> {
            Box::pin(async { Err(self.error.clone()) })
        }

        fn write(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
            self.read(batch)
        }

        fn write_for_health(&self, batch: Vec<Statement>) -> BoxFuture<'_, Answer> {
            Box::pin(async {
                self.probes.fetch_add(1, Ordering::Relaxed);
                self.permits.acquire().await.unwrap().forget();
                self.write(batch).await
            })
        }
    }

    fn failing(error: EngineError) -> (Watched, Arc<Failing>) {
        let (probes, permits) = (AtomicUsize::new(0), Semaphore::new(0));
        let engine = Arc::new(Failing { error, probes, permits });
        (Watched::new(engine.clone()), engine)
    }

    #[test]
    fn a_write_that_others_stood_in_the_way_of_does_not_make_the_server_unready() {
        for (error, is_failing) in [
            (EngineError::Busy(String::new()), false),
            (EngineError::Unavailable(String::new()), true),
            (EngineError::Unconfirmed(String::new()), true),
        ] {
            let (watched, _) = failing(error);
            watched.write(Vec::new()).now_or_never().unwrap().unwrap_err();
            assert_eq!(watched.is_failing.load(Ordering::Relaxed), is_failing);
        }
    }

    #[test]
    fn only_a_read_of_as_much_as_was_asked_for_is_too_slow() {
        let (watched, _) = failing(EngineError::TooSlow);
        for answer in [
            watched.read(Vec::new()).now_or_never(),
            watched.read_by_key(Vec::new()).now_or_never(),
            watched.read_for_health(Vec::new()).now_or_never(),
        ] {
            assert!(matches!(answer, Some(Err(EngineError::Unavailable(_)))), "{answer:?}");
        }
        let answer = watched.read_much(Vec::new()).now_or_never();
        assert!(matches!(answer, Some(Err(EngineError::TooSlow))), "{answer:?}");
    }

    #[test]
    fn who_comes_while_a_probe_runs_shares_its_outcome() {
        let (watched, engine) = failing(EngineError::Unavailable("no room".to_owned()));
        let (mut first, mut second) = (Box::pin(watched.probe()), Box::pin(watched.probe()));
        for probe in [&mut first, &mut second] {
            assert!(probe.as_mut().now_or_never().is_none());
        }
        engine.permits.add_permits(1);
        for outcome in [first.now_or_never(), second.now_or_never()] {
            assert!(matches!(outcome, Some(Err(EngineError::Unavailable(_)))), "{outcome:?}");
        }
        assert_eq!(engine.probes.load(Ordering::Relaxed), 1);
        // The next caller tries by itself.
        assert!(watched.probe().now_or_never().is_none());
        assert_eq!(engine.probes.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_probe_that_was_given_up_leaves_its_turn_to_the_next_caller() {
        let (watched, engine) = failing(EngineError::Unavailable("no room".to_owned()));
        let (mut first, mut second) = (Box::pin(watched.probe()), Box::pin(watched.probe()));
        for probe in [&mut first, &mut second] {
            assert!(probe.as_mut().now_or_never().is_none());
        }
        drop(first);
        engine.permits.add_permits(1);
        assert!(matches!(second.now_or_never(), Some(Err(EngineError::Unavailable(_)))));
        assert_eq!(engine.probes.load(Ordering::Relaxed), 2);
    }
}
