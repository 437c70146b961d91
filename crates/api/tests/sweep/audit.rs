//! Every change of state leaves a line for the auditor.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use octopoid_api::AuthMode;
use serde_json::json;
use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};

use crate::{
    common::{ADMIN, TestApp},
    operation,
    world::World,
};

/// Operations that change nothing an auditor asks for: a heartbeat, a renewal and a log are no
/// events, and the jobs write a line for each thing they do.
const QUIET: [&str; 4] = ["note_heartbeat", "renew_task", "append_log", "run_jobs"];

/// Counts the lines for the auditor.
struct Counter(Arc<AtomicUsize>);

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "octopoid::audit"
    }

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn every_operation_that_changes_something_leaves_an_audit_line_and_no_other_does() {
    for operation in operation::all() {
        let world = World::new(AuthMode::Required).await;
        let administrator = world.app.holding(ADMIN);
        let request = world.as_administrator(&operation);
        let lines = Arc::new(AtomicUsize::new(0));
        let answer = {
            // This thread's: requests are handled on it.
            let _counting = tracing::subscriber::set_default(Counter(Arc::clone(&lines)));
            request.send(&administrator).await
        };
        assert!(answer.status.is_success(), "{operation}: {}", answer.text);
        let is_loud = operation.method != "GET" && !QUIET.contains(&operation.id.as_str());
        assert_eq!(lines.load(Ordering::Relaxed) > 0, is_loud, "{operation}");
    }
}

#[tokio::test]
async fn a_repeated_step_that_changes_nothing_leaves_no_audit_line() {
    let app = TestApp::new().await;
    let task = json!({ "id": "a", "file_path": "a", "branch": "main", "scope": "s" });
    app.post("/api/v1/tasks", task).await.expect(201);
    let lines = Arc::new(AtomicUsize::new(0));
    let _counting = tracing::subscriber::set_default(Counter(Arc::clone(&lines)));
    for _ in 0..2 {
        let order = json!({ "by": "ann", "reason": "no longer needed" });
        app.post("/api/v1/tasks/a/cancel", order).await.expect(200);
    }
    assert_eq!(lines.load(Ordering::Relaxed), 1);
}
