//! Hints between servers, over LISTEN and NOTIFY, on a separate connection.
//!
//! Notifications are sent after the write, not in its transaction, where NOTIFY would serialize all
//! commits of the database. A notification may therefore be lost; nothing depends on it.

use std::{collections::BTreeSet, future::poll_fn, sync::Arc, time::Duration};

use futures_util::future::{Either, select};
use octopoid_store::{Hint, Hints, engine::causes::joined};
use tokio_postgres::{AsyncMessage, Client, Error};

use crate::{Location, OpenError, tls};

const CHANNEL: &str = "octopoid";
/// The minimum time between two notifications of a scope.
const GATHER: Duration = Duration::from_millis(20);
/// The pause before the second attempt to connect. Each further pause is twice as long, up to a
/// maximum.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Relays hints between the servers on one database.
pub struct Relay {
    location: Location,
    tls: tokio_postgres_rustls::MakeRustlsConnect,
    hints: Arc<Hints>,
    /// Identifies notifications of this server.
    origin: String,
}

impl Relay {
    /// Creates a relay for the hints of one store. `origin` must be unique for each server.
    pub fn new(location: &Location, hints: Arc<Hints>, origin: u64) -> Result<Self, OpenError> {
        let tls = tls::connector(location.mode, location.root_certificates.as_deref())?;
        Ok(Self { location: location.clone(), tls, hints, origin: format!("{origin:016x}") })
    }

    /// Relays until it is dropped, and reconnects when the connection is lost.
    pub async fn run(&self) {
        let mut pause = PAUSE;
        loop {
            match self.connected(&mut pause).await {
                Ok(()) => tracing::info!("the connection for hints was closed, will reconnect"),
                Err(error) => {
                    tracing::warn!(
                        cause = joined(&error),
                        "no hints from other servers, will reconnect"
                    );
                }
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "there is no notification when a server is back"
            )]
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Listens and notifies until the connection is lost.
    async fn connected(&self, pause: &mut Duration) -> Result<(), Error> {
        let (client, mut connection) = self.location.config.connect(self.tls.clone()).await?;
        let receiving = async {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notification) = message? {
                    self.heard(notification.payload());
                }
            }
            Ok(())
        };
        let sending = async {
            client.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
            *pause = PAUSE;
            // Notifications sent before LISTEN were missed.
            self.hints.tell_all_here();
            loop {
                self.tell(&client, &self.hints.outgoing().await).await?;
            }
        };
        let (receiving, sending) = (std::pin::pin!(receiving), std::pin::pin!(sending));
        match select(receiving, sending).await {
            Either::Left((ended, _)) | Either::Right((ended, _)) => ended,
        }
    }

    fn heard(&self, payload: &str) {
        match payload.split_once(' ') {
            Some((origin, scope)) if origin != self.origin => self.hints.tell_here(scope),
            None if payload != self.origin => self.hints.tell_events_here(),
            _ => {}
        }
    }

    async fn tell(&self, client: &Client, hints: &BTreeSet<Hint>) -> Result<(), Error> {
        for hint in hints {
            let payload = match hint {
                Hint::Work(scope) => format!("{} {scope}", self.origin),
                Hint::Events => self.origin.clone(),
            };
            client.execute("SELECT pg_notify($1, $2)", &[&CHANNEL, &payload]).await?;
        }
        #[expect(clippy::disallowed_methods, reason = "collects hints to send them together")]
        tokio::time::sleep(GATHER).await;
        Ok(())
    }
}
