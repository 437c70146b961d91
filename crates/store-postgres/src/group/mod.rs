//! Groups: batches that wait for the database at the same time run as one transaction.
//!
//! There is no timer. While a group runs, the batches that come queue up, and they are the next
//! group: so one client alone waits for nothing, and the more clients there are, the larger the
//! groups are. `docs/decisions/0034-groups-of-batches.md` says what may join a group and what happens
//! when one fails.

mod plan;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::{Either, select};
use octopoid_store::{
    EngineError,
    engine::{Rows, Statement},
};
use tokio::{
    sync::{
        Semaphore, SemaphorePermit,
        mpsc::{self, error::SendTimeoutError},
        oneshot,
    },
    time::{Instant, timeout},
};

use crate::{
    Aim, Groups,
    direct::Direct,
    execution::Work,
    failure::{Failure, Remedy},
};

pub(crate) use plan::{Group, can_join};

/// The maximum number of batches in a group.
const GROUP_MAX: usize = 128;
/// The maximum number of batches from which a group is chosen. It is higher, so that many batches
/// that change one row, of which each group has one, leave room for others.
const CHOSEN_FROM_MAX: usize = 4 * GROUP_MAX;
/// The maximum number of batches that wait to be chosen from.
const QUEUE_MAX: usize = 1_024;
/// How often a group and its parts are run before what still fails runs alone. Finding one of 128
/// batches takes eight attempts.
const ATTEMPTS_MAX: usize = 12;

type Answers = Result<Vec<Rows>, EngineError>;

/// A batch that waits for a group.
struct Job {
    batch: Arc<Vec<Statement>>,
    reply: oneshot::Sender<Answers>,
    /// Set first by the dispatcher, which then runs the batch, or by the caller, which then does not
    /// wait any longer.
    is_taken: Arc<AtomicBool>,
}

/// The queue of the batches that read, or of those that write.
pub(crate) struct Queue {
    jobs: mpsc::Sender<Job>,
    dispatcher: Arc<Dispatcher>,
}

/// Runs the groups of a queue, one after another.
struct Dispatcher {
    /// The connections of the groups.
    grouped: Arc<Direct>,
    /// Runs batches that cannot be in a group.
    direct: Arc<Direct>,
    aim: Aim,
    /// Whether the statements of a batch are merged too if it is alone in its group.
    merges_single: bool,
    /// Its permit is held by the group that runs, or by the batch that runs at once.
    running: Semaphore,
    /// Whether the last group had several batches, so that several are likely to come again.
    had_several: AtomicBool,
}

impl Queue {
    /// Starts a dispatcher on the current runtime. It ends when the queue is dropped and empty.
    pub(crate) fn start(grouped: Arc<Direct>, direct: Arc<Direct>, aim: Aim) -> Self {
        let dispatcher = Arc::new(Dispatcher {
            merges_single: direct.options.groups == Groups::Always,
            grouped,
            direct,
            aim,
            running: Semaphore::new(1),
            had_several: AtomicBool::new(false),
        });
        let (jobs, waiting) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(Arc::clone(&dispatcher).run(waiting));
        Self { jobs, dispatcher }
    }

    /// The number of batches that wait to be chosen from.
    pub(crate) fn waiting(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// Runs a batch in the next group, or at once if no group runs and the queue is empty.
    pub(crate) async fn run(&self, batch: Vec<Statement>) -> Answers {
        let batch = Arc::new(batch);
        if self.waiting() == 0
            && let Some(permit) = self.dispatcher.permit_alone()
        {
            return self.dispatcher.run_at_once(batch, permit).await;
        }
        let (reply, mut answers) = oneshot::channel();
        let is_taken = Arc::new(AtomicBool::new(false));
        let job = Job { batch, reply, is_taken: Arc::clone(&is_taken) };
        let Dispatcher { direct, aim, .. } = &*self.dispatcher;
        let (limit, start) = (direct.options.acquire_timeout, Instant::now());
        match self.jobs.send_timeout(job, limit).await {
            Ok(()) => {}
            Err(SendTimeoutError::Timeout(_)) => return Err(waited_too_long()),
            // The dispatcher has ended with the runtime that started it.
            Err(SendTimeoutError::Closed(job)) => return direct.run(job.batch, *aim).await,
        }
        let answers = match timeout(limit.saturating_sub(start.elapsed()), &mut answers).await {
            Ok(answers) => answers,
            Err(_) if !is_taken.swap(true, Ordering::Relaxed) => return Err(waited_too_long()),
            Err(_) => answers.await,
        };
        answers.unwrap_or_else(|_| Err(aim.unknown("the group has ended")))
    }
}

fn waited_too_long() -> EngineError {
    EngineError::Busy("too many requests wait for the database".to_owned())
}

impl Dispatcher {
    async fn run(self: Arc<Self>, mut waiting: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(GROUP_MAX);
        // What could not join a group is the beginning of the next one.
        while !jobs.is_empty() || waiting.recv_many(&mut jobs, GROUP_MAX).await > 0 {
            let Ok(permit) = self.running.acquire().await else { return };
            if self.had_several.load(Ordering::Relaxed) {
                // Those whom the last group has answered send their next requests now.
                tokio::task::yield_now().await;
            }
            while jobs.len() < CHOSEN_FROM_MAX {
                let Ok(job) = waiting.try_recv() else { break };
                jobs.push(job);
            }
            let group = self.choose(&mut jobs);
            self.had_several.store(group.len() > 1, Ordering::Relaxed);
            // On a task of its own, so that a bug in one group does not end the dispatcher.
            let dispatcher = Arc::clone(&self);
            let _ = tokio::spawn(async move { dispatcher.run_group(group).await }).await;
            drop(permit);
        }
    }

    /// The permit to run, if no group runs and none of several batches is to be expected. There must
    /// be an open connection too: a batch whose caller goes while it is opened would not begin.
    fn permit_alone(&self) -> Option<SemaphorePermit<'_>> {
        let is_unsuitable = self.merges_single
            || self.had_several.load(Ordering::Relaxed)
            || self.grouped.connections.status().idle == 0;
        if is_unsuitable { None } else { self.running.try_acquire().ok() }
    }

    /// Runs a batch on its caller's task, which is faster than waking another one.
    async fn run_at_once(
        &self,
        batch: Arc<Vec<Statement>>,
        permit: SemaphorePermit<'_>,
    ) -> Answers {
        let work = Work::Batch(Arc::clone(&batch));
        match self.grouped.attempt(work, self.aim).await {
            Err(failure) if failure.remedy() != Remedy::None => {
                drop(permit);
                self.direct.run(batch, self.aim).await
            }
            outcome => Ok(outcome?),
        }
    }

    /// Takes the jobs that can be in one group. The others stay, in their order. Reads whose callers
    /// have gone are dropped.
    fn choose(&self, jobs: &mut Vec<Job>) -> Vec<Job> {
        jobs.retain(|job| self.aim == Aim::Write || !job.reply.is_closed());
        let batches: Vec<_> = jobs.iter().map(|job| Arc::clone(&job.batch)).collect();
        let joins = plan::choose(&batches, self.aim, GROUP_MAX);
        let mut group = Vec::with_capacity(GROUP_MAX.min(jobs.len()));
        for (job, joins) in std::mem::take(jobs).into_iter().zip(joins) {
            if !joins {
                jobs.push(job);
            } else if !job.is_taken.swap(true, Ordering::Relaxed) {
                group.push(job);
            }
        }
        group
    }

    /// Runs jobs as a group. A group that has changed nothing because of one of its batches is run
    /// again in halves, until that batch is alone.
    async fn run_group(&self, jobs: Vec<Job>) {
        let mut parts = vec![jobs];
        let mut attempts = 0;
        while let Some(mut part) = parts.pop() {
            attempts += 1;
            let failure = match self.attempt(&part).await {
                Ok(answers) => {
                    for (job, answers) in part.into_iter().zip(answers) {
                        let _ = job.reply.send(Ok(answers));
                    }
                    continue;
                }
                Err(failure) => failure,
            };
            tracing::debug!(?failure, batches = part.len(), "a group has failed");
            match failure.remedy() {
                Remedy::Halves if part.len() > 1 && attempts < ATTEMPTS_MAX => {
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
                Remedy::Halves | Remedy::Alone => {
                    for job in part {
                        self.run_alone(job);
                    }
                }
                Remedy::None => {
                    let error = EngineError::from(failure);
                    for job in part {
                        let _ = job.reply.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// Runs a job outside of groups. It may have to wait for a lock, for which the next group does
    /// not wait. If its caller goes, it is not tried again.
    fn run_alone(&self, job: Job) {
        let (direct, aim) = (Arc::clone(&self.direct), self.aim);
        tokio::spawn(async move {
            let Job { batch, mut reply, .. } = job;
            let answers = {
                let (run, left) = (pin!(direct.run(batch, aim)), pin!(reply.closed()));
                match select(left, run).await {
                    Either::Left(_) => return,
                    Either::Right((answers, _)) => answers,
                }
            };
            let _ = reply.send(answers);
        });
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
            let text = "a row does not say which statement it answers";
            Failure::Final(self.aim.unknown(text))
        })
    }
}
