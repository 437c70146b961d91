//! Who reads when: no tenant has all of the engine's readers.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::EngineError;

/// Lets each tenant have a share of the engine's readers, first come, first served.
pub(crate) struct Gate {
    /// How many readers a tenant may have at a time. None: the engine has no fixed number.
    share: Option<usize>,
    /// The tenants that read or wait, with what is left of their share.
    tenants: Mutex<HashMap<String, Arc<Semaphore>>>,
    is_closed: AtomicBool,
}

/// The right to read. Dropping it lets the tenant's next read go on.
pub(crate) struct Pass<'a> {
    // Given back before the seat, which asks whether another caller still needs the share.
    _permit: OwnedSemaphorePermit,
    _seat: Seat<'a>,
}

/// A tenant's entry in the gate, as long as one of its reads needs it.
struct Seat<'a> {
    gate: &'a Gate,
    tenant: &'a str,
    share: Option<Arc<Semaphore>>,
}

impl Gate {
    pub(crate) fn new(readers: usize) -> Self {
        // One is left for the others, unless there is only one.
        let share = (readers <= Semaphore::MAX_PERMITS).then(|| readers.saturating_sub(1).max(1));
        Self { share, tenants: Mutex::default(), is_closed: AtomicBool::new(false) }
    }

    /// Waits until the tenant has a reader left. Dropping the future leaves the queue.
    pub(crate) async fn enter<'a>(
        &'a self,
        tenant: &'a str,
    ) -> Result<Option<Pass<'a>>, EngineError> {
        let Some(share) = self.share else { return Ok(None) };
        let (seat, semaphore) = self.seat(tenant, share);
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(EngineError::Stopping);
        }
        let permit = semaphore.acquire_owned().await.map_err(|_| EngineError::Stopping)?;
        Ok(Some(Pass { _permit: permit, _seat: seat }))
    }

    /// Refuses those who wait, and all who come.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        for share in self.tenants().values() {
            share.close();
        }
    }

    fn seat<'a>(&'a self, tenant: &'a str, share: usize) -> (Seat<'a>, Arc<Semaphore>) {
        let mut tenants = self.tenants();
        let semaphore = if let Some(semaphore) = tenants.get(tenant) {
            Arc::clone(semaphore)
        } else {
            let semaphore = Arc::new(Semaphore::new(share));
            tenants.insert(tenant.to_owned(), Arc::clone(&semaphore));
            semaphore
        };
        (Seat { gate: self, tenant, share: Some(Arc::clone(&semaphore)) }, semaphore)
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<String, Arc<Semaphore>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut tenants = self.gate.tenants();
        self.share = None;
        // Only the map still references it: no request of this tenant reads or waits.
        if tenants.get(self.tenant).is_some_and(|share| Arc::strong_count(share) == 1) {
            tenants.remove(self.tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::{EngineError, Gate};

    #[test]
    fn a_tenant_leaves_a_reader_for_the_others() {
        let gate = Gate::new(3);
        let enter = |tenant| gate.enter(tenant).now_or_never();
        let (first, second) = (enter("a"), enter("a"));
        assert!(first.is_some() && second.is_some());
        assert!(enter("a").is_none(), "a third read of the same tenant waits");
        assert!(enter("b").is_some(), "another tenant does not wait for it");
        drop(first);
        assert!(enter("a").is_some(), "a reader was given back");
    }

    #[test]
    fn reads_of_a_tenant_go_in_the_order_they_came_and_those_given_up_are_passed_over() {
        let gate = Gate::new(2);
        let running = gate.enter("a").now_or_never();
        let mut gone = Box::pin(gate.enter("a"));
        let mut next = Box::pin(gate.enter("a"));
        let mut last = Box::pin(gate.enter("a"));
        for waiting in [&mut gone, &mut next, &mut last] {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        drop(gone);
        drop(running);
        assert!(last.as_mut().now_or_never().is_none(), "another came first");
        assert!(next.as_mut().now_or_never().is_some());
    }

    #[test]
    fn a_tenant_that_reads_no_more_is_forgotten() {
        let gate = Gate::new(2);
        let running = gate.enter("a").now_or_never();
        let mut waiting = Box::pin(gate.enter("a"));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(waiting);
        assert_eq!(gate.tenants().len(), 1);
        drop(running);
        assert!(gate.tenants().is_empty());
    }

    #[test]
    fn a_closed_gate_refuses_those_who_wait_and_those_who_come() {
        let gate = Gate::new(2);
        let _running = gate.enter("a").now_or_never();
        let mut waiting = Box::pin(gate.enter("a"));
        assert!(waiting.as_mut().now_or_never().is_none());
        gate.close();
        let answers = [waiting.now_or_never(), gate.enter("a").now_or_never()];
        for answer in answers {
            assert!(matches!(answer, Some(Err(EngineError::Stopping))));
        }
        assert!(matches!(gate.enter("b").now_or_never(), Some(Err(EngineError::Stopping))));
    }

    #[test]
    fn an_engine_without_a_number_of_readers_has_no_gate() {
        let gate = Gate::new(usize::MAX);
        let passes: Vec<_> = (0..1_000).map(|_| gate.enter("a").now_or_never()).collect();
        assert!(passes.iter().all(|pass| matches!(pass, Some(Ok(None)))));
    }
}
