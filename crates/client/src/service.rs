//! Health.

use serde::Deserialize;

use crate::{Client, Error, Result, retry::Answer};

/// The health of a server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Health {
    /// `healthy` or `unhealthy`.
    pub status: String,
    /// The version of the wire contract.
    pub version: String,
    /// The version of the server; empty if it is too old to say so.
    #[serde(default)]
    pub server_version: String,
    /// The server's time.
    pub timestamp: String,
    /// `connected` or `disconnected`.
    pub database: String,
}

impl Client {
    /// Asks how the server is. One that is unwell says so in the same words, with status 503.
    pub async fn health(&self) -> Result<Health> {
        let request = self.request(reqwest::Method::GET, "/api/health", &[]);
        let Answer { status, body, .. } = self.exchange(request).await?;
        serde_json::from_slice(&body).map_err(|why| Error::UnexpectedBody { status, why })
    }
}
