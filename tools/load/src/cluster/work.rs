//! What all agents share: the tasks, what goes wrong with them, and what the servers confirm.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::watch;

use super::{answers::Servers, verdict::Confirmed};

/// The tenant of all tasks.
pub(crate) const SCOPE: &str = "cluster";
/// The role of tasks that any agent takes.
pub(crate) const TEAM: &str = "team";
/// The role of tasks that the first agent alone takes. It oversleeps, and goes on under a lease that
/// was taken back, because no other agent has claimed the task meanwhile.
pub(crate) const ALONE: &str = "alone";
/// How many tasks are of that role. They are the first ones.
const ALONE_TASKS: usize = 5;

/// The tasks, and what the servers confirm about them.
pub(crate) struct Work {
    pub(crate) servers: Servers,
    tasks: usize,
    created: AtomicUsize,
    claims: AtomicUsize,
    reviews: AtomicUsize,
    finished: watch::Sender<usize>,
    confirmed: Mutex<Confirmations>,
}

/// The writes that the servers have confirmed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Confirmations {
    /// By the id of the task.
    pub(crate) writes: HashMap<String, Vec<Confirmed>>,
    /// Claims whose lease was over before an answer came: their event and their agent.
    pub(crate) unseen: Vec<(&'static str, String)>,
}

/// What an agent does with a task that it has claimed to work on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkPlan {
    Submit,
    /// It renews the lease once before.
    RenewOnce,
    /// It works longer than a lease, and renews it.
    KeepRenewing,
    GiveBack,
    Fail,
    /// It sleeps until its lease has been taken back, and then submits with its token.
    Oversleep,
    /// It dies as far as the server can tell.
    Forget,
}

/// What an agent does with a task that it has claimed to review it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReviewPlan {
    Accept,
    /// Unless it was rejected before.
    Reject,
    /// It sleeps until its lease has been taken back, and then accepts with its token.
    Oversleep,
    /// It dies as far as the server can tell.
    Forget,
}

impl Work {
    pub(crate) fn new(servers: Servers, tasks: usize) -> Self {
        Self {
            servers,
            tasks,
            created: AtomicUsize::default(),
            claims: AtomicUsize::default(),
            reviews: AtomicUsize::default(),
            finished: watch::Sender::default(),
            confirmed: Mutex::default(),
        }
    }

    /// How many tasks are known to be finished, now and whenever that changes.
    pub(crate) fn finished(&self) -> watch::Receiver<usize> {
        self.finished.subscribe()
    }

    pub(crate) fn finish(&self) {
        self.finished.send_modify(|finished| *finished += 1);
    }

    /// The ids of all tasks.
    pub(crate) fn ids(&self) -> impl Iterator<Item = String> {
        (0..self.tasks).map(|number| format!("task-{number}"))
    }

    /// What the servers have confirmed.
    pub(crate) fn confirmations(&self) -> Confirmations {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn confirm(&self, id: &str, write: Confirmed) {
        let mut confirmed = self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        confirmed.writes.entry(id.to_owned()).or_default().push(write);
    }

    /// Notes a claim of which the agent learns only that it has lost it.
    pub(crate) fn confirm_unseen(&self, event: &'static str, agent: &str) {
        let mut confirmed = self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        confirmed.unseen.push((event, agent.to_owned()));
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.finished.borrow() >= self.tasks
    }

    /// The id and the role of the next task to create.
    pub(crate) fn next_task(&self) -> Option<(String, &'static str)> {
        let number = self.created.fetch_add(1, Ordering::Relaxed);
        let role = if number < ALONE_TASKS { ALONE } else { TEAM };
        (number < self.tasks).then(|| (format!("task-{number}"), role))
    }

    /// What becomes of the next claim, of a task with this role. The numbers are primes, so that the
    /// plans mix.
    pub(crate) fn next_work(&self, role: Option<&str>) -> WorkPlan {
        if role == Some(ALONE) {
            return WorkPlan::Oversleep;
        }
        match self.claims.fetch_add(1, Ordering::Relaxed) + 1 {
            number if number.is_multiple_of(97) => WorkPlan::Forget,
            number if number.is_multiple_of(61) => WorkPlan::Oversleep,
            number if number.is_multiple_of(41) => WorkPlan::GiveBack,
            number if number.is_multiple_of(37) => WorkPlan::Fail,
            number if number.is_multiple_of(23) => WorkPlan::KeepRenewing,
            number if number.is_multiple_of(3) => WorkPlan::RenewOnce,
            _ => WorkPlan::Submit,
        }
    }

    /// What becomes of the next review.
    pub(crate) fn next_review(&self) -> ReviewPlan {
        match self.reviews.fetch_add(1, Ordering::Relaxed) + 1 {
            number if number.is_multiple_of(89) => ReviewPlan::Forget,
            number if number.is_multiple_of(53) => ReviewPlan::Oversleep,
            number if number.is_multiple_of(31) => ReviewPlan::Reject,
            _ => ReviewPlan::Accept,
        }
    }
}
