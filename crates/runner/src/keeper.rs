//! Keeps the lease of a run: renews it, reports progress, and takes orders and messages.
//!
//! The runner renews, never the model: a lease ends only when the runner is gone, or cannot reach the
//! server. Then the agent goes on working, because its token stays current until another claim takes
//! the task.

use std::time::Duration;

use octopoid_client::{Client, Error};
use octopoid_domain::{
    input::Id,
    lease::{Directive, Renewal, Token},
    report::{Checkpoint, NewProgress},
    steps::Renew,
    task::LeaseSeconds,
    usage::Usage,
};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use crate::{answers::is_passing, mailbox::Mailbox};

/// The longest time between two renewals. Orders reach the agent so much later.
const PAUSE_MAX: Duration = Duration::from_secs(20);
/// The shortest time between two renewals: progress that changes all the time waits for it.
const PAUSE_MIN: Duration = Duration::from_secs(5);

/// How long the last renewal of a run may take.
const LAST_MAX: Duration = Duration::from_secs(5);

/// What the server wants of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// Go on.
    #[default]
    Go,
    /// The machine is drained: come to an end.
    WrapUp,
    /// The task is cancelled: stop.
    Stop,
    /// The lease is lost, and why.
    Lost(String),
}

/// What is told to the server at the next renewal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// What the agent does.
    pub(crate) progress: Option<NewProgress>,
    /// What the next run should know.
    pub(crate) checkpoint: serde_json::Value,
    /// What the run has used so far.
    pub(crate) usage: Option<Usage>,
}

/// A lease.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) client: Client,
    pub(crate) task_id: String,
    pub(crate) token: Token,
    pub(crate) duration: Duration,
}

/// Renews a lease until it is dropped.
#[derive(Debug)]
pub(crate) struct Keeper {
    orders: watch::Receiver<Order>,
    reports: watch::Sender<Report>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Begins to renew a lease. Messages for the agent go into its mailbox.
    pub(crate) fn start(lease: Lease) -> (Self, watch::Sender<Option<Mailbox>>) {
        let (order, orders) = watch::channel(Order::Go);
        let (reports, report) = watch::channel(Report::default());
        let (mailbox, mailboxes) = watch::channel(None);
        let task = tokio::spawn(async move { keep(&lease, report, mailboxes, order).await });
        (Self { orders, reports, task }, mailbox)
    }

    /// The order that holds.
    pub(crate) fn order(&self) -> Order {
        self.orders.borrow().clone()
    }

    /// Waits for another order.
    pub(crate) async fn next_order(&mut self) -> Order {
        if self.orders.changed().await.is_err() {
            // The lease is lost, and that was said before.
            std::future::pending::<()>().await;
        }
        self.orders.borrow_and_update().clone()
    }

    /// Tells the server once more what is known, at the end of a run. If the server does not answer, it
    /// is not told: the end of the run does not wait for it.
    pub(crate) async fn finish(&self, lease: &Lease) {
        let report = self.reports.borrow().clone();
        let _ = tokio::time::timeout(LAST_MAX, lease.renew(report, None)).await;
    }

    /// Tells the server what the agent does, if the change says that there is something to tell.
    pub(crate) fn report(&self, change: impl FnOnce(&mut Report) -> bool) {
        self.reports.send_if_modified(change);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(
    lease: &Lease,
    mut reports: watch::Receiver<Report>,
    mailboxes: watch::Receiver<Option<Mailbox>>,
    orders: watch::Sender<Order>,
) {
    let pause = (lease.duration / 3).clamp(PAUSE_MIN, PAUSE_MAX);
    let mut last_message = None;
    let mut is_report_refused = false;
    loop {
        let sent_at = Instant::now();
        let report = reports.borrow_and_update().clone();
        let report = if is_report_refused { Report::default() } else { report };
        match lease.renew(report, last_message.clone()).await {
            Ok(renewal) => {
                let order = match renewal.directive {
                    Directive::Continue => Order::Go,
                    Directive::WrapUp => Order::WrapUp,
                    Directive::Stop => Order::Stop,
                };
                if let Some(id) = deliver(&renewal, mailboxes.borrow().as_ref()) {
                    last_message = Some(id);
                }
                orders.send_if_modified(|last| {
                    let is_other = *last != order;
                    *last = order;
                    is_other
                });
            }
            Err(error @ Error::Refused { status: 404 | 409, .. }) => {
                orders.send_replace(Order::Lost(error.to_string()));
                return;
            }
            // What the report says is not worth the lease.
            Err(error) if !is_passing(&error) => is_report_refused = true,
            Err(_) => {}
        }
        // Progress is shown soon, but does not multiply the requests.
        let is_changed = async {
            let _ = reports.changed().await;
            tokio::time::sleep_until(sent_at + PAUSE_MIN).await;
        };
        let _ = tokio::time::timeout_at(sent_at + pause, is_changed).await;
    }
}

/// Puts messages into the mailbox, and returns the id of the last one.
fn deliver(renewal: &Renewal, mailbox: Option<&Mailbox>) -> Option<String> {
    let last = renewal.messages.last()?;
    // Before there is a mailbox they wait on the server, as after an error.
    mailbox?.deliver(&renewal.messages).ok()?;
    Some(last.id.clone())
}

impl Lease {
    /// Renews once.
    async fn renew(&self, report: Report, after: Option<String>) -> Result<Renewal, Error> {
        let body = Renew {
            lease_token: self.token.clone(),
            lease_duration_seconds: LeaseSeconds::new(self.duration.as_secs_f64()),
            progress: report.progress,
            checkpoint: Checkpoint(report.checkpoint),
            usage: report.usage,
            messages_after: Id(after),
        };
        self.client.renew_task(&self.task_id, &body).await
    }
}
