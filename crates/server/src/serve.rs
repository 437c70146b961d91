//! The `serve` command: from the configuration to a clean shutdown.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use octopoid_api::{App, AuthMode, Host, Settings, auth::SHORT_ADMIN_KEY};
use octopoid_store::Store;
use octopoid_store_postgres::{Location as Server, Relay};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};

use crate::{
    Opened,
    backup::BackupStatus,
    config::ServeConfig,
    database::Database,
    host::System,
    jobs, listen,
    log_filter::{self, LogFilter},
    metrics::{self, Metrics},
    supervisor,
    traces::Traces,
    webhooks,
};

/// Time for requests in flight to complete after the stop signal.
const DRAIN: Duration = Duration::from_secs(8);
/// Time for the first request of a connection that was accepted just before the stop signal, if the
/// socket is that of a service manager.
const LATE: Duration = Duration::from_millis(250);
/// Additional time for the scheduled jobs. They check the signal between two writes.
const JOBS_DRAIN: Duration = Duration::from_secs(1);

/// Serves until the process receives a stop signal.
/// The socket is one that the process was given.
pub(crate) async fn serve(
    plan: ServeConfig,
    inherited: Option<std::net::TcpListener>,
    log_filter: LogFilter,
) -> anyhow::Result<()> {
    if plan.has_short_admin_key {
        tracing::warn!("{SHORT_ADMIN_KEY}");
    }
    let metrics = Metrics::new();
    let traces = plan.traces.as_ref().map(Traces::start).transpose()?;
    let measured = |backend: &_| metrics.store(backend, traces.as_ref());
    let folder = plan.backups.as_ref().map(|schedule| schedule.folder.as_path());
    let Opened { store, versions: (from, to), snapshot } =
        crate::open_with_snapshot(&plan.database, plan.pool, folder, measured)
            .await
            .with_context(|| format!("cannot use the database {}", plan.database))?;
    if let Some(file) = snapshot {
        tracing::info!(file = %file.display(), "wrote a snapshot before the migration");
    }
    if from != to {
        tracing::info!(from, to, "migrated the database from version {from} to {to}");
    }
    let late = if inherited.is_some() { LATE } else { Duration::ZERO };
    let limits = Limits { late, ..Limits::of(&plan.settings) };
    let listener = listen_on(plan.listen, inherited).await?;
    let metrics_listener = listen_for_metrics(plan.metrics_listen).await?;
    let address = listener.local_addr().context("cannot determine the listening address")?;
    let parts = Parts {
        store,
        settings: plan.settings,
        metrics: Arc::clone(&metrics),
        traces: traces.clone(),
        log_filter: Some(log_filter),
    };
    let serving = Serving::start(listener, parts, limits, plan.reap_interval);
    if let Some(listener) = metrics_listener {
        serving.show_metrics(listener, Arc::clone(&metrics))?;
    }
    if let Database::Postgres(server) = &plan.database {
        relay(server, &serving.app)?;
    }
    // Before the address is logged, so that a signal sent after that line is always handled.
    let signals = stop_on_signal(serving.stopper()).context("cannot listen for signals")?;
    announce(&serving.app, address, &plan.database.to_string());
    supervisor::tell_ready(&format!("listening on http://{address}"));
    let watchdog = supervisor::watchdog(serving.app.store.clone(), serving.stop.subscribe());
    let backups = plan.backups.map(|schedule| {
        let status = Arc::new(BackupStatus::default());
        metrics.backups.watch(Arc::clone(&status), schedule.every);
        schedule.start(status, serving.stop.subscribe())
    });
    serving.ended().await?;
    if let Some(watchdog) = watchdog {
        watchdog.await.context("the watchdog failed")?;
    }
    if let Some(backups) = backups {
        // Its thread ends with the process if it does not end in time.
        let _ = tokio::time::timeout(JOBS_DRAIN, backups).await;
    }
    if let Some(traces) = traces {
        traces.stop().await;
    }
    signals.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Listens on the socket that the process was given, or else on an address.
async fn listen_on(
    address: SocketAddr,
    inherited: Option<std::net::TcpListener>,
) -> anyhow::Result<TcpListener> {
    match inherited {
        Some(listener) => TcpListener::from_std(listener).context("cannot use the socket"),
        None => bind(address, "").await,
    }
}

async fn listen_for_metrics(address: Option<SocketAddr>) -> anyhow::Result<Option<TcpListener>> {
    match address {
        Some(address) => bind(address, " for metrics").await.map(Some),
        None => Ok(None),
    }
}

/// Listens on an address. `purpose` is part of the error.
async fn bind(address: SocketAddr, purpose: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen on {address}{purpose}"))
}

/// How many connections and event streams the limit of open files allows, and how long idle
/// connections are kept after the stop signal.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    connections: usize,
    streams: usize,
    late: Duration,
}

impl Limits {
    /// At most as many as the settings ask for.
    pub(crate) fn of(settings: &Settings) -> Self {
        let (connections, streams) =
            listen::connections_max(listen::LIMITS.connections, settings.streams_max);
        Self { connections, streams, late: Duration::ZERO }
    }
}

/// What a server works with.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) traces: Option<Traces>,
    /// The filter of the log, if it is this server that logs.
    pub(crate) log_filter: Option<LogFilter>,
}

/// A server that takes connections, runs the scheduled jobs, and sends to webhooks.
pub(crate) struct Serving {
    app: App,
    stop: watch::Sender<bool>,
    connections: JoinHandle<()>,
    jobs: JoinHandle<()>,
    webhooks: JoinHandle<()>,
}

impl Serving {
    /// Starts all of it, as tasks of the runtime.
    pub(crate) fn start(
        listener: TcpListener,
        parts: Parts,
        limits: Limits,
        reap_interval: Duration,
    ) -> Self {
        let Parts { store, settings, metrics, traces, log_filter } = parts;
        let settings = Settings { streams_max: limits.streams, ..settings };
        let app = App::new(store, Arc::new(System), settings);
        let (stop, stopping) = watch::channel(false);
        let jobs = jobs::start(app.clone(), reap_interval, Arc::clone(&metrics), stopping.clone());
        let webhooks = webhooks::start(app.clone(), Arc::clone(&metrics), stopping.clone());
        let router = octopoid_api::router_with(app.clone(), |routes| {
            let routes = metrics::mount(octopoid_api::with_assets(routes), &app, &metrics);
            match &log_filter {
                Some(filter) => log_filter::mount(routes, filter),
                None => routes,
            }
        });
        let limits =
            listen::Limits { connections: limits.connections, late: limits.late, ..listen::LIMITS };
        let connections = tokio::spawn(async move {
            let http = (&metrics.http, traces.as_ref());
            listen::serve(listener, router, stopping, &limits, DRAIN, http).await;
        });
        Self { app, stop, connections, jobs, webhooks }
    }

    /// Serves metrics on a listener of their own.
    fn show_metrics(&self, listener: TcpListener, metrics: Arc<Metrics>) -> anyhow::Result<()> {
        let address = listener.local_addr().context("cannot determine the metrics address")?;
        tracing::info!(%address, "metrics on http://{address}/metrics");
        if !address.ip().is_loopback() {
            tracing::warn!(
                "everyone who can connect to {address} can read the metrics: let a firewall allow \
                 only the scraper"
            );
        }
        let (app, stopping) = (self.app.clone(), self.stop.subscribe());
        tokio::spawn(metrics::serve(listener, app, metrics, stopping));
        Ok(())
    }

    /// What makes it stop.
    pub(crate) fn stopper(&self) -> Stopper {
        Stopper { app: self.app.clone(), stop: self.stop.clone() }
    }

    /// Waits until it has been stopped: until requests in flight are complete, or their time is
    /// over.
    pub(crate) async fn ended(self) -> anyhow::Result<()> {
        // The app holds the store, which is closed when nothing holds it any more.
        let Self { app, stop: _stop, connections, mut jobs, webhooks } = self;
        drop(app);
        connections.await.context("the server failed")?;
        if let Ok(ended) = tokio::time::timeout(JOBS_DRAIN, &mut jobs).await {
            ended.context("the scheduled jobs failed")?;
        } else {
            tracing::warn!("timed out waiting for the scheduled jobs");
            jobs.abort();
        }
        webhooks.await.context("sending to webhooks failed")
    }
}

/// Makes a server stop.
pub(crate) struct Stopper {
    app: App,
    stop: watch::Sender<bool>,
}

impl Stopper {
    /// Stops claims, and begins to drain the server.
    pub(crate) fn stop(&self) {
        self.app.stop_claiming();
        let _ = self.stop.send(true);
    }
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

fn announce(app: &App, address: SocketAddr, database: &str) {
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
fn stop_on_signal(stopper: Stopper) -> std::io::Result<JoinHandle<()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        supervisor::tell_stopping();
        tracing::info!("stopping: completing requests in flight");
        stopper.stop();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(1);
    }))
}
