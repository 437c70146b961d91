//! What the server prints.

use std::time::Duration;

use octopoid_domain::{
    key::{NewKey, Rotate},
    orchestrator::Registration,
    steps::{ForceQueue, Reject, Requeue},
};
use serde_json::{Value, json};

use crate::{
    load::{approval, claim_by, new_task, report},
    server::{Disk, eventually},
};

const ADMIN: &str = "the-administrators-token";

#[tokio::test]
async fn the_start_line_tells_address_database_and_keys() {
    let disk = Disk::new().await;
    let server = disk.serve_with(&["--auth", "required"], &[("API_SECRET_KEY", ADMIN)]).await;
    let printed = server.printed();
    let line = printed.iter().find(|line| line.contains("listening on")).unwrap();
    for part in [&server.address, &disk.shown(), "required", "administrator=true"] {
        assert!(line.contains(part), "{part} is missing: {line}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_keys_is_warned_of_and_counted() {
    let disk = Disk::new().await;
    let arguments = ["--auth", "required", "--reap-interval", "1s"];
    let mut server = disk.serve_with(&arguments, &[("API_SECRET_KEY", " fifteen-letters ")]).await;
    server.prints("API_SECRET_KEY has fewer than 16 characters").await;
    let administrator = server.open_client().with_key("fifteen-letters").with_scope("s");
    administrator.create_task(&new_task("a")).await.unwrap();
    let thief = server.client().with_key("oct_stolen");
    for _ in 0..3 {
        assert_eq!(thief.get_task("a").await.unwrap_err().status(), Some(401));
    }
    server.prints("refused requests without a valid key").await;
    let printed = server.printed();
    let lines = printed.iter().filter(|line| line.contains("without a valid key"));
    assert_eq!(lines.count(), 1, "one line a minute: {printed:?}");
    assert!(!printed.iter().any(|line| line.contains("stolen")), "{printed:?}");

    let disk = Disk::new().await;
    let server = disk.serve_with(&arguments, &[("API_SECRET_KEY", ADMIN)]).await;
    assert!(!server.printed().iter().any(|line| line.contains("API_SECRET_KEY")));
}

#[tokio::test]
async fn every_change_of_state_leaves_a_json_line_for_the_auditor() {
    let disk = Disk::new().await;
    let arguments = ["--log-format", "json", "--lease-grace", "0s", "--reap-interval", "1s"];
    let server = disk.serve_with(&arguments, &[("API_SECRET_KEY", ADMIN)]).await;
    let client = server.client();
    client.create_task(&new_task("a")).await.unwrap();
    client.claim_task(&claim_by("agent-1")).await.unwrap().unwrap();
    client.requeue_task("a", &Requeue::default()).await.unwrap();
    client.claim_task(&claim_by("agent-2")).await.unwrap().unwrap();
    client.submit_task("a", &report()).await.unwrap();
    let verdict = Reject { reason: "r".into(), rejected_by: "h".into(), ..Reject::default() };
    client.reject_task("a", &verdict).await.unwrap();
    let order = ForceQueue { queue: "provisional".into(), reason: "r".into() };
    client.force_queue_task("a", &order).await.unwrap();
    client.update_task("a", &json!({"title": "t"})).await.unwrap();
    client.accept_task("a", &approval()).await.unwrap();
    client.delete_task("a").await.unwrap();
    // What is refused or only read leaves none.
    client.accept_task("a", &approval()).await.unwrap_err();
    client.list_tasks(&[]).await.unwrap();

    let audit = eventually("the last line", Duration::from_secs(5), async || {
        let audit = audit_lines(&server.printed());
        audit.iter().any(|line| line["event"] == "task.deleted").then_some(audit)
    });
    let expected = [
        ("task.created", "incoming", 1, Value::Null),
        ("task.claimed", "claimed", 2, json!("agent-1")),
        ("task.requeued", "incoming", 3, Value::Null),
        ("task.claimed", "claimed", 4, json!("agent-2")),
        ("task.submitted", "provisional", 5, Value::Null),
        ("task.rejected", "incoming", 6, json!("h")),
        ("task.force_queued", "provisional", 7, Value::Null),
        ("task.updated", "provisional", 8, Value::Null),
        ("task.accepted", "done", 9, json!("human")),
    ];
    let audit = audit.await;
    assert_eq!(audit.len(), expected.len() + 1, "{audit:#?}");
    assert_eq!(audit.last().map(|line| &line["task_id"]), Some(&json!("a")));
    for (line, (event, queue, version, agent)) in audit.iter().zip(expected) {
        assert_eq!(line["event"], event);
        assert_eq!((&line["task_id"], &line["scope"]), (&json!("a"), &json!("s")), "{line}");
        assert_eq!((&line["queue"], &line["version"]), (&json!(queue), &json!(version)), "{line}");
        assert_eq!(line["agent"], agent, "{line}");
        assert!(line["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{line}");
    }
}

/// The lines for the auditor, once every line was found to be JSON.
fn audit_lines(printed: &[String]) -> Vec<Value> {
    let lines = printed.iter().map(|line| {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    });
    lines.filter(|line| line["target"] == "octopoid::audit").collect()
}

#[tokio::test]
async fn the_administrator_changes_what_is_logged_until_the_restart() {
    let disk = Disk::new().await;
    let variables = [("API_SECRET_KEY", ADMIN), ("RUST_LOG", "info")];
    let server = disk.serve_with(&["--log-format", "json"], &variables).await;
    let administrator = server.open_client().with_key(ADMIN).with_scope("s");
    let create = async |id: &str| administrator.create_task(&new_task(id)).await.unwrap();
    for wrong in ["inof", "", "a=b", "info,octopoid::audit"] {
        let error = administrator.put_log_filter(wrong).await.unwrap_err();
        assert_eq!(error.status(), Some(400), "{wrong}");
    }
    assert_eq!(administrator.get_log_filter().await.unwrap().filter, "info");
    create("shown").await;
    let quiet = administrator.put_log_filter("warn").await.unwrap();
    assert_eq!(quiet.previous.as_deref(), Some("info"));
    create("hidden").await;
    administrator.put_log_filter("info").await.unwrap();
    create("last").await;
    let audit = eventually("the last line", Duration::from_secs(5), async || {
        let audit = audit_lines(&server.printed());
        audit.iter().any(|line| line["task_id"] == "last").then_some(audit)
    });
    let told: Vec<_> =
        audit.await.iter().map(|line| (line["task_id"].clone(), line["to"].clone())).collect();
    let (none, word) = (Value::Null, |text: &str| json!(text));
    let expected = [
        (word("shown"), none.clone()),
        (none.clone(), word("warn")),
        (none.clone(), word("info")),
        (word("last"), none),
    ];
    assert_eq!(told, expected);
    server.kill().await;
    let server = disk.serve_with(&[], &variables).await;
    let administrator = server.open_client().with_key(ADMIN);
    assert_eq!(administrator.get_log_filter().await.unwrap().filter, "info");
}

#[tokio::test]
async fn only_the_administrator_reaches_the_log_filter() {
    let disk = Disk::new().await;
    let server = disk.serve_with(&[], &[("API_SECRET_KEY", ADMIN)]).await;
    let administrator = server.open_client().with_key(ADMIN);
    let new = NewKey { scope: "s".into(), ..NewKey::default() };
    let issued = administrator.issue_key(&new).await.unwrap();
    for client in [server.open_client().with_key(&issued.api_key), server.open_client()] {
        assert_eq!(client.get_log_filter().await.unwrap_err().status(), Some(403));
        assert_eq!(client.put_log_filter("off").await.unwrap_err().status(), Some(403));
    }
    assert_eq!(administrator.get_log_filter().await.unwrap().filter, "info");
    let disk = Disk::new().await;
    let server = disk.serve().await;
    assert_eq!(server.client().get_log_filter().await.unwrap_err().status(), Some(404));
}

#[tokio::test]
async fn what_the_reaper_takes_back_is_in_the_log() {
    let disk = Disk::new().await;
    let arguments = ["--log-format", "json", "--lease-grace", "0s", "--reap-interval", "1s"];
    let server = disk.serve_with(&arguments, &[]).await;
    let client = server.client();
    client.create_task(&new_task("a")).await.unwrap();
    let mut claim = claim_by("agent-1");
    claim.lease_duration_seconds = octopoid_domain::task::LeaseSeconds::new(1.0);
    client.claim_task(&claim).await.unwrap().unwrap();
    let line = eventually("the reaper's line", Duration::from_secs(5), async || {
        audit_lines(&server.printed()).into_iter().find(|line| line["event"] == "task.reclaimed")
    });
    let line = line.await;
    assert_eq!((&line["task_id"], &line["queue"]), (&json!("a"), &json!("incoming")));
}

#[tokio::test]
async fn no_secret_is_printed() {
    let disk = Disk::new().await;
    let variables = [("API_SECRET_KEY", ADMIN), ("RUST_LOG", "trace")];
    let server = disk.serve_with(&[], &variables).await;
    let machine =
        Registration { cluster: "c".into(), machine_id: "m".into(), ..Registration::default() };
    let registered = server.client().register_orchestrator(&machine).await.unwrap();
    let key = registered.api_key.unwrap();
    let holder = server.client().with_key(&*key);
    holder.create_task(&new_task("a")).await.unwrap();
    let rotated = holder.rotate_key("s", &Rotate::default()).await.unwrap().api_key;
    let admin = server.client().with_key(ADMIN);
    admin.run_jobs().await.unwrap();
    server.client().with_key("oct_wrong-but-secret").get_task("a").await.unwrap_err();
    server.terminate().await;
    let ended = server.ends(Duration::from_secs(10)).await;
    assert!(ended.stdout.contains("task.created") && ended.stdout.contains("key.rotated"));
    for secret in [key.as_str(), &rotated, ADMIN, "wrong-but-secret"] {
        assert!(!ended.stdout.contains(secret), "{secret} was printed");
        assert!(!ended.stderr.contains(secret), "{secret} was printed");
    }
}
