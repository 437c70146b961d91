//! A server as a part of a program that does other things as well.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use octopoid_api::{AuthMode, Authority, Host as _, Settings, app::JOBS_PERIOD_MS, auth};
use octopoid_store::Store;
use octopoid_store_postgres::Options as Pool;
use octopoid_store_sqlite::{Location as File, OpenError};
use tokio::net::TcpListener;

use crate::{
    database::Database,
    host::System,
    metrics::Metrics,
    serve::{Limits, Parts, Serving},
};

/// How often the database is tried again while another server has it open.
const IN_USE_PAUSE: Duration = Duration::from_millis(100);

/// What an embedded server works with. Everything else is as `serve` has it by default.
pub struct EmbeddedOptions {
    /// The SQLite file, which is created if it does not exist.
    pub database: PathBuf,
    /// The administrator's bearer token. Requests without a key are not accepted.
    pub administrator: String,
    /// How long another server that has the file open, and is about to end, is waited for.
    pub in_use_wait: Duration,
}

/// A running server. It handles no signals, and logs nothing unless the program has set up
/// `tracing`. It must be shut down: a dropped one goes on as long as the runtime.
pub struct Embedded {
    serving: Serving,
    address: SocketAddr,
}

impl Embedded {
    /// Opens and migrates the database, and serves on this listener.
    ///
    /// A server on a loopback address is called by the names of this machine only, one on another
    /// address by this address too, and one on all addresses by any name.
    pub async fn start(listener: TcpListener, options: &EmbeddedOptions) -> anyhow::Result<Self> {
        let address = listener.local_addr().context("cannot determine the listening address")?;
        let store = open(options)
            .await
            .with_context(|| format!("cannot use the database {}", options.database.display()))?;
        let settings = Settings {
            auth: AuthMode::Required,
            admin_key_hash: Some(auth::hash(&options.administrator)),
            allowed_hosts: allowed_hosts(address),
            ..Settings::default()
        };
        let limits = Limits::of(&settings);
        let metrics = Metrics::new();
        let parts = Parts { store, settings, metrics, traces: None, log_filter: None };
        let period = Duration::from_millis(JOBS_PERIOD_MS.unsigned_abs());
        let serving = Serving::start(listener, parts, limits, period);
        Ok(Self { serving, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops claims, completes requests in flight as `serve` does, and ends.
    pub async fn shutdown(self) -> anyhow::Result<()> {
        self.serving.stopper().stop();
        self.serving.ended().await
    }
}

/// Opens the database, and waits if another server is about to close it.
async fn open(options: &EmbeddedOptions) -> anyhow::Result<Store> {
    let location = File::File(options.database.clone());
    let url = format!("sqlite:{}", options.database.display());
    let database = Database::Sqlite { url, location };
    let mut waited = Duration::ZERO;
    loop {
        let error = match crate::open(&database, Pool::default()).await {
            Ok((store, _)) => return Ok(store),
            Err(error) => error,
        };
        let is_in_use = matches!(error.downcast_ref(), Some(OpenError::InUse(_)));
        if !is_in_use || waited >= options.in_use_wait {
            return Err(error);
        }
        waited += IN_USE_PAUSE;
        let ms = u64::try_from(IN_USE_PAUSE.as_millis()).unwrap_or(u64::MAX);
        if let Some(pause) = System.pause(ms) {
            pause.await;
        }
    }
}

/// By which names the server may be called, beside those of its own machine; `None` means any.
fn allowed_hosts(address: SocketAddr) -> Option<Vec<Authority>> {
    let ip = address.ip();
    if ip.is_unspecified() {
        return None;
    }
    let name = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
    let own = name.parse().ok().filter(|_| !ip.is_loopback());
    Some(own.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::allowed_hosts;

    #[test]
    fn the_address_joins_the_allowed_hosts() {
        let hosts = |address: &str| allowed_hosts(address.parse().unwrap());
        assert_eq!(hosts("127.0.0.1:1"), Some(Vec::new()));
        assert_eq!(hosts("[::1]:1"), Some(Vec::new()));
        assert_eq!(hosts("192.168.1.5:1"), Some(vec!["192.168.1.5".parse().unwrap()]));
        assert_eq!(hosts("[fd00::5]:1"), Some(vec!["[fd00::5]".parse().unwrap()]));
        assert_eq!(hosts("0.0.0.0:1"), None);
        assert_eq!(hosts("[::]:1"), None);
    }
}
