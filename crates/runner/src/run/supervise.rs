//! Looks after a process while it runs: reads its output, obeys orders, and watches the time.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    judge::Cause,
    keeper::{Keeper, Order},
    process::{Child, Ended, Stream},
    runner::{Shared, Stage},
};

/// The time between two looks at the clock and at the files of the agent.
const TICK: Duration = Duration::from_secs(1);

/// Takes what a process prints.
pub(super) trait Sink {
    /// Takes a piece of output.
    fn output(&mut self, stream: Stream, piece: &[u8]);

    /// Called once a second. A cause ends the process.
    fn tick(&mut self, _keeper: &Keeper) -> Option<Cause> {
        None
    }

    /// The agent is to come to an end.
    fn wrap_up(&mut self) {}
}

/// How long a process may run, and be silent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    pub(super) timeout: Option<Duration>,
    pub(super) stall: Option<Duration>,
}

/// How a process that was looked after has ended.
#[derive(Debug)]
pub(super) struct Supervised {
    pub(super) ended: Ended,
    /// Why it was stopped, if it was.
    pub(super) cause: Option<Cause>,
}

enum Event {
    Output,
    Unreadable(std::io::Error),
    Closed,
    Order(Order),
    Stopping,
    Tick,
}

/// Looks after a process to its end. When this returns, no process of the run is left.
pub(super) async fn supervise(
    mut child: Child,
    keeper: &mut Keeper,
    shared: &Shared,
    patience: Patience,
    sink: &mut impl Sink,
) -> std::io::Result<Supervised> {
    let started = Instant::now();
    let mut heard = started;
    let order = keeper.order();
    if order == Order::WrapUp {
        sink.wrap_up();
    }
    let mut cause = cause_of(&order);
    let mut is_stopped = false;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if cause.is_some() && !is_stopped {
            child.stop();
            is_stopped = true;
        }
        let event = tokio::select! {
            piece = child.read() => match piece {
                Ok(Some((stream, piece))) => {
                    sink.output(stream, piece);
                    Event::Output
                }
                Ok(None) => Event::Closed,
                Err(error) => Event::Unreadable(error),
            },
            order = keeper.next_order() => Event::Order(order),
            () = shared.at_least(Stage::Stopping), if !is_stopped => Event::Stopping,
            _ = ticks.tick() => Event::Tick,
        };
        match event {
            Event::Output => heard = Instant::now(),
            Event::Closed => break,
            // Its processes are ended before that is reported.
            Event::Unreadable(error) => {
                child.stop();
                child.ended().await;
                return Err(error);
            }
            Event::Order(Order::WrapUp) => sink.wrap_up(),
            Event::Order(order) => cause = cause.or(cause_of(&order)),
            Event::Stopping => cause = cause.or(Some(Cause::Drained)),
            Event::Tick => {
                let told = sink.tick(keeper).or_else(|| patience.cause(started, heard));
                cause = cause.or(told);
            }
        }
    }
    let ended = child.ended().await;
    if ended.is_output_too_large {
        cause = cause.or(Some(Cause::TooMuch("The agent printed more than is kept".to_owned())));
    }
    Ok(Supervised { ended, cause })
}

fn cause_of(order: &Order) -> Option<Cause> {
    match order {
        Order::Go | Order::WrapUp => None,
        Order::Stop => Some(Cause::Cancelled),
        Order::Lost(_) => Some(Cause::LeaseLost),
    }
}

impl Patience {
    fn cause(self, started: Instant, heard: Instant) -> Option<Cause> {
        let minutes = |duration: Duration| {
            let seconds = duration.as_secs();
            if seconds >= 120 {
                format!("{} minutes", seconds / 60)
            } else {
                format!("{seconds} seconds")
            }
        };
        if let Some(limit) = self.timeout.filter(|limit| started.elapsed() >= *limit) {
            let text = format!("The agent was stopped after {} (--timeout)", minutes(limit));
            return Some(Cause::Timeout(text));
        }
        let limit = self.stall.filter(|limit| heard.elapsed() >= *limit)?;
        let text = format!("The agent printed nothing for {} (--stall)", minutes(limit));
        Some(Cause::Stalled(text))
    }
}
