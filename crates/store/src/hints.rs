//! Hints that there may be something new to claim.
//!
//! A hint may be lost, because waiting claims also poll from time to time. Within a process hints are
//! delivered immediately; between servers on one database they are relayed ([`Hints::outgoing`]).
//!
//! Claims that wait for the same work form a group: if one of them finds no task, the others would
//! not find one either. A hint therefore wakes one waiter of each group. If it finds a task, there may
//! be more, and the next one is woken. If it is dropped before its query, another one is instead.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, oneshot};

use crate::outgoing::{Hint, Outgoing};

/// The waiting claims of each scope, and the hints that were not sent to other servers yet.
#[derive(Debug, Default)]
pub struct Hints {
    waiting: Mutex<Waiting>,
    outgoing: Outgoing,
    journal: Notify,
    webhooks: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By scope, and within a scope by group.
    groups: HashMap<String, HashMap<String, Group>>,
    /// The number of the next watch.
    next: u64,
    is_over: bool,
}

/// Watches for the same work.
#[derive(Debug, Default)]
struct Group {
    /// The number of watches, idle or not.
    watches: usize,
    /// The watches that wait for a hint, oldest first.
    idle: BTreeMap<u64, oneshot::Sender<Reason>>,
    /// A hint that no claim has followed yet.
    pending: Option<Reason>,
    /// How many rest after a hint that led to nothing. Meanwhile further hints gather.
    resting: usize,
    /// The number of queries that found nothing.
    looks: u64,
}

/// Why a waiter is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// Something has changed in the scope.
    Change,
    /// Another one of the group has found a task, so there may be more.
    More,
}

/// A caller's interest in what there is to claim. It begins before the look that finds nothing, so
/// that nothing falls between the look and the waiting. Who has found something just drops it.
#[derive(Debug)]
pub struct Watch {
    hints: Arc<Hints>,
    scope: String,
    interest: String,
    number: u64,
    state: State,
    /// The looks of the group when this one began to wait.
    looks: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It looks, for this reason or by itself, and has not told the outcome.
    Looking(Option<Reason>),
    /// Its look has found nothing.
    Nothing,
    /// The same after a hint, and it rests.
    Resting,
}

impl Hints {
    /// Begins to watch a scope. The interest says what exactly is looked for: those with the same
    /// one find the same.
    pub fn watch(self: &Arc<Self>, scope: &str, interest: &str) -> Watch {
        let mut waiting = locked(&self.waiting);
        let number = waiting.next;
        waiting.next += 1;
        let groups = waiting.groups.entry(scope.to_owned()).or_default();
        groups.entry(interest.to_owned()).or_default().watches += 1;
        Watch {
            hints: Arc::clone(self),
            scope: scope.to_owned(),
            interest: interest.to_owned(),
            number,
            state: State::Looking(None),
            looks: 0,
        }
    }

    /// The number of claims that wait.
    pub fn watches(&self) -> usize {
        let waiting = locked(&self.waiting);
        waiting.groups.values().flat_map(HashMap::values).map(|group| group.watches).sum()
    }

    /// Sends a hint that there may be new work in a scope, here and to other servers.
    pub(crate) fn tell(&self, scope: &str) {
        self.tell_here(scope);
        self.outgoing.add(|| Hint::Work(scope.to_owned()));
    }

    /// Sends a hint that the journal may have new events, here and to other servers.
    pub(crate) fn tell_events(&self) {
        self.tell_events_here();
        self.outgoing.add(|| Hint::Events);
    }

    /// Wakes those who follow the journal in this process: the tail of the streams, and the sender
    /// of webhooks.
    pub fn tell_events_here(&self) {
        self.journal.notify_one();
        self.webhooks.notify_one();
    }

    /// Waits until the journal may have new events. A hint that nobody has waited for is kept.
    pub async fn has_events(&self) {
        self.journal.notified().await;
    }

    /// The same for the sender of webhooks.
    pub async fn has_events_to_send(&self) {
        self.webhooks.notified().await;
    }

    /// Wakes the waiting claims of this process, and the one who follows the journal.
    pub fn tell_here(&self, scope: &str) {
        self.tell_events_here();
        let mut waiting = locked(&self.waiting);
        for group in waiting.groups.get_mut(scope).into_iter().flat_map(HashMap::values_mut) {
            group.tell(Reason::Change);
        }
    }

    /// Wakes all waiting claims of this process, and the one who follows the journal.
    pub fn tell_all_here(&self) {
        self.tell_events_here();
        for group in locked(&self.waiting).groups.values_mut().flat_map(HashMap::values_mut) {
            group.tell(Reason::Change);
        }
    }

    /// Ends all waiting, now and from now on.
    pub fn end(&self) {
        let mut waiting = locked(&self.waiting);
        waiting.is_over = true;
        for group in waiting.groups.values_mut().flat_map(HashMap::values_mut) {
            group.idle.clear();
        }
    }

    /// Waits for hints to send to other servers, and takes them. From the first call on they are
    /// collected, each once.
    pub async fn outgoing(&self) -> BTreeSet<Hint> {
        self.outgoing.take().await
    }
}

impl Group {
    /// Lets the one that has waited longest look, or the next one that is ready to.
    fn tell(&mut self, reason: Reason) {
        self.pending = self.pending.max(Some(reason));
        self.hand_over();
    }

    fn hand_over(&mut self) {
        // What was found is followed at once: each time the work becomes less.
        if self.resting > 0 && self.pending != Some(Reason::More) {
            return;
        }
        let Some(reason) = self.pending else { return };
        while let Some((_, oldest)) = self.idle.pop_first() {
            if oldest.send(reason).is_ok() {
                self.pending = None;
                return;
            }
        }
    }
}

impl Watch {
    /// Waits for a hint that is this one's to follow. A caller that stops waiting for it goes on
    /// watching.
    pub async fn hinted(&mut self) {
        let was = mem::replace(&mut self.state, State::Nothing);
        let Some(receiver) = self.begin_waiting(was) else { return };
        let mut place = Place { watch: self, receiver };
        // The other end is dropped only when all waiting is over.
        let reason = (&mut place.receiver).await.ok();
        place.watch.state = State::Looking(reason);
    }

    fn begin_waiting(&mut self, was: State) -> Option<oneshot::Receiver<Reason>> {
        let number = self.number;
        let (sender, receiver) = oneshot::channel();
        let (looks, is_over) = self.in_group(|group, is_over| {
            if was == State::Resting {
                group.resting -= 1;
            }
            if !is_over {
                group.idle.insert(number, sender);
                group.hand_over();
            }
            (group.looks, is_over)
        });
        self.looks = looks;
        (!is_over).then_some(receiver)
    }

    /// Reports that a claim found nothing.
    pub fn found_nothing(&mut self) {
        let rests = self.state == State::Looking(Some(Reason::Change));
        self.in_group(|group, _| {
            group.looks += 1;
            group.resting += usize::from(rests);
        });
        self.state = if rests { State::Resting } else { State::Nothing };
    }

    /// Whether it has followed a hint that led to nothing, and should rest before the next.
    pub fn is_resting(&self) -> bool {
        self.state == State::Resting
    }

    /// Whether it is time to look without a hint: no other watch of the group has looked since this
    /// one began to wait.
    pub fn is_due(&mut self) -> bool {
        if matches!(self.state, State::Looking(_)) {
            // A hint has come at the last moment.
            return true;
        }
        let since = self.looks;
        // Counted here already: others may become due before this look is over.
        let is_due = self.in_group(|group, _| {
            let is_due = group.looks == since;
            group.looks += u64::from(is_due);
            is_due
        });
        if is_due {
            self.state = State::Looking(None);
        }
        is_due
    }

    /// Does something with the group and with whether all waiting is over.
    fn in_group<T>(&self, change: impl FnOnce(&mut Group, bool) -> T) -> T {
        let mut waiting = locked(&self.hints.waiting);
        let is_over = waiting.is_over;
        let groups = waiting.groups.get_mut(&self.scope);
        let group = groups.and_then(|groups| groups.get_mut(&self.interest));
        change(group.expect("it is there as long as a watch is in it"), is_over)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut waiting = locked(&self.hints.waiting);
        let Some(groups) = waiting.groups.get_mut(&self.scope) else { return };
        let Some(group) = groups.get_mut(&self.interest) else { return };
        group.watches -= 1;
        match self.state {
            // It has found something, or has gone before it could.
            State::Looking(_) => group.tell(Reason::More),
            State::Resting => {
                group.resting -= 1;
                group.hand_over();
            }
            State::Nothing => {}
        }
        if group.watches == 0 {
            groups.remove(&self.interest);
            if groups.is_empty() {
                waiting.groups.remove(&self.scope);
            }
        }
    }
}

/// A place among those that wait for a hint. When it is given up, a hint that has just come is
/// kept.
struct Place<'a> {
    watch: &'a mut Watch,
    receiver: oneshot::Receiver<Reason>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let number = self.watch.number;
        self.watch.in_group(|group, _| group.idle.remove(&number));
        if let Ok(reason) = self.receiver.try_recv() {
            self.watch.state = State::Looking(Some(reason));
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
