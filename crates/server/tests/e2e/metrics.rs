//! Metrics, as a scraper reads them, and the rules and the dashboard that are made for them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use octopoid_domain::{
    lease::{LeaseToken, Token},
    steps::{Fail, Submit},
    task::LeaseSeconds,
};
use octopoid_testbed::{database::is_postgres, skip};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    load::{approval, claim_by, new_task, report},
    server::{Disk, PATIENCE, Server, eventually},
    wire::Connection,
};

const TOKEN: &str = "the-token-of-the-administrator";

/// What `octopoid_testbed::skip` says where there is no promtool.
const NO_PROMTOOL: &str = "promtool is not installed: install Debian's package prometheus";

/// The metrics that only PostgreSQL has, and those that only SQLite has and are not shown without a
/// value.
const OF_POSTGRES: [&str; 1] = ["octopoid_db_pool_connections"];
const OF_SQLITE: [&str; 5] = [
    "octopoid_backup_period_seconds",
    "octopoid_backup_last_success_timestamp_seconds",
    "octopoid_backup_last_failure_timestamp_seconds",
    "octopoid_backup_duration_seconds",
    "octopoid_backup_bytes",
];

/// Where the rules and the dashboard are.
fn monitoring() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/monitoring")
}

/// Sends a GET, and returns the whole answer.
async fn get(address: &str, path: &str, headers: &str) -> String {
    let mut connection = Connection::open_at(address).await;
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close");
    connection.send(&format!("{head}\r\n\r\n")).await;
    connection.rest(PATIENCE).await
}

/// The address of the listener for metrics.
fn metrics_address(server: &Server) -> String {
    let printed = server.printed();
    let line = printed.iter().find(|line| line.contains("metrics on http://")).unwrap();
    let (_, rest) = line.split_once("metrics on http://").unwrap();
    rest.split('/').next().unwrap().to_owned()
}

/// The value of a metric with these labels.
fn value(scraped: &str, metric: &str) -> Option<f64> {
    let line = scraped.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '))?;
    line.parse().ok()
}

fn body<T: serde::de::DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

/// A machine registers, one task is done, one fails, and the lease of a third lapses.
async fn work(server: &Server) {
    let client = server.client();
    let machine = body(json!({ "cluster": "c", "machine_id": "m", "scope": "s" }));
    client.register_orchestrator(&machine).await.unwrap();
    let usage = json!({ "input_tokens": 7, "cost_usd": "0.25" });
    for id in ["done", "failed", "lapsed", "waits"] {
        client.create_task(&new_task(id)).await.unwrap();
    }
    for id in ["done", "failed", "lapsed"] {
        let mut claim = claim_by("agent-1");
        if id == "lapsed" {
            claim.lease_duration_seconds = LeaseSeconds::new(1.0);
        }
        let claimed = client.claim_task(&claim).await.unwrap().expect("it is there");
        assert_eq!(claimed.id, id);
        let token = claimed.lease_token;
        match id {
            "done" => {
                let submit = Submit {
                    lease_token: Token(LeaseToken::parse(&token)),
                    usage: Some(body(usage.clone())),
                    ..report()
                };
                client.submit_task(id, &submit).await.unwrap();
                client.accept_task(id, &approval()).await.unwrap();
            }
            "failed" => {
                let fail = json!({ "lease_token": token, "reason": "crash", "retry": "never" });
                client.fail_task(id, &body::<Fail>(fail)).await.unwrap();
                let late = Submit { lease_token: Token(LeaseToken::parse(&token)), ..report() };
                client.submit_task(id, &late).await.unwrap_err();
            }
            _ => {}
        }
    }
}

/// A server whose jobs take leases back at once, after some work.
async fn worked(disk: &Disk) -> (Server, String) {
    let mut arguments =
        vec!["--metrics-listen", "127.0.0.1:0", "--lease-grace", "0s", "--reap-interval", "1s"];
    let folder = disk.path().join("backups");
    if !is_postgres() {
        arguments.extend(["--backup-dir", folder.to_str().unwrap()]);
    }
    let server = disk.serve_with(&arguments, &[("API_SECRET_KEY", TOKEN)]).await;
    work(&server).await;
    let address = metrics_address(&server);
    eventually("the lease lapses and a backup is made", Duration::from_secs(20), async || {
        let scraped = get(&address, "/metrics", "").await;
        let is_lapsed = value(&scraped, "octopoid_lease_lapsed_total") == Some(1.0);
        let has_backup =
            is_postgres() || value(&scraped, "octopoid_backup_duration_seconds").is_some();
        (is_lapsed && has_backup).then_some(())
    })
    .await;
    // A scrape reads the database before the counters, and the lease may lapse in between.
    let scraped = get(&address, "/metrics", "").await;
    (server, scraped)
}

#[tokio::test]
async fn what_happens_to_tasks_is_counted() {
    let disk = Disk::new().await;
    let (_server, scraped) = worked(&disk).await;
    let head = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(scraped.contains(head) && scraped.ends_with("# EOF\n"), "{scraped}");
    for (metric, expected) in [
        ("octopoid_database_up", 1.0),
        ("octopoid_tasks{queue=\"done\"}", 1.0),
        ("octopoid_tasks{queue=\"failed\"}", 1.0),
        ("octopoid_tasks{queue=\"incoming\"}", 2.0),
        ("octopoid_tasks_claimable{queue=\"incoming\"}", 2.0),
        ("octopoid_leases{status=\"live\"}", 0.0),
        ("octopoid_task_claims_total{outcome=\"granted\"}", 3.0),
        ("octopoid_task_transitions_total{from=\"\",to=\"incoming\"}", 4.0),
        ("octopoid_task_transitions_total{from=\"incoming\",to=\"claimed\"}", 3.0),
        ("octopoid_task_transitions_total{from=\"claimed\",to=\"incoming\"}", 1.0),
        ("octopoid_task_transitions_total{from=\"provisional\",to=\"done\"}", 1.0),
        ("octopoid_task_failures_total{reason=\"crash\",blame=\"task\"}", 1.0),
        ("octopoid_task_failures_total{reason=\"lease_lapsed\",blame=\"machine\"}", 1.0),
        ("octopoid_task_queue_wait_seconds_count", 3.0),
        ("octopoid_task_run_seconds_count{kind=\"work\"}", 3.0),
        ("octopoid_task_review_wait_seconds_count", 1.0),
        ("octopoid_lease_stale_rejections_total", 1.0),
        ("octopoid_run_tokens_total{kind=\"input\"}", 7.0),
        ("octopoid_run_cost_usd_total", 0.25),
    ] {
        assert_eq!(value(&scraped, metric), Some(expected), "{metric} in\n{scraped}");
    }
    let claims = "octopoid_http_requests_total{method=\"POST\",route=\"/api/v1/tasks/claim\",\
                  status=\"200\"}";
    assert_eq!(value(&scraped, claims), Some(3.0), "{scraped}");
    let age = value(&scraped, "octopoid_task_oldest_age_seconds{queue=\"incoming\"}");
    assert!(age.is_some_and(|age| (0.0..60.0).contains(&age)), "{age:?}");
}

#[tokio::test]
async fn the_main_address_shows_them_to_the_administrator_only() {
    let disk = Disk::new().await;
    let server = disk.serve_with(&[], &[("API_SECRET_KEY", TOKEN)]).await;
    let (with, without) = (format!("authorization: Bearer {TOKEN}\r\n"), "");
    let answer = get(&server.address, "/metrics", &with).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\n# EOF"), "{answer}");
    for headers in [without, "authorization: Bearer wrong\r\n"] {
        let answer = get(&server.address, "/metrics", headers).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("\"code\":\"unauthorized\""), "{answer}");
    }
}

#[tokio::test]
async fn without_an_administrator_the_main_address_has_none() {
    let disk = Disk::new().await;
    let server = disk.serve_with(&["--metrics-listen", "127.0.0.1:0"], &[]).await;
    let answer = get(&server.address, "/metrics", "").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    let own = metrics_address(&server);
    assert!(get(&own, "/metrics", "").await.starts_with("HTTP/1.1 200 "));
    assert!(get(&own, "/api/v1/tasks", "").await.starts_with("HTTP/1.1 404 "));
}

/// The names of metrics in a text, without what a type of metric adds to the name of its family.
fn families(text: &str) -> BTreeSet<String> {
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let names = text.match_indices("octopoid_").map(|(start, _)| {
        let name = text[start..].split(|letter| !is_name(letter)).next().unwrap_or_default();
        let endings = ["_total", "_bucket", "_count", "_sum", "_info"];
        let ending = endings.into_iter().find(|ending| name.ends_with(ending));
        name.strip_suffix(ending.unwrap_or_default()).unwrap_or(name).to_owned()
    });
    names.collect()
}

#[tokio::test]
async fn the_rules_the_dashboard_and_the_document_name_what_the_server_exposes() {
    let disk = Disk::new().await;
    let (_server, scraped) = worked(&disk).await;
    let types = scraped.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut exposed: BTreeSet<_> =
        types.map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    let missing = |named: &BTreeSet<String>, from: &BTreeSet<String>| {
        named.difference(from).cloned().collect::<Vec<_>>()
    };
    let document = include_str!("../../../../docs/metrics.md");
    let rows: String = document.lines().filter(|line| line.starts_with("| `")).collect();
    let described = families(&rows);
    let others = if is_postgres() { &OF_SQLITE[..] } else { &OF_POSTGRES };
    exposed.extend(others.iter().map(|name| (*name).to_owned()));
    assert_eq!(missing(&described, &exposed), [""; 0], "described, and not exposed");
    assert_eq!(missing(&exposed, &described), [""; 0], "exposed, and not described");
    for file in ["rules.yaml", "rules.test.yaml", "dashboard.json"] {
        let named = families(&fs::read_to_string(monitoring().join(file)).unwrap());
        assert!(named.len() > 5, "{file} names {named:?}");
        assert_eq!(missing(&named, &exposed), [""; 0], "in {file}, and not exposed");
    }
}

/// The expressions of the dashboard.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("expr").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// promtool, if it is installed.
async fn promtool(arguments: &[&str], directory: &Path) -> Option<(bool, String)> {
    let output = Command::new("promtool").args(arguments).current_dir(directory).output().await;
    let Ok(output) = output else {
        skip(NO_PROMTOOL);
        return None;
    };
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8(text).unwrap()))
}

#[tokio::test]
async fn the_alerts_fire_on_what_they_are_about() {
    for arguments in [["check", "rules", "rules.yaml"], ["test", "rules", "rules.test.yaml"]] {
        let Some((is_ok, said)) = promtool(&arguments, &monitoring()).await else { return };
        assert!(is_ok, "{said}");
    }
}

#[tokio::test]
async fn prometheus_understands_the_dashboard() {
    let dashboard = fs::read_to_string(monitoring().join("dashboard.json")).unwrap();
    let mut found = Vec::new();
    expressions(&serde_json::from_str(&dashboard).unwrap(), &mut found);
    assert!(found.len() > 20, "{found:?}");
    let rules = found.iter().enumerate().map(
        |(number, expression)| json!({ "record": format!("panel:{number}"), "expr": expression }),
    );
    let groups = json!({ "groups": [{ "name": "panels", "rules": rules.collect::<Vec<_>>() }] });
    let folder = tempfile::tempdir().unwrap();
    // JSON is YAML.
    fs::write(folder.path().join("panels.yaml"), groups.to_string()).unwrap();
    let arguments = ["check", "rules", "panels.yaml"];
    let Some((is_ok, said)) = promtool(&arguments, folder.path()).await else { return };
    assert!(is_ok, "{said}");
}
