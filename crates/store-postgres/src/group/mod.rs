//! Groups: batches that wait for the database at the same time run as one transaction.
//!
//! There is no timer. While a group runs, the batches that come queue up, and they are the next
//! group: so one client alone waits for nothing, and the more clients there are, the larger the
//! groups are. `docs/decisions/0034-groups-of-batches.md` says what may join a group and what happens
//! when one fails.

mod plan;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future::{BoxFuture, FutureExt};
use octopoid_store::{
    EngineError,
    engine::{Rows, Statement},
};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};

use crate::{Aim, Groups, direct::Direct, execution::Work, failure::Failure};

pub(crate) use plan::{Group, can_join};

/// The maximum number of batches in a group.
const GROUP_MAX: usize = 128;
/// The maximum number of batches that wait for a group.
const QUEUE_MAX: usize = 1_024;

type Answers = Result<Vec<Rows>, EngineError>;

/// A batch that waits for a group.
struct Job {
    batch: Arc<Vec<Statement>>,
    reply: oneshot::Sender<Answers>,
}

/// The queue of the batches that read, or of those that write.
pub(crate) struct Queue {
    jobs: mpsc::Sender<Job>,
    dispatcher: Arc<Dispatcher>,
}

/// Runs the groups of a queue, one after another.
struct Dispatcher {
    /// The connection of the groups.
    grouped: Arc<Direct>,
    /// Runs batches that cannot be in a group.
    direct: Arc<Direct>,
    aim: Aim,
    /// Whether the statements of a batch are merged too if it is alone in its group.
    merges_single: bool,
    /// Held by the group that runs, or by the batch that runs alone.
    turn: Semaphore,
    /// Whether the last group had several batches, so that others are likely to come.
    is_shared: AtomicBool,
}

impl Queue {
    /// Starts a dispatcher on the current runtime. It ends when the queue is dropped and empty.
    pub(crate) fn start(grouped: Arc<Direct>, direct: Arc<Direct>, aim: Aim) -> Self {
        let dispatcher = Arc::new(Dispatcher {
            merges_single: direct.options.groups == Groups::Always,
            grouped,
            direct,
            aim,
            turn: Semaphore::new(1),
            is_shared: AtomicBool::new(false),
        });
        let (jobs, waiting) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(Arc::clone(&dispatcher).run(waiting));
        Self { jobs, dispatcher }
    }

    /// Runs a batch in the next group, or at once if no other batch runs or waits.
    pub(crate) async fn run(&self, batch: Vec<Statement>) -> Answers {
        let batch = Arc::new(batch);
        let is_empty = self.jobs.capacity() == self.jobs.max_capacity();
        if is_empty && let Some(turn) = self.dispatcher.turn_alone() {
            return self.dispatcher.run_alone(batch, turn).await;
        }
        let (reply, answers) = oneshot::channel();
        let job = Job { batch, reply };
        let acquire_timeout = self.dispatcher.direct.options.acquire_timeout;
        if self.jobs.send_timeout(job, acquire_timeout).await.is_err() {
            return Err(EngineError::Busy("too many requests wait for the database".to_owned()));
        }
        answers.await.unwrap_or_else(|_| Err(lost()))
    }
}

/// The dispatcher has ended with its runtime, so nothing is known about the batch.
fn lost() -> EngineError {
    EngineError::Unconfirmed("the process ended before the database answered".to_owned())
}

impl Dispatcher {
    async fn run(self: Arc<Self>, mut waiting: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(GROUP_MAX);
        // What could not join a group is the beginning of the next one.
        while !jobs.is_empty() || waiting.recv_many(&mut jobs, GROUP_MAX).await > 0 {
            let Ok(turn) = self.turn.acquire().await else { return };
            if self.is_shared.load(Ordering::Relaxed) {
                // Those whom the last group has answered send their next requests now.
                tokio::task::yield_now().await;
            }
            while jobs.len() < GROUP_MAX {
                let Ok(job) = waiting.try_recv() else { break };
                jobs.push(job);
            }
            jobs.retain(|job| !job.reply.is_closed());
            let group = self.take_compatible(&mut jobs);
            self.is_shared.store(group.len() > 1, Ordering::Relaxed);
            self.run_group(group).await;
            drop(turn);
        }
    }

    /// The turn, if no group runs and none of several batches is to be expected.
    fn turn_alone(&self) -> Option<SemaphorePermit<'_>> {
        if self.merges_single || self.is_shared.load(Ordering::Relaxed) {
            return None;
        }
        self.turn.try_acquire().ok()
    }

    /// Runs a batch on its caller's task, which is faster than waking another one.
    async fn run_alone(&self, batch: Arc<Vec<Statement>>, turn: SemaphorePermit<'_>) -> Answers {
        match self.grouped.attempt(Work::Batch(Arc::clone(&batch)), self.aim).await {
            Err(failure) if failure.is_of_one() => {
                drop(turn);
                self.direct.run(batch, self.aim).await
            }
            outcome => Ok(outcome?),
        }
    }

    /// Takes the jobs that can be in one group. The others stay, in their order.
    fn take_compatible(&self, jobs: &mut Vec<Job>) -> Vec<Job> {
        if self.aim == Aim::Read {
            return std::mem::take(jobs);
        }
        let batches: Vec<_> = jobs.iter().map(|job| Arc::clone(&job.batch)).collect();
        let joins = plan::compatible(&batches);
        let mut group = Vec::with_capacity(jobs.len());
        for (job, joins) in std::mem::take(jobs).into_iter().zip(joins) {
            if joins { group.push(job) } else { jobs.push(job) }
        }
        group
    }

    /// Runs jobs as a group. A group that has changed nothing because one of its batches failed is
    /// run again in halves, until the batch that fails is alone.
    fn run_group(&self, jobs: Vec<Job>) -> BoxFuture<'_, ()> {
        async move {
            match self.attempt(&jobs).await {
                Ok(answers) => {
                    for (job, answers) in jobs.into_iter().zip(answers) {
                        let _ = job.reply.send(Ok(answers));
                    }
                }
                Err(failure) if failure.is_of_one() => {
                    tracing::debug!(?failure, batches = jobs.len(), "a group has changed nothing");
                    self.run_halves(jobs).await;
                }
                Err(failure) => {
                    let error = EngineError::from(failure);
                    for job in jobs {
                        let _ = job.reply.send(Err(error.clone()));
                    }
                }
            }
        }
        .boxed()
    }

    async fn run_halves(&self, mut jobs: Vec<Job>) {
        if jobs.len() > 1 {
            let second = jobs.split_off(jobs.len() / 2);
            self.run_group(jobs).await;
            self.run_group(second).await;
            return;
        }
        for Job { batch, reply } in jobs {
            let (direct, aim) = (Arc::clone(&self.direct), self.aim);
            // It may have to wait for a lock, for which the next group does not wait.
            tokio::spawn(async move {
                let _ = reply.send(direct.run(batch, aim).await);
            });
        }
    }

    /// Runs jobs once. The answers are in their order.
    async fn attempt(&self, jobs: &[Job]) -> Result<Vec<Vec<Rows>>, Failure> {
        match jobs {
            [] => return Ok(Vec::new()),
            [job] if !self.merges_single => {
                let batch = Work::Batch(Arc::clone(&job.batch));
                return Ok(vec![self.grouped.attempt(batch, self.aim).await?]);
            }
            _ => {}
        }
        let batches = jobs.iter().map(|job| Arc::clone(&job.batch)).collect();
        let group = Arc::new(Group::new(batches, self.aim));
        let answers = self.grouped.attempt(Work::Group(Arc::clone(&group)), self.aim).await?;
        group.distribute(answers).ok_or_else(|| {
            let text = "a merged statement did not say which statement it answers";
            Failure::Final(EngineError::Unconfirmed(text.to_owned()))
        })
    }
}
