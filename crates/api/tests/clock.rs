//! What the server makes of a clock that somebody sets.
#![allow(clippy::unwrap_used, reason = "helpers of tests unwrap as well")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use axum::{body::Body, http::Request};
use futures_util::future::BoxFuture;
use octopoid_api::{App, Host, Settings, router};
use octopoid_domain::Millis;
use octopoid_store::Store;
use octopoid_test_database::Database;
use tower::ServiceExt;

use crate::common::START;

/// A host on which a pause takes no time but on its clocks. While somebody waits, its clock is set
/// back an hour.
#[derive(Default)]
struct Restless {
    elapsed: AtomicI64,
    looks: AtomicI64,
}

impl Host for Restless {
    fn now(&self) -> Millis {
        let was_set_back = self.elapsed_ms() > 0;
        Millis(START + self.elapsed_ms() - if was_set_back { 3_600_000 } else { 0 })
    }

    fn elapsed_ms(&self) -> i64 {
        self.elapsed.load(Ordering::Relaxed)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn pause(&self, ms: u64) -> Option<BoxFuture<'static, ()>> {
        let looks = self.looks.fetch_add(1, Ordering::Relaxed);
        assert!(looks < 100, "it waits for an hour");
        self.elapsed.fetch_add(i64::try_from(ms).unwrap(), Ordering::Relaxed);
        Some(Box::pin(std::future::ready(())))
    }
}

#[tokio::test]
async fn a_claim_waits_as_long_as_it_says_however_the_clock_is_set_meanwhile() {
    let database = Database::fresh().await;
    let store = Store::new(Arc::clone(&database.engine));
    store.migrate(Millis(START)).await.unwrap();
    let host = Arc::new(Restless::default());
    let app = App::new(store, Arc::clone(&host) as Arc<dyn Host>, Settings::default());
    let body = r#"{"orchestrator_id":"o","agent_name":"a","scope":"s"}"#;
    let request = Request::post("/api/v1/tasks/claim").header("prefer", "wait=30");
    let answer = router(app).oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 404);
    let waited = host.elapsed_ms();
    assert!((30_000..40_000).contains(&waited), "{waited} ms");
}
