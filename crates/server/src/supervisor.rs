//! The service manager that started the process, such as systemd: the socket that it passes, and
//! the notifications that it receives. Without one, there are neither.

use std::{future::Future, net::TcpListener, time::Duration};

use anyhow::{Context as _, ensure};
use listenfd::ListenFd;
use octopoid_store::Store;
use rustix::net::sockopt::socket_acceptconn;
use sd_notify::NotifyState;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Interval, MissedTickBehavior},
};

/// How many signs of life are sent in the time after which the service manager gives up. A sign may
/// then be late by the longest time that the database takes to answer.
const SIGNS: u32 = 3;

/// What to do about a socket that cannot be used.
const ONE_LISTENER: &str = "a socket unit for the server has one ListenStream= with a port, and \
     Accept=no";

/// The socket that the service manager passed, if it passed one. Call it before other threads are
/// started: the variables that describe the socket are removed.
pub(crate) fn inherited() -> anyhow::Result<Option<TcpListener>> {
    let mut passed = ListenFd::from_env();
    ensure!(
        passed.len() <= 1,
        "the service manager passed {} sockets, and the server uses one: {ONE_LISTENER}",
        passed.len()
    );
    let unusable = || format!("cannot use the socket of the service manager: {ONE_LISTENER}");
    let Some(listener) = passed.take_tcp_listener(0).with_context(unusable)? else {
        return Ok(None);
    };
    let is_listening = socket_acceptconn(&listener).with_context(unusable)?;
    ensure!(is_listening, "the socket of the service manager is a connection: {ONE_LISTENER}");
    listener.set_nonblocking(true).with_context(unusable)?;
    Ok(Some(listener))
}

/// Tells that the server takes connections.
pub(crate) fn tell_ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells that the server stops.
pub(crate) fn tell_stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("completing requests in flight")]);
}

/// Sends signs of life until `stopping` is true, if the service manager waits for them.
pub(crate) fn watchdog(store: Store, stopping: watch::Receiver<bool>) -> Option<JoinHandle<()>> {
    let patience = sd_notify::watchdog_enabled()?;
    let period = (patience / SIGNS).max(Duration::from_millis(1));
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let answers = move || {
        let store = store.clone();
        async move { drop(store.check_ready().await) }
    };
    let sign = || tell(&[NotifyState::Watchdog]);
    Some(tokio::spawn(give_signs(ticks, answers, sign, stopping)))
}

/// Gives a sign each time something has answered. An answer is proof that the runtime, and the
/// engine with its threads, do their work. Also an error is one: starting again would not mend a
/// full disk or a database server that is away.
async fn give_signs<Answer: Future<Output = ()>>(
    mut ticks: Interval,
    answers: impl Fn() -> Answer,
    sign: impl Fn(),
    mut stopping: watch::Receiver<bool>,
) {
    let signs = async {
        loop {
            ticks.tick().await;
            answers().await;
            sign();
        }
    };
    tokio::select! {
        () = signs => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

fn tell(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell the service manager the state of the server");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use tokio::sync::{Semaphore, watch};

    use super::give_signs;

    #[tokio::test]
    async fn there_is_a_sign_for_each_answer_and_none_without_one() {
        let (asked, answered) = (Semaphore::new(0), Semaphore::new(0));
        let signs = AtomicUsize::new(0);
        let (stop, stopping) = watch::channel(false);
        let answers = || async {
            asked.add_permits(1);
            answered.acquire().await.unwrap().forget();
        };
        let sign = || {
            signs.fetch_add(1, Ordering::Relaxed);
        };
        let ticks = tokio::time::interval(Duration::from_millis(1));
        let giving = give_signs(ticks, answers, sign, stopping);
        let watching = async {
            for answers in 0..3 {
                // It asks again only after it has given the sign.
                asked.acquire().await.unwrap().forget();
                assert_eq!(signs.load(Ordering::Relaxed), answers);
                answered.add_permits(1);
            }
            asked.acquire().await.unwrap().forget();
            // Nothing answers any more, and that does not keep the server from stopping.
            stop.send(true).unwrap();
        };
        tokio::join!(giving, watching);
        assert_eq!(signs.load(Ordering::Relaxed), 3);
    }
}
