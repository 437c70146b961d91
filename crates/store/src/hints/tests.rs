//! Who is woken by which hint.

use std::{cell::Cell, pin::Pin, sync::Arc};

use futures_util::FutureExt;

use super::{Hint, Hints, Watch};

/// Waiters that look when they have a hint, and how often they did.
struct Waiters<'a> {
    hints: &'a Arc<Hints>,
    tasks: &'a Cell<usize>,
    looks: &'a Cell<usize>,
    running: Vec<Pin<Box<dyn Future<Output = ()> + 'a>>>,
}

impl Waiters<'_> {
    /// So many more, which look for the same and have found nothing.
    fn add(&mut self, interest: &str, count: usize) {
        let (tasks, looks) = (self.tasks, self.looks);
        for _ in 0..count {
            let mut watch = self.hints.watch("s", interest);
            self.running.push(Box::pin(async move {
                watch.found_nothing();
                loop {
                    watch.hinted().await;
                    looks.set(looks.get() + 1);
                    if tasks.get() > 0 {
                        tasks.set(tasks.get() - 1);
                        return;
                    }
                    watch.found_nothing();
                }
            }));
        }
        self.run();
    }

    /// Runs them until none has a hint, and returns the number of looks.
    fn run(&mut self) -> usize {
        let before = self.looks.get();
        loop {
            let looks = self.looks.get();
            self.running.retain_mut(|waiter| waiter.now_or_never().is_none());
            if self.looks.get() == looks {
                return looks - before;
            }
        }
    }
}

fn with_waiters(test: impl FnOnce(&Arc<Hints>, &Cell<usize>, Waiters<'_>)) {
    let (hints, tasks, looks) = (Arc::default(), Cell::new(0), Cell::new(0));
    let (hints, tasks, looks) = (&hints, &tasks, &looks);
    test(hints, tasks, Waiters { hints, tasks, looks, running: Vec::new() });
    assert!(hints.waiting.lock().unwrap().groups.is_empty(), "nothing is kept");
}

fn is_hinted(watch: &mut Watch) -> bool {
    watch.hinted().now_or_never().is_some()
}

#[test]
fn a_hint_between_the_look_and_the_waiting_is_not_missed() {
    let hints = Arc::<Hints>::default();
    let (mut ours, mut others) = (hints.watch("s", ""), hints.watch("t", ""));
    hints.tell("s");
    ours.found_nothing();
    assert!(is_hinted(&mut ours));
    ours.found_nothing();
    assert!(!is_hinted(&mut ours), "one hint is one hint");
    assert!(!is_hinted(&mut others), "another scope's hint");
    hints.tell_all_here();
    assert!(is_hinted(&mut others));
}

#[test]
fn a_hint_makes_one_of_those_look_who_wait_for_the_same() {
    with_waiters(|hints, _, mut waiters| {
        waiters.add("", 2_000);
        hints.tell("s");
        assert_eq!(waiters.run(), 1);
    });
}

#[test]
fn a_find_makes_the_next_one_look_until_nothing_is_left() {
    with_waiters(|hints, tasks, mut waiters| {
        waiters.add("", 100);
        tasks.set(7);
        hints.tell("s");
        assert_eq!(waiters.run(), 8);
        assert_eq!((tasks.get(), waiters.running.len()), (0, 93));
    });
}

#[test]
fn a_hint_reaches_everybody_who_waits_for_something_else() {
    with_waiters(|hints, _, mut waiters| {
        waiters.add("tests", 10);
        waiters.add("code", 10);
        hints.tell("s");
        assert_eq!(waiters.run(), 2);
    });
}

#[test]
fn whoever_goes_before_it_has_looked_leaves_the_hint_to_the_next() {
    with_waiters(|hints, _, mut waiters| {
        let (mut unaware, mut aware) = (hints.watch("s", ""), hints.watch("s", ""));
        let mut wait = Box::pin(unaware.hinted());
        assert!((&mut wait).now_or_never().is_none());
        waiters.add("", 3);
        hints.tell("s");
        drop(wait);
        assert_eq!(waiters.run(), 0, "one hint is one hint");
        drop(unaware);
        assert_eq!(waiters.run(), 1);

        aware.found_nothing();
        waiters.running.clear();
        hints.tell("s");
        assert!(is_hinted(&mut aware));
        waiters.add("", 3);
        drop(aware);
        assert_eq!(waiters.run(), 1);
    });
}

#[test]
fn hints_gather_while_one_rests_that_has_followed_one_to_nothing() {
    with_waiters(|hints, tasks, mut waiters| {
        let mut resting = hints.watch("s", "");
        resting.found_nothing();
        assert!(!resting.is_resting(), "no hint has led to its first look");
        hints.tell("s");
        assert!(is_hinted(&mut resting));
        resting.found_nothing();
        assert!(resting.is_resting());
        waiters.add("", 5);
        tasks.set(2);
        hints.tell("s");
        hints.tell("s");
        assert_eq!(waiters.run(), 0);
        assert!(is_hinted(&mut resting), "it has waited longest");
        tasks.set(1);
        drop(resting);
        assert_eq!((waiters.run(), tasks.get()), (2, 0));
    });
}

#[test]
fn one_of_a_group_looks_for_all_when_no_hint_comes() {
    let hints = Arc::<Hints>::default();
    let mut watches: Vec<_> = (0..50).map(|_| hints.watch("s", "")).collect();
    for watch in &mut watches {
        watch.found_nothing();
    }
    for watch in &mut watches {
        assert!(!is_hinted(watch));
    }
    // All timers may fire before the first look is over.
    let due: Vec<_> =
        watches.iter_mut().filter_map(|watch| watch.is_due().then_some(watch)).collect();
    assert_eq!(due.len(), 1);
    due.into_iter().for_each(Watch::found_nothing);
}

#[test]
fn all_waiting_can_be_ended() {
    let hints = Arc::<Hints>::default();
    let (mut early, mut late) = (hints.watch("s", ""), hints.watch("s", ""));
    let mut wait = Box::pin(early.hinted());
    assert!((&mut wait).now_or_never().is_none());
    hints.end();
    assert!(wait.now_or_never().is_some());
    assert!(is_hinted(&mut late));
}

#[test]
fn other_servers_hear_what_is_told_here_and_not_what_they_told() {
    let hints = Arc::<Hints>::default();
    assert!(hints.outgoing().now_or_never().is_none());
    hints.tell("a");
    assert!(hints.has_events().now_or_never().is_some());
    let told = hints.outgoing().now_or_never().unwrap();
    assert_eq!(Vec::from_iter(told), [Hint::Work("a".to_owned())]);
    hints.tell_here("a");
    hints.tell_all_here();
    hints.tell_events_here();
    assert!(hints.outgoing().now_or_never().is_none(), "what came from others stays here");
    assert!(hints.has_events().now_or_never().is_some());
    assert!(hints.has_events().now_or_never().is_none(), "one hint for all of them");
}
