//! Keys of each permission: which operations they open, and that they open no other.

use octopoid_api::AuthMode;

use crate::{
    is_administrators, is_open,
    operation::{self, Operation},
    world::{World, by_hand},
};

/// The operations that change something and are open to a key for work.
const WORK: [&str; 11] = [
    "append_log",
    "claim_task",
    "create_action",
    "create_draft",
    "create_message",
    "create_task",
    "fail_task",
    "note_heartbeat",
    "register_orchestrator",
    "renew_task",
    "submit_task",
];

/// Those that are open to it with a lease token.
const BY_TOKEN: [&str; 3] = ["accept_task", "reject_task", "requeue_task"];

/// Those that are open to every key: it replaces itself.
const OWN: [&str; 1] = ["rotate_key"];

/// What a caller needs for an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Need {
    Read,
    Work,
    Token,
    Manage,
    Administrator,
}

/// By the lists above.
fn expected(operation: &Operation) -> Need {
    let id = operation.id.as_str();
    if is_administrators(operation) {
        Need::Administrator
    } else if ["/api/v1/admin/", "/api/v1/webhooks"].iter().any(|of| operation.path.starts_with(of))
    {
        Need::Manage
    } else if operation.method == "GET" || OWN.contains(&id) {
        Need::Read
    } else if WORK.contains(&id) {
        Need::Work
    } else if BY_TOKEN.contains(&id) {
        Need::Token
    } else {
        Need::Manage
    }
}

/// By the document.
fn documented(operation: &Operation) -> Option<Need> {
    let roles: Vec<Vec<&str>> =
        operation.roles.iter().map(|roles| roles.iter().map(String::as_str).collect()).collect();
    let roles: Vec<&[&str]> = roles.iter().map(Vec::as_slice).collect();
    Some(match roles[..] {
        [["read"]] => Need::Read,
        [["work"]] => Need::Work,
        [["manage"], ["work", "lease_token"]] => Need::Token,
        [["manage"]] => Need::Manage,
        [["administrator"]] => Need::Administrator,
        _ => return None,
    })
}

/// Whether a key may call an operation without a lease token.
fn permits(permission: &str, operation: &Operation) -> bool {
    is_open(operation)
        || match expected(operation) {
            Need::Read => true,
            Need::Work => permission != "read",
            Need::Token | Need::Manage => permission == "manage",
            Need::Administrator => false,
        }
}

#[tokio::test]
async fn the_document_says_what_each_operation_needs() {
    for operation in operation::all().iter().filter(|operation| !is_open(operation)) {
        assert_eq!(documented(operation), Some(expected(operation)), "{operation}");
        let is_administration = operation.path.starts_with("/api/v1/admin/");
        assert_eq!(operation.needs_key, is_administration, "{operation}");
    }
}

#[tokio::test]
async fn a_key_that_does_not_permit_an_operation_changes_nothing_by_it() {
    for mode in [AuthMode::Required, AuthMode::Open] {
        let world = World::new(mode).await;
        for permission in ["read", "work", "manage"] {
            let holder = world.app.permitted("theirs", permission).await;
            // From now on its last use is noted.
            holder.get("/api/v1/tasks").await.expect(200);
            let before = world.shown().await;
            for operation in operation::all() {
                if permits(permission, &operation) {
                    continue;
                }
                let what = format!("{operation} with {permission:?}");
                let answer = world.without_token(&operation).send(&holder).await;
                assert_eq!(answer.status, 403, "{what}: {}", answer.text);
                let body = answer.json();
                assert_eq!(body["code"], "forbidden", "{what}");
                let text = body["error"].as_str().unwrap();
                let names_both = text.contains(&format!("the key has \"{permission}\""));
                assert!(names_both || is_administrators(&operation), "{what}: {text}");
                world.assert_unchanged(&before, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn a_key_that_permits_an_operation_succeeds_with_it() {
    for operation in operation::all() {
        for permission in ["read", "work"] {
            if !permits(permission, &operation) {
                continue;
            }
            let world = World::new(AuthMode::Required).await;
            let holder = world.app.permitted("theirs", permission).await;
            let answer = world.as_owner(&operation).send(&holder).await;
            let (what, place) = (format!("{operation} with {permission:?}"), by_hand());
            assert!(answer.status.is_success(), "{what}: {} ({place})", answer.text);
        }
    }
}

/// Whether the token is good is for the operation to say, and not for this test.
#[tokio::test]
async fn with_a_lease_token_a_key_for_work_gets_as_far_as_the_operation() {
    let operations = operation::all();
    let is_by_token = |operation: &&Operation| BY_TOKEN.contains(&operation.id.as_str());
    for operation in operations.iter().filter(is_by_token) {
        let world = World::new(AuthMode::Required).await;
        let request = world.as_owner(operation).with("lease_token", "x");
        let (read, work) = (
            world.app.permitted("theirs", "read").await,
            world.app.permitted("theirs", "work").await,
        );
        let answer = request.send(&read).await;
        assert_eq!(answer.status, 403, "{operation}: {}", answer.text);
        let answer = request.send(&work).await;
        assert_ne!(answer.status, 403, "{operation}: {}", answer.text);
    }
}
