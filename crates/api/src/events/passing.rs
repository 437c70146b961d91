//! What streams show in passing: that a lease was renewed, how far a run is, and that a machine is
//! alive. Nothing keeps it, and it has no `id`. It is made only where a client follows the scope.

use octopoid_domain::{
    Millis,
    journal::{Passing, Subject},
    steps::Renew,
};
use octopoid_store::{Beat, Renewed};
use serde_json::{Value, json};

use super::feed::{is_followed, show_all};
use crate::app::App;

/// Shows a renewal and the progress that came with it.
pub(crate) fn show_renewal(app: &App, id: &str, renewed: &Renewed, body: &Renew) {
    if !is_followed(app, &renewed.scope) {
        return;
    }
    let mut details = renewal(renewed.run, renewed.lease_expires_at);
    if let Some(usage) = &body.usage {
        details["usage"] = json!(usage);
    }
    let at = app.now();
    let progress = body.progress.as_ref().and_then(|progress| progress.at(at).ok());
    let name = match progress {
        Some(progress) => {
            details["message"] = json!(progress.message);
            details["percent"] = json!(progress.percent);
            "task.progress"
        }
        None => "task.renewed",
    };
    show_all(app, &renewed.scope, vec![passing(name, at, &renewed.scope, id, details)]);
}

/// Shows a heartbeat, and the renewals of the leases in it together.
pub(crate) fn show_heartbeat(app: &App, id: &str, beat: &Beat) {
    let at = app.now();
    if is_followed(app, &beat.scope) {
        let details = json!({
            "status": beat.status, "slots": beat.slots, "busy": beat.busy,
            "last_heartbeat": beat.answer.last_heartbeat,
        });
        let shown = passing("orchestrator.heartbeat", at, &beat.scope, id, details);
        show_all(app, &beat.scope, vec![shown]);
    }
    // Only a caller that no scope confines renews leases of another scope than the machine's.
    for leases in beat.renewed.chunk_by(|lease, next| lease.scope == next.scope) {
        let Some(scope) = leases.first().map(|lease| &*lease.scope) else { continue };
        if is_followed(app, scope) {
            let shown = leases.iter().map(|lease| {
                let details = renewal(lease.run, lease.lease_expires_at);
                passing("task.renewed", at, scope, &lease.task_id, details)
            });
            show_all(app, scope, shown.collect());
        }
    }
}

fn renewal(run: i64, lease_expires_at: Millis) -> Value {
    json!({ "run": run, "lease_expires_at": lease_expires_at })
}

/// The kind of the subject is the first part of the name.
fn passing(name: &str, at: Millis, scope: &str, id: &str, details: Value) -> Passing {
    let kind = name.split('.').next().unwrap_or_default().to_owned();
    let subject = Subject { kind, id: id.to_owned() };
    Passing { name: name.to_owned(), at, scope: scope.to_owned(), subject, details }
}
