//! The authorisation sweep: every operation of the OpenAPI document, called by every kind of
//! caller.
//!
//! A new operation is swept as soon as it is in the document. If it needs a body, a query or an id
//! that [`world`] does not know, the owner's request is refused, and the test says where to add it.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod audit;
#[path = "../common/mod.rs"]
mod common;
mod operation;
mod pages;
mod permissions;
mod world;

use octopoid_api::AuthMode;

use common::{ADMIN, Answer, TestApp};
use operation::Operation;
use world::{World, by_hand};

/// The operations that answer without a key where keys are required. It gets no longer.
const OPEN: [&str; 4] = ["get_health", "get_info", "get_livez", "get_readyz"];

/// Words that stand in all that is secret.
const SECRET: &str = "hush";

/// The operations that are closed to callers without a key.
fn is_administration(operation: &Operation) -> bool {
    operation.path.starts_with("/api/v1/admin/")
}

/// Those of them that are closed to every key of a scope.
fn is_administrators(operation: &Operation) -> bool {
    operation.id == "run_jobs"
}

fn is_open(operation: &Operation) -> bool {
    OPEN.contains(&operation.id.as_str())
}

/// Checks the answer to somebody who must not get in at all.
fn assert_shut(answer: &Answer, operation: &Operation, who: &str) {
    if is_open(operation) {
        assert_eq!(answer.status, 200, "{operation} answers {who}: {}", answer.text);
    } else {
        assert_eq!(answer.status, 401, "{operation} lets in {who}: {}", answer.text);
        assert!(!answer.text.contains(SECRET), "{operation} shows {who}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_list_of_open_operations_names_no_other() {
    let operations = operation::all();
    let mut open: Vec<_> =
        operations.iter().filter(|operation| is_open(operation)).map(|o| o.id.as_str()).collect();
    open.sort_unstable();
    assert_eq!(open, OPEN);
    let versioned = |operation: &&Operation| operation.path.starts_with("/api/v1/");
    assert_eq!(operations.iter().filter(versioned).count(), operations.len() - OPEN.len());
}

#[tokio::test]
async fn nobody_gets_in_without_a_key_or_with_one_that_is_no_good() {
    let world = World::new(AuthMode::Required).await;
    let (expired, revoked) = (world.expired_key().await, world.revoked_key().await);
    let before = world.shown().await;
    for operation in operation::all() {
        let request = world.as_owner(&operation);
        let nobody = &world.app;
        for (who, caller) in [
            ("nobody", nobody.clone()),
            ("the holder of an expired key", nobody.holding(&expired)),
            ("the holder of a revoked key", nobody.holding(&revoked)),
            ("the holder of an unknown key", nobody.holding("oct_unknown")),
            ("the holder of no key of ours", nobody.holding("unknown")),
        ] {
            assert_shut(&request.send(&caller).await, &operation, who);
        }
    }
    world.assert_unchanged(&before, "nobody").await;
}

#[tokio::test]
async fn the_holder_of_a_key_neither_sees_nor_changes_what_is_anothers() {
    for mode in [AuthMode::Required, AuthMode::Open] {
        let world = World::new(mode).await;
        let before = world.shown().await;
        let stranger = world.app.holder("mine").await;
        for operation in operation::all() {
            for (how, request) in world.as_stranger(&operation) {
                let what = format!("{operation}, {how}");
                let answer = request.send(&stranger).await;
                assert!(answer.status.as_u16() < 500, "{what}: {}", answer.text);
                assert!(!answer.text.contains(SECRET), "{what} shows: {}", answer.text);
                if how.contains("scope") && !is_open(&operation) {
                    assert_eq!(answer.status, 403, "{what}: {}", answer.text);
                }
                world.assert_unchanged(&before, &what).await;
            }
        }
    }
}

/// Without this, the sweep might prove no more than that its requests are bad.
#[tokio::test]
async fn the_owner_succeeds_with_the_same_requests() {
    for operation in operation::all() {
        let world = World::new(AuthMode::Required).await;
        let owner = world.app.holder("theirs").await;
        let answer = world.as_owner(&operation).send(&owner).await;
        if is_administrators(&operation) {
            assert_eq!(answer.status, 403, "{operation}: {}", answer.text);
        } else {
            let place = by_hand();
            assert!(answer.status.is_success(), "{operation}: {} ({place})", answer.text);
        }
    }
}

#[tokio::test]
async fn the_administrator_succeeds_everywhere() {
    for operation in operation::all() {
        let world = World::new(AuthMode::Required).await;
        let administrator = world.app.holding(ADMIN);
        let answer = world.as_administrator(&operation).send(&administrator).await;
        let place = by_hand();
        assert!(answer.status.is_success(), "{operation}: {} ({place})", answer.text);
    }
}

#[tokio::test]
async fn without_an_administrator_there_is_nothing_to_administer() {
    let app = TestApp::new().await;
    let world = World::new(AuthMode::Open).await;
    for operation in operation::all().iter().filter(|operation| is_administration(operation)) {
        let answer = world.as_administrator(operation).send(&app).await;
        assert_eq!(answer.error(404), "Not Found", "{operation}");
        let answer = world.as_administrator(operation).send(&world.app).await;
        assert_eq!(answer.status, 403, "{operation}: {}", answer.text);
    }
}
