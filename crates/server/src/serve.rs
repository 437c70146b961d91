//! The `serve` command: from the configuration to a clean shutdown.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use octopoid_api::{App, AuthMode, Host, Settings, auth::SHORT_ADMIN_KEY};
use octopoid_store_postgres::{Location as Server, Relay};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};

use crate::{config::ServeConfig, database::Database, host::System, jobs, listen};

/// Time for requests in flight to complete after the stop signal.
const DRAIN: Duration = Duration::from_secs(8);
/// Additional time for the scheduled jobs. They check the signal between two writes.
const JOBS_DRAIN: Duration = Duration::from_secs(1);

/// Serves until the process receives a stop signal.
pub(crate) async fn serve(plan: ServeConfig) -> anyhow::Result<()> {
    if plan.has_short_admin_key {
        tracing::warn!("{SHORT_ADMIN_KEY}");
    }
    let (store, (from, to)) = crate::open(&plan.database, plan.pool)
        .await
        .with_context(|| format!("cannot use the database {}", plan.database))?;
    if from != to {
        tracing::info!(from, to, "migrated the database from version {from} to {to}");
    }
    let (connections, streams) =
        listen::connections_max(listen::LIMITS.connections, plan.settings.streams_max);
    let limits = listen::Limits { connections, ..listen::LIMITS };
    let listener = TcpListener::bind(plan.listen)
        .await
        .with_context(|| format!("cannot listen on {}", plan.listen))?;
    let address = listener.local_addr().context("cannot determine the listening address")?;
    let settings = Settings { streams_max: streams, ..plan.settings };
    let app = App::new(store, Arc::new(System), settings);

    if let Database::Postgres(server) = &plan.database {
        relay(server, &app)?;
    }
    let (stop, stopping) = watch::channel(false);
    let mut jobs = jobs::start(app.clone(), plan.reap_interval, stopping.clone());
    // Before the address is logged, so that a signal sent after that line is always handled.
    let signals = stop_on_signal(app.clone(), stop).context("cannot listen for signals")?;
    announce(&app, address, &plan.database.to_string());
    listen::serve(listener, octopoid_api::router(app), stopping, &limits, DRAIN).await;
    signals.abort();
    if let Ok(ended) = tokio::time::timeout(JOBS_DRAIN, &mut jobs).await {
        ended.context("the scheduled jobs failed")?;
    } else {
        tracing::warn!("timed out waiting for the scheduled jobs");
        jobs.abort();
    }
    tracing::info!("stopped");
    Ok(())
}

/// Starts the relay of hints between the servers on one database, until the process ends.
fn relay(server: &Server, app: &App) -> anyhow::Result<()> {
    let mut origin = [0; 8];
    System.fill_random(&mut origin);
    let hints = Arc::clone(app.store.hints());
    let relay = Relay::new(server, hints, u64::from_le_bytes(origin))?;
    tokio::spawn(async move { relay.run().await });
    Ok(())
}

fn announce(app: &App, address: std::net::SocketAddr, database: &str) {
    let keys = match app.settings.auth {
        AuthMode::Open => "open: keys are optional",
        AuthMode::Required => "required: every request under /api/v1 needs a key",
    };
    let administrator = app.settings.admin_key_hash.is_some();
    tracing::info!(
        %address,
        database,
        keys,
        administrator,
        "listening on http://{address}"
    );
}

/// The first signal stops claims and drains the server. The second exits immediately.
fn stop_on_signal(app: App, stop: watch::Sender<bool>) -> std::io::Result<JoinHandle<()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: completing requests in flight");
        app.stop_claiming();
        let _ = stop.send(true);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(1);
    }))
}
