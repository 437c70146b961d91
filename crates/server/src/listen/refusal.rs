//! The answer to a client that has too many connections.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{Semaphore, watch},
};

use super::stream::{Lingering, Patience};

/// What the client is told. What it wants is not looked at.
pub(super) const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/json\r\ncontent-length: 133\r\nretry-after: 1\r\n\
    connection: close\r\n\r\n\
    {\"error\":\"Service Unavailable\",\"code\":\"overloaded\",\
    \"message\":\"This address has too many connections; close some, or try again later\"}";

/// How many refusals may be on their way. Each is an open file that is not counted among the
/// connections.
pub(super) const REFUSALS_MAX: usize = 32;

/// Sends refusals.
pub(super) struct Refusals {
    places: Arc<Semaphore>,
    /// How long the client may take to read one.
    patience: Duration,
    stopping: watch::Receiver<bool>,
}

impl Refusals {
    pub(super) fn new(patience: Duration, stopping: watch::Receiver<bool>) -> Self {
        Self { places: Arc::new(Semaphore::new(REFUSALS_MAX)), patience, stopping }
    }

    /// Tells the client and closes the connection so that it can read it; or only closes the
    /// connection, if too many clients are being told.
    pub(super) fn send(&self, stream: TcpStream) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return;
        };
        let patience = Patience { pause: self.patience, total: self.patience };
        let mut stream = Lingering::new(stream, patience, self.stopping.clone());
        tokio::spawn(async move {
            let _place = place;
            let telling = async {
                stream.write_all(REFUSAL).await?;
                stream.shutdown().await
            };
            // A client that has broken off is no concern of ours.
            let _ = tokio::time::timeout(2 * patience.total, telling).await;
        });
    }
}
