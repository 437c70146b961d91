//! The budget of bytes for what is in flight: one half for bodies that are being read, one for
//! answers that are being sent. Clients that read slowly hold answers for long, and must not keep
//! others from sending.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The two halves of the budget.
pub(crate) struct Budgets {
    pub(crate) bodies: Arc<Budget>,
    pub(crate) answers: Arc<Budget>,
}

impl Budgets {
    pub(crate) fn new(max: usize) -> Self {
        let half = max / 2;
        Self { bodies: Budget::new(half), answers: Budget::new(max - half) }
    }

    /// The bytes that are held now.
    pub(crate) fn held(&self) -> usize {
        self.bodies.held() + self.answers.held()
    }
}

/// How many bytes are held, and how many may be.
pub(crate) struct Budget {
    held: AtomicUsize,
    max: usize,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), max })
    }

    /// The bytes that are held now.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Holds so many bytes if the budget is not used up. The last that finds something left may go
    /// beyond it, so that a response larger than the whole budget is not always rejected.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Share> {
        let share = self.share();
        share.grow(bytes).then_some(share)
    }

    /// Holds so many bytes even beyond the budget: for answers that can no longer be refused.
    pub(crate) fn hold(self: &Arc<Self>, bytes: usize) -> Share {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Share { budget: Arc::clone(self), bytes: AtomicUsize::new(bytes) }
    }

    /// A share of nothing, to grow.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share { budget: Arc::clone(self), bytes: AtomicUsize::new(0) }
    }
}

/// Bytes that are held until this is dropped.
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: AtomicUsize,
}

impl Share {
    /// Holds more. False, and nothing changes, if the budget is used up.
    pub(crate) fn grow(&self, bytes: usize) -> bool {
        let Budget { held, max } = &*self.budget;
        let more = |held| (held < *max).then_some(held + bytes);
        let is_held = held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if is_held {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        is_held
    }

    /// Moves so many bytes of it, or all there are, into a share of their own.
    pub(crate) fn split(&mut self, bytes: usize) -> Self {
        let own = self.bytes.get_mut();
        let moved = bytes.min(*own);
        *own -= moved;
        Self { budget: Arc::clone(&self.budget), bytes: AtomicUsize::new(moved) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

/// The budget was used up while the body was being read.
#[derive(Debug)]
pub(crate) struct Overloaded;

impl fmt::Display for Overloaded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("too many bytes are in flight")
    }
}

impl std::error::Error for Overloaded {}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn what_is_held_is_given_back() {
        let budget = Budget::new(100);
        let mut share = budget.reserve(60).unwrap();
        assert!(share.grow(30));
        let part = share.split(50);
        drop(share);
        assert_eq!(budget.held(), 50);
        let mut forced = budget.hold(1_000);
        let all = forced.split(2_000);
        drop(forced);
        assert_eq!(budget.held(), 1_050);
        drop(all);
        drop(part);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn only_the_last_may_go_beyond_the_budget() {
        let budget = Budget::new(100);
        let first = budget.reserve(99).unwrap();
        let last = budget.reserve(1_000).unwrap();
        assert!(budget.reserve(1).is_none() && !first.grow(1));
        let forced = budget.hold(5);
        assert_eq!(budget.held(), 1_104);
        drop(last);
        drop(forced);
        assert!(first.grow(1) && !first.grow(1));
        drop(first);
        assert_eq!(budget.held(), 0);
    }
}
