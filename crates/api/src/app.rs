//! What every handler shares: the store, the host's clock and randomness, and the settings.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::BoxFuture;
use octopoid_domain::{
    Millis,
    lease::LeaseSecret,
    log::{LOG_BYTES_MAX, RETAIN_MS},
    report::{PATCH_BYTES_MAX, RESULT_BYTES_MAX},
    webhook,
};
use octopoid_store::{Stamp, Store, StoreError};

use crate::{
    authority::{Authority, Origin},
    budget::Budgets,
    clock::Clock,
    events::{Feed, Places},
    host::Host,
    rate_limit::RateLimits,
    refusals::Refusals,
    summaries::Summaries,
    touches::Touches,
};

/// Who needs a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// Keys are optional. A key that is sent is checked and limits the request to its scope.
    Open,
    /// Every request under `/api/v1` needs a key.
    Required,
}

/// How the API behaves. The defaults are those of the command line.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who needs a key.
    pub auth: AuthMode,
    /// SHA-256 of the administrator's bearer token; `None` means no administrator.
    pub admin_key_hash: Option<[u8; 32]>,
    /// The origins whose pages may call, beside the server's own. If there are none, pages may call
    /// that come with a key.
    pub cors_origins: Vec<Origin>,
    /// The host names by which the server may be called, beside those of its own machine; `None`
    /// if by any.
    pub allowed_hosts: Option<Vec<Authority>>,
    /// The longest request body, in bytes.
    pub body_bytes_max: usize,
    /// How many bytes of bodies being read and of answers being sent are held.
    pub in_flight_bytes_max: usize,
    /// The longest result of a run that is stored, in bytes.
    pub result_bytes_max: usize,
    /// The longest patch in it; of a longer one the beginning is stored.
    pub patch_bytes_max: usize,
    /// How many bytes of a run's log are kept: the newest.
    pub log_bytes_max: usize,
    /// How long the logs of a task are kept after it is over, in milliseconds.
    pub retain_logs_ms: i64,
    /// How long tasks are kept after they are over, in milliseconds; `None` is forever.
    pub retain_done_ms: Option<i64>,
    /// How long after its end a lease is left to the client's own reaper, in milliseconds.
    pub lease_grace_ms: i64,
    /// How often the jobs run, in milliseconds. If they run later, the server was not available.
    pub jobs_period_ms: i64,
    /// Whether other servers may use the same database. Then all go by the database's clock.
    pub shares_database: bool,
    /// How many leases one run of the jobs takes back, on a host that bounds what a run may do. The
    /// next run goes on.
    pub releases_max: Option<i64>,
    /// How long events are kept, in milliseconds.
    pub retain_events_ms: i64,
    /// How many steps of the retention a run of the jobs takes, on a host that bounds what a run may
    /// do.
    pub prunes_max: Option<u32>,
    /// The maximum number of event streams.
    pub streams_max: usize,
    /// How many requests a key may send in a minute; `None` is any number.
    pub key_rate_max: Option<u32>,
    /// How many requests an address may send in a minute without a valid key.
    pub address_rate_max: Option<u32>,
    /// Which addresses webhooks may have.
    pub webhooks: webhook::Rules,
}

/// Request bodies up to 4 MiB: the first server took 2.2 million characters.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// 256 MiB in flight: four of the longest answers, or sixty of the longest bodies.
pub const IN_FLIGHT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// How long the server leaves a lease that has ended to the client's own reaper.
pub const LEASE_GRACE_MS: i64 = 120_000;

/// How often the jobs run.
pub const JOBS_PERIOD_MS: i64 = 10_000;

/// How long events are kept: 30 days.
pub const RETAIN_EVENTS_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

/// The maximum number of event streams.
pub const STREAMS_MAX: usize = 1_000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            auth: AuthMode::Open,
            admin_key_hash: None,
            cors_origins: Vec::new(),
            allowed_hosts: None,
            body_bytes_max: BODY_BYTES_MAX,
            in_flight_bytes_max: IN_FLIGHT_BYTES_MAX,
            result_bytes_max: RESULT_BYTES_MAX,
            patch_bytes_max: PATCH_BYTES_MAX,
            log_bytes_max: LOG_BYTES_MAX,
            retain_logs_ms: RETAIN_MS,
            retain_done_ms: None,
            lease_grace_ms: LEASE_GRACE_MS,
            jobs_period_ms: JOBS_PERIOD_MS,
            shares_database: false,
            releases_max: None,
            retain_events_ms: RETAIN_EVENTS_MS,
            prunes_max: None,
            streams_max: STREAMS_MAX,
            key_rate_max: None,
            address_rate_max: None,
            webhooks: webhook::Rules { allows_private: false, allows_http: true },
        }
    }
}

impl Settings {
    /// Bounds the jobs such that a run has at most fifty statements: all that an invocation may run on
    /// the free plan of a Worker. Taking a lease back has up to six, if its task is to be cancelled
    /// and its run has a cost; everything else, twenty. Old tasks, with up to twelve, are deleted in
    /// runs that take no lease back.
    #[must_use]
    pub fn with_short_jobs(self) -> Self {
        Self { releases_max: Some(5), prunes_max: Some(1), ..self }
    }
}

/// The state of the router. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// What an [`App`] shares with its clones.
pub struct Shared {
    /// The operations.
    pub store: Store,
    /// The settings.
    pub settings: Settings,
    /// How many requests were refused before a handler saw them.
    pub refusals: Refusals,
    /// What is in flight.
    pub(crate) budgets: Budgets,
    pub(crate) clock: Clock,
    /// The keys whose last use was recorded recently.
    pub(crate) touches: Touches,
    /// Those who wait for events.
    pub(crate) feed: Feed,
    pub(crate) places: Arc<Places>,
    pub(crate) summaries: Summaries,
    pub(crate) rate_limits: RateLimits,
    host: Arc<dyn Host>,
    is_stopping: AtomicBool,
    has_run_jobs: AtomicBool,
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// An app over a store.
    pub fn new(store: Store, host: Arc<dyn Host>, settings: Settings) -> Self {
        let budgets = Budgets::new(settings.in_flight_bytes_max);
        let places = Places::new(settings.streams_max);
        let rate_limits = RateLimits::new(settings.key_rate_max, settings.address_rate_max);
        Self(Arc::new(Shared {
            store,
            settings,
            refusals: Refusals::default(),
            budgets,
            clock: Clock::default(),
            touches: Touches::default(),
            feed: Feed::default(),
            places,
            summaries: Summaries::default(),
            rate_limits,
            host,
            is_stopping: AtomicBool::new(false),
            has_run_jobs: AtomicBool::new(false),
        }))
    }
}

impl Shared {
    /// The time, by the clock of the database.
    pub fn now(&self) -> Millis {
        self.clock.correct(self.host.now())
    }

    /// Whether the time may be wrong until it is compared with the database's.
    pub(crate) fn is_clock_doubtful(&self) -> bool {
        self.clock.is_doubtful(&*self.host)
    }

    /// Compares the host's clock with the database's, and goes by that from now on.
    pub(crate) async fn check_clock(&self) -> Result<(), StoreError> {
        let store = self.settings.shares_database.then_some(&self.store);
        self.clock.compare(&*self.host, store).await
    }

    /// Milliseconds since a fixed moment, by the monotonic clock. Every wait is measured by it.
    pub(crate) fn elapsed_ms(&self) -> i64 {
        self.host.elapsed_ms()
    }

    /// Ends after so many milliseconds, on a host that can wait.
    pub(crate) fn pause(&self, ms: u64) -> Option<BoxFuture<'static, ()>> {
        self.host.pause(ms)
    }

    /// Runs something that no answer waits for, or returns it if the host cannot.
    pub(crate) fn run_aside(&self, work: BoxFuture<'static, ()>) -> Option<BoxFuture<'static, ()>> {
        self.host.run_aside(work)
    }

    /// How many bytes of bodies and answers are in flight.
    pub fn in_flight_bytes(&self) -> usize {
        self.budgets.held()
    }

    /// The number of open event streams.
    pub fn streams(&self) -> usize {
        self.places.open()
    }

    /// Stops handing out work, ends waiting claims and event streams, and cancels long reads. The
    /// server still accepts what agents report.
    pub fn stop_claiming(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.feed.end();
        self.store.stop_reads();
        self.store.hints().end();
    }

    /// Whether the server is about to stop.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Whether this is the first run of the jobs in this process.
    pub(crate) fn is_first_run(&self) -> bool {
        !self.has_run_jobs.swap(true, Ordering::Relaxed)
    }

    /// A fresh stamp for one write.
    pub fn stamp(&self) -> Stamp {
        let mut bytes = [0; 8];
        self.host.fill_random(&mut bytes);
        Stamp::new(u64::from_le_bytes(bytes), self.now())
    }

    /// The secret of a new lease token.
    pub(crate) fn lease_secret(&self) -> LeaseSecret {
        let mut bytes = [0; 16];
        self.host.fill_random(&mut bytes);
        LeaseSecret::new(bytes)
    }

    /// 32 unpredictable bytes.
    pub fn secret(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.host.fill_random(&mut bytes);
        bytes
    }
}
