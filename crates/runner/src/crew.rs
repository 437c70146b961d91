//! A crew: slots that do the same. One request waits for a task as long as a slot is free, however
//! many there are.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use octopoid_client::{Error as ClientError, Offer};
use octopoid_domain::{
    ClaimedTask,
    input::{Flag, Id, Text, Texts},
    task::{ClaimRequest, LeaseSeconds},
};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    answers::{is_of_key, is_passing},
    clock,
    config::{Crew, Hand},
    lock::LockedFile,
    records,
    run::{self, After},
    runner::{Error, Shared, Stage},
};

/// How long a claim waits on the server.
const WAIT_SECONDS: u64 = 50;
/// The lease until the first renewal. A task whose answer was lost is free again after it.
const FIRST_LEASE: f64 = 60.0;
/// The pause after an answer without a task that came at once: the server cannot wait.
const PAUSE: Duration = Duration::from_secs(5);
/// The first and the longest pause after something has failed that is not the task's fault.
const SETBACK: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(10));

/// A place for one run.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Its number, unique among all runners of this user.
    pub(crate) number: usize,
    /// The agent's name.
    pub(crate) agent: String,
    _lock: LockedFile,
}

/// Free slots by their number: the lowest is used first.
pub(crate) type Slots = BTreeMap<usize, Slot>;

fn give_back(free: &mut Slots, slot: Slot) {
    free.insert(slot.number, slot);
}

impl Crew {
    /// The queue it claims from. None: that of its role, or `incoming`.
    pub(crate) fn queue_name(&self) -> Option<&str> {
        self.queue.as_deref().or(self.hand.queue())
    }
}

/// Pauses of a crew after setbacks in a row.
#[derive(Debug, Default)]
struct Setbacks(Mutex<(u32, Option<Instant>)>);

impl Setbacks {
    fn note(&self, after: After) {
        let (count, until) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match after {
            After::Next => (*count, *until) = (0, None),
            After::Pause => {
                let pause = SETBACK.0.saturating_mul(1 << (*count).min(16)).min(SETBACK.1);
                *count += 1;
                *until = Some(Instant::now() + pause);
            }
        }
    }

    fn until(&self) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// The slots of a crew on this machine.
pub(crate) fn slots(state: &Path, crew: &Crew, machine: &str) -> io::Result<Slots> {
    let slot = || {
        let (number, lock) = records::slot_number(state)?;
        Ok((number, Slot { number, agent: format!("{machine}-{number}"), _lock: lock }))
    };
    std::iter::repeat_with(slot).take(crew.slots).collect()
}

/// Claims tasks for the slots of a crew until the runner comes to its end.
pub(crate) async fn work(
    shared: Arc<Shared>,
    crew: Arc<Crew>,
    mut free: Slots,
) -> Result<(), Error> {
    let setbacks = Arc::new(Setbacks::default());
    let mut runs = JoinSet::new();
    let mut idle_since = Instant::now();
    let result = loop {
        if shared.stage() > Stage::Running || !shared.has_runs_left() {
            break Ok(());
        }
        let Some((_, slot)) = free.pop_first() else {
            tokio::select! {
                Some(slot) = runs.join_next() => give_back(&mut free, returned(slot)),
                () = shared.at_least(Stage::Draining) => {}
            }
            idle_since = Instant::now();
            continue;
        };
        let claim = claim(&shared, &crew, &slot, &setbacks);
        let claimed = tokio::select! {
            // What ends meanwhile frees a slot with a lower number, perhaps; it is used next time.
            claimed = claim => claimed,
            () = shared.at_least(Stage::Draining) => Ok(None),
            () = idle(&shared, &runs, idle_since) => break Ok(())
        };
        match claimed {
            Ok(Some(task)) => {
                shared.begun.fetch_add(1, Ordering::Relaxed);
                let (shared, crew) = (Arc::clone(&shared), Arc::clone(&crew));
                let setbacks = Arc::clone(&setbacks);
                runs.spawn(async move {
                    shared.busy.fetch_add(1, Ordering::Relaxed);
                    setbacks.note(run::perform(&shared, &crew, &slot, *task).await);
                    shared.busy.fetch_sub(1, Ordering::Relaxed);
                    slot
                });
            }
            Ok(None) => give_back(&mut free, slot),
            Err(error) => break Err(error.into()),
        }
        while let Some(slot) = runs.try_join_next() {
            give_back(&mut free, returned(slot));
            idle_since = Instant::now();
        }
    };
    while let Some(slot) = runs.join_next().await {
        returned(slot);
    }
    result
}

/// The slot of a run that has ended. A run that panics takes the runner with it: what it has on disk
/// is brought to its end by the next one.
fn returned(slot: Result<Slot, tokio::task::JoinError>) -> Slot {
    slot.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
}

/// Waits until nothing has been done for as long as the user permits.
async fn idle(shared: &Shared, runs: &JoinSet<Slot>, since: Instant) {
    match shared.config.until.idle {
        Some(limit) if runs.is_empty() => tokio::time::sleep_until(since + limit).await,
        _ => std::future::pending().await,
    }
}

/// Claims a task. None: there is none, or it is not the time to ask for one.
async fn claim(
    shared: &Shared,
    crew: &Crew,
    slot: &Slot,
    setbacks: &Setbacks,
) -> Result<Option<Box<ClaimedTask>>, ClientError> {
    if let Some(until) = setbacks.until() {
        tokio::time::sleep_until(until).await;
    }
    let mut drained = shared.is_drained.subscribe();
    let _ = drained.wait_for(|is_drained| !is_drained).await;
    let is_merge = crew.hand == Hand::Merge;
    if let Some(pause) = shared.costs.pause().filter(|_| !is_merge) {
        shared
            .notices
            .tell("paused", "the cost limit of the day is reached: no more tasks until 00:00 UTC");
        clock::pause(pause).await;
    }
    let texts = |names: &[String]| Texts(names.to_vec());
    let request = ClaimRequest {
        orchestrator_id: Id(Some(shared.machine_id.clone())),
        agent_name: Text(Some(slot.agent.clone())),
        scope: Text(Some(shared.config.scope.clone())),
        role_filter: texts(&crew.roles),
        type_filter: texts(&crew.types),
        queue: Text(crew.queue_name().map(str::to_owned)),
        lease_duration_seconds: LeaseSeconds::new(FIRST_LEASE),
        in_place: Flag(crew.hand != Hand::Work),
        run_key: Flag(true),
        // A merge needs no provider.
        pools: Texts(shared.config.pool.clone().into_iter().filter(|_| !is_merge).collect()),
    };
    let started = Instant::now();
    match shared.config.client.ask_for_task(&request, WAIT_SECONDS).await {
        Ok(Offer::Task(task)) => return Ok(Some(task)),
        Ok(Offer::Nothing(Some(seconds))) => {
            clock::pause(Duration::from_secs(seconds.clamp(1, 60))).await;
        }
        Ok(Offer::Nothing(None)) if started.elapsed() < PAUSE => clock::pause(PAUSE).await,
        Ok(Offer::Nothing(None)) => {}
        // An answer was lost, and the lease that it had has ended meanwhile.
        Err(ClientError::Refused { status: 409, .. }) => clock::pause(PAUSE).await,
        Err(error) if is_passing(&error) && !is_of_key(&error) => {
            shared.notices.tell("offline", format!("{error}; asking again"));
            clock::pause(PAUSE).await;
        }
        Err(error) => return Err(error),
    }
    Ok(None)
}
