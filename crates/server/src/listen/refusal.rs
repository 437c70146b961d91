//! The response to a client that has too many connections.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{Semaphore, watch},
};

use super::stream::{LingeringClose, Timeouts};

/// The response. The request is not read.
pub(super) const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/json\r\ncontent-length: 133\r\nretry-after: 1\r\n\
    connection: close\r\n\r\n\
    {\"error\":\"Service Unavailable\",\"code\":\"overloaded\",\
    \"message\":\"This address has too many connections; close some, or try again later\"}";

/// The maximum number of concurrent refusals. Each is an open file that is not counted among the
/// connections.
pub(super) const REFUSALS_MAX: usize = 32;

/// Sends refusals.
pub(super) struct Refusals {
    places: Arc<Semaphore>,
    /// How long the client may take to read the response.
    timeout: Duration,
    stopping: watch::Receiver<bool>,
}

impl Refusals {
    pub(super) fn new(timeout: Duration, stopping: watch::Receiver<bool>) -> Self {
        Self { places: Arc::new(Semaphore::new(REFUSALS_MAX)), timeout, stopping }
    }

    /// Sends the response with a lingering close. If too many refusals are in progress, only closes
    /// the connection.
    pub(super) fn send(&self, stream: TcpStream) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return;
        };
        let timeouts = Timeouts { pause: self.timeout, total: self.timeout };
        let mut stream = LingeringClose::new(stream, timeouts, self.stopping.clone());
        tokio::spawn(async move {
            let _place = place;
            let sending = async {
                stream.write_all(REFUSAL).await?;
                stream.shutdown().await
            };
            // Errors of a client that has disconnected are ignored.
            let _ = tokio::time::timeout(2 * timeouts.total, sending).await;
        });
    }
}
